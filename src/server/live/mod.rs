//! Live delivery: what a client is sent, and how it gets there.

mod batches;
mod control;
pub(super) mod direct;
pub(super) mod fanout;
#[cfg(test)]
mod fanout_tests;
mod feed;
pub(super) mod filters;
mod paced;
#[cfg(test)]
mod paced_tests;
mod query;
pub(super) mod stream;
pub(super) mod ws;
