//! Deadlines, in their own order.

use super::kinds::Key;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(super) enum Timer {
    /// A death is judged.
    Death(String),
    /// An `oom` without a death.
    Oom(String),
    /// A `network disconnect` without a start.
    Refused(String),
    /// A container that took another's place and was not started.
    NeverStarted(String),
    /// A pause is long.
    Paused(String),
    /// No start came when the daemon would have made one.
    Down(Key),
    /// It is up for longer than it ever was.
    Recovering(Key),
    /// It is up for long enough.
    Well(Key),
    /// A stop or a removal stays the end.
    Final(Key),
    /// The daemon's restart is told: first, and for good.
    Aftermath(bool),
}

/// One deadline for each timer.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Timers {
    order: BTreeSet<(i64, Timer)>,
    due: BTreeMap<Timer, i64>,
}

impl Timers {
    /// Sets a timer, whatever it was set to.
    pub(super) fn arm(&mut self, timer: Timer, deadline: i64) {
        self.disarm(&timer);
        self.due.insert(timer.clone(), deadline);
        self.order.insert((deadline, timer));
    }

    pub(super) fn disarm(&mut self, timer: &Timer) {
        if let Some(deadline) = self.due.remove(timer) {
            self.order.remove(&(deadline, timer.clone()));
        }
    }

    pub(super) fn is_armed(&self, timer: &Timer) -> bool {
        self.due.contains_key(timer)
    }

    pub(super) fn is_due(&self, now: i64) -> bool {
        self.order.first().is_some_and(|(deadline, _)| *deadline <= now)
    }

    /// The first deadline.
    pub(super) fn next(&self) -> Option<i64> {
        self.order.first().map(|(deadline, _)| *deadline)
    }

    /// The next one that is due, which is set no more.
    pub(super) fn pop(&mut self, now: i64) -> Option<(i64, Timer)> {
        if !self.is_due(now) {
            return None;
        }
        let (deadline, timer) = self.order.pop_first()?;
        self.due.remove(&timer);
        Some((deadline, timer))
    }
}
