//! Where unit tests lie: in modules called `tests`, short ones at the end of their file, longer ones in files
//! of their own, where the compiler looks for them. What several of them share is in modules called
//! `testing`.

use crate::collect::is_for_tests;
use crate::rules::MAX_TEST_MODULE_LINES;
use crate::tree::rust_files;
use std::fs;
use std::path::Path;
use syn::{Item, ItemMod, Visibility};

/// Test modules of another shape, one sentence for each place.
pub(crate) fn misplaced(root: &Path) -> Vec<String> {
    let mut wrong = Vec::new();
    for file in ["src", "migrations"].into_iter().flat_map(|folder| rust_files(root, folder)) {
        if ["_test.rs", "_tests.rs"].iter().any(|end| file.ends_with(end)) {
            wrong.push(format!("{file}: tests are in tests.rs of their module's folder, or in its folder tests"));
        }
        let text = fs::read_to_string(root.join(&file)).unwrap();
        let items = syn::parse_file(&text).unwrap_or_else(|e| panic!("{file}: {e}")).items;
        for (at, item) in items.iter().enumerate() {
            if let Item::Mod(module) = item
                && is_for_tests(&module.attrs)
            {
                let last = at + 1 == items.len();
                wrong.extend(judge(module, &text, last).into_iter().map(|fault| format!("{file}: {fault}")));
            }
        }
    }
    wrong
}

/// What is wrong with a module for tests that stands in a file of this text.
fn judge(module: &ItemMod, text: &str, last: bool) -> Vec<String> {
    let name = module.ident.to_string();
    let mut wrong = Vec::new();
    if !["tests", "testing"].contains(&name.as_str()) {
        wrong.push(format!("{name} is compiled for tests only: tests are in `tests`, and what they share is in `testing`"));
    }
    if module.attrs.iter().any(|attribute| attribute.path().is_ident("path")) {
        wrong.push(format!("{name} has a path of its own"));
    }
    if name == "tests" && !matches!(module.vis, Visibility::Inherited) {
        wrong.push("tests is open to others: what they share is in `testing`".to_owned());
    }
    if module.content.is_some() {
        let lines = text.lines().skip_while(|line| !opens(line, &name)).position(|line| line == "}").map_or(0, |lines| lines + 1);
        if !(1..=MAX_TEST_MODULE_LINES).contains(&lines) {
            wrong.push(format!("{name} has {lines} lines, over {MAX_TEST_MODULE_LINES}: it asks for a file of its own"));
        }
        if !last {
            wrong.push(format!("{name} does not stand at the end"));
        }
    }
    wrong
}

/// The line, as rustfmt writes it, that a module at the margin begins with.
fn opens(line: &str, name: &str) -> bool {
    line.strip_suffix(" {").is_some_and(|line| line.ends_with(&format!("mod {name}")) && !line.starts_with(' '))
}
