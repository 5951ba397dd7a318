//! The words in which a follower speaks with its log.

use super::record::chain::CHAIN_START;
use crate::cursor::{LogId, Sequence};
use crate::event::{Event, Origin};
use crate::time::Timestamp;
use std::ops::RangeInclusive;
use std::sync::Arc;

/// Where a follower's log begins. That is fixed when its directory is made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Follow {
    /// Identity of the fleet's log.
    pub log: LogId,
    /// Sequence of the first record; over 1 where the stream begins after history that was trimmed.
    pub first: Sequence,
    /// The value of the fleet's hash chain before that record: 32 zero bytes before the record 1.
    pub chain: [u8; 32],
}

impl Follow {
    /// All of a fleet's log.
    pub fn whole(log: LogId) -> Self {
        Self { log, first: 1, chain: CHAIN_START }
    }
}

/// Where the records of a follower's log go on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Resume {
    /// The next record gets this sequence.
    pub next: Sequence,
    /// The value of the hash chain before it.
    pub chain: [u8; 32],
    /// When the newest record was received; `None` while there is none.
    pub received: Option<Timestamp>,
    /// The place of the newest record. `None` while there is none, and where it is known of no block: that is
    /// damage, or all that is there are copied segments.
    pub place: Option<u64>,
}

/// A record of a fleet on its way into a follower's log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FleetRecord {
    /// Name of the host in the fleet, with that of its Docker host where it has several.
    pub source: Arc<str>,
    /// When it came to the hub. Never before the record in front of it.
    pub received: Timestamp,
    /// The message.
    pub event: Event,
    /// Which record of which host it is.
    pub origin: Origin,
    /// Where in the fleet's stream it lies. A log hands the newest one back and knows nothing else of it.
    pub place: u64,
}

/// What an append to a follower's log did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Followed {
    /// The records that it was; empty where none were given.
    pub sequences: RangeInclusive<Sequence>,
    /// The value of the hash chain after the last of them.
    pub chain: [u8; 32],
}
