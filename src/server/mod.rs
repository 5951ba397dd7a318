//! The HTTP side: one file a group of routes, `routes.rs` lists them all.

mod access;
mod asker;
mod charts;
mod context;
mod docker;
mod events;
mod export;
mod failures;
mod forwarded;
mod incidents;
mod lines;
mod live;
mod login;
mod missed;
mod names;
mod negotiate;
mod net;
mod page;
mod pages;
mod params;
mod peer;
mod positions;
mod problem;
mod reload;
mod routes;
mod serve;
mod state;
mod status;
mod turn_log;
mod turns;

pub use access::{Access, AccessError};
pub use context::{Admission, Context, Recording};
pub use forwarded::{TrustedProxies, TrustedProxy};
pub use names::host_name;
pub use net::{Address, Listener, Tls, TlsError};
pub use serve::{Options, serve};
