//! The fold: what a message adds to the fleet's log. A pure function of the messages before it, so that every
//! server makes the same of them, for ever (`tests/fixtures/fleet-fold.txt`).

use super::own::{self, CONFLICT, DAMAGE, LIMIT, RETENTION, Told};
use super::state::{Gap, HostLog, Key, MAX_HOST_LOGS, MAX_SOURCE_BYTES, MAX_SOURCES, State, tenant_of};
use crate::chain::{self, ChainValue};
use crate::cursor::Sequence;
use crate::log::{FleetRecord, MAX_RECORD_BYTES};
use crate::parcel::{Head, Reason, mark, unpack};
use crate::stream::{Message, Subject};
use crate::time::Timestamp;
use std::collections::BTreeMap;
use std::ops::RangeInclusive;
use std::sync::Arc;

/// The name that a recorder gives its Docker host when it is told none.
const ONLY_SOURCE: &str = "local";
/// The name under which a recorder tells of itself.
const SELF_SOURCE: &str = "shipslog";
/// Bytes of the name of a Docker host in a host's line; one with more is not taken.
const MAX_ORIGIN_SOURCE_BYTES: usize = 4096;

/// A message that does not lie after those that are folded. Nothing was folded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("message {given} of the stream came where {expected} or a later one was to come")]
pub struct Misplaced {
    /// The place after the newest that is folded.
    pub expected: u64,
    /// The message's place.
    pub given: u64,
}

/// What a message showed that is worth a line to whoever runs the server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Note {
    /// Records that are here already; they were passed over.
    Repeated(Key, RangeInclusive<Sequence>),
    /// Records that will never come.
    Gap(Key, Gap),
    /// A message that cannot be what the host sent; the text says how that shows. It is told as a gap.
    Damage(Key, String),
    /// A message of another history of the same log: two hosts forward it. It is told as a gap.
    Conflict(Key),
    /// Records whose place in the host's chain cannot be checked, since its value before them is not known.
    Unchecked(Key, RangeInclusive<Sequence>),
    /// One log more than [`MAX_HOST_LOGS`].
    TooMany(Key),
    /// A message of another tenant, which was passed over.
    Foreign,
}

/// What a message adds.
#[derive(Debug, Default)]
pub struct Step {
    /// Records for the fleet's log, in order; the first has the sequence that [`State::next`] was before.
    pub records: Vec<FleetRecord>,
    /// What is worth telling.
    pub notes: Vec<Note>,
    /// After this message a base is due.
    pub base_due: bool,
}

/// Folds the next message of the stream. Places rise and need not be dense: what is none of shipslog's
/// messages, no client is given, and none misses it.
///
/// # Errors
/// When it lies before one that is folded. Nothing has changed then.
pub fn step(state: &mut State, message: &Message) -> Result<Step, Misplaced> {
    let expected = state.place.saturating_add(1);
    if message.place < expected {
        return Err(Misplaced { expected, given: message.place });
    }
    state.place = message.place;
    state.arrived = state.arrived.max(message.arrived);
    let mut step = Step::default();
    if tenant_of(&message.subject) != state.tenant {
        step.notes.push(Note::Foreign);
    } else if let Subject::Host { host, log, .. } = &message.subject {
        let key = Key { host: host.clone(), log: log.clone() };
        fold(state, &key, message, &mut step);
        state.next += step.records.len() as u64;
    }
    step.base_due = state.passes_base();
    Ok(step)
}

/// A message of a host, as it is being folded.
struct Folding<'a> {
    key: &'a Key,
    host: Arc<str>,
    place: u64,
    arrived: Timestamp,
    log: &'a mut HostLog,
    step: &'a mut Step,
}

fn fold(state: &mut State, key: &Key, message: &Message, step: &mut Step) {
    let (began, arrived, place, host) = (state.began, state.arrived, message.place, Arc::from(key.host.as_str()));
    let (is_new, is_full) = (!state.logs.contains_key(key), state.logs.len() >= MAX_HOST_LOGS);
    if is_new && is_full {
        let mut log = HostLog::new(arrived);
        Folding { key, host, place, arrived, log: &mut log, step }.tell(None, LIMIT, None, None);
        step.notes.push(Note::TooMany(key.clone()));
        return;
    }
    let log = state.logs.entry(key.clone()).or_insert_with(|| HostLog::new(arrived));
    log.last_arrived = arrived;
    // Of a log that is new here, the stream may have held what came before and removed it.
    let unsaid = if is_new && began > 0 { RETENTION } else { DAMAGE };
    let mut folding = Folding { key, host, place, arrived, log, step };
    match message.head.parse::<Head>() {
        Ok(head) if head.last() < folding.log.next => {
            let repeated = Note::Repeated(key.clone(), head.first..=head.last());
            folding.step.notes.push(repeated);
        }
        Ok(head) => folding.take(&head, &message.payload, unsaid),
        Err(e) => folding.damage(None, "head", e.to_string()),
    }
}

/// The fresh records of a message, and the value of the host's chain after them, where it is known.
struct Fresh {
    records: Vec<FleetRecord>,
    chain: Option<ChainValue>,
    sources: Vec<String>,
}

/// Why a message is not applied.
enum Unfit {
    Damage(&'static str, String),
    /// With the value of the other history's chain after the message.
    Conflict(ChainValue),
}

impl Folding<'_> {
    /// Takes a message that holds records which are not here.
    fn take(&mut self, head: &Head, payload: &[u8], unsaid: &str) {
        let (next, last) = (self.log.next, head.last());
        let start = head.first.max(next);
        if next < head.first {
            // After a hole, the chain goes on as the head tells.
            self.log.chain = None;
        } else if next > head.first {
            self.step.notes.push(Note::Repeated(self.key.clone(), head.first..=next - 1));
        }
        let fresh = self.fresh(head, start, payload);
        let until = fresh.as_ref().ok().and_then(|fresh| fresh.records.first()).map(|record| record.origin.time);
        self.tell_missing(head, next, unsaid, until);
        match fresh {
            Ok(fresh) => self.apply(fresh, start..=last),
            Err(Unfit::Damage(why, text)) => {
                self.damage(Some(start..=last), why, text);
                (self.log.next, self.log.chain) = (last + 1, None);
            }
            Err(Unfit::Conflict(chain)) => {
                // The hub lets one of the two go on: the one that came last.
                self.tell(Some(start..=last), CONFLICT, None, None);
                self.step.notes.push(Note::Conflict(self.key.clone()));
                (self.log.next, self.log.chain, self.log.conflict) = (last + 1, Some(chain), Some(self.arrived));
            }
        }
    }

    fn apply(&mut self, fresh: Fresh, sequences: RangeInclusive<Sequence>) {
        self.log.next = sequences.end() + 1;
        self.log.chain = fresh.chain;
        self.log.sources.extend(fresh.sources);
        if fresh.chain.is_none() {
            self.step.notes.push(Note::Unchecked(self.key.clone(), sequences));
        }
        if let Some(ancestor) = fresh.records.iter().rev().find_map(|record| own::ancestor(&record.event)) {
            self.log.ancestor = Some(ancestor);
        }
        if let Some(newest) = fresh.records.last() {
            (self.log.last_time, self.log.last_received) = (Some(newest.origin.time), Some(newest.origin.received));
        }
        self.step.records.extend(fresh.records);
    }

    /// The records of a message from `start` on, if they are what the host has there.
    fn fresh(&self, head: &Head, start: Sequence, payload: &[u8]) -> Result<Fresh, Unfit> {
        let lines = unpack(head, payload).map_err(|e| Unfit::Damage("payload", e.to_string()))?;
        let known = usize::try_from(start - head.first).unwrap_or(usize::MAX);
        let skipped: usize = lines.split_inclusive(|byte| *byte == b'\n').take(known).map(<[u8]>::len).sum();
        let fresh = lines.get(skipped..).unwrap_or_default();
        let leads = |before: &ChainValue, lines: &[u8]| Some(chain::after(before, lines)).filter(|after| mark(after) == head.after);
        let chain = match (&self.log.chain, &head.before) {
            (Some(before), told) => match leads(before, fresh) {
                Some(chain) => Some(chain),
                None => {
                    let damage = || Unfit::Damage("chain", "its lines do not continue the host's chain".to_owned());
                    return Err(told.and_then(|told| leads(&told, &lines)).map_or_else(damage, Unfit::Conflict));
                }
            },
            (None, Some(told)) => match leads(told, &lines) {
                Some(chain) => Some(chain),
                None => return Err(Unfit::Damage("chain", "its lines do not give the value of the chain in its head".to_owned())),
            },
            (None, None) => None,
        };
        let mut names = Names { host: &self.host, log: self.log, new: Vec::new(), known: BTreeMap::new() };
        let mut records = Vec::with_capacity(head.count as usize);
        for (seq, line) in (start..).zip(fresh.split_inclusive(|byte| *byte == b'\n')) {
            let line = line.strip_suffix(b"\n").unwrap_or(line);
            records.push(self.record(seq, line, &mut names).map_err(|text| Unfit::Damage("line", text))?);
        }
        Ok(Fresh { records, chain, sources: names.new })
    }

    fn record(&self, seq: Sequence, line: &[u8], names: &mut Names<'_>) -> Result<FleetRecord, String> {
        if line.len() > MAX_RECORD_BYTES {
            return Err(format!("the line of record {seq} has {} bytes, more than {MAX_RECORD_BYTES}", line.len()));
        }
        let mut record = FleetRecord::of_host_line(line, Arc::clone(&self.host), self.arrived, self.place).map_err(|e| e.to_string())?;
        if record.origin.id.seq != seq {
            return Err(format!("the record {} stands where {seq} is to stand", record.origin.id));
        }
        if let Some(source) = &record.origin.source {
            if source.len() > MAX_ORIGIN_SOURCE_BYTES {
                return Err(format!("the record {seq} names a Docker host with {} bytes", source.len()));
            }
            record.source = names.of(source);
        }
        Ok(record)
    }

    /// Tells of what lies between the next record and the first one of a message: why, as far as the host
    /// says.
    fn tell_missing(&mut self, head: &Head, next: Sequence, unsaid: &str, until: Option<Timestamp>) {
        let mut from = next;
        for gap in head.gaps.iter().filter(|gap| gap.to >= next) {
            if from < gap.from {
                self.tell(Some(from..=gap.from - 1), unsaid, None, until);
            }
            if gap.reason != Reason::Ancestor {
                self.tell(Some(from.max(gap.from)..=gap.to), gap.reason.name(), None, until);
            }
            from = gap.to + 1;
        }
        if from < head.first {
            self.tell(Some(from..=head.first - 1), unsaid, None, until);
        }
    }

    fn damage(&mut self, sequences: Option<RangeInclusive<Sequence>>, why: &'static str, text: String) {
        self.tell(sequences, DAMAGE, Some(why), None);
        self.step.notes.push(Note::Damage(self.key.clone(), text));
    }

    fn tell(&mut self, sequences: Option<RangeInclusive<Sequence>>, reason: &str, why: Option<&str>, until: Option<Timestamp>) {
        let (from, next) = (self.log.last_time, self.log.next);
        let told = Told {
            host: &self.host,
            log: &self.key.log,
            sequences,
            reason,
            why,
            from,
            until,
            arrived: self.arrived,
            place: self.place,
            next,
        };
        self.step.records.push(told.record());
        if let Some(sequences) = told.sequences {
            let gap = Gap { sequences, reason: reason.to_owned() };
            self.log.remember(gap.clone());
            self.step.notes.push(Note::Gap(self.key.clone(), gap));
        }
    }
}

/// Under which names a host's Docker hosts stand in the fleet's log.
struct Names<'a> {
    host: &'a Arc<str>,
    log: &'a HostLog,
    /// Those that came up in this message.
    new: Vec<String>,
    known: BTreeMap<Arc<str>, Arc<str>>,
}

impl Names<'_> {
    /// The host's name alone for a recorder with one Docker host and for the recorder itself, and for what is
    /// more than a fleet tells apart; with the Docker host's name behind it otherwise.
    fn of(&mut self, source: &Arc<str>) -> Arc<str> {
        if let Some(name) = self.known.get(source) {
            return Arc::clone(name);
        }
        let plain = matches!(&**source, ONLY_SOURCE | SELF_SOURCE) || source.is_empty() || source.len() > MAX_SOURCE_BYTES;
        let fits = || self.log.sources.contains(&**source) || self.log.sources.len() + self.new.len() < MAX_SOURCES;
        let name = if plain || !fits() {
            Arc::clone(self.host)
        } else {
            if !self.log.sources.contains(&**source) {
                self.new.push(source.to_string());
            }
            format!("{}/{source}", self.host).into()
        };
        self.known.insert(Arc::clone(source), Arc::clone(&name));
        name
    }
}
