//! Whether an incident changed in what is shown of it.

use super::incident::{Incident, Key, Kind, Resolution, Severity, Standing};

/// Differs with everything that is shown: lists only grow, or change together with a count or the newest
/// record. Copying the incident to compare it would take most of the fold's time.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Mark {
    state: (Kind, Severity, Standing, Option<Resolution>, bool),
    times: (i64, Option<i64>, Option<i64>, u64),
    counts: [u64; 5],
    lengths: [usize; 9],
    merged_into: Option<Key>,
    title: Option<u64>,
}

impl Incident {
    pub(super) fn mark(&self) -> Mark {
        let causes = self.phases.iter().map(|phase| phase.causes.len() + usize::from(phase.down)).sum();
        Mark {
            state: (self.kind, self.severity, self.standing, self.resolution, self.down),
            times: (self.start, self.end, self.next_start, self.last),
            counts: [self.deaths, self.ooms, self.child_ooms, self.unhealthy, self.evidence_more],
            lengths: [
                self.phases.len(),
                causes,
                self.actions.len(),
                self.evidence.len(),
                self.qualified.len(),
                self.containers.len(),
                self.members.len(),
                self.affected.len(),
                self.downs.len(),
            ],
            merged_into: self.merged_into,
            title: self.title.as_ref().map(|title| title.bytes().fold(0, |sum, byte| sum * 31 % 1_000_000_007 + u64::from(byte))),
        }
    }
}
