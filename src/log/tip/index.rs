//! Where each block lies and which times it covers, in memory: 48 bytes a block.

use super::codec::Header;
use crate::cursor::Sequence;
use crate::time::Timestamp;
use std::ops::RangeInclusive;

/// One block's place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::log) struct IndexEntry {
    pub(in crate::log) first: Sequence,
    pub(in crate::log) last: Sequence,
    pub(in crate::log) time: (Timestamp, Timestamp),
    pub(in crate::log) parts: u16,
}

impl From<&Header> for IndexEntry {
    fn from(header: &Header) -> Self {
        Self { first: header.first, last: header.last(), time: header.time, parts: header.parts }
    }
}

impl IndexEntry {
    /// Whether a record of this block may have its own time in `range`. Event times do not rise with the
    /// sequence, so nothing about the neighbours follows from the answer.
    pub(in crate::log) fn meets(&self, range: &RangeInclusive<Timestamp>) -> bool {
        self.time.0 <= *range.end() && self.time.1 >= *range.start()
    }
}

/// All blocks of a tip, in order of sequence.
#[derive(Debug, Clone, Default)]
pub(in crate::log) struct Index(std::collections::VecDeque<IndexEntry>);

impl Index {
    pub(in crate::log) fn push(&mut self, entry: IndexEntry) {
        self.0.push_back(entry);
    }

    pub(in crate::log) fn first(&self) -> Option<&IndexEntry> {
        self.0.front()
    }

    pub(in crate::log) fn last(&self) -> Option<&IndexEntry> {
        self.0.back()
    }

    /// The blocks that hold something after `after`.
    pub(in crate::log) fn after(&self, after: Sequence) -> impl Iterator<Item = &IndexEntry> {
        let from = self.0.partition_point(|entry| entry.last <= after);
        self.0.range(from..)
    }

    /// The blocks that hold something before `before`, newest first.
    pub(in crate::log) fn before(&self, before: Sequence) -> impl Iterator<Item = &IndexEntry> {
        let to = self.0.partition_point(|entry| entry.first < before);
        self.0.range(..to).rev()
    }

    /// All of them, rising.
    pub(in crate::log) fn all(&self) -> impl Iterator<Item = &IndexEntry> {
        self.0.iter()
    }
}
