//! Who may ask: bearer tokens from a file, and for browsers, which cannot send one with an `EventSource`, a
//! session cookie. No token is ever shown, not even one that is refused.

use super::failures::Failures;
use super::reload::Files;
use crate::file;
use crate::filter::{Hosts, HostsError};
use crate::shutdown::Shutdown;
use cookie::{Cookie, SameSite};
use hmac::{Hmac, KeyInit, Mac};
use parking_lot::RwLock;
use sha2::{Digest, Sha256};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use subtle::ConstantTimeEq;
use tokio::sync::watch;
use warp::http::{HeaderMap, header};

/// Name of the session cookie.
const COOKIE: &str = "shipslog_session";
/// How long a login lasts.
const SESSION: Duration = Duration::from_secs(30 * 24 * 3600);
/// Session cookies that are looked at: a browser sends one for each path and domain at most.
const MAX_SESSIONS: usize = 4;
/// Permission of users who are neither the file's owner nor in its group.
const READ_BY_OTHERS: u32 = 0o004;
/// Characters of a token, at least: a shorter one can be guessed.
const MIN_TOKEN_CHARS: usize = 16;

/// Why there are no tokens.
#[derive(Debug, thiserror::Error)]
pub enum AccessError {
    /// The file cannot be read.
    #[error("cannot read the token file {path}: {why}")]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What the system says.
        why: std::io::Error,
    },
    /// The file holds no token.
    #[error("{0} holds no token; write one a line, for example with: openssl rand -hex 32")]
    Empty(PathBuf),
    /// A token could be guessed, or cannot be sent. Its line tells which one, since tokens are never shown.
    #[error("line {line} of {path} is no usable token: it must have {MIN_TOKEN_CHARS} visible ASCII characters or more")]
    Unusable {
        /// The file.
        path: PathBuf,
        /// Counted from 1.
        line: usize,
    },
    /// What follows a token is no list of Docker hosts.
    #[error("line {line} of {path}: after the token and a blank only hosts=NAME,NAME may stand, as in hosts=web-*,db-1")]
    NoHosts {
        /// The file.
        path: PathBuf,
        /// Counted from 1.
        line: usize,
    },
    /// A list of Docker hosts cannot be used.
    #[error("line {line} of {path}: hosts=: {why}")]
    BadHosts {
        /// The file.
        path: PathBuf,
        /// Counted from 1.
        line: usize,
        /// What is wrong with it.
        why: HostsError,
    },
    /// A token that is there already, with other Docker hosts.
    #[error("line {line} of {path} is the token of line {first} again, with other hosts: one token reads what one line says")]
    Twice {
        /// The file.
        path: PathBuf,
        /// Counted from 1.
        line: usize,
        /// The first line with this token.
        first: usize,
    },
}

impl AccessError {
    fn leaves_nobody(&self) -> bool {
        match self {
            Self::Unreadable { why, .. } => why.kind() == std::io::ErrorKind::NotFound,
            Self::Empty(_) => true,
            Self::Unusable { .. } | Self::NoHosts { .. } | Self::BadHosts { .. } | Self::Twice { .. } => false,
        }
    }
}

/// A token, as far as it is kept: its SHA-256.
type Digest32 = [u8; 32];

/// What lets in, and to what.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Token {
    digest: Digest32,
    /// The Docker hosts of which it reads; all without.
    hosts: Option<Hosts>,
}

/// The tokens that are let in. Their text is nowhere in memory, and nowhere in a log.
#[derive(Debug)]
pub struct Access {
    path: PathBuf,
    files: Files,
    tokens: RwLock<Vec<Token>>,
    changes: watch::Sender<()>,
    /// Wrong tokens.
    pub(super) failures: Arc<Failures>,
}

/// Somebody who was let in, by a token that may be taken away.
#[derive(Debug, Clone)]
pub(super) struct Admitted {
    access: Arc<Access>,
    token: Token,
}

impl Admitted {
    /// Tells tokens apart where they must not be known.
    pub(super) fn mark(&self) -> u64 {
        self.token.digest.iter().take(8).fold(0, |mark, byte| mark << 8 | u64::from(*byte))
    }

    /// The Docker hosts of which it may be told; all without.
    pub(super) fn hosts(&self) -> Option<&Hosts> {
        self.token.hosts.as_ref()
    }

    /// Returns when the token is no longer one of ours, or reads of other Docker hosts.
    pub(super) async fn revoked(&self) {
        let mut changes = self.access.changes.subscribe();
        while self.access.tokens.read().contains(&self.token) {
            if changes.changed().await.is_err() {
                return std::future::pending().await;
            }
        }
    }
}

/// Returns when a client that needs a token has lost it.
pub(super) async fn revoked(admitted: Option<&Admitted>) {
    match admitted {
        Some(admitted) => admitted.revoked().await,
        None => std::future::pending().await,
    }
}

impl Access {
    /// Reads tokens, one a line, each with the Docker hosts of which it reads (`TOKEN hosts=web-*,db-1`) or
    /// without; empty lines and lines that begin with `#` do not count.
    ///
    /// # Errors
    /// [`AccessError`], without the tokens' text.
    pub fn load(path: &Path) -> Result<Self, AccessError> {
        let files = Files::new([path]);
        Ok(Self {
            path: path.to_owned(),
            files,
            tokens: RwLock::new(read(path)?),
            changes: watch::Sender::new(()),
            failures: Arc::default(),
        })
    }

    /// Reads the file again when it changes. If a line of it cannot be used, the log says so and the old
    /// tokens stay.
    pub(super) async fn follow_file(self: Arc<Self>, shutdown: Shutdown) {
        while self.files.changed(&shutdown).await {
            match read(&self.path) {
                Ok(tokens) => {
                    *self.tokens.write() = tokens;
                    self.changes.send_replace(());
                    tracing::info!(token.file = %self.path.display(), "the tokens have been read again");
                }
                // An operator who empties or removes the file wants nobody in; one who mistypes a line does
                // not.
                Err(e) if e.leaves_nobody() => {
                    self.tokens.write().clear();
                    self.changes.send_replace(());
                    tracing::error!(error = %e, "there are no tokens any more; nobody is let in");
                }
                Err(e) => tracing::error!(error = %e, "the new tokens cannot be used; the old ones stay"),
            }
        }
    }

    /// Whether a request comes from somebody with a token.
    /// `sessions`: whether the cookie of a login will do as well.
    pub(super) fn admit(self: &Arc<Self>, headers: &HeaderMap, sessions: bool) -> Option<Admitted> {
        let session = || sessions.then(|| self.session(headers, SystemTime::now())).flatten();
        let token = self.bearer(headers).or_else(session)?;
        Some(Admitted { access: Arc::clone(self), token })
    }

    /// Whether a request comes with a bearer token at all: one that is not let in has sent a wrong one.
    pub(super) fn has_bearer(headers: &HeaderMap) -> bool {
        bearer(headers).is_some()
    }

    fn bearer(&self, headers: &HeaderMap) -> Option<Token> {
        bearer(headers).and_then(|token| self.knows(token.trim_ascii()))
    }

    /// The token, if it is one of ours. Takes as long for any other.
    fn knows(&self, token: &[u8]) -> Option<Token> {
        let given: Digest32 = Sha256::digest(token).into();
        let tokens = self.tokens.read();
        let known = tokens.iter().fold(subtle::Choice::from(0), |found, token| found | token.digest.ct_eq(&given));
        tokens.iter().filter(|_| bool::from(known)).find(|token| token.digest == given).cloned()
    }

    /// The token that opened the session.
    fn session(&self, headers: &HeaderMap, now: SystemTime) -> Option<Token> {
        let cookies = headers.get_all(header::COOKIE).into_iter().filter_map(|value| value.to_str().ok());
        cookies.flat_map(Cookie::split_parse).filter_map(Result::ok).filter(|cookie| cookie.name() == COOKIE).take(MAX_SESSIONS).find_map(
            |cookie| {
                let (until, proof) = cookie.value().split_once('.')?;
                let (seconds, proof) = (until.parse::<u64>().ok()?, hex::decode(proof).ok()?);
                let alive = UNIX_EPOCH + Duration::from_secs(seconds.min(u64::from(u32::MAX))) > now;
                // A change of the tokens ends the sessions that were opened with them. Signing costs
                // something, and anybody can send a cookie.
                if !alive || proof.len() != Sha256::output_size() {
                    return None;
                }
                self.tokens.read().iter().find(|token| signer(&token.digest, seconds).verify_slice(&proof).is_ok()).cloned()
            },
        )
    }

    /// The cookie for somebody who logs in with `token`; `None` when it is not one of ours. `secure`: over
    /// TLS only.
    pub(super) fn log_in(&self, token: &str, secure: bool) -> Option<String> {
        let token = self.knows(token.trim().as_bytes())?;
        let until = (SystemTime::now() + SESSION).duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
        let value = format!("{until}.{}", hex::encode(signer(&token.digest, until).finalize().into_bytes()));
        Some(cookie(value, SESSION, secure))
    }

    /// The cookie that ends a session in this browser.
    pub(super) fn log_out(secure: bool) -> String {
        cookie(String::new(), Duration::ZERO, secure)
    }
}

/// The bearer token in the header. The scheme may be in any case (RFC 9110, 11.1).
fn bearer(headers: &HeaderMap) -> Option<&[u8]> {
    let given = headers.get(header::AUTHORIZATION).map(warp::http::HeaderValue::as_bytes);
    given.filter(|value| value.get(..7).is_some_and(|scheme| scheme.eq_ignore_ascii_case(b"bearer "))).and_then(|value| value.get(7..))
}

fn cookie(value: String, age: Duration, secure: bool) -> String {
    let age = cookie::time::Duration::try_from(age).unwrap_or_default();
    // Without a path it is for where the form is, whatever prefix a proxy puts before that (RFC 6265, 5.1.4).
    let cookie = Cookie::build((COOKIE, value)).http_only(true).same_site(SameSite::Strict).secure(secure).max_age(age);
    cookie.build().to_string()
}

/// Signs a session that ends at `until` with a token's digest as the key.
fn signer(token: &Digest32, until: u64) -> Hmac<Sha256> {
    // HMAC takes keys of any length.
    let mut signer =
        <Hmac<Sha256> as KeyInit>::new_from_slice(token).unwrap_or_else(|_| Hmac::new(&hmac::digest::Key::<Hmac<Sha256>>::default()));
    signer.update(b"shipslog session until ");
    signer.update(until.to_string().as_bytes());
    signer
}

fn read(path: &Path) -> Result<Vec<Token>, AccessError> {
    let text = read_text(path).map_err(|why| AccessError::Unreadable { path: path.to_owned(), why })?;
    let mut tokens: Vec<(usize, Token)> = Vec::new();
    for (number, line) in text.lines().enumerate() {
        let text = line.trim();
        if text.is_empty() || text.starts_with('#') {
            continue;
        }
        let (path, line) = (path.to_owned(), number + 1);
        let (token, rest) = text.split_once(char::is_whitespace).map_or((text, None), |(token, rest)| (token, Some(rest.trim_start())));
        if token.len() < MIN_TOKEN_CHARS || !token.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(AccessError::Unusable { path, line });
        }
        // A line that is not understood must not let in to everything.
        let hosts = match rest.map(|rest| rest.strip_prefix("hosts=").filter(|list| !list.contains(char::is_whitespace))) {
            None => None,
            Some(None) => return Err(AccessError::NoHosts { path, line }),
            Some(Some(list)) => Some(Hosts::parse(list).map_err(|why| AccessError::BadHosts { path: path.clone(), line, why })?),
        };
        let token = Token { digest: Sha256::digest(token).into(), hosts };
        match tokens.iter().find(|(_, known)| known.digest == token.digest) {
            Some((first, known)) if known.hosts != token.hosts => return Err(AccessError::Twice { path, line, first: *first }),
            _ => tokens.push((line, token)),
        }
    }
    if tokens.is_empty() { Err(AccessError::Empty(path.to_owned())) } else { Ok(tokens.into_iter().map(|(_, token)| token).collect()) }
}

/// The file's text. The log warns of a file that everybody on this machine can read: anybody who has its
/// tokens is let in.
fn read_text(path: &Path) -> std::io::Result<String> {
    let text = file::text(file::read(path)?)?;
    let mode = path.metadata()?.permissions().mode();
    if mode & READ_BY_OTHERS != 0 {
        let mode = format!("{:o}", mode & 0o777);
        tracing::warn!(token.file = %path.display(), token.mode = mode, "everybody on this machine can read the tokens; use chmod o-r");
    }
    Ok(text)
}

/// A wait that makes guessing slow, cut short when the server stops.
pub(super) async fn slow_down(shutdown: Shutdown) {
    let _ = tokio::time::timeout(Duration::from_secs(1), shutdown.stopping()).await;
}

#[cfg(test)]
mod tests;
