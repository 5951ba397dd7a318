//! The event log: an append-only sequence of records, durable before visible.
//!
//! [`EventLog`] is the seam: everything above reads and writes through it, and every implementation must pass
//! the suite in `testing/contract.rs`. [`EmbeddedLog`] is the default one.

mod api;
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
mod limits;
mod offline;
mod read;
mod record;
mod recover;
mod segment;
#[cfg(test)]
mod testing;
#[cfg(test)]
mod tests;
mod tip;

pub use api::{Bounds, Chunk, DEFAULT_SCAN_BYTES, GapReason, NewRecord, Packed, Piece, Recovery, Scan, TrimStep, WriterState};
pub use dir::derived::{DerivedFiles, MAX_DERIVED_BYTES};
pub use dir::scratch::ScratchDir;
pub use embedded::EmbeddedLog;
pub use error::LogError;
pub use event_log::EventLog;
pub use fleet::{FleetRecord, Follow, Followed, Resume};
pub use follower::FollowerLog;
pub use fork::{Fork, Forked, Ids};
pub use limits::{Limits, MAX_RECORD_BYTES};
pub use offline::import::{Imported, import, import_to_read};
pub use offline::verify::{Report, verify};
pub use read::held::Held;
pub use read::sealed::SealedFrame;
pub use record::block::Block;
pub use record::origin::host_line;
