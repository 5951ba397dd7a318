//! What the tests of the log share, and the suite that every backend must pass.

pub(super) mod contract;
pub(super) mod directory;
pub(super) mod held_sync;
pub(crate) mod stand_in;
