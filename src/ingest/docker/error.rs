//! What can go wrong with a Docker host, in words for the person who has to mend it.

use super::hints;
use crate::ingest::endpoint::Endpoint;
use crate::text::printable;
use std::io;
use std::ops::RangeInclusive;
use std::path::PathBuf;
use std::time::Duration;
use tokio_rustls::rustls;

/// Characters of an error in a log, a record and the status.
const MAX_ERROR_CHARS: usize = 1000;

/// With these a proxy says that the daemon behind it does not answer.
pub(super) const GATEWAY_ERRORS: RangeInclusive<u16> = 502..=504;

/// Why there is no event stream.
#[derive(Debug, thiserror::Error)]
pub enum IngestError {
    /// No connection to the socket or port.
    #[error("cannot connect to {endpoint}: {source}")]
    Connect {
        /// Where.
        endpoint: Endpoint,
        /// Why not.
        source: io::Error,
    },
    /// A file for TLS cannot be used.
    #[error("cannot use {}: {why}", path.display())]
    Certificate {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        why: String,
    },
    /// The two sides could not agree on TLS, or one does not trust the other.
    #[error("no TLS with {endpoint}: {source}")]
    Tls {
        /// Where.
        endpoint: Endpoint,
        /// Why not.
        source: Box<rustls::Error>,
    },
    /// ssh has ended.
    #[error("ssh: {said}")]
    Ssh {
        /// What it said, in one line.
        said: String,
    },
    /// Something was to be sent that never should be.
    #[error("shipslog sends only GET requests to Docker")]
    Request,
    /// The daemon did not answer in time.
    #[error("no answer within {} s to {what}", after.as_secs_f32())]
    Timeout {
        /// To what.
        what: &'static str,
        /// How long it was waited for.
        after: Duration,
    },
    /// What came back is not HTTP, or the connection broke before an answer came.
    #[error("no HTTP answer: {}", cause(.0))]
    Http(#[source] hyper::Error),
    /// The daemon, or a proxy in front of it, answered something else than 200.
    #[error("GET /events was answered with HTTP {status}: {message}")]
    Status {
        /// HTTP status.
        status: u16,
        /// The daemon's own message.
        message: String,
    },
    /// The daemon ended the stream or closed the connection, as it does when it stops.
    #[error("the daemon closed the event stream")]
    Ended,
    /// The connection broke.
    #[error("the event stream broke: {}", cause(.0))]
    Broken(#[source] hyper::Error),
    /// The daemon ends stream after stream soon after it has begun.
    #[error("the daemon ends the event stream as soon as it has begun, again and again")]
    Restless {
        /// What it said in place of events.
        said: Option<String>,
    },
    /// The stream is open, but there are neither events nor answers to pings.
    #[error("the daemon sends no events and answers no pings")]
    Silent,
    /// The stream is open and the daemon answers, but something changed that no event has told.
    #[error("containers changed and the event stream did not tell")]
    Deaf,
    /// The daemon may have dropped events for us; see `lag`.
    #[error("this process stood still or was too slow, so the daemon may have dropped events: {lines} came late in a row")]
    FellBehind {
        /// How many lines came late.
        lines: u64,
    },
}

impl IngestError {
    /// The same text for all failures of which one line in the log is enough. A daemon's words are no part of
    /// it.
    pub(super) fn kind(&self) -> String {
        match self {
            Self::Connect { source, .. } => format!("connect {:?}", source.kind()),
            Self::Status { status, .. } => format!("status {status}"),
            Self::Timeout { what, .. } => format!("timeout {what}"),
            Self::Ssh { said } => format!("ssh {}", hints::ssh_kind(said)),
            other => format!("{:?}", std::mem::discriminant(other)),
        }
    }

    /// Whether the daemon, or a proxy in front of it, answered and refused to give events.
    pub(super) fn is_refusal(&self) -> bool {
        matches!(self, Self::Status { status, .. } if !GATEWAY_ERRORS.contains(status))
    }

    /// In words, of which some may be a daemon's: short, on one line, and without anything that a terminal
    /// would act on.
    pub(super) fn words(&self) -> String {
        printable(&self.to_string(), MAX_ERROR_CHARS)
    }

    /// What to do about it, where there is something to say beyond the error itself.
    pub fn hint(&self, endpoint: &Endpoint) -> Option<String> {
        match self {
            Self::Connect { source, .. } => Some(hints::connect(source, endpoint)),
            Self::Certificate { .. } => Some(hints::CERTIFICATES.to_owned()),
            Self::Tls { source, .. } => Some(hints::tls(source, endpoint)),
            Self::Ssh { said } => Some(hints::ssh(said, endpoint)),
            Self::Http(_) if matches!(endpoint, Endpoint::Ssh(_)) => Some(hints::ssh("", endpoint)),
            Self::Http(_) if matches!(endpoint, Endpoint::Tls { .. }) => Some(hints::CLIENT_CERTIFICATE.to_owned()),
            Self::Http(_) => Some(format!("what listens at {endpoint} does not speak plain HTTP: is it a Docker Engine without TLS?")),
            Self::Status { status: 401 | 403, .. } => Some(
                "a proxy in front of the Docker socket forbids it: allow GET for /events, /_ping, /version and /containers \
                 (for docker-socket-proxy: EVENTS=1, PING=1, VERSION=1, CONTAINERS=1)"
                    .to_owned(),
            ),
            Self::Status { message, .. } if message.contains("HTTPS server") => Some(hints::asks_for_tls(endpoint)),
            Self::Status { status: 404, .. } => Some(format!("what listens at {endpoint} is no Docker Engine: check --docker-host")),
            Self::Timeout { .. } if matches!(endpoint, Endpoint::Tls { .. }) => {
                Some("the Docker Engine hangs or is out of reach, or its port does not speak TLS; trying again".to_owned())
            }
            Self::Timeout { .. } => Some("the Docker Engine hangs or is out of reach; trying again".to_owned()),
            Self::Restless { said } => Some(hints::restless(said.as_deref())),
            Self::Status { message, .. } if !message.is_empty() => Some(format!("the daemon said: {message}")),
            Self::Silent => Some("the Docker Engine hangs, or is being stopped".to_owned()),
            Self::Status { .. } | Self::Ended | Self::Broken(_) | Self::FellBehind { .. } | Self::Deaf | Self::Request => None,
        }
    }
}

/// hyper's own text says only that reading failed; the reason is in what caused it.
fn cause(error: &hyper::Error) -> String {
    std::error::Error::source(error).map_or_else(|| error.to_string(), ToString::to_string)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ingest::endpoint::DockerHost;

    #[test]
    fn hints_say_what_to_do() {
        let unix = DockerHost::parse("unix:///run/d.sock").unwrap().endpoint;
        let tcp = DockerHost::parse("tcp://h:1").unwrap().endpoint;
        let connect = |endpoint: &Endpoint, kind: io::ErrorKind| {
            IngestError::Connect { endpoint: endpoint.clone(), source: kind.into() }.hint(endpoint).unwrap()
        };
        assert!(connect(&unix, io::ErrorKind::NotFound).contains("no Docker socket at /run/d.sock"));
        assert!(connect(&unix, io::ErrorKind::NotFound).contains("--demo"));
        assert!(connect(&unix, io::ErrorKind::PermissionDenied).contains("docker group"));
        assert!(connect(&unix, io::ErrorKind::ConnectionRefused).contains("systemctl start docker"));
        let podman = DockerHost::parse("unix:///run/user/1000/podman/podman.sock").unwrap().endpoint;
        assert!(connect(&podman, io::ErrorKind::NotFound).contains("podman.socket"));
        assert!(connect(&tcp, io::ErrorKind::ConnectionRefused).contains("port 1 of h"));
        let status = |status, message: &str| IngestError::Status { status, message: message.to_owned() }.hint(&tcp);
        assert!(status(403, "x").unwrap().contains("EVENTS=1"));
        assert!(status(400, "Client sent an HTTP request to an HTTPS server.").unwrap().contains("TLS"));
        assert_eq!(status(500, "no events logger").as_deref(), Some("the daemon said: no events logger"));
        assert_eq!(status(500, ""), None);
        let restless = |said: Option<&str>| IngestError::Restless { said: said.map(str::to_owned) }.hint(&unix).unwrap();
        assert!(restless(Some("no events")).contains("no events") && restless(None).contains("events_logger"));
    }
}
