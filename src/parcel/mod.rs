//! Parcels: consecutive lines of one host's log on their way through the hub of a fleet. Nothing here does
//! I/O: `forward` sends parcels, `follow` reads them, and both ends can be tested by themselves.
//!
//! A parcel is one message. Its head says which records are in it and where they lie in the host's hash
//! chain; its payload is one zstd frame of the lines, as the host's wire form shows them.

mod head;
mod payload;

pub use head::{Head, HeadError, MARK_BYTES, MAX_GAPS, MAX_HEAD_BYTES, MAX_LINES, Mark, Missing, Reason, mark};
pub use payload::{MAX_RAW_BYTES, PayloadError, Unpacked, open, pack, unpack};

#[cfg(test)]
mod tests;
