//! How forwarding is, for whoever asks.

use crate::cursor::Sequence;
use crate::time::Timestamp;
use parking_lot::Mutex;
use std::sync::Arc;

/// Characters of an error that are kept: a hub may answer anything.
const MAX_ERROR_CHARS: usize = 300;

/// What a forwarder is doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, serde::Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum ForwardState {
    /// Nothing has been heard of the hub yet.
    #[default]
    Connecting,
    /// The hub has what the log has, but for the newest records.
    Live,
    /// The hub lacks more than one message's records.
    CatchingUp,
    /// The hub does not answer, or cannot store anything now; the log, where it cannot be read.
    Unavailable,
    /// The hub does not let this host in, or cannot be used: somebody has to change something.
    Refused,
    /// Another recorder publishes for this log.
    Conflict,
}

/// How forwarding is.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Forwarded {
    /// What the forwarder is doing.
    pub state: ForwardState,
    /// What is wrong, if something is.
    pub error: Option<String>,
    /// The last record that the hub has; absent while it has not been asked.
    pub acknowledged: Option<Sequence>,
    /// Records that the hub lacks; all that there are, while it has not been asked.
    pub behind_records: u64,
    /// Since when the hub lacks the oldest of them, in seconds.
    pub behind_seconds: u64,
    /// Records that the hub has taken since the program began.
    pub records: u64,
    /// Messages in which they were.
    pub messages: u64,
    /// Bytes of these messages.
    pub bytes: u64,
    /// Records that were reported as missing.
    pub missing: u64,
}

#[derive(Debug, Default)]
struct Inner {
    state: ForwardState,
    error: Option<String>,
    acknowledged: Option<Sequence>,
    waiting_since: Option<Timestamp>,
    records: u64,
    messages: u64,
    bytes: u64,
    missing: u64,
}

/// Written by the forwarder, read by everybody.
#[derive(Debug, Clone, Default)]
pub struct ForwardStatus(Arc<Mutex<Inner>>);

impl ForwardStatus {
    /// How it is, when the log goes up to `head` and the time is `now`.
    pub fn get(&self, head: Sequence, now: Timestamp) -> Forwarded {
        let inner = self.0.lock();
        let behind_records = head.saturating_sub(inner.acknowledged.unwrap_or(0));
        let since = inner.waiting_since.filter(|_| behind_records > 0);
        Forwarded {
            state: inner.state,
            error: inner.error.clone(),
            acknowledged: inner.acknowledged,
            behind_records,
            behind_seconds: since.map_or(0, |since| now.since(since).as_secs()),
            records: inner.records,
            messages: inner.messages,
            bytes: inner.bytes,
            missing: inner.missing,
        }
    }

    /// Gives whether the state is another one now.
    pub(super) fn set(&self, state: ForwardState, error: Option<&str>, acknowledged: Option<Sequence>) -> bool {
        let mut inner = self.0.lock();
        let changed = inner.state != state;
        inner.state = state;
        inner.error = error.map(|error| error.chars().take(MAX_ERROR_CHARS).collect());
        inner.acknowledged = acknowledged;
        changed
    }

    /// A record waits, if none did.
    pub(super) fn waits_since(&self, time: Timestamp) {
        self.0.lock().waiting_since.get_or_insert(time);
    }

    /// The oldest record that waits is of this time; nothing waits.
    pub(super) fn set_waiting(&self, since: Option<Timestamp>) {
        self.0.lock().waiting_since = since;
    }

    pub(super) fn count(&self, records: u64, bytes: usize, missing: u64) {
        let mut inner = self.0.lock();
        inner.messages += 1;
        inner.records += records;
        inner.bytes += bytes as u64;
        inner.missing += missing;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn the_lag_is_that_of_the_oldest_record_that_waits() {
        let (status, now) = (ForwardStatus::default(), Timestamp::now());
        let lag = |status: &ForwardStatus, head, seconds| {
            let forwarded = status.get(head, now.checked_add(Duration::from_secs(seconds)).unwrap());
            (forwarded.acknowledged, forwarded.behind_records, forwarded.behind_seconds)
        };
        status.waits_since(now);
        assert_eq!(lag(&status, 10, 5), (None, 10, 5), "while the hub has not been asked, it lacks everything");
        assert!(status.set(ForwardState::Live, None, Some(10)));
        assert_eq!(lag(&status, 10, 5), (Some(10), 0, 0));
        status.set_waiting(None);
        status.waits_since(now.checked_add(Duration::from_secs(3)).unwrap());
        status.waits_since(now.checked_add(Duration::from_secs(4)).unwrap());
        assert_eq!(lag(&status, 12, 5), (Some(10), 2, 2));
        assert!(!status.set(ForwardState::Live, Some(&"x".repeat(1000)), Some(12)));
        assert_eq!(status.get(12, now).error.map(|error| error.len()), Some(MAX_ERROR_CHARS));
    }
}
