//! The lock that keeps a second process out of a log's directory: the file `lock`.

use super::durable::io;
use super::files;
use crate::log::LogError;
use std::fs::{File, TryLockError};
use std::path::Path;
use std::sync::Arc;

/// Name of the file that is locked.
pub(in crate::log) const LOCK: &str = "lock";

/// The lock of a log's directory; everything that has files open in it holds it.
pub(in crate::log) type Lock = Arc<File>;

/// Takes the lock that keeps a second process out. It is released when the file is closed, also by kill -9.
pub(in crate::log) fn lock(dir: &Path) -> Result<File, LogError> {
    let path = dir.join(LOCK);
    // Not set aside: another process may be about to take it.
    let file = files::open(&path, File::options().create(true).truncate(false).write(true)).map_err(|e| match e {
        LogError::Damaged(why) => LogError::Refused(format!("cannot lock {}: {why}; remove it", dir.display())),
        other => other,
    })?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(LogError::InUse(dir.to_owned())),
        Err(TryLockError::Error(e)) => Err(io("cannot lock", &path)(e)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn second_lock_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let held = lock(dir.path()).unwrap();
        assert!(matches!(lock(dir.path()), Err(LogError::InUse(_))));
        drop(held);
        lock(dir.path()).unwrap();
    }
}
