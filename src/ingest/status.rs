//! How a source is doing, for people and for `/readyz`.

use crate::time::Timestamp;
use parking_lot::Mutex;
use std::sync::Arc;

/// Whether events are coming in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum SourceState {
    /// Not connected yet; nothing has gone wrong so far.
    Connecting,
    /// The event stream is open.
    Connected,
    /// The last attempt failed, the stream broke or the daemon answers no pings; it is being tried again.
    Error,
}

/// A source at one moment.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct SourceStatus {
    /// Name of the Docker host.
    pub name: String,
    /// Where it is: `unix:///var/run/docker.sock`.
    pub endpoint: String,
    /// Whether events are coming in.
    pub state: SourceState,
    /// What went wrong last; `None` while connected.
    pub error: Option<String>,
    /// What a person can do about it.
    pub hint: Option<String>,
    /// Version of the Docker Engine last connected to.
    pub engine: Option<String>,
    /// Since when `state` is what it is, as RFC 3339.
    #[serde(serialize_with = "as_text")]
    pub since: Timestamp,
    /// Events read, those replayed by the daemon included.
    pub events: u64,
    /// Connections made.
    pub connects: u64,
    /// When the last event was read, as RFC 3339.
    #[serde(serialize_with = "as_optional_text")]
    pub last_event: Option<Timestamp>,
}

/// A shared view of one source's status; the source writes it, anybody reads it.
#[derive(Debug, Clone)]
pub struct StatusHandle(Arc<Mutex<SourceStatus>>);

impl StatusHandle {
    /// For a source that has not run yet.
    pub fn new(name: &str, endpoint: impl Into<String>) -> Self {
        Self(Arc::new(Mutex::new(SourceStatus {
            name: name.to_owned(),
            endpoint: endpoint.into(),
            state: SourceState::Connecting,
            error: None,
            hint: None,
            engine: None,
            since: Timestamp::now(),
            events: 0,
            connects: 0,
            last_event: None,
        })))
    }

    /// The status now.
    pub fn get(&self) -> SourceStatus {
        self.0.lock().clone()
    }

    /// The event stream is open.
    pub(super) fn connected(&self, engine: &str) {
        let mut status = self.0.lock();
        status.enter(SourceState::Connected);
        status.engine = Some(engine.to_owned());
        status.connects += 1;
        (status.error, status.hint) = (None, None);
    }

    /// Something went wrong.
    pub(super) fn failed(&self, error: &str, hint: Option<String>) {
        let mut status = self.0.lock();
        status.enter(SourceState::Error);
        status.hint = hint;
        status.error = Some(error.to_owned());
    }

    /// `events` more were read, the last of them at `at`.
    pub(super) fn read(&self, events: u64, at: Timestamp) {
        let mut status = self.0.lock();
        status.events += events;
        status.last_event = Some(at);
    }
}

impl SourceStatus {
    fn enter(&mut self, state: SourceState) {
        if self.state != state {
            self.state = state;
            self.since = Timestamp::now();
        }
    }
}

#[allow(clippy::trivially_copy_pass_by_ref, reason = "the signature that serde asks for")]
fn as_text<S: serde::Serializer>(time: &Timestamp, to: S) -> Result<S::Ok, S::Error> {
    to.collect_str(time)
}

#[allow(clippy::ref_option, reason = "the signature that serde asks for")]
fn as_optional_text<S: serde::Serializer>(time: &Option<Timestamp>, to: S) -> Result<S::Ok, S::Error> {
    match time {
        Some(time) => to.collect_str(time),
        None => to.serialize_none(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn serializes_for_pages() {
        let status = StatusHandle::new("local", "unix:///x");
        status.failed("no socket", Some("install Docker".to_owned()));
        status.failed("refused", None);
        let json = serde_json::to_value(status.get()).unwrap();
        assert_eq!(json["state"], "error");
        assert_eq!(json["error"], "refused");
        assert_eq!(json["last_event"], serde_json::Value::Null);
        assert!(json["since"].as_str().unwrap().ends_with('Z'));
        status.connected("29.1.0");
        status.read(3, Timestamp::from_nanos(5));
        let now = status.get();
        assert_eq!((now.state, now.error, now.events, now.connects), (SourceState::Connected, None, 3, 1));
    }
}
