//! Each violation, planted in a small repository, is found.

use super::{citations, constants, links, named_tests, paths};
use std::fs;
use std::path::Path;
use tempfile::TempDir;

/// A small repository in order, with some files written over it.
fn repository(changed: &[(&str, &str)]) -> TempDir {
    let dir = TempDir::new().unwrap();
    let first = [
        ("README.md", "# It\n[more](docs/api.md#the-rest-of-it) ![](docs/shot.png) [up](#it)\n"),
        ("ARCHITECTURE.md", "`log/tip.rs` `MAX_BYTES`; `tip.rs`, `/readyz`, `MAX_*` and `src/log/`; `tests/it/*.rs`\n"),
        ("docs/api.md", "# API\n```sh\n# no heading [no](link.md)\n```\n## The rest, of it\n[home](../README.md)\n"),
        ("docs/shot.png", ""),
        ("docs/guarantees.md", "- `tests/it/a.rs` `kept`,\n  `also`; `no_test` is none\n- `tests/b.test.mjs` `a page`\n"),
        ("src/log/tip.rs", "//! As docs/api.md, \"The rest, of it\", says.\npub const MAX_BYTES: u8 = 1;\n"),
        ("tests/it/a.rs", "#[test]\nfn kept() {}\n#[tokio::test(start_paused = true)]\n// Why.\nasync fn also() {}\nfn helper() {}\n"),
        ("tests/b.test.mjs", "test('a page', () => {});\n"),
    ];
    for (file, text) in first.iter().chain(changed) {
        let path = dir.path().join(file);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }
    dir
}

fn assert_found(check: impl Fn(&Path) -> Vec<String>, planted: &[(&str, &str, &str)]) {
    for (file, text, word) in planted {
        let dir = repository(&[(file, text)]);
        let wrong = check(dir.path());
        assert!(wrong.len() == 1 && wrong[0].contains(word), "{file}: {text}\nfound: {wrong:#?}");
    }
}

#[test]
fn a_repository_in_order_passes() {
    let dir = repository(&[]);
    for check in [links, paths, constants, named_tests, citations] {
        assert_eq!(check(dir.path()), [""; 0]);
    }
}

#[test]
fn links_that_lead_nowhere_are_found() {
    assert_found(
        links,
        &[
            ("README.md", "[gone](docs/gone.md)", "docs/gone.md"),
            ("README.md", "[gone](docs/api.md#gone)", "no such heading"),
            ("README.md", "# It\n[gone](#that)", "no such heading"),
            ("README.md", "[in code](docs/api.md#no-heading-nolinkmd)", "no such heading"),
            ("README.md", "<img src=\"docs/gone.png\">", "docs/gone.png"),
            ("README.md", "[out](../etc/passwd)", "out of the repository"),
            ("docs/api.md", "## The rest, of it\n[beside](README.md)", "README.md"),
            ("CHANGELOG.md", "[gone](gone)", "gone"),
        ],
    );
}

#[test]
fn paths_that_are_not_there_are_found() {
    assert_found(
        paths,
        &[
            ("docs/api.md", "`src/gone.rs`", "src/gone.rs"),
            ("docs/api.md", "as `cargo x tests/it/gone.rs` says", "tests/it/gone.rs"),
            ("docs/api.md", "`packaging/`", "packaging"),
            ("docs/api.md", "`tests/gone*.rs`", "tests/gone*.rs"),
            ("ARCHITECTURE.md", "`MAX_BYTES` in `log/gone.rs`", "log/gone.rs"),
            ("ARCHITECTURE.md", "`gone.rs`", "gone.rs"),
            ("ARCHITECTURE.md", "`ip.rs`", "ip.rs"),
            ("docs/glossary.md", "`log/gone/`", "log/gone"),
        ],
    );
}

#[test]
fn constants_and_tests_that_are_not_there_are_found() {
    assert_found(constants, &[("ARCHITECTURE.md", "`MAX_GONE`", "MAX_GONE"), ("ARCHITECTURE.md", "`MIN_*`", "MIN_*")]);
    assert_found(
        named_tests,
        &[
            (super::OF_TESTS, "- `tests/it/a.rs` `gone`", "gone"),
            (super::OF_TESTS, "- `tests/it/a.rs` `kept`,\n  `gone`", "gone"),
            (super::OF_TESTS, "- `tests/it/a.rs` `helper`", "helper"),
            (super::OF_TESTS, "- `tests/it/gone.rs` `kept`", "gone.rs"),
            (super::OF_TESTS, "- `tests/b.test.mjs` `a`", "b.test.mjs"),
            (super::OF_TESTS, "nothing", "no test at all"),
        ],
    );
}

#[test]
fn citations_of_what_is_not_there_are_found() {
    assert_found(
        citations,
        &[
            ("src/x.rs", "//! It is bounded (DESIGN 4).", "DESIGN"),
            ("src/x.rs", "/// As measured (research/disks 2).", "research/"),
            ("src/x.rs", "fn f() {} // See GONE.md.", "GONE.md"),
            ("src/x.rs", "/// See docs/api.md, \"Gone\".", "Gone"),
            ("src/x.rs", "/// See docs/api.md,\n/// \"Gone\".", "Gone"),
            ("src/x.rs", "/// See README, \"Measured\".", "Measured"),
            ("src/x.rs", "const A: &str = \"see docs/gone.md\";", "docs/gone.md"),
            ("tests/x.py", "# See docs/gone.md.", "docs/gone.md"),
            ("tests/x.mjs", "/* See docs/gone.md. */", "docs/gone.md"),
            ("clippy.toml", "# DESIGN: bounded", "DESIGN"),
        ],
    );
}
