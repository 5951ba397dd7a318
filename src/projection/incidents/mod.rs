//! Incidents: what broke, since when, after what, and what helped. One fold over the log, the same live, in
//! replay and over an export (docs/incidents.md). [`step`] reads a record, [`advance`] lets time pass,
//! [`view()`] shows. Nothing else goes in: no clock, no I/O.
//!
//! Timers count from the time of receipt at the Docker host in question and fire at their own deadlines,
//! between the records. So it does not matter when `advance` is called, or whether it is.
//!
//! | file | what |
//! |---|---|
//! | `read` | records in |
//! | `life` | what happens to containers |
//! | `intent`, `death` | what was asked for; deaths judged |
//! | `starts`, `health` | starts that never were; health checks |
//! | `ends` | how incidents end |
//! | `service` | replicas and dependencies of Compose |
//! | `cause`, `subject` | phases and what came before them; who it is about and what changed |
//! | `group`, `host`, `blind` | cascades and masses; the daemon; the recorder's own records |
//! | `fleet` | hosts that have clocks of their own |
//! | `across` | what failed on several hosts at once |
//! | `settled` | what needs not be remembered |
//! | `aside`, `telling` | revisions, told as they come |
//! | `inventory` | which containers there are, and how they are |
//! | `view`, `shown`, `words` | JSON and sentences |
//! | `choice` | which of them are asked for |

mod across;
mod aside;
mod blind;
mod bounds;
mod cause;
mod choice;
mod container;
mod death;
mod ends;
mod fleet;
mod group;
mod health;
mod host;
mod ids;
mod incident;
mod intent;
mod inventory;
mod kinds;
mod labels;
mod life;
mod mark;
mod outage;
mod read;
mod service;
mod settled;
mod shown;
mod starts;
mod state;
mod subject;
mod telling;
mod text;
mod timers;
mod view;
mod words;

pub use across::{Across, Told, across, is_across};
pub use bounds::{
    FIRST_DEATHS, LAST_DEATHS, MAX_ACTIONS, MAX_ASKED, MAX_CHANGES, MAX_CONTAINERS, MAX_DIFFERENCES, MAX_EVIDENCE, MAX_FEW, MAX_GAPS,
    MAX_INCIDENTS, MAX_LABELS, MAX_MEMBERS, MAX_OPEN, MAX_RESTARTS, MAX_SOURCES, MAX_SUBJECTS, MAX_SURROUNDINGS, MAX_TAGS, MAX_TEXT,
    SETTLED_AT_ONCE,
};
pub use choice::Facts;
pub use ids::Ids;
pub use incident::{CauseKind, Key, Kind, Replicas, Resolution, Severity, Standing};
pub(in crate::projection) use intent::is_fatal;
pub use inventory::{Baseline, Inventory, Standing as ContainerStanding, Used};
pub use shown::{Confidence, Counts, Failed, Part, Shown, ShownAction, ShownCause, ShownPhase, View};
pub use state::{State, VERSION};
pub use subject::Difference;
pub use subject::key as subject_of;
pub use view::{MAX_SHOWN_EVIDENCE, MAX_SHOWN_FAILURES};

use crate::cursor::Sequence;
use crate::event::{Record, RecordView};
use crate::log::GapReason;
use crate::time::Timestamp;
use std::borrow::Cow;
use std::ops::RangeInclusive;

/// Reads one record of the log of a recorder. Records come in order of sequence; one that was read already is
/// passed over.
pub fn step(state: &mut State, record: &Record) {
    state.read(record);
}

/// Reads one record, as [`step`] does, whose message is taken apart already. It may be one of a fleet.
pub fn step_view(state: &mut State, record: &RecordView<'_>) {
    state.read_view(record);
}

/// Reads that records are missing in the log, where they would be next.
pub fn miss(state: &mut State, sequences: &RangeInclusive<Sequence>, why: GapReason) {
    state.miss(sequences.end().saturating_sub(*sequences.start()).saturating_add(1), why);
}

/// Lets time pass, up to which everything that was received has been read. For hosts of a fleet only their
/// own records do that: what a host that is cut off has to say may come at any time.
pub fn advance(state: &mut State, now: Timestamp) {
    state.advance(now.nanos());
}

/// Everything that is known at `as_of`: as after [`advance`] to it. A state that is further on already shows
/// what it knows.
pub fn view(state: &State, ids: &Ids, as_of: Timestamp) -> View {
    let state = if state.is_due(as_of.nanos()) {
        let mut later = state.clone();
        later.advance(as_of.nanos());
        Cow::Owned(later)
    } else {
        Cow::Borrowed(state)
    };
    state.show(ids, as_of)
}

impl State {
    /// Before the oldest record that a log keeps. What came before it is gone unless it is the first one.
    pub fn before(oldest: Sequence) -> Self {
        Self { cut: oldest > 1, ..Self::default() }
    }

    /// The newest record that was read.
    pub fn folded_to(&self) -> Sequence {
        self.folded_to
    }

    /// The latest time that it knows of; of a fleet that of the hub.
    pub fn clock(&self) -> Timestamp {
        Timestamp::from_nanos(self.clock)
    }

    fn advance(&mut self, now: i64) {
        self.clock = self.clock.max(now);
        self.sources_of(None).for_each(|source| source.run_to(now));
    }

    fn is_due(&self, now: i64) -> bool {
        self.sources.values().any(|source| !source.in_fleet && !source.blind && now > source.hold && source.timers.is_due(now))
    }
}

#[cfg(test)]
mod tests;
