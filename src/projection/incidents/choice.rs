//! Which incidents are asked for: one rule for lists and for reports.

use super::incident::{Kind, Standing};
use super::shown::Shown;
use crate::time::Timestamp;
use std::ops::RangeInclusive;

/// What an incident is chosen by, beside whom it is about and how bad it is.
#[derive(Debug, Clone, Copy)]
pub struct Facts {
    /// When it began.
    pub start: Timestamp,
    /// When it ended.
    pub end: Option<Timestamp>,
    /// The symptom.
    pub kind: Kind,
    /// Whether it goes on.
    pub state: Standing,
}

impl Facts {
    /// Whether it overlaps a range and is in this state and of this kind, where one is named. Who asks for
    /// `open` wants what is not over; what is not over reaches up to `as_of`.
    pub fn fit(&self, range: &RangeInclusive<Timestamp>, state: Option<Standing>, kind: Option<Kind>, as_of: Timestamp) -> bool {
        self.start <= *range.end()
            && self.end.unwrap_or(as_of.max(self.start)) >= *range.start()
            && kind.is_none_or(|kind| kind == self.kind)
            && match state {
                None => true,
                Some(Standing::Open) => self.state != Standing::Closed,
                Some(state) => self.state == state,
            }
    }
}

impl Shown {
    /// What it is chosen by.
    pub fn facts(&self) -> Facts {
        Facts { start: self.start, end: self.end, kind: self.kind, state: self.state }
    }

    /// Subjects and containers that it can be found by.
    pub fn about(&self) -> impl Iterator<Item = &String> {
        self.containers.iter().chain([&self.subject]).chain(self.subjects.iter().map(|part| &part.key))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_overlaps_a_range_and_is_not_over_is_chosen() {
        let time = Timestamp::from_nanos;
        let over = Facts { start: time(10), end: Some(time(20)), kind: Kind::Crash, state: Standing::Closed };
        let on = Facts { end: None, state: Standing::Recovering, ..over };
        let fits = |facts: Facts, from, until, state| facts.fit(&(time(from)..=time(until)), state, None, time(30));
        for (from, until, first, second) in
            [(0, 9, false, false), (0, 10, true, true), (20, 25, true, true), (21, 40, false, true), (31, 40, false, false)]
        {
            assert_eq!((fits(over, from, until, None), fits(on, from, until, None)), (first, second), "{from} {until}");
        }
        for (state, first, second) in [(Standing::Open, false, true), (Standing::Recovering, false, true), (Standing::Closed, true, false)]
        {
            assert_eq!((fits(over, 0, 40, Some(state)), fits(on, 0, 40, Some(state))), (first, second), "{state:?}");
        }
        // It was known before it began, by a clock that was set back.
        assert!(on.fit(&(time(10)..=time(10)), None, Some(Kind::Crash), time(5)));
        assert!(!on.fit(&(time(10)..=time(10)), None, Some(Kind::Oom), time(5)));
    }
}
