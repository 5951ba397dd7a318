//! shipslog's log beside a raw file, SQLite, redb and fjall: the same events, in one process, by turns. And
//! its delivery beside other servers.
//!
//! `cargo run --release`, or with `commits` (and parts of the stores' names) or `pages` after it for one
//! half; `SHIPSLOG_RECORDS` sets the records of `pages`. `cargo run --release -- fanout` for the delivery,
//! see `fanout/mod.rs`.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::print_stdout,
    clippy::indexing_slicing,
    clippy::cast_precision_loss,
    reason = "a bench"
)]

mod block;
mod commit;
mod fanout;
#[path = "../../support/fleet.rs"]
#[allow(clippy::format_collect, clippy::manual_is_multiple_of, reason = "shared with the main package's benches")]
mod fleet;
mod pages;
mod peers;
mod store;
#[path = "../../support/mod.rs"]
mod support;

use std::path::Path;
use tempfile::TempDir;

/// A directory for one measurement. Not the system's, which may lie in memory, where a sync costs nothing.
fn scratch() -> TempDir {
    let target = Path::new(env!("CARGO_MANIFEST_DIR")).join("target");
    std::fs::create_dir_all(&target).unwrap();
    TempDir::new_in(target).unwrap()
}

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match arguments.first().map(String::as_str) {
        None => {
            commit::run();
            pages::run();
        }
        Some("commits") => commit::run(),
        Some("pages") => pages::run(),
        Some("fanout") => fanout::run(&arguments[1..]),
        Some("bare") => fanout::bare::serve(),
        Some(other) => panic!("{other} is none of commits, pages, fanout"),
    }
}
