//! Marks of a lane. Those of one kind that lie nearer to each other than can be drawn are one, with a number.

use crate::time::Timestamp;
use serde::{Serialize, Serializer};

/// Marks of one lane.
const MAX_MARKS: usize = 200;
/// The distance from which on marks melt where there are too many, in nanoseconds; it doubles until they fit.
const LEAST: i64 = 1_000_000;

/// When, what, the record, details, and how many have melted into it; 0: it is one alone.
pub(super) type Mark = (Timestamp, &'static str, String, Option<String>, u64);

/// What happened, by time.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Marks {
    all: Vec<Mark>,
    /// Nearer to each other than so many nanoseconds, two are one.
    nearest: i64,
    /// Those that found no room.
    pub(super) folded: u64,
}

impl Serialize for Marks {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.all.serialize(serializer)
    }
}

impl Marks {
    pub(super) fn new(nearest: i64) -> Self {
        Self { nearest, ..Self::default() }
    }

    pub(super) fn add(&mut self, time: Timestamp, what: &'static str, record: String, detail: Option<String>) {
        self.join((time, what, record, detail, 0));
        while self.all.len() > MAX_MARKS {
            self.nearest = self.nearest.max(LEAST).saturating_mul(2);
            if self.nearest == i64::MAX {
                // All of them differ.
                self.all.pop();
                self.folded += 1;
                return;
            }
            for mark in std::mem::take(&mut self.all) {
                self.join(mark);
            }
        }
    }

    fn join(&mut self, mark: Mark) {
        let near = |one: &Mark| mark.0.nanos().saturating_sub(one.0.nanos()) < self.nearest;
        let same = |one: &&mut Mark| one.1 == mark.1 && one.3 == mark.3;
        match self.all.iter_mut().rev().take_while(|one| near(one)).find(same) {
            Some(known) => known.4 = known.4.max(1) + mark.4.max(1),
            None => self.all.push(mark),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn add(marks: &mut Marks, millis: i64, what: &'static str, detail: &str) {
        marks.add(Timestamp::from_nanos(millis * 1_000_000), what, format!("7f3c9a1e-{millis}"), Some(detail.into()));
    }

    #[test]
    fn what_lies_near_and_is_the_same_is_one_with_a_number() {
        let mut marks = Marks::new(10_000_000);
        for (millis, what, detail) in
            [(0, "die", "exit 1"), (4, "create", "app:2"), (8, "die", "exit 1"), (9, "die", "exit 137"), (18, "die", "exit 1")]
        {
            add(&mut marks, millis, what, detail);
        }
        let drawn: Vec<_> = marks.all.iter().map(|mark| (mark.1, mark.2.as_str(), mark.4)).collect();
        assert_eq!(drawn, [("die", "7f3c9a1e-0", 2), ("create", "7f3c9a1e-4", 0), ("die", "7f3c9a1e-9", 0), ("die", "7f3c9a1e-18", 0)]);
    }

    #[test]
    fn however_many_there_are_none_is_lost_and_their_number_is_bounded() {
        let mut marks = Marks::new(0);
        for millis in 0..10_000 {
            add(&mut marks, millis * 1000, if millis % 100 == 50 { "oom" } else { "die" }, "");
        }
        let count = |what| marks.all.iter().filter(|mark| mark.1 == what).map(|mark| mark.4.max(1)).sum::<u64>();
        assert!(marks.all.len() <= MAX_MARKS && marks.all.len() > MAX_MARKS / 4, "{}", marks.all.len());
        assert_eq!((count("oom"), count("die"), marks.folded), (100, 9900, 0));
        let mut marks = Marks::new(0);
        for millis in 0..1000 {
            add(&mut marks, millis, "create", &millis.to_string());
        }
        assert_eq!((marks.all.len(), marks.folded), (MAX_MARKS, 800));
    }
}
