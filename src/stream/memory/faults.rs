//! What goes wrong at a hub in memory, because a test said so.

use crate::stream::api::StreamError;
use std::collections::VecDeque;

/// What becomes of a publish that would have succeeded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// The message is stored, and the answer is lost.
    StoredUnanswered,
    /// The message is lost on its way.
    LostUnanswered,
    /// The hub can store nothing now.
    Unavailable,
    /// The key may not do this.
    Refused,
}

impl Fault {
    pub(super) fn error(self) -> StreamError {
        match self {
            Self::StoredUnanswered | Self::LostUnanswered => StreamError::Unanswered("the answer was lost".to_owned()),
            Self::Unavailable => StreamError::Unavailable("no node leads".to_owned()),
            Self::Refused => StreamError::Refused("the key may not publish".to_owned()),
        }
    }
}

#[derive(Debug, Default)]
pub(super) struct Faults {
    /// Of the next publishes, in order.
    pub(super) publishes: VecDeque<Fault>,
    /// Of every call.
    pub(super) outage: Option<StreamError>,
    pub(super) hangs: bool,
    /// Places before which one delivery each ends.
    pub(super) cuts: Vec<u64>,
    /// Deliveries of an earlier one have ended.
    pub(super) generation: u64,
    /// The last place that the replica has which answers.
    pub(super) replica: Option<u64>,
}

impl Faults {
    pub(super) fn end_deliveries(&mut self) {
        self.generation = self.generation.wrapping_add(1);
    }
}
