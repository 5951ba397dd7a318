//! Which segments, tips and blocks readers see, and reading them: up, down and by time. Nothing here writes
//! to the directory of a log.

mod caches;
pub(super) mod catalog;
pub(super) mod held;
pub(super) mod parallel;
pub(super) mod scan;
pub(super) mod sealed;
