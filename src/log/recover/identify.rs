//! Which log a directory holds, also where its `LOG` is lost.

use crate::cursor::{LogId, Sequence};
use crate::log::dir::listing::Listing;
use crate::log::dir::lock::Lock;
use crate::log::dir::manifest::{Manifest, RESERVE};
use crate::log::dir::quarantine::Quarantine;
use crate::log::dir::watermark::Watermark;
use crate::log::segment::Segment;
use crate::log::tip::Tip;
use crate::log::{Follow, LogError};
use std::fs;
use std::path::Path;
use std::sync::Arc;

/// Which log this is, and whether that is from a whole `LOG`. One that is lost is made again from what the
/// tips and segments know; it then reserves so much that no sequence is used twice.
///
/// `follow`: of a follower, which knows more of its log than its parts do.
pub(super) fn identify(
    dir: &Path,
    listing: &Listing,
    lock: &Lock,
    follow: Option<&Follow>,
    quarantine: &mut Quarantine,
) -> Result<(Manifest, bool), LogError> {
    let why = match Manifest::read(dir) {
        Ok(Some(manifest)) => return Ok((manifest, true)),
        Ok(None) if listing.is_empty() => {
            // Before the tip, so that a kill in between leaves a log without records, not records without a
            // log.
            let manifest = Manifest::create_for(follow);
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
    let found = is_follower(listing, lock);
    match follow {
        Some(_) if found == Some(false) => return Err(LogError::NotFollower { path: dir.to_owned() }),
        Some(wanted) if wanted.log != log => {
            let found = Box::new(Follow { log, ..*wanted });
            return Err(LogError::OtherFollow { path: dir.to_owned(), found, wanted: Box::new(*wanted) });
        }
        None if found == Some(true) => return Err(LogError::IsFollower { path: dir.to_owned(), log }),
        _ => {}
    }
    if fs::symlink_metadata(&path).is_ok() {
        quarantine.take(&path)?;
    }
    tracing::error!(store.id = %log, error = why, "LOG is lost; it is made again, and recording continues after a gap");
    let reserved = highest(listing) + RESERVE;
    let tips = listing.tips.iter().filter_map(|(_, path)| Tip::open(path, Arc::clone(lock)).ok());
    let ends = tips.filter_map(|(tip, contents)| Some((tip.log_id()?, contents.headers.last()?.last())));
    let ancestors = ancestors(listing, log, ends);
    let mut manifest = Manifest { log: log.to_string(), reserved, clean_head: None, ancestors, ..Manifest::create_for(follow) };
    if follow.is_some() {
        // How much retention has removed, the first segment tells.
        manifest.trimmed = listing.segments.first().map_or(manifest.trimmed, |(first, _)| manifest.trimmed.max(*first));
    }
    Ok((manifest, false))
}

/// Whether the records are a fleet's; `None` when none can be read.
fn is_follower(listing: &Listing, lock: &Lock) -> Option<bool> {
    let tips =
        || listing.tips.iter().rev().find_map(|(_, path)| Some(Tip::open(path, Arc::clone(lock)).ok()?.1.headers.last()?.place.is_some()));
    let of = |segment: &Segment| {
        let block = segment.block(segment.frames().last()?).ok()?;
        Some(block.origin(block.last()).is_some())
    };
    tips().or_else(|| listing.segments.iter().rev().find_map(|(_, path)| of(&Segment::open(path).ok()?)))
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
