//! From the listening socket to the routes: one task for each connection, in which hyper answers with warp's
//! routes. Nothing here calls a route or the fan-out: [`serve`](super::serve()) hands both in, and which
//! paths are open or Docker's it asks `login` and `docker`. `warp::serve` cannot be used, since it can set
//! neither TCP_NODELAY nor TLS nor limits for headers, and knows no cap on connections.

mod caught;
mod connection;
mod diag;
mod exchange;
mod guard;
mod io;
mod link;
mod listen;
mod origin;
mod peers;
mod permits;
mod refuse;
mod service;
mod socket;
mod tls;
mod tolerant;

pub use listen::{Address, Listener};
pub use tls::{Tls, TlsError};

pub(super) use connection::Connections;
pub(super) use link::{Delivery, Link, Shard, Standing};
pub(super) use peers::Peers;
pub(super) use permits::{Permit, Permits};
pub(super) use refuse::Refusals;
pub(super) use service::Secure;
pub(super) use socket::Socket;
