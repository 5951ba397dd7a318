//! The live stream that survives its connections.

use super::continuity::{Continuity, StreamItem};
use super::sse::{Frame, MAX_FRAME_BYTES, Parser};
use super::{Backoff, Client, ClientError, Pace, Start, error};
use crate::filter::Filter;
use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use reqwest::Response;
use std::collections::VecDeque;
use tokio::time::{Instant, sleep_until, timeout_at};

/// An endless stream of records. It reconnects for ever, resumes by cursor, and reports whatever it could not get.
pub struct Follow {
    client: Client,
    start: Start,
    filter_params: Vec<(&'static str, String)>,
    pace: Pace,
    backoff: Backoff,
    continuity: Continuity,
    // Connection and deadline live here and not on a stack, so that a dropped `next` starts nothing anew.
    connection: Connection,
    /// When the wait before an attempt is over, or when the silence has lasted too long.
    deadline: Instant,
    ready: VecDeque<StreamItem>,
}

enum Connection {
    Waiting,
    Opening(BoxFuture<'static, Result<Response, ClientError>>),
    Open(Box<Response>, Parser),
}

impl Follow {
    pub(super) fn new(client: Client, start: Start, filter: &Filter, pace: Pace) -> Self {
        let last = if let Start::After(cursor) = start { Some(cursor) } else { None };
        Self {
            client,
            start,
            filter_params: super::request::filter_params(filter),
            pace,
            backoff: Backoff::new(pace),
            continuity: Continuity::new(last, filter.is_empty()),
            connection: Connection::Waiting,
            deadline: Instant::now(),
            ready: VecDeque::new(),
        }
    }

    /// Another tempo than the default.
    #[must_use]
    pub fn with_pace(mut self, pace: Pace) -> Self {
        self.pace = pace;
        self.backoff = Backoff::new(pace);
        self
    }

    /// Whether the next item is here already, so that a caller can hold back flushing until it has to wait.
    pub fn has_ready(&self) -> bool {
        !self.ready.is_empty()
    }

    /// The next item. May be dropped and called again without losing anything.
    ///
    /// # Errors
    /// Only what trying again cannot mend: the server refuses, or is not a shipslog server.
    pub async fn next(&mut self) -> Result<StreamItem, ClientError> {
        loop {
            if let Some(item) = self.ready.pop_front() {
                // A caller that takes its time over an item is not the server's silence.
                if matches!(self.connection, Connection::Open(..)) {
                    self.deadline = Instant::now() + self.pace.idle;
                }
                return Ok(item);
            }
            match self.step().await {
                Ok(()) => {}
                Err(error) if error.is_transient() => {
                    let wait = self.backoff.next_wait(error.retry_after());
                    self.connection = Connection::Waiting;
                    self.deadline = Instant::now() + wait;
                    self.ready.push_back(StreamItem::Reconnecting { error: error.to_string(), wait });
                }
                Err(error) => return Err(error),
            }
        }
    }

    /// Waits, connects, or reads one chunk.
    async fn step(&mut self) -> Result<(), ClientError> {
        let silent = |_| ClientError::Silent(self.pace.idle);
        match &mut self.connection {
            Connection::Waiting => {
                sleep_until(self.deadline).await;
                self.connection = Connection::Opening(self.connect().boxed());
            }
            Connection::Opening(opening) => {
                let response = timeout_at(self.deadline, opening).await.map_err(silent)??;
                self.connection = Connection::Open(Box::new(response), Parser::default());
            }
            Connection::Open(response, parser) => {
                let chunk = timeout_at(self.deadline, response.chunk()).await.map_err(silent)?;
                let chunk = chunk
                    .map_err(|e| ClientError::Cut { why: error::root_cause(&e) })?
                    .ok_or_else(|| ClientError::Cut { why: "the server ended the stream".to_owned() })?;
                let mut frames = Vec::new();
                parser.push(&chunk, &mut frames).map_err(|_| ClientError::TooLarge { limit: MAX_FRAME_BYTES })?;
                if let Some(retry) = parser.take_retry() {
                    self.backoff.set_retry(retry);
                }
                frames.into_iter().try_for_each(|frame| self.take(frame))?;
            }
        }
        self.deadline = Instant::now() + self.pace.idle;
        Ok(())
    }

    fn take(&mut self, frame: Frame) -> Result<(), ClientError> {
        // Only a frame proves that the server is back; one that accepts connections and drops them must not be hammered.
        self.backoff.reset();
        self.continuity.take(frame, &mut self.ready).map_err(|why| ClientError::Cut { why })
    }

    /// The next request, from where the stream stands.
    fn connect(&self) -> impl Future<Output = Result<Response, ClientError>> + Send + 'static {
        let mut params = self.filter_params.clone();
        let mut headers = vec![("accept", "text/event-stream".to_owned()), ("cache-control", "no-store".to_owned())];
        match (self.continuity.position(), self.start) {
            (Some(cursor), _) => headers.push(("last-event-id", cursor.to_string())),
            (None, Start::Since(time)) => params.push(("since", time.to_string())),
            (None, Start::Oldest) => params.push(("since", "oldest".to_owned())),
            (None, Start::Now | Start::After(_)) => params.push(("since", "now".to_owned())),
        }
        let client = self.client.clone();
        async move {
            let response = client.get("/api/v1/stream", &params, &headers).await?;
            let kind = response.headers().get("content-type").and_then(|v| v.to_str().ok()).unwrap_or("nothing");
            if kind.trim_start().starts_with("text/event-stream") {
                return Ok(response);
            }
            Err(ClientError::NotShipslog { why: format!("the stream has the content type {kind:?}") })
        }
    }
}
