//! What is asked of the daemon beside the event stream, through bollard, on connections of their own.

use super::Timing;
use super::connection::LOGIN;
use super::transport::Transport;
use crate::ingest::endpoint::Endpoint;
use bollard::errors::Error;
use bollard::{API_DEFAULT_VERSION, Docker};
use std::ops::RangeInclusive;
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
/// With these a proxy says that nobody behind it answers.
const GATEWAY_ERRORS: RangeInclusive<u16> = 502..=504;
/// Between two pings of which the first failed at once.
const PING_AGAIN_AFTER: Duration = Duration::from_secs(1);

/// A daemon to ask things.
#[derive(Clone)]
pub(super) struct Engine {
    pub(super) docker: Docker,
    ping_every: Duration,
    ping_timeout: Duration,
    /// For an answer that a connection may have to be made for.
    first_answer: Duration,
}

impl Engine {
    /// Connects lazily.
    pub(super) fn new(endpoint: &Endpoint, timing: &Timing) -> Result<Self, Error> {
        let transport = Transport::new(endpoint, timing);
        let request = move |request| Arc::clone(&transport).request(request);
        // Never versioned: bollard leaves the prefix out, and every daemon serves that.
        let docker = Docker::connect_with_custom_transport(request, Some(ANY_HOST), BOLLARD_TIMEOUT_SECONDS, API_DEFAULT_VERSION)?;
        let login = if matches!(endpoint, Endpoint::Ssh(_)) { LOGIN } else { Duration::ZERO };
        Ok(Self { docker, ping_every: timing.ping_every, ping_timeout: timing.ping_timeout, first_answer: login + timing.answer })
    }

    /// The Engine's version, or `unknown`: a proxy may forbid the question, which is no reason not to record.
    pub(super) async fn version(&self) -> String {
        match timeout(self.first_answer, self.docker.version()).await {
            Ok(Ok(version)) => version.version.filter(|v| !v.is_empty()).unwrap_or_else(|| UNKNOWN.to_owned()),
            Ok(Err(error)) => {
                tracing::debug!(%error, "the daemon does not tell its version");
                UNKNOWN.to_owned()
            }
            Err(_) => UNKNOWN.to_owned(),
        }
    }

    /// Comes back when the daemon does not answer any more although its stream is open. Docker sends nothing while there are no
    /// events, so a quiet daemon and one that hangs look the same otherwise. `heard` is set by whoever reads the stream.
    /// A dead TCP peer is noticed by keep-alive (`wire`).
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

    /// Any HTTP answer is one: a proxy may forbid pings. But not that of a proxy which waits for the daemon in vain.
    async fn answers(&self) -> bool {
        match timeout(self.ping_timeout, self.docker.ping()).await {
            Ok(Ok(_)) => true,
            Ok(Err(Error::DockerResponseServerError { status_code, .. })) => !GATEWAY_ERRORS.contains(&status_code),
            Ok(Err(_)) | Err(_) => false,
        }
    }
}
