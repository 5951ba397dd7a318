//! When forwarding leaves the processors to the recorder.

use crate::cursor::Sequence;
use std::time::Duration;
use tokio::time::Instant;

/// Records that come faster than this, a second, come in a burst. No Docker daemon has been seen to send half
/// as many; packing them and the hub's client would take processors from the recorder. The log is the queue.
const BURST: u64 = 30_000;
/// Between two looks at how fast records come.
pub(super) const LOOK: Duration = Duration::from_millis(50);
/// Forwarding waits no longer than this until it has come to the newest record, however often bursts come.
const LONGEST: Duration = Duration::from_secs(10);

/// How fast records come.
#[derive(Debug)]
pub(super) struct Burst {
    looked: Instant,
    head: Sequence,
    fast: bool,
    /// When forwarding began to wait, since it had last come to the newest record.
    since: Option<Instant>,
}

impl Burst {
    pub(super) fn new(head: Sequence) -> Self {
        Self { looked: Instant::now(), head, fast: false, since: None }
    }

    /// Whether forwarding waits, with `head` as the newest record: look again after [`LOOK`].
    pub(super) fn is_waited_for(&mut self, head: Sequence) -> bool {
        let passed = self.looked.elapsed();
        if passed >= LOOK {
            let came = u128::from(head.saturating_sub(self.head));
            self.fast = came * 1_000_000_000 > u128::from(BURST) * passed.as_nanos();
            if self.fast {
                self.since.get_or_insert(self.looked);
            }
            (self.looked, self.head) = (Instant::now(), head);
        }
        self.fast && self.since.is_some_and(|since| since.elapsed() < LONGEST)
    }

    /// Forwarding has come to the newest record.
    pub(super) fn is_over(&mut self) {
        self.since = None;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::time::advance;

    #[tokio::test(start_paused = true)]
    async fn a_burst_is_waited_for_up_to_a_bound() {
        let looks_a_second = 20;
        assert_eq!(LOOK * looks_a_second, Duration::from_secs(1));
        let mut burst = Burst::new(1_000);
        assert!(!burst.is_waited_for(1_000_000), "too soon to tell");
        let mut burst = Burst::new(1_000);
        let mut head = 1_000;
        let mut turns = 0u32;
        let mut come = async |a_second: u64| {
            advance(LOOK).await;
            head += a_second / u64::from(looks_a_second);
            head
        };
        assert!(!burst.is_waited_for(come(BURST).await));
        while burst.is_waited_for(come(BURST + 1_000).await) {
            turns += 1;
            assert!(turns < 10_000, "for ever");
        }
        assert_eq!(u64::from(turns), LONGEST.as_secs() * u64::from(looks_a_second) - 1);
        assert!(!burst.is_waited_for(come(BURST + 1_000).await), "it goes on, and is not waited for again");
        assert!(!burst.is_waited_for(come(BURST / 2).await));
        assert!(!burst.is_waited_for(come(BURST + 1_000).await), "nor is the next one before all is forwarded");
        burst.is_over();
        assert!(burst.is_waited_for(come(BURST + 1_000).await), "another one");
    }
}
