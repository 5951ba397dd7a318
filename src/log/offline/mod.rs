//! Checking a log, also beside its recorder, and making one from an export. Neither changes a log that is
//! there.

pub(super) mod import;
pub(super) mod verify;
