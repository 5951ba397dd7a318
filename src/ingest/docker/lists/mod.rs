//! Reading what the daemon lists: entry by entry, and only the fields that are wanted. No answer is held in
//! memory whole or read into closed types, and none is asked for here (`engine.rs`).
//!
//! bollard does both: one container in a state that it does not know (Podman's `stopped`), or one label that
//! is `null`, and it refuses the whole list; and an answer of any size is in memory several times over.

mod fields;
mod split;

pub(super) use fields::{Fields, MAX_FIELD_BYTES};
pub(super) use split::{Entry, NoList, Shape, Splitter};
