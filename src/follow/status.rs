//! How far a follower is, against what the hub has.

use std::collections::VecDeque;
use std::time::Duration;
use tokio::time::Instant;

/// A follower that lags longer while the hub answers is not ready.
pub const MAX_LAG: Duration = Duration::from_secs(10);
/// Ends of the stream that are remembered, each with when it was asked for.
const MAX_SEEN: usize = 64;

/// How far a follower is.
#[derive(Debug, Clone, Default)]
pub struct Status {
    /// Everything up to this place is folded, and durable in the follower's log.
    pub folded: u64,
    /// The newest place of the stream, when the hub last answered.
    pub hub_last: Option<u64>,
    /// Whether the hub answered when it was asked last.
    pub answers: bool,
    /// What the hub refuses, which is tried again.
    pub refused: Option<String>,
    /// Why nothing more is folded, for good.
    pub stopped: Option<String>,
    /// The hub seems to have lost messages that it had when it was asked before.
    pub fallen: bool,
    /// Why one's own newest base was not published.
    pub unpublished: Option<String>,
    /// Another server's base, which is not what the stream gives.
    pub differing: Option<String>,
    /// Why the log is not put in order yet, which waits.
    pub paused: Option<String>,
    /// Ends of the stream that were not folded when they were asked for, oldest first.
    ahead: VecDeque<(Instant, u64)>,
}

impl Status {
    /// How long the oldest message that is known and not folded has been known.
    pub fn lag(&self, now: Instant) -> Duration {
        self.ahead.front().map_or(Duration::ZERO, |(seen, _)| now.saturating_duration_since(*seen))
    }

    /// Whether readers may be sent here: not after an alarm, not where the hub refuses this server, and not
    /// far from the head. A dead hub is no reason against it: others would have no more.
    pub fn is_ready(&self, now: Instant) -> bool {
        self.stopped.is_none() && self.refused.is_none() && !(self.answers && self.lag(now) > MAX_LAG)
    }

    /// What somebody should know, though readers may be sent here.
    pub fn warnings(&self) -> impl Iterator<Item = &String> {
        [&self.paused, &self.differing, &self.unpublished].into_iter().flatten()
    }

    pub(super) fn fold_to(&mut self, place: u64) {
        self.folded = place;
        while self.ahead.front().is_some_and(|(_, last)| *last <= place) {
            self.ahead.pop_front();
        }
    }

    pub(super) fn saw_end(&mut self, now: Instant, last: u64) {
        (self.answers, self.hub_last) = (true, Some(last));
        // A hub that lost its newest messages has less to wait for, and that since the same time.
        self.ahead.iter_mut().for_each(|(_, known)| *known = (*known).min(last));
        while self.ahead.front().is_some_and(|(_, known)| *known <= self.folded) {
            self.ahead.pop_front();
        }
        if last <= self.folded || self.ahead.back().is_some_and(|(_, known)| *known >= last) {
            return;
        }
        // The oldest one says how long, the newest one for what.
        if self.ahead.len() == MAX_SEEN {
            self.ahead.pop_back();
        }
        self.ahead.push_back((now, last));
    }
}

#[cfg(test)]
impl Status {
    /// One that has folded all that it knows of.
    pub(crate) fn current(answers: bool, stopped: Option<&str>) -> Self {
        Self { folded: 5, hub_last: Some(5), answers, stopped: stopped.map(str::to_owned), ..Self::default() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lag_is_the_time_since_the_oldest_end_that_is_not_folded() {
        let (now, second) = (Instant::now(), Duration::from_secs(1));
        let mut status = Status::default();
        status.fold_to(5);
        status.saw_end(now, 5);
        assert_eq!(status.lag(now + 60 * second), Duration::ZERO);
        for n in 1..=200u32 {
            status.saw_end(now + n * second, 5 + u64::from(n));
        }
        assert_eq!(status.lag(now + 200 * second), 199 * second);
        assert!(!status.is_ready(now + 200 * second));
        // A dead hub keeps nobody from what is here.
        status.answers = false;
        assert!(status.is_ready(now + 200 * second));
        status.answers = true;
        status.fold_to(60);
        assert_eq!(status.lag(now + 60 * second), 4 * second);
        status.fold_to(205);
        assert_eq!((status.lag(now + 999 * second), status.is_ready(now + 999 * second)), (Duration::ZERO, true));
        // What the hub has lost is not waited for.
        status.saw_end(now + 1000 * second, 300);
        status.saw_end(now + 1001 * second, 250);
        assert_eq!(status.lag(now + 1006 * second), 6 * second);
        status.saw_end(now + 1002 * second, 205);
        assert_eq!(status.lag(now + 1006 * second), Duration::ZERO);
        status.stopped = Some("a base differs".to_owned());
        assert!(!status.is_ready(now));
    }
}
