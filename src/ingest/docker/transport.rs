//! Requests of ours and of bollard's, over connections of ours: kept while they work, so that an ssh host is
//! not logged in to for each ping. What is not a GET is never sent.

use super::Timing;
use super::connection::Connection;
use super::dial::Dialer;
use super::error::IngestError;
use super::wire::USER_AGENT_VALUE;
use crate::ingest::endpoint::Endpoint;
use bollard::BollardRequest;
use bollard::errors::Error;
use hyper::body::Incoming;
use hyper::header::USER_AGENT;
use hyper::http::request::Builder;
use hyper::{Method, Request, Response};
use parking_lot::Mutex;
use std::io;
use std::sync::Arc;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, oneshot};

/// One more than inspections at a time, so that a ping finds a place beside containers that hang.
const CONNECTIONS: usize = 5;
/// bollard keeps an answer in memory, whatever its size. It is asked for pings only, whose answer is two
/// letters.
const MAX_BOLLARD_BYTES: u64 = 64 << 10;
/// A login each.
const CONNECTIONS_SSH: usize = 1;

/// Connections to one daemon.
pub(super) struct Transport {
    dialer: Dialer,
    /// Those that nobody is sending on. An answer may still be being read from one.
    kept: Mutex<Vec<Connection>>,
    places: Arc<Semaphore>,
    limit: usize,
}

impl Transport {
    pub(super) fn new(endpoint: &Endpoint, timing: &Timing) -> Arc<Self> {
        let limit = if matches!(endpoint, Endpoint::Ssh(_)) { CONNECTIONS_SSH } else { CONNECTIONS };
        Arc::new(Self { dialer: Dialer::new(endpoint, timing), kept: Mutex::default(), places: Arc::new(Semaphore::new(limit)), limit })
    }

    /// Sends a request of bollard's and gives the head of its answer.
    pub(super) async fn request(self: Arc<Self>, request: BollardRequest) -> Result<Response<Incoming>, Error> {
        let wanted = request.into_parts().0;
        let request = || {
            // Whatever is asked of bollard: a recorder changes nothing.
            let path = wanted.uri.path_and_query().filter(|_| wanted.method == Method::GET).ok_or(IngestError::Request)?;
            Ok(wanted.headers.iter().fold(Request::get(path.clone()), |request: Builder, (name, value)| request.header(name, value)))
        };
        let sent = self.send(request, MAX_BOLLARD_BYTES).await;
        sent.map_err(|error| Error::IOError { err: io::Error::other(error) })
    }

    /// Sends a request for `url` and gives the head of its answer. The reader of the answer bounds it.
    pub(super) async fn get(self: &Arc<Self>, url: &str) -> Result<Response<Incoming>, IngestError> {
        Arc::clone(self).send(|| Ok(Request::get(url).header(USER_AGENT, USER_AGENT_VALUE)), u64::MAX).await
    }

    /// `max_bytes`: of the connection until the next request, head and body.
    async fn send(
        self: Arc<Self>,
        request: impl Fn() -> Result<Builder, IngestError>,
        max_bytes: u64,
    ) -> Result<Response<Incoming>, IngestError> {
        // Before there is a connection for it.
        drop(request()?);
        let place = Arc::clone(&self.places).acquire_owned().await.map_err(|_| IngestError::Request)?;
        let (place, again) = match self.take() {
            Some(mut connection) => match connection.limited(max_bytes).send(request()?).await {
                Ok(answer) => return Ok(self.keep(connection, answer)),
                // It had been closed over there meanwhile, as those that nobody uses are.
                Err(error) => (place, Some(error)),
            },
            None => (place, None),
        };
        if let Some(error) = again {
            tracing::debug!(docker.endpoint = %self.dialer.endpoint, %error, "a kept connection is gone; connecting again");
        }
        let (mut connection, _place) = self.dial(place).await?;
        let answer = connection.limited(max_bytes).send(request()?).await?;
        Ok(self.keep(connection, answer))
    }

    /// A kept connection, best one that can be used at once.
    fn take(&self) -> Option<Connection> {
        let mut kept = self.kept.lock();
        match kept.iter().position(Connection::is_ready) {
            Some(at) => Some(kept.swap_remove(at)),
            // Somebody still reads an answer from it; the next request waits for that.
            None if kept.len() >= self.limit => kept.pop(),
            None => None,
        }
    }

    fn keep<T>(&self, connection: Connection, answer: T) -> T {
        let mut kept = self.kept.lock();
        kept.retain(|connection| !connection.is_closed());
        if kept.len() >= self.limit
            && let Some(idle) = kept.iter().position(Connection::is_ready)
        {
            kept.swap_remove(idle);
        }
        kept.push(connection);
        answer
    }

    /// Connects. This continues when the caller has lost patience, since the next one will ask soon, and
    /// holds the place meanwhile.
    async fn dial(self: &Arc<Self>, place: OwnedSemaphorePermit) -> Result<(Connection, OwnedSemaphorePermit), IngestError> {
        let (give, take) = oneshot::channel();
        let this = Arc::clone(self);
        tokio::spawn(async move {
            let opened = Connection::open(&this.dialer).await.map(|connection| (connection, place));
            if let Err(Ok((connection, _place))) = give.send(opened) {
                this.keep(connection, ());
            }
        });
        take.await.unwrap_or(Err(IngestError::Request))
    }
}
