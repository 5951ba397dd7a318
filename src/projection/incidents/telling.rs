//! Revisions as they come, and when the next may come by time alone.

use super::ids::Ids;
use super::shown::Shown;
use super::state::{Source, State};

impl State {
    /// From here on keeps each revision of an incident as it stood then, for [`take_told`](Self::take_told);
    /// or does so no more.
    pub fn tell(&mut self, ids: Option<&Ids>) {
        self.telling.telling = ids.cloned();
        for source in self.sources.values_mut() {
            source.aside.telling = ids.cloned();
        }
    }

    /// The revisions that came since they were taken last, in their order.
    pub fn take_told(&mut self) -> Vec<Shown> {
        let mut told = Vec::new();
        for source in self.sources.values_mut() {
            told.append(&mut source.aside.told);
        }
        told
    }

    /// Revisions that came since this state was made or copied.
    pub fn revisions(&self) -> u64 {
        self.sources.values().map(|source| source.aside.revisions).sum()
    }

    /// Steps of work since this state was made or copied: timers that fired, and containers, subjects and
    /// incidents that were looked through. One record makes at most a few times of what is remembered.
    pub fn work(&self) -> u64 {
        self.sources.values().map(|source| source.aside.work).sum()
    }

    /// When a timer is due next, if nothing is received until then. Of hosts of a fleet none ever is.
    pub fn next_due(&self) -> Option<i64> {
        let seeing = self.sources.values().filter(|source| !source.in_fleet && !source.blind);
        seeing.filter_map(|source| Some(source.timers.next()?.max(source.hold.saturating_add(1)))).min()
    }

    /// Incidents that go on, each with its revision.
    pub fn open(&self) -> Vec<(&str, u64, u8, u64)> {
        let of = |source: &'_ Source| -> Vec<(u64, u8, u64)> {
            let open = source.incidents.values().filter(|incident| incident.is_open() && incident.merged_into.is_none());
            open.map(|incident| (incident.key.seq, incident.key.letter, incident.revision)).collect()
        };
        let all = self.sources.iter().map(|(name, source)| (name.as_str(), of(source)));
        all.flat_map(|(name, open)| open.into_iter().map(move |(seq, letter, revision)| (name, seq, letter, revision))).collect()
    }
}
