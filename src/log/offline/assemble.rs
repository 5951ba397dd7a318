//! A follower's log out of segments that come from elsewhere, before it follows: they are gathered in a
//! directory of their own, each checked, and become a log when all are there. A kill at any point leaves
//! either no log and what was gathered so far, or a whole one.

use crate::cursor::{LogId, Sequence};
use crate::log::dir::durable::{create_private_dir, io, sync_dir};
use crate::log::dir::listing::Listing;
use crate::log::dir::{files, lock, names};
use crate::log::{LogError, SealedSegment};
use std::fs::{self, File};
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Where segments are gathered.
const UNFINISHED: &str = "log.fetching";

/// Segments that are gathered for a follower's log. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Assembly {
    data_dir: PathBuf,
    dir: PathBuf,
    // It goes where the directory goes: once that is a log, this is the lock that keeps a second one out.
    _lock: Arc<File>,
}

impl Assembly {
    /// Begins, or goes on with what an earlier start has gathered of a log; `id_of` says which id a record of
    /// it has. Nothing of another log stays.
    ///
    /// # Errors
    /// [`LogError::InUse`] while another process gathers; a file operation that failed.
    pub fn open(data_dir: &Path, id_of: impl Fn(Sequence) -> LogId) -> Result<Self, LogError> {
        let dir = data_dir.join(UNFINISHED);
        create_private_dir(&dir)?;
        let lock = Arc::new(lock::lock(&dir)?);
        let assembly = Self { data_dir: data_dir.to_owned(), dir, _lock: lock };
        let listing = Listing::read(&assembly.dir)?;
        listing.remove_litter()?;
        for (first, path) in &listing.segments {
            if !SealedSegment::open(path).is_ok_and(|segment| segment.log() == id_of(*first) && segment.first() == *first) {
                files::remove(path)?;
            }
        }
        Ok(assembly)
    }

    /// What is there, rising.
    ///
    /// # Errors
    /// A file operation that failed, or damage that came since it was checked.
    pub fn gathered(&self) -> Result<Vec<SealedSegment>, LogError> {
        Listing::read(&self.dir)?.segments.iter().map(|(_, path)| SealedSegment::open(path)).collect()
    }

    /// A file for the segment that begins with `first`.
    ///
    /// # Errors
    /// A file operation that failed.
    pub fn receive(&self, first: Sequence) -> Result<Incoming, LogError> {
        Incoming::into(&self.dir, first)
    }

    /// Takes one out again.
    ///
    /// # Errors
    /// A file operation that failed.
    pub fn remove(&self, segment: &SealedSegment) -> Result<(), LogError> {
        files::remove(segment.path())
    }

    /// Where they are gathered.
    pub(in crate::log) fn dir(&self) -> &Path {
        &self.dir
    }

    /// For which data directory.
    pub(in crate::log) fn data_dir(&self) -> &Path {
        &self.data_dir
    }
}

/// Removes what was gathered into `data_dir` where a log has begun without it.
pub(in crate::log) fn remove_leftover(data_dir: &Path) -> Result<(), LogError> {
    let dir = data_dir.join(UNFINISHED);
    if !fs::symlink_metadata(&dir).is_ok_and(|data| data.is_dir()) {
        return Ok(());
    }
    match lock::lock(&dir) {
        Err(LogError::InUse(_)) => Err(LogError::InUse(dir)),
        Err(e) if e.is_not_found() => Ok(()),
        _ => files::remove(&dir),
    }
}

/// A segment on its way in; what is not finished is gone when this is dropped.
#[derive(Debug)]
pub struct Incoming {
    file: File,
    unfinished: PathBuf,
    path: PathBuf,
    first: Sequence,
}

impl Incoming {
    /// The segment that begins with `first`, into the directory `dir`.
    ///
    /// # Errors
    /// A file operation that failed.
    pub fn into(dir: &Path, first: Sequence) -> Result<Self, LogError> {
        let path = dir.join(names::segment(first));
        let unfinished = dir.join(format!("{}{}", names::segment(first), names::UNFINISHED));
        Ok(Self { file: files::create_fresh(&unfinished)?, unfinished, path, first })
    }

    /// With which record it is to begin.
    pub fn first(&self) -> Sequence {
        self.first
    }

    /// Takes the next bytes.
    ///
    /// # Errors
    /// When they cannot be written.
    pub fn write(&mut self, bytes: &[u8]) -> Result<(), LogError> {
        self.file.write_all(bytes).map_err(io("cannot write", &self.unfinished))
    }

    /// Checks all of it; nothing of it stays.
    ///
    /// # Errors
    /// [`LogError::Damaged`] when it is not a whole segment of the log `fleet` that begins where it should.
    pub fn check(&self, fleet: LogId) -> Result<SealedSegment, LogError> {
        let segment = SealedSegment::open(&self.unfinished)?;
        let damaged = |why: String| Err(LogError::Damaged(format!("{}: {why}", self.path.display())));
        if segment.log() != fleet || segment.first() != self.first {
            return damaged(format!("it is of the log {} and begins with the record {}", segment.log(), segment.first()));
        }
        match segment.check()?.first() {
            Some(why) => damaged(why.clone()),
            None => Ok(segment),
        }
    }

    /// Checks all of it and, if `wanted` says so, keeps it, durably.
    ///
    /// # Errors
    /// As [`Incoming::check`], and what `wanted` says.
    pub fn keep(self, fleet: LogId, wanted: impl FnOnce(&SealedSegment) -> Result<(), LogError>) -> Result<SealedSegment, LogError> {
        wanted(&self.check(fleet)?)?;
        self.file.sync_all().map_err(io("cannot sync", &self.unfinished))?;
        fs::rename(&self.unfinished, &self.path).map_err(io("cannot rename", &self.unfinished))?;
        if let Some(dir) = self.path.parent() {
            sync_dir(dir)?;
        }
        SealedSegment::open(&self.path)
    }
}

impl Drop for Incoming {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.unfinished);
    }
}
