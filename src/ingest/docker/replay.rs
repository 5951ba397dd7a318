//! Where the daemon's replay of its ring ends and live events begin.
//!
//! Nothing in Docker's stream marks it. Three signs, whichever comes first: silence, an event from after the
//! request, or as many lines as the ring can hold.
//!
//! An event from after the request is a sign only if it could have happened just now: after the request, and
//! not later than the moment at which it was read. The ring of a daemon whose clock was ahead and was set
//! right holds events of the future, and that of one whose clock is ahead holds some that are later than the
//! request. And the first line is never the end: in a ring that continues what is stored it is an event that
//! is stored already, whatever its time says, and it alone proves the overlap.

use crate::ingest::Input;
use crate::time::Timestamp;
use std::time::Duration;
use tokio::time::Instant;

/// moby's ring, in every release from 19.03 to 29 (`eventsLimit` in `daemon/events/events.go`).
pub const RING_LINES: u32 = 256;
/// HTTP dates have whole seconds, so less than this is no sign that the daemon's clock runs ahead.
const CLEAR_SKEW: Duration = Duration::from_secs(2);

#[derive(Debug)]
pub(super) struct Replay {
    /// When it was asked for, by the daemon's clock as far as known; later events may be live.
    requested: Timestamp,
    /// How far the daemon's clock is ahead of ours, in nanoseconds, as far as that is clear.
    ahead: i64,
    /// When bytes came last, by our wall clock.
    read: Timestamp,
    quiet: Duration,
    lines: u64,
    first: Option<Timestamp>,
    open: bool,
    /// When silence ends it; never in what has an end of its own.
    deadline: Option<Instant>,
}

impl Replay {
    /// `requested` is the time just before `/events` was asked for, `daemon_date` the answer's `Date`, and
    /// `quiet` how long a silence ends the replay.
    pub(super) fn new(requested: Timestamp, daemon_date: Option<Timestamp>, quiet: Duration) -> Self {
        // A daemon whose clock is ahead would have its whole ring taken for live events.
        let ahead = match daemon_date {
            Some(date) if date.since(requested) > CLEAR_SKEW => {
                date.nanos().saturating_add(1_000_000_000).saturating_sub(requested.nanos())
            }
            _ => 0,
        };
        let by_daemon = Timestamp::from_nanos(requested.nanos().saturating_add(ahead));
        let deadline = Some(Instant::now() + quiet);
        Self { requested: by_daemon, ahead, read: requested, quiet, lines: 0, first: None, open: true, deadline }
    }

    /// One that ends when [`end`](Self::end) says so, and not before.
    pub(super) fn to_an_end() -> Self {
        Self { deadline: None, ..Self::new(Timestamp::MAX, None, Duration::ZERO) }
    }

    /// Bytes came, at `now` by our wall clock.
    pub(super) fn heard(&mut self, now: Timestamp) {
        self.read = now;
        if let Some(deadline) = &mut self.deadline {
            *deadline = Instant::now() + self.quiet;
        }
    }

    /// Whether the replay has not ended yet.
    pub(super) fn is_open(&self) -> bool {
        self.open
    }

    /// Takes note of a line. Gives the end of the replay if that lies in front of it.
    pub(super) fn before_line(&mut self, time: Option<Timestamp>) -> Option<Input> {
        if self.deadline.is_some()
            && (self.lines >= u64::from(RING_LINES) || (self.lines > 0 && time.is_some_and(|time| self.is_just_now(time))))
        {
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

    /// After the request, and not in the future.
    fn is_just_now(&self, time: Timestamp) -> bool {
        time > self.requested && time.nanos() <= self.read.nanos().saturating_add(self.ahead)
    }

    /// Returns when it was silent for long enough; never if the replay has ended.
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

    const MS: i64 = 1_000_000;

    /// So many milliseconds after a request at 100 s.
    fn at(ms: i64) -> Timestamp {
        Timestamp::from_nanos((100_000 + ms) * MS)
    }

    fn replay(daemon_date: Option<Timestamp>) -> Replay {
        let mut replay = Replay::new(at(0), daemon_date, Duration::from_millis(250));
        replay.heard(at(5));
        replay
    }

    /// In front of which line the replay ends.
    fn end_among(replay: &mut Replay, lines: impl IntoIterator<Item = i64>) -> Option<usize> {
        lines.into_iter().position(|ms| replay.before_line(Some(at(ms))).is_some())
    }

    #[test]
    fn a_live_event_comes_after_the_end() {
        let mut replay = replay(None);
        assert_eq!(end_among(&mut replay, [-10_000, -20_000]), None);
        assert_eq!(replay.before_line(None), None);
        replay.heard(at(1000));
        assert_eq!(replay.before_line(Some(at(999))), Some(Input::ReplayEnd { replayed: 3, first: Some(at(-20_000)) }));
        assert_eq!(replay.before_line(Some(at(1000))), None);
        assert_eq!(replay.end(), None);
    }

    #[test]
    fn a_full_ring_is_the_end() {
        assert_eq!(end_among(&mut replay(None), vec![-1000; 300]), Some(256));
        assert_eq!(end_among(&mut replay(None), vec![7_200_000; 300]), Some(256), "also one of the future");
    }

    #[test]
    fn a_clock_ahead_does_not_make_the_ring_live() {
        let mut ahead = replay(Some(at(400_000)));
        assert_eq!(end_among(&mut ahead, [399_000, 400_900]), None);
        ahead.heard(at(2000));
        assert!(ahead.before_line(Some(at(401_500))).is_some());
        let mut same = replay(Some(at(1000)));
        assert_eq!(end_among(&mut same, [-1000, 4]), Some(1), "a second is no clear sign");
    }

    #[test]
    fn a_ring_of_the_future_is_no_live_stream() {
        // Two hours ahead and set right; with events of after that.
        assert_eq!(end_among(&mut replay(None), (0..20).map(|n| 7_200_000 + n)), None);
        assert_eq!(end_among(&mut replay(Some(at(-400))), (0..20).map(|n| 7_200_000 + n).chain([-3000, -2000])), None);
        // A little ahead, and the ring young: the first lines are from after the request.
        for skew in [200, 900, 1900, 2500] {
            for date in [None, Some(at((skew - 999).max(0))), Some(at(skew))] {
                assert_eq!(end_among(&mut replay(date), (0..20).map(|n| skew - 190 + n * 10)), None, "{skew} {date:?}");
            }
        }
    }

    /// A ring that continues what is stored begins with an event that is stored.
    #[test]
    fn the_first_line_is_never_the_end() {
        let mut replay = replay(None);
        assert_eq!(end_among(&mut replay, [3, 4]), Some(1));
        assert_eq!(replay.lines, 1);
    }
}
