//! What was told, as the log remembers it.

use super::plan::{Occasion, Seen, Told};
use crate::event::{EventView, NOTIFIED};
use crate::filter::Filter;
use crate::log::{EventLog, LogError};
use crate::projection::incidents::Severity;
use crate::reader::{Reader, Step, Want};
use crate::time::Timestamp;
use std::collections::BTreeMap;
use std::sync::Arc;

/// Incidents that are remembered; of more, the oldest that are over are forgotten, which are too old to be
/// told again.
const MAX_REMEMBERED: usize = 10_000;

/// What one hook was told.
#[derive(Debug, Default)]
pub(super) struct Memory {
    /// Only what begins at this time or later is this hook's to be told.
    since: Option<Timestamp>,
    told: BTreeMap<String, Told>,
    /// By when they were told first.
    order: Vec<String>,
}

impl Memory {
    /// From the log. What another log's recorder has told, whose records an import or a copy has brought, is
    /// not this one's.
    pub(super) async fn read(log: &Arc<dyn EventLog>, hook: &str) -> Result<Self, LogError> {
        let filter = Filter::from_terms(&["type=recorder".to_owned(), format!("event={NOTIFIED}")], &[]).unwrap_or_default();
        let bounds = log.bounds();
        let want = Want { filter: Arc::new(filter), until: bounds.head, ..Want::default() };
        let mut reader = Reader::new(Arc::clone(log), bounds.oldest.saturating_sub(1), want);
        let (mut memory, id) = (Self::default(), bounds.log.to_string());
        while let Some(step) = reader.next().await? {
            if let Step::Records(selection) = step {
                for seq in selection.sequences() {
                    if let Ok(view) = EventView::parse(selection.block.json(seq)) {
                        memory.take(&view, hook, &id);
                    }
                }
            }
        }
        Ok(memory)
    }

    fn take(&mut self, view: &EventView<'_>, hook: &str, log: &str) {
        let is_ours =
            view.action.as_deref() == Some(NOTIFIED) && view.attribute("hook") == Some(hook) && view.attribute("log") == Some(log);
        if !is_ours {
            return;
        }
        if let Some(since) = view.attribute("since").and_then(|since| Timestamp::parse(since, Timestamp::MIN).ok()) {
            self.since = Some(since);
        }
        let severity = view.attribute("severity").and_then(|name| serde_json::from_value(name.into()).ok());
        let occasion = view.attribute("occasion").and_then(|name| name.parse().ok());
        if let (Some(id), Some(severity), Some(occasion)) = (view.attribute("incident"), severity, occasion) {
            self.keep(id, severity, occasion);
        }
    }

    /// From when on there is something to tell; `None`: this hook is new to this log.
    pub(super) fn since(&self) -> Option<Timestamp> {
        self.since
    }

    /// What begins from now on is to be told.
    pub(super) fn begin(&mut self, now: Timestamp) {
        self.since = Some(now);
    }

    pub(super) fn of(&self, id: &str) -> Option<Told> {
        self.told.get(id).copied()
    }

    /// Ids of those that it was not told the end of.
    pub(super) fn open(&self) -> impl Iterator<Item = &str> {
        self.told.iter().filter(|(_, told)| !told.closed).map(|(id, _)| id.as_str())
    }

    /// There is no such incident any more: its end will not be told.
    pub(super) fn forget(&mut self, id: &str) {
        if let Some(told) = self.told.get_mut(id) {
            told.closed = true;
        }
    }

    pub(super) fn tell(&mut self, seen: &Seen, occasion: Occasion) {
        self.keep(&seen.id, seen.severity, occasion);
    }

    fn keep(&mut self, id: &str, severity: Severity, occasion: Occasion) {
        if !self.told.contains_key(id) {
            self.order.push(id.to_owned());
            if self.order.len() > MAX_REMEMBERED {
                let oldest = self.order.iter().position(|id| self.told.get(id).is_some_and(|told| told.closed)).unwrap_or(0);
                self.told.remove(&self.order.remove(oldest));
            }
        }
        let told = self.told.entry(id.to_owned()).or_insert(Told { severity, still: 0, closed: false });
        told.severity = severity;
        match occasion {
            Occasion::Still(count) => told.still = count,
            Occasion::Closed => told.closed = true,
            Occasion::Opened | Occasion::Rose => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::Event;

    fn record(memory: &mut Memory, attributes: &[(&str, &str)]) {
        let event = Event::recorder(NOTIFIED, "ops", attributes, Timestamp::from_nanos(1));
        memory.take(&event.view(), "ops", "this");
    }

    #[test]
    fn what_another_log_or_hook_was_told_is_not_ours() {
        let mut memory = Memory::default();
        let told = [("incident", "a-7x"), ("severity", "major"), ("occasion", "opened")];
        for (hook, log) in [("ops", "another"), ("dev", "this")] {
            record(&mut memory, &[&[("hook", hook), ("log", log), ("since", "1970-01-01T00:00:00.000000005Z")][..], &told].concat());
        }
        assert_eq!((memory.since(), memory.of("a-7x")), (None, None));
        record(&mut memory, &[("hook", "ops"), ("log", "this"), ("since", "1970-01-01T00:00:00.000000005Z"), ("status", "begins")]);
        record(&mut memory, &[&[("hook", "ops"), ("log", "this")][..], &told].concat());
        assert_eq!(memory.since(), Some(Timestamp::from_nanos(5)));
        assert_eq!(memory.of("a-7x"), Some(Told { severity: Severity::Major, still: 0, closed: false }));
        assert_eq!(memory.open().collect::<Vec<_>>(), ["a-7x"]);
        record(&mut memory, &[("hook", "ops"), ("log", "this"), ("incident", "a-7x"), ("severity", "major"), ("occasion", "closed")]);
        assert_eq!(memory.open().count(), 0);
    }

    #[test]
    fn what_is_gone_is_not_asked_for_again() {
        let mut memory = Memory::default();
        memory.keep("gone", Severity::Major, Occasion::Opened);
        memory.keep("there", Severity::Major, Occasion::Opened);
        memory.forget("gone");
        assert_eq!(memory.open().collect::<Vec<_>>(), ["there"]);
    }

    #[test]
    fn the_oldest_that_are_over_are_forgotten() {
        let mut memory = Memory::default();
        memory.keep("first", Severity::Major, Occasion::Opened);
        for n in 0..MAX_REMEMBERED {
            memory.keep(&format!("n{n}"), Severity::Minor, Occasion::Closed);
        }
        assert_eq!((memory.told.len(), memory.order.len()), (MAX_REMEMBERED, MAX_REMEMBERED));
        assert!(memory.of("first").is_some() && memory.of("n0").is_none());
    }
}
