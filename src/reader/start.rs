//! Where a client starts: from the words it used to a position in this log.

use crate::cursor::{Cursor, Sequence};
use crate::log::{EventLog, LogError};
use crate::time::Timestamp;
use serde::Serialize;

/// What a client asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StartAt {
    /// Only what comes from now on.
    Now,
    /// With the oldest record kept.
    Oldest,
    /// With the first record (in order of arrival) whose own time is this or later.
    Time(Timestamp),
    /// After a cursor, as the client wrote it.
    After(String),
}

/// Why a cursor could not be honoured.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum ResetReason {
    /// It names another log: this one was wiped or replaced, or the client asks the wrong server.
    ForeignLog,
    /// It lies after the head: the log was restored from an older copy, or the client made it up.
    Future,
    /// It is no cursor.
    Malformed,
}

/// A cursor that was not honoured. The client continues from the oldest record, and is told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reset {
    /// Why.
    pub reason: ResetReason,
    /// What the client sent, cut to a harmless length.
    pub requested: String,
}

/// A position in this log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Start {
    /// The first record given is the one after this.
    pub after: Sequence,
    /// Set when that is not what the client asked for.
    pub reset: Option<Reset>,
}

/// Characters of an unusable cursor that are shown back.
const SHOWN_CHARS: usize = 64;

impl StartAt {
    /// Finds the position.
    ///
    /// # Errors
    /// When the log cannot be read.
    pub async fn resolve(self, log: &dyn EventLog) -> Result<Start, LogError> {
        let bounds = log.bounds();
        let at = |after| Start { after, reset: None };
        Ok(match self {
            Self::Now => at(bounds.head),
            Self::Oldest => at(bounds.oldest - 1),
            Self::Time(time) => at(log.seek_time(time).await? - 1),
            Self::After(text) => match check_cursor(&text, log) {
                Ok(seq) => at(seq),
                Err(reason) => {
                    let requested = text.chars().take(SHOWN_CHARS).collect();
                    Start { after: bounds.oldest - 1, reset: Some(Reset { reason, requested }) }
                }
            },
        })
    }
}

/// The sequence of a cursor of this log.
///
/// # Errors
/// Why it is none.
pub fn check_cursor(text: &str, log: &dyn EventLog) -> Result<Sequence, ResetReason> {
    let bounds = log.bounds();
    match text.parse::<Cursor>() {
        Err(_) => Err(ResetReason::Malformed),
        Ok(cursor) if !log.owns(cursor) => Err(ResetReason::ForeignLog),
        Ok(cursor) if cursor.seq > bounds.head => Err(ResetReason::Future),
        Ok(cursor) => Ok(cursor.seq),
    }
}
