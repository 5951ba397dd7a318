//! Where Docker hosts are, and how they are reached: `unix:///var/run/docker.sock`, `tcp://host:2375`,
//! `https://host:2376`, `ssh://me@host`, `context://NAME`, and `NAME=URL` for several. The docker CLI's files
//! are read and never written, and nothing is connected to (`docker/dial.rs`).

mod context;
mod env;
mod parse;
mod resolve;

pub use context::{Current, current_context};
pub use env::Env;

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;

/// Name of a host that was given none.
pub const DEFAULT_NAME: &str = "local";
/// Where the Docker Engine listens unless told otherwise.
pub const DEFAULT_SOCKET: &str = "/var/run/docker.sock";

/// An address of a Docker Engine.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Endpoint {
    /// A Unix socket.
    Unix(PathBuf),
    /// Plain HTTP over TCP.
    Tcp {
        /// Host name or address; IPv6 without its brackets.
        host: String,
        /// Port.
        port: u16,
    },
    /// HTTP over TLS; the server's certificate is always checked.
    Tls {
        /// Host name or address, which the certificate must be for; IPv6 without its brackets.
        host: String,
        /// Port.
        port: u16,
        /// Where the certificates are.
        files: TlsFiles,
    },
    /// `docker system dial-stdio` on another machine, by way of the system's ssh.
    Ssh(SshTarget),
}

/// A directory with Docker's `ca.pem`, `cert.pem` and `key.pem`, each of which may be absent. Without
/// `ca.pem` the roots of the system count; without `cert.pem` and `key.pem` the client has no certificate.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct TlsFiles {
    /// The directory; `None` where there is no home directory to look in.
    pub dir: Option<PathBuf>,
    /// Whether somebody named it: then a directory without any of these files is a mistake.
    pub named: bool,
}

/// What ssh is told.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct SshTarget {
    /// The user, where it is not left to ssh's configuration.
    pub user: Option<String>,
    /// Host name, address, or an alias of ssh's configuration.
    pub host: String,
    /// The port, where it is not left to ssh's configuration.
    pub port: Option<u16>,
    /// The Docker socket over there, where it is not left to the docker CLI over there.
    pub socket: Option<String>,
}

/// A Docker host to follow.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct DockerHost {
    /// What its records are marked with.
    pub name: Arc<str>,
    /// Where it is.
    pub endpoint: Endpoint,
}

/// Why a text does not name a Docker host. Every message says what to do.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EndpointError {
    /// A way to connect that Docker has and shipslog does not.
    #[error("{url:?}: {what} is not supported; {instead}")]
    NotSupported {
        /// The text.
        url: String,
        /// The way to connect.
        what: &'static str,
        /// What to do.
        instead: &'static str,
    },
    /// Not a Docker host URL at all.
    #[error(
        "{url:?} is not a Docker host: {why}; use unix:///var/run/docker.sock, tcp://127.0.0.1:2375, https://HOST:2376, ssh://USER@HOST or \
         context://NAME, or NAME=URL for several hosts"
    )]
    Invalid {
        /// The text.
        url: String,
        /// What is wrong.
        why: &'static str,
    },
    /// A docker context that is not there.
    #[error("there is no docker context {name:?} in {}; known are: {known}", dir.display())]
    UnknownContext {
        /// Its name.
        name: String,
        /// The directory of the docker CLI's configuration.
        dir: PathBuf,
        /// Names, for people.
        known: String,
    },
    /// A docker context that cannot be used.
    #[error("docker context {name:?}: {why}")]
    BadContext {
        /// Its name.
        name: String,
        /// What is wrong, and what to do.
        why: String,
    },
    /// Records could not be told apart.
    #[error("two Docker hosts are named {0:?}; give each a name of its own with NAME=URL")]
    SameName(String),
}

impl Endpoint {
    /// The usual socket.
    fn default_socket() -> Self {
        Self::Unix(PathBuf::from(DEFAULT_SOCKET))
    }
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unix(path) => write!(f, "unix://{}", path.display()),
            Self::Tcp { host, port } => write!(f, "tcp://{}:{port}", bracketed(host)),
            Self::Tls { host, port, .. } => write!(f, "https://{}:{port}", bracketed(host)),
            Self::Ssh(SshTarget { user, host, port, socket }) => {
                f.write_str("ssh://")?;
                if let Some(user) = user {
                    write!(f, "{user}@")?;
                }
                f.write_str(&bracketed(host))?;
                if let Some(port) = port {
                    write!(f, ":{port}")?;
                }
                f.write_str(socket.as_deref().unwrap_or(""))
            }
        }
    }
}

/// As it stands in a URL.
fn bracketed(host: &str) -> std::borrow::Cow<'_, str> {
    if host.contains(':') { format!("[{host}]").into() } else { host.into() }
}
