//! Epochs: under which id a fleet's log goes on from a place of the stream. The first one begins a fleet;
//! every later one tells that the hub has lost acknowledged messages, or was made anew.

use super::state::FOLD;
use crate::cursor::LogId;
use crate::stream::{Message, Outgoing, Subject};
use serde::{Deserialize, Serialize};

/// Bytes of an epoch's payload, at most.
const MAX_EPOCH_BYTES: usize = 1024;
/// The head of every epoch.
const HEAD: &str = "1";

/// From where on which id holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Epoch {
    /// The id of the fleet's log from there on.
    pub fleet: LogId,
    /// The last message that is of the log before, 0 for none.
    pub at: u64,
    /// The log that it continues, whose cursors hold up to there.
    pub before: Option<LogId>,
    /// By which fold it is made.
    pub fold: u32,
}

/// Why a message is no epoch.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("message {place} of the stream tells no epoch that this shipslog can read: {why}")]
pub struct EpochError {
    /// The message.
    pub place: u64,
    /// What is wrong with it.
    pub why: String,
}

#[derive(Serialize, Deserialize)]
struct Payload {
    epoch: String,
    at: u64,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    before: Option<String>,
    fold: u32,
}

impl Epoch {
    /// A new id from `at` on.
    pub fn begin(at: u64, before: Option<LogId>) -> Self {
        Self { fleet: LogId::random(), at, before, fold: FOLD }
    }

    /// As it is published.
    pub fn to_message(&self, subject: Subject) -> Outgoing {
        let before = self.before.map(|log| log.to_string());
        let payload = Payload { epoch: self.fleet.to_string(), at: self.at, before, fold: self.fold };
        Outgoing { subject, head: HEAD.to_owned(), payload: serde_json::to_vec(&payload).unwrap_or_default().into() }
    }

    /// From a message of the stream.
    ///
    /// # Errors
    /// When it is none, or one that names another fold than this shipslog has.
    pub fn of_message(message: &Message) -> Result<Self, EpochError> {
        let no = |why: String| EpochError { place: message.place, why };
        if message.head != HEAD || message.payload.len() > MAX_EPOCH_BYTES {
            return Err(no("it has another form".to_owned()));
        }
        let payload: Payload = serde_json::from_slice(&message.payload).map_err(|e| no(e.to_string()))?;
        if payload.fold != FOLD {
            return Err(no(format!("it asks for the fold {}, and this shipslog has {FOLD}", payload.fold)));
        }
        if payload.at >= message.place {
            return Err(no("it begins at a place that lies ahead of it".to_owned()));
        }
        let id = |text: &str| text.parse::<LogId>().map_err(|e| no(e.to_string()));
        let before = payload.before.as_deref().map(id).transpose()?;
        Ok(Self { fleet: id(&payload.epoch)?, at: payload.at, before, fold: payload.fold })
    }
}
