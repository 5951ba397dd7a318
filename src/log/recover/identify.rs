//! Which log a directory holds, also where its `LOG` is lost.

use crate::cursor::{LogId, Sequence};
use crate::log::LogError;
use crate::log::dir::listing::Listing;
use crate::log::dir::lock::Lock;
use crate::log::dir::manifest::{Manifest, RESERVE};
use crate::log::dir::quarantine::Quarantine;
use crate::log::dir::watermark::Watermark;
use crate::log::segment::Segment;
use crate::log::tip::Tip;
use std::fs;
use std::path::Path;
use std::sync::Arc;

/// Which log this is, and whether that is from a whole `LOG`. One that is lost is made again from what the
/// tips and segments know; it then reserves so much that no sequence is used twice.
pub(super) fn identify(dir: &Path, listing: &Listing, lock: &Lock, quarantine: &mut Quarantine) -> Result<(Manifest, bool), LogError> {
    let why = match Manifest::read(dir) {
        Ok(Some(manifest)) => return Ok((manifest, true)),
        Ok(None) if listing.is_empty() => {
            // Before the tip, so that a kill in between leaves a log without records, not records without a
            // log.
            let manifest = Manifest::create();
            manifest.write(dir)?;
            return Ok((manifest, true));
        }
        Ok(None) => "it is missing".to_owned(),
        Err(LogError::Damaged(why)) => why,
        Err(e) => return Err(e),
    };
    let path = dir.join("LOG");
    let Some(log) = log_id(listing, lock) else {
        return Err(LogError::Damaged(format!(
            "{} cannot be read ({why}), and nothing beside it tells which log this is: restore it, or move {} away to start a new log",
            path.display(),
            dir.display()
        )));
    };
    if fs::symlink_metadata(&path).is_ok() {
        quarantine.take(&path)?;
    }
    tracing::error!(store.id = %log, error = why, "LOG is lost; it is made again, and recording continues after a gap");
    let reserved = highest(listing) + RESERVE;
    let tips = listing.tips.iter().filter_map(|(_, path)| Tip::open(path, Arc::clone(lock)).ok());
    let ends = tips.filter_map(|(tip, contents)| Some((tip.log_id()?, contents.headers.last()?.last())));
    let ancestors = ancestors(listing, log, ends);
    Ok((Manifest { log: log.to_string(), reserved, clean_head: None, ancestors, ..Manifest::create() }, false))
}

/// No record that is here has a higher sequence, except in the newest tip.
pub(super) fn highest(listing: &Listing) -> Sequence {
    let named = listing.segments.iter().chain(&listing.tips).map(|(first, _)| *first).max().unwrap_or(0);
    let sealed = listing.segments.iter().filter_map(|(_, path)| Segment::open(path).ok()).map(|s| s.last()).max().unwrap_or(0);
    named.max(sealed)
}

/// Which log this is, as far as its parts know.
pub(super) fn log_id(listing: &Listing, lock: &Lock) -> Option<LogId> {
    let tip = listing.tips.iter().rev().find_map(|(_, path)| Tip::open(path, Arc::clone(lock)).ok()?.0.log_id());
    let segment = || listing.segments.iter().rev().find_map(|(_, path)| Some(Segment::open(path).ok()?.index().ok()?.log));
    tip.or_else(segment)
}

/// The logs other than `log` that parts are of, and how far each goes, as
/// [`Manifest`] lists them. `tips`: of which log each tip is, and its last
/// record.
pub(super) fn ancestors(listing: &Listing, log: LogId, tips: impl Iterator<Item = (LogId, Sequence)>) -> Vec<(String, Sequence)> {
    let segments = listing.segments.iter().filter_map(|(_, path)| Segment::open(path).ok()).map(|segment| (segment.log(), segment.last()));
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

/// What is no watermark is set aside like one that cannot be read.
pub(super) fn open_watermark(dir: &Path, quarantine: &mut Quarantine) -> Result<(Watermark, Option<Sequence>), LogError> {
    match Watermark::open(dir) {
        Err(LogError::Damaged(why)) => {
            tracing::error!(error = why, "the watermark cannot be read; it is set aside");
            quarantine.take(&dir.join("watermark"))?;
            Watermark::open(dir)
        }
        opened => opened,
    }
}
