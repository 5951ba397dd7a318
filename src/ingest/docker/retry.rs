//! How long to wait before connecting again.

use rand::RngExt as _;
use std::time::Duration;

/// Exponential backoff with jitter, so that many recorders do not come back to one host at the same moment.
#[derive(Debug)]
pub(super) struct Backoff {
    first: Duration,
    max: Duration,
    next: Duration,
}

impl Backoff {
    pub(super) fn new(first: Duration, max: Duration) -> Self {
        Self { first, max, next: first.min(max) }
    }

    /// The next wait: between half of a step and all of it; the step doubles each time, up to the maximum.
    pub(super) fn wait(&mut self) -> Duration {
        let step = self.next;
        self.next = step.saturating_mul(2).min(self.max);
        step.mul_f64(rand::rng().random_range(0.5..=1.0))
    }

    /// All is well: start from the first step again.
    pub(super) fn reset(&mut self) {
        self.next = self.first.min(self.max);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn doubles_up_to_the_maximum_and_starts_again() {
        let mut backoff = Backoff::new(Duration::from_millis(200), Duration::from_secs(10));
        for step in [200, 400, 800, 1600, 3200, 6400, 10_000, 10_000] {
            let wait = backoff.wait();
            assert!(wait <= Duration::from_millis(step) && wait >= Duration::from_millis(step / 2), "{wait:?} of {step} ms");
        }
        backoff.reset();
        assert!(backoff.wait() <= Duration::from_millis(200));
    }
}
