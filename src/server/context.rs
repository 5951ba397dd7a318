//! What every route can reach.

use super::access::Access;
use super::asker::Asker;
use super::fleet::Fleet;
use super::forwarded::TrustedProxies;
use super::live::filters::Filters;
use super::problem::ApiError;
use super::turn_log::TurnLog;
use super::turns::Turns;
use crate::forward::ForwardStatus;
use crate::ingest::StatusHandle;
use crate::log::{DerivedFiles, EventLog};
use crate::projection::{BySource, Known, Losses};
use crate::recorder::RecorderStats;
use crate::shutdown::Shutdown;
use crate::time::Timestamp;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;
use warp::http::{StatusCode, header};

/// Who may ask for what.
#[derive(Debug, Clone)]
pub struct Admission {
    /// Names, besides `localhost` and IP addresses, under which the server may be addressed.
    pub allowed_hosts: Vec<String>,
    /// Origins whose pages may read, as browsers send them.
    pub cors_origins: Vec<String>,
    /// Proxies that are believed when they say for whom they ask.
    pub trusted_proxies: TrustedProxies,
    /// Who may ask; everybody without.
    pub access: Option<Arc<Access>>,
    /// Most live streams at a time; over HTTP/2 a connection holds many.
    pub max_streams: u64,
}

impl Default for Admission {
    /// Everybody, at IP addresses and `localhost`.
    fn default() -> Self {
        Self {
            allowed_hosts: Vec::new(),
            cors_origins: Vec::new(),
            trusted_proxies: TrustedProxies::default(),
            access: None,
            max_streams: u64::MAX,
        }
    }
}

/// What is recorded while the server runs. The default is nothing.
#[derive(Debug, Clone, Default)]
pub struct Recording {
    /// The state of each Docker host.
    pub sources: Vec<StatusHandle>,
    /// The recorder's counters.
    pub recorder: Arc<RecorderStats>,
    /// Where nothing is recorded any more: until when the export says that it was.
    pub as_of: Option<Timestamp>,
    /// How forwarding to a fleet's hub is, where there is one.
    pub forward: Option<ForwardStatus>,
    /// How a fleet is followed, by one of its servers.
    pub fleet: Option<Fleet>,
}

/// Another program that the page leads to.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Link {
    /// What it is called.
    pub name: String,
    /// Its address, in which the page fills in a container and a time.
    pub url: String,
}

/// Shared state of the server.
pub struct Context {
    /// The log.
    pub(super) log: Arc<dyn EventLog>,
    pub(super) recording: Recording,
    pub(super) admission: Admission,
    /// Says when the server is to stop.
    pub(super) shutdown: Shutdown,
    /// When the process started.
    pub(super) started: Instant,
    /// The filters of open streams.
    pub(super) filters: Filters,
    /// Open live streams, SSE and WebSocket.
    pub(super) streams: Gauge,
    /// Open connections.
    pub(super) connections: Gauge,
    /// Requests answered since start.
    pub(super) requests: AtomicU64,
    /// What the log tells of each source.
    pub(super) by_source: BySource,
    /// What the recorder may have missed.
    pub(super) losses: Losses,
    /// What broke.
    pub(super) known: Arc<Known>,
    /// Other programs that the page leads to.
    pub(super) links: Vec<Link>,
    /// Whose turn it is to read the log's files.
    turns: Arc<Turns>,
}

impl Context {
    /// A server of `log`, in a process that began at `started`, until `shutdown` says so.
    pub fn new(log: Arc<dyn EventLog>, recording: Recording, admission: Admission, started: Instant, shutdown: Shutdown) -> Self {
        let known = Arc::new(Known::new(Arc::clone(&log), None));
        Self {
            log,
            recording,
            admission,
            shutdown,
            started,
            filters: Filters::default(),
            streams: Gauge::default(),
            connections: Gauge::default(),
            requests: AtomicU64::new(0),
            by_source: BySource::default(),
            losses: Losses::default(),
            known,
            links: Vec::new(),
            turns: Arc::default(),
        }
    }

    /// With what is derived from the log stored in files.
    #[must_use]
    pub fn deriving(mut self, files: DerivedFiles) -> Self {
        self.known = Arc::new(Known::new(Arc::clone(&self.log), Some(files)));
        self
    }

    /// With other programs that the page leads to.
    #[must_use]
    pub fn leading_to(mut self, links: Vec<Link>) -> Self {
        self.links = links;
        self
    }

    /// What is known of incidents.
    pub fn known(&self) -> Arc<Known> {
        Arc::clone(&self.known)
    }

    /// Keeps up what is derived from the log, until the end of the program: whoever serves this has it run
    /// beside.
    pub fn follow(&self) -> impl Future<Output = ()> + Send + use<> {
        Arc::clone(&self.known).follow(self.shutdown.clone())
    }
}

#[cfg(test)]
impl Context {
    /// A server of `log` that admits everybody, beside no recorder.
    pub(super) fn open(log: Arc<dyn EventLog>, shutdown: Shutdown) -> Self {
        Self::new(log, Recording::default(), Admission::default(), Instant::now(), shutdown)
    }
}

impl std::fmt::Debug for Context {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Context").finish_non_exhaustive()
    }
}

/// Counts what is open right now.
#[derive(Debug, Clone, Default)]
pub(super) struct Gauge(Arc<AtomicU64>);

/// One open thing; counted until it is dropped.
#[derive(Debug)]
pub(super) struct StreamGuard(Arc<AtomicU64>);

impl Gauge {
    pub(super) fn enter(&self) -> StreamGuard {
        self.0.fetch_add(1, Ordering::Relaxed);
        StreamGuard(Arc::clone(&self.0))
    }

    /// How many are open.
    pub(super) fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

impl Drop for StreamGuard {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Context {
    /// The log, for one request: of the Docker hosts of which the asker may be told, and its reads take turns
    /// with those of others.
    pub(super) fn log_for(&self, asker: &Asker) -> Arc<dyn EventLog> {
        Arc::new(TurnLog::new(Arc::clone(&self.log), Arc::clone(&self.turns), asker))
    }

    /// A place among the live streams, if there is one.
    pub(super) fn enter_stream(&self) -> Result<StreamGuard, ApiError> {
        let place = self.streams.enter();
        if self.streams.get() > self.admission.max_streams {
            let error = ApiError::new(StatusCode::SERVICE_UNAVAILABLE, "too many live streams (see --max-connections)");
            return Err(error.with_header(header::RETRY_AFTER, "2"));
        }
        Ok(place)
    }
}
