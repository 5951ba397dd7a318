//! The shape of the tree: floors, homes of outside crates, size of files (ARCHITECTURE.md).
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, reason = "tests")]

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

/// Modules by floor; imports point down only.
const FLOORS: [(&str, u8); 18] = [
    ("event", 0),
    ("cursor", 0),
    ("filter", 0),
    ("redact", 0),
    ("time", 0),
    ("log", 1),
    ("migrations", 1),
    ("ingest", 1),
    ("recorder", 2),
    ("reader", 2),
    ("export", 2),
    ("retention", 2),
    ("server", 3),
    ("client", 3),
    ("app", 4),
    ("cli", 4),
    ("config", 4),
    ("main", 4),
];

/// Modules of one floor that may not know each other.
const BLIND: [(&str, &str); 4] = [("log", "ingest"), ("migrations", "ingest"), ("server", "client"), ("recorder", "export")];

/// Where an outside crate may be named. hyper stands for HTTP on the wire, which ingest reads raw (bollard cannot) and the
/// server accepts itself (warp cannot).
const HOMES: [(&str, &[&str]); 14] = [
    ("csv", &["export"]),
    ("bollard", &["ingest"]),
    ("aho_corasick", &["redact"]),
    ("warp", &["server"]),
    ("hyper", &["server", "ingest"]),
    ("hyper_util", &["server", "ingest"]),
    ("http_body_util", &["server", "ingest"]),
    ("sled", &["log", "migrations"]),
    ("bincode", &["log", "migrations"]),
    ("zstd", &["log", "migrations", "export"]),
    ("reqwest", &["client"]),
    ("clap", &["cli", "config", "main"]),
    ("indicatif", &["cli"]),
    ("anyhow", &["app", "cli", "main"]),
];

/// A longer file is asking to be two.
const MAX_LINES: usize = 400;

fn rust_files(dir: &Path, out: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            rust_files(&path, out);
        } else if path.extension().is_some_and(|e| e == "rs") {
            out.push(path);
        }
    }
}

/// Every file of the product with the module it belongs to, and its text without comments.
fn sources() -> Vec<(PathBuf, String, String)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut files = Vec::new();
    rust_files(&root.join("src"), &mut files);
    rust_files(&root.join("migrations"), &mut files);
    let module = |path: &Path| {
        let inner = path.strip_prefix(root).unwrap();
        let mut parts = inner.components().map(|c| c.as_os_str().to_string_lossy().trim_end_matches(".rs").to_owned());
        match parts.next().unwrap().as_str() {
            "migrations" => "migrations".to_owned(),
            _ => parts.next().unwrap(),
        }
    };
    let code = |path: &Path| {
        fs::read_to_string(path).unwrap().lines().filter(|l| !l.trim_start().starts_with("//")).collect::<Vec<_>>().join("\n")
    };
    files.into_iter().map(|path| (path.clone(), module(&path), code(&path))).filter(|(_, module, _)| module != "lib").collect()
}

/// Tests may look up; the product may not.
fn is_test(path: &Path) -> bool {
    path.to_string_lossy().contains("test") || path.ends_with("contract.rs")
}

fn names(code: &str, name: &str) -> bool {
    code.match_indices(name).any(|(at, _)| {
        let before = code[..at].chars().next_back();
        before.is_none_or(|c| !c.is_alphanumeric() && c != '_' && c != ':' && c != '"' && c != '-')
    })
}

#[test]
fn imports_point_down_only() {
    let floors: BTreeMap<_, _> = FLOORS.into_iter().collect();
    let mut wrong = Vec::new();
    for (path, module, code) in sources() {
        let own = *floors.get(module.as_str()).unwrap_or_else(|| panic!("{module} stands on no floor: add it to FLOORS"));
        for (other, floor) in FLOORS {
            let refers = names(&code, &format!("crate::{other}::"))
                || names(&code, &format!("crate::{other};"))
                || names(&code, &format!("shipslog::{other}::"));
            let blind = BLIND.iter().any(|(a, b)| (*a, *b) == (module.as_str(), other) || (*b, *a) == (module.as_str(), other));
            if refers && other != module && (floor > own || blind) && !is_test(&path) {
                wrong.push(format!("{} ({module}, floor {own}) imports {other} (floor {floor})", path.display()));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn outside_crates_stay_in_their_homes() {
    let mut wrong = Vec::new();
    for (path, module, code) in sources() {
        for (name, homes) in HOMES {
            if names(&code, &format!("{name}::")) && !homes.contains(&module.as_str()) && !is_test(&path) {
                wrong.push(format!("{} names {name}, whose home is {homes:?}", path.display()));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn one_file_knows_sled() {
    let knowing: Vec<_> = sources().into_iter().filter(|(_, _, code)| names(code, "sled::")).map(|(path, _, _)| path).collect();
    assert!(knowing.len() == 1 && knowing[0].ends_with("src/log/kept.rs"), "{knowing:?}");
}

#[test]
fn files_are_small() {
    let long: Vec<_> = sources()
        .into_iter()
        .map(|(path, _, _)| (fs::read_to_string(&path).unwrap().lines().count(), path))
        .filter(|(lines, _)| *lines > MAX_LINES)
        .collect();
    assert!(long.is_empty(), "over {MAX_LINES} lines: {long:?}");
}

/// The checks above would be worth nothing if the scan missed what it looks for.
#[test]
fn the_scan_sees_what_is_there() {
    assert!(names("use crate::server::Context;", "crate::server::"));
    assert!(names("let x = sled::Db;", "sled::"));
    assert!(!names("// nothing\nassembled::x", "sled::"));
    let modules: std::collections::BTreeSet<_> = sources().into_iter().map(|(_, module, _)| module).collect();
    assert!(FLOORS.iter().all(|(module, _)| modules.contains(*module)), "{modules:?}");
}
