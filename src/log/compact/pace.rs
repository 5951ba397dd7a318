//! How fast records come, and how long there has been nothing to do.

use crate::cursor::Sequence;
use std::time::{Duration, Instant};

/// Wait after a tip could not be sealed (a full disk, say) before it is tried again.
pub(in crate::log) const RETRY: Duration = Duration::from_secs(5);
/// With so many tips, records come faster than they can be packed well.
pub(in crate::log) const MANY_TIPS: usize = 6;
/// Records that come faster than this, a second, come faster than they can be packed: with fewer than
/// [`MANY_TIPS`] tips that waits until the burst is over, and leaves the processors to the commits.
pub(in crate::log) const BURST: u64 = 100_000;
/// How often the sealer looks whether there is a burst.
pub(in crate::log) const LOOK: Duration = Duration::from_millis(10);
/// How often a sealer without work looks whether the log has come to rest.
pub(in crate::log) const REST: Duration = Duration::from_secs(5);
/// With fewer records than this since the last look, it has.
pub(in crate::log) const RESTING: u64 = 1000;

/// How long there has been nothing to seal.
pub(in crate::log) struct Quiet {
    since: Instant,
    wanted: Duration,
}

impl Quiet {
    pub(in crate::log) fn new(wanted: Duration) -> Self {
        Self { since: Instant::now(), wanted }
    }

    /// How much longer it has to be quiet.
    pub(in crate::log) fn left(&self) -> Duration {
        self.wanted.saturating_sub(self.since.elapsed())
    }
}

/// How fast records come.
pub(in crate::log) struct Pace {
    since: Instant,
    head: Sequence,
    burst: bool,
}

impl Pace {
    pub(in crate::log) fn new(head: Sequence) -> Self {
        Self { since: Instant::now(), head, burst: false }
    }

    /// Whether they came in a burst when last looked.
    pub(in crate::log) fn is_burst(&mut self, head: Sequence) -> bool {
        let passed = self.since.elapsed();
        if passed >= LOOK {
            self.burst = u128::from(head - self.head) * 1_000_000_000 > u128::from(BURST) * passed.as_nanos();
            (self.since, self.head) = (Instant::now(), head);
        }
        self.burst
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_burst_is_told_from_a_busy_log_by_the_records_since_it_was_last_looked() {
        let ago = |head, millis| Pace { since: Instant::now().checked_sub(Duration::from_millis(millis)).unwrap(), head, burst: false };
        assert!(ago(1_000, 1_000).is_burst(1_000 + 2 * BURST));
        assert!(!ago(1_000, 1_000).is_burst(1_000 + BURST / 2));
        // Between two looks the last one holds.
        let mut pace = Pace { burst: true, ..ago(1_000, 0) };
        assert!(pace.is_burst(1_000));
        pace.since = Instant::now().checked_sub(LOOK).unwrap();
        assert!(!pace.is_burst(1_000));
    }
}
