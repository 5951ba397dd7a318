//! How long to wait before connecting again.

use super::replay::RING_LINES;
use rand::RngExt as _;
use std::time::Duration;

/// A stream that lived so long was worth its connection, whether it brought anything or not.
const LONG_LIFE: Duration = Duration::from_secs(60);
/// Of the daemon's ring, the part that a wait may fill at the pace of the last stream: events come in bursts,
/// and a connection takes its time too.
const RING_PART: u32 = RING_LINES / 4;

/// Exponential backoff with jitter, so that many recorders do not come back to one host at the same moment.
#[derive(Debug)]
pub(super) struct Backoff {
    first: Duration,
    /// The longest step while there is nobody to connect to, which costs next to nothing, and while streams
    /// live for longer than the waits.
    max: Duration,
    /// The longest step while streams end sooner than that, and while somebody is there who refuses.
    max_restless: Duration,
    next: Duration,
    /// The last wait that followed a stream.
    last: Duration,
    /// The last stream was not worth its connection.
    is_flapping: bool,
}

impl Backoff {
    pub(super) fn new(first: Duration, max: Duration, max_restless: Duration) -> Self {
        let next = first.min(max);
        Self { first: next, max, max_restless: max_restless.max(max), next, last: Duration::ZERO, is_flapping: false }
    }

    /// How long the next stream must live, unless it brings something new, to count as a connection.
    pub(super) fn probation(&self) -> Duration {
        self.last
    }

    /// Whether the last stream was not worth its connection.
    pub(super) fn is_flapping(&self) -> bool {
        self.is_flapping
    }

    /// The wait after an attempt that came to no stream.
    pub(super) fn after_failure(&mut self) -> Duration {
        let step = self.next.min(self.max);
        self.next = self.next.max(step.saturating_mul(2).min(self.max));
        jittered(step)
    }

    /// The wait after an attempt that was answered with an error: each costs a daemon or a proxy some work.
    /// It is never much longer than it has been so.
    pub(super) fn after_refusal(&mut self) -> Duration {
        let step = self.next.min(self.max_restless);
        self.next = step.saturating_mul(2).min(self.max_restless);
        jittered(step)
    }

    /// The wait after a stream that has `lived` so long and brought so many new events. Starts again from the
    /// first step if it was worth it. Never so long that events at that pace would run over the daemon's
    /// ring.
    pub(super) fn after_stream(&mut self, lived: Duration, news: u64) -> Duration {
        let outlived = lived > self.last;
        self.is_flapping = !((outlived && news > 0) || lived >= LONG_LIFE);
        if !self.is_flapping {
            self.next = self.first;
        }
        let max = if outlived { self.max } else { self.max_restless };
        let step = self.next.min(max);
        self.next = self.next.max(step.saturating_mul(2).min(max));
        self.last = jittered(match u32::try_from(news).unwrap_or(u32::MAX) {
            0 => step,
            news => step.min((lived.saturating_add(self.last).saturating_mul(RING_PART) / news).max(self.first)),
        });
        self.last
    }
}

/// Between half of a step and all of it.
fn jittered(step: Duration) -> Duration {
    step.mul_f64(rand::rng().random_range(0.5..=1.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ms(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }

    fn backoff() -> Backoff {
        Backoff::new(ms(200), ms(1500), ms(30_000))
    }

    #[test]
    fn doubles_up_to_the_maximum_and_starts_again() {
        let mut backoff = backoff();
        for step in [200, 400, 800, 1500, 1500] {
            let wait = backoff.after_failure();
            assert!(wait <= ms(step) && wait >= ms(step / 2), "{wait:?} of {step} ms");
        }
        assert_eq!(backoff.probation(), Duration::ZERO, "it was never a stream that had ended");
        assert!(backoff.after_stream(ms(500), 1) <= ms(200));
        assert!(!backoff.is_flapping());
    }

    #[test]
    fn a_host_that_refuses_is_asked_less_and_less_often() {
        let mut backoff = backoff();
        let waits: Vec<Duration> = (0..12).map(|_| backoff.after_refusal()).collect();
        assert!(waits[0] <= ms(200) && waits[11] >= ms(15_000) && waits.iter().all(|wait| *wait <= ms(30_000)), "{waits:?}");
        assert_eq!(backoff.probation(), Duration::ZERO, "it was never a stream that had ended");
        // When nobody is there, it may be that something is being mended.
        assert!(backoff.after_failure() <= ms(1500));
        assert!(backoff.after_stream(ms(500), 1) <= ms(200));
    }

    #[test]
    fn a_host_that_ends_its_streams_is_asked_less_and_less_often() {
        let mut backoff = backoff();
        let waits: Vec<Duration> = (0..12).map(|_| backoff.after_stream(ms(150), 0)).collect();
        assert!(waits.is_sorted_by(|a, b| a.as_millis() <= b.as_millis() * 2), "{waits:?}");
        assert!(backoff.is_flapping() && waits.last() >= Some(&ms(15_000)), "{waits:?}");
        // It brought something, but ended before its time.
        assert!(backoff.after_stream(ms(150), 1) >= ms(15_000));
        // And when it holds at last:
        assert!(backoff.after_stream(ms(60_000), 0) <= ms(200));
        assert!(!backoff.is_flapping());
    }

    #[test]
    fn a_busy_host_whose_streams_end_is_asked_again_before_its_ring_is_over() {
        let mut backoff = backoff();
        let mut wait = Duration::ZERO;
        for _ in 0..50 {
            // At 350 events/s its ring of 256 lasts 731 ms; each stream is shorter than the wait before it.
            let lived = wait / 2;
            let news = (lived + wait).as_millis() * 350 / 1000;
            wait = backoff.after_stream(lived, u64::try_from(news).unwrap());
            assert!(wait <= ms(250), "{wait:?}");
        }
        // As soon as it has nothing new to tell, there is no haste.
        let waits: Vec<Duration> = (0..12).map(|_| backoff.after_stream(ms(50), 0)).collect();
        assert!(waits.last() >= Some(&ms(15_000)), "{waits:?}");
    }

    #[test]
    fn a_proxy_that_cuts_each_half_minute_stays_connected() {
        let mut backoff = backoff();
        for _ in 0..50 {
            assert!(backoff.after_stream(ms(30_000), 0) <= ms(1500));
            assert!(backoff.probation() <= ms(1500));
        }
        // One that brings events each time is as good as any.
        assert!(backoff.after_stream(ms(30_000), 1) <= ms(200));
    }
}
