//! The fold's own records: a `gap` of the recorder's form for everything of a host that the fleet's log does
//! not have. Their words are part of the fleet's lines, so they never change.

use crate::cursor::{Cursor, LogId, MAX_SEQUENCE, Sequence};
use crate::event::{Event, Origin};
use crate::log::FleetRecord;
use crate::time::Timestamp;
use std::ops::RangeInclusive;
use std::sync::Arc;

/// The host did not send them, nor did it say why.
pub(super) const DAMAGE: &str = "damage";
/// The stream had removed them before this fleet's log began.
pub(super) const RETENTION: &str = "retention";
/// They are of another history of the same log: of a copy of it.
pub(super) const CONFLICT: &str = "conflict";
/// Of one host more than a fleet takes.
pub(super) const LIMIT: &str = "limit";

/// What is missing, and how that is told.
#[derive(Debug, Clone)]
pub(super) struct Told<'a> {
    pub(super) host: &'a Arc<str>,
    /// First digits of the log's id.
    pub(super) log: &'a str,
    /// Sequences in the host's log; `None` where it is not known which.
    pub(super) sequences: Option<RangeInclusive<Sequence>>,
    pub(super) reason: &'a str,
    /// What shows that there is damage.
    pub(super) why: Option<&'a str>,
    /// Own times of the host's neighbours before and after.
    pub(super) from: Option<Timestamp>,
    pub(super) until: Option<Timestamp>,
    pub(super) arrived: Timestamp,
    pub(super) place: u64,
    /// The next record of the host's log, where sequences are not known.
    pub(super) next: Sequence,
}

impl Told<'_> {
    /// The record. As its origin it has the last of the records that are missing, so that whoever looks for
    /// the newest record of a host finds how far it is told; its attribute `place` sets it apart from the
    /// host's own.
    pub(super) fn record(&self) -> FleetRecord {
        let until = self.until.unwrap_or(self.arrived);
        let (from, until) = (self.from.map(|from| from.to_string()), until.to_string());
        let (first, last) = match &self.sequences {
            Some(sequences) => (*sequences.start(), *sequences.end()),
            None => (self.next, self.next.saturating_sub(1)),
        };
        let lost = last.saturating_sub(first).saturating_add(1).to_string();
        let (first_text, last_text, place) = (first.to_string(), last.to_string(), self.place.to_string());
        let mut attributes = vec![("reason", self.reason)];
        attributes.extend(self.why.map(|why| ("why", why)));
        attributes.extend(from.as_deref().map(|from| ("from", from)));
        attributes.push(("until", &until));
        if self.sequences.is_some() {
            attributes.extend([("lost", lost.as_str()), ("first", &first_text), ("last", &last_text)]);
        }
        attributes.extend([("log", self.log), ("place", &place)]);
        let event = Event::recorder("gap", self.host, &attributes, self.arrived);
        let id = Cursor { log: u32::from_str_radix(self.log, 16).unwrap_or_default(), seq: last };
        let origin = Origin { id, time: self.arrived, received: self.arrived, source: None };
        FleetRecord { source: Arc::clone(self.host), received: self.arrived, event, origin, place: self.place }
    }
}

/// The first digits of the log whose copy a host's log is, with the last record that both have, where this is
/// the host's record that tells of it: its first one after the fork.
pub(super) fn ancestor(event: &Event) -> Option<(String, Sequence)> {
    if !event.is_own() {
        return None;
    }
    let view = event.view();
    let ancestor: LogId = view.attribute("ancestor").filter(|_| view.action.as_deref() == Some("start"))?.parse().ok()?;
    let last = view.attribute("ancestor_last")?.parse().ok().filter(|last| *last <= MAX_SEQUENCE)?;
    Some((format!("{:08x}", ancestor.prefix()), last))
}

/// Whether a record is the fold's own, and not one that a host has.
pub fn is_own_gap(event: &Event) -> bool {
    let view = event.view();
    event.is_own() && view.action.as_deref() == Some("gap") && view.attribute("place").is_some()
}
