//! The parts of a log that can be read: its segments, and its tips with their blocks that are not in
//! segments.

use crate::cursor::{LogId, Sequence};
use crate::log::LogError;
use crate::log::dir::lineage::Lineage;
use crate::log::dir::listing::Listing;
use crate::log::dir::lock::Lock;
use crate::log::dir::manifest::Manifest;
use crate::log::dir::quarantine::Quarantine;
use crate::log::read::catalog::TipPart;
use crate::log::record::chain::{self, ChainValue};
use crate::log::segment::Segment;
use crate::log::tip::codec::{self, Header};
use crate::log::tip::index::{Index, IndexEntry};
use crate::log::tip::{Contents, Fill, Tip};
use crate::time::Timestamp;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// What can be read of a log.
#[derive(Debug)]
pub(super) struct Parts {
    pub(super) segments: Vec<Arc<Segment>>,
    tips: Vec<OpenedTip>,
    /// The last sequence that is in a segment, or was in one that was trimmed.
    sealed: Sequence,
    /// A follower's own records come after this one; what is up to here came in segments of others.
    begun: Sequence,
    /// The tip with the highest name, whether it can be read or not.
    newest: Option<PathBuf>,
}

/// Where the hash chain ends in the tips.
#[derive(Debug, Clone, Copy)]
pub(super) enum ChainEnd {
    /// The value after their newest record.
    Known(ChainValue),
    /// They hold no record.
    NoRecord,
    /// Their newest record cannot be read.
    Damaged,
}

impl ChainEnd {
    fn value(self) -> Option<ChainValue> {
        if let Self::Known(value) = self { Some(value) } else { None }
    }
}

impl Parts {
    /// Opens what lies there; what cannot be read is set aside.
    pub(super) fn open(listing: &Listing, manifest: &Manifest, lock: &Lock, quarantine: &mut Quarantine) -> Result<Self, LogError> {
        let segments = open_segments(listing, &manifest.lineage()?, manifest.trimmed, quarantine)?;
        let trimmed = manifest.trimmed.saturating_sub(1);
        let sealed = segments.last().map_or(trimmed, |segment| segment.last());
        let tips = open_tips(listing, sealed.max(trimmed), lock, quarantine)?;
        let begun = manifest.follow()?.map_or(0, |follow| follow.first.saturating_sub(1));
        Ok(Self { segments, tips, sealed, begun, newest: listing.tips.last().map(|(_, path)| path.clone()) })
    }

    fn headers(&self) -> impl DoubleEndedIterator<Item = &Header> {
        self.tips.iter().flat_map(|opened| &opened.headers)
    }

    /// The last sequence that is there, or after which it goes on.
    pub(super) fn end(&self) -> Sequence {
        self.headers().next_back().map_or(self.sealed.max(self.begun), Header::last)
    }

    /// First and last sequence of each frame and block, rising.
    pub(super) fn runs(&self) -> impl Iterator<Item = (Sequence, Sequence)> {
        let frames = self.segments.iter().flat_map(|s| s.frames()).map(|frame| (frame.first, frame.last()));
        frames.chain(self.headers().map(|header| (header.first, header.last())))
    }

    /// The chain's value after the newest record of the tips.
    pub(super) fn chain(&self, lineage: &Lineage) -> Result<ChainEnd, LogError> {
        chain_behind(&self.tips, lineage)
    }

    /// Whether the newest tip can be written to: it is whole, and nothing newer was set aside.
    pub(super) fn is_writable(&self) -> bool {
        self.tips.last().is_some_and(|opened| opened.writable && Some(opened.tip.dir()) == self.newest.as_deref())
    }

    /// Of which log the newest tip is.
    pub(super) fn newest_log(&self) -> Option<LogId> {
        self.tips.last()?.tip.log_id()
    }

    /// Whether the directory had a tip, be it one that cannot be read.
    pub(super) fn had_tip(&self) -> bool {
        self.newest.is_some()
    }

    /// Adds a new tip, after everything that was ever written. Where there is no room for one: why.
    pub(super) fn add_tip(&mut self, dir: &Path, listing: &Listing, manifest: &Manifest, lock: &Lock) -> Result<Option<String>, LogError> {
        let past = listing.tips.last().map_or(1, |(first, _)| first + 1).max(manifest.reserved + 1);
        let first = if self.had_tip() { past } else { self.sealed.max(self.begun) + 1 };
        match OpenedTip::create(dir, first, manifest.log_id()?, lock) {
            Ok(tip) => self.tips.push(tip),
            // What is there can be read; the writer makes one when there is room.
            Err(e) if e.is_full() => return Ok(Some(e.to_string())),
            Err(e) => return Err(e),
        }
        Ok(None)
    }

    /// The place of the newest record in a fleet's stream.
    pub(super) fn place(&self) -> Option<u64> {
        self.headers().next_back()?.place
    }

    /// The chain's value after the newest record and when that was received. `chain`: as [`Parts::chain`]
    /// gives it; `start`: the value before the first record.
    pub(super) fn last(&self, chain: ChainEnd, start: ChainValue) -> (ChainValue, Timestamp) {
        match (self.headers().next_back(), self.segments.last()) {
            (Some(header), _) => (chain.value().unwrap_or(chain::CHAIN_START), header.received.1),
            (None, Some(segment)) if segment.last() < self.begun => (start, segment.received().1),
            (None, Some(segment)) => {
                let chain = segment.index().ok().and_then(|index| index.chain_after.last().copied());
                (chain.unwrap_or(chain::CHAIN_START), segment.received().1)
            }
            (None, None) => (start, Timestamp::MIN),
        }
    }

    /// How full the newest tip is.
    pub(super) fn fill(&self) -> Fill {
        let mut fill = Fill::default();
        self.tips.last().iter().flat_map(|opened| &opened.headers).for_each(|header| fill.add(header));
        fill
    }

    /// All tips, oldest first.
    pub(super) fn tips(&self) -> Vec<Arc<Tip>> {
        self.tips.iter().map(|opened| Arc::clone(&opened.tip)).collect()
    }

    /// The segments, and the tips as readers use them.
    pub(super) fn into_readable(self) -> (Vec<Arc<Segment>>, Vec<TipPart>) {
        (self.segments, self.tips.into_iter().map(OpenedTip::into_part).collect())
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
pub(super) struct OpenedTip {
    pub(super) tip: Arc<Tip>,
    pub(super) headers: Vec<Header>,
    writable: bool,
}

impl OpenedTip {
    pub(super) fn at(path: &Path, lock: &Lock) -> Result<Self, LogError> {
        let (tip, Contents { headers, damage, writable }) = Tip::open(path, Arc::clone(lock))?;
        for what in damage {
            tracing::error!(store.tip = %path.display(), error = what, "a tip of the log is damaged");
        }
        Ok(Self { tip: Arc::new(tip), headers, writable })
    }

    fn create(dir: &Path, first: Sequence, log: LogId, lock: &Lock) -> Result<Self, LogError> {
        Tip::create(dir, first, log, Arc::clone(lock)).map(|tip| Self { tip: Arc::new(tip), headers: Vec::new(), writable: true })
    }

    pub(super) fn into_part(self) -> TipPart {
        let mut index = Index::default();
        self.headers.iter().for_each(|header| index.push(IndexEntry::from(header)));
        TipPart { tip: self.tip, index }
    }
}

/// Adds a tip after the older ones, with its blocks that are not sealed.
pub(super) fn join(tips: &mut Vec<OpenedTip>, mut newer: OpenedTip, sealed: Sequence) {
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
                tracing::error!(store.tip = %path.display(), error = why, "a tip of the log does not open; it is set aside and recording continues after it");
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

/// The chain's value after the newest record of the tips. The newest block does not tell it, but its records
/// do.
fn chain_behind(tips: &[OpenedTip], lineage: &Lineage) -> Result<ChainEnd, LogError> {
    let newest = tips.iter().rev().find_map(|opened| Some((&opened.tip, opened.headers.last()?)));
    let Some((tip, header)) = newest else { return Ok(ChainEnd::NoRecord) };
    let log = tip.log_id().unwrap_or_else(|| lineage.log_at(header.first));
    match tip.get(header.first, header.parts).and_then(|value| codec::decode(&value, log)) {
        Ok(block) => {
            let value = block.sequences().fold(header.chain_before, |chain, seq| chain::next(&chain, &block.line(seq, false)));
            Ok(ChainEnd::Known(value))
        }
        Err(LogError::Damaged(why)) => {
            tracing::error!(store.tip = %tip.dir().display(), event.seq = header.first, error = why, "the hash chain begins again after a block that cannot be read");
            Ok(ChainEnd::Damaged)
        }
        Err(e) => Err(e),
    }
}
