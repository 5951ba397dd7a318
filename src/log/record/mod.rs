//! Records in memory: their lines, the blocks that readers get, and the hash chain over them. Nothing here
//! opens a file or knows how a record is stored.

pub(super) mod block;
pub(super) mod chain;
pub(super) mod line;
pub(super) mod origin;
pub(super) mod prefilter;
