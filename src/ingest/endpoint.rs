//! Where Docker hosts are: `unix:///var/run/docker.sock`, `tcp://host:2375`, `name=URL` for several.

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;

/// Name of a host that was given none.
pub const DEFAULT_NAME: &str = "local";
/// Where the Docker Engine listens unless told otherwise.
pub const DEFAULT_SOCKET: &str = "/var/run/docker.sock";
/// Docker's port without TLS.
const DEFAULT_PORT: u16 = 2375;
const MAX_NAME_CHARS: usize = 64;

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
    #[error("{url:?}: {what} is not supported yet; {instead}")]
    NotSupported {
        /// The text.
        url: String,
        /// The way to connect.
        what: &'static str,
        /// What to do.
        instead: &'static str,
    },
    /// Not a Docker host URL at all.
    #[error("{url:?} is not a Docker host: {why}; use unix:///var/run/docker.sock or tcp://127.0.0.1:2375, or NAME=URL for several hosts")]
    Invalid {
        /// The text.
        url: String,
        /// What is wrong.
        why: &'static str,
    },
    /// Records could not be told apart.
    #[error("two Docker hosts are named {0:?}; give each a name of its own with NAME=URL")]
    SameName(String),
}

impl Endpoint {
    /// Reads a Docker host URL.
    ///
    /// # Errors
    /// [`EndpointError`] for what is not one, or asks for TLS, SSH or a named pipe.
    pub fn parse(url: &str) -> Result<Self, EndpointError> {
        let invalid = |why| EndpointError::Invalid { url: url.to_owned(), why };
        let unsupported = |what, instead| EndpointError::NotSupported { url: url.to_owned(), what, instead };
        let Some((scheme, rest)) = url.split_once("://") else {
            return Err(invalid(if url.starts_with('/') {
                "a path needs unix:// in front"
            } else {
                "it needs unix:// or tcp:// in front"
            }));
        };
        match scheme {
            "unix" if rest.starts_with('/') => Ok(Self::Unix(PathBuf::from(rest))),
            "unix" if rest.is_empty() => Ok(Self::Unix(PathBuf::from(DEFAULT_SOCKET))),
            "unix" => Err(invalid("the path of the socket must be absolute, which makes three slashes")),
            "tcp" | "http" => parse_tcp(rest).map_err(invalid),
            "https" => Err(unsupported("TLS", TLS_INSTEAD)),
            "ssh" => Err(unsupported(
                "SSH",
                "forward the socket with `ssh -NL /tmp/docker.sock:/var/run/docker.sock HOST` and use unix:///tmp/docker.sock",
            )),
            "npipe" => Err(unsupported("a Windows named pipe", "run shipslog in the Linux VM or container that has /var/run/docker.sock")),
            "fd" => Err(unsupported("a passed file descriptor", "use the path of the socket: unix:///var/run/docker.sock")),
            _ => Err(invalid("unknown scheme")),
        }
    }
}

const TLS_INSTEAD: &str = "run shipslog on that host with its Unix socket, or forward the port (`ssh -NL 2375:/var/run/docker.sock HOST`) \
                           and use tcp://127.0.0.1:2375 without DOCKER_TLS_VERIFY";

fn parse_tcp(rest: &str) -> Result<Endpoint, &'static str> {
    let authority = rest.strip_suffix('/').unwrap_or(rest);
    if authority.contains(['/', '?', '#']) {
        return Err("a path behind the address is not supported");
    }
    if authority.contains(['@', ' ']) {
        return Err("only HOST:PORT may follow the scheme");
    }
    let (host, port) = match authority.strip_prefix('[') {
        Some(v6) => {
            let (host, after) = v6.split_once(']').ok_or("the bracket of the IPv6 address is not closed")?;
            host.parse::<std::net::Ipv6Addr>().map_err(|_| "no IPv6 address in the brackets")?;
            (host, after)
        }
        None => authority.find(':').map_or((authority, ""), |colon| authority.split_at(colon)),
    };
    if host.is_empty() {
        return Err("the host is missing");
    }
    let port = match port {
        "" => DEFAULT_PORT,
        port => {
            port.strip_prefix(':').and_then(|p| p.parse().ok()).filter(|p| *p != 0).ok_or("the port is not a number from 1 to 65535")?
        }
    };
    Ok(Endpoint::Tcp { host: host.to_owned(), port })
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unix(path) => write!(f, "unix://{}", path.display()),
            Self::Tcp { host, port } if host.contains(':') => write!(f, "tcp://[{host}]:{port}"),
            Self::Tcp { host, port } => write!(f, "tcp://{host}:{port}"),
        }
    }
}

impl DockerHost {
    /// Reads `URL` or `NAME=URL`.
    ///
    /// # Errors
    /// [`EndpointError`], as [`Endpoint::parse`], or for a name that is not 1 to 64 of `A-Z a-z 0-9 . _ -`.
    pub fn parse(text: &str) -> Result<Self, EndpointError> {
        let text = text.trim();
        // A `=` behind the scheme belongs to the URL.
        let (name, url) = match text.split_once('=') {
            Some((name, url)) if !name.contains("://") => (name, url),
            _ => (DEFAULT_NAME, text),
        };
        let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
        if name.is_empty() || name.len() > MAX_NAME_CHARS || !name.chars().all(plain) {
            let why = "a name has 1 to 64 letters, digits, dots, dashes and underscores";
            return Err(EndpointError::Invalid { url: text.to_owned(), why });
        }
        Ok(Self { name: name.into(), endpoint: Endpoint::parse(url)? })
    }

    /// The hosts to follow: those of `--docker-host`, else that of `DOCKER_HOST`, else the local one. An empty variable
    /// counts as none, as in Docker.
    ///
    /// # Errors
    /// [`EndpointError`]: a text that is no host, a name used twice, or a TCP host while `DOCKER_TLS_VERIFY` asks for TLS.
    pub fn resolve(args: &[String], docker_host: Option<&str>, docker_tls_verify: Option<&str>) -> Result<Vec<Self>, EndpointError> {
        let from_environment = docker_host.map(str::trim).filter(|text| !text.is_empty());
        let hosts: Vec<Self> = match (args, from_environment) {
            ([], None) => vec![Self { name: DEFAULT_NAME.into(), endpoint: Endpoint::Unix(PathBuf::from(DEFAULT_SOCKET)) }],
            ([], Some(url)) => vec![Self { name: DEFAULT_NAME.into(), endpoint: Endpoint::parse(url)? }],
            (args, _) => args.iter().map(|arg| Self::parse(arg)).collect::<Result<_, _>>()?,
        };
        let tls = docker_tls_verify.is_some_and(|value| !value.is_empty());
        for (i, host) in hosts.iter().enumerate() {
            if hosts.iter().take(i).any(|other| other.name == host.name) {
                return Err(EndpointError::SameName(host.name.to_string()));
            }
            if tls && matches!(host.endpoint, Endpoint::Tcp { .. }) {
                let what = "TLS (DOCKER_TLS_VERIFY is set)";
                return Err(EndpointError::NotSupported { url: host.endpoint.to_string(), what, instead: TLS_INSTEAD });
            }
        }
        Ok(hosts)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_docker_reads() {
        let cases = [
            ("unix:///run/user/1000/docker.sock", "unix:///run/user/1000/docker.sock"),
            ("unix://", "unix:///var/run/docker.sock"),
            ("tcp://127.0.0.1:2376", "tcp://127.0.0.1:2376"),
            ("tcp://docker", "tcp://docker:2375"),
            ("http://localhost:80/", "tcp://localhost:80"),
            ("tcp://[::1]:2375", "tcp://[::1]:2375"),
            ("tcp://[::1]", "tcp://[::1]:2375"),
        ];
        for (text, shown) in cases {
            assert_eq!(Endpoint::parse(text).unwrap().to_string(), shown, "{text}");
        }
    }

    #[test]
    fn says_what_to_do_about_the_rest() {
        let cases = [
            ("https://10.0.0.1:2376", "not supported yet; run shipslog on that host"),
            ("ssh://me@host", "ssh -NL"),
            ("npipe:////./pipe/docker_engine", "not supported yet"),
            ("fd://", "not supported yet"),
            ("/var/run/docker.sock", "needs unix:// in front"),
            ("localhost:2375", "needs unix:// or tcp://"),
            ("unix://run/docker.sock", "three slashes"),
            ("tcp://", "host is missing"),
            ("tcp://a:b", "port"),
            ("tcp://a:0", "port"),
            ("tcp://[::1", "bracket"),
            ("tcp://[::1]x", "port"),
            ("tcp://a:1/v1.41", "path"),
            ("tcp://a@b:1", "HOST:PORT"),
            ("ftp://a", "unknown scheme"),
            ("", "unix://"),
        ];
        for (text, part) in cases {
            let error = Endpoint::parse(text).unwrap_err().to_string();
            assert!(error.contains(part), "{text}: {error}");
        }
        let error = DockerHost::parse("a b=unix:///x").unwrap_err().to_string();
        assert!(error.contains("letters"), "{error}");
    }

    fn resolve(args: &[&str], host: Option<&str>, tls: Option<&str>) -> Result<Vec<String>, EndpointError> {
        let args: Vec<String> = args.iter().map(ToString::to_string).collect();
        let hosts = DockerHost::resolve(&args, host, tls)?;
        Ok(hosts.into_iter().map(|host| format!("{}={}", host.name, host.endpoint)).collect())
    }

    #[test]
    fn arguments_come_before_the_environment() {
        assert_eq!(resolve(&[], None, None).unwrap(), ["local=unix:///var/run/docker.sock"]);
        assert_eq!(resolve(&[], Some(""), Some("")).unwrap(), ["local=unix:///var/run/docker.sock"]);
        assert_eq!(resolve(&[], Some("tcp://a"), None).unwrap(), ["local=tcp://a:2375"]);
        let two = resolve(&["web-1=tcp://a:1", "unix:///a=b"], Some("tcp://c"), None).unwrap();
        assert_eq!(two, ["web-1=tcp://a:1", "local=unix:///a=b"]);
        assert_eq!(resolve(&["tcp://a", "tcp://b"], None, None), Err(EndpointError::SameName("local".to_owned())));
        assert!(resolve(&["tcp://a"], None, Some("1")).unwrap_err().to_string().contains("DOCKER_TLS_VERIFY"));
        assert!(resolve(&["unix:///a"], None, Some("1")).is_ok(), "TLS means nothing on a Unix socket");
    }
}
