//! The HTTP side: one file a group of routes, `routes.rs` lists them all.

mod context;
mod events;
mod export;
mod live;
mod net;
mod page;
mod pages;
mod params;
mod problem;
mod routes;
mod status;

pub use context::Context;
pub use net::{Options, serve};
