//! A report under way: reads records in order, and makes a timeline of each incident and the lanes of all.

use super::acts::{Act, Fact, Seen};
use super::ends;
use super::item::Item;
use super::lanes::{Before, Lanes, Place};
use super::melt::melt;
use super::model::{FEWEST_ROWS, FIRST_ITEMS, LAST_ITEMS, Lane, MAX_ALL_ROWS, MAX_ROWS, Row};
use super::safe::plain;
use super::words::{difference, duration};
use crate::cursor::Cursor;
use crate::event::Record;
use crate::projection::incidents::{CauseKind, Kind, Shown, ShownAction, ShownCause};
use crate::time::Timestamp;
use std::collections::{HashMap, VecDeque};
use std::ops::RangeInclusive;
use std::time::Duration;

/// A record this shortly before a cause or after an end still belongs to an incident: what is received in the
/// wrong order, and what closes a stop.
const AROUND: Duration = Duration::from_secs(2);
/// Differences that a row names.
const MAX_DIFFERENCES: usize = 6;

/// One incident's part of a draft.
struct Entry {
    incident: Shown,
    time: RangeInclusive<Timestamp>,
    /// Its deaths, with the milliseconds that each had run.
    failures: HashMap<String, u64>,
    first: Vec<Item>,
    last: VecDeque<Item>,
    /// Records between the two.
    omitted: u64,
}

/// What came of a draft.
pub(super) struct Drafted {
    /// Incidents with their timelines.
    pub(super) told: Vec<(Shown, Vec<Row>)>,
    pub(super) lanes: Vec<Lane>,
    /// How many more containers there are.
    pub(super) more_lanes: u64,
}

/// Everything of a draft.
pub(super) struct Draft {
    entries: Vec<Entry>,
    lanes: Lanes,
}

impl Draft {
    pub(super) fn new(incidents: Vec<Shown>, range: &RangeInclusive<Timestamp>, as_of: Timestamp) -> Self {
        let entries: Vec<Entry> = incidents.into_iter().map(|incident| Entry::new(incident, as_of)).collect();
        let begin = entries.iter().map(|entry| *entry.time.start()).chain([*range.start()]).min().unwrap_or(*range.start());
        Self { entries, lanes: Lanes::new(begin) }
    }

    /// The time whose records it wants.
    pub(super) fn time(&self, range: &RangeInclusive<Timestamp>) -> RangeInclusive<Timestamp> {
        let from = self.entries.iter().map(|entry| *entry.time.start()).min().unwrap_or(Timestamp::MAX);
        let to = self.entries.iter().map(|entry| *entry.time.end()).max().unwrap_or(Timestamp::MIN);
        from.min(*range.start())..=to.max(*range.end())
    }

    /// Reads one record.
    pub(super) fn read(&mut self, id: &str, record: &Record) {
        let Some(fact) = Fact::of(record) else { return };
        let taken: Vec<bool> = self.entries.iter().map(|entry| entry.takes(record, &fact)).collect();
        let mut before = Before::default();
        if !fact.container.is_empty() {
            let failure = self.entries.iter().any(|entry| entry.failures.contains_key(id));
            let place =
                Place { id, source: &record.source, time: record.time, hit: fact.act != Act::Own && taken.contains(&true), failure };
            before = self.lanes.read(&place, &fact);
        }
        for (entry, _) in self.entries.iter_mut().zip(taken).filter(|(_, taken)| *taken) {
            let up = entry.failures.get(id).copied();
            let failure = up.is_some();
            entry.add(Item {
                time: record.time,
                seq: record.seq,
                id: id.to_owned(),
                act: fact.act,
                what: fact.what(failure),
                container: fact.container.clone(),
                subject: fact.subject.clone(),
                kind: fact.text.clone(),
                text: text(&fact, before, up, record),
                failure,
                plain: true,
                folded: 0,
            });
        }
    }

    /// Nothing follows.
    pub(super) fn finish(mut self) -> Drafted {
        for incident in self.entries.iter().map(|entry| &entry.incident).filter(|incident| incident.next_start.is_some()) {
            incident.containers.iter().for_each(|container| self.lanes.waits(&incident.source, container));
        }
        let (lanes, more) = self.lanes.finish();
        let rows = (MAX_ALL_ROWS / self.entries.len().max(1)).clamp(FEWEST_ROWS, MAX_ROWS);
        Drafted { told: self.entries.into_iter().map(|entry| entry.finish(rows)).collect(), lanes, more_lanes: more }
    }
}

/// What the record says, and what the one before adds.
fn text(fact: &Fact, before: Before, up: Option<u64>, record: &Record) -> String {
    // What the fold knows reaches back further than what was read here.
    let up = up.filter(|millis| *millis > 0).map(Duration::from_millis).map(duration);
    let since = |earlier: Option<Timestamp>| earlier.map(|earlier| duration(record.time.since(earlier)));
    match fact.act {
        Act::Die => match up.or_else(|| since(before.started)) {
            Some(up) => format!("{}, after {up}", fact.text),
            // Engine 28 says so: whole seconds, rounded down.
            None => match record.event.view().attribute("execDuration") {
                Some(seconds) => format!("{}, after {} s", fact.text, plain(seconds)),
                None => fact.text.clone(),
            },
        },
        Act::Start => since(before.ended).map_or_else(|| fact.text.clone(), |wait| format!("{}, {wait} after its end", fact.text)),
        _ => fact.text.clone(),
    }
}

impl Entry {
    fn new(incident: Shown, as_of: Timestamp) -> Self {
        let causes = incident.phases.iter().flat_map(|phase| &phase.cause).chain(&incident.cause);
        let begin = causes.filter_map(|cause| cause.time).chain([incident.start]).min().unwrap_or(incident.start);
        let end = incident.end.unwrap_or(as_of).max(incident.start);
        let around = i64::try_from(AROUND.as_nanos()).unwrap_or(0);
        let time = Timestamp::from_nanos(begin.nanos().saturating_sub(around))..=Timestamp::from_nanos(end.nanos().saturating_add(around));
        let failures = incident.failures.iter().map(|failed| (failed.record.clone(), failed.up_ms)).collect();
        Self { incident, time, failures, first: Vec::new(), last: VecDeque::new(), omitted: 0 }
    }

    fn takes(&self, record: &Record, fact: &Fact) -> bool {
        let incident = &self.incident;
        let is_of = || {
            incident.containers.contains(&fact.container)
                || incident.subject == fact.subject
                || incident.subjects.iter().any(|part| part.key == fact.subject)
        };
        incident.source == *record.source && self.time.contains(&record.time) && !fact.repeats && (fact.act == Act::Own || is_of())
    }

    fn add(&mut self, item: Item) {
        if self.first.len() < FIRST_ITEMS {
            self.first.push(item);
            return;
        }
        if self.last.len() >= LAST_ITEMS {
            self.last.pop_front();
            self.omitted += 1;
        }
        self.last.push_back(item);
    }

    fn finish(mut self, most: usize) -> (Shown, Vec<Row>) {
        let mut items = std::mem::take(&mut self.first);
        let middle = items.last().map(|item| (item.time, item.seq));
        items.extend(std::mem::take(&mut self.last));
        let causes = self.incident.phases.iter().flat_map(|phase| &phase.cause).chain(&self.incident.cause);
        causes.for_each(|cause| add_cause(&mut items, &self.incident, cause));
        self.incident.actions.iter().for_each(|action| add_action(&mut items, &self.incident, action));
        items.sort_by_key(|item| (item.time, item.seq));
        ends::tell(&mut items);
        let items = melt(items);
        let place = middle.map_or(0, |middle| items.partition_point(|item| (item.time, item.seq) <= middle));
        let mut rows: Vec<Row> = items.into_iter().map(Row::from).collect();
        if self.omitted > 0 {
            let time = rows.get(place).map_or(self.incident.start, |row| row.time);
            rows.insert(place.min(rows.len()), left_out(time, self.omitted));
        }
        (self.incident, shorten(rows, most))
    }
}

/// At most so many rows: the first and the last.
fn shorten(mut rows: Vec<Row>, most: usize) -> Vec<Row> {
    if rows.len() <= most {
        return rows;
    }
    let last = rows.split_off(rows.len() - most / 2);
    let middle = rows.split_off(most / 2 - 1);
    let records: u64 = middle.iter().map(|row| row.folded + u64::from(row.record.is_some())).sum();
    let time = middle.first().map_or(Timestamp::MIN, |row| row.time);
    rows.push(left_out(time, records));
    rows.extend(last);
    rows
}

fn left_out(time: Timestamp, records: u64) -> Row {
    let text = format!("… {records} more records are not listed here");
    Row { time, record: None, what: "other", subject: String::new(), text, folded: records }
}

/// A cause stands at its record, where that says less than it.
fn add_cause(items: &mut Vec<Item>, incident: &Shown, cause: &ShownCause) {
    let (Some(id), Some(time)) = (&cause.record, cause.time) else { return };
    let said = match cause.kind {
        CauseKind::ExitCode | CauseKind::Oom | CauseKind::Health | CauseKind::Unknown => return,
        // Its record says it itself.
        CauseKind::Signal if incident.kind == Kind::StopTimeout => return,
        CauseKind::Deploy if !cause.changes.is_empty() => format!("re-created: {}", differences(&cause.changes)),
        _ => plain(&cause.text),
    };
    tell(items, incident, (id, time), &said);
}

fn add_action(items: &mut Vec<Item>, incident: &Shown, action: &ShownAction) {
    let said = if action.changes.is_empty() {
        match action.what.as_str() {
            // The records of these say it themselves.
            "restart" | "stop" | "kill" | "remove" | "update" => String::new(),
            "recreate" => "re-created, nothing visible changed".to_owned(),
            other => plain(other),
        }
    } else {
        format!("re-created: {}", differences(&action.changes))
    };
    tell(items, incident, (&action.record, action.time), &said);
}

/// Adds words to a record's row, or a row with them.
fn tell(items: &mut Vec<Item>, incident: &Shown, (id, time): (&String, Timestamp), said: &str) {
    if let Some(item) = items.iter_mut().find(|item| item.id == *id) {
        if !said.is_empty() && !item.text.contains(said) {
            item.text = format!("{}; {said}", item.text);
            item.plain = false;
        }
        return;
    }
    let Some(cursor) = id.parse::<Cursor>().ok().filter(|_| !said.is_empty()) else { return };
    items.push(Item {
        time,
        seq: cursor.seq,
        id: id.clone(),
        act: Act::Seen(Seen::Created),
        what: "change",
        container: String::new(),
        subject: incident.subject.clone(),
        kind: String::new(),
        text: said.to_owned(),
        failure: false,
        plain: false,
        folded: 0,
    });
}

fn differences(changes: &[crate::projection::incidents::Difference]) -> String {
    let mut parts: Vec<String> = changes.iter().take(MAX_DIFFERENCES).map(difference).collect();
    let more = changes.len().saturating_sub(MAX_DIFFERENCES);
    if more > 0 {
        parts.push(format!("and {more} more changes"));
    }
    parts.join("; ")
}
