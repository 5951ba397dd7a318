//! What readers read from: the index, the newest blocks in memory, and the tip behind a small cache.

use super::block::Block;
use super::codec;
use super::index::{Index, IndexEntry};
use super::tip::Tip;
use super::{Bounds, Chunk, GapReason, LogError, Piece, Scan};
use crate::cursor::{LogId, Sequence};
use crate::time::Timestamp;
use parking_lot::RwLock;
use quick_cache::{Weighter, sync::Cache};
use std::collections::VecDeque;
use std::fs::File;
use std::ops::RangeInclusive;
use std::sync::Arc;

/// Wire bytes of the newest blocks that stay in memory, so that live readers never touch the disk.
const RING_BYTES: usize = 16 * 1024 * 1024;
/// Wire bytes of older blocks that stay in memory for readers who replay the same stretch.
const CACHE_BYTES: u64 = 16 * 1024 * 1024;
/// Index entries that one read looks at, at most, while it holds the index.
const MAX_LOOK: usize = 16_384;
/// Blocks that one read plans for, at most.
const MAX_PLAN: usize = 512;

/// The readers' side of an embedded log.
#[derive(Debug)]
pub(super) struct Shelf {
    log: LogId,
    pub(super) tip: Tip,
    state: RwLock<State>,
    cache: Cache<Sequence, Arc<Block>, WireBytes>,
    /// Keeps other processes out. Let go of after the tip, since sled holds its own lock as long as that lives.
    _lock: File,
}

#[derive(Debug)]
struct State {
    index: Index,
    ring: VecDeque<Arc<Block>>,
    ring_bytes: usize,
    trimmed: Sequence,
}

#[derive(Debug, Clone)]
struct WireBytes;

impl Weighter<Sequence, Arc<Block>> for WireBytes {
    fn weight(&self, _: &Sequence, block: &Arc<Block>) -> u64 {
        block.bytes() as u64 + 128
    }
}

enum Step {
    Block(IndexEntry),
    Gap(RangeInclusive<Sequence>),
}

impl Shelf {
    pub(super) fn new(log: LogId, tip: Tip, index: Index, trimmed: Sequence, lock: File) -> Self {
        let state = State { index, ring: VecDeque::new(), ring_bytes: 0, trimmed };
        Self { log, tip, state: RwLock::new(state), cache: Cache::with_weighter(1024, CACHE_BYTES, WireBytes), _lock: lock }
    }

    /// Makes a durable block visible.
    pub(super) fn push(&self, entry: IndexEntry, block: Arc<Block>) {
        let mut state = self.state.write();
        state.index.push(entry);
        state.ring_bytes += block.bytes();
        state.ring.push_back(block);
        while state.ring_bytes > RING_BYTES && state.ring.len() > 1 {
            let oldest = state.ring.pop_front().map_or(0, |b| b.bytes());
            state.ring_bytes -= oldest;
        }
    }

    /// Takes blocks that end before `before` out of sight and returns them.
    pub(super) fn trim(&self, before: Sequence) -> Vec<IndexEntry> {
        let mut state = self.state.write();
        let gone = state.index.trim(before);
        if let Some(last) = gone.last() {
            state.trimmed = last.last + 1;
            while state.ring.front().is_some_and(|block| block.last() <= last.last) {
                let bytes = state.ring.pop_front().map_or(0, |b| b.bytes());
                state.ring_bytes -= bytes;
            }
        }
        gone
    }

    pub(super) fn bounds(&self) -> Bounds {
        let state = self.state.read();
        let head = state.index.last().map_or(0, |e| e.last);
        Bounds { log: self.log, oldest: state.index.first().map_or(head + 1, |e| e.first), head }
    }

    /// The answer if it can be given from memory, which is so for every reader that keeps up.
    pub(super) fn ring_after(&self, after: Sequence, scan: &Scan) -> Option<Chunk> {
        let state = self.state.read();
        let head = state.index.last().map_or(0, |e| e.last);
        if after >= head {
            return Some(Chunk { pieces: Vec::new(), through: after });
        }
        if state.ring.front().is_none_or(|oldest| oldest.first() > after + 1) {
            return None;
        }
        let mut chunk = Chunk { pieces: Vec::new(), through: after };
        let mut bytes = 0;
        let from = state.ring.partition_point(|block| block.last() <= after);
        let entries = state.index.after(after);
        for (block, entry) in state.ring.range(from..).zip(entries) {
            if bytes >= scan.max_bytes {
                break;
            }
            chunk.through = block.last();
            if entry.meets(&scan.time) {
                bytes += block.bytes();
                chunk.pieces.push(Piece::Block(Arc::clone(block)));
            }
        }
        Some(chunk)
    }

    /// Reads upwards. May read the disk.
    pub(super) fn read_after(&self, after: Sequence, scan: &Scan) -> Result<Chunk, LogError> {
        let (steps, through) = {
            let state = self.state.read();
            let mut steps = Vec::new();
            let mut through = after;
            for entry in state.index.after(after).take(MAX_LOOK) {
                if steps.len() >= MAX_PLAN {
                    break;
                }
                if entry.first > through + 1 {
                    state.gaps(through + 1..=entry.first - 1, &mut steps);
                }
                through = entry.last;
                if entry.meets(&scan.time) {
                    steps.push(Step::Block(*entry));
                }
            }
            (steps, through)
        };
        self.resolve(steps, through, scan, |entry| entry.last)
    }

    /// Reads downwards. May read the disk.
    pub(super) fn read_before(&self, before: Sequence, scan: &Scan) -> Result<Chunk, LogError> {
        let (steps, through) = {
            let state = self.state.read();
            let mut steps = Vec::new();
            let mut through = before;
            for entry in state.index.before(before).take(MAX_LOOK) {
                if steps.len() >= MAX_PLAN {
                    break;
                }
                if entry.last + 1 < through {
                    state.gaps(entry.last + 1..=through - 1, &mut steps);
                }
                through = entry.first;
                if entry.meets(&scan.time) {
                    steps.push(Step::Block(*entry));
                }
            }
            (steps, through)
        };
        self.resolve(steps, through, scan, |entry| entry.first)
    }

    /// Reads the planned blocks until the byte limit is reached.
    fn resolve(&self, steps: Vec<Step>, planned: Sequence, scan: &Scan, end: impl Fn(&IndexEntry) -> Sequence) -> Result<Chunk, LogError> {
        let mut chunk = Chunk { pieces: Vec::with_capacity(steps.len()), through: planned };
        let mut bytes = 0;
        let mut steps = steps.into_iter().peekable();
        while let Some(step) = steps.next() {
            match step {
                Step::Gap(range) => {
                    let reason = if *range.end() < self.state.read().trimmed { GapReason::Retention } else { GapReason::Damage };
                    chunk.pieces.push(Piece::Gap(range, reason));
                }
                Step::Block(entry) => {
                    match self.block(&entry) {
                        Ok(block) => {
                            bytes += block.bytes();
                            chunk.pieces.push(Piece::Block(block));
                        }
                        Err(LogError::Damaged(why)) => {
                            // A trim may have taken the block away since it was planned: that is retention, not damage.
                            let trimmed = entry.last < self.state.read().trimmed;
                            if !trimmed {
                                tracing::error!(event.seq = entry.first, error = why, "a block of the log cannot be read");
                            }
                            let reason = if trimmed { GapReason::Retention } else { GapReason::Damage };
                            chunk.pieces.push(Piece::Gap(entry.first..=entry.last, reason));
                        }
                        Err(e) => return Err(e),
                    }
                    if bytes >= scan.max_bytes && steps.peek().is_some() {
                        chunk.through = end(&entry);
                        break;
                    }
                }
            }
        }
        Ok(chunk)
    }

    fn block(&self, entry: &IndexEntry) -> Result<Arc<Block>, LogError> {
        self.cache.get_or_insert_with(&entry.first, || {
            let value = self.tip.get(entry.first, entry.parts)?;
            codec::decode(&value, self.log).map(Arc::new)
        })
    }

    /// The lowest sequence whose record's own time is `time` or later.
    pub(super) fn seek_time(&self, time: Timestamp) -> Result<Sequence, LogError> {
        let mut after = 0;
        loop {
            // A stretch at a time, so that the writer never waits for a long look.
            let (found, looked) = {
                let state = self.state.read();
                let mut stretch = state.index.after(after).take(MAX_LOOK).peekable();
                let any = stretch.peek().is_some();
                let mut last = after;
                let found = stretch.inspect(|entry| last = entry.last).find(|entry| entry.time.1 >= time).copied();
                (found, any.then_some(last))
            };
            let entry = match (found, looked) {
                (Some(entry), _) => entry,
                (None, Some(last)) => {
                    after = last;
                    continue;
                }
                (None, None) => return Ok(self.bounds().head + 1),
            };
            match self.block(&entry) {
                Ok(block) => {
                    if let Some(seq) = block.sequences().find(|seq| block.time(*seq) >= time) {
                        return Ok(seq);
                    }
                }
                Err(LogError::Damaged(_)) => {}
                Err(e) => return Err(e),
            }
            after = entry.last;
        }
    }
}

impl State {
    /// Adds the missing sequences `range`, split where retention ends and damage begins.
    fn gaps(&self, range: RangeInclusive<Sequence>, steps: &mut Vec<Step>) {
        let (from, to) = range.into_inner();
        if from < self.trimmed && self.trimmed <= to {
            steps.push(Step::Gap(from..=self.trimmed - 1));
            steps.push(Step::Gap(self.trimmed..=to));
        } else {
            steps.push(Step::Gap(from..=to));
        }
    }
}
