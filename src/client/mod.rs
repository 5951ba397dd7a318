//! HTTP client of a shipslog server: history pages, exports, stats, and a live stream that resumes by itself.
//! It prints nothing and keeps no files, and it knows nothing of the `server` module: all that both share is
//! the contract (docs/api.md).

mod backoff;
mod continuity;
mod error;
mod follow;
mod incidents;
mod request;
mod sse;
mod target;

pub use backoff::{Backoff, Pace};
pub use continuity::StreamItem;
pub use error::ClientError;
pub use follow::Follow;
pub use incidents::IncidentPage;
pub use request::{Compression, Export, HistoryPage, HistoryQuery, LogBounds, Order, Readiness, Selection};
pub use target::Target;

use crate::cursor::Cursor;
use crate::filter::Filter;
use crate::text::root_cause;
use crate::time::Timestamp;
use reqwest::{Response, StatusCode, Url};
use std::fmt::Write as _;
use std::time::Duration;

/// A server that takes longer to accept a connection counts as unreachable.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// Longest silence within an answer. Generous, since a narrow filter may scan a large log before its first
/// match.
const READ_TIMEOUT: Duration = Duration::from_secs(300);
/// Most that is read of an answer that says what went wrong.
const MAX_PROBLEM_BYTES: usize = 64 << 10;

/// Characters of it that are passed on.
const MAX_DETAIL_CHARS: usize = 1000;

/// Where a live stream starts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Start {
    /// Right after this record.
    After(Cursor),
    /// With the first record of this time or later.
    Since(Timestamp),
    /// With the oldest record kept.
    Oldest,
    /// With what comes next.
    Now,
}

/// A server by its URL. Cheap to clone; clones share connections.
#[derive(Debug, Clone)]
pub struct Client {
    http: reqwest::Client,
    base: Url,
    /// Path of the unix socket, where there is one.
    socket: Option<String>,
}

impl Client {
    /// Takes the server's URL; `http://` may be left out, a path in front of `/api` may be given.
    ///
    /// # Errors
    /// [`ClientError::BadUrl`] for what is not an HTTP URL.
    pub fn new(url: &str) -> Result<Self, ClientError> {
        Self::to(&Target { url: url.to_owned(), ..Target::default() })
    }

    /// Follows the log live, through restarts of the server, for ever. Nothing is sent before
    /// [`Follow::next`].
    pub fn follow(&self, start: Start, filter: &Filter) -> Follow {
        Follow::new(self.clone(), start, filter, Pace::default())
    }

    /// The server's URL without credentials, for messages.
    fn shown(&self) -> String {
        if let Some(path) = &self.socket {
            return format!("unix:{path}");
        }
        let mut url = self.base.clone();
        let _ = url.set_username("");
        let _ = url.set_password(None);
        url.as_str().trim_end_matches('/').to_owned()
    }

    fn url(&self, path: &str, params: &[(&str, String)]) -> Url {
        let mut url = self.base.clone();
        url.set_path(&format!("{}{path}", self.base.path().trim_end_matches('/')));
        if !params.is_empty() {
            url.query_pairs_mut().extend_pairs(params);
        }
        url
    }

    /// Sends a GET; any status comes back as it is.
    async fn send(&self, path: &str, params: &[(&str, String)], headers: &[(&'static str, String)]) -> Result<Response, ClientError> {
        let mut request = self.http.get(self.url(path, params));
        for (name, value) in headers {
            request = request.header(*name, value);
        }
        request.send().await.map_err(|e| ClientError::Unreachable { url: self.shown(), why: root_cause(&e) })
    }

    /// Sends a GET and turns every status but 200 into an error.
    async fn get(&self, path: &str, params: &[(&str, String)], headers: &[(&'static str, String)]) -> Result<Response, ClientError> {
        let response = self.send(path, params, headers).await?;
        if response.status() == StatusCode::OK { Ok(response) } else { Err(refusal(response).await) }
    }
}

/// What an answer other than 200 means, in the server's own words where it has any.
async fn refusal(response: Response) -> ClientError {
    let status = response.status().as_u16();
    let retry_after = response.headers().get("retry-after").and_then(|v| v.to_str().ok()?.trim().parse().ok()).map(Duration::from_secs);
    let body = read_at_most(response, MAX_PROBLEM_BYTES).await.unwrap_or_default();
    let problem: serde_json::Value = serde_json::from_slice(&body).unwrap_or_default();
    let said = ["detail", "message", "title"].into_iter().find_map(|key| problem.get(key)?.as_str());
    let said = said.map_or_else(|| String::from_utf8_lossy(&body), Into::into);
    let mut detail: String = said.trim().chars().take(MAX_DETAIL_CHARS).collect();
    if detail.is_empty() {
        let _ = write!(detail, "{}", StatusCode::from_u16(status).ok().and_then(|s| s.canonical_reason()).unwrap_or("no reason given"));
    }
    match status {
        408 | 429 | 500.. => ClientError::Unavailable { status, detail, retry_after },
        _ => ClientError::Refused { status, detail },
    }
}

/// A whole body, bounded, since the server may be anything that listens there.
async fn read_at_most(mut response: Response, limit: usize) -> Result<Vec<u8>, ClientError> {
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(|e| ClientError::Cut { why: root_cause(&e) })? {
        if body.len() + chunk.len() > limit {
            return Err(ClientError::TooLarge { limit });
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body)
}

#[cfg(test)]
pub(crate) mod testing;
#[cfg(test)]
mod tests;
