//! How long to wait before connecting again. Nothing is waited for here, and no clock is asked.

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
mod tests;
