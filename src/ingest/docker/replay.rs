//! Where the daemon's replay of its ring ends and live events begin.
//!
//! Nothing in Docker's stream marks it. Three signs, whichever comes first: silence, an event from after the request, or as
//! many lines as the ring can hold.

use crate::ingest::Input;
use crate::time::Timestamp;
use std::time::Duration;
use tokio::time::Instant;

/// moby's ring, in every release from 19.03 to 29 (`eventsLimit` in `daemon/events/events.go`).
pub const RING_LINES: u64 = 256;
/// HTTP dates have whole seconds, so less than this is no sign that the daemon's clock runs ahead.
const CLEAR_SKEW: Duration = Duration::from_secs(2);

#[derive(Debug)]
pub(super) struct Replay {
    /// By the daemon's clock as far as known; later events are live.
    requested: Timestamp,
    quiet: Duration,
    lines: u64,
    first: Option<Timestamp>,
    open: bool,
    /// When silence ends it; never in what has an end of its own.
    deadline: Option<Instant>,
}

impl Replay {
    /// `requested` is the time just before `/events` was asked for, `daemon_date` the answer's `Date`, and `quiet` how
    /// long a silence ends the replay.
    pub(super) fn new(requested: Timestamp, daemon_date: Option<Timestamp>, quiet: Duration) -> Self {
        // A daemon whose clock is ahead would have its whole ring taken for live events.
        let requested = match daemon_date {
            Some(date) if date.since(requested) > CLEAR_SKEW => Timestamp::from_nanos(date.nanos().saturating_add(1_000_000_000)),
            _ => requested,
        };
        Self { requested, quiet, lines: 0, first: None, open: true, deadline: Some(Instant::now() + quiet) }
    }

    /// One that ends when [`end`](Self::end) says so, and not before.
    pub(super) fn to_an_end() -> Self {
        Self { requested: Timestamp::MAX, quiet: Duration::ZERO, lines: 0, first: None, open: true, deadline: None }
    }

    /// Bytes came.
    pub(super) fn heard(&mut self) {
        if let Some(deadline) = &mut self.deadline {
            *deadline = Instant::now() + self.quiet;
        }
    }

    /// Whether it is still going on.
    pub(super) fn is_open(&self) -> bool {
        self.open
    }

    /// Takes note of a line. Gives the end of the replay if that lies in front of it.
    pub(super) fn before_line(&mut self, time: Option<Timestamp>) -> Option<Input> {
        if self.deadline.is_some() && (self.lines >= RING_LINES || time.is_some_and(|time| time > self.requested)) {
            return self.end();
        }
        if self.is_open() {
            self.lines += 1;
            self.first = match (self.first, time) {
                (Some(first), Some(time)) => Some(first.min(time)),
                (first, time) => first.or(time),
            };
        }
        None
    }

    /// Comes back when it was silent for long enough; never if the replay has ended.
    pub(super) async fn silence(&self) {
        match self.deadline {
            Some(deadline) => tokio::time::sleep_until(deadline).await,
            None => std::future::pending().await,
        }
    }

    /// Ends it. Gives the input that says so, the first time.
    pub(super) fn end(&mut self) -> Option<Input> {
        self.deadline = None;
        std::mem::take(&mut self.open).then_some(Input::ReplayEnd { replayed: self.lines, first: self.first })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: i64 = 1_000_000_000;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_nanos(seconds * SECOND)
    }

    fn replay(daemon_date: Option<Timestamp>) -> Replay {
        Replay::new(at(100), daemon_date, Duration::from_millis(250))
    }

    #[test]
    fn a_live_event_comes_after_the_end() {
        let mut replay = replay(None);
        assert_eq!(replay.before_line(Some(at(90))), None);
        assert_eq!(replay.before_line(Some(at(80))), None);
        assert_eq!(replay.before_line(None), None);
        assert_eq!(replay.before_line(Some(at(101))), Some(Input::ReplayEnd { replayed: 3, first: Some(at(80)) }));
        assert_eq!(replay.before_line(Some(at(102))), None);
        assert_eq!(replay.end(), None);
    }

    #[test]
    fn a_full_ring_is_the_end() {
        let mut replay = replay(None);
        for _ in 0..RING_LINES {
            assert_eq!(replay.before_line(Some(at(99))), None);
        }
        assert_eq!(replay.before_line(Some(at(99))), Some(Input::ReplayEnd { replayed: RING_LINES, first: Some(at(99)) }));
    }

    #[test]
    fn a_clock_ahead_does_not_make_the_ring_live() {
        let mut ahead = replay(Some(at(500)));
        assert_eq!(ahead.before_line(Some(at(499))), None);
        assert!(ahead.before_line(Some(at(502))).is_some());
        let mut same = replay(Some(at(101)));
        assert!(same.before_line(Some(at(101))).is_some(), "a second is no clear sign");
    }
}
