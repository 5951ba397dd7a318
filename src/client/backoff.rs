//! How long to wait before trying again.

use std::time::Duration;

/// Waits asked for by the server are not honoured beyond this.
const LONGEST_ASKED: Duration = Duration::from_secs(60);

/// Tempo of a resuming stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pace {
    /// Wait before the first new attempt.
    pub first: Duration,
    /// Longest wait that repeated failures lead to.
    pub most: Duration,
    /// Silence after which a connection counts as dead: three of the server's keep-alives.
    pub idle: Duration,
}

impl Default for Pace {
    fn default() -> Self {
        Self { first: Duration::from_millis(100), most: Duration::from_secs(5), idle: Duration::from_secs(45) }
    }
}

/// Doubling, capped, jittered waits, never shorter than the server asks for.
#[derive(Debug, Clone)]
pub struct Backoff {
    pace: Pace,
    failures: u32,
    retry: Duration,
}

impl Backoff {
    /// Starts with the shortest wait.
    pub fn new(pace: Pace) -> Self {
        Self { pace, failures: 0, retry: Duration::ZERO }
    }

    /// The wait before the next attempt; `asked` is a `Retry-After`, for this once.
    pub fn next_wait(&mut self, asked: Option<Duration>) -> Duration {
        let doubled = self.pace.first.saturating_mul(1 << self.failures.min(16)).min(self.pace.most);
        self.failures = self.failures.saturating_add(1);
        // Jitter goes down from the own wait, but up from the server's: that one is the earliest it wants to
        // be asked.
        let own = doubled.mul_f64(rand::random_range(0.5..=1.0));
        let server = asked.unwrap_or_default().min(LONGEST_ASKED).max(self.retry).mul_f64(rand::random_range(1.0..=1.25));
        own.max(server)
    }

    /// The last attempt worked: begin again with the shortest wait.
    pub fn reset(&mut self) {
        self.failures = 0;
    }

    /// The stream's `retry:` field, which holds for every later wait.
    pub fn set_retry(&mut self, retry: Duration) {
        self.retry = retry.min(LONGEST_ASKED);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn within(wait: Duration, low: u64, high: u64) -> bool {
        (Duration::from_millis(low)..=Duration::from_millis(high)).contains(&wait)
    }

    #[test]
    fn waits_double_to_the_cap_and_begin_again() {
        let mut backoff = Backoff::new(Pace::default());
        for (low, high) in [(50, 100), (100, 200), (200, 400), (400, 800), (800, 1600), (1600, 3200), (2500, 5000), (2500, 5000)] {
            let wait = backoff.next_wait(None);
            assert!(within(wait, low, high), "{wait:?}");
        }
        for _ in 0..100 {
            assert!(within(backoff.next_wait(None), 2500, 5000));
        }
        backoff.reset();
        assert!(within(backoff.next_wait(None), 50, 100));
    }

    #[test]
    fn the_server_may_ask_for_more_but_not_for_ever() {
        let mut backoff = Backoff::new(Pace::default());
        backoff.set_retry(Duration::from_secs(2));
        assert!(within(backoff.next_wait(None), 2000, 2500));
        assert!(within(backoff.next_wait(Some(Duration::from_secs(8))), 8000, 10_000));
        assert!(within(backoff.next_wait(Some(Duration::MAX)), 60_000, 75_000));
        backoff.reset();
        assert!(within(backoff.next_wait(None), 2000, 2500));
    }
}
