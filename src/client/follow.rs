//! The live stream that survives its connections.

use super::continuity::{Continuity, StreamItem};
use super::sse::{Frame, MAX_FRAME_BYTES, Parser};
use super::{Backoff, Client, ClientError, Pace, Start, refusal};
use crate::filter::Filter;
use crate::text::root_cause;
use crate::time::Timestamp;
use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use reqwest::{Response, StatusCode};
use std::collections::VecDeque;
use tokio::time::{Instant, sleep_until, timeout_at};

/// A stream of records, endless unless an end is asked for. It reconnects for ever, resumes by cursor, and
/// reports whatever it could not get.
pub struct Follow {
    client: Client,
    start: Start,
    /// What every request has: filter, end and speed.
    params: Vec<(&'static str, String)>,
    pace: Pace,
    backoff: Backoff,
    continuity: Continuity,
    // Connection and deadline live here and not on a stack, so that a dropped `next` starts nothing again.
    connection: Connection,
    /// When the wait before an attempt is over, or when the silence has lasted too long.
    deadline: Instant,
    ready: VecDeque<StreamItem>,
}

enum Connection {
    Waiting,
    Opening(BoxFuture<'static, Result<Option<Response>, ClientError>>),
    Open(Box<Response>, Parser),
    /// The server has said that nothing follows.
    Ended,
}

impl Follow {
    pub(super) fn new(client: Client, start: Start, filter: &Filter, pace: Pace) -> Self {
        let last = if let Start::After(cursor) = start { Some(cursor) } else { None };
        Self {
            client,
            start,
            params: super::request::filter_params(filter),
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

    /// Only what happened up to this time; then comes [`StreamItem::End`]. Records in between may be left out
    /// by it, so that what is lost between two records cannot be told any more.
    #[must_use]
    pub fn until(mut self, time: Timestamp) -> Self {
        self.params.push(("until", time.to_string()));
        self.continuity.leave_out();
        self
    }

    /// Replays so many times as fast as the records had come in, from 1 to 1,000.
    #[must_use]
    pub fn at_speed(mut self, speed: f64) -> Self {
        self.params.push(("speed", speed.to_string()));
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
                if matches!(item, StreamItem::End { .. }) {
                    self.connection = Connection::Ended;
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
            Connection::Opening(opening) => match timeout_at(self.deadline, opening).await.map_err(silent)?? {
                Some(response) => self.connection = Connection::Open(Box::new(response), Parser::default()),
                None => self.connection = Connection::Ended,
            },
            Connection::Ended => self.ready.push_back(StreamItem::End { seq: self.continuity.position().map_or(0, |at| at.seq) }),
            Connection::Open(response, parser) => {
                let chunk = timeout_at(self.deadline, response.chunk()).await.map_err(silent)?;
                let chunk = chunk
                    .map_err(|e| ClientError::Cut { why: root_cause(&e) })?
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
        // Only a frame proves that the server is back; one that accepts connections and drops them must not
        // be hammered.
        self.backoff.reset();
        self.continuity.take(frame, &mut self.ready).map_err(|why| ClientError::Cut { why })
    }

    /// The next request, from where the stream stands. No response stands for the end: there is nothing that
    /// this client lacks.
    fn connect(&self) -> impl Future<Output = Result<Option<Response>, ClientError>> + Send + 'static {
        let mut params = self.params.clone();
        let mut headers = vec![("accept", "text/event-stream".to_owned()), ("cache-control", "no-store".to_owned())];
        match (self.continuity.position(), self.start) {
            (Some(cursor), _) => headers.push(("last-event-id", cursor.to_string())),
            (None, Start::Since(time)) => params.push(("since", time.to_string())),
            (None, Start::Oldest) => params.push(("since", "oldest".to_owned())),
            (None, Start::Now | Start::After(_)) => params.push(("since", "now".to_owned())),
        }
        let client = self.client.clone();
        async move {
            let response = client.send("/api/v1/stream", &params, &headers).await?;
            match response.status() {
                StatusCode::OK => {}
                StatusCode::NO_CONTENT => return Ok(None),
                _ => return Err(refusal(response).await),
            }
            let kind = response.headers().get("content-type").and_then(|v| v.to_str().ok()).unwrap_or("nothing");
            if kind.trim_start().starts_with("text/event-stream") {
                return Ok(Some(response));
            }
            Err(ClientError::NotShipslog { why: format!("the stream has the content type {kind:?}") })
        }
    }
}
