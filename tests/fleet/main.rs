//! The hub of a fleet: one suite for every [`shipslog::stream::FleetStream`], run on the one in memory and on
//! a real cluster of three nodes, which are killed as well.
//!
//! `SHIPSLOG_TEST_NATS` is the path of a nats-server (`tests/nats.sh get DIR`); `./test` sets it.
//! `SHIPSLOG_TEST_MOTO` is the path of a moto_server, which speaks S3 (`tests/clients/moto/get.sh`); `./test`
//! sets it.
//! `SHIPSLOG_FLEET` multiplies races, starts and messages (1).
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, reason = "tests")]

mod archive;
mod balanced;
mod clones;
mod cluster;
mod contract;
mod doctor;
mod forward;
mod kills;
mod memory;
mod nats;
mod power;
#[path = "../shared/power.rs"]
mod power_disk;
mod program;
mod proof;
mod putback;
mod rights;
mod serve;
#[path = "../shared/skipped.rs"]
mod skipped;
mod support;
mod troubles;
