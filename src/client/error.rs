//! What can go wrong between a client and a server, and whether trying again may help.

use std::time::Duration;

/// Why a request failed. Texts from the server may hold anything: escape before showing them on a terminal.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ClientError {
    /// Not the URL of an HTTP server.
    #[error("{url:?} is not a URL of a shipslog server: {why}; a URL looks like http://127.0.0.1:7070")]
    BadUrl {
        /// The text given.
        url: String,
        /// What is wrong with it.
        why: String,
    },
    /// There is nothing to check the server's certificate with.
    #[error(
        "cannot check the certificate of {url:?}: no CA certificates are installed here; install them (Debian: ca-certificates), or name the \
         server's own with --ca-cert"
    )]
    NoRoots {
        /// The text given.
        url: String,
    },
    /// No answer at all.
    #[error("cannot reach shipslog at {url}: {why}; is `shipslog serve` running? set --url or SHIPSLOG_URL")]
    Unreachable {
        /// The server's URL.
        url: String,
        /// The root cause.
        why: String,
    },
    /// The server says no, and will say so again.
    #[error("the server refused: {detail} (HTTP {status})")]
    Refused {
        /// The status.
        status: u16,
        /// The server's words.
        detail: String,
    },
    /// The server cannot answer now.
    #[error("the server is not available: {detail} (HTTP {status})")]
    Unavailable {
        /// The status.
        status: u16,
        /// The server's words.
        detail: String,
        /// When the server asks to be tried again.
        retry_after: Option<Duration>,
    },
    /// The answer broke off.
    #[error("the connection broke before the answer was complete: {why}")]
    Cut {
        /// The root cause.
        why: String,
    },
    /// Nothing came for longer than the server's keep-alives allow.
    #[error("nothing came for {} s, not even a keep-alive", .0.as_secs())]
    Silent(Duration),
    /// The answer is not what a shipslog server sends.
    #[error("the answer does not look like shipslog's: {why}")]
    NotShipslog {
        /// What was odd.
        why: String,
    },
    /// More in one piece than the client is ready to hold.
    #[error("the server sent more than {limit} bytes in one piece")]
    TooLarge {
        /// The limit.
        limit: usize,
    },
}

impl ClientError {
    /// Whether the same request may succeed later.
    pub fn is_transient(&self) -> bool {
        matches!(self, Self::Unreachable { .. } | Self::Unavailable { .. } | Self::Cut { .. } | Self::Silent(_))
    }

    /// When the server asks to be tried again.
    pub fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::Unavailable { retry_after, .. } => *retry_after,
            _ => None,
        }
    }
}
