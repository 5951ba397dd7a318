//! Whether the hub is still the one that it was. Its stores may have been put back from an older copy, or
//! made anew, and then other messages stand where others stood.

use crate::stream::{Ends, Message, Subject};
use crate::time::Timestamp;

/// What was known of the hub when it was last asked, and of the newest message that was folded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Had {
    /// When the stream was made.
    pub created: Timestamp,
    /// Place of the newest message that was folded, 0 for none.
    pub place: u64,
    /// When that message had arrived, its subject and its head; `None` where it is not known.
    pub newest: Option<(Timestamp, Subject, String)>,
}

impl Had {
    /// After a message was folded.
    pub fn of(created: Timestamp, message: &Message) -> Self {
        let newest = (message.arrived, message.subject.clone(), message.head.clone());
        Self { created, place: message.place, newest: Some(newest) }
    }
}

/// How the hub is now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Judgement {
    /// As it was: go on after the newest message that was folded.
    Same,
    /// It has lost messages that it had acknowledged, and may have others in their places.
    LostTail,
    /// It is another stream.
    Recreated,
    /// It has removed messages that were not folded yet.
    Trimmed,
}

/// Judges by what the stream holds, and by the message `at` the place of the newest that was folded. The
/// message is asked for after the ends.
pub fn judge(had: &Had, ends: &Ends, at: Option<&Message>) -> Judgement {
    if ends.created != had.created {
        return Judgement::Recreated;
    }
    if ends.last < had.place {
        return Judgement::LostTail;
    }
    if ends.first > had.place.saturating_add(1) {
        return Judgement::Trimmed;
    }
    match (&had.newest, at) {
        (Some((arrived, subject, head)), Some(at)) if *arrived != at.arrived || *subject != at.subject || *head != at.head => {
            Judgement::LostTail
        }
        _ => Judgement::Same,
    }
}
