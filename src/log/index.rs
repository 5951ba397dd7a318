//! Where each block lies and which times it covers, in memory: 48 bytes a block.

use super::codec::Header;
use crate::cursor::Sequence;
use crate::time::Timestamp;
use std::ops::RangeInclusive;

/// One block's place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct IndexEntry {
    pub(super) first: Sequence,
    pub(super) last: Sequence,
    pub(super) time: (Timestamp, Timestamp),
    pub(super) parts: u16,
}

impl From<&Header> for IndexEntry {
    fn from(header: &Header) -> Self {
        Self { first: header.first, last: header.last(), time: header.time, parts: header.parts }
    }
}

impl IndexEntry {
    /// Whether a record of this block may have its own time in `range`. Event times do not rise with the
    /// sequence, so nothing about the neighbours follows from the answer.
    pub(super) fn meets(&self, range: &RangeInclusive<Timestamp>) -> bool {
        self.time.0 <= *range.end() && self.time.1 >= *range.start()
    }
}

/// All blocks of a tip, in order of sequence.
#[derive(Debug, Clone, Default)]
pub(super) struct Index(std::collections::VecDeque<IndexEntry>);

impl Index {
    pub(super) fn push(&mut self, entry: IndexEntry) {
        self.0.push_back(entry);
    }

    pub(super) fn first(&self) -> Option<&IndexEntry> {
        self.0.front()
    }

    pub(super) fn last(&self) -> Option<&IndexEntry> {
        self.0.back()
    }

    /// The blocks that hold something after `after`.
    pub(super) fn after(&self, after: Sequence) -> impl Iterator<Item = &IndexEntry> {
        let from = self.0.partition_point(|entry| entry.last <= after);
        self.0.range(from..)
    }

    /// The blocks that hold something before `before`, newest first.
    pub(super) fn before(&self, before: Sequence) -> impl Iterator<Item = &IndexEntry> {
        let to = self.0.partition_point(|entry| entry.first < before);
        self.0.range(..to).rev()
    }

    /// All of them, rising.
    pub(super) fn all(&self) -> impl Iterator<Item = &IndexEntry> {
        self.0.iter()
    }
}
