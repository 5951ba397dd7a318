//! A Docker host: its event stream, read for ever, and beside it what lists, inspections and logs tell. Only
//! GET requests are sent, so nothing can be changed at the daemon. What came is passed on, also what was
//! recorded before: the recorder drops that.

mod ask;
mod connection;
mod dial;
mod engine;
mod error;
mod failure;
#[cfg(fuzzing)]
#[doc(hidden)]
pub mod fuzzing;
mod health;
mod heard;
mod hints;
mod lag;
mod lists;
mod observe;
mod probation;
mod reading;
mod replay;
mod retry;
mod ssh;
mod tls;
mod told;
mod transport;
mod wire;

pub use error::IngestError;
pub use observe::{MAX_CONTAINERS, MAX_LISTED};
pub use replay::RING_LINES;

pub(in crate::ingest) use health::by_exec_type;

use super::endpoint::DockerHost;
use super::{Source, SourceSender, StatusHandle};
use crate::shutdown::Shutdown;
use crate::time::Timestamp;
use connection::Connection;
use dial::Dialer;
use engine::Engine;
use failure::{Failures, Watch};
use observe::Observer;
use reading::{End, Reading, Sink};
use retry::Backoff;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;
use told::Told;
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
    /// The same while the daemon ends each event stream sooner than that, or answers with an error.
    pub retry_restless: Duration,
    /// Between looks at what containers there are.
    pub glance_every: Duration,
    /// Between full baselines.
    pub baseline_every: Duration,
    /// Between looks that the connections of a host which keeps breaking off ask for.
    pub look_again: Duration,
    /// How long an event may be on its way before what it would have told counts as not told.
    pub observation_grace: Duration,
}

impl Default for Timing {
    /// The first wait is short, since the daemon's ring is: at 350 events/s, measured on a busy host, it
    /// holds 0.7 s. A daemon that hangs is noticed within 5 + 4 + 1 + 4 = 14 s. One that comes back is found
    /// within the longest wait, 1.5 s; an attempt on a local socket or port where nobody listens costs next
    /// to nothing.
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(5),
            answer: Duration::from_secs(5),
            replay_quiet: Duration::from_millis(250),
            ping_every: Duration::from_secs(5),
            ping_timeout: Duration::from_secs(4),
            retry_first: Duration::from_millis(50),
            retry_max: Duration::from_millis(1500),
            retry_restless: Duration::from_secs(30),
            glance_every: Duration::from_secs(300),
            baseline_every: Duration::from_secs(6 * 3600),
            look_again: Duration::from_secs(60),
            observation_grace: Duration::from_secs(1),
        }
    }
}

/// Follows one Docker Engine (or Podman) over its API. Only GET requests are ever sent.
pub struct DockerSource {
    host: DockerHost,
    timing: Timing,
    dialer: Dialer,
    observer: Observer,
    /// Lines of a container's output that are asked for when it dies; 0 for none.
    last_words: u32,
    /// What events tell of failures; outlives connections.
    watch: Arc<Watch>,
    /// Time of the newest event that was recorded by an earlier run.
    known: Option<Timestamp>,
}

/// An event stream that was just opened.
struct Opened {
    stream: EventStream,
    /// For pings and inspections; `None` where bollard does not take the endpoint.
    engine: Option<Engine>,
    version: String,
}

/// What is known of a host from one attempt to the next.
struct Attempts {
    backoff: Backoff,
    told: Told,
    /// Since it was connected last.
    count: u64,
    /// Podman answered last.
    is_libpod: bool,
    /// Why it has to connect again.
    reason: String,
}

impl DockerSource {
    /// For `host`, with the usual timing.
    pub fn new(host: DockerHost) -> Self {
        Self::with_timing(host, Timing::default())
    }

    /// For `host`, with another timing.
    pub fn with_timing(host: DockerHost, timing: Timing) -> Self {
        let dialer = Dialer::new(&host.endpoint, &timing);
        let observer = Observer::new(Arc::clone(&host.name), &timing);
        Self { host, timing, dialer, observer, last_words: 0, watch: Arc::default(), known: None }
    }

    /// With so many lines of what a container printed before it died unasked; 0 for none.
    #[must_use]
    pub fn with_last_words(mut self, lines: u32) -> Self {
        self.last_words = lines;
        self
    }

    /// `is_libpod`: Podman answered the last time.
    async fn open(&self, is_libpod: bool) -> Result<Opened, IngestError> {
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
        // Podman keeps telling history for as long as it has some, and a stream that began with history goes
        // deaf when the file that it is in is rotated (seen with 4.3.1). So the two come apart: first the
        // stream, so that nothing falls in between.
        let path = |is_libpod| if is_libpod { wire::LIVE } else { wire::EVENTS };
        // Last, so that nothing waits while the daemon writes.
        let stream = EventStream::open(connection, path(is_libpod), &self.timing).await?;
        if stream.is_libpod == is_libpod {
            return Ok(Opened { stream, engine, version });
        }
        let is_libpod = stream.is_libpod;
        drop(stream);
        let connection = Connection::open(&self.dialer).await?;
        Ok(Opened { stream: EventStream::open(connection, path(is_libpod), &self.timing).await?, engine, version })
    }

    /// Podman's history, which is read before its stream.
    async fn history(&self, known: Option<Timestamp>) -> Result<EventStream, IngestError> {
        let connection = Connection::open(&self.dialer).await?;
        EventStream::open(connection, &wire::history(known), &self.timing).await
    }

    /// Connects and reads, again and again, until the recorder is gone. `connected` holds true while a
    /// connection has been told of.
    async fn follow(&self, sink: &mut Sink, connected: &mut bool) {
        let backoff = Backoff::new(self.timing.retry_first, self.timing.retry_max, self.timing.retry_restless);
        let mut attempts = Attempts { backoff, told: Told::default(), count: 0, is_libpod: false, reason: "start".to_owned() };
        // A stream that is not trusted any more, and read until there is another.
        let mut old: Option<Reading> = None;
        while self.reserve(sink, &mut old).await {
            let Some((error, wait)) = self.attempt(sink, &mut old, &mut attempts, connected).await else { return };
            self.tell_failure(&error, &sink.status, &mut attempts.told);
            self.beside(&mut old, sink, tokio::time::sleep(wait)).await;
        }
    }

    /// One attempt: connects, and reads to the end. Gives why it is over and how long to wait; `None` if
    /// nobody wants to read on.
    async fn attempt(
        &self,
        sink: &mut Sink,
        old: &mut Option<Reading>,
        attempts: &mut Attempts,
        connected: &mut bool,
    ) -> Option<(IngestError, Duration)> {
        let (newest, news) = (sink.newest.or(self.known), sink.news);
        attempts.count += 1;
        let mut opened = match self.beside(old, sink, self.open(attempts.is_libpod)).await {
            Ok(opened) => opened,
            Err(error) => {
                let wait = if error.is_refusal() { attempts.backoff.after_refusal() } else { attempts.backoff.after_failure() };
                return Some((error, wait));
            }
        };
        attempts.is_libpod = opened.stream.is_libpod;
        let began = Instant::now();
        let held = match self.beside(old, sink, probation::prove(&mut opened.stream, attempts.backoff.probation(), newest)).await {
            Ok(held) => held,
            Err(error) => return Some((error, attempts.backoff.after_stream(began.elapsed(), 0))),
        };
        if let Some(old) = old.take() {
            old.last_words(sink, &self.observer).await;
        }
        let (reason, count) = (std::mem::take(&mut attempts.reason), std::mem::take(&mut attempts.count));
        tracing::info!(docker.host = %self.host.name, docker.engine = %opened.version, %reason, attempts = count, untold_failures = attempts.told.untold, "connected");
        sink.connected(opened.version, reason, count);
        *connected = true;
        let history = if opened.stream.is_libpod { Some(self.history(newest).await) } else { None };
        let (history, lost) = match history {
            Some(Err(error)) => (None, Some(error)),
            history => (history.and_then(Result::ok), None),
        };
        let watching = |engine| Failures::new(engine, &self.observer, &self.watch, sink.sender.observations(), self.last_words);
        let failures = opened.engine.clone().map(watching);
        let mut reading = Reading::new(&self.timing, (opened.stream, held), history, sink.newest).watched(failures);
        if let Some(error) = lost {
            reading.lose_history(&error, sink);
        }
        let end = reading.run(sink, opened.engine, &self.observer, attempts.backoff.is_flapping()).await;
        let wait = attempts.backoff.after_stream(began.elapsed(), sink.news - news);
        if !attempts.backoff.is_flapping() {
            attempts.told = Told::default();
        }
        let (error, doubt) = match end {
            End::Closed => return None,
            End::Failed(error) => (error, reading.doubt()),
            End::Doubtful(doubt) => {
                *old = Some(reading.retire());
                (IngestError::FellBehind { lines: doubt.lines }, Some(doubt))
            }
            End::Silent => {
                *old = Some(reading.retire());
                (IngestError::Silent, None)
            }
        };
        if doubt.is_some() {
            self.observer.distrust();
        }
        attempts.reason = error.words();
        sink.disconnected(&attempts.reason, doubt);
        *connected = false;
        Some((error, wait))
    }

    /// Does `work`, and meanwhile reads on in the old stream, if there is one.
    async fn beside<T>(&self, old: &mut Option<Reading>, sink: &mut Sink, work: impl Future<Output = T>) -> T {
        tokio::pin!(work);
        if let Some(reading) = old {
            let ended = tokio::select! {
                biased;
                done = &mut work => return done,
                ended = reading.drain(sink, &self.observer) => ended,
            };
            tracing::info!(docker.host = %self.host.name, error = ended.words(), "the old event stream has ended");
            *old = None;
        }
        work.await
    }

    /// Waits for places for what a connection has to tell. False if the recorder is gone.
    async fn reserve(&self, sink: &mut Sink, old: &mut Option<Reading>) -> bool {
        while old.is_some() {
            if let Some(there) = sink.sender.try_reserve() {
                return there;
            }
            self.beside(old, sink, tokio::time::sleep(self.timing.retry_first)).await;
        }
        sink.sender.reserve().await
    }

    fn tell_failure(&self, error: &IngestError, status: &StatusHandle, told: &mut Told) {
        let hint = error.hint(&self.host.endpoint);
        let words = error.words();
        status.failed(&words, hint.clone());
        if told.is_news(error) {
            let hint = hint.unwrap_or_default();
            tracing::warn!(docker.host = %self.host.name, docker.endpoint = %self.host.endpoint, error = words, hint, "not connected, trying again");
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

    fn resume_after(&mut self, known: Option<Timestamp>) {
        self.known = known;
    }

    async fn run(self: Box<Self>, sender: SourceSender, status: StatusHandle, shutdown: Shutdown) {
        let mut sink = Sink::new(sender, status);
        let mut connected = false;
        tokio::select! {
            biased;
            () = shutdown.stopping() => {}
            () = self.follow(&mut sink, &mut connected) => {}
        }
        if connected {
            sink.disconnected("shutdown", None);
        }
    }
}

#[cfg(test)]
mod tests;
