//! Opening a log's directory: what is there, what is damaged, what is missing, and where writing continues.
//! Damage is set aside and told; it is never mended in silence, and keeps no log from opening. [`open`] goes
//! through the phases in order.

mod gaps;
mod identify;
mod parts;
mod read_only;

pub(super) use read_only::open_read_only;

use super::dir::durable::create_private_dir;
use super::dir::forking;
use super::dir::listing::Listing;
use super::dir::lock;
use super::dir::manifest::{self, Manifest, RESERVE};
use super::dir::quarantine::Quarantine;
use super::dir::scratch::ScratchDir;
use super::dir::watermark::Watermark;
use super::offline::{assemble, import};
use super::read::catalog::Catalog;
use super::record::chain::CHAIN_START;
use super::tip::{Tail, Tip};
use super::{Follow, LogError, Recovery};
use crate::cursor::Sequence;
use crate::migrations;
use gaps::Gaps;
use identify::{identify, open_watermark};
use parts::{ChainEnd, Parts};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// An opened directory.
#[derive(Debug)]
pub(super) struct Found {
    pub(super) dir: PathBuf,
    pub(super) manifest: Manifest,
    pub(super) watermark: Watermark,
    pub(super) catalog: Catalog,
    pub(super) tail: Tail,
    /// Of a follower: the place of the newest record, as far as a block tells it.
    pub(super) place: Option<u64>,
    /// Tips that are to be sealed, oldest first.
    pub(super) waiting: Vec<Arc<Tip>>,
    pub(super) recovery: Recovery,
    /// Why nothing can be recorded for now, if the disk is full.
    pub(super) full: Option<String>,
}

/// Opens or creates the log in `data_dir`.
///
/// `follow`: of a follower.
pub(super) fn open(data_dir: &Path, follow: Option<&Follow>) -> Result<Found, LogError> {
    let dir = data_dir.join("log");
    // Before anything is made in the place where an import is going to put its log.
    import::remove_leftover(data_dir)?;
    assemble::remove_leftover(data_dir)?;
    finish_fork(data_dir)?;
    create_private_dir(&dir)?;
    let lock = Arc::new(lock::lock(&dir)?);
    ScratchDir::sweep();
    let listing = Listing::read(&dir)?;
    let mut quarantine = Quarantine::new(data_dir);
    let (mut manifest, certain) = identify(&dir, &listing, &lock, follow, &mut quarantine)?;
    manifest.check_follow(&dir, follow)?;
    migrations::upgrade(&dir, manifest.format)?;
    manifest.format = manifest::LOG_FORMAT;
    listing.remove_litter()?;
    // A follower's copy goes on with what every follower has: under the same id.
    let copy = certain && follow.is_none() && manifest.is_copy(&dir)?;
    let (watermark, seen) = open_watermark(&dir, &mut quarantine)?;

    let mut parts = Parts::open(&listing, &manifest, &lock, &mut quarantine)?;
    let end = parts.end();
    if copy {
        fork(&mut manifest, end);
    }
    // What readers may have seen: exactly known after a clean stop and after a kill. A missing watermark
    // after an unclean stop means that nobody knows, so everything that was reserved counts.
    let may_have_seen = manifest.clean_head.or(seen).unwrap_or(manifest.reserved);
    let chain = parts.chain(&manifest.lineage()?)?;
    // The newest tip is written to. One that could not be opened, or is not whole, is followed by a new one,
    // and so is one that came back short: sled may stop at the same damage next time, and drop what was
    // written after it. A copy continues in a new tip, so that what is sealed of this one is not joined to
    // it, and so does a follower's log that has got another id.
    let short = end < may_have_seen && parts.had_tip();
    let usable = !matches!(chain, ChainEnd::Damaged) && parts.is_writable();
    let renamed = follow.is_some() && parts.newest_log().is_some_and(|log| log.to_string() != manifest.log);
    let full = if copy || renamed || short || !usable { parts.add_tip(&dir, &listing, &manifest, &lock)? } else { None };

    let may_have_seen = if certain { may_have_seen } else { may_have_seen.max(end.max(seen.unwrap_or(0)) + RESERVE) };
    // What a follower lacks at its end it gets once more, under the same sequences.
    let may_have_seen = if follow.is_some() { end } else { may_have_seen };
    let Gaps { holes, lost, next } = Gaps::find(&parts, &manifest, may_have_seen);
    let quarantined = quarantine.into_paths();
    let clean = manifest.clean_head.is_some() && lost.is_empty() && quarantined.is_empty();
    let forked = manifest.lineage()?.begins_after(end);
    let recovery = Recovery { clean, lost, quarantined, forked };

    let unusable = full.is_some();
    let unnoted = begin(&dir, &watermark, next - 1, &mut manifest)?;
    let (chain, last_received) = parts.last(chain, follow.map_or(CHAIN_START, |follow| follow.chain));
    let place = parts.place();
    let mut waiting = parts.tips();
    // The newest one is there to be read, also where it takes nothing more.
    let tip = waiting.pop();
    let tail = Tail { tip, unusable, unnoted: unnoted.is_some(), fill: parts.fill(), next, chain, last_received, holes };
    let (segments, tips) = parts.into_readable();
    let catalog = Catalog::new(&manifest, segments, tips, lock)?;
    Ok(Found { dir, manifest, watermark, catalog, tail, place, waiting, recovery, full: unnoted.or(full) })
}

/// Finishes a fork of a follower's log that a kill interrupted.
pub(super) fn finish_fork(data_dir: &Path) -> Result<(), LogError> {
    let id = |log: &Path| Manifest::read(log).ok().flatten().map(|manifest| manifest.log).unwrap_or_default();
    if let Some(aside) = forking::finish(data_dir, id)? {
        tracing::warn!(store.aside = %aside.display(), "the log goes on under another id; what it held before is set aside");
    }
    Ok(())
}

/// A log of the same name may continue elsewhere: from here on this one has another.
fn fork(manifest: &mut Manifest, end: Sequence) {
    let ancestor = manifest.log.clone();
    manifest.fork(end);
    tracing::warn!(
        store.id = manifest.log,
        store.ancestor = ancestor,
        event.seq = end,
        "this is a copy of a log; it continues under an id of its own"
    );
}

/// Notes that the log is in use, and reserves sequences after `seen`, which readers may have seen. Where
/// there is no room for that: why.
fn begin(dir: &Path, watermark: &Watermark, seen: Sequence, manifest: &mut Manifest) -> Result<Option<String>, LogError> {
    // Before the mark of the clean stop goes, which makes the watermark count. Not the last record that is
    // there: were the program killed before its first append, what was lost now would be forgotten.
    manifest.clean_head = None;
    manifest.reserved = manifest.reserved.max(seen + RESERVE);
    match note_start(dir, watermark, seen, manifest) {
        Err(e) if e.is_full() => Ok(Some(e.to_string())),
        noted => noted.map(|()| None),
    }
}

/// Makes a start durable: how far readers may have seen, then that the log is in use.
pub(super) fn note_start(dir: &Path, watermark: &Watermark, seen: Sequence, manifest: &Manifest) -> Result<(), LogError> {
    watermark.write(seen)?;
    watermark.sync()?;
    manifest.write(dir)
}
