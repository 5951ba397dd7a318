//! The event log: an append-only sequence of records, durable before visible. Which records come and when the
//! oldest ones go is decided by others (`recorder`, `follow`, `retention`), and no part of the log knows
//! where records come from (`ingest`, `stream`).
//!
//! [`EventLog`] is the seam: everything above reads and writes through it, but for a follower, which appends
//! through [`FollowerLog`]. Every implementation must pass the suite in `testing/contract.rs`.
//! [`EmbeddedLog`] is the default one.

mod api;
mod clone;
mod commit;
mod compact;
mod dir;
mod embedded;
mod error;
mod event_log;
mod fleet;
mod follower;
mod fork;
#[cfg(fuzzing)]
#[doc(hidden)]
pub mod fuzzing;
mod gathered;
mod limits;
mod offline;
mod read;
mod record;
mod recover;
mod segment;
#[cfg(test)]
pub(crate) mod testing;
#[cfg(test)]
mod tests;
mod tip;
mod whole;

pub use api::{Bounds, Chunk, DEFAULT_SCAN_BYTES, GapReason, NewRecord, Packed, Piece, Recovery, Scan, TrimStep, WriterState};
#[cfg(test)]
pub(crate) use clone::copy_unnoticed;
pub use dir::derived::{DerivedFiles, MAX_DERIVED_BYTES};
pub use dir::scratch::ScratchDir;
pub use embedded::EmbeddedLog;
pub use error::LogError;
pub use event_log::EventLog;
pub use fleet::{FleetRecord, Follow, Followed, Resume};
pub use follower::FollowerLog;
pub use fork::{Fork, Forked, Ids};
pub use limits::{Limits, MAX_RECORD_BYTES};
pub use offline::assemble::{Assembly, Incoming};
pub use offline::import::{Imported, import, import_to_read};
pub use offline::verify::{Report, verify};
pub use read::held::Held;
pub use read::sealed::SealedFrame;
pub use record::block::Block;
pub use record::origin::host_line;
pub use whole::{SealedSegment, SegmentFacts};
