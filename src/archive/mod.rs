//! The archive of a fleet: every server puts the sealed segments of its log there, each under the id of the
//! log and its first record, once; a cold server begins with them.
//!
//! Nothing that is there is ever replaced: a put is refused where something is ([`Archiver`]), and what a
//! server takes it has checked ([`Fetch`]). The store behind it is S3, what speaks as it does, or a
//! directory.

mod fetch;
mod http;
mod limits;
mod send;
mod status;
mod store;
mod take;
#[cfg(test)]
mod tests;

pub use fetch::{Fetch, FetchError, Wanted};
pub use limits::{MAX_LISTED, MAX_OBJECT_BYTES};
pub use send::Archiver;
pub use status::{Archived, Handle, Status};
pub use store::{Archive, ArchiveError};
