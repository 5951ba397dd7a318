//! How soon to look again after another connection was made.

use std::time::Duration;
use tokio::time::Instant;

/// So many looks may follow one another at once, as after a daemon that was restarted twice.
const AT_ONCE: u32 = 3;

/// Of the looks at one host.
#[derive(Debug)]
pub(super) struct Pace {
    /// Between looks that the connections of a restless host ask for.
    again: Duration,
    last: Option<Instant>,
    /// Looks since the last pause of `again`.
    in_a_row: u32,
    not_before: Option<Instant>,
}

impl Pace {
    pub(super) fn new(again: Duration) -> Self {
        Self { again, last: None, in_a_row: 0, not_before: None }
    }

    /// How long to wait before the first look of a connection. `is_flapping`: the stream before it was not
    /// worth its connection.
    pub(super) fn before_look(&self, now: Instant, is_flapping: bool) -> Duration {
        let too_many = is_flapping || self.in_a_row >= AT_ONCE;
        let rested = self.last.filter(|_| too_many).map(|last| last + self.again);
        rested.max(self.not_before).map_or(Duration::ZERO, |at| at.saturating_duration_since(now))
    }

    /// A look begins.
    pub(super) fn looks(&mut self, now: Instant) {
        let rested = self.last.is_none_or(|last| now.saturating_duration_since(last) >= self.again);
        self.in_a_row = if rested { 1 } else { self.in_a_row.saturating_add(1) };
        self.last = Some(now);
    }

    /// The answers were larger than what is read of them: another connection is no reason to read them again.
    pub(super) fn was_too_large(&mut self, now: Instant, pause: Duration) {
        self.not_before = Some(now + pause);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_restless_host_is_not_looked_at_each_time() {
        let (begin, again) = (Instant::now(), Duration::from_secs(60));
        let at = |seconds| begin + Duration::from_secs(seconds);
        let mut pace = Pace::new(again);
        for second in 0..3 {
            assert_eq!(pace.before_look(at(second), false), Duration::ZERO, "{second}");
            pace.looks(at(second));
        }
        assert_eq!(pace.before_look(at(3), false), Duration::from_secs(59));
        assert_eq!(pace.before_look(at(62), false), Duration::ZERO);
        pace.looks(at(62));
        assert_eq!(pace.before_look(at(63), false), Duration::ZERO);
        assert_eq!(pace.before_look(at(63), true), Duration::from_secs(59), "flapping");
        assert_eq!(Pace::new(again).before_look(begin, true), Duration::ZERO, "nothing was seen yet");
        pace.was_too_large(at(63), Duration::from_secs(300));
        assert_eq!(pace.before_look(at(200), false), Duration::from_secs(163));
    }
}
