//! Opening a log's directory: what is there, what is damaged, what is missing, and where writing goes on.

mod identify;
mod read_only;

pub(super) use read_only::open_read_only;

use super::dir::durable::create_private_dir;
use super::dir::lineage::Lineage;
use super::dir::listing::Listing;
use super::dir::lock::{self, Lock};
use super::dir::manifest::{self, Manifest, RESERVE};
use super::dir::quarantine::Quarantine;
use super::dir::scratch::ScratchDir;
use super::dir::watermark::Watermark;
use super::offline::import;
use super::read::catalog::{Catalog, TipPart};
use super::record::chain::{self, CHAIN_START, ChainValue};
use super::segment::Segment;
use super::tip::codec::{self, Header};
use super::tip::index::{Index, IndexEntry};
use super::tip::{Contents, Tip};
use super::{LogError, Recovery};
use crate::cursor::{LogId, Sequence};
use crate::migrations;
use crate::time::Timestamp;
use identify::identify;
use std::fs;
use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;

/// An opened directory.
#[derive(Debug)]
pub(super) struct Found {
    pub(super) dir: PathBuf,
    pub(super) manifest: Manifest,
    pub(super) watermark: Watermark,
    pub(super) catalog: Catalog,
    pub(super) tail: Tail,
    /// Tips that are to be sealed, oldest first.
    pub(super) waiting: Vec<Arc<Tip>>,
    pub(super) recovery: Recovery,
    /// Why nothing can be recorded for now, if the disk is full.
    pub(super) full: Option<String>,
}

/// Where writing goes on.
#[derive(Debug, Clone)]
pub(super) struct Tail {
    /// Where the next record goes; `None` where there was no room to make one.
    pub(super) tip: Option<Arc<Tip>>,
    /// It takes nothing more: there was no room to make another one.
    pub(super) unusable: bool,
    /// There was no room to note the start: that comes before the first record.
    pub(super) unnoted: bool,
    pub(super) fill: Fill,
    pub(super) next: Sequence,
    pub(super) chain: ChainValue,
    pub(super) last_received: Timestamp,
    /// Missing sequences; no longer news once a record tells of them.
    pub(super) holes: Vec<(Sequence, Sequence)>,
}

/// How full a tip is.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Fill {
    pub(super) records: u64,
    pub(super) bytes: u64,
    /// When its oldest record was received, as far as is known: of clocks that were ahead the others tell.
    pub(super) since: Option<Timestamp>,
    /// When its first record of this process came, by the steady clock.
    pub(super) began: Option<Instant>,
}

impl Fill {
    pub(super) fn add(&mut self, header: &Header) {
        self.records += u64::from(header.count);
        self.bytes += u64::from(header.packed_bytes);
        self.since = Some(self.since.map_or(header.received.0, |since| since.min(header.received.0)));
    }
}

/// Opens or creates the log in `data_dir`.
pub(super) fn open(data_dir: &Path) -> Result<Found, LogError> {
    let dir = data_dir.join("log");
    // Before anything is made in the place where an import is going to put its log.
    import::remove_leftover(data_dir)?;
    create_private_dir(&dir)?;
    let lock = Arc::new(lock::lock(&dir)?);
    ScratchDir::sweep();
    let listing = Listing::read(&dir)?;
    let mut quarantine = Quarantine::new(data_dir);
    let (mut manifest, certain) = identify(&dir, &listing, &lock, &mut quarantine)?;
    migrations::upgrade(&dir, manifest.format)?;
    manifest.format = manifest::LOG_FORMAT;
    listing.remove_litter()?;
    let copy = certain && manifest.is_copy(&dir)?;
    let (watermark, seen) = open_watermark(&dir, &mut quarantine)?;

    let segments = open_segments(&listing, &manifest.lineage()?, manifest.trimmed, &mut quarantine)?;
    let sealed = segments.last().map_or(manifest.trimmed.saturating_sub(1), |segment| segment.last());
    let mut tips = open_tips(&listing, sealed.max(manifest.trimmed.saturating_sub(1)), &lock, &mut quarantine)?;
    // The newest tip is written to. One that could not be opened, or is not whole, is followed by a new one.
    let newest = listing.tips.last().map(|(_, path)| path.clone());
    let end = tips.iter().flat_map(|opened| &opened.headers).next_back().map_or(sealed, Header::last);
    if copy {
        // A log of the same name may go on elsewhere: from here on this one has another.
        let ancestor = manifest.log.clone();
        manifest.fork(end);
        tracing::warn!(
            store.id = manifest.log,
            store.ancestor = ancestor,
            event.seq = end,
            "this is a copy of a log; it goes on under an id of its own"
        );
    }
    let log = manifest.log_id()?;
    // Nor is one that came back short: sled may stop at the same damage next time, and drop what was written
    // behind it.
    let short = end < manifest.clean_head.or(seen).unwrap_or(manifest.reserved);
    let lineage = manifest.lineage()?;
    let chain = match chain_behind(&tips, &lineage) {
        Ok(chain) => Some(chain),
        Err(None) => None,
        Err(Some(e)) => return Err(e),
    };
    // In a new tip, so that what is sealed of this one is not joined to it.
    let usable = chain.is_some() && tips.last().is_some_and(|opened| opened.writable && Some(opened.tip.dir()) == newest.as_deref());
    let mut full = None;
    if copy || short && newest.is_some() || !usable {
        let past = listing.tips.last().map_or(1, |(first, _)| first + 1).max(manifest.reserved + 1);
        match OpenedTip::create(&dir, if newest.is_some() { past } else { sealed + 1 }, log, &lock) {
            Ok(tip) => tips.push(tip),
            // What is there can be read; the writer makes one when there is room.
            Err(e) if e.is_full() => full = Some(e.to_string()),
            Err(e) => return Err(e),
        }
    }

    let headers = || tips.iter().flat_map(|opened| &opened.headers);
    let last = headers().next_back();
    // What readers may have seen: exactly known after a clean stop and after a kill. A missing watermark
    // after an unclean stop means that nobody knows, so everything that was reserved counts.
    let may_have_seen = manifest.clean_head.or(seen).unwrap_or(manifest.reserved);
    let may_have_seen = if certain { may_have_seen } else { may_have_seen.max(end.max(seen.unwrap_or(0)) + RESERVE) };
    let cut = (end < may_have_seen).then(|| end + 1..=manifest.reserved.max(may_have_seen));
    let next = cut.as_ref().map_or(end, |lost| *lost.end()) + 1;

    let runs = segments.iter().flat_map(|s| s.frames()).map(|frame| (frame.first, frame.last()));
    let runs = runs.chain(headers().map(|header| (header.first, header.last())));
    let mut holes = missing(runs, manifest.trimmed.max(manifest.imported + 1));
    holes.extend(cut.map(RangeInclusive::into_inner));
    let lost = without(&holes, &manifest.holes);
    let quarantined = quarantine.into_paths();
    let recovery = Recovery { clean: manifest.clean_head.is_some() && lost.is_empty() && quarantined.is_empty(), lost, quarantined };

    // Before the mark of the clean stop goes, which makes the watermark count. Not `end`: were the program
    // killed before its first append, what was lost now would be forgotten.
    let unusable = full.is_some();
    manifest.clean_head = None;
    manifest.reserved = manifest.reserved.max(next - 1 + RESERVE);
    let noted = note_start(&dir, &watermark, next - 1, &manifest);
    let unnoted = noted.is_err();
    match noted {
        Err(e) if e.is_full() => full = Some(e.to_string()),
        noted => noted?,
    }

    let (chain, last_received) = match (last, segments.last()) {
        (Some(header), _) => (chain.flatten().unwrap_or(CHAIN_START), header.received.1),
        (None, Some(segment)) => {
            let chain = segment.index().ok().and_then(|index| index.chain_after.last().copied()).unwrap_or(CHAIN_START);
            (chain, segment.received().1)
        }
        (None, None) => (CHAIN_START, Timestamp::MIN),
    };
    let mut waiting: Vec<_> = tips.iter().map(|opened| Arc::clone(&opened.tip)).collect();
    // The newest one is there to be read, also where it takes nothing more.
    let tip = waiting.pop();
    let mut fill = Fill::default();
    tips.last().iter().flat_map(|opened| &opened.headers).for_each(|header| fill.add(header));
    let parts = tips.into_iter().map(OpenedTip::into_part).collect();
    let catalog = Catalog::new(log, manifest.lineage()?, segments, parts, (manifest.trimmed, manifest.imported), lock);
    let tail = Tail { tip, unusable, unnoted, fill, next, chain, last_received, holes };
    Ok(Found { dir, manifest, watermark, catalog, tail, waiting, recovery, full })
}

/// Makes a start durable: how far readers may have seen, then that the log is in use.
pub(super) fn note_start(dir: &Path, watermark: &Watermark, seen: Sequence, manifest: &Manifest) -> Result<(), LogError> {
    watermark.write(seen)?;
    watermark.sync()?;
    manifest.write(dir)
}

/// What is no watermark is set aside like one that cannot be read.
fn open_watermark(dir: &Path, quarantine: &mut Quarantine) -> Result<(Watermark, Option<Sequence>), LogError> {
    match Watermark::open(dir) {
        Err(LogError::Damaged(why)) => {
            tracing::error!(error = why, "the watermark cannot be read; it is set aside");
            quarantine.take(&dir.join("watermark"))?;
            Watermark::open(dir)
        }
        opened => opened,
    }
}

/// The chain's value behind the newest record of the tips, if there is one. The newest block does not tell
/// it, but its records do; `Err(None)` when they are damaged.
fn chain_behind(tips: &[OpenedTip], lineage: &Lineage) -> Result<Option<ChainValue>, Option<LogError>> {
    let Some((tip, header)) = tips.iter().rev().find_map(|opened| Some((&opened.tip, opened.headers.last()?))) else { return Ok(None) };
    if header.chain_after.is_some() {
        return Ok(header.chain_after);
    }
    let log = tip.log_id().unwrap_or_else(|| lineage.log_at(header.first));
    match tip.get(header.first, header.parts).and_then(|value| codec::decode(&value, log)) {
        Ok(block) => Ok(Some(block.sequences().fold(header.chain_before, |chain, seq| chain::next(&chain, &block.line(seq, false))))),
        Err(LogError::Damaged(why)) => {
            tracing::error!(store.tip = %tip.dir().display(), event.seq = header.first, error = why, "the hash chain begins anew behind a block that cannot be read");
            Err(None)
        }
        Err(e) => Err(Some(e)),
    }
}

/// Opens the segments. What is superseded (a kill between a merge and its cleaning up) or trimmed is removed;
/// what cannot be read or is not of this log is set aside.
fn open_segments(
    listing: &Listing,
    lineage: &Lineage,
    trimmed: Sequence,
    quarantine: &mut Quarantine,
) -> Result<Vec<Arc<Segment>>, LogError> {
    let mut segments: Vec<Arc<Segment>> = Vec::new();
    for (_, path) in &listing.segments {
        let segment = match Segment::open(path) {
            Ok(segment) => segment,
            Err(LogError::Damaged(why)) => {
                tracing::error!(store.segment = %path.display(), error = why, "a segment cannot be read; it is set aside");
                quarantine.take(path)?;
                continue;
            }
            Err(e) => return Err(e),
        };
        let before = segments.last().map_or(0, |segment| segment.last());
        if segment.last() <= before || segment.last() < trimmed {
            fs::remove_file(path).map_err(|e| LogError::Io { doing: "cannot remove", path: path.clone(), source: Arc::new(e) })?;
        } else if segment.first() <= before || !lineage.wrote(segment.log(), segment.last()) {
            tracing::error!(store.segment = %path.display(), "a segment does not belong here; it is set aside");
            quarantine.take(path)?;
        } else {
            segments.push(Arc::new(segment));
        }
    }
    Ok(segments)
}

/// A tip that can be read, and its blocks that are not in segments.
#[derive(Debug)]
struct OpenedTip {
    tip: Arc<Tip>,
    headers: Vec<Header>,
    writable: bool,
}

impl OpenedTip {
    fn at(path: &Path, lock: &Lock) -> Result<Self, LogError> {
        let (tip, Contents { headers, damage, writable }) = Tip::open(path, Arc::clone(lock))?;
        for what in damage {
            tracing::error!(store.tip = %path.display(), error = what, "a tip of the log is damaged");
        }
        Ok(Self { tip: Arc::new(tip), headers, writable })
    }

    fn create(dir: &Path, first: Sequence, log: LogId, lock: &Lock) -> Result<Self, LogError> {
        Tip::create(dir, first, log, Arc::clone(lock)).map(|tip| Self { tip: Arc::new(tip), headers: Vec::new(), writable: true })
    }

    fn into_part(self) -> TipPart {
        let mut index = Index::default();
        self.headers.iter().for_each(|header| index.push(IndexEntry::from(header)));
        TipPart { tip: self.tip, index }
    }
}

/// Adds a tip behind the older ones, with its blocks that are not sealed.
fn join(tips: &mut Vec<OpenedTip>, mut newer: OpenedTip, sealed: Sequence) {
    newer.headers.retain(|header| header.first > sealed);
    // A commit that failed was never visible, but may be on the disk even so; where writing went on in a new
    // tip, that holds.
    if let Some(first) = newer.headers.first().map(|header| header.first) {
        for older in tips.iter_mut() {
            older.headers.retain(|header| header.first < first);
        }
    }
    tips.push(newer);
}

/// Opens the tips. One that is damaged so that it cannot be opened or listed is set aside; an error of
/// another kind (a full disk, too many open files) leaves everything as it is.
fn open_tips(listing: &Listing, sealed: Sequence, lock: &Lock, quarantine: &mut Quarantine) -> Result<Vec<OpenedTip>, LogError> {
    let mut tips: Vec<OpenedTip> = Vec::new();
    for (at, (_, path)) in listing.tips.iter().enumerate() {
        let opened = match OpenedTip::at(path, lock) {
            Ok(opened) => opened,
            Err(LogError::Damaged(why)) => {
                tracing::error!(store.tip = %path.display(), error = why, "a tip of the log does not open; it is set aside and recording goes on behind it");
                quarantine.take(path)?;
                continue;
            }
            Err(e) => return Err(e),
        };
        join(&mut tips, opened, sealed);
        let newest = at + 1 == listing.tips.len();
        if !newest && let Some(empty) = tips.pop_if(|opened| opened.headers.is_empty()) {
            empty.tip.retire();
        }
    }
    Ok(tips)
}

/// The sequences from `from` on that `runs` (rising) leave out.
fn missing(runs: impl Iterator<Item = (Sequence, Sequence)>, from: Sequence) -> Vec<(Sequence, Sequence)> {
    let (mut holes, mut next) = (Vec::new(), from);
    for (first, last) in runs {
        if first > next {
            holes.push((next, first - 1));
        }
        next = next.max(last + 1);
    }
    holes
}

/// The parts of `holes` that `known` does not cover.
fn without(holes: &[(Sequence, Sequence)], known: &[(Sequence, Sequence)]) -> Vec<RangeInclusive<Sequence>> {
    let mut left = Vec::new();
    for (mut from, to) in holes.iter().copied() {
        for (known_from, known_to) in known.iter().copied() {
            if known_to < from || known_from > to {
                continue;
            }
            if known_from > from {
                left.push(from..=known_from - 1);
            }
            from = known_to + 1;
        }
        if from <= to {
            left.push(from..=to);
        }
    }
    left
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn holes_are_found_and_told_once() {
        assert_eq!(missing([(1, 4), (5, 9)].into_iter(), 1), []);
        assert_eq!(missing([(3, 4), (9, 9)].into_iter(), 1), [(1, 2), (5, 8)]);
        assert_eq!(missing([(3, 4)].into_iter(), 3), []);
        assert_eq!(without(&[(5, 8)], &[]), [5..=8]);
        assert_eq!(without(&[(5, 8)], &[(5, 8)]), []);
        assert_eq!(without(&[(1, 20)], &[(3, 4), (8, 9)]), [1..=2, 5..=7, 10..=20]);
        assert_eq!(without(&[(5, 8), (30, 31)], &[(1, 6)]), [7..=8, 30..=31]);
    }
}
