//! Room on the disk. sled does not live through a full one, so the writer stops before it is full.

use crate::log::LogError;
use std::path::Path;
use std::sync::Arc;

/// Left free for others, for sealing (which gives space back) and for what must be written at a stop.
const RESERVE_BYTES: u64 = 16 * 1024 * 1024;
/// So much more must be free before recording continues, so that it does not stop again at once.
const RESUME_BYTES: u64 = 4 * 1024 * 1024;

/// Bytes that may be written into `dir`.
fn free(dir: &Path) -> Result<u64, LogError> {
    let stat = rustix::fs::statvfs(dir);
    let stat = stat.map_err(|e| LogError::Io { doing: "cannot look for room in", path: dir.to_owned(), source: Arc::new(e.into()) })?;
    Ok(stat.f_bavail.saturating_mul(stat.f_frsize))
}

/// Whether there is room for another commit; `stopped`: there was none before.
pub(in crate::log) fn check(dir: &Path, stopped: bool) -> Result<(), LogError> {
    let needed = RESERVE_BYTES + if stopped { RESUME_BYTES } else { 0 };
    check_for_bytes(dir, needed)
}

/// Whether `bytes` may be written without taking the room that recording needs.
pub(in crate::log) fn check_for(dir: &Path, bytes: u64) -> Result<(), LogError> {
    check_for_bytes(dir, bytes.saturating_add(RESERVE_BYTES + RESUME_BYTES))
}

fn check_for_bytes(dir: &Path, needed: u64) -> Result<(), LogError> {
    // Where nobody can tell how much is free, nothing is written and nothing is lost.
    let free = free(dir).map_err(|e| LogError::Full { why: e.to_string(), stored: 0 })?;
    if free >= needed {
        return Ok(());
    }
    let why = format!("{} has {} MiB free, {} MiB are needed", dir.display(), free >> 20, needed >> 20);
    Err(LogError::Full { why, stored: 0 })
}
