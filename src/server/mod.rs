//! The HTTP side: one file a group of routes; `routes.rs` lists them all. It only reads: no route changes a
//! record or asks a Docker host, and what is shown is worked out below (`reader`, `projection`, `report`,
//! `export`).

mod access;
mod archive;
mod asker;
mod charts;
mod coming;
mod context;
mod docker;
mod ends;
mod events;
mod export;
mod failures;
mod fleet;
mod forwarded;
mod hosts;
mod incident;
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
mod report;
mod rights;
mod routes;
mod serve;
mod state;
mod status;
mod turn_log;
mod turns;

pub use access::{Access, AccessError};
pub use context::{Admission, Context, Link, Recording};
pub use fleet::Fleet;
pub use forwarded::{TrustedProxies, TrustedProxy};
pub use names::host_name;
pub use net::{Address, Listener, Tls, TlsError};
pub use serve::{Options, serve};
