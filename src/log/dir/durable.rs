//! Changes of a directory that a crash does not undo, and the error that says which operation on which file
//! failed.

use crate::log::LogError;
use std::fs::{self, File};
use std::path::Path;
use std::sync::Arc;

/// What failed, and on which file.
pub(in crate::log) fn io(doing: &'static str, path: &Path) -> impl FnOnce(std::io::Error) -> LogError {
    let path = path.to_owned();
    move |e| LogError::Io { doing, path, source: Arc::new(e) }
}

/// Makes a directory entry durable.
pub(in crate::log) fn sync_dir(dir: &Path) -> Result<(), LogError> {
    File::open(dir).and_then(|d| d.sync_all()).map_err(io("cannot sync", dir))
}

/// Creates a directory that only its owner can enter, durably.
pub(in crate::log) fn create_private_dir(dir: &Path) -> Result<(), LogError> {
    use std::os::unix::fs::DirBuilderExt;
    fs::DirBuilder::new().recursive(true).mode(0o700).create(dir).map_err(io("cannot create", dir))?;
    sync_dir(dir)?;
    dir.parent().filter(|p| !p.as_os_str().is_empty()).map_or(Ok(()), sync_dir)
}
