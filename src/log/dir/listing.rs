//! What lies in a log's directory, told by the names alone.

use super::durable::io;
use super::{files, names};
use crate::cursor::{MAX_SEQUENCE, Sequence};
use crate::log::LogError;
use std::fs;
use std::path::{Path, PathBuf};

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
            if name.ends_with(names::UNFINISHED) || name.starts_with(names::REMOVED) {
                listing.litter.push(path);
            } else if let Some(first) = numbered(name.strip_suffix(names::SEGMENT)) {
                listing.segments.push((first, path));
            } else if let Some(first) = numbered(name.strip_prefix(names::TIP)) {
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
