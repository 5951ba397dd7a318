//! One way to every Docker host: a stream of bytes to its API, over a Unix socket, TCP, TLS or ssh.

use super::Timing;
use super::error::IngestError;
use super::ssh::{self, Stderr};
use super::tls;
use crate::ingest::endpoint::Endpoint;
use std::io;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpStream, UnixStream};
use tokio::sync::Mutex;
use tokio::time::{Instant, sleep_until, timeout};

/// A TCP peer that is gone without a word is noticed within 5 + 3 × 3 s. Nothing else would notice: we send
/// nothing, and new connections (pings) may well work while a router has forgotten this one.
const KEEPALIVE_AFTER: Duration = Duration::from_secs(5);
const KEEPALIVE_EVERY: Duration = Duration::from_secs(3);
const KEEPALIVE_PROBES: u32 = 3;
/// Each ssh connection is a login, which costs the other side work, and fills its log when it fails.
const LOGIN_EVERY: Duration = Duration::from_secs(10);

/// Bytes in both directions.
pub(super) trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> Stream for T {}

/// What came of dialling.
pub(super) struct Dialled {
    pub(super) stream: Box<dyn Stream>,
    /// Where the stream is ssh's, what that says.
    pub(super) stderr: Option<Stderr>,
}

/// Dials one host. Clones keep to the pace of ssh logins together.
#[derive(Clone)]
pub(super) struct Dialer {
    pub(super) endpoint: Endpoint,
    pub(super) timing: Timing,
    next_login: Arc<Mutex<Option<Instant>>>,
}

impl Dialer {
    pub(super) fn new(endpoint: &Endpoint, timing: &Timing) -> Self {
        Self { endpoint: endpoint.clone(), timing: *timing, next_login: Arc::default() }
    }

    /// Connects, and asks nothing yet. That an ssh could be started does not mean that it got through.
    pub(super) async fn dial(&self) -> Result<Dialled, IngestError> {
        if let Endpoint::Ssh(target) = &self.endpoint {
            self.wait_for_login().await;
            let ssh = ssh::start(target).map_err(|source| self.failed(source))?;
            return Ok(Dialled { stream: Box::new(ssh.pipes), stderr: Some(ssh.stderr) });
        }
        let late = |_| IngestError::Timeout { what: "connecting", after: self.timing.connect };
        let stream = timeout(self.timing.connect, self.connect()).await.map_err(late)??;
        Ok(Dialled { stream, stderr: None })
    }

    async fn connect(&self) -> Result<Box<dyn Stream>, IngestError> {
        let failed = |source| self.failed(source);
        Ok(match &self.endpoint {
            Endpoint::Unix(path) => Box::new(UnixStream::connect(path).await.map_err(failed)?),
            Endpoint::Tcp { host, port } => Box::new(tcp(host, *port).await.map_err(failed)?),
            Endpoint::Tls { host, port, files } => {
                let stream = tcp(host, *port).await.map_err(failed)?;
                Box::new(tls::connect(stream, host, files, &self.endpoint).await?)
            }
            Endpoint::Ssh(_) => return Err(failed(io::ErrorKind::Unsupported.into())),
        })
    }

    fn failed(&self, source: io::Error) -> IngestError {
        IngestError::Connect { endpoint: self.endpoint.clone(), source }
    }

    async fn wait_for_login(&self) {
        let mut next = self.next_login.lock().await;
        if let Some(at) = *next {
            sleep_until(at).await;
        }
        *next = Some(Instant::now() + LOGIN_EVERY);
    }
}

async fn tcp(host: &str, port: u16) -> io::Result<TcpStream> {
    let stream = TcpStream::connect((host, port)).await?;
    let keepalive = socket2::TcpKeepalive::new().with_time(KEEPALIVE_AFTER).with_interval(KEEPALIVE_EVERY).with_retries(KEEPALIVE_PROBES);
    socket2::SockRef::from(&stream).set_tcp_keepalive(&keepalive)?;
    Ok(stream)
}
