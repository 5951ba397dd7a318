//! Reading what the daemon lists: entry by entry, and only the fields that are wanted.
//!
//! bollard reads these answers into closed types: one container in a state that it does not know (Podman's
//! `stopped`), or one label that is `null`, refuses the whole list. It also holds an answer of any size in
//! memory, several times over.

mod fields;
mod split;

pub(super) use fields::{Fields, MAX_FIELD_BYTES};
pub(super) use split::{Entry, NoList, Shape, Splitter};
