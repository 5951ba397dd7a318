//! `GET /events` over an own connection, byte for byte.
//!
//! bollard's event stream is no use here: its `Type` is a closed enum, so that one unknown type ends the stream and
//! discards what is buffered, again after each reconnect.

use super::Timing;
use super::error::IngestError;
use crate::ingest::endpoint::Endpoint;
use crate::time::Timestamp;
use bytes::Bytes;
use http_body_util::{BodyExt as _, Empty, Limited};
use hyper::body::Incoming;
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper::header::{DATE, HOST, USER_AGENT};
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use std::io;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpStream, UnixStream};
use tokio::task::JoinHandle;
use tokio::time::timeout;

/// Everything, from the oldest event that the daemon still has. `since=<last time>` would lose events: the daemon looks
/// for the place to start from the newest back and stops at the first older time, and times are not in order.
/// Unfiltered, since the filters are applied after that.
const EVENTS: &str = "/events?since=0";
const USER_AGENT_VALUE: &str = concat!("shipslog/", env!("CARGO_PKG_VERSION"));
/// More of an error's body is not read.
const MAX_ERROR_BYTES: usize = 64 << 10;
const MAX_MESSAGE_CHARS: usize = 500;
/// A TCP peer that is gone without a word is noticed within 5 + 3 × 3 s. Nothing else would notice: we send nothing, and
/// new connections (pings) may well work while a router has forgotten this one.
const KEEPALIVE_AFTER: Duration = Duration::from_secs(5);
const KEEPALIVE_EVERY: Duration = Duration::from_secs(3);
const KEEPALIVE_PROBES: u32 = 3;

/// Ends its task with itself.
#[derive(Debug)]
pub(super) struct Task<T>(JoinHandle<T>);

impl<T: Send + 'static> Task<T> {
    pub(super) fn spawn(future: impl Future<Output = T> + Send + 'static) -> Self {
        Self(tokio::spawn(future))
    }
}

impl<T> Drop for Task<T> {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// A connection to the daemon, before anything was asked.
pub(super) struct Connection {
    sender: SendRequest<Empty<Bytes>>,
    _driver: Task<()>,
}

/// The open event stream. Dropping it closes the connection.
pub(super) struct EventStream {
    body: Incoming,
    /// The daemon's clock at the answer, in whole seconds, where it says.
    pub(super) date: Option<Timestamp>,
    /// When it was asked for.
    pub(super) requested: Timestamp,
    _connection: Connection,
}

/// Connects, and asks nothing yet.
pub(super) async fn connect(endpoint: &Endpoint, timing: &Timing) -> Result<Connection, IngestError> {
    let failed = |source| IngestError::Connect { endpoint: endpoint.clone(), source };
    let connecting = async {
        match endpoint {
            Endpoint::Unix(path) => shake_hands(UnixStream::connect(path).await.map_err(failed)?).await,
            Endpoint::Tcp { host, port } => {
                let stream = TcpStream::connect((host.as_str(), *port)).await.map_err(failed)?;
                keep_alive(&stream).map_err(failed)?;
                shake_hands(stream).await
            }
        }
    };
    let late = |_| IngestError::Timeout { what: "connecting", after: timing.connect };
    timeout(timing.connect, connecting).await.map_err(late)?
}

fn keep_alive(stream: &TcpStream) -> io::Result<()> {
    let keepalive = socket2::TcpKeepalive::new().with_time(KEEPALIVE_AFTER).with_interval(KEEPALIVE_EVERY).with_retries(KEEPALIVE_PROBES);
    socket2::SockRef::from(stream).set_tcp_keepalive(&keepalive)
}

async fn shake_hands<S: AsyncRead + AsyncWrite + Send + Unpin + 'static>(stream: S) -> Result<Connection, IngestError> {
    let (sender, connection) = handshake(TokioIo::new(stream)).await.map_err(IngestError::Http)?;
    // Its errors come out at the request or the body.
    let driver = Task::spawn(async move { drop(connection.await) });
    Ok(Connection { sender, _driver: driver })
}

impl Connection {
    /// Asks for the events and waits for the headers, which Docker sends at once.
    pub(super) async fn events(mut self, timing: &Timing) -> Result<EventStream, IngestError> {
        let request = Request::get(EVENTS).header(HOST, "docker").header(USER_AGENT, USER_AGENT_VALUE).body(Empty::new());
        // Unversioned, as every daemon serves it; the parts are constant.
        let request = request.unwrap_or_default();
        let requested = Timestamp::now();
        let late = |_| IngestError::Timeout { what: "GET /events", after: timing.answer };
        let answer = timeout(timing.answer, self.sender.send_request(request)).await.map_err(late)?.map_err(IngestError::Http)?;
        if answer.status() != hyper::StatusCode::OK {
            let status = answer.status().as_u16();
            let message = timeout(timing.answer, message(answer)).await.unwrap_or_default();
            return Err(IngestError::Status { status, message });
        }
        let date = answer.headers().get(DATE).and_then(|date| date.to_str().ok()).and_then(parse_date);
        Ok(EventStream { body: answer.into_body(), date, requested, _connection: self })
    }
}

impl EventStream {
    /// The next bytes. May be dropped while it waits.
    ///
    /// # Errors
    /// [`IngestError::Ended`] or [`IngestError::Broken`].
    pub(super) async fn next(&mut self) -> Result<Bytes, IngestError> {
        loop {
            let frame = self.body.frame().await.ok_or(IngestError::Ended)?.map_err(ended)?;
            if let Ok(bytes) = frame.into_data() {
                return Ok(bytes);
            }
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
async fn message(answer: Response<Incoming>) -> String {
    let body = match Limited::new(answer.into_body(), MAX_ERROR_BYTES).collect().await {
        Ok(body) => body.to_bytes(),
        Err(_) => return "(the message could not be read)".to_owned(),
    };
    let json: Option<serde_json::Value> = serde_json::from_slice(&body).ok();
    let text = match json.as_ref().and_then(|json| json.get("message")?.as_str()) {
        Some(message) => message.to_owned(),
        None => String::from_utf8_lossy(&body).into_owned(),
    };
    text.trim().chars().map(|c| if c.is_control() { ' ' } else { c }).take(MAX_MESSAGE_CHARS).collect()
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
