//! Filesystems for tests.

use std::path::Path;
use std::process::Command;
use tempfile::TempDir;

/// A small filesystem of its own, taken down when dropped.
pub(crate) struct Mount(pub(crate) TempDir);

impl Mount {
    /// `None` where the machine does not allow it.
    pub(crate) fn new(arguments: &[&str]) -> Option<Self> {
        let dir = TempDir::new().unwrap();
        let mounted = Command::new("mount").args(arguments).arg(dir.path()).output().is_ok_and(|o| o.status.success());
        mounted.then_some(Self(dir))
    }

    pub(crate) fn path(&self) -> &Path {
        self.0.path()
    }
}

impl Drop for Mount {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(self.0.path()).status();
    }
}
