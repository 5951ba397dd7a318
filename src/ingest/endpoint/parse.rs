//! Reading the URLs of Docker hosts.

use super::{DEFAULT_SOCKET, Endpoint, EndpointError, SshTarget, TlsFiles};
use std::path::PathBuf;

/// Docker's port without TLS.
const PLAIN_PORT: u16 = 2375;
/// Docker's port with TLS.
const TLS_PORT: u16 = 2376;

/// What is understood of a host that does not say it itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct TlsDefaults {
    /// What `tcp://` means.
    pub(super) tcp: TcpMeans,
    /// Certificates for TLS.
    pub(super) files: TlsFiles,
}

/// What `tcp://` means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum TcpMeans {
    /// HTTP without encryption.
    Plain,
    /// TLS, and the server is checked.
    Tls,
    /// TLS, and the server is not checked.
    Unchecked,
}

/// Reads any URL but `context://`.
pub(super) fn endpoint(url: &str, tls: &TlsDefaults) -> Result<Endpoint, EndpointError> {
    let invalid = |why| EndpointError::Invalid { url: url.to_owned(), why };
    let unsupported = |what, instead| EndpointError::NotSupported { url: url.to_owned(), what, instead };
    let Some((scheme, rest)) = url.split_once("://") else {
        return Err(invalid(if url.starts_with('/') { "a path needs unix:// in front" } else { "it needs unix:// or tcp:// in front" }));
    };
    match scheme {
        "unix" if rest.starts_with('/') => Ok(Endpoint::Unix(PathBuf::from(rest))),
        "unix" if rest.is_empty() => Ok(Endpoint::Unix(PathBuf::from(DEFAULT_SOCKET))),
        "unix" => Err(invalid("the path of the socket must be absolute, which makes three slashes")),
        "tcp" | "http" | "https" => {
            let (authority, cert_path) = cert_path(rest).map_err(invalid)?;
            let encrypted = match scheme {
                "https" => true,
                "http" if cert_path.is_some() => return Err(invalid("cert-path is for TLS: write tcp:// or https://")),
                "http" => false,
                _ if cert_path.is_some() || tls.tcp == TcpMeans::Tls => true,
                _ if tls.tcp == TcpMeans::Unchecked => {
                    let instead = "set DOCKER_TLS_VERIFY=1 (or TLS verification in the docker context), so that nobody else can pass for \
                                   the Docker host; for plain HTTP write http://";
                    return Err(unsupported("TLS that does not check the server (DOCKER_TLS, SkipTLSVerify)", instead));
                }
                _ => false,
            };
            let (host, port) = host_and_port(authority).map_err(invalid)?;
            Ok(if encrypted {
                let files = cert_path.map_or_else(|| tls.files.clone(), |dir| TlsFiles { dir: Some(dir), named: true });
                Endpoint::Tls { host, port: port.unwrap_or(TLS_PORT), files }
            } else {
                Endpoint::Tcp { host, port: port.unwrap_or(PLAIN_PORT) }
            })
        }
        "ssh" => ssh(rest).map(Endpoint::Ssh).map_err(invalid),
        "npipe" => Err(unsupported("a Windows named pipe", "run shipslog in the Linux VM or container that has /var/run/docker.sock")),
        "fd" => Err(unsupported("a passed file descriptor", "use the path of the socket: unix:///var/run/docker.sock")),
        _ => Err(invalid("unknown scheme")),
    }
}

/// `HOST:PORT`, and the directory of `?cert-path=DIR`, which is taken as it stands.
fn cert_path(rest: &str) -> Result<(&str, Option<PathBuf>), &'static str> {
    let (authority, query) = rest.split_once('?').map_or((rest, None), |(authority, query)| (authority, Some(query)));
    let dir = match query.map(|query| query.strip_prefix("cert-path=")) {
        None => None,
        Some(Some(dir)) if !dir.is_empty() => Some(PathBuf::from(dir)),
        Some(_) => return Err("only ?cert-path=DIR may follow the address"),
    };
    let authority = authority.strip_suffix('/').unwrap_or(authority);
    if authority.contains(['/', '#']) {
        return Err("a path after the address is not supported");
    }
    if authority.contains(['@', ' ']) {
        return Err("only HOST:PORT may follow the scheme");
    }
    Ok((authority, dir))
}

fn host_and_port(authority: &str) -> Result<(String, Option<u16>), &'static str> {
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
    let number = |text: &str| text.strip_prefix(':').and_then(|p| p.parse().ok()).filter(|port| *port != 0);
    let port = if port.is_empty() { None } else { Some(number(port).ok_or("the port is not a number from 1 to 65535")?) };
    Ok((host.to_owned(), port))
}

/// `[USER@]HOST[:PORT][/PATH/OF/SOCKET]`. What ssh could take for an option, and a shell (ssh hands both to
/// those of its configuration) for more than a word, is refused.
fn ssh(rest: &str) -> Result<SshTarget, &'static str> {
    let (authority, path) = rest.find('/').map_or((rest, ""), |slash| rest.split_at(slash));
    if path.contains(['?', '#']) || authority.contains(['?', '#']) {
        return Err("nothing may follow the path of the socket");
    }
    if path.contains(char::is_control) {
        return Err("the path of the socket has control characters");
    }
    let (user, host) = match authority.rsplit_once('@') {
        Some((user, _)) if user.contains(':') => return Err("ssh takes no password from a URL: use a key"),
        Some((user, host)) => (Some(user), host),
        None => (None, authority),
    };
    let (host, port) = host_and_port(host)?;
    let word = |text: &str, also: &[char]| text.chars().all(|c| c.is_alphanumeric() || also.contains(&c)) && !text.starts_with('-');
    if !word(&host, &['.', '_', '-', ':']) {
        return Err("ssh would not take that host: it has letters, digits, dots, dashes and underscores, and does not begin with a dash");
    }
    if user.is_some_and(|user| user.is_empty() || !word(user, &['.', '_', '-', '+', '@'])) {
        return Err("ssh would not take that user: it has letters, digits, dots, dashes and underscores, and does not begin with a dash");
    }
    let socket = Some(path).filter(|path| !path.trim_matches('/').is_empty()).map(str::to_owned);
    Ok(SshTarget { user: user.map(str::to_owned), host, port, socket })
}

#[cfg(test)]
mod tests;
