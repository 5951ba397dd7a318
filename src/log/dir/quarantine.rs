//! The place where those files go that cannot be read.

use super::durable::{create_private_dir, io, sync_dir};
use crate::log::LogError;
use crate::time::Timestamp;
use std::fs;
use std::path::{Path, PathBuf};

/// Where files go that cannot be read: `<data>/quarantine/`.
#[derive(Debug)]
pub(in crate::log) struct Quarantine {
    dir: PathBuf,
    taken: Vec<PathBuf>,
}

impl Quarantine {
    pub(in crate::log) fn new(data_dir: &Path) -> Self {
        Self { dir: data_dir.join("quarantine"), taken: Vec::new() }
    }

    /// Sets a file or directory aside, durably.
    pub(in crate::log) fn take(&mut self, path: &Path) -> Result<(), LogError> {
        create_private_dir(&self.dir)?;
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let aside = self.dir.join(format!("{name}-{}", Timestamp::now().nanos()));
        fs::rename(path, &aside).map_err(io("cannot set aside", path))?;
        sync_dir(&self.dir)?;
        path.parent().map_or(Ok(()), sync_dir)?;
        self.taken.push(aside);
        Ok(())
    }

    pub(in crate::log) fn into_paths(self) -> Vec<PathBuf> {
        self.taken
    }
}
