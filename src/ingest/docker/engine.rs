//! What is asked of the daemon beside the event stream, on connections of its own. Pings go through bollard.
//! Everything else does not: bollard would read the answers into closed types, and how large they are is the
//! daemon's choice (`ask.rs`, `lists`).

use super::Timing;
use super::ask::{AskError, Extent, Limits, Question, ask, ask_for_one, read};
use super::connection::LOGIN;
use super::error::GATEWAY_ERRORS;
use super::lists::{Entry, Fields, Shape};
use super::transport::Transport;
use crate::ingest::endpoint::Endpoint;
use crate::text::printable;
use bollard::errors::Error;
use bollard::{API_DEFAULT_VERSION, Docker};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::Duration;
use tokio::time::{sleep, timeout};

/// bollard's own limit for an answer. Ours are shorter; this one is for what they do not cover.
const BOLLARD_TIMEOUT_SECONDS: u64 = 20;
/// For the URLs that bollard makes. Where they lead is the transport's business.
const ANY_HOST: &str = "http://docker";
/// What stands for a version that the daemon would not tell.
const UNKNOWN: &str = "unknown";
/// Unanswered pings in a row before the daemon counts as silent.
const PINGS_MISSED_MAX: u32 = 2;
/// Between two pings of which the first failed at once.
const PING_AGAIN_AFTER: Duration = Duration::from_secs(1);

/// Of an answer about the version, and of the version in it.
const VERSION: Limits = Limits { bytes: 256 << 10, entry_bytes: 256 << 10 };
const MAX_VERSION_CHARS: usize = 100;
/// Of a list: 20,000 containers with fifty labels each are half of it. An entry has labels and ports of any
/// number.
const LIST: Limits = Limits { bytes: 128 << 20, entry_bytes: 1 << 20 };
/// Of an inspection, which is one entry.
const INSPECTION: Limits = Limits { bytes: 4 << 20, entry_bytes: 4 << 20 };
/// Of what a container printed last: Docker cuts lines at 16 KiB, so that 64 of the longest fit.
const MAX_LOGS_BYTES: u64 = 1 << 20;

/// A daemon to ask things.
#[derive(Clone)]
pub(super) struct Engine {
    pub(super) docker: Docker,
    transport: Arc<Transport>,
    ping_every: Duration,
    ping_timeout: Duration,
    /// How long an answer may take for which a connection may have to be made.
    first_answer: Duration,
}

impl Engine {
    /// Connects lazily.
    pub(super) fn new(endpoint: &Endpoint, timing: &Timing) -> Result<Self, Error> {
        let transport = Transport::new(endpoint, timing);
        let requests = Arc::clone(&transport);
        let request = move |request| Arc::clone(&requests).request(request);
        // Never versioned: bollard leaves the prefix out, and every daemon serves that.
        let docker = Docker::connect_with_custom_transport(request, Some(ANY_HOST), BOLLARD_TIMEOUT_SECONDS, API_DEFAULT_VERSION)?;
        let login = if matches!(endpoint, Endpoint::Ssh(_)) { LOGIN } else { Duration::ZERO };
        Ok(Self {
            docker,
            transport,
            ping_every: timing.ping_every,
            ping_timeout: timing.ping_timeout,
            first_answer: login + timing.answer,
        })
    }

    /// The Engine's version, or `unknown`: a proxy may forbid the question, which is no reason not to record.
    pub(super) async fn version(&self) -> String {
        match timeout(self.first_answer, ask_for_one(&self.transport, Question::plain("/version"), VERSION)).await {
            Ok(Ok(answer)) => version(&answer).unwrap_or_else(|| UNKNOWN.to_owned()),
            Ok(Err(error)) => {
                tracing::debug!(%error, "the daemon does not tell its version");
                UNKNOWN.to_owned()
            }
            Err(_) => UNKNOWN.to_owned(),
        }
    }

    /// Gives `sink` each entry of a list.
    pub(super) async fn list(
        &self,
        path: &'static str,
        shape: Shape,
        sink: &mut (dyn FnMut(Entry<'_>) + Send),
    ) -> Result<Extent, AskError> {
        ask(&self.transport, Question::plain(path), shape, LIST, sink).await
    }

    /// What inspecting a container gives, as it came.
    pub(super) async fn inspect(&self, id: &str) -> Result<String, AskError> {
        const PATH: &str = "/containers/ID/json";
        can_be_asked_for(PATH, id)?;
        ask_for_one(&self.transport, Question { path: PATH, url: &format!("/containers/{id}/json") }, INSPECTION).await
    }

    /// Gives `sink` the last `lines` of a container's output, each with its time, as they come.
    pub(super) async fn logs(&self, id: &str, lines: u32, sink: &mut (dyn FnMut(&[u8]) + Send)) -> Result<Extent, AskError> {
        const PATH: &str = "/containers/ID/logs";
        can_be_asked_for(PATH, id)?;
        let url = format!("/containers/{id}/logs?stdout=1&stderr=1&timestamps=1&tail={lines}");
        read(&self.transport, Question { path: PATH, url: &url }, MAX_LOGS_BYTES, sink).await
    }

    /// Returns when the daemon does not answer any more although its stream is open. Docker sends nothing
    /// while there are no events, so a quiet daemon and one that hangs look the same otherwise. The reader of
    /// the stream sets `heard`. A dead TCP peer is noticed by keep-alive (`wire`).
    pub(super) async fn silence(&self, heard: &AtomicBool) {
        let mut missed: u32 = 0;
        while missed < PINGS_MISSED_MAX {
            sleep(if missed == 0 { self.ping_every } else { PING_AGAIN_AFTER.min(self.ping_every) }).await;
            if heard.swap(false, Relaxed) || self.answers().await {
                missed = 0;
            } else {
                missed += 1;
            }
        }
    }

    /// Any HTTP answer counts, since a proxy may forbid pings; but not the answer of a proxy that waits for
    /// the daemon in vain.
    async fn answers(&self) -> bool {
        match timeout(self.ping_timeout, self.docker.ping()).await {
            Ok(Ok(_)) => true,
            Ok(Err(Error::DockerResponseServerError { status_code, .. })) => !GATEWAY_ERRORS.contains(&status_code),
            Ok(Err(_)) | Err(_) => false,
        }
    }
}

/// Docker's ids are hexadecimal digits. Whatever else a daemon gives as an id must not turn the path into
/// another question.
fn can_be_asked_for(path: &'static str, id: &str) -> Result<(), AskError> {
    if id.is_empty() || !id.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-')) {
        return Err(AskError::Unreadable { path, why: "it has no id that could be asked for".to_owned() });
    }
    Ok(())
}

/// The version in an answer; of a shape that is not known, none.
fn version(answer: &str) -> Option<String> {
    let fields = Fields::of(answer).ok()?;
    Some(printable(&fields.text("Version")?, MAX_VERSION_CHARS))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_version_is_short_and_acts_on_no_terminal() {
        assert_eq!(version(r#"{"Version":"20.10.24","Components":null,"GitCommit":5}"#).as_deref(), Some("20.10.24"));
        assert_eq!(version(r#"{"Version":4.3}"#).as_deref(), Some("4.3"));
        for none in ["[]", "{}", r#"{"Version":null}"#, r#"{"Version":""}"#, r#"{"Version":{}}"#, "<html>"] {
            assert_eq!(version(none), None, "{none}");
        }
        let long = version(&format!(r#"{{"Version":"\u001b[2J\u202e{}"}}"#, "9".repeat(5000))).unwrap();
        assert!(long.chars().count() <= MAX_VERSION_CHARS && !long.contains(['\u{1b}', '\u{202e}']), "{long}");
    }
}
