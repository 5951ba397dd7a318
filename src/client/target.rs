//! Which server, and how it is reached.

use super::{CONNECT_TIMEOUT, Client, ClientError, READ_TIMEOUT, error};
use reqwest::Url;
use reqwest::header::{AUTHORIZATION, HeaderMap, HeaderValue};

/// A server, and what is needed to talk to it.
#[derive(Debug, Clone, Default)]
pub struct Target {
    /// `http://…` (which may be left out), `https://…` or `unix:PATH`; a path in front of `/api` may be given.
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
    /// [`ClientError::BadUrl`] for what is not an HTTP URL, and for a token or certificates that cannot be used.
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
        let local = socket.is_some()
            || base.host_str().is_some_and(|host| {
                host == "localhost"
                    || host.trim_matches(['[', ']']).parse::<std::net::IpAddr>().is_ok_and(|ip| ip.to_canonical().is_loopback())
            });
        if target.token.is_some() && base.scheme() == "http" && !local {
            return Err(bad("a token would travel unencrypted; write https://"));
        }
        if let Some(token) = &target.token {
            let mut value = HeaderValue::from_str(&format!("Bearer {token}")).map_err(|_| bad("the token cannot be sent in a header"))?;
            value.set_sensitive(true);
            builder = builder.default_headers(HeaderMap::from_iter([(AUTHORIZATION, value)]));
        }
        if let Some(pem) = &target.ca_cert {
            let certificates = reqwest::Certificate::from_pem_bundle(pem).map_err(|e| bad(&error::root_cause(&e)))?;
            if certificates.is_empty() {
                return Err(bad("--ca-cert holds no certificate in PEM"));
            }
            builder = builder.tls_certs_merge(certificates);
        }
        let http = builder.build().map_err(|e| bad(&error::root_cause(&e)))?;
        Ok(Self { http, base, socket: socket.map(str::to_owned) })
    }
}
