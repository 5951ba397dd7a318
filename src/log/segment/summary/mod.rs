//! Per-frame summaries: which subjects occur in a frame and what happened to them, so that a filtered read
//! can pass a frame over without unpacking it. A summary may say "maybe" where the frame holds nothing, never
//! "no" where it holds something.
//!
//! Texts are cut to a few bytes; a cut text stands for everything that begins with it.
//!
//! Of what incidents are searched for, a summary also tells where in the frame it is (positions.rs):
//! unpacking ends there.

mod build;
mod check;
mod positions;

use crate::filter::{Filter, Key, PartialSubject};
use crate::log::LogError;
use bincode::Options;
pub(in crate::log) use build::SummaryBuilder;
pub(in crate::log) use positions::{Candidates, Positions};
use positions::{UNKNOWN, is_telling};
use serde::{Deserialize, Serialize};
use std::io::Read as _;

/// Kept of an id. 8 hex digits tell a few thousand subjects apart.
const ID_BYTES: usize = 8;
/// What ids of images begin with; it tells nothing.
const DIGEST: &str = "sha256:";
/// Kept of a name.
const NAME_BYTES: usize = 48;
/// Kept of an action, a type or the name of a source.
const WORD_BYTES: usize = 32;
/// Actions told apart in a segment; all others count as one that is unknown.
const MAX_ACTIONS: usize = 63;
/// The bit of actions beyond [`MAX_ACTIONS`].
const OTHER_ACTIONS: u64 = 1 << MAX_ACTIONS;
/// Bytes of summaries that are read at most; more is damage.
const MAX_BYTES: u64 = 64 * 1024 * 1024;
const ZSTD_LEVEL: i32 = 9;

/// Frames whose summaries are stored together, so that a read of a short time loads little.
pub(in crate::log) const CHUNK_FRAMES: usize = 64;

/// What events happen to, as it is stored: a container, a network, … on one host.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
struct Row<'a> {
    source: u32,
    kind: u32,
    id: &'a str,
    name: &'a str,
}

/// The summaries of up to [`CHUNK_FRAMES`] frames (bincode), unpacked. Most of it is texts, which stay where
/// they are: several thousand containers, when they come and go quickly.
#[derive(Debug)]
pub(in crate::log) struct SummaryChunk {
    raw: Vec<u8>,
    frames: usize,
    has_positions: bool,
}

/// What is written in [`SummaryChunk`].
#[derive(Debug, Default, Serialize, Deserialize)]
pub(in crate::log) struct Summaries<'a> {
    #[serde(borrow)]
    sources: Vec<&'a str>,
    #[serde(borrow)]
    kinds: Vec<&'a str>,
    #[serde(borrow)]
    actions: Vec<&'a str>,
    #[serde(borrow)]
    rows: Vec<Row<'a>>,
    #[serde(borrow)]
    frames: Vec<Vec<Seen<'a>>>,
}

/// What happened to a subject in a frame.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
struct Seen<'a> {
    /// The subject, as the distance to the one before it.
    distance: u32,
    /// A bit for each action.
    actions: u64,
    /// Of the telling ones.
    positions: &'a [u8],
}

impl<'a> From<&'a (u32, u64, Positions)> for Seen<'a> {
    fn from((distance, actions, positions): &'a (u32, u64, Positions)) -> Self {
        Self { distance: *distance, actions: *actions, positions: positions.stored() }
    }
}

/// [`Summaries`] without positions, as they were written first.
#[derive(Debug, Deserialize)]
#[cfg_attr(test, derive(Serialize))]
struct WithoutPositions<'a> {
    #[serde(borrow)]
    sources: Vec<&'a str>,
    #[serde(borrow)]
    kinds: Vec<&'a str>,
    #[serde(borrow)]
    actions: Vec<&'a str>,
    #[serde(borrow)]
    rows: Vec<Row<'a>>,
    frames: Vec<Vec<(u32, u64)>>,
}

impl<'a> From<WithoutPositions<'a>> for Summaries<'a> {
    fn from(WithoutPositions { sources, kinds, actions, rows, frames }: WithoutPositions<'a>) -> Self {
        let telling = telling(&actions);
        let seen = |(distance, actions)| Seen { distance, actions, positions: if actions & telling == 0 { &[] } else { UNKNOWN } };
        let frames = frames.into_iter().map(|frame| frame.into_iter().map(seen).collect()).collect();
        Self { sources, kinds, actions, rows, frames }
    }
}

/// The bits of the actions whose positions are told.
fn telling(actions: &[&str]) -> u64 {
    (0..MAX_ACTIONS).zip(actions).filter(|(_, action)| is_telling(action)).map(|(at, _)| 1 << at).sum()
}

/// The first `limit` bytes of `text`, or a few less so that no character is split.
fn cut(text: &str, limit: usize) -> &str {
    let end = (0..=limit.min(text.len())).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0);
    text.get(..end).unwrap_or(text)
}

/// A text that was cut to `limit` bytes, as a filter may look at it.
fn key(text: &str, limit: usize) -> Key<'_> {
    // A character has at most 4 bytes, so that a cut text is at most 3 bytes shorter than the limit.
    Key { text, whole: text.len() + 3 < limit }
}

/// A word of a table; one that is not there may be any.
fn word<'a>(table: &[&'a str], index: u32) -> Key<'a> {
    table.get(index as usize).map_or(Key { text: "", whole: false }, |text| key(text, WORD_BYTES))
}

/// Docker writes what was run into the action: `exec_create: /bin/sh -c …`. All of that is one action here.
fn action_key(action: &str) -> Key<'_> {
    let whole = !(action.starts_with("exec_") && action.ends_with(':'));
    Key { whole: whole && key(action, WORD_BYTES).whole, text: action }
}

fn cut_action(action: &str) -> &str {
    let colon = if action.starts_with("exec_") { action.find(':') } else { None };
    cut(colon.and_then(|at| action.get(..=at)).unwrap_or(action), WORD_BYTES)
}

fn cut_id(id: &str) -> &str {
    let limit = if id.starts_with(DIGEST) { DIGEST.len() + ID_BYTES } else { ID_BYTES };
    cut(id, limit)
}

fn id_key(id: &str) -> Key<'_> {
    // An id is never taken for whole: 8 bytes are nearly always a part of it.
    Key { text: id, whole: false }
}

fn bincode() -> impl Options {
    bincode::DefaultOptions::new().with_limit(MAX_BYTES)
}

/// Which frames of a segment may hold something that passes a filter.
#[derive(Debug)]
pub(in crate::log) struct Verdict<'a> {
    summaries: &'a Summaries<'a>,
    /// Per subject: the actions that may pass.
    passing: Vec<u64>,
    /// The actions whose positions are told.
    telling: u64,
}

fn undecodable(e: &dyn std::fmt::Display) -> LogError {
    LogError::Damaged(format!("the summaries of a segment do not decode: {e}"))
}

impl SummaryChunk {
    /// Unpacks the stored form, whose checksum has been looked at and which is about so many frames.
    /// `has_positions`: it tells positions.
    pub(super) fn unpack(packed: &[u8], frames: usize, has_positions: bool) -> Result<Self, LogError> {
        let mut raw = Vec::new();
        let decoder = zstd::stream::read::Decoder::with_buffer(packed).map_err(|e| undecodable(&e))?;
        decoder.take(MAX_BYTES).read_to_end(&mut raw).map_err(|e| undecodable(&e))?;
        Ok(Self { raw, frames, has_positions })
    }

    /// What is written in them.
    pub(in crate::log) fn summaries(&self) -> Result<Summaries<'_>, LogError> {
        let summaries = if self.has_positions {
            bincode().deserialize(&self.raw)
        } else {
            bincode().deserialize(&self.raw).map(|without: WithoutPositions<'_>| without.into())
        };
        let summaries: Summaries<'_> = summaries.map_err(|e| undecodable(&e))?;
        if summaries.frames.len() == self.frames { Ok(summaries) } else { Err(undecodable(&"they are about other frames")) }
    }

    /// Memory taken.
    pub(in crate::log) fn bytes(&self) -> usize {
        self.raw.capacity()
    }
}

impl<'a> Summaries<'a> {
    fn frame(&self, frame: usize) -> impl Iterator<Item = (&Row<'a>, u64, &'a [u8])> {
        let mut row = 0u32;
        self.frames.get(frame).into_iter().flatten().filter_map(move |Seen { distance, actions, positions }| {
            row = row.wrapping_add(*distance);
            Some((self.rows.get(row as usize)?, *actions, *positions))
        })
    }

    /// Looks through the tables once, so that each frame takes a few operations a subject.
    pub(in crate::log) fn judge(&self, filter: &Filter) -> Verdict<'_> {
        let unknown = Key { text: "", whole: false };
        let nothing_known = PartialSubject { source: unknown, kind: unknown, action: unknown, id: unknown, name: unknown };
        // What a filter asks of the action and what it asks of the subject stand side by side: both must
        // hold.
        let mut actions = OTHER_ACTIONS;
        for (at, action) in self.actions.iter().enumerate().take(MAX_ACTIONS) {
            if filter.may_match(&PartialSubject { action: action_key(action), ..nothing_known }) {
                actions |= 1 << at;
            }
        }
        let passing = self.rows.iter().map(|subject| {
            let partial = PartialSubject {
                source: word(&self.sources, subject.source),
                kind: word(&self.kinds, subject.kind),
                id: id_key(subject.id),
                name: key(subject.name, NAME_BYTES),
                ..nothing_known
            };
            if filter.may_match(&partial) { actions } else { 0 }
        });
        Verdict { summaries: self, passing: passing.collect(), telling: telling(&self.actions) }
    }
}

impl Verdict<'_> {
    /// Where in a frame something may be that passes.
    pub(in crate::log) fn candidates(&self, frame: usize) -> Candidates {
        let Some(seen) = self.summaries.frames.get(frame) else { return Candidates::Anywhere };
        let mut subject = 0u32;
        seen.iter().fold(Candidates::Nowhere, |candidates, Seen { distance, actions, positions }| {
            subject = subject.wrapping_add(*distance);
            match self.passing.get(subject as usize).map(|passing| passing & actions) {
                Some(0) => candidates,
                Some(found) if found & !self.telling == 0 => candidates.and(positions),
                _ => Candidates::Anywhere,
            }
        })
    }
}

#[cfg(test)]
mod tests;
