//! The HTTP side: one file a group of routes, `routes.rs` lists them all.

mod accept;
mod context;
mod control;
mod events;
mod export;
mod feed;
mod guard;
mod page;
mod pages;
mod params;
mod problem;
mod routes;
mod status;
mod stream;
mod ws;

pub use accept::serve;
pub use context::{Context, Gauge, MAX_HEAVY};
