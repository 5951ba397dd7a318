//! The shape of the tree (ARCHITECTURE.md): floors, homes of outside crates, circles of files, size of files,
//! where tests lie, and what documents name. What a file imports is read from its syntax, and what is a test
//! from `#[cfg(test)]`; no name of a file or of a folder says so.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, reason = "tests")]

mod checks;
mod collect;
mod documents;
mod planted;
mod reach;
mod rules;
mod scripts;
mod test_modules;
mod tree;

use std::path::Path;
use tree::Tree;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn assert_none(wrong: &[String]) {
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn every_file_can_be_judged() {
    assert_none(&checks::faults(&Tree::read(root())));
}

#[test]
fn imports_point_down_only() {
    assert_none(&checks::floors(&Tree::read(root())));
}

#[test]
fn outside_crates_stay_in_their_homes() {
    assert_none(&checks::homes(&Tree::read(root())));
}

#[test]
fn every_dependency_has_a_home_and_lives_there() {
    assert_none(&checks::register(&Tree::read(root())));
}

#[test]
fn no_circle_of_files_comes_or_goes_unseen() {
    assert_none(&checks::ratchet(&checks::circles(&Tree::read(root())), rules::KNOWN_CIRCLES));
}

#[test]
fn comments_fit() {
    assert_none(&checks::wide_comments(root()));
}

#[test]
fn files_are_small() {
    assert_none(&checks::long_files(root()));
}

#[test]
fn test_modules_have_one_shape() {
    assert_none(&test_modules::misplaced(root()));
}

#[test]
fn waits_have_deadlines() {
    assert_none(&checks::endless_waits(root()));
}
