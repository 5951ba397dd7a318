//! Fleets that are larger than this machine, and worse off: the forwarder and the fold of the product, both
//! of them functions without clock or I/O, run among modelled hosts, nodes, servers and readers. Everything
//! happens in an order that the seed decides: networks delay, lose and hold back, nodes and servers crash,
//! clocks differ, disks are slow. In some, the hub loses messages that it had acknowledged.
//!
//! `SHIPSLOG_MODEL_SEED=N` runs that schedule again. `SHIPSLOG_MODEL_SCHEDULES` says how many small ones run
//! (40 of each kind), of up to 50 hosts, and `SHIPSLOG_MODEL_LARGE` how many of 10,000 hosts, 5 nodes and 20
//! servers (none, but one of 200 hosts).
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, clippy::print_stdout, reason = "tests")]

mod end;
mod faults;
mod host;
mod hub;
mod lines;
mod parting;
mod readers;
mod server;
mod setup;
mod world;

use setup::{Sabotage, Setup};
use world::{Told, run};

fn number(variable: &str) -> Option<u64> {
    std::env::var(variable).ok().map(|text| text.parse().unwrap_or_else(|_| panic!("{variable} is a number")))
}

/// Runs a schedule, and says how to run it again if it breaks a promise.
fn assert_kept(setup: &Setup) -> Told {
    run(setup).unwrap_or_else(|broken| panic!("SHIPSLOG_MODEL_SEED={} breaks a promise: {broken}\n{setup:?}", setup.seed))
}

#[test]
fn every_promise_holds_in_small_fleets() {
    let seeds = match number("SHIPSLOG_MODEL_SEED") {
        Some(seed) => seed..seed + 1,
        None => 0..number("SHIPSLOG_MODEL_SCHEDULES").unwrap_or(40),
    };
    let mut all = Told::default();
    for seed in seeds {
        all.add(&assert_kept(&Setup::small(seed)));
    }
    println!("{all:?}");
    assert!(all.records > 0);
}

#[test]
fn every_promise_holds_in_a_large_fleet() {
    let large = number("SHIPSLOG_MODEL_LARGE").unwrap_or(0);
    for seed in 0..large {
        println!("{:?}", assert_kept(&Setup::large(seed, 10_000)));
    }
    if large == 0 {
        println!("{:?}", assert_kept(&Setup::large(0, 200)));
    }
}

#[test]
fn what_a_hub_loses_is_there_again_once_and_under_one_id_on_all_servers() {
    let seeds = match number("SHIPSLOG_MODEL_SEED") {
        Some(seed) => seed..seed + 1,
        None => 0..number("SHIPSLOG_MODEL_SCHEDULES").unwrap_or(40),
    };
    let (mut all, count) = (Told::default(), seeds.end - seeds.start);
    for seed in seeds {
        all.add(&assert_kept(&Setup::losing(seed)));
    }
    println!("{all:?}");
    assert!(count == 1 || all.losses > count / 2 && all.ids > count, "they lose something, and servers had read some of it");
}

#[test]
fn a_schedule_is_the_same_each_time() {
    assert_eq!(run(&Setup::small(7)), run(&Setup::small(7)));
    assert_eq!(run(&Setup::losing(7)), run(&Setup::losing(7)));
    assert_ne!(run(&Setup::small(7)), run(&Setup::small(8)));
}

/// How many of these schedules break a promise, and the first of these.
fn broken(sabotage: Sabotage) -> (usize, String) {
    let setup = if sabotage == Sabotage::MissesEpochs { Setup::losing } else { Setup::small };
    let broken: Vec<String> = (0..40).filter_map(|seed| run(&Setup { sabotage: Some(sabotage), ..setup(seed) }).err()).collect();
    (broken.len(), broken.first().cloned().unwrap_or_default())
}

#[test]
fn a_hub_that_forgets_what_it_acknowledged_is_found() {
    let (count, first) = broken(Sabotage::AcknowledgesEarly);
    assert!(count > 5 && first.contains("acknowledged"), "{count}: {first}");
}

#[test]
fn a_hub_that_takes_both_of_two_messages_is_found() {
    let (count, first) = broken(Sabotage::ComparesNothing);
    assert!(count > 5 && first.contains("twice"), "{count}: {first}");
}

#[test]
fn a_server_that_shows_what_is_not_on_its_disk_is_found() {
    let (count, first) = broken(Sabotage::ShowsEarly);
    assert!(count > 5 && first.contains("went back"), "{count}: {first}");
}

#[test]
fn a_server_that_does_not_hear_of_a_loss_is_found() {
    let (count, first) = broken(Sabotage::MissesEpochs);
    assert!(count > 1 && first.contains("has [Earlier"), "{count}: {first}");
}
