//! Live delivery: what a client is sent, and how it gets there.

mod control;
pub(super) mod direct;
pub(super) mod fanout;
mod feed;
pub(super) mod filters;
pub(super) mod stream;
pub(super) mod ws;
