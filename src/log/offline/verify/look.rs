//! What `verify` looks at: the files of a log that nobody has open, or of one that a recorder is writing
//! into.

use crate::cursor::Sequence;
use crate::log::LogError;
use crate::log::dir::durable::io;
use crate::log::dir::files;
use crate::log::dir::listing::Listing;
use crate::log::dir::scratch::{ScratchCopy, ScratchDir};
use crate::log::dir::watermark::Watermark;
use crate::log::segment::Segment;
use crate::log::tip::journal;
use std::fs::{File, TryLockError};
use std::path::{Path, PathBuf};

/// How many times the files are listed again beside a recorder, each time because one of them was merged,
/// sealed or trimmed away meanwhile.
const MAX_LISTINGS: usize = 20;

/// The files, in order of sequence.
pub(super) struct Look {
    pub(super) listing: Listing,
    /// Beside a recorder: opened, so that they stay though they are removed.
    segments: Vec<(PathBuf, Segment)>,
    /// Beside a recorder: copies of the journals of the tips.
    journals: Vec<(PathBuf, ScratchCopy)>,
    /// Beside a recorder: what readers may have seen before the look began.
    pub(super) seen: Option<Sequence>,
    /// Whether a recorder is writing into the log.
    pub(super) beside: bool,
    /// Keeps a recorder from starting meanwhile, where that can be done without writing.
    _lock: Option<File>,
}

impl Look {
    pub(super) fn take(dir: &Path) -> Result<Self, LogError> {
        ScratchDir::sweep();
        match keep_out(dir) {
            // Listed now, when nobody changes the files any more.
            Ok(lock) => Ok(Self {
                listing: Listing::read(dir)?,
                segments: Vec::new(),
                journals: Vec::new(),
                seen: None,
                beside: false,
                _lock: lock,
            }),
            Err(LogError::InUse(_)) => Self::beside(dir),
            Err(e) => Err(e),
        }
    }

    /// sled writes when it opens, so that of a tip in use only the journal can be read; it holds every block
    /// that anyone may have seen.
    fn beside(dir: &Path) -> Result<Self, LogError> {
        // Before everything else: what comes later only makes the log longer.
        let seen = Watermark::look(dir)?;
        for _ in 1..MAX_LISTINGS {
            match Self::open_all(dir, seen) {
                Err(LogError::Io { source, .. }) if source.kind() == std::io::ErrorKind::NotFound => {}
                looked => return looked,
            }
        }
        Self::open_all(dir, seen)
    }

    fn open_all(dir: &Path, seen: Option<Sequence>) -> Result<Self, LogError> {
        let listing = Listing::read(dir)?;
        let mut segments = Vec::new();
        for (_, path) in &listing.segments {
            match Segment::open(path) {
                Ok(segment) => segments.push((path.clone(), segment)),
                // Looked at again, and told.
                Err(LogError::Damaged(_)) => {}
                Err(e) => return Err(e),
            }
        }
        let journal = |(_, path): &(Sequence, PathBuf)| Ok((path.clone(), ScratchCopy::of_file(path, journal::NAME)?));
        let journals = listing.tips.iter().map(journal).collect::<Result<_, LogError>>()?;
        Ok(Self { listing, segments, journals, seen, beside: true, _lock: None })
    }

    /// The segment at `path`.
    pub(super) fn segment(&mut self, path: &Path) -> Result<Segment, LogError> {
        match self.segments.iter().position(|(known, _)| known == path) {
            Some(at) => Ok(self.segments.swap_remove(at).1),
            None => Segment::open(path),
        }
    }

    /// A copy of the tip at `path`, or of its journal alone.
    pub(super) fn tip(&mut self, path: &Path) -> Result<ScratchCopy, LogError> {
        match self.journals.iter().position(|(known, _)| known == path) {
            Some(at) => Ok(self.journals.swap_remove(at).1),
            None => ScratchCopy::of(path),
        }
    }
}

fn keep_out(dir: &Path) -> Result<Option<File>, LogError> {
    let Ok(file) = files::open_to_read(&dir.join("lock")) else { return Ok(None) };
    match file.try_lock() {
        Ok(()) => Ok(Some(file)),
        Err(TryLockError::WouldBlock) => Err(LogError::InUse(dir.to_owned())),
        Err(TryLockError::Error(e)) => Err(io("cannot lock", dir)(e)),
    }
}
