//! `GET /events` over an own connection, byte for byte.
//!
//! bollard's event stream is no use here: its `Type` is a closed enum, so that one unknown type ends the
//! stream and discards what is buffered, again after each reconnect.

use super::Timing;
use super::connection::Connection;
use super::error::IngestError;
use crate::text::printable;
use crate::time::Timestamp;
use bytes::Bytes;
use http_body_util::BodyExt as _;
use hyper::body::Incoming;
use hyper::header::{DATE, SERVER, USER_AGENT};
use hyper::{Request, Response};
use std::io;
use std::time::Duration;
use tokio::time::timeout;

/// Everything, from the oldest event that the daemon still has. `since=<last time>` would lose events: the
/// daemon looks for the place to start from the newest back and stops at the first older time, and times are
/// not in order. Unfiltered, since the filters are applied after that.
pub(super) const EVENTS: &str = "/events?since=0";
/// What happens from now on.
pub(super) const LIVE: &str = "/events";
/// What Podman calls itself.
const LIBPOD: &str = "Libpod/";
/// So much earlier than the newest event that is known, since events come out of order, and clocks are set.
const HISTORY_MARGIN: Duration = Duration::from_secs(60);
pub(super) const USER_AGENT_VALUE: &str = concat!("shipslog/", env!("CARGO_PKG_VERSION"));
/// More of an error's body is not read.
const MAX_ERROR_BYTES: usize = 64 << 10;
const MAX_MESSAGE_CHARS: usize = 500;
/// The open event stream. Dropping it closes the connection.
pub(super) struct EventStream {
    body: Incoming,
    /// The daemon's clock at the answer, in whole seconds, where it says.
    pub(super) date: Option<Timestamp>,
    /// When it was asked for.
    pub(super) requested: Timestamp,
    /// Podman answers.
    pub(super) is_libpod: bool,
    /// It came to its end, and was not cut.
    pub(super) is_whole: bool,
    connection: Connection,
}

/// What Podman has kept in its journal or file, which may be far more than moby's ring, and then the end. Its
/// filter looks at every event. `known`: the time of the newest event that is known already.
pub(super) fn history(known: Option<Timestamp>) -> String {
    let since = known.map_or(0, |known| known.min(Timestamp::now()).nanos() / 1_000_000_000);
    let since = since.saturating_sub_unsigned(HISTORY_MARGIN.as_secs()).max(0);
    format!("/events?since={since}&stream=false")
}

impl EventStream {
    /// Asks for events and waits for the headers, which Docker sends at once.
    pub(super) async fn open(mut connection: Connection, path: &str, timing: &Timing) -> Result<Self, IngestError> {
        // Unversioned, as every daemon serves it.
        let request = Request::get(path).header(USER_AGENT, USER_AGENT_VALUE);
        let requested = Timestamp::now();
        let late = |_| IngestError::Timeout { what: "GET /events", after: timing.answer };
        let answer = timeout(timing.answer, connection.send(request)).await.map_err(late)??;
        if answer.status() != hyper::StatusCode::OK {
            let status = answer.status().as_u16();
            let message = timeout(timing.answer, message(answer)).await.unwrap_or_default();
            return Err(IngestError::Status { status, message });
        }
        let date = answer.headers().get(DATE).and_then(|date| date.to_str().ok()).and_then(parse_date);
        let is_libpod = answer.headers().get(SERVER).is_some_and(|server| server.as_bytes().starts_with(LIBPOD.as_bytes()));
        Ok(Self { body: answer.into_body(), date, requested, is_libpod, is_whole: false, connection })
    }

    /// The next bytes. May be dropped while it waits.
    ///
    /// # Errors
    /// [`IngestError::Ended`] or [`IngestError::Broken`], or what ssh or TLS say about it.
    pub(super) async fn next(&mut self) -> Result<Bytes, IngestError> {
        loop {
            let error = match self.body.frame().await {
                Some(Ok(frame)) => match frame.into_data() {
                    Ok(bytes) => return Ok(bytes),
                    Err(_trailers) => continue,
                },
                Some(Err(error)) => ended(error),
                None => {
                    self.is_whole = true;
                    IngestError::Ended
                }
            };
            return Err(self.connection.explain(error).await);
        }
    }
}

/// A daemon that stops closes the connection without the last chunk of HTTP, which hyper takes for an error.
fn ended(error: hyper::Error) -> IngestError {
    let cause = std::error::Error::source(&error).and_then(|cause| cause.downcast_ref::<io::Error>());
    if error.is_incomplete_message() || cause.is_some_and(|cause| cause.kind() == io::ErrorKind::UnexpectedEof) {
        return IngestError::Ended;
    }
    IngestError::Broken(error)
}

/// The daemon's `{"message": …}`, or the beginning of whatever came instead.
pub(super) async fn message(answer: Response<Incoming>) -> String {
    let (mut body, mut rest) = (Vec::new(), answer.into_body());
    while body.len() < MAX_ERROR_BYTES
        && let Some(Ok(frame)) = rest.frame().await
    {
        let bytes = frame.into_data().unwrap_or_default();
        body.extend(bytes.iter().take(MAX_ERROR_BYTES - body.len()));
    }
    let json: Option<serde_json::Value> = serde_json::from_slice(&body).ok();
    let text = match json.as_ref().and_then(|json| json.get("message")?.as_str()) {
        Some(message) => message.to_owned(),
        None => String::from_utf8_lossy(&body).into_owned(),
    };
    printable(text.trim(), MAX_MESSAGE_CHARS)
}

/// `Sun, 22 Nov 2026 10:49:37 GMT`.
fn parse_date(text: &str) -> Option<Timestamp> {
    let date = chrono::DateTime::parse_from_rfc2822(text).ok()?;
    date.timestamp_nanos_opt().map(Timestamp::from_nanos)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_http_dates() {
        assert_eq!(parse_date("Sun, 06 Nov 1994 08:49:37 GMT"), Some(Timestamp::from_nanos(784_111_777_000_000_000)));
        assert_eq!(parse_date("now"), None);
    }
}
