//! What the machine asks for, and what it is told.

use super::trouble::Trouble;
use crate::chain::ChainValue;
use crate::cursor::Sequence;
use crate::parcel::{Head, Reason};
use std::time::Duration;

/// What the driver is to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Action {
    /// Let go of the connection, if there is one, and make another.
    Connect,
    /// Ask for the newest message of the log's own subject.
    ReadPlace,
    /// Make a parcel of what follows `after`.
    Cut {
        /// The hub has this record, or does not want it.
        after: Sequence,
        /// The chain's value after it, where that is what the hub has.
        chain: Option<ChainValue>,
        /// Up to here records are left out on purpose, and the next parcel is to say so.
        skipped: Sequence,
        /// Why.
        because: Reason,
        /// Bytes of head and payload that the hub takes.
        max_bytes: usize,
        /// Bytes of payload at which a parcel of several records ends.
        target_bytes: usize,
    },
    /// Publish the parcel that was cut.
    Publish {
        /// The place of the message that must be the newest one.
        expected: u64,
    },
    /// Do nothing for this long, and for a random part of `jitter`.
    Wait {
        /// At least so long.
        least: Duration,
        /// Up to so much longer.
        jitter: Duration,
    },
    /// Wait until the head moves.
    AwaitHead,
    /// Forward no more: the log is one of two copies, and has to go on under an id of its own.
    Fork,
}

/// What has happened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// There is a connection, over which messages of so many bytes may go.
    Connected(usize),
    /// The hub has no message of this log; of a copy, what it is proven to have of its ancestors.
    Nowhere(Option<OnHub>),
    /// The newest message of this log.
    Place(Seen),
    /// A parcel is ready, or there is nothing to put into one.
    Cut(Option<Piece>),
    /// The parcel is stored, at this place.
    Acknowledged(u64),
    /// The wait is over.
    Elapsed,
    /// The head has moved.
    Moved,
    /// What was to be done was not done.
    Failed(Trouble),
}

/// Records of a copy that the hub has under the id of one of its ancestors.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OnHub {
    /// The last one.
    pub last: Sequence,
    /// The hub has nothing after it of that ancestor. Otherwise another recorder has gone on with that.
    pub is_newest: bool,
}

/// The newest message of the log's own subject.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Seen {
    /// Where it stands.
    pub place: u64,
    /// Its head; nothing where that cannot be read.
    pub head: Option<Head>,
    /// The last record of this log when `chain` was looked up. It has grown since, perhaps, and a record that
    /// it did not have then was not compared.
    pub ends: Sequence,
    /// The chain's value after the same record in this log, where the log knows it.
    pub chain: Option<ChainValue>,
}

/// What the machine has to know of a parcel.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Piece {
    /// The last record in it.
    pub last: Sequence,
    /// The chain's value after it.
    pub chain: ChainValue,
    /// No more would have gone in.
    pub is_full: bool,
}
