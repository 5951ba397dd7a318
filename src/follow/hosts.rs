//! What is shown of each host: a view of the fold's state at a time.

use super::state::{Gap, State};
use crate::cursor::Sequence;
use crate::time::Timestamp;
use serde::Serialize;
use std::time::Duration;

/// Nothing for so long is silence: a host tells everything that it has each six hours.
pub const SILENT_AFTER: Duration = Duration::from_secs(7 * 3600);
/// A host whose newest record is older than this when it arrives is catching up, or its clock is wrong.
pub const CATCHING_UP: Duration = Duration::from_secs(60);

/// For so long it is shown that two hosts have forwarded one log.
pub const CONFLICT_SHOWN: Duration = Duration::from_secs(24 * 3600);

/// How a host's log comes along.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum HostState {
    /// Records come as they are made.
    Live,
    /// What comes was made a while before.
    CatchingUp,
    /// Nothing has come for long.
    Silent,
    /// Two hosts forward the same log.
    Conflict,
}

/// One log of one host.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct HostView<'a> {
    /// The name with which the host was enrolled.
    pub host: &'a str,
    /// The first eight hex digits of the log's id.
    pub log: &'a str,
    /// The next record that is to come.
    pub next: Sequence,
    /// Own time of the newest record.
    pub last_time: Option<String>,
    /// When the hub took the newest message.
    pub last_arrived: String,
    /// How it comes along.
    pub state: HostState,
    /// The log whose copy it is, where it is one.
    pub ancestor: Option<AncestorView<'a>>,
    /// Records that are missing, altogether.
    pub lost: u64,
    /// The newest stretches of them.
    pub gaps: Vec<GapView<'a>>,
}

/// The log that a host's log goes on from under an id of its own.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct AncestorView<'a> {
    /// The first eight hex digits of its id.
    pub log: &'a str,
    /// The last record that both have.
    pub last: Sequence,
}

/// Records of a host that are missing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct GapView<'a> {
    /// The first of them.
    pub first: Sequence,
    /// The last of them.
    pub last: Sequence,
    /// Why.
    pub reason: &'a str,
}

impl<'a> From<&'a Gap> for GapView<'a> {
    fn from(gap: &'a Gap) -> Self {
        Self { first: *gap.sequences.start(), last: *gap.sequences.end(), reason: &gap.reason }
    }
}

/// Every log of every host as of a time, by host and log. A log that has sent nothing for `silent_after` is
/// silent.
pub fn hosts(state: &State, as_of: Timestamp, silent_after: Duration) -> Vec<HostView<'_>> {
    let view = state.logs.iter().map(|(key, log)| {
        let behind = log.last_received.is_some_and(|received| log.last_arrived.since(received) > CATCHING_UP);
        let how = match () {
            () if log.conflict.is_some_and(|conflict| as_of.since(conflict) < CONFLICT_SHOWN) => HostState::Conflict,
            () if as_of.since(log.last_arrived) >= silent_after => HostState::Silent,
            () if behind => HostState::CatchingUp,
            () => HostState::Live,
        };
        HostView {
            host: &key.host,
            log: &key.log,
            next: log.next,
            last_time: log.last_time.map(|time| time.to_string()),
            last_arrived: log.last_arrived.to_string(),
            state: how,
            ancestor: log.ancestor.as_ref().map(|(log, last)| AncestorView { log, last: *last }),
            lost: log.lost,
            gaps: log.gaps.iter().map(GapView::from).collect(),
        }
    });
    view.collect()
}
