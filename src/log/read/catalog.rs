//! What readers read from: the sealed segments, the tips with their indexes, and the newest blocks in memory.

use super::caches::Caches;
use crate::cursor::{LogId, Sequence};
use crate::log::dir::lineage::Lineage;
use crate::log::dir::lock::Lock;
use crate::log::dir::manifest::Manifest;
use crate::log::record::block::Block;
use crate::log::segment::Segment;
use crate::log::tip::Tip;
use crate::log::tip::index::{Index, IndexEntry};
use crate::log::{Bounds, LogError, TrimStep};
use parking_lot::{Mutex, RwLock};
use std::collections::VecDeque;
use std::ops::RangeInclusive;
use std::sync::Arc;
use tokio::sync::watch;

/// Wire bytes of the newest blocks that stay in memory, so that live readers never touch the disk.
const RECENT_BYTES: usize = 8 * 1024 * 1024;
/// What stays of the newest blocks in a log that is at rest, in wire bytes: enough for a reader that was away
/// for a moment.
const RESTING_RECENT_BYTES: usize = 256 * 1024;
/// The readers' side of an embedded log.
#[derive(Debug)]
pub(in crate::log) struct Catalog {
    pub(in crate::log) log: LogId,
    pub(in crate::log) lineage: Lineage,
    pub(in crate::log) state: RwLock<State>,
    /// Held by a task that removes or replaces segments, from the decision to the end: names are used again.
    pub(in crate::log) shape: Mutex<()>,
    /// Held by the filtered read that unpacks several frames at once.
    pub(in crate::log) ahead: Mutex<()>,
    pub(super) caches: Caches,
    /// Records come from a fleet's stream only, and segments are the same on every follower.
    pub(in crate::log) follower: bool,
    /// The last record that lies in a segment.
    sealed: watch::Sender<Sequence>,
    pub(in crate::log) lock: Lock,
}

/// Segments, then tips; together they rise.
#[derive(Debug)]
pub(in crate::log) struct State {
    pub(in crate::log) segments: Arc<Vec<Arc<Segment>>>,
    pub(in crate::log) tips: Vec<TipPart>,
    /// The newest visible blocks, in memory.
    pub(in crate::log) recent: VecDeque<(IndexEntry, Arc<Block>)>,
    recent_bytes: usize,
    pub(in crate::log) trimmed: Sequence,
    /// Up to here the log was made from an export.
    pub(in crate::log) imported: Sequence,
    /// Sequence of the newest visible record.
    pub(in crate::log) head: Sequence,
}

/// A tip and what it holds. The last one is written to, the others wait to be sealed.
#[derive(Debug, Clone)]
pub(in crate::log) struct TipPart {
    pub(in crate::log) tip: Arc<Tip>,
    pub(in crate::log) index: Index,
}

impl State {
    /// Takes the oldest blocks out of memory until the others hold at most so many bytes, or only one is
    /// left.
    fn shorten_recent(&mut self, bytes: usize) {
        while self.recent_bytes > bytes && self.recent.len() > 1 {
            let oldest = self.recent.pop_front().map_or(0, |(_, block)| block.bytes());
            self.recent_bytes -= oldest;
        }
    }
}

impl Catalog {
    /// Of what a log's directory holds.
    ///
    /// # Errors
    /// [`LogError::Damaged`] when the manifest holds something else than the id of a log.
    pub(in crate::log) fn new(manifest: &Manifest, segments: Vec<Arc<Segment>>, tips: Vec<TipPart>, lock: Lock) -> Result<Self, LogError> {
        let Manifest { trimmed, imported, .. } = *manifest;
        let (log, lineage) = (manifest.log_id()?, manifest.lineage()?);
        let head = tips.iter().rev().find_map(|part| part.index.last()).map(|entry| entry.last);
        let head = head.or(segments.last().map(|segment| segment.last())).unwrap_or(trimmed.saturating_sub(1));
        let sealed = watch::Sender::new(segments.last().map_or(0, |segment| segment.last()));
        let state = State { segments: Arc::new(segments), tips, recent: VecDeque::new(), recent_bytes: 0, trimmed, imported, head };
        let state = RwLock::new(state);
        Ok(Self {
            log,
            lineage,
            state,
            shape: Mutex::new(()),
            ahead: Mutex::new(()),
            caches: Caches::new(),
            follower: manifest.follows.is_some(),
            sealed,
            lock,
        })
    }

    /// Makes a durable block of the newest tip visible.
    pub(in crate::log) fn push(&self, entry: IndexEntry, block: Arc<Block>) {
        let mut state = self.state.write();
        if let Some(part) = state.tips.last_mut() {
            part.index.push(entry);
        }
        state.head = entry.last;
        state.recent_bytes += block.bytes();
        state.recent.push_back((entry, block));
        state.shorten_recent(RECENT_BYTES);
    }

    /// Gives memory back that is of use in a rush only. Everything is on the disk as well.
    pub(in crate::log) fn rest(&self) {
        let mut state = self.state.write();
        state.shorten_recent(RESTING_RECENT_BYTES);
        state.recent.shrink_to_fit();
        drop(state);
        self.caches.clear();
    }

    /// Adds the tip that is written to from now on.
    pub(in crate::log) fn add_tip(&self, tip: Arc<Tip>) {
        self.state.write().tips.push(TipPart { tip, index: Index::default() });
    }

    /// The number in the name of the newest tip.
    pub(in crate::log) fn newest_tip_name(&self) -> Sequence {
        self.state.read().tips.iter().map(|part| part.tip.name()).max().unwrap_or(0)
    }

    /// How many tips there are.
    pub(in crate::log) fn tips(&self) -> usize {
        self.state.read().tips.len()
    }

    /// All tips, oldest first.
    pub(in crate::log) fn all_tips(&self) -> Vec<Arc<Tip>> {
        self.state.read().tips.iter().map(|part| Arc::clone(&part.tip)).collect()
    }

    /// The blocks of a tip.
    pub(in crate::log) fn tip_entries(&self, tip: &Arc<Tip>) -> Vec<IndexEntry> {
        let state = self.state.read();
        state.tips.iter().find(|part| Arc::ptr_eq(&part.tip, tip)).map(|part| part.index.all().copied().collect()).unwrap_or_default()
    }

    /// The last record of a tip.
    pub(in crate::log) fn last_of(&self, tip: &Arc<Tip>) -> Option<Sequence> {
        let state = self.state.read();
        state.tips.iter().find(|part| Arc::ptr_eq(&part.tip, tip)).and_then(|part| Some(part.index.last()?.last))
    }

    /// Puts segments in the place of the tips whose records they hold.
    pub(in crate::log) fn replace_tips(&self, tips: &[Arc<Tip>], sealed: Vec<Arc<Segment>>) {
        let mut state = self.state.write();
        state.tips.retain(|part| !tips.iter().any(|tip| Arc::ptr_eq(&part.tip, tip)));
        Arc::make_mut(&mut state.segments).extend(sealed);
        let last = state.segments.last().map_or(0, |segment| segment.last());
        drop(state);
        self.sealed.send_replace(last);
    }

    /// The last record that lies in a segment, for waiting until another one is sealed.
    pub(in crate::log) fn watch_sealed(&self) -> watch::Receiver<Sequence> {
        self.sealed.subscribe()
    }

    /// Sequences that are missing among those that are sealed, rising.
    pub(in crate::log) fn missing(&self) -> Vec<RangeInclusive<Sequence>> {
        let segments = self.segments();
        let mut frames = segments.iter().flat_map(|segment| segment.frames()).map(|frame| (frame.first, frame.last()));
        let Some((_, mut last)) = frames.next() else { return Vec::new() };
        let mut missing = Vec::new();
        for (first, end) in frames {
            if first > last + 1 {
                missing.push(last + 1..=first - 1);
            }
            last = last.max(end);
        }
        missing
    }

    /// Whether these segments are still there, side by side.
    pub(in crate::log) fn holds(&self, row: &[Arc<Segment>]) -> bool {
        let state = self.state.read();
        let from = row.first().and_then(|first| state.segments.iter().position(|s| Arc::ptr_eq(s, first)));
        let here = from.and_then(|from| state.segments.get(from..from + row.len()));
        here.is_some_and(|here| here.iter().zip(row).all(|(a, b)| Arc::ptr_eq(a, b)))
    }

    /// Puts one segment in the place of several that [are there](Self::holds).
    pub(in crate::log) fn replace_segments(&self, row: &[Arc<Segment>], compacted: Arc<Segment>) {
        let mut state = self.state.write();
        let segments = Arc::make_mut(&mut state.segments);
        if let Some(from) = row.first().and_then(|first| segments.iter().position(|s| Arc::ptr_eq(s, first))) {
            segments.splice(from..from + row.len(), [compacted]);
        }
    }

    /// The segments that end before `before`; never what holds the newest record.
    pub(in crate::log) fn trimmable(&self, before: Sequence) -> Vec<Arc<Segment>> {
        let state = self.state.read();
        state.segments.iter().take_while(|s| s.last() < before && s.last() < state.head).cloned().collect()
    }

    /// The oldest segment, unless it holds the newest record.
    pub(in crate::log) fn next_trim(&self) -> Option<TrimStep> {
        let state = self.state.read();
        let segment = state.segments.first().filter(|segment| segment.last() < state.head)?;
        let followed_by = state.segments.iter().skip(1).map(|later| later.received().1).min();
        Some(TrimStep { before: segment.last() + 1, received: segment.received().1, followed_by, bytes: segment.bytes() })
    }

    /// Takes everything before `trimmed` out of sight.
    pub(in crate::log) fn trim(&self, trimmed: Sequence) {
        let mut state = self.state.write();
        state.trimmed = trimmed;
        Arc::make_mut(&mut state.segments).retain(|segment| segment.last() >= trimmed);
        while state.recent.front().is_some_and(|(entry, _)| entry.last < trimmed) {
            let bytes = state.recent.pop_front().map_or(0, |(_, block)| block.bytes());
            state.recent_bytes -= bytes;
        }
        drop(state);
        // Whoever made something of what is gone is to know.
        self.sealed.send_modify(|_| ());
    }

    pub(in crate::log) fn segments(&self) -> Arc<Vec<Arc<Segment>>> {
        Arc::clone(&self.state.read().segments)
    }

    pub(in crate::log) fn bounds(&self) -> Bounds {
        let state = self.state.read();
        let tip = state.tips.iter().find_map(|part| part.index.first()).map(|entry| entry.first);
        let oldest = state.segments.first().map(|segment| segment.first()).or(tip);
        Bounds { log: self.log, oldest: oldest.unwrap_or(state.head + 1), head: state.head }
    }

    /// Bytes on disk.
    pub(in crate::log) fn disk_bytes(&self) -> u64 {
        let state = self.state.read();
        let segments: u64 = state.segments.iter().map(|segment| segment.bytes()).sum();
        segments + state.tips.iter().map(|part| part.tip.disk_bytes()).sum::<u64>()
    }

    /// Bytes on disk when the tips that wait have been sealed, about: a tip holds everything twice, and less
    /// well packed.
    pub(in crate::log) fn settled_bytes(&self) -> u64 {
        const PACKED: u64 = 4;
        let state = self.state.read();
        let segments: u64 = state.segments.iter().map(|segment| segment.bytes()).sum();
        let mut tips = state.tips.iter().rev().map(|part| part.tip.disk_bytes());
        segments + tips.next().unwrap_or(0) + tips.sum::<u64>() / PACKED
    }

    /// The log whose records a tip holds.
    pub(in crate::log) fn log_of(&self, tip: &Tip, first: Sequence) -> LogId {
        tip.log_id().unwrap_or_else(|| self.lineage.log_at(first))
    }
}
