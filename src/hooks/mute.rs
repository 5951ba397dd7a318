//! Mutes: of which subjects nothing is told, and when. What is muted is not lost: what still goes on
//! afterwards is told then.

use super::plan::{Seen, is_about};
use crate::time::{Timestamp, Tz};

/// A time in which something is not told. What goes on after it is told then.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mute {
    /// Of these subjects; of all where none is named.
    pub subjects: Vec<String>,
    /// From this time on.
    pub from: Option<Timestamp>,
    /// Up to this one.
    pub until: Option<Timestamp>,
    /// In this part of each day only.
    pub daily: Option<Daily>,
}

/// A part of each day.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Daily {
    /// Seconds after midnight.
    pub from: u32,
    /// Seconds after midnight; earlier than `from` where midnight lies in it.
    pub until: u32,
    /// Where that is.
    pub zone: Tz,
}

impl Mute {
    /// Whether an incident is not to be told at a time.
    pub(super) fn covers(&self, seen: &Seen, at: Timestamp) -> bool {
        is_about(&self.subjects, seen)
            && self.from.is_none_or(|from| from <= at)
            && self.until.is_none_or(|until| at < until)
            && self.daily.is_none_or(|daily| daily.covers(at))
    }
}

impl Daily {
    fn covers(self, at: Timestamp) -> bool {
        let now = at.second_of_day(self.zone);
        if self.from <= self.until { (self.from..self.until).contains(&now) } else { now >= self.from || now < self.until }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_part_of_the_day_may_hold_midnight() {
        let at = |hour: i64| Timestamp::from_nanos(1_795_305_600_000_000_000 + hour * 3_600_000_000_000);
        let daily = |from: u32, until: u32| Daily { from: from * 3600, until: until * 3600, zone: Tz::UTC };
        let muted = |daily: Daily| (0..24).filter(|hour| daily.covers(at(*hour))).collect::<Vec<_>>();
        assert_eq!(muted(daily(2, 4)), [2, 3]);
        assert_eq!(muted(daily(23, 1)), [0, 23]);
        let berlin = Daily { zone: crate::time::zone("Europe/Berlin").unwrap(), ..daily(2, 4) };
        assert_eq!(muted(berlin), [1, 2], "in winter an hour ahead");
    }
}
