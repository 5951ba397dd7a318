//! Whether the daemon may have dropped events for us without a word.
//!
//! moby gives each subscriber a channel of 1,024 events. Once that is full, an event waits 100 ms for a place and is then dropped, and nothing in
//! the stream tells (`daemon/events/events.go`, `pubsub`). That takes a reader that stands still: a stopped process, a suspended
//! machine, a starved one. Afterwards it reads a long run of events that are old by then. How many waited in front of one shows in how many were read
//! between its own time and its turn. So: a run of late lines in which that many waited is in doubt, and what was read in it proves nothing about what
//! came before.

use crate::ingest::Doubt;
use crate::time::Timestamp;
use std::collections::VecDeque;
use std::time::Duration;

/// Lines that wait in moby's channel before any is dropped, less a margin for lines in which the clocks are unsteady.
const DOUBTFUL_LINES: usize = 1000;
/// How long moby lets an event wait.
const LATE_NANOS: i64 = 100_000_000;
/// The daemon's clock may go slower than ours by this much: 200 ppm, above what clocks of machines do.
const DRIFT_DIVISOR: i64 = 5000;
/// A silence after which the run is over.
pub(super) const CAUGHT_UP_AFTER: Duration = Duration::from_millis(250);

/// How far the lines of one connection lie behind.
#[derive(Debug)]
pub(super) struct Lag {
    /// The smallest lag so far: the difference of the clocks and the way.
    floor: Option<i64>,
    /// When the floor was looked at last.
    measured: Timestamp,
    /// When the last [`DOUBTFUL_LINES`] were received, in nanoseconds.
    recent: VecDeque<i64>,
    /// Late lines in a row.
    behind: u64,
    /// Before one of them as many waited as moby holds.
    overdue: bool,
    /// When the last line that was not late was received.
    in_time: Timestamp,
    caught_up: bool,
}

impl Lag {
    pub(super) fn new(now: Timestamp) -> Self {
        let recent = VecDeque::with_capacity(DOUBTFUL_LINES);
        Self { floor: None, measured: now, recent, behind: 0, overdue: false, in_time: now, caught_up: false }
    }

    /// Takes note of a live line.
    pub(super) fn line(&mut self, time: Option<Timestamp>, received: Timestamp) {
        let lag = time.map(|time| self.lag(time, received));
        let late = lag.is_some_and(|lag| lag > LATE_NANOS);
        if late || self.is_long() || (time.is_none() && self.behind > 0) {
            self.behind += 1;
            self.caught_up |= !late;
            let since = received.nanos().saturating_sub(lag.unwrap_or(0));
            self.overdue |= self.recent.len() == DOUBTFUL_LINES && self.recent.front().is_some_and(|front| *front > since);
        } else {
            (self.behind, self.overdue) = (0, false);
            self.in_time = received;
        }
        if self.recent.len() == DOUBTFUL_LINES {
            self.recent.pop_front();
        }
        self.recent.push_back(received.nanos());
    }

    /// How much longer a line was under way than the quickest, in nanoseconds.
    fn lag(&mut self, time: Timestamp, received: Timestamp) -> i64 {
        let lag = received.nanos().saturating_sub(time.nanos());
        let drift = received.nanos().saturating_sub(self.measured.nanos()).max(0) / DRIFT_DIVISOR;
        let floor = self.floor.map_or(lag, |floor| floor.saturating_add(drift).min(lag));
        (self.floor, self.measured) = (Some(floor), received);
        lag.saturating_sub(floor)
    }

    /// The run is long enough for doubt; it is over with the next line in time, or with silence.
    pub(super) fn is_long(&self) -> bool {
        self.overdue && self.behind >= DOUBTFUL_LINES as u64
    }

    /// What is in doubt, once the run is over. `silent`: nothing has come for [`CAUGHT_UP_AFTER`].
    pub(super) fn doubt(&self, silent: bool) -> Option<Doubt> {
        (self.is_long() && (self.caught_up || silent)).then_some(Doubt { lines: self.behind, since: self.in_time })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: i64 = 1_000_000;

    fn at(ms: i64) -> Timestamp {
        Timestamp::from_nanos(1_795_344_577_000_000_000 + ms * MS)
    }

    /// Lines of the given times in ms, received at the given times.
    fn read(lines: impl IntoIterator<Item = (i64, i64)>) -> Lag {
        let mut lag = Lag::new(at(0));
        for (time, received) in lines {
            lag.line(Some(at(time)), at(received));
        }
        lag
    }

    #[test]
    fn a_reader_that_stood_still_is_in_doubt() {
        let stream = (0..100).map(|n| (n, n + 1));
        // It stood still until 3000 and then read at once what had waited.
        let lag = read(stream.clone().chain((100..1200).map(|n| (n, 3000))));
        assert_eq!(lag.doubt(false), None, "there may be more of it");
        assert_eq!(lag.doubt(true), Some(Doubt { lines: 1100, since: at(100) }));
        let lag = read(stream.chain((100..1200).map(|n| (n, 3000))).chain([(2999, 3000), (3000, 3001)]));
        assert_eq!(lag.doubt(false), Some(Doubt { lines: 1102, since: at(100) }));
    }

    #[test]
    fn what_moby_holds_for_a_reader_is_not_lost() {
        let lag = read((0..100).map(|n| (n, n + 1)).chain((100..1000).map(|n| (n, 3000))).chain([(2999, 3000)]));
        assert_eq!((lag.doubt(true), lag.behind), (None, 0));
        // So many lines in so short a time that each late one has a thousand behind its time.
        let busy = read((0..50_000).map(|n| (if n % 8 == 0 { n / 20 - 300 } else { n / 20 }, n / 20 + 1)));
        assert_eq!(busy.doubt(true), None);
        // Slow for a long time, but never with much in front.
        let slow = read((0..10).map(|n| (n, n + 1)).chain((10..5000).map(|n| (n * 3, n * 3 + 200))));
        assert_eq!((slow.doubt(true), slow.behind), (None, 4990));
    }

    #[test]
    fn other_clocks_and_late_events_are_no_doubt() {
        for skew in [-86_400_000, 86_400_000] {
            let busy = (0..5000).map(|n| (n + skew, n + 2));
            assert_eq!(read(busy).doubt(true), None, "{skew}");
        }
        // Each third event comes 300 ms late, as measured under load.
        let unordered = (0..5000).map(|n| (if n % 3 == 0 { n - 300 } else { n }, n + 1));
        assert_eq!(read(unordered).doubt(true), None);
        // A clock that loses 100 ppm: 360 ms in an hour.
        let drifting = (0..36_000).map(|n| (n * 100 - n / 100, n * 100 + 1));
        assert_eq!(read(drifting).doubt(true), None);
    }
}
