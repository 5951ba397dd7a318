//! Which stories there are, and how often each happens. What happens in them is in `stories.rs`.

use std::time::Duration;

/// Something that happens again and again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Story {
    /// A health check of the container at this place in the fleet.
    Probe(usize),
    Deploy,
    CrashLoop,
    OutOfMemory,
    HealthFlap,
    Restart,
    Shell,
    Housekeeping,
}

/// All but the probes, and how often they happen, in seconds on average.
pub(super) const STORIES: [(Story, u64); 7] = [
    (Story::Deploy, 24),
    (Story::CrashLoop, 55),
    (Story::OutOfMemory, 80),
    (Story::HealthFlap, 50),
    (Story::Restart, 90),
    (Story::Shell, 70),
    (Story::Housekeeping, 150),
];
const PROBE_EVERY: Duration = Duration::from_secs(8);

impl Story {
    pub(super) fn every(self) -> Duration {
        let listed = STORIES.iter().find(|(story, _)| *story == self);
        listed.map_or(PROBE_EVERY, |(_, seconds)| Duration::from_secs(*seconds))
    }
}
