//! Room on the disk. sled does not live through a full one, so the writer stops before it is full.

use super::LogError;
use std::path::Path;
use std::sync::Arc;

/// Left free for others, for sealing (which gives space back) and for what must be written at a stop.
const RESERVE_BYTES: u64 = 16 * 1024 * 1024;
/// So much more must be free before recording goes on, so that it does not stop again at once.
const RESUME_BYTES: u64 = 4 * 1024 * 1024;

/// Bytes that may be written into `dir`.
fn free(dir: &Path) -> Result<u64, LogError> {
    let stat = rustix::fs::statvfs(dir);
    let stat = stat.map_err(|e| LogError::Io { doing: "cannot look for room in", path: dir.to_owned(), source: Arc::new(e.into()) })?;
    Ok(stat.f_bavail.saturating_mul(stat.f_frsize))
}

/// Whether there is room for another commit; `stopped`: there was none before.
pub(super) fn check(dir: &Path, stopped: bool) -> Result<(), LogError> {
    let needed = RESERVE_BYTES + if stopped { RESUME_BYTES } else { 0 };
    let free = free(dir)?;
    if free >= needed {
        return Ok(());
    }
    let why = format!("{} has {} MiB free, recording needs {} MiB", dir.display(), free >> 20, needed >> 20);
    Err(LogError::Full { why, stored: 0 })
}
