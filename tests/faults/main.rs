//! What machines do to a log: kills, power cuts, errors of the disk, damage. Each round runs the log in a
//! process of its own (child.rs), hurts it, and looks at what is left (verdict.rs).
//!
//! `SHIPSLOG_FAULTS` multiplies the rounds (1), `SHIPSLOG_SEED` repeats a run.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, clippy::print_stdout, reason = "tests")]

mod child;
mod disk;
mod inject;
mod kill;
mod migration;
#[path = "../shared/mount.rs"]
mod mount;
mod power;
#[path = "../shared/power.rs"]
mod power_disk;
#[path = "../shared/skipped.rs"]
mod skipped;
mod verdict;

/// Rounds of a loop that has `usual` of them in `./test`.
fn rounds(usual: u64) -> u64 {
    usual * std::env::var("SHIPSLOG_FAULTS").map_or(1, |text| text.parse().expect("SHIPSLOG_FAULTS is a number"))
}

/// A random generator whose seed is told, so that the run can be repeated.
fn random(what: &str) -> rand::rngs::StdRng {
    use rand::SeedableRng as _;
    let seed = std::env::var("SHIPSLOG_SEED").map_or_else(|_| rand::random(), |text| text.parse().expect("SHIPSLOG_SEED is a number"));
    eprintln!("{what}: SHIPSLOG_SEED={seed}");
    rand::rngs::StdRng::seed_from_u64(seed)
}
