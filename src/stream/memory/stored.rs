//! What a hub in memory holds.

use crate::stream::api::{Ends, Message, Outgoing};
use crate::stream::subject::Subject;
use crate::time::Timestamp;
use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

/// From one message to the next, where nobody says when it arrives.
const STEP: Duration = Duration::from_millis(1);

/// A stream as it once was.
#[derive(Debug, Clone)]
pub struct Older(Stored);

#[derive(Debug, Clone)]
pub(super) struct Stored {
    created: Timestamp,
    last: u64,
    messages: BTreeMap<u64, Message>,
    /// Where the newest message of each subject stands, as far as it is kept.
    newest: HashMap<Subject, u64>,
    /// When the next message arrives.
    pub(super) now: Timestamp,
}

impl Stored {
    pub(super) fn new(created: Timestamp) -> Self {
        Self { created, last: 0, messages: BTreeMap::new(), newest: HashMap::new(), now: created }
    }

    pub(super) fn copy(&self) -> Older {
        Older(self.clone())
    }

    /// Time does not go back with it.
    pub(super) fn put_back(&mut self, older: &Older) {
        *self = Self { now: self.now, ..older.0.clone() };
    }

    pub(super) fn last(&self) -> u64 {
        self.last
    }

    pub(super) fn ends(&self) -> Ends {
        let first = self.messages.keys().next().copied().unwrap_or_else(|| self.last.saturating_add(1));
        Ends { created: self.created, first, last: self.last }
    }

    pub(super) fn messages(&self) -> impl Iterator<Item = &Message> {
        self.messages.values()
    }

    /// The first message that is kept from `place` on.
    pub(super) fn from(&self, place: u64) -> Option<&Message> {
        self.messages.range(place..).next().map(|(_, message)| message)
    }

    /// The newest message of `subject` up to `upto`.
    pub(super) fn newest(&self, subject: &Subject, upto: u64) -> Option<&Message> {
        let newest = *self.newest.get(subject)?;
        if newest <= upto {
            return self.messages.get(&newest);
        }
        self.messages.range(..=upto).rev().map(|(_, message)| message).find(|message| message.subject == *subject)
    }

    pub(super) fn push(&mut self, message: Outgoing) -> u64 {
        let Outgoing { subject, head, payload } = message;
        self.last = self.last.saturating_add(1);
        self.newest.insert(subject.clone(), self.last);
        self.messages.insert(self.last, Message { place: self.last, arrived: self.now, subject, head, payload });
        self.now = self.now.checked_add(STEP).unwrap_or(self.now);
        self.last
    }

    pub(super) fn trim_before(&mut self, place: u64) {
        self.messages = self.messages.split_off(&place.min(self.last.saturating_add(1)));
        let messages = &self.messages;
        self.newest.retain(|_, newest| messages.contains_key(newest));
    }
}
