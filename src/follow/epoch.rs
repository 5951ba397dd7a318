//! Epochs: under which id a fleet's log goes on from a place of the stream. The first one begins a fleet;
//! every later one tells that the hub has lost acknowledged messages, or was made anew.

use super::state::FOLD;
use crate::cursor::{LogId, MAX_SEQUENCE, Sequence};
use crate::log::Ids;
use crate::stream::{Message, Outgoing, Subject};
use serde::{Deserialize, Serialize};

/// Bytes of an epoch's payload, at most.
const MAX_EPOCH_BYTES: usize = 8192;
/// Earlier ids that are told, the newest.
const MAX_EARLIER: usize = 64;
/// The head of every epoch.
const HEAD: &str = "1";

/// An id that the fleet's log had before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Earlier {
    /// The id.
    pub fleet: LogId,
    /// The last message whose records have it.
    pub at: u64,
    /// The last record that has it.
    pub last: Sequence,
}

/// From where on which id holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Epoch {
    /// The id of the fleet's log from there on.
    pub fleet: LogId,
    /// The ids before it, whose cursors hold up to where they end, oldest first. None where a fleet begins.
    pub earlier: Vec<Earlier>,
    /// The fold of the first of them began after this place.
    pub began: u64,
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
    /// The last message that is of the log before; where a fleet begins, of none.
    at: u64,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    before: Option<String>,
    /// The last record of the log before.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    last: Option<Sequence>,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    began: Option<u64>,
    /// The ids before `before`.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    older: Vec<(String, u64, Sequence)>,
    fold: u32,
}

/// What an epoch says to a server whose log has certain ids.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fate {
    /// That its id holds.
    Own,
    /// That the hub has lost what told of its id.
    Lost,
    /// That the fleet goes on otherwise than its log after a record and a message.
    Apart { last: Sequence, at: u64 },
    /// That they have nothing in common.
    Foreign,
}

impl Epoch {
    /// The beginning of a fleet with what comes after `place`.
    pub fn begin(place: u64) -> Self {
        Self { fleet: LogId::random(), earlier: Vec::new(), began: place, fold: FOLD }
    }

    /// A new id after these ones.
    pub(super) fn after(mut earlier: Vec<Earlier>, began: u64) -> Self {
        earlier.drain(..earlier.len().saturating_sub(MAX_EARLIER));
        Self { earlier, ..Self::begin(began) }
    }

    /// The last message that is of the log before.
    pub fn at(&self) -> u64 {
        self.earlier.last().map_or(self.began, |earlier| earlier.at)
    }

    /// The id with which the fleet began, as far as is told.
    pub(super) fn root(&self) -> LogId {
        self.earlier.first().map_or(self.fleet, |earlier| earlier.fleet)
    }

    /// The id that records of a message have.
    pub(super) fn id_at(&self, place: u64) -> LogId {
        self.earlier.iter().find(|earlier| place <= earlier.at).map_or(self.fleet, |earlier| earlier.fleet)
    }

    /// The id of the record after `last`.
    pub(super) fn id_after(&self, last: Sequence) -> LogId {
        self.earlier.iter().find(|earlier| earlier.last > last).map_or(self.fleet, |earlier| earlier.fleet)
    }

    /// The ids before `fleet`, each with the last record that has it.
    pub(super) fn ancestors_of(&self, fleet: LogId) -> Vec<(LogId, Sequence)> {
        self.earlier.iter().take_while(|earlier| earlier.fleet != fleet).map(|earlier| (earlier.fleet, earlier.last)).collect()
    }

    /// What it says to a server whose log has these ids.
    pub(super) fn fate(&self, ids: &Ids) -> Fate {
        if self.fleet == ids.log {
            return Fate::Own;
        }
        if ids.ancestors.iter().any(|(log, _)| *log == self.fleet) {
            return Fate::Lost;
        }
        let shared = ids.all().rev().find_map(|(log, last)| {
            let earlier = self.earlier.iter().rev().find(|earlier| earlier.fleet == log)?;
            // Where its own id has ended before, it is past that already.
            let at = if log == ids.log { earlier.at } else { 0 };
            Some(Fate::Apart { last: last.min(earlier.last), at })
        });
        shared.unwrap_or(Fate::Foreign)
    }

    /// As it is published.
    pub fn to_message(&self, subject: Subject) -> Outgoing {
        let (older, before) = match self.earlier.split_last() {
            Some((before, older)) => (older, Some(before)),
            None => (&[][..], None),
        };
        let payload = Payload {
            epoch: self.fleet.to_string(),
            at: self.at(),
            before: before.map(|before| before.fleet.to_string()),
            last: before.map(|before| before.last),
            began: before.map(|_| self.began),
            older: older.iter().map(|older| (older.fleet.to_string(), older.at, older.last)).collect(),
            fold: self.fold,
        };
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
        let earlier = |(text, at, last): (&str, u64, Sequence)| Ok(Earlier { fleet: id(text)?, at, last });
        let older = payload.older.iter().map(|(text, at, last)| (text.as_str(), *at, *last));
        let before = payload.before.as_deref().map(|before| (before, payload.at, payload.last.unwrap_or(0)));
        let earlier = older.chain(before).map(earlier).collect::<Result<Vec<_>, EpochError>>()?;
        let rises = earlier.is_sorted_by(|one, next| one.at <= next.at && one.last <= next.last);
        if !rises || earlier.len() > MAX_EARLIER || payload.before.is_none() != earlier.is_empty() {
            return Err(no("its earlier ids do not follow each other".to_owned()));
        }
        let began = if earlier.is_empty() { payload.at } else { payload.began.unwrap_or(payload.at) };
        if began > payload.at || earlier.iter().any(|earlier| earlier.last > MAX_SEQUENCE) {
            return Err(no("it names a record or a place that cannot be".to_owned()));
        }
        Ok(Self { fleet: id(&payload.epoch)?, earlier, began, fold: payload.fold })
    }
}
