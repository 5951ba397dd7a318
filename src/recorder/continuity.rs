//! Continuity of one Docker host: which events are stored already, and whether a reconnect was gapless. It
//! reads and writes no log (`memory.rs`, `mod.rs`), and where nothing proves the contrary the verdict is a
//! gap.
//!
//! Every connection begins with a replay of the daemon's ring (`since=0`, unfiltered). The ring holds the
//! last 256 events in order of arrival, so if any event in it is stored already, everything after that event
//! is in it too: nothing was missed. If none is, either 256 others have pushed it out, or the daemon was
//! restarted and its ring with it.

use crate::event::{Event, EventView};
use crate::ingest::Doubt;
use crate::redact::{KEPT_ATTRIBUTES, REDACTED};
use crate::time::Timestamp;
use std::collections::{HashMap, HashSet, VecDeque};
use std::hash::{BuildHasher, RandomState};

/// Events remembered per source: the ring 16 times over, so that an event which arrives twice or late is
/// still known.
pub(super) const MEMORY: usize = 4096;
/// Events that the Docker daemon keeps (moby `eventsLimit`, 19.03 to 29).
pub(super) const RING: u64 = 256;

/// What is known of one source.
#[derive(Debug)]
pub(super) struct Continuity {
    hasher: RandomState,
    known: HashSet<u64>,
    /// The same events without what may have been redacted: the key, and whether something was.
    outlines: HashMap<u64, (u64, bool)>,
    order: VecDeque<Keys>,
    /// Known events that prove nothing of what came before them.
    doubtful: HashSet<u64>,
    /// Own time of the newest stored event, in order of arrival.
    last: Option<Timestamp>,
    /// `last` as it was when the connection was made.
    stored_before: Option<Timestamp>,
    /// Since when lines are in doubt.
    doubted_since: Option<Timestamp>,
    /// Where a gap would begin: `last` as it was when the connection was made, or the beginning of what is in
    /// doubt.
    before: Option<Timestamp>,
    had_events: bool,
    overlap: u64,
    /// The most lines that a replay of this host had so far.
    ring_seen: u64,
    /// Keys first seen in the replay under way; `None` outside of one. An event that comes twice in one
    /// replay proves nothing.
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
    last_stored: Option<String>,
    ring_seen: String,
}

/// The reason of a gap where a daemon has history (Podman's) and did not give all of it.
const NO_HISTORY: &str = "no-history";

impl Verdict {
    pub(super) fn attributes(&self) -> Vec<(&str, &str)> {
        let mut attributes = vec![("overlap", self.overlap.as_str()), ("replayed", &self.replayed), ("ring_seen", &self.ring_seen)];
        attributes.extend(self.last_stored.as_deref().map(|time| ("last_stored", time)));
        if let Some(reason) = self.reason {
            attributes.push(("reason", reason));
            attributes.extend(self.from.as_deref().map(|from| ("from", from)));
            attributes.push(("until", &self.until));
        }
        attributes
    }
}

impl Continuity {
    /// As after storing `stored`, in order, which `hasher` has made keys of; `all`: the log holds no other
    /// event of this source.
    pub(super) fn remembering(hasher: RandomState, stored: impl Iterator<Item = Remembered>, all: bool) -> Self {
        let mut continuity = Self {
            hasher,
            known: HashSet::new(),
            outlines: HashMap::new(),
            order: VecDeque::new(),
            doubtful: HashSet::new(),
            last: None,
            stored_before: None,
            doubted_since: None,
            before: None,
            had_events: false,
            overlap: 0,
            ring_seen: 0,
            fresh: None,
            complete: all,
        };
        for Remembered { keys, time } in stored {
            if continuity.is_new_key(keys) {
                continuity.last = time.or(continuity.last);
            }
        }
        continuity.complete |= continuity.known.len() as u64 >= RING;
        continuity
    }

    /// Own time of the newest stored event, in order of arrival.
    pub(super) fn newest(&self) -> Option<Timestamp> {
        self.last
    }

    /// All of a replay has been looked at, one by one where need was.
    pub(super) fn saw_ring(&mut self) {
        self.complete = true;
    }

    /// Whether an event may be stored although it is not remembered.
    pub(super) fn is_doubtful(&self, event: &Event) -> bool {
        !self.complete && self.find(&Remembered::event(&self.hasher, event).keys).is_none()
    }

    /// An event that was not remembered was found in the log.
    pub(super) fn found_stored(&mut self, event: &Event) {
        self.is_new(event);
        self.overlap += 1;
        self.had_events = true;
    }

    /// The newest lines of the connection that ended prove nothing: the daemon may have dropped others among
    /// them.
    pub(super) fn doubt(&mut self, doubt: Doubt) {
        let lines = usize::try_from(doubt.lines).unwrap_or(usize::MAX);
        self.doubtful = self.order.iter().rev().take(lines).map(|keys| keys.whole).collect();
        self.doubted_since = Some(doubt.since);
    }

    /// A connection begins.
    pub(super) fn connected(&mut self) {
        self.before = self.doubted_since.take().or(self.last);
        self.stored_before = self.last;
        self.had_events = !self.known.is_empty();
        self.overlap = 0;
        self.fresh = Some(HashSet::new());
    }

    /// Whether an event is not stored yet; from now on it counts as stored.
    pub(super) fn is_new(&mut self, event: &Event) -> bool {
        let Remembered { keys, time } = Remembered::event(&self.hasher, event);
        let is_new = self.is_new_key(keys);
        if is_new {
            self.last = time.or(self.last);
        }
        is_new
    }

    /// Whether a line that is no event was not told of yet; from now on it counts as told. One that comes
    /// live is always news: it may be written each time that something fails.
    pub(super) fn is_new_line(&mut self, line: LineId) -> bool {
        self.is_new_key(Remembered::line(&self.hasher, line).keys) || self.fresh.is_none()
    }

    fn is_new_key(&mut self, keys: Keys) -> bool {
        if let Some(known) = self.find(&keys) {
            let proves = self.fresh.as_ref().is_some_and(|fresh| !fresh.contains(&known)) && !self.doubtful.contains(&known);
            self.overlap += u64::from(proves);
            return false;
        }
        // More than a ring of new events is no replay of stored ones any more.
        if let Some(fresh) = self.fresh.as_mut().filter(|fresh| fresh.len() < MEMORY) {
            fresh.insert(keys.whole);
        }
        self.known.insert(keys.whole);
        // The old stream is read on until there is another: it continues after the hole, and does not close
        // it.
        if self.doubted_since.is_some() {
            self.doubtful.insert(keys.whole);
        }
        self.outlines.insert(keys.outline, (keys.whole, keys.redacted));
        self.order.push_back(keys);
        if self.order.len() > MEMORY
            && let Some(oldest) = self.order.pop_front()
        {
            self.known.remove(&oldest.whole);
            self.doubtful.remove(&oldest.whole);
            if self.outlines.get(&oldest.outline).is_some_and(|(whole, _)| *whole == oldest.whole) {
                self.outlines.remove(&oldest.outline);
            }
        }
        true
    }

    /// The key of the known event that this one is. One that was stored before the rules of redaction changed
    /// is known by its outline.
    fn find(&self, keys: &Keys) -> Option<u64> {
        if self.known.contains(&keys.whole) {
            return Some(keys.whole);
        }
        self.outlines.get(&keys.outline).filter(|(_, redacted)| *redacted || keys.redacted).map(|(whole, _)| *whole)
    }

    /// The verdict at the end of a replay of `replayed` lines, the earliest of which carried the time
    /// `first`.
    pub(super) fn judge(&mut self, replayed: u64, first: Option<Timestamp>, now: Timestamp) -> Verdict {
        self.fresh = None;
        self.doubtful = HashSet::new();
        self.ring_seen = self.ring_seen.max(replayed);
        let reason = match () {
            () if !self.had_events => Some("first-contact"),
            () if self.overlap > 0 => None,
            () if replayed >= RING => Some("ring-overflow"),
            () => Some("daemon-restart"),
        };
        let (from, until) = range(self.before, first.unwrap_or(now));
        Verdict {
            action: if reason.is_some() { "gap" } else { "resumed" },
            reason,
            from: from.map(|time| time.to_string()),
            until: until.to_string(),
            overlap: self.overlap.to_string(),
            replayed: replayed.to_string(),
            last_stored: self.stored_before.map(|time| time.to_string()),
            ring_seen: self.ring_seen.to_string(),
        }
    }

    /// The verdict on a replay that was not read to its end: what was known in it proves nothing of what
    /// followed.
    pub(super) fn judge_without_proof(&mut self, now: Timestamp) -> Verdict {
        self.overlap = 0;
        let verdict = self.judge(0, None, now);
        Verdict { reason: verdict.reason.map(|reason| if reason == "daemon-restart" { NO_HISTORY } else { reason }), ..verdict }
    }
}

/// Where a gap begins and ends. A clock that was set back makes the newest event that is stored later than
/// what came after it: the gap then covers what lies between the two all the same, and never ends before it
/// begins.
fn range(from: Option<Timestamp>, until: Timestamp) -> (Option<Timestamp>, Timestamp) {
    (from.map(|from| from.min(until)), from.map_or(until, |from| from.max(until)))
}

/// What makes a line that is no event this line: its length, and the CRC-32 of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct LineId {
    pub(super) bytes: u64,
    pub(super) checksum: u32,
}

/// What is remembered of something of a daemon's that is stored: never the message, which may be long.
#[derive(Debug, Clone, Copy)]
pub(super) struct Remembered {
    keys: Keys,
    time: Option<Timestamp>,
}

impl Remembered {
    /// Docker's events have no id. The time in nanoseconds with type, action, actor and attributes is one in
    /// practice, and unlike the line it is the same before and after an upgrade of the daemon.
    pub(super) fn event(hasher: &RandomState, event: &Event) -> Self {
        let view = identity(event);
        if view.time.is_none() {
            return Self { keys: Keys::plain(hasher.hash_one(event.as_json())), time: None };
        }
        let whole = hasher.hash_one((view.time, &view.kind, &view.action, &view.actor_id, &view.attributes));
        Self { keys: Keys { whole, outline: hasher.hash_one(outline(&view)), redacted: is_redacted(event) }, time: view.time }
    }

    pub(super) fn line(hasher: &RandomState, line: LineId) -> Self {
        Self { keys: Keys::plain(hasher.hash_one(("line", line))), time: None }
    }
}

/// Under what an event is remembered.
#[derive(Debug, Clone, Copy)]
struct Keys {
    whole: u64,
    /// Without what rules of redaction may have changed.
    outline: u64,
    redacted: bool,
}

impl Keys {
    fn plain(whole: u64) -> Self {
        Self { whole, outline: whole, redacted: false }
    }
}

/// The parts of an event that make it this event.
fn identity(event: &Event) -> EventView<'_> {
    let mut view = event.view();
    view.attributes.sort();
    EventView { scope: None, health: None, ..view }
}

/// What no rule of redaction touches.
fn outline<'a>(view: &'a EventView<'_>) -> impl std::hash::Hash + Eq + use<'a> {
    let action = view.action.as_deref().map(|action| action.split_once(": ").map_or(action, |(head, _)| head));
    (view.time, view.kind.as_deref(), action, view.actor_id.as_deref(), KEPT_ATTRIBUTES.map(|key| view.attribute(key)))
}

fn is_redacted(event: &Event) -> bool {
    memchr::memmem::find(event.as_json().as_bytes(), REDACTED.as_bytes()).is_some()
}

/// Whether two messages tell of the same event, perhaps in different spellings, or redacted differently.
pub(super) fn is_same(a: &Event, b: &Event) -> bool {
    let (a_view, b_view) = (identity(a), identity(b));
    a_view == b_view || (a_view.time.is_some() && (is_redacted(a) || is_redacted(b)) && outline(&a_view) == outline(&b_view))
}

#[cfg(test)]
mod tests;
