//! What the fold knows: where it stands in the stream and in the fleet's log, and of each host's log where it
//! goes on. All of it follows from the messages alone.

use crate::chain::{CHAIN_START, ChainValue};
use crate::cursor::Sequence;
use crate::stream::Subject;
use crate::time::Timestamp;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::ops::RangeInclusive;

/// Which fold this is. What it makes of a message never changes; another one has another number, which a
/// message in the stream must name before any server goes over to it.
pub const FOLD: u32 = 1;
/// Logs of hosts that a fleet has, those of hosts that are gone included. What comes of others is told as a
/// gap and not stored.
pub const MAX_HOST_LOGS: usize = 16_384;
/// Docker hosts of one log that have names of their own; the others have the name of the host.
pub const MAX_SOURCES: usize = 16;
/// Bytes of such a name.
pub const MAX_SOURCE_BYTES: usize = 64;
/// Gaps that are remembered of each log, the newest.
pub const GAPS_KEPT: usize = 8;

/// One log of one host.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Key {
    /// The name with which the host was enrolled.
    pub host: String,
    /// The first eight hex digits of the log's id.
    pub log: String,
}

/// Records that a host's log has, or had, and the fleet's has not.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Gap {
    /// Their sequences in the host's log.
    pub sequences: RangeInclusive<Sequence>,
    /// Why, as the record that tells of them does.
    pub reason: String,
}

/// What is known of one log of one host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HostLog {
    /// The next record of the host's log.
    pub next: Sequence,
    /// Value of the host's chain before that record; `None` after damage, until the host tells it again.
    pub chain: Option<ChainValue>,
    /// Own time of the newest record.
    pub last_time: Option<Timestamp>,
    /// When the host received it, by the host's clock.
    pub last_received: Option<Timestamp>,
    /// When the hub took the newest message.
    pub last_arrived: Timestamp,
    /// When the newest message arrived that continued another history than the one that was here.
    pub conflict: Option<Timestamp>,
    /// The log whose copy this one is, by the first digits of its id, with the last record that both have.
    pub ancestor: Option<(String, Sequence)>,
    /// Records that are missing, altogether.
    pub lost: u64,
    /// The newest gaps, at most [`GAPS_KEPT`].
    pub gaps: VecDeque<Gap>,
    /// Names of Docker hosts that are shown after the host's own, at most [`MAX_SOURCES`].
    pub sources: BTreeSet<String>,
}

impl HostLog {
    /// Before anything has come of it.
    pub(super) fn new(arrived: Timestamp) -> Self {
        Self {
            next: 1,
            chain: Some(CHAIN_START),
            last_time: None,
            last_received: None,
            last_arrived: arrived,
            conflict: None,
            ancestor: None,
            lost: 0,
            gaps: VecDeque::new(),
            sources: BTreeSet::new(),
        }
    }

    pub(super) fn remember(&mut self, gap: Gap) {
        let (first, last) = (*gap.sequences.start(), *gap.sequences.end());
        self.lost = self.lost.saturating_add(last.saturating_sub(first).saturating_add(1));
        if self.gaps.len() == GAPS_KEPT {
            self.gaps.pop_front();
        }
        self.gaps.push_back(gap);
    }
}

/// What the fold knows after a message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct State {
    /// Whose fleet it is. Messages of others are passed over.
    pub tenant: String,
    /// The fold began after this place.
    pub began: u64,
    /// Place of the newest message that is folded.
    pub place: u64,
    /// The fleet's next record.
    pub next: Sequence,
    /// When the newest message arrived; it never falls.
    pub arrived: Timestamp,
    /// Place and arrival of the message after which the newest base was due.
    pub(super) based: (u64, Timestamp),
    /// The logs of the hosts.
    pub logs: BTreeMap<Key, HostLog>,
}

impl State {
    /// Before the first message after `place` of a new fleet.
    pub fn begin(tenant: &str, place: u64) -> Self {
        Self {
            tenant: tenant.to_owned(),
            began: place,
            place,
            next: 1,
            arrived: Timestamp::MIN,
            based: (place, Timestamp::MIN),
            logs: BTreeMap::new(),
        }
    }
}

/// Whose fleet a subject belongs to.
pub(super) fn tenant_of(subject: &Subject) -> &str {
    match subject {
        Subject::Host { tenant, .. } | Subject::Base { tenant } | Subject::Epoch { tenant } => tenant,
    }
}
