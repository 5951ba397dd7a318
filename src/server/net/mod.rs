//! From the listening socket to the routes: one task a connection, hyper under warp's routes. What is above,
//! the routes and the fan-out, it is given ([`serve`](super::serve())).
//! Not `warp::serve`, which has no way to set TCP_NODELAY, header limits and timeouts, a connection cap, or
//! TLS.

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
