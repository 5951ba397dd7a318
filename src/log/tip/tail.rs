//! The end of a log: where the next record goes, and how full the tip there is.

use super::Tip;
use super::codec::Header;
use crate::cursor::Sequence;
use crate::log::record::chain::ChainValue;
use crate::time::Timestamp;
use std::sync::Arc;
use std::time::Instant;

/// Where writing continues.
#[derive(Debug, Clone)]
pub(in crate::log) struct Tail {
    /// Where the next record goes; `None` where there was no room to make one.
    pub(in crate::log) tip: Option<Arc<Tip>>,
    /// It takes nothing more: there was no room to make another one.
    pub(in crate::log) unusable: bool,
    /// There was no room to note the start: that comes before the first record.
    pub(in crate::log) unnoted: bool,
    pub(in crate::log) fill: Fill,
    pub(in crate::log) next: Sequence,
    pub(in crate::log) chain: ChainValue,
    pub(in crate::log) last_received: Timestamp,
    /// Missing sequences; no longer news once a record tells of them.
    pub(in crate::log) holes: Vec<(Sequence, Sequence)>,
}

/// How full a tip is.
#[derive(Debug, Clone, Copy, Default)]
pub(in crate::log) struct Fill {
    pub(in crate::log) records: u64,
    pub(in crate::log) bytes: u64,
    /// When its oldest record was received, as far as is known: of clocks that were ahead the others tell.
    pub(in crate::log) since: Option<Timestamp>,
    /// When its first record of this process came, by the steady clock.
    pub(in crate::log) began: Option<Instant>,
}

impl Fill {
    pub(in crate::log) fn add(&mut self, header: &Header) {
        self.records += u64::from(header.count);
        self.bytes += u64::from(header.packed_bytes);
        self.since = Some(self.since.map_or(header.received.0, |since| since.min(header.received.0)));
    }
}
