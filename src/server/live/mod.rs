//! Live delivery: what a client is sent, and how it gets there. A client that takes its time holds up no
//! other, and no record is kept waiting for it in memory or left out: it reads on from the log.

/// `Cache-Control` of every answer that is live. A proxy that compresses gathers what it is given until it
/// has enough; one that is told not to transform passes it on as it comes (RFC 9111, 5.2.2.6).
pub(super) const CACHING: &str = "no-store, no-transform";

mod batches;
mod control;
pub(super) mod fanout;
mod feed;
pub(super) mod filters;
mod paced;
mod query;
mod revisions;
mod sse;
pub(super) mod stream;
pub(super) mod ws;

#[cfg(test)]
mod tests;
