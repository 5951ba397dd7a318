//! Checking a log, also beside its recorder, and making one from an export or of segments. Neither changes a
//! log that is there.

pub(super) mod assemble;
pub(super) mod import;
pub(super) mod verify;
