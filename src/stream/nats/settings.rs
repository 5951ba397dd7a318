//! Where the hub is, and with which key it is asked.

use super::limits::{CONNECT_WAIT, PING, RETRY_WAIT};
use crate::file;
use crate::stream::api::StreamError;
use async_nats::{ConnectOptions, ServerAddr};
use std::path::{Path, PathBuf};

/// How a user-made seed of an NKey begins.
const SEED: &str = "SU";

/// The hub, as a user names it.
#[derive(Debug, Clone, Default)]
pub struct NatsSettings {
    /// Servers, as `nats://host:port` or `tls://host:port`. Others that they tell of are not used.
    pub urls: Vec<String>,
    /// Name of the stream.
    pub stream: String,
    /// Whom the connection belongs to: its name at the server, and of the inbox `_INBOX_<name>`, in which
    /// answers are received that no other key may read.
    pub name: String,
    /// The key; none where servers take anybody.
    pub key: Option<KeyFile>,
    /// Files for TLS.
    pub tls: TlsFiles,
    /// Takes an engine, or a stream, that does not hold what a fleet is promised.
    pub unsafe_engine: bool,
}

/// A file with a key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum KeyFile {
    /// The seed of an NKey.
    Nkey(PathBuf),
    /// A JWT with its seed, as `nsc` writes it.
    Creds(PathBuf),
}

/// Files for TLS, all PEM.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TlsFiles {
    /// Who is believed about servers; the system's roots where nothing is said.
    pub ca: Option<PathBuf>,
    /// The certificate that this shows to servers, and its key.
    pub client: Option<(PathBuf, PathBuf)>,
}

impl NatsSettings {
    /// # Errors
    /// [`StreamError::Unfit`] where they cannot be.
    pub(super) fn servers(&self) -> Result<Vec<ServerAddr>, StreamError> {
        let servers: Vec<ServerAddr> = self.urls.iter().map(|url| server(url)).collect::<Result<_, _>>()?;
        let plain = |text: &str| !text.is_empty() && text.bytes().all(|c| c.is_ascii_alphanumeric() || c == b'-' || c == b'_');
        for (what, text) in [("stream", &self.stream), ("name", &self.name)] {
            if !plain(text) {
                return Err(StreamError::Unfit(format!("'{text}' cannot be the {what} of a hub: use A-Z, a-z, 0-9, - and _")));
            }
        }
        if servers.is_empty() { Err(StreamError::Unfit("no server of the hub is named".to_owned())) } else { Ok(servers) }
    }

    /// Reads the files anew, so that renewed ones are taken.
    pub(super) fn options(&self) -> Result<ConnectOptions, StreamError> {
        let mut options = match &self.key {
            None => ConnectOptions::new(),
            Some(KeyFile::Nkey(path)) => ConnectOptions::with_nkey(seed(path)?),
            Some(KeyFile::Creds(path)) => {
                let wrong = |error| unreadable(path, "credentials", &error);
                ConnectOptions::with_credentials(&text(path).map_err(wrong)?).map_err(wrong)?
            }
        };
        if let Some(ca) = &self.tls.ca {
            text(ca).map_err(|error| unreadable(ca, "the hub's certificates", &error))?;
            options = options.add_root_certificates(ca.clone()).require_tls(true);
        }
        if let Some((certificate, key)) = &self.tls.client {
            for path in [certificate, key] {
                text(path).map_err(|error| unreadable(path, "a client's certificate", &error))?;
            }
            options = options.add_client_certificate(certificate.clone(), key.clone()).require_tls(true);
        }
        // One that is lost is not made again by the client: it would send then what waits in it.
        Ok(options
            .name(&self.name)
            .custom_inbox_prefix(format!("_INBOX_{}", self.name))
            .connection_timeout(CONNECT_WAIT)
            .ping_interval(PING)
            .ignore_discovered_servers()
            .max_reconnects(self.urls.len())
            .reconnect_delay_callback(|_| RETRY_WAIT))
    }
}

/// What is named may have a password in it, so it is not repeated.
fn server(url: &str) -> Result<ServerAddr, StreamError> {
    url.parse::<ServerAddr>().map_err(|_| StreamError::Unfit("a server of the hub is not named as nats://host:port".to_owned()))
}

fn text(path: &Path) -> std::io::Result<String> {
    file::text(file::read(path)?)
}

fn unreadable(path: &Path, what: &str, error: &std::io::Error) -> StreamError {
    StreamError::Unfit(format!("cannot read {what} in {}: {error}", path.display()))
}

/// The seed in a file, which may have lines of comment beside it.
fn seed(path: &Path) -> Result<String, StreamError> {
    let text = text(path).map_err(|error| unreadable(path, "a key", &error))?;
    let seed = text.lines().map(str::trim).find(|line| line.starts_with(SEED));
    seed.map(str::to_owned)
        .ok_or_else(|| StreamError::Unfit(format!("{} holds no seed of a user's NKey, which begins with {SEED}", path.display())))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings(url: &str, stream: &str, name: &str) -> NatsSettings {
        NatsSettings { urls: vec![url.to_owned()], stream: stream.to_owned(), name: name.to_owned(), ..NatsSettings::default() }
    }

    #[test]
    fn names_and_servers_that_cannot_be_are_refused() {
        assert_eq!(settings("nats://a:4222", "SHIPSLOG", "web-17").servers().unwrap().len(), 1);
        assert_eq!(settings("a", "SHIPSLOG", "web-17").servers().unwrap().len(), 1);
        for (url, stream, name) in
            [("nats://a", "", "a"), ("nats://a", "A.B", "a"), ("nats://a", "A", "a.>"), ("http://u:secret@a", "A", "a")]
        {
            let error = settings(url, stream, name).servers().unwrap_err();
            assert!(matches!(&error, StreamError::Unfit(why) if !why.contains("secret")), "{error}");
        }
        assert!(NatsSettings { urls: Vec::new(), ..settings("", "A", "a") }.servers().is_err());
    }

    #[test]
    fn a_seed_is_found_among_comments() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("key");
        std::fs::write(&path, "# of web-17\n  SUABC  \n").unwrap();
        assert_eq!(seed(&path).unwrap(), "SUABC");
        std::fs::write(&path, "UABC\n").unwrap();
        let error = seed(&path).unwrap_err().to_string();
        assert!(error.contains("key") && !error.contains("UABC"), "{error}");
    }
}
