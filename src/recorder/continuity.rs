//! Continuity of one Docker host: which events are stored already, and whether a reconnect was gapless.
//!
//! Every connection begins with a replay of the daemon's ring (`since=0`, unfiltered). The ring holds the last 256 events in
//! order of arrival, so if any event in it is stored already, everything after that event is in it too: nothing was missed. If
//! none is, either 256 others have pushed it out, or the daemon was restarted and its ring with it.

use crate::event::{Event, EventView};
use crate::time::Timestamp;
use std::collections::{HashSet, VecDeque};
use std::hash::{BuildHasher, RandomState};

/// Events remembered per source: the ring 16 times over, so that an event which arrives twice or late is still known.
pub(super) const MEMORY: usize = 4096;
/// Events that the Docker daemon keeps (moby `eventsLimit`, 19.03 to 29).
pub(super) const RING: u64 = 256;

/// What is known of one source.
#[derive(Debug)]
pub(super) struct Continuity {
    hasher: RandomState,
    known: HashSet<u64>,
    order: VecDeque<u64>,
    /// Own time of the newest stored event, in order of arrival.
    last: Option<Timestamp>,
    /// `last` as it was when the connection was made.
    before: Option<Timestamp>,
    had_events: bool,
    overlap: u64,
    /// Keys first seen in the replay under way; `None` outside of one. An event that comes twice in one replay proves nothing.
    fresh: Option<HashSet<u64>>,
    /// The memory reaches back at least as far as the daemon's ring can.
    complete: bool,
}

/// The outcome of a reconnect, with its evidence.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Verdict {
    pub(super) action: &'static str,
    reason: Option<&'static str>,
    from: Option<String>,
    until: String,
    overlap: String,
    replayed: String,
}

impl Verdict {
    pub(super) fn attributes(&self) -> Vec<(&str, &str)> {
        let mut attributes = vec![("overlap", self.overlap.as_str()), ("replayed", self.replayed.as_str())];
        if let Some(reason) = self.reason {
            attributes.push(("reason", reason));
            attributes.extend(self.from.as_deref().map(|from| ("from", from)));
            attributes.push(("until", &self.until));
        }
        attributes
    }
}

impl Continuity {
    /// As after storing `events`, in order; `all`: the log holds no other event of this source.
    pub(super) fn remembering<'a>(events: impl Iterator<Item = &'a Event>, all: bool) -> Self {
        let mut continuity = Self {
            hasher: RandomState::new(),
            known: HashSet::new(),
            order: VecDeque::new(),
            last: None,
            before: None,
            had_events: false,
            overlap: 0,
            fresh: None,
            complete: all,
        };
        for event in events {
            continuity.is_new(event);
        }
        continuity.complete |= continuity.known.len() as u64 >= RING;
        continuity
    }

    /// Whether an event may be stored although it is not remembered.
    pub(super) fn is_doubtful(&self, event: &Event) -> bool {
        !self.complete && !self.known.contains(&self.key(event))
    }

    /// An event that was not remembered was found in the log.
    pub(super) fn found_stored(&mut self, event: &Event) {
        self.is_new(event);
        self.overlap += 1;
        self.had_events = true;
    }

    /// A connection begins.
    pub(super) fn connected(&mut self) {
        self.before = self.last;
        self.had_events = !self.known.is_empty();
        self.overlap = 0;
        self.fresh = Some(HashSet::new());
    }

    /// Whether an event is not stored yet; from now on it counts as stored.
    pub(super) fn is_new(&mut self, event: &Event) -> bool {
        let key = self.key(event);
        if !self.known.insert(key) {
            self.overlap += u64::from(self.fresh.as_ref().is_some_and(|fresh| !fresh.contains(&key)));
            return false;
        }
        // More than a ring of new events is no replay of stored ones any more.
        if let Some(fresh) = self.fresh.as_mut().filter(|fresh| fresh.len() < MEMORY) {
            fresh.insert(key);
        }
        self.order.push_back(key);
        if self.order.len() > MEMORY
            && let Some(oldest) = self.order.pop_front()
        {
            self.known.remove(&oldest);
        }
        if let Some(time) = event.fields().time {
            self.last = Some(time);
        }
        true
    }

    /// Docker's events have no id. The time in nanoseconds with type, action, actor and attributes is one in practice, and
    /// unlike the line it is the same before and after an upgrade of the daemon.
    fn key(&self, event: &Event) -> u64 {
        let view = identity(event);
        if view.time.is_none() {
            return self.hasher.hash_one(event.as_json());
        }
        self.hasher.hash_one((view.time, view.kind, view.action, view.actor_id, view.attributes))
    }

    /// The verdict at the end of a replay of `replayed` lines, the earliest of which carried the time `first`.
    pub(super) fn judge(&mut self, replayed: u64, first: Option<Timestamp>, now: Timestamp) -> Verdict {
        // The whole ring has been looked at, one by one where need was.
        self.complete = true;
        self.fresh = None;
        let reason = match () {
            () if !self.had_events => Some("first-contact"),
            () if self.overlap > 0 => None,
            () if replayed >= RING => Some("ring-overflow"),
            () => Some("daemon-restart"),
        };
        Verdict {
            action: if reason.is_some() { "gap" } else { "resumed" },
            reason,
            from: self.before.map(|time| time.to_string()),
            until: first.unwrap_or(now).to_string(),
            overlap: self.overlap.to_string(),
            replayed: replayed.to_string(),
        }
    }
}

/// The parts of an event that make it this event.
fn identity(event: &Event) -> EventView<'_> {
    let mut view = event.view();
    view.attributes.sort();
    EventView { scope: None, ..view }
}

/// Whether two messages tell of the same event, perhaps in different spellings.
pub(super) fn is_same(a: &Event, b: &Event) -> bool {
    identity(a) == identity(b)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(n: i64) -> Event {
        Event::from_line(
            format!(r#"{{"Type":"container","Action":"start","Actor":{{"ID":"c","Attributes":{{"a":"1","b":"2"}}}},"timeNano":{n}}}"#)
                .as_bytes(),
        )
        .unwrap()
    }

    fn verdict(stored: std::ops::Range<i64>, replay: std::ops::Range<i64>) -> (&'static str, Option<&'static str>) {
        let mut continuity = Continuity::remembering(stored.map(event).collect::<Vec<_>>().iter(), true);
        continuity.connected();
        let replayed = u64::try_from(replay.end - replay.start).unwrap();
        replay.map(event).for_each(|e| {
            continuity.is_new(&e);
        });
        let verdict = continuity.judge(replayed, None, Timestamp::now());
        (verdict.action, verdict.reason)
    }

    #[test]
    fn judges_by_the_overlap() {
        assert_eq!(verdict(0..0, 0..10), ("gap", Some("first-contact")));
        assert_eq!(verdict(0..10, 5..20), ("resumed", None));
        assert_eq!(verdict(0..300, 299..555), ("resumed", None));
        assert_eq!(verdict(0..300, 300..556), ("gap", Some("ring-overflow")));
        assert_eq!(verdict(0..300, 300..310), ("gap", Some("daemon-restart")));
        assert_eq!(verdict(0..300, 0..0), ("gap", Some("daemon-restart")));
    }

    #[test]
    fn an_event_that_comes_twice_in_a_replay_is_no_overlap() {
        let mut continuity = Continuity::remembering([event(1)].iter(), true);
        continuity.connected();
        assert!(continuity.is_new(&event(9)));
        assert!(!continuity.is_new(&event(9)));
        assert_eq!(continuity.judge(2, None, Timestamp::now()).action, "gap");
    }

    #[test]
    fn evidence_names_the_range() {
        let mut continuity = Continuity::remembering([event(5)].iter(), true);
        continuity.connected();
        continuity.is_new(&event(9));
        let verdict = continuity.judge(1, Some(Timestamp::from_nanos(9)), Timestamp::from_nanos(10));
        let attributes = verdict.attributes();
        assert!(attributes.contains(&("from", "1970-01-01T00:00:00.000000005Z")), "{attributes:?}");
        assert!(attributes.contains(&("until", "1970-01-01T00:00:00.000000009Z")), "{attributes:?}");
    }

    #[test]
    fn same_event_in_another_spelling_is_known() {
        let mut continuity = Continuity::remembering([event(5)].iter(), true);
        let other = r#"{"status":"start","id":"c","Type":"container","Action":"start","Actor":{"ID":"c","Attributes":{"b":"2","a":"1"}},"scope":"local","time":0,"timeNano":5}"#;
        assert!(!continuity.is_new(&Event::from_line(other.as_bytes()).unwrap()));
        assert!(continuity.is_new(&event(6)));
    }

    #[test]
    fn memory_is_bounded() {
        let mut continuity = Continuity::remembering([].iter(), true);
        (0..10_000).for_each(|n| assert!(continuity.is_new(&event(n))));
        assert_eq!((continuity.known.len(), continuity.order.len()), (MEMORY, MEMORY));
    }
}
