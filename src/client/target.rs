//! Which server, and how it is reached.

use super::{CONNECT_TIMEOUT, Client, ClientError, READ_TIMEOUT};
use crate::text::root_cause;
use reqwest::header::{AUTHORIZATION, HeaderMap, HeaderValue};
use reqwest::redirect::{Attempt, Policy};
use reqwest::{ClientBuilder, Url};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Redirects that are followed, one after the other, in one question.
pub(super) const MAX_REDIRECTS: usize = 10;

/// A server, and what is needed to talk to it.
#[derive(Debug, Clone, Default)]
pub struct Target {
    /// `http://…` (which may be left out), `https://…` or `unix:PATH`; a path in front of `/api` may be
    /// given.
    pub url: String,
    /// Sent as `Authorization: Bearer …`.
    pub token: Option<String>,
    /// Certificates in PEM to trust besides those of the system.
    pub ca_cert: Option<Vec<u8>>,
}

impl Client {
    /// A client of a server that wants a token, or has a certificate of its own.
    ///
    /// # Errors
    /// [`ClientError::BadUrl`] for what is not an HTTP URL, and for a token or certificates that cannot be
    /// used.
    pub fn to(target: &Target) -> Result<Self, ClientError> {
        let url = target.url.as_str();
        let bad = |why: &str| ClientError::BadUrl { url: url.to_owned(), why: why.to_owned() };
        let socket = url.strip_prefix("unix:").map(|path| path.strip_prefix("//").unwrap_or(path));
        let full = match socket {
            Some("") => return Err(bad("the path of the socket is missing")),
            Some(_) => "http://localhost".to_owned(),
            None if url.contains("://") => url.to_owned(),
            None => format!("http://{url}"),
        };
        let mut base = Url::parse(&full).map_err(|e| bad(&e.to_string()))?;
        if !matches!(base.scheme(), "http" | "https") {
            return Err(bad("the scheme must be http, https or unix"));
        }
        // The dot of a whole name says nothing more here, and servers know themselves without it.
        if let Some(name) = base.host_str().filter(|host| is_localhost(host)).and_then(|host| host.strip_suffix('.')).map(str::to_owned) {
            let _ = base.set_host(Some(&name));
        }
        base.set_query(None);
        base.set_fragment(None);
        // The first to ask decides for the whole process; another's choice serves as well.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let mut builder = reqwest::Client::builder()
            .connect_timeout(CONNECT_TIMEOUT)
            .read_timeout(READ_TIMEOUT)
            .user_agent(concat!("shipslog/", env!("CARGO_PKG_VERSION")));
        if let Some(path) = socket {
            builder = builder.unix_socket(path);
        }
        let local = socket.is_some() || base.host_str().is_some_and(is_this_machine);
        let encrypted = base.scheme() == "https";
        // Also by way of a proxy, which would read it.
        if target.token.is_some() && !encrypted && !local {
            return Err(bad("a token would travel unencrypted; write https://"));
        }
        builder = builder.redirect(Policy::custom(follow));
        if local {
            builder = on_this_machine(builder, base.host_str().unwrap_or_default());
        }
        if !encrypted {
            // None is needed, and a small image has none.
            builder = builder.tls_certs_only([]);
        }
        if let Some(token) = &target.token {
            let mut value = HeaderValue::from_str(&format!("Bearer {token}")).map_err(|_| bad("the token cannot be sent in a header"))?;
            value.set_sensitive(true);
            builder = builder.default_headers(HeaderMap::from_iter([(AUTHORIZATION, value)]));
        }
        if let Some(pem) = &target.ca_cert {
            let certificates = reqwest::Certificate::from_pem_bundle(pem).map_err(|e| bad(&root_cause(&e)))?;
            if certificates.is_empty() {
                return Err(bad("--ca-cert holds no certificate in PEM"));
            }
            builder = builder.tls_certs_merge(certificates);
        }
        let http = builder.build().map_err(|e| match root_cause(&e) {
            why if encrypted && why.contains("No CA certificates") => ClientError::NoRoots { url: url.to_owned() },
            why => bad(&why),
        })?;
        Ok(Self { http, base, socket: socket.map(str::to_owned) })
    }
}

/// Whether the host of a URL, as [`Url`] writes it, is this machine whatever a name server says.
fn is_this_machine(host: &str) -> bool {
    match host.trim_matches(['[', ']']).parse::<IpAddr>().map(|ip| ip.to_canonical()) {
        // The kernel takes a connection to no address for one to itself.
        Ok(ip) => ip.is_loopback() || ip.is_unspecified(),
        Err(_) => is_localhost(host),
    }
}

/// `localhost` and the names below it, which nobody else may have (RFC 6761).
fn is_localhost(host: &str) -> bool {
    let host = host.strip_suffix('.').unwrap_or(host);
    host.rsplit('.').next().is_some_and(|last| last.eq_ignore_ascii_case("localhost"))
}

/// No proxy of the environment can reach this machine's loopback, and one would see the token. A name below
/// `localhost` is not asked for: a name server could lead elsewhere.
fn on_this_machine(builder: ClientBuilder, host: &str) -> ClientBuilder {
    let builder = builder.no_proxy();
    if is_localhost(host) && host != "localhost" {
        let ours = [IpAddr::from(Ipv4Addr::LOCALHOST), IpAddr::from(Ipv6Addr::LOCALHOST)];
        return builder.resolve_to_addrs(host, &ours.map(|ip| (ip, 0).into()));
    }
    builder
}

/// A redirect to another scheme is refused: a token that was to be encrypted would not be, and plain HTTP has
/// no certificates to continue with.
fn follow(attempt: Attempt<'_>) -> reqwest::redirect::Action {
    let before = attempt.previous().last();
    if before.is_some_and(|before| before.scheme() != attempt.url().scheme()) {
        let to = attempt.url().to_string();
        return attempt.error(format!("the server redirects to {to}; if that is right, give it as the URL"));
    }
    Policy::limited(MAX_REDIRECTS).redirect(attempt)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_machine_has_many_names() {
        let host = |url: &str| Url::parse(url).unwrap().host_str().unwrap().to_owned();
        for own in [
            "http://localhost",
            "http://LOCALHOST:7070",
            "http://localhost.",
            "http://ship.localhost",
            "http://a.b.LocalHost.",
            "http://127.0.0.1",
            "http://127.1",
            "http://127.255.3.4",
            "http://0x7f000001",
            "http://0.0.0.0",
            "http://[::1]",
            "http://[::]",
            "http://[::ffff:127.0.0.1]",
        ] {
            assert!(is_this_machine(&host(own)), "{own}");
        }
        for other in [
            "http://localhost.example",
            "http://notlocalhost",
            "http://my-localhost",
            "http://localhost..",
            "http://128.0.0.1",
            "http://10.0.0.1",
            "http://127.0.0.1.nip.example",
            "http://[::2]",
            "http://[fe80::1]",
            "http://[::ffff:10.0.0.1]",
        ] {
            assert!(!is_this_machine(&host(other)), "{other}");
        }
    }

    #[test]
    fn a_token_travels_encrypted_or_stays_here() {
        let to =
            |url: &str| Client::to(&Target { url: url.to_owned(), token: Some("0123456789abcdef".to_owned()), ca_cert: None }).map(|_| ());
        for refused in ["ship:7070", "http://10.0.0.1", "http://localhost.example"] {
            let ClientError::BadUrl { why, .. } = to(refused).unwrap_err() else { panic!("{refused}") };
            assert!(why.contains("unencrypted"), "{refused}: {why}");
        }
        for taken in ["127.0.0.1:7070", "http://localhost.", "http://ship.localhost:1", "unix:/run/ship.sock"] {
            assert_eq!(to(taken), Ok(()), "{taken}");
        }
    }
}
