//! Counts of records: by time and class in small portions, and by value in larger ones.

use super::class::{CLASSES, Classifier, Counted};
use super::{LEAF, TALLY};
use crate::cursor::Sequence;
use crate::event::RecordView;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// What values are counted by.
pub const KEYS: [&str; 5] = ["subject", "project", "image", "action", "exit"];
/// Values of one key that are counted apart in a leaf; the others are counted together.
pub(super) const MAX_VALUES: usize = 1000;
/// The same in what an answer adds up.
pub(super) const MAX_SUMMED_VALUES: usize = 20_000;

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
    /// Counts one record; at most `most` values of a key apart.
    pub(super) fn count(&mut self, counted: Counted<'_>, most: usize) {
        let failed = u32::from(counted.failed());
        let keys = self.keys.iter_mut().zip(&mut self.rest).zip(counted.values);
        for ((values, rest), value) in keys {
            let Some(value) = value else { continue };
            let apart = values.len();
            match values.get_mut(&*value) {
                Some(seen) => *seen = (seen.0 + 1, seen.1 + failed),
                None if apart < most => drop(values.insert(value.into_owned(), (1, failed))),
                None => *rest = (rest.0 + 1, rest.1 + failed),
            }
        }
    }

    /// Adds what was counted elsewhere.
    pub(super) fn add(&mut self, other: &Self) {
        let plus = |sum: &mut Seen, seen: &Seen| *sum = (sum.0.saturating_add(seen.0), sum.1.saturating_add(seen.1));
        let sums = self.keys.iter_mut().zip(&mut self.rest);
        for ((values, rest), (others, other_rest)) in sums.zip(other.keys.iter().zip(&other.rest)) {
            for (value, seen) in others {
                let apart = values.len();
                match values.get_mut(value) {
                    Some(sum) => plus(sum, seen),
                    None if apart < MAX_SUMMED_VALUES => drop(values.insert(value.clone(), *seen)),
                    None => plus(rest, seen),
                }
            }
            plus(rest, other_rest);
        }
    }

    /// Whether every value found room.
    pub(super) fn is_whole(&self) -> bool {
        self.rest.iter().all(|rest| rest.0 == 0)
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
    pub(super) fn read(&mut self, record: &RecordView<'_>) {
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
            leaf.rollup.count(counted, MAX_VALUES);
        }
    }

    /// Takes out what was counted so far.
    pub(super) fn take(&mut self) -> (Vec<Tally>, Vec<Leaf>) {
        (std::mem::take(&mut self.tallies), std::mem::take(&mut self.leaves))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counted(subject: usize) -> Counted<'static> {
        Counted { values: [Some(format!("c{subject}").into()), None, None, Some("die".into()), None], ..Counted::default() }
    }

    #[test]
    fn values_beyond_the_bound_are_counted_together() {
        let mut leaf = Rollup::default();
        for subject in (0..MAX_VALUES + 7).chain([0]) {
            leaf.count(counted(subject), MAX_VALUES);
        }
        assert_eq!((leaf.keys[0].len(), leaf.rest[0], leaf.keys[0]["c0"]), (MAX_VALUES, (7, 0), (2, 0)));
        assert_eq!((leaf.keys[3].len(), leaf.rest[3]), (1, (0, 0)), "each key by itself");
        assert!(!leaf.is_whole());
    }

    #[test]
    fn so_are_those_that_are_added_up() {
        let mut sum = Rollup::default();
        for part in 0..=MAX_SUMMED_VALUES / MAX_VALUES {
            let mut leaf = Rollup::default();
            (0..MAX_VALUES).for_each(|n| leaf.count(counted(part * MAX_VALUES + n), MAX_VALUES));
            assert!(sum.is_whole());
            sum.add(&leaf);
            sum.add(&leaf);
        }
        let beyond = u32::try_from(2 * MAX_VALUES).unwrap();
        assert_eq!((sum.keys[0].len(), sum.rest[0], sum.keys[0]["c0"]), (MAX_SUMMED_VALUES, (beyond, 0), (2, 0)));
    }
}
