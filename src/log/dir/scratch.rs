//! Directories that are removed again: copies of tips, since sled writes when it opens, and logs made of an
//! export that is only served. No log that records lies in one.
//!
//! They lie in the system's place for such things. Its user holds a lock on it, so that what a kill left is
//! told from what is in use, and goes at the next start of any shipslog of the same user.

use super::durable::io;
use super::files;
use super::lock::Lock;
use crate::log::LogError;
use std::fs::{self, File};
use std::os::unix::fs::{DirBuilderExt as _, FileExt as _, MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// How they are called: this, and a UUID.
const NAME: &str = "shipslog-scratch-";
/// Bytes on the disk of which a copy is made, at most. A tip is full at 16 MiB and holds them twice.
const MAX_COPY_BYTES: u64 = 4 * 1024 * 1024 * 1024;
/// Bytes that are copied at a time.
const STEP: usize = 1024 * 1024;
/// How often another name is tried, where a start beside this one took a directory for a leftover.
const TRIES: usize = 8;

/// A directory of this process that is gone when dropped, or at the next start.
#[derive(Debug)]
pub struct ScratchDir {
    path: PathBuf,
    lock: File,
}

/// Opens and locks a directory that is ours; nothing where it is in use, of somebody else, or no directory.
fn claim(path: &Path) -> Option<File> {
    let flags = rustix::fs::OFlags::DIRECTORY | rustix::fs::OFlags::NOFOLLOW;
    let dir = File::options().read(true).custom_flags(flags.bits().cast_signed()).open(path).ok()?;
    dir.try_lock().ok()?;
    let (held, there) = (dir.metadata().ok()?, fs::symlink_metadata(path).ok()?);
    let same = (held.dev(), held.ino()) == (there.dev(), there.ino());
    (same && held.uid() == rustix::process::geteuid().as_raw()).then_some(dir)
}

impl ScratchDir {
    /// Makes an empty one that only its owner can enter.
    ///
    /// # Errors
    /// When there is no room or no right to.
    pub fn new() -> Result<Self, LogError> {
        Self::below(&std::env::temp_dir())
    }

    fn below(parent: &Path) -> Result<Self, LogError> {
        for _ in 0..TRIES {
            let path = parent.join(format!("{NAME}{}", uuid::Uuid::new_v4()));
            fs::DirBuilder::new().mode(0o700).create(&path).map_err(io("cannot create", &path))?;
            if let Some(lock) = claim(&path) {
                return Ok(Self { path, lock });
            }
        }
        Err(LogError::Refused(format!("directories in {} do not stay", parent.display())))
    }

    /// Where it lies.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Removes what killed processes of this user left.
    pub(in crate::log) fn sweep() {
        Self::sweep_below(&std::env::temp_dir());
    }

    fn sweep_below(parent: &Path) {
        for entry in fs::read_dir(parent).into_iter().flatten().flatten() {
            let name = entry.file_name();
            let ours = name.to_str().and_then(|name| name.strip_prefix(NAME)).is_some_and(|id| uuid::Uuid::try_parse(id).is_ok());
            // The lock is held until it is gone.
            if ours
                && let Some(_lock) = claim(&entry.path())
                && let Err(e) = fs::remove_dir_all(entry.path())
            {
                tracing::warn!(path = %entry.path().display(), error = %e, "what a killed process left cannot be removed");
            }
        }
    }
}

impl Drop for ScratchDir {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.path);
    }
}

/// A copy of a tip; gone when dropped.
#[derive(Debug)]
pub(in crate::log) struct ScratchCopy {
    dir: ScratchDir,
    path: PathBuf,
}

impl ScratchCopy {
    /// Copies the regular files of a tip, holes as holes. [`LogError::Damaged`] when it is no directory, or
    /// larger than any tip.
    pub(in crate::log) fn of(path: &Path) -> Result<Self, LogError> {
        let data = fs::symlink_metadata(path).map_err(io("cannot look at", path))?;
        if !data.is_dir() {
            return Err(LogError::Damaged(format!("{} is not a directory", path.display())));
        }
        let copy = Self::empty(path)?;
        let mut left = MAX_COPY_BYTES;
        for entry in fs::read_dir(path).map_err(io("cannot list", path))? {
            let from = entry.map_err(io("cannot list", path))?.path();
            let data = fs::symlink_metadata(&from).map_err(io("cannot look at", &from))?;
            if data.is_file() {
                copy_sparsely(&from, &copy.path.join(from.file_name().unwrap_or_default()), &mut left)?;
            }
        }
        Ok(copy)
    }

    /// Copies one file of a tip.
    pub(in crate::log) fn of_file(path: &Path, name: &str) -> Result<Self, LogError> {
        let copy = Self::empty(path)?;
        copy_sparsely(&path.join(name), &copy.path.join(name), &mut { MAX_COPY_BYTES })?;
        Ok(copy)
    }

    /// A directory with the name of `path`, which tells something about a tip.
    fn empty(path: &Path) -> Result<Self, LogError> {
        let dir = ScratchDir::new()?;
        let copy = Self { path: dir.path.join(path.file_name().unwrap_or_default()), dir };
        fs::create_dir(&copy.path).map_err(io("cannot create", &copy.path))?;
        Ok(copy)
    }

    pub(in crate::log) fn path(&self) -> &Path {
        &self.path
    }

    /// What stands for the lock of a log's directory: nobody else knows of a copy.
    pub(in crate::log) fn lock(&self) -> Result<Lock, LogError> {
        self.dir.lock.try_clone().map(Arc::new).map_err(io("cannot open", &self.path))
    }
}

fn copy_sparsely(from: &Path, to: &Path, left: &mut u64) -> Result<(), LogError> {
    let source = files::open_to_read(from)?;
    let end = source.metadata().map_err(io("cannot read", from))?.len();
    let target = files::create_fresh(to)?;
    target.set_len(end).map_err(io("cannot write", to))?;
    let mut buffer = vec![0; STEP];
    let mut at = 0;
    while let Some((start, stop)) = files::next_data(&source, at, end) {
        at = start;
        while at < stop {
            let step = usize::try_from(stop - at).map_or(STEP, |rest| rest.min(STEP));
            let part = buffer.get_mut(..step).unwrap_or_default();
            let read = files::read_up_to(&source, part, at).map_err(io("cannot read", from))?;
            let part = part.get(..read).unwrap_or_default();
            let too_much = || LogError::Damaged(format!("{} holds more than any tip does", from.display()));
            *left = left.checked_sub(read as u64).ok_or_else(too_much)?;
            // Zeros need not be written, wherever they come from.
            if part.iter().any(|byte| *byte != 0) {
                target.write_all_at(part, at).map_err(io("cannot write", to))?;
            }
            at += step as u64;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::log::testing::directory::KINDS;

    #[test]
    fn what_a_kill_left_goes_and_what_is_in_use_stays() {
        let parent = tempfile::tempdir().unwrap();
        let used = ScratchDir::below(parent.path()).unwrap();
        let left = parent.path().join(format!("{NAME}{}", uuid::Uuid::new_v4()));
        fs::create_dir_all(left.join("tip/blobs")).unwrap();
        let other = parent.path().join(format!("{NAME}notes"));
        fs::create_dir(&other).unwrap();
        let elsewhere = tempfile::tempdir().unwrap();
        let link = parent.path().join(format!("{NAME}{}", uuid::Uuid::new_v4()));
        std::os::unix::fs::symlink(elsewhere.path(), &link).unwrap();
        ScratchDir::sweep_below(parent.path());
        assert!(used.path().exists() && !left.exists() && other.exists() && link.exists() && elsewhere.path().exists());
        let path = used.path().to_owned();
        drop(used);
        assert!(!path.exists());
    }

    #[test]
    fn a_copy_has_the_holes_of_what_it_is_a_copy_of() {
        let dir = tempfile::tempdir().unwrap();
        let tip = dir.path().join("tip-00000000000000000001");
        fs::create_dir(&tip).unwrap();
        for name in ["journal", "db"] {
            let file = files::create_fresh(&tip.join(name)).unwrap();
            file.set_len(1 << 40).unwrap();
            file.write_all_at(b"here", 1 << 30).unwrap();
        }
        for (_, make) in KINDS {
            make(&tip.join("other"));
            let copy = ScratchCopy::of(&tip).unwrap();
            assert_eq!(fs::read_dir(copy.path()).unwrap().count(), 2);
            let data = fs::metadata(copy.path().join("journal")).unwrap();
            assert!(data.len() == 1 << 40 && data.blocks() < 8192, "{} blocks", data.blocks());
            let mut there = [0; 4];
            File::open(copy.path().join("db")).unwrap().read_exact_at(&mut there, 1 << 30).unwrap();
            assert_eq!(&there, b"here");
            files::remove(&tip.join("other")).unwrap();
        }
        let mut left = 2;
        assert!(matches!(copy_sparsely(&tip.join("db"), &dir.path().join("copy"), &mut left), Err(LogError::Damaged(_))));
        for (at, (kind, make)) in KINDS.iter().enumerate().filter(|(_, (kind, _))| *kind != "a directory") {
            let path = dir.path().join(format!("tip-{at:020}"));
            make(&path);
            assert!(matches!(ScratchCopy::of(&path), Err(LogError::Damaged(_))), "{kind}");
        }
    }
}
