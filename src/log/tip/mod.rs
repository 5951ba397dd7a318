//! The active segment of a log, which is called a tip: its newest records, in a journal that makes each
//! commit durable and in a sled database of the same blocks. A tip knows nothing of other tips, of segments
//! or of readers.

mod active;
pub(super) mod codec;
pub(super) mod index;
pub(super) mod journal;
mod removal;
pub(super) mod sled_store;
mod tail;

pub(super) use active::{Contents, Tip};
pub(super) use tail::{Fill, Tail};
