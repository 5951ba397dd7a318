//! What can change no more, and need not be remembered by the fold.

use super::bounds::{SETTLED, SETTLED_AT_ONCE};
use super::ids::Ids;
use super::incident::{Incident, Key};
use super::shown::Shown;
use super::state::{Source, State};
use std::collections::BTreeSet;

impl State {
    /// Takes out incidents that are over for good, with all that belongs to them: whoever keeps them may
    /// forget them here. What comes later is told as if they were still there. At most [`SETTLED_AT_ONCE`] of
    /// a Docker host.
    pub fn take_settled(&mut self, ids: &Ids) -> Vec<Shown> {
        let mut taken = Vec::new();
        for source in self.sources.values_mut() {
            let keys = source.settled();
            taken.extend(keys.iter().filter_map(|key| source.incidents.get(key)).map(|incident| Shown::of(source, incident, ids)));
            for key in keys {
                source.incidents.remove(&key);
            }
        }
        taken
    }
}

impl Source {
    /// Groups of which every incident is over for so long that nothing refers to it.
    fn settled(&self) -> BTreeSet<Key> {
        let mut all = BTreeSet::new();
        for lead in self.incidents.values().filter(|incident| incident.merged_into.is_none()) {
            let group = self.group_of(lead);
            if all.len() < SETTLED_AT_ONCE && group.iter().all(|incident| self.is_settled(incident)) {
                all.extend(group.iter().map(|incident| incident.key));
            }
        }
        all
    }

    fn group_of<'a>(&'a self, lead: &'a Incident) -> Vec<&'a Incident> {
        std::iter::once(lead).chain(lead.members.iter().filter_map(|key| self.incidents.get(key))).collect()
    }

    fn is_settled(&self, incident: &Incident) -> bool {
        let last = incident.end.unwrap_or(incident.start).max(incident.start).max(incident.known);
        let present = Some(incident.key) == self.host || self.outage.is_some();
        !incident.is_open() && incident.provisional.is_none() && !present && self.clock.saturating_sub(last) > SETTLED
    }
}
