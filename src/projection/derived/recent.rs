//! The newest revisions, for those who follow them, and their places.

use crate::cursor::{LogId, Sequence};
use crate::log::GapReason;
use crate::projection::incidents::{Ids, Severity, Shown, State};
use std::collections::VecDeque;
use std::fmt;
use std::ops::RangeInclusive;
use std::sync::Arc;

/// Bytes after which an answer ends with its record.
pub(super) const PORTION_BYTES: usize = 64 * 1024;
/// The newest revisions, which are kept for those who follow: how many, and their bytes.
const MAX_RECENT: usize = 2000;
const MAX_RECENT_BYTES: usize = 4 * 1024 * 1024;

/// A place among revisions: after so many of those that came with a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    /// The record.
    pub seq: Sequence,
    nth: u32,
}

impl Place {
    /// After everything that came with a record, and with all before it.
    pub const fn after(seq: Sequence) -> Self {
        Self { seq, nth: u32::MAX }
    }

    /// After the first so many that came with a record.
    pub const fn within(seq: Sequence, nth: u32) -> Self {
        Self { seq, nth }
    }

    /// As it stands in answers: `7f3c9a1e-1842.2`, or the record's cursor where everything of it has been
    /// told.
    pub fn id(self, log: LogId) -> impl fmt::Display {
        let cursor = log.cursor(self.seq);
        if self.nth == u32::MAX { cursor.to_string() } else { format!("{cursor}.{}", self.nth) }
    }

    /// A text with the number after the point, if there is one, taken off; `None` where that is no number.
    pub fn parts(text: &str) -> Option<(&str, Option<u32>)> {
        let Some((cursor, digits)) = text.split_once('.') else { return Some((text, None)) };
        let nth: u32 = digits.parse().ok().filter(|nth| *nth < u32::MAX)?;
        (nth.to_string() == digits).then_some((cursor, Some(nth)))
    }

    /// The first record of which something may follow.
    pub(super) fn next(self) -> Sequence {
        if self.nth == u32::MAX { self.seq.saturating_add(1) } else { self.seq }
    }
}

/// What is told in one place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Change {
    /// A revision of an incident, as JSON.
    Revision(Arc<str>, Severity),
    /// These records are gone, and what they told of incidents.
    Gap(RangeInclusive<Sequence>, GapReason),
}

impl Change {
    fn of(shown: &Shown) -> Option<Self> {
        Some(Self::Revision(serde_json::to_string(shown).ok()?.into(), shown.severity))
    }

    pub(super) fn bytes(&self) -> usize {
        match self {
            Self::Revision(json, _) => json.len(),
            Self::Gap(..) => 0,
        }
    }
}

/// The newest revisions, while somebody follows.
#[derive(Debug, Default)]
pub(super) struct Recent {
    /// Everything after this is here; `None` while nobody follows.
    pub(super) from: Option<Place>,
    changes: VecDeque<(Place, Change)>,
    bytes: usize,
}

/// A fold of earlier records, for whoever goes on from there.
#[derive(Debug)]
pub(super) struct Replay {
    pub(super) generation: u64,
    pub(super) state: State,
    pub(super) ids: Ids,
    pub(super) through: Sequence,
}

impl Recent {
    pub(super) fn push(&mut self, place: Place, change: Change) {
        self.bytes += change.bytes();
        self.changes.push_back((place, change));
        while self.changes.len() > MAX_RECENT || self.bytes > MAX_RECENT_BYTES {
            let Some((place, change)) = self.changes.pop_front() else { break };
            self.bytes -= change.bytes();
            self.from = Some(place);
        }
    }

    pub(super) fn after(&self, place: Place, through: Sequence) -> Option<(Vec<(Place, Change)>, Place)> {
        self.from.filter(|from| place >= *from)?;
        let first = self.changes.partition_point(|(at, _)| *at <= place);
        let (mut changes, mut bytes) = (Vec::new(), 0);
        for (at, change) in self.changes.range(first..) {
            if bytes >= PORTION_BYTES {
                let reached = changes.last().map_or(place, |(at, _)| *at);
                return Some((changes, reached));
            }
            bytes += change.bytes();
            changes.push((*at, change.clone()));
        }
        Some((changes, Place::after(through).max(place)))
    }
}

/// Revisions that came with one record, each with its place.
pub(super) fn numbered(seq: Sequence, told: &[Shown]) -> impl Iterator<Item = (Place, Change)> {
    (1..).zip(told).filter_map(move |(nth, shown)| Some((Place::within(seq, nth), Change::of(shown)?)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_kept_for_those_who_follow_is_bounded() {
        for (bytes, count) in [(10, MAX_RECENT), (MAX_RECENT_BYTES / 8, 8)] {
            let mut recent = Recent { from: Some(Place::after(0)), ..Recent::default() };
            for seq in 1..=5000 {
                recent.push(Place::within(seq, 1), Change::Revision("x".repeat(bytes).into(), Severity::Minor));
            }
            let newest = 5000 - u64::try_from(count).unwrap();
            assert_eq!((recent.changes.len(), recent.from), (count, Some(Place::within(newest, 1))));
            assert!(recent.after(Place::within(newest - 1, 1), 5000).is_none(), "what is gone is not passed over");
            let (changes, reached) = recent.after(Place::after(newest), 5000).unwrap();
            assert_eq!(changes.first().map(|(place, _)| place.seq), Some(newest + 1));
            assert!(reached == Place::after(5000) || reached == changes.last().unwrap().0);
        }
    }
}
