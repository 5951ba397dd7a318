//! A Docker host: its event stream, read for ever.

mod connection;
mod dial;
mod engine;
mod error;
mod hints;
mod observe;
mod reading;
mod replay;
mod retry;
mod ssh;
mod tls;
mod transport;
mod wire;

pub use error::IngestError;
pub use observe::MAX_CONTAINERS;
pub use replay::RING_LINES;

use super::endpoint::DockerHost;
use super::{Input, Source, SourceFeed, StatusHandle, stopped};
use connection::Connection;
use dial::Dialer;
use engine::Engine;
use observe::Observer;
use reading::{End, Reading};
use retry::Backoff;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;
use tokio::time::Instant;
use wire::EventStream;

/// How long things may take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Timing {
    /// For a connection.
    pub connect: Duration,
    /// For an answer to a short request, and for the headers of the event stream.
    pub answer: Duration,
    /// A silence this long ends the replay.
    pub replay_quiet: Duration,
    /// Between looks at whether the daemon still answers.
    pub ping_every: Duration,
    /// For an answer to a ping.
    pub ping_timeout: Duration,
    /// The first wait before connecting again; it doubles from there.
    pub retry_first: Duration,
    /// The longest wait before connecting again.
    pub retry_max: Duration,
    /// After a connection that lived this long, waits start from the first again.
    pub retry_reset_after: Duration,
}

impl Default for Timing {
    /// A daemon that hangs is noticed within 5 + 4 + 1 + 4 = 14 s.
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(5),
            answer: Duration::from_secs(5),
            replay_quiet: Duration::from_millis(250),
            ping_every: Duration::from_secs(5),
            ping_timeout: Duration::from_secs(4),
            retry_first: Duration::from_millis(200),
            retry_max: Duration::from_secs(10),
            retry_reset_after: Duration::from_secs(10),
        }
    }
}

/// Follows one Docker Engine (or Podman) over its API. Only GET requests are ever sent.
pub struct DockerSource {
    host: DockerHost,
    timing: Timing,
    dialer: Dialer,
    observer: Observer,
}

/// An event stream that was just opened.
struct Opened {
    stream: EventStream,
    /// For pings and inspections; `None` where bollard does not take the endpoint.
    engine: Option<Engine>,
    version: String,
}

impl DockerSource {
    /// For `host`, with the usual timing.
    pub fn new(host: DockerHost) -> Self {
        Self::with_timing(host, Timing::default())
    }

    /// For `host`, with another timing.
    pub fn with_timing(host: DockerHost, timing: Timing) -> Self {
        let dialer = Dialer::new(&host.endpoint, &timing);
        Self { host, timing, dialer, observer: Observer::default() }
    }

    async fn open(&self) -> Result<Opened, IngestError> {
        let connection = Connection::open(&self.dialer).await?;
        let engine = match Engine::new(&self.host.endpoint, &self.timing) {
            Ok(engine) => Some(engine),
            Err(error) => {
                tracing::warn!(docker.host = %self.host.name, %error, "no pings and inspections, only events");
                None
            }
        };
        let version = match &engine {
            Some(engine) => engine.version().await,
            None => "unknown".to_owned(),
        };
        // Last, so that nothing waits while the daemon writes.
        let stream = EventStream::open(connection, &self.timing).await?;
        Ok(Opened { stream, engine, version })
    }

    /// One connection, from opening it to its end.
    async fn connect_and_read(&self, feed: &mut SourceFeed, status: &StatusHandle, reason: &mut String, backoff: &mut Backoff) -> End {
        if !feed.reserve().await {
            return End::Closed;
        }
        let opened = match self.open().await {
            Ok(opened) => opened,
            Err(error) => return End::Failed(error),
        };
        status.connected(&opened.version);
        tracing::info!(docker.host = %self.host.name, docker.engine = %opened.version, %reason, "connected");
        feed.send_reserved(Input::Connected { engine: opened.version, reason: std::mem::take(reason) });
        let since = Instant::now();
        let host = Arc::clone(&self.host.name);
        let end = Reading::new(feed, status, &self.timing, opened.stream).run(host, opened.engine, self.observer.clone()).await;
        if since.elapsed() > self.timing.retry_reset_after {
            backoff.reset();
        }
        if let End::Failed(error) = &end {
            *reason = error.to_string();
            feed.send_reserved(Input::Disconnected { reason: reason.clone() });
        }
        end
    }

    fn tell_failure(&self, error: &IngestError, status: &StatusHandle) {
        let hint = error.hint(&self.host.endpoint);
        if status.failed(&error.to_string(), hint.clone()) {
            let hint = hint.unwrap_or_default();
            tracing::warn!(docker.host = %self.host.name, docker.endpoint = %self.host.endpoint, %error, hint, "not connected, trying again");
        }
    }
}

#[async_trait::async_trait]
impl Source for DockerSource {
    fn name(&self) -> Arc<str> {
        Arc::clone(&self.host.name)
    }

    fn endpoint(&self) -> String {
        self.host.endpoint.to_string()
    }

    async fn run(self: Box<Self>, mut feed: SourceFeed, status: StatusHandle, mut shutdown: watch::Receiver<bool>) {
        let mut backoff = Backoff::new(self.timing.retry_first, self.timing.retry_max);
        let mut reason = "start".to_owned();
        loop {
            let connects = status.get().connects;
            let end = tokio::select! {
                biased;
                () = stopped(&mut shutdown) => End::Closed,
                end = self.connect_and_read(&mut feed, &status, &mut reason, &mut backoff) => end,
            };
            let End::Failed(error) = end else {
                if status.get().connects > connects {
                    feed.send_reserved(Input::Disconnected { reason: "shutdown".to_owned() });
                }
                return;
            };
            self.tell_failure(&error, &status);
            tokio::select! {
                biased;
                () = stopped(&mut shutdown) => return,
                () = tokio::time::sleep(backoff.wait()) => {}
            }
        }
    }
}

#[cfg(test)]
mod tests;
