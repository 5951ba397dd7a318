//! The files of a log's directory, and the place where those go that cannot be read.

use super::files;
use super::manifest::sync_dir;
use crate::cursor::{LogId, MAX_SEQUENCE, Sequence};
use crate::log::LogError;
use crate::log::segment::{SUFFIX, Segment};
use crate::log::tip::{self, Lock, Tip};
use crate::time::Timestamp;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// How files end that are not whole yet.
pub(in crate::log) const UNFINISHED: &str = ".unfinished";

pub(in crate::log) fn io(doing: &'static str, path: &Path) -> impl FnOnce(std::io::Error) -> LogError {
    let path = path.to_owned();
    move |e| LogError::Io { doing, path, source: Arc::new(e) }
}

/// Creates a directory that only its owner can enter, durably.
pub(in crate::log) fn create_private_dir(dir: &Path) -> Result<(), LogError> {
    use std::os::unix::fs::DirBuilderExt;
    fs::DirBuilder::new().recursive(true).mode(0o700).create(dir).map_err(io("cannot create", dir))?;
    sync_dir(dir)?;
    dir.parent().filter(|p| !p.as_os_str().is_empty()).map_or(Ok(()), sync_dir)
}

/// What lies in a log's directory, each kind in order of sequence.
#[derive(Debug, Default)]
pub(in crate::log) struct Listing {
    pub(in crate::log) segments: Vec<(Sequence, PathBuf)>,
    /// By the number in their name.
    pub(in crate::log) tips: Vec<(Sequence, PathBuf)>,
    /// What a kill left: files that were never finished, tips that were being removed.
    litter: Vec<PathBuf>,
}

/// The number in a name as shipslog gives it; what has another name is not ours.
fn numbered(digits: Option<&str>) -> Option<Sequence> {
    let number = digits.filter(|digits| digits.len() == 20)?.parse().ok()?;
    Some(number).filter(|number| *number <= MAX_SEQUENCE)
}

impl Listing {
    pub(in crate::log) fn read(dir: &Path) -> Result<Self, LogError> {
        let mut listing = Self::default();
        for entry in fs::read_dir(dir).map_err(io("cannot list", dir))? {
            let path = entry.map_err(io("cannot list", dir))?.path();
            let name = path.file_name().and_then(|n| n.to_str()).unwrap_or_default().to_owned();
            if name.ends_with(UNFINISHED) || name.starts_with(tip::REMOVED) {
                listing.litter.push(path);
            } else if let Some(first) = numbered(name.strip_suffix(SUFFIX)) {
                listing.segments.push((first, path));
            } else if let Some(first) = numbered(name.strip_prefix(tip::NAME)) {
                listing.tips.push((first, path));
            }
        }
        listing.segments.sort();
        listing.tips.sort();
        Ok(listing)
    }

    /// Whether there is nothing that can hold records.
    pub(in crate::log) fn is_empty(&self) -> bool {
        self.segments.is_empty() && self.tips.is_empty()
    }

    /// No record that is here has a higher sequence, except in the newest tip.
    pub(in crate::log) fn highest(&self) -> Sequence {
        let named = self.segments.iter().chain(&self.tips).map(|(first, _)| *first).max().unwrap_or(0);
        let sealed = self.segments.iter().filter_map(|(_, path)| Segment::open(path).ok()).map(|s| s.last()).max().unwrap_or(0);
        named.max(sealed)
    }

    /// Which log this is, as far as its parts know.
    pub(in crate::log) fn log_id(&self, lock: &Lock) -> Option<LogId> {
        let tip = self.tips.iter().rev().find_map(|(_, path)| Tip::open(path, Arc::clone(lock)).ok()?.0.log_id());
        let segment = || self.segments.iter().rev().find_map(|(_, path)| Some(Segment::open(path).ok()?.index().ok()?.log));
        tip.or_else(segment)
    }

    /// The logs other than `log` that parts are of, and how far each goes, as
    /// [`Manifest`](super::manifest::Manifest) lists them. `tips`: of which log each tip is, and its last
    /// record.
    pub(in crate::log) fn ancestors(&self, log: LogId, tips: impl Iterator<Item = (LogId, Sequence)>) -> Vec<(String, Sequence)> {
        let segments = self.segments.iter().filter_map(|(_, path)| Segment::open(path).ok()).map(|segment| (segment.log(), segment.last()));
        let mut ancestors: Vec<(String, Sequence)> = Vec::new();
        for (ancestor, last) in segments.chain(tips).filter(|(ancestor, _)| *ancestor != log) {
            let name = ancestor.to_string();
            match ancestors.iter_mut().find(|(known, _)| *known == name) {
                Some((_, fork)) => *fork = last.max(*fork),
                None => ancestors.push((name, last)),
            }
        }
        ancestors
    }

    /// Bytes of the segments.
    pub(in crate::log) fn bytes(&self) -> u64 {
        self.segments.iter().filter_map(|(_, path)| path.metadata().ok()).map(|data| data.len()).sum()
    }

    /// Removes what a kill left.
    pub(in crate::log) fn remove_litter(&self) -> Result<(), LogError> {
        for path in &self.litter {
            files::remove(path)?;
        }
        Ok(())
    }
}

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
