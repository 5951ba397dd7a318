//! The checks would be worth nothing if they missed what they look for: here each violation is planted in a
//! small tree and must be found, also where the tree lies below a folder with "test" in its name.

use crate::reach::part;
use crate::rules::FLOORS;
use crate::tree::Tree;
use crate::{checks, root, test_modules};
use std::collections::BTreeSet;
use std::fs;
use std::path::PathBuf;
use tempfile::TempDir;

/// A small tree that is in order.
struct Planted {
    _dir: TempDir,
    root: PathBuf,
}

impl Planted {
    fn new() -> Self {
        let dir = TempDir::new().unwrap();
        let planted = Self { root: dir.path().join("latest/tests/shipslog"), _dir: dir };
        planted.put("Cargo.toml", "[package]\nname = \"shipslog\"\n[dependencies]\nsled = \"1\"\ncsv = { version = \"1\" }\n");
        planted.put("src/lib.rs", "pub mod event;\npub mod log;\npub mod ingest;\npub mod server;\npub mod export;\n");
        planted.put("src/main.rs", "use shipslog::server;\nfn main() { server::serve(); }\n");
        planted.put("src/event.rs", "pub struct Event;\n");
        planted.put("src/log/mod.rs", "mod read;\npub mod tip;\npub use read::Scan;\npub struct Chunk;\n");
        planted.put("src/log/tip.rs", "pub mod sled_store;\n");
        planted.put("src/log/tip/sled_store.rs", "pub fn open() -> sled::Db { sled::open() }\n");
        planted.put("src/log/read.rs", "use super::Chunk;\nuse crate::event::Event;\npub struct Scan(Chunk, Event);\n");
        planted.put("src/ingest.rs", "use crate::event::Event;\npub fn take(_: Event) {}\n");
        planted.put("src/server.rs", "use crate::log::Scan;\npub fn serve() {}\npub struct X;\npub(crate) use crate::event as forward;\n");
        planted.put("src/export.rs", "pub fn table() { csv::Writer::new(); }\n");
        planted
    }

    /// Writes one file, and makes its folders.
    fn put(&self, file: &str, text: &str) {
        let path = self.root.join(file);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    fn tree(&self) -> Tree {
        Tree::read(&self.root)
    }

    /// A tree in order but for one file.
    fn with(file: &str, text: &str) -> Tree {
        let planted = Self::new();
        planted.put(file, text);
        planted.tree()
    }
}

/// Something is wrong, and these words tell it.
fn assert_found(wrong: &[String], words: &[&str], planted: &str) {
    let told = |wrong: &String| words.iter().all(|word| wrong.contains(word));
    assert!(wrong.iter().any(told), "{planted}\nfound: {wrong:#?}");
}

#[test]
fn a_tree_in_order_passes() {
    let tree = Tree::read(&Planted::new().root);
    assert_eq!(checks::faults(&tree), [""; 0]);
    assert_eq!(checks::floors(&tree), [""; 0]);
    assert_eq!(checks::homes(&tree), [""; 0]);
    assert!(checks::circles(&tree).is_empty());
}

#[test]
fn every_way_to_write_an_import_that_points_up_is_found() {
    for planted in [
        "use crate::server::X;",
        "use crate::{server::X};",
        "use crate::{event::Event, server::{self, X as Y}};",
        "use crate::server as s; fn f() { s::serve(); }",
        "use crate::server::*;",
        "use super::super::server::X;",
        "use super::{super::server::X};",
        "use self::super::super::server::X;",
        "use shipslog::server::X;",
        "use ::shipslog::{server::X};",
        "pub use crate::server::X;",
        "pub(crate) use crate::server::X as _;",
        "extern crate shipslog as me; fn f() { me::server::serve(); }",
        "extern crate self as me; use me::server::X;",
        "fn f() { crate::server::serve(); }",
        "fn f() { use crate::{server}; }",
        "fn f() -> crate::server::X { todo() }",
        "struct S<T: Into<crate::server::X>>(T);",
        "impl From<crate::server::X> for S { }",
        "struct S { x: Vec<super::super::server::X> }",
        "fn f() { println!(\"{}\", crate::server::serve()); }",
        "fn f() { assert!(matches!(x, y if vec![crate::server::serve()])); }",
        "macro_rules! m { () => { $crate::server::serve() }; }",
        "macro_rules! m { () => { use crate::{event, server}; }; }",
        "macro_rules! m { () => { use crate::server as x; }; }",
        "#[derive(crate::server::X)] struct S;",
        "struct S { #[serde(with = \"crate::server\")] x: u8 }",
        "mod inner { use super::super::super::server::X; }",
        "#[cfg(any(test, unix))] use crate::server::X;",
        "#[cfg(not(test))] mod product { use crate::server::X; }",
    ] {
        let tree = Planted::with("src/log/read.rs", &format!("pub struct Scan;\n{planted}\n"));
        assert_found(&checks::floors(&tree), &["src/log/read.rs (log, floor 1) imports server (floor 3)"], planted);
    }
}

#[test]
fn what_only_looks_like_an_import_that_points_up_passes() {
    for planted in [
        "// use crate::server::X;",
        "/// See [`crate::server::X`].\nstruct S;",
        "fn f() { g(\"crate::server::X\"); }",
        "mod server { pub struct X; }\nuse server::X;",
        "#[cfg(test)] use crate::server::X;",
        "#[cfg(test)] mod tests { use crate::server::X; }",
        "struct S;\nimpl S { #[cfg(test)] fn f() { crate::server::serve(); } }",
    ] {
        let tree = Planted::with("src/log/read.rs", &format!("pub struct Scan;\n{planted}\n"));
        assert_eq!(checks::floors(&tree), [""; 0], "{planted}");
    }
}

/// By way of a module that may be imported and passes on what may not.
#[test]
fn a_detour_is_found() {
    let planted = Planted::new();
    planted.put("src/event.rs", "pub struct Event;\npub use crate::server::X as Innocent;\n");
    planted.put("src/log/read.rs", "pub struct Scan;\nuse crate::event::Innocent;\n");
    let wrong = checks::floors(&planted.tree());
    assert_found(&wrong, &["src/event.rs", "imports server"], "the module that passes it on");
    assert_found(&wrong, &["src/log/read.rs", "imports server"], "the module that takes it");
}

#[test]
fn the_blind_and_the_homeless_are_found() {
    let tree = Planted::with("src/ingest.rs", "use crate::{log::Scan};\npub fn take(_: crate::event::Event) {}\n");
    assert_found(&checks::floors(&tree), &["src/ingest.rs (ingest, floor 1) imports log"], "two that may not know each other");
    let planted = Planted::new();
    planted.put(
        "src/lib.rs",
        "pub mod event;\npub mod log;\npub mod ingest;\npub mod server;\npub mod export;\npub mod attic;\npub fn all() {}\n",
    );
    planted.put("src/attic.rs", "");
    let wrong = checks::floors(&planted.tree());
    assert_found(&wrong, &["attic stands on no floor"], "a part that FLOORS does not know");
    assert_found(&wrong, &["the root holds modules and nothing else"], "a function in the root");
}

#[test]
fn every_way_to_name_an_outside_crate_is_found() {
    for planted in [
        "use sled as database; fn f() { database::open(); }",
        "use sled;",
        "use ::sled::Db;",
        "use {sled::{self as store, Db}};",
        "use sled::*;",
        "extern crate sled as kept;",
        "fn f() { extern crate sled; }",
        "fn f() { sled::open(); }",
        "fn f() { ::sled::open(); }",
        "fn f() -> Option<sled::Db> { None }",
        "fn f() { use sled::Db as D; }",
        "impl sled::Tree for S {}",
        "fn f() { println!(\"{:?}\", sled::open()); }",
        "fn f() { sled::macro_of_it!(); }",
        "macro_rules! m { () => { ::sled::open() }; }",
        "macro_rules! m { () => { use sled as x; }; }",
        "#[derive(sled::Serialize)] struct S;",
        "#[sled::main] fn f() {}",
        "struct S { #[serde(with = \"sled::serde\")] x: u8 }",
        "mod inner { pub mod deep { pub use sled::Db; } }",
        "mod sled_like { pub struct Db; } fn f(db: &dyn sled::Like) {}",
        "use super::tip::sled_store::store::Db;",
        "fn sled() {} use sled::Db;",
        "use super::tip::sled_store::sled; use sled::Db;",
    ] {
        let planted_tree = Planted::new();
        planted_tree.put("src/log/tip/sled_store.rs", "pub use sled as store;\npub fn sled() {}\n");
        planted_tree.put("src/log/read.rs", &format!("pub struct Scan;\n{planted}\n"));
        assert_found(&checks::homes(&planted_tree.tree()), &["src/log/read.rs", "names sled"], planted);
    }
    for innocent in [
        "mod sled { pub struct Db; }\nuse sled::Db;",
        "/// [`sled::Db`]\nstruct S;",
        "#[cfg(test)] use sled::Db;",
        "fn f() { assembled::x(); }",
    ] {
        let tree = Planted::with("src/log/read.rs", &format!("pub struct Scan;\n{innocent}\n"));
        assert_eq!(checks::homes(&tree), [""; 0], "{innocent}");
    }
}

#[test]
fn the_manifest_and_the_homes_are_compared() {
    let manifest = "[package]\nname = \"shipslog\"\n[dependencies]\nsled = \"1\"\n[target.'cfg(unix)'.dependencies]\nnew-crate = \"1\"\n";
    let wrong = checks::register(&Planted::with("Cargo.toml", manifest));
    assert_found(&wrong, &["new_crate is a dependency and has no home"], "a new dependency");
    assert_found(&wrong, &["csv has a home and is no dependency"], "a dependency that went");
    assert!(!wrong.iter().any(|wrong| wrong.starts_with("sled ")), "{wrong:?}");
    let wrong = checks::register(&Planted::with("src/log/tip/sled_store.rs", "\n"));
    assert_found(&wrong, &["sled is not named in its home \"log::tip::sled_store\""], "a home that stands empty");
}

#[test]
fn circles_are_found_and_the_list_of_them_only_shrinks() {
    let planted = Planted::new();
    planted.put("src/log/mod.rs", "mod read;\npub mod tip;\npub use read::Scan;\npub struct Chunk;\n");
    planted.put("src/log/tip/sled_store.rs", "use crate::log::read::page::Scan;\npub fn open() {}\n");
    planted.put("src/log/read.rs", "pub mod page;\npub use page::Scan;\n");
    planted.put("src/log/read/page.rs", "pub struct Scan;\nfn f() { crate::log::tip::sled_store::open(); }\n");
    let found = checks::circles(&planted.tree());
    let circle = ["src/log/read/page.rs", "src/log/tip/sled_store.rs"];
    assert_eq!(Vec::from_iter(&found), [&circle.map(str::to_owned).to_vec()]);
    assert_eq!(checks::ratchet(&found, &[&circle]), [""; 0]);
    assert_found(&checks::ratchet(&found, &[]), &["does not list", "page.rs"], "a new circle");
    assert_found(&checks::ratchet(&BTreeSet::new(), &[&circle]), &["not there (any more)", "sled_store.rs"], "a circle that was untied");
    // By way of a re-export, it is a circle with the file that passes on, too, if that needs more than its
    // name.
    planted.put("src/log/tip/sled_store.rs", "use crate::log::read::Scan;\npub fn open() {}\n");
    planted.put("src/log/read.rs", "pub mod page;\npub use page::Scan;\nuse super::tip::sled_store;\n");
    assert_eq!(checks::circles(&planted.tree()).iter().map(Vec::len).max(), Some(3));
}

#[test]
fn files_that_hide_from_the_guard_are_found() {
    let planted = Planted::new();
    planted.put("src/log/forgotten.rs", "use crate::server::X;\n");
    planted.put(
        "src/log/read.rs",
        "pub struct Scan;\n#[path = \"tip/sled_store.rs\"]\nmod again;\nmacro_rules! m { () => {} }\ninclude!(\"../hidden\");\n",
    );
    planted.put("src/log/mod.rs", "mod read;\npub mod tip;\npub use read::Scan;\npub struct Chunk;\n");
    let wrong = checks::faults(&planted.tree());
    assert_found(&wrong, &["src/log/forgotten.rs: no module declares it"], "a file that is not compiled");
    assert_found(&wrong, &["src/log/tip/sled_store.rs is two modules"], "a file in two places");
    assert_found(&wrong, &["src/log/read.rs: include!"], "text from elsewhere");
}

#[test]
fn long_files_are_found() {
    let planted = Planted::new();
    planted.put("src/log/read.rs", &"\n".repeat(401));
    planted.put("tests/it/main.rs", &"\n".repeat(401));
    planted.put("src/log/tip/sled_store.rs", &"\n".repeat(400));
    let wrong = checks::long_files(&planted.root);
    assert_found(&wrong, &["src/log/read.rs has 401 lines"], "product");
    assert_found(&wrong, &["tests/it/main.rs has 401 lines"], "tests");
    assert_eq!(wrong.len(), 2, "{wrong:?}");
}

#[test]
fn wide_comments_are_found() {
    let planted = Planted::new();
    let wide = "word ".repeat(22);
    planted.put("src/log/read.rs", &format!("//! {wide}\n/// | {wide} |\n// {}\nlet {wide};\n", "x".repeat(200)));
    assert_eq!(checks::wide_comments(&planted.root), ["src/log/read.rs:1: a comment of more than 110 columns"]);
}

#[test]
fn misplaced_tests_are_found() {
    let module = |lines: usize| format!("fn f() {{}}\n#[cfg(test)]\nmod tests {{\n{}}}\n", "    // A line.\n".repeat(lines - 2));
    for (planted, words) in [
        (module(71), "src/export.rs: tests has 71 lines, over 70"),
        (module(10) + "fn g() {}\n", "src/export.rs: tests does not stand at the end"),
        ("#[cfg(test)]\n#[path = \"export_tests.rs\"]\nmod tests;\n".to_owned(), "tests has a path of its own"),
        ("#[cfg(test)]\nmod table_tests;\n".to_owned(), "table_tests is compiled for tests only"),
        ("#[cfg(test)]\npub(crate) mod tests;\n".to_owned(), "tests is open to others"),
    ] {
        let tree = Planted::new();
        tree.put("src/export.rs", &planted);
        assert_found(&test_modules::misplaced(&tree.root), &[words], &planted);
    }
    let tree = Planted::new();
    tree.put("src/export.rs", &module(70));
    tree.put("src/event.rs", "#[cfg(test)]\npub(crate) mod testing;\n#[cfg(test)]\nmod tests;\n");
    assert_eq!(test_modules::misplaced(&tree.root), [""; 0]);
    tree.put("src/log/tests/read_tests.rs", "");
    assert_found(&test_modules::misplaced(&tree.root), &["src/log/tests/read_tests.rs"], "a suffix that the folder says already");
}

#[test]
fn endless_waits_are_found() {
    let tree = Planted::new();
    tree.put("tests/it/main.rs", "fn f() {\n    while !done() {\n        std::thread::sleep(PAUSE);\n    }\n}\n");
    tree.put("tests/it/other.rs", "while !done() {\n    assert!(began.elapsed() < PATIENCE);\n    std::thread::sleep(PAUSE);\n}\n");
    assert_eq!(checks::endless_waits(&tree.root), ["tests/it/main.rs:2: a wait without a deadline"]);
}

/// What the tables name is really looked at.
#[test]
fn the_tables_name_what_is_there() {
    let tree = Tree::read(root());
    let parts: BTreeSet<&str> = tree.product().map(|(name, _)| part(name)).collect();
    assert!(FLOORS.iter().all(|(part, _)| parts.contains(part)), "{parts:?}");
    let routes: usize = tree.product().map(|(_, module)| module.routes.len()).sum();
    assert!(tree.product().count() > 100 && routes > 10_000, "{routes} paths in {} modules", tree.product().count());
}
