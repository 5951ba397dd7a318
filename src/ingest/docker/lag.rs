//! Whether the daemon may have dropped events for us without a word. Nothing is repaired here: what is in
//! doubt is told, and the recorder judges by it.
//!
//! moby gives each subscriber a channel of 1,024 events. Once that is full, an event waits 100 ms for a place
//! and is then dropped, and nothing in the stream tells (`daemon/events/events.go`, `pubsub`). This happens
//! to a reader that stands still: a stopped process, a suspended machine, one without processor time.
//! Afterwards the reader gets a long run of events that are old by then. How many events waited in front of
//! one is the number that was read between its own time and the moment it was read. So a run of late lines is
//! in doubt if as many waited as the channel holds, and what was read in it proves nothing about what came
//! before.
//!
//! A line is late compared with the quickest line so far. That comparison must follow the daemon's clock when
//! it is set. A step forward shows at once, as lines that are quicker than any before. A step back shows in
//! one of two ways: times fall, and stay low ([`Back`]); or, after a silence, lines are late and do not catch
//! up although we wait for each of them ([`Run::keeps_pace`]), while lines that had waited for us would come
//! at once.

use crate::ingest::Doubt;
use crate::time::Timestamp;
use std::collections::VecDeque;
use std::time::Duration;

/// Lines that wait in moby's channel before any is dropped, less a margin for lines in which the clocks are
/// unsteady.
const DOUBTFUL_LINES: usize = 1000;
/// How long moby lets an event wait.
const LATE_NANOS: i64 = 100_000_000;
/// The daemon's clock may go slower than ours by this much: 200 ppm, above what clocks of machines do.
const DRIFT_DIVISOR: i64 = 5000;
/// A silence after which the run is over.
pub(super) const CAUGHT_UP_AFTER: Duration = Duration::from_millis(250);
/// Times that fall by more than this, in nanoseconds, are no disorder: the worst that was measured under load
/// is 335 ms.
const BACK_NANOS: i64 = 400_000_000;
/// So many lines show where the daemon's clock is: one event may carry another time (Swarm's carry the time
/// of a decision).
const BACK_LINES: u32 = 8;
/// A silence in front of the first line after a step that counts as silence of the daemon, not as standing
/// still of ours; in nanoseconds.
const BACK_SILENCE_NANOS: i64 = 1_000_000_000;
/// A wait for a line, in nanoseconds: lines that wait for us come far quicker.
const WAIT_NANOS: i64 = 2_000_000;
/// A run that keeps pace is as long as this, in nanoseconds and in lines.
const PACE_NANOS: i64 = 500_000_000;
const PACE_LINES: u64 = 20;

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
    /// The newest time of any line since the daemon's clock was set back last, in nanoseconds.
    newest: Option<i64>,
    /// Lines whose times were near the newest then.
    shown_by: u32,
    back: Option<Back>,
    run: Option<Run>,
}

/// Lines in a row whose times are far before the newest.
#[derive(Debug, Clone, Copy)]
struct Back {
    lines: u32,
    /// By how much the first of them raised the lag, in nanoseconds, as far as standing still does not
    /// explain it.
    by: i64,
}

/// The late lines in a row.
#[derive(Debug, Clone, Copy)]
struct Run {
    /// Time and time of receipt of the first, in nanoseconds.
    first: (i64, i64),
    /// What of the time since then we have waited for lines.
    waited: i64,
    /// The smallest difference of receipt and time.
    lowest: i64,
}

impl Run {
    /// Lines come as far apart as they happened, and we wait for them: nothing waits for us.
    fn keeps_pace(&self, time: i64, received: i64) -> bool {
        let (happened, took) = (time.saturating_sub(self.first.0), received.saturating_sub(self.first.1));
        let alike = took.saturating_mul(10) >= happened.saturating_mul(9) && happened.saturating_mul(2) >= took;
        took >= PACE_NANOS && alike && self.waited.saturating_mul(2) >= took
    }
}

impl Lag {
    pub(super) fn new(now: Timestamp) -> Self {
        let recent = VecDeque::with_capacity(DOUBTFUL_LINES);
        let (floor, newest, shown_by, back, run) = (None, None, 0, None, None);
        Self { floor, measured: now, recent, behind: 0, overdue: false, in_time: now, caught_up: false, newest, shown_by, back, run }
    }

    /// Takes note of a live line.
    pub(super) fn line(&mut self, time: Option<Timestamp>, received: Timestamp) {
        let waited = self.recent.back().map_or(0, |last| received.nanos().saturating_sub(*last));
        let time = time.filter(|time| self.is_of_this_clock(time.nanos(), waited));
        let lag = time.map(|time| self.lag(time, received));
        let late = lag.is_some_and(|lag| lag > LATE_NANOS);
        if late || self.is_long() || (time.is_none() && self.behind > 0) {
            self.behind += 1;
            self.caught_up |= !late;
            let since = received.nanos().saturating_sub(lag.unwrap_or(0));
            self.overdue |= self.recent.len() == DOUBTFUL_LINES && self.recent.front().is_some_and(|front| *front > since);
            if let Some(time) = time {
                self.follow(time.nanos(), received, waited);
            }
        } else {
            self.end_run(received);
        }
        if self.recent.len() == DOUBTFUL_LINES {
            self.recent.pop_front();
        }
        self.recent.push_back(received.nanos());
    }

    fn end_run(&mut self, received: Timestamp) {
        (self.behind, self.overdue, self.run) = (0, false, None);
        self.in_time = received;
    }

    /// Follows a run of late lines, and the daemon's clock if that is what makes them late.
    fn follow(&mut self, time: i64, received: Timestamp, waited: i64) {
        let difference = received.nanos().saturating_sub(time);
        let Some(run) = &mut self.run else {
            self.run = Some(Run { first: (time, received.nanos()), waited: 0, lowest: difference });
            return;
        };
        run.lowest = run.lowest.min(difference);
        run.waited = run.waited.saturating_add(if waited >= WAIT_NANOS { waited } else { 0 });
        let run = *run;
        if self.behind >= PACE_LINES && run.keeps_pace(time, received.nanos()) && !self.is_long() {
            self.floor = Some(run.lowest);
            (self.newest, self.shown_by, self.back) = (Some(time), BACK_LINES, None);
            self.end_run(received);
        }
    }

    /// Whether a time can be compared with those before it. Not if it is far before them; once a number of
    /// lines in a row are, the clock was set back, and what they are compared with is moved by as much. It
    /// takes as many lines to know what the clock showed before.
    fn is_of_this_clock(&mut self, time: i64, waited: i64) -> bool {
        let newest = self.newest.unwrap_or(time);
        let fell = newest.saturating_sub(time);
        if fell <= BACK_NANOS {
            (self.newest, self.back) = (Some(newest.max(time)), None);
            self.shown_by = self.shown_by.saturating_add(1);
            return true;
        }
        if self.shown_by < BACK_LINES {
            return true;
        }
        let silence = if self.behind == 0 { waited.clamp(0, BACK_SILENCE_NANOS) } else { 0 };
        let back = self.back.get_or_insert(Back { lines: 0, by: fell.saturating_add(silence) });
        back.lines += 1;
        if back.lines < BACK_LINES {
            return false;
        }
        let by = back.by;
        self.floor = self.floor.map(|floor| floor.saturating_add(by));
        (self.newest, self.shown_by, self.back) = (Some(time), BACK_LINES, None);
        true
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
mod tests;
