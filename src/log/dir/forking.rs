//! A follower's log that goes on otherwise after a record: the directory that it had is set aside whole, and
//! one that was made beside it takes its name.
//!
//! ```text
//! <data>/log.forking/log        the new directory while it is made; a kill leaves it to be made again
//! <data>/log.forking/whole      … when it is whole; from here on each start finishes what is left to do
//! <data>/log.before-<8 digits>  what was set aside, by the beginning of the id that it had: a data directory
//! ```

use super::durable::{create_private_dir, io, sync_dir};
use super::{files, lock};
use crate::log::LogError;
use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

/// A data directory in which the new one is made.
const FORKING: &str = "log.forking";
/// The name of the new directory when it is whole.
const WHOLE: &str = "whole";
/// How the directory is called that was set aside: this, and digits of its id.
const BEFORE: &str = "log.before-";
/// Names that are tried where one is taken.
const MAX_NAMES: usize = 1000;

fn is_dir(path: &Path) -> bool {
    fs::symlink_metadata(path).is_ok_and(|data| data.is_dir())
}

/// Where the new directory is made, as a data directory.
pub(in crate::log) fn place(data_dir: &Path) -> PathBuf {
    data_dir.join(FORKING)
}

/// Says that the new directory is whole: whatever comes now, it takes the place of the old one.
pub(in crate::log) fn seal(data_dir: &Path) -> Result<(), LogError> {
    let place = place(data_dir);
    let made = place.join("log");
    fs::rename(&made, place.join(WHOLE)).map_err(io("cannot rename", &made))?;
    sync_dir(&place)
}

/// Removes what a kill left of one that was being made, and finishes one that is whole. `id`: of the log that
/// there is. Gives where that was set aside, if it was now.
pub(in crate::log) fn finish(data_dir: &Path, id: impl FnOnce(&Path) -> String) -> Result<Option<PathBuf>, LogError> {
    let (place, log) = (place(data_dir), data_dir.join("log"));
    if !is_dir(&place) {
        return Ok(None);
    }
    let whole = place.join(WHOLE);
    // Whoever has either open is at it.
    let _locks = [&log, &whole].into_iter().filter(|dir| is_dir(dir)).map(|dir| lock::lock(dir)).collect::<Result<Vec<_>, _>>()?;
    let mut aside = None;
    if is_dir(&whole) {
        if is_dir(&log) {
            aside = Some(set_aside(data_dir, &id(&log))?);
        }
        fs::rename(&whole, &log).map_err(io("cannot rename", &whole))?;
        sync_dir(data_dir)?;
    }
    files::remove(&place)?;
    sync_dir(data_dir)?;
    Ok(aside)
}

/// Sets the log of a data directory aside, whole and durably. Whoever calls holds its lock.
pub(in crate::log) fn set_aside(data_dir: &Path, id: &str) -> Result<PathBuf, LogError> {
    let log = data_dir.join("log");
    let name = format!("{BEFORE}{}", id.get(..8).unwrap_or("unknown"));
    let names = std::iter::once(name.clone()).chain((2..MAX_NAMES).map(|n| format!("{name}-{n}")));
    let free = names.map(|name| data_dir.join(name)).find(|path| fs::symlink_metadata(path.join("log")).is_err());
    let aside = free.ok_or_else(|| LogError::Refused(format!("there are too many directories {name}; remove some")))?;
    create_private_dir(&aside)?;
    fs::rename(&log, aside.join("log")).map_err(io("cannot set aside", &log))?;
    sync_dir(&aside)?;
    sync_dir(data_dir)?;
    Ok(aside)
}

/// Bytes that what was set aside takes beside the log: files that both have take none. They do once retention
/// has removed them from the log.
pub(in crate::log) fn aside_bytes(data_dir: &Path) -> u64 {
    let is_aside = |path: &PathBuf| path.file_name().is_some_and(|name| name.to_string_lossy().starts_with(BEFORE));
    entries(data_dir).filter(|path| is_aside(path) && is_dir(path)).map(|path| own_bytes(&path)).sum()
}

fn entries(dir: &Path) -> impl Iterator<Item = PathBuf> {
    fs::read_dir(dir).into_iter().flatten().flatten().map(|entry| entry.path())
}

fn own_bytes(path: &Path) -> u64 {
    match fs::symlink_metadata(path) {
        Ok(data) if data.is_dir() => entries(path).map(|path| own_bytes(&path)).sum(),
        Ok(data) if data.is_file() && data.nlink() == 1 => data.len(),
        _ => 0,
    }
}
