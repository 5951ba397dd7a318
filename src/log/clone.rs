//! A recorder's log that turns out to be one of two copies, where the file `LOG` does not show it: the disk
//! of a virtual machine was copied with all that is on it, or put back.

use super::dir::manifest::Manifest;
use super::fork::released;
use super::{EmbeddedLog, LogError};
use std::path::Path;

impl EmbeddedLog {
    /// Has the log in `data_dir`, which was closed, go on as a copy does when it is opened next: under an id
    /// of its own, with the id that it has now for its ancestor. A kill leaves it as it was, or so.
    ///
    /// # Errors
    /// As the disk says; [`LogError::InUse`] where somebody has it open for longer than closing takes;
    /// [`LogError::IsFollower`], since a fleet's log has one id on every server.
    pub async fn fork_next(data_dir: &Path) -> Result<(), LogError> {
        let dir = data_dir.join("log");
        let _lock = released(&dir).await?;
        let manifest = Manifest::read(&dir)?.ok_or_else(|| LogError::Damaged(format!("{} holds no LOG", dir.display())))?;
        manifest.check_follow(&dir, None)?;
        Manifest { forks: true, ..manifest }.write(&dir)
    }
}

/// Copies a data directory so that whoever opens the copy takes it for the log itself, as on a copied disk.
#[cfg(test)]
pub(crate) fn copy_unnoticed(from: &Path, to: &Path) {
    super::testing::directory::copy_dir(from, to);
    let dir = to.join("log");
    Manifest::read(&dir).unwrap().unwrap().write(&dir).unwrap();
}
