//! shipslog: the black box for Docker hosts.

pub mod cursor;
pub mod event;
pub mod filter;
pub mod log;
#[path = "../migrations/mod.rs"]
pub mod migrations;
pub mod time;
