//! Bases: what the fold knew after a message, published into the stream. A server that comes late begins with
//! one, and every server compares each with what it knew itself: a difference is an alarm.
//!
//! ```text
//! head     1 <place after which it was> <place of the base before it, or 0>
//! payload  one zstd frame: a line of JSON about the fleet, then one for each log of a host
//! ```

use super::state::{FOLD, GAPS_KEPT, Gap, HostLog, Key, MAX_HOST_LOGS, MAX_SOURCE_BYTES, MAX_SOURCES, State};
use crate::chain::ChainValue;
use crate::cursor::{LogId, MAX_SEQUENCE, Sequence};
use crate::stream::{Message, Outgoing, Subject};
use crate::time::Timestamp;
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// A base is due after so many messages,
pub const BASE_EVERY: u64 = 4096;
/// or after that time by the hub's clock.
pub const BASE_SPAN: Duration = Duration::from_secs(3600);
/// Bytes of a base's text, at most.
pub const MAX_BASE_BYTES: usize = 32 * 1024 * 1024;
/// Which form of a base this is.
const FORM: u32 = 1;
/// zstd's level.
const LEVEL: i32 = 3;
/// Characters of the reason of a gap, at most.
const MAX_REASON_BYTES: usize = 16;

impl State {
    /// Whether a base is due after the message that was folded last; it counts as made then.
    pub(super) fn passes_base(&mut self) -> bool {
        let (place, arrived) = self.based;
        let due = self.place - place >= BASE_EVERY || self.arrived.since(arrived) >= BASE_SPAN;
        if due {
            self.based = (self.place, self.arrived);
        }
        due
    }

    /// All that it is, as text: one state has one text.
    pub(super) fn to_text(&self) -> String {
        let fleet = FleetLine {
            form: FORM,
            fold: FOLD,
            tenant: self.tenant.clone(),
            began: self.began,
            place: self.place,
            next: self.next,
            arrived: self.arrived.nanos(),
        };
        let mut text = json(&fleet);
        for (key, log) in &self.logs {
            text.push_str(&json(&LogLine::of(key, log)));
        }
        text
    }
}

/// What the fold knew after a message, and what its log held then.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Base {
    /// What it knew; [`State::place`] is the message's.
    pub state: State,
    /// The fleet's log.
    pub fleet: LogId,
    /// Value of that log's chain before [`State::next`].
    pub chain: ChainValue,
    /// Place of the base before it, 0 for the first.
    pub previous: u64,
}

/// Why a message is no base, or two bases are not the same.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BaseError {
    /// Not in the form in which shipslog writes it.
    #[error("the base in message {place} of the stream cannot be read: {why}")]
    Unreadable {
        /// The message.
        place: u64,
        /// What is wrong with it.
        why: String,
    },
    /// Of another fold: of a newer shipslog.
    #[error(
        "the base in message {place} of the stream is of form {form} and fold {fold}, this shipslog has {FORM} and {FOLD}; run the same version on every server"
    )]
    Other {
        /// The message.
        place: u64,
        /// Its form.
        form: u32,
        /// Its fold.
        fold: u32,
    },
    /// Two servers differ in what they know after a message.
    #[error("another server holds something else than this one after message {place} of the stream: {what}")]
    Differs {
        /// The message after which they differ.
        place: u64,
        /// In what.
        what: String,
    },
    /// More than the hub or a reader takes.
    #[error("a base has {0} bytes, more than can be published")]
    TooLarge(usize),
}

fn json<T: Serialize>(value: &T) -> String {
    let mut line = serde_json::to_string(value).unwrap_or_default();
    line.push('\n');
    line
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct FleetLine {
    form: u32,
    fold: u32,
    tenant: String,
    began: u64,
    place: u64,
    next: Sequence,
    arrived: i64,
}

/// What every form of the fleet's line has.
#[derive(Debug, Deserialize)]
struct Version {
    form: u32,
    fold: u32,
}

/// Stands before the state's text: what follows from the log and not from the state.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct FirstLine {
    fleet: String,
    chain: String,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct LogLine {
    host: String,
    log: String,
    next: Sequence,
    chain: Option<String>,
    time: Option<i64>,
    received: Option<i64>,
    arrived: i64,
    conflict: Option<i64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    ancestor: Option<(String, Sequence)>,
    lost: u64,
    gaps: Vec<(Sequence, Sequence, String)>,
    sources: Vec<String>,
}

fn chain_of(hex: &str) -> Option<ChainValue> {
    let mut chain = [0; 32];
    hex::decode_to_slice(hex, &mut chain).ok()?;
    Some(chain)
}

impl LogLine {
    fn of(key: &Key, log: &HostLog) -> Self {
        Self {
            host: key.host.clone(),
            log: key.log.clone(),
            next: log.next,
            chain: log.chain.map(hex::encode),
            time: log.last_time.map(Timestamp::nanos),
            received: log.last_received.map(Timestamp::nanos),
            arrived: log.last_arrived.nanos(),
            conflict: log.conflict.map(Timestamp::nanos),
            ancestor: log.ancestor.clone(),
            lost: log.lost,
            gaps: log.gaps.iter().map(|gap| (*gap.sequences.start(), *gap.sequences.end(), gap.reason.clone())).collect(),
            sources: log.sources.iter().cloned().collect(),
        }
    }

    /// What it tells, if that can be.
    fn read(self, tenant: &str) -> Option<(Key, HostLog)> {
        Subject::host(tenant, &self.host, &self.log).ok()?;
        let chain = match &self.chain {
            Some(hex) => Some(chain_of(hex)?),
            None => None,
        };
        if let Some((log, last)) = &self.ancestor {
            Subject::host(tenant, &self.host, log).ok().filter(|_| *last <= MAX_SEQUENCE)?;
        }
        let sound = (1..=MAX_SEQUENCE + 1).contains(&self.next)
            && self.gaps.len() <= GAPS_KEPT
            && self
                .gaps
                .iter()
                .all(|(first, last, reason)| 0 < *first && first <= last && *last <= MAX_SEQUENCE && reason.len() <= MAX_REASON_BYTES)
            && self.sources.len() <= MAX_SOURCES
            && self.sources.iter().all(|source| source.len() <= MAX_SOURCE_BYTES);
        let gaps = self.gaps.into_iter().map(|(first, last, reason)| Gap { sequences: first..=last, reason }).collect();
        let log = HostLog {
            next: self.next,
            chain,
            last_time: self.time.map(Timestamp::from_nanos),
            last_received: self.received.map(Timestamp::from_nanos),
            last_arrived: Timestamp::from_nanos(self.arrived),
            conflict: self.conflict.map(Timestamp::from_nanos),
            ancestor: self.ancestor,
            lost: self.lost,
            gaps,
            sources: self.sources.into_iter().collect(),
        };
        sound.then_some((Key { host: self.host, log: self.log }, log))
    }
}

/// The head of a base: place and the base before it.
fn head_of(head: &str) -> Option<(u64, u64)> {
    let (place, previous) = head.strip_prefix("1 ")?.split_once(' ')?;
    let numbers = (place.parse().ok()?, previous.parse().ok()?);
    (format!("1 {} {}", numbers.0, numbers.1) == head).then_some(numbers)
}

impl Base {
    /// All of it as text. What `previous` says is none of it.
    pub fn to_text(&self) -> String {
        text_of(&self.state.to_text(), self.fleet, &self.chain)
    }

    /// From its text.
    fn read(text: &str, place: u64, previous: u64) -> Result<Self, BaseError> {
        let no = |why: &str| BaseError::Unreadable { place, why: why.to_owned() };
        let mut lines = text.split_inclusive('\n');
        let first: FirstLine = lines.next().and_then(|line| serde_json::from_str(line).ok()).ok_or_else(|| no("its first line"))?;
        let line = lines.next().unwrap_or_default();
        let Version { form, fold } = serde_json::from_str(line).map_err(|_| no("its second line"))?;
        if (form, fold) != (FORM, FOLD) {
            return Err(BaseError::Other { place, form, fold });
        }
        let fleet: FleetLine = serde_json::from_str(line).map_err(|_| no("its second line"))?;
        if !(1..=MAX_SEQUENCE).contains(&fleet.next) || fleet.began > fleet.place {
            return Err(no("its second line names a record or a place that cannot be"));
        }
        let arrived = Timestamp::from_nanos(fleet.arrived);
        let mut state = State { next: fleet.next, arrived, based: (fleet.place, arrived), ..State::begin(&fleet.tenant, fleet.began) };
        state.place = fleet.place;
        for line in lines {
            let log = serde_json::from_str(line).ok().and_then(|log: LogLine| log.read(&state.tenant));
            let (key, log) = log.ok_or_else(|| no("a line about a host"))?;
            if state.logs.insert(key, log).is_some() || state.logs.len() > MAX_HOST_LOGS {
                return Err(no("too many lines about hosts"));
            }
        }
        let log = first.fleet.parse().map_err(|_| no("the fleet's id"))?;
        let chain = chain_of(&first.chain).ok_or_else(|| no("the fleet's chain"))?;
        let base = Self { state, fleet: log, chain, previous };
        // One base, one text: whatever else it holds would be lost on the way.
        if base.to_text() == text { Ok(base) } else { Err(no("it is written in another way")) }
    }

    /// As it is published.
    ///
    /// # Errors
    /// When it is too large.
    pub fn to_message(&self, subject: Subject, max_bytes: usize) -> Result<Outgoing, BaseError> {
        let text = self.to_text();
        let head = format!("1 {} {}", self.state.place, self.previous);
        let too_large = |_| BaseError::TooLarge(text.len());
        let mut compressor = zstd::bulk::Compressor::new(LEVEL).map_err(too_large)?;
        compressor.include_checksum(true).map_err(too_large)?;
        let payload = compressor.compress(text.as_bytes()).map_err(too_large)?;
        if text.len() > MAX_BASE_BYTES || payload.len() + head.len() > max_bytes {
            return Err(BaseError::TooLarge(payload.len().max(text.len())));
        }
        Ok(Outgoing { subject, head, payload: payload.into() })
    }

    /// From a message of the stream.
    ///
    /// # Errors
    /// When it is no base, or one of a newer shipslog.
    pub fn of_message(message: &Message) -> Result<Self, BaseError> {
        let place = message.place;
        let no = |why: &str| BaseError::Unreadable { place, why: why.to_owned() };
        let (at, previous) = head_of(&message.head).ok_or_else(|| no("its head"))?;
        let text = zstd::bulk::decompress(&message.payload, MAX_BASE_BYTES).map_err(|e| no(&e.to_string()))?;
        let text = std::str::from_utf8(&text).map_err(|_| no("it is no text"))?;
        let base = Self::read(text, place, previous)?;
        if base.state.place != at || at >= place || previous >= place {
            return Err(no("its head tells places that cannot be"));
        }
        Ok(base)
    }
}

pub(super) fn text_of(state: &str, fleet: LogId, chain: &ChainValue) -> String {
    json(&FirstLine { fleet: fleet.to_string(), chain: hex::encode(chain) }) + state
}

/// Compares one's own text of a base with that of another server.
///
/// # Errors
/// In what they differ.
pub fn compare(place: u64, own: &str, theirs: &str) -> Result<(), BaseError> {
    if own == theirs {
        return Ok(());
    }
    let differing = own.lines().zip(theirs.lines()).find(|(own, theirs)| own != theirs);
    let what = match differing {
        Some((own, theirs)) => format!("here {}, there {}", crate::event::shortened(own, SHOWN), crate::event::shortened(theirs, SHOWN)),
        None => format!("here {} lines, there {}", own.lines().count(), theirs.lines().count()),
    };
    Err(BaseError::Differs { place, what })
}

/// Bytes of a differing line that are told.
const SHOWN: usize = 512;
