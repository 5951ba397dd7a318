//! Why something was not done that the machine wanted.

use crate::stream::StreamError;

/// Why something was not done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Trouble {
    /// Another message is the newest than expected.
    Conflict,
    /// Nobody knows whether it was done.
    Unanswered(String),
    /// It was not done, and may be later.
    Unavailable(String),
    /// It will not be done until somebody changes something.
    Refused(String),
    /// The hub takes this many bytes at most.
    TooLarge(usize),
    /// The log cannot be read.
    Log(String),
}

impl Trouble {
    /// What the hub says.
    pub(super) fn of(error: &StreamError) -> Self {
        match error {
            StreamError::Conflict => Self::Conflict,
            StreamError::TooLarge { limit, .. } => Self::TooLarge(*limit),
            StreamError::Unanswered(_) => Self::Unanswered(error.to_string()),
            StreamError::Unavailable(_) => Self::Unavailable(error.to_string()),
            StreamError::Refused(_) | StreamError::Unfit(_) => Self::Refused(error.to_string()),
        }
    }
}
