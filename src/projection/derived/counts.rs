//! Counts of records: by time and class in small portions, and by value in larger ones.

use super::class::{CLASSES, Classifier, Counted};
use super::{LEAF, TALLY};
use crate::cursor::Sequence;
use crate::event::Record;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// What values are counted by.
pub const KEYS: [&str; 5] = ["subject", "project", "image", "action", "exit"];
/// Values of one key that are counted apart in a leaf; the others are counted together.
pub(super) const MAX_VALUES: usize = 1000;

/// Records that follow each other, up to [`TALLY`] of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Tally {
    pub(super) first: Sequence,
    /// Their earliest and latest own time.
    pub(super) time: (i64, i64),
    /// By class.
    pub(super) counts: [u8; CLASSES.len()],
}

/// How often a value was seen, and in how many failures.
pub(super) type Seen = (u32, u32);

/// Values by key.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Rollup {
    pub(super) keys: [BTreeMap<String, Seen>; KEYS.len()],
    /// Values that found no room.
    pub(super) rest: [Seen; KEYS.len()],
}

impl Rollup {
    pub(super) fn count(&mut self, counted: Counted) {
        let failed = u32::from(counted.failed());
        let keys = self.keys.iter_mut().zip(&mut self.rest).zip(counted.values);
        for ((values, rest), value) in keys {
            let Some(value) = value else { continue };
            let room = values.len() < MAX_VALUES || values.contains_key(&value);
            let seen = if room { values.entry(value).or_default() } else { rest };
            *seen = (seen.0 + 1, seen.1 + failed);
        }
    }

    pub(super) fn add(&mut self, other: &Self) {
        for (values, others) in self.keys.iter_mut().zip(&other.keys) {
            for (value, seen) in others {
                match values.get_mut(value) {
                    Some(sum) => *sum = (sum.0 + seen.0, sum.1 + seen.1),
                    None => drop(values.insert(value.clone(), *seen)),
                }
            }
        }
        for (rest, other) in self.rest.iter_mut().zip(&other.rest) {
            *rest = (rest.0 + other.0, rest.1 + other.1);
        }
    }
}

/// Records that follow each other, up to [`LEAF`] of them, by value.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Leaf {
    pub(super) first: Sequence,
    pub(super) last: Sequence,
    pub(super) time: (i64, i64),
    pub(super) rollup: Rollup,
}

/// What is being counted.
#[derive(Debug, Default)]
pub(super) struct Counting {
    pub(super) tallies: Vec<Tally>,
    pub(super) leaves: Vec<Leaf>,
    pub(super) classifier: Classifier,
    /// The record after the last one.
    next: Sequence,
}

impl Counting {
    /// Counts the next record.
    pub(super) fn read(&mut self, record: &Record) {
        let (seq, time) = (record.seq, record.time.nanos());
        let counted = self.classifier.read(record);
        let part = |of: u64| seq.saturating_sub(1) / of;
        let before = |of: u64| self.next.saturating_sub(2) / of;
        if self.tallies.is_empty() || part(TALLY) != before(TALLY) {
            self.tallies.push(Tally { first: seq, time: (time, time), counts: [0; CLASSES.len()] });
        }
        if self.leaves.is_empty() || part(LEAF) != before(LEAF) {
            self.leaves.push(Leaf { first: seq, last: seq, time: (time, time), rollup: Rollup::default() });
        }
        self.next = seq + 1;
        if let Some(tally) = self.tallies.last_mut() {
            tally.time = (tally.time.0.min(time), tally.time.1.max(time));
            if let Some(count) = counted.class.and_then(|class| tally.counts.get_mut(class as usize)) {
                *count = count.saturating_add(1);
            }
        }
        if let Some(leaf) = self.leaves.last_mut() {
            leaf.last = seq;
            leaf.time = (leaf.time.0.min(time), leaf.time.1.max(time));
            leaf.rollup.count(counted);
        }
    }

    /// Takes out what was counted so far.
    pub(super) fn take(&mut self) -> (Vec<Tally>, Vec<Leaf>) {
        (std::mem::take(&mut self.tallies), std::mem::take(&mut self.leaves))
    }
}
