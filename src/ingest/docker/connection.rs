//! An HTTP/1.1 connection to a daemon, over whatever way leads there.

use super::dial::{Dialer, Stream};
use super::error::IngestError;
use super::ssh::Stderr;
use crate::ingest::endpoint::Endpoint;
use bytes::Bytes;
use http_body_util::Empty;
use hyper::body::Incoming;
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper::header::{HOST, HeaderValue};
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::timeout;
use tokio_rustls::rustls;
use tokio_util::task::AbortOnDropHandle;

/// For ssh to get through and be logged in: its own limit for connecting, and some more.
pub(super) const LOGIN: Duration = Duration::from_secs(35);
/// For the answer to the ping that tells whether ssh got through, with its head.
const MAX_LOGIN_BYTES: u64 = 64 << 10;
/// For a connection that is closed to be over.
const LAST_WORDS: Duration = Duration::from_millis(100);
/// Where there is no host in the endpoint.
const NO_HOST: HeaderValue = HeaderValue::from_static("docker");

/// A connection that takes one request after the other. Dropping it closes it.
pub(super) struct Connection {
    sender: SendRequest<Empty<Bytes>>,
    endpoint: Endpoint,
    stderr: Option<Stderr>,
    driver: Option<AbortOnDropHandle<Result<(), hyper::Error>>>,
    /// Bytes that may still be read.
    left: Arc<AtomicU64>,
}

/// A stream of which no more than so many bytes are read; then it fails.
struct Limited {
    stream: Box<dyn Stream>,
    left: Arc<AtomicU64>,
}

impl AsyncRead for Limited {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        let read = Pin::new(&mut self.stream).poll_read(cx, buf);
        let count = buf.filled().len().saturating_sub(before) as u64;
        let left = self.left.load(Relaxed);
        if count > left {
            return Poll::Ready(Err(io::Error::other("the answer is too long")));
        }
        if left != u64::MAX {
            self.left.store(left - count, Relaxed);
        }
        read
    }
}

impl AsyncWrite for Limited {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

impl Connection {
    /// Dials, and asks nothing yet; but ssh is waited for until the daemon behind it has answered a ping, so
    /// that no question's time for an answer is spent on a login.
    pub(super) async fn open(dialer: &Dialer) -> Result<Self, IngestError> {
        let dialled = dialer.dial().await?;
        let left = Arc::new(AtomicU64::new(u64::MAX));
        let stream = Limited { stream: dialled.stream, left: Arc::clone(&left) };
        let (sender, connection) = handshake(TokioIo::new(stream)).await.map_err(IngestError::Http)?;
        let driver = Some(AbortOnDropHandle::new(tokio::spawn(connection)));
        let mut connection = Self { sender, endpoint: dialer.endpoint.clone(), stderr: dialled.stderr, driver, left };
        if connection.stderr.is_some() {
            let late = |_| IngestError::Timeout { what: "ssh", after: LOGIN };
            // Any answer will do: a proxy may forbid pings.
            let answer = timeout(LOGIN, connection.limited(MAX_LOGIN_BYTES).send(Request::get("/_ping"))).await.map_err(late)?;
            timeout(dialer.timing.answer, drain(answer?)).await.map_err(late)?;
            connection.limited(u64::MAX).stderr.iter().for_each(Stderr::forget);
        }
        Ok(connection)
    }

    /// From now on, no more than so many bytes are read of it; a limit of `u64::MAX` is none.
    pub(super) fn limited(&mut self, max_bytes: u64) -> &mut Self {
        self.left.store(max_bytes, Relaxed);
        self
    }

    /// Whether a request could be sent at once; not while the last answer has not been read to its end.
    pub(super) fn is_ready(&self) -> bool {
        self.sender.is_ready()
    }

    /// Whether it is over.
    pub(super) fn is_closed(&self) -> bool {
        self.sender.is_closed()
    }

    /// Sends a request without a body and waits for the headers of its answer.
    pub(super) async fn send(&mut self, request: hyper::http::request::Builder) -> Result<Response<Incoming>, IngestError> {
        let mut request = request.body(Empty::new()).map_err(|_| IngestError::Request)?;
        request.headers_mut().insert(HOST, host(&self.endpoint));
        let sent = match self.sender.ready().await {
            Ok(()) => self.sender.send_request(request).await,
            Err(error) => Err(error),
        };
        match sent {
            Ok(answer) => Ok(answer),
            Err(error) => Err(self.explain(IngestError::Http(error)).await),
        }
    }

    /// The cause of an error, where it is known: TLS, or ssh.
    pub(super) async fn explain(&mut self, error: IngestError) -> IngestError {
        if let Some(stderr) = &mut self.stderr {
            return stderr.words().await.map_or(error, |said| IngestError::Ssh { said });
        }
        let error = match error {
            // It had ended before anything was asked, and only its driver knows why.
            IngestError::Http(cause) if cause.is_closed() || cause.is_canceled() => IngestError::Http(self.end().await.unwrap_or(cause)),
            other => other,
        };
        let (IngestError::Http(cause) | IngestError::Broken(cause)) = &error else { return error };
        match tls_error(cause) {
            Some(source) => IngestError::Tls { endpoint: self.endpoint.clone(), source: Box::new(source) },
            None => error,
        }
    }

    /// What the connection ended with.
    async fn end(&mut self) -> Option<hyper::Error> {
        let driver = self.driver.take()?;
        timeout(LAST_WORDS, driver).await.ok()?.ok()?.err()
    }
}

/// A server says that it does not take our certificate only when the handshake is over for us (TLS 1.3).
fn tls_error(error: &hyper::Error) -> Option<rustls::Error> {
    let error = std::error::Error::source(error)?.downcast_ref::<std::io::Error>()?;
    error.get_ref()?.downcast_ref::<rustls::Error>().cloned()
}

/// As URLs have it: a proxy may serve more than one host.
fn host(endpoint: &Endpoint) -> HeaderValue {
    match endpoint {
        Endpoint::Tcp { .. } | Endpoint::Tls { .. } => {
            let url = endpoint.to_string();
            url.split_once("://").and_then(|(_, authority)| HeaderValue::from_str(authority).ok()).unwrap_or(NO_HOST)
        }
        Endpoint::Unix(_) | Endpoint::Ssh(_) => NO_HOST,
    }
}

/// So that the connection can be used again.
async fn drain(answer: Response<Incoming>) {
    use http_body_util::BodyExt as _;
    let mut body = answer.into_body();
    while let Some(Ok(_)) = body.frame().await {}
}
