//! Per-frame summaries: which subjects occur in a frame and what happened to them, so that a filtered read can pass a frame over
//! without unpacking it.
//!
//! A summary may say "maybe" where the frame holds nothing, never "no" where it holds something. Texts are cut to a few bytes;
//! a cut text stands for everything that begins with it.

use crate::event::EventView;
use crate::filter::{Filter, Glimpse, Key};
use crate::log::LogError;
use bincode::Options;
use serde::{Deserialize, Serialize};
use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap};
use std::hash::Hash;
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

/// What events happen to: a container, a network, … on one host.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Subject {
    source: u32,
    kind: u32,
    id: String,
    name: String,
}

impl Subject {
    fn row(&self) -> Row<'_> {
        Row { source: self.source, kind: self.kind, id: &self.id, name: &self.name }
    }
}

/// Frames whose summaries are stored together, so that a read of a short time loads little.
pub(in crate::log) const CHUNK_FRAMES: usize = 64;

/// A [`Subject`] as it is stored.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
struct Row<'a> {
    source: u32,
    kind: u32,
    id: &'a str,
    name: &'a str,
}

/// The summaries of up to [`CHUNK_FRAMES`] frames (bincode), unpacked. Most of it is texts, which stay where they are: several thousand
/// containers, when they come and go quickly.
#[derive(Debug)]
pub(in crate::log) struct Summaries {
    raw: Vec<u8>,
    frames: usize,
}

/// What is written in [`Summaries`].
#[derive(Debug, Default, Serialize, Deserialize)]
pub(in crate::log) struct Subjects<'a> {
    #[serde(borrow)]
    sources: Vec<&'a str>,
    #[serde(borrow)]
    kinds: Vec<&'a str>,
    #[serde(borrow)]
    actions: Vec<&'a str>,
    #[serde(borrow)]
    rows: Vec<Row<'a>>,
    /// Per frame: subject, as the distance to the one before it, and a bit for each action.
    frames: Vec<Vec<(u32, u64)>>,
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
fn word<'a>(table: &[&'a str], place: u32) -> Key<'a> {
    table.get(place as usize).map_or(Key { text: "", whole: false }, |text| key(text, WORD_BYTES))
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

/// A table of distinct values.
#[derive(Debug)]
struct Table<T> {
    values: Vec<T>,
    places: HashMap<T, u32>,
}

impl<T> Default for Table<T> {
    fn default() -> Self {
        Self { values: Vec::new(), places: HashMap::new() }
    }
}

impl<T: Hash + Eq + Clone> Table<T> {
    fn place<Q: ?Sized + Hash + Eq + ToOwned<Owned = T>>(&mut self, value: &Q) -> u32
    where
        T: std::borrow::Borrow<Q>,
    {
        if let Some(place) = self.places.get(value) {
            return *place;
        }
        let place = u32::try_from(self.values.len()).unwrap_or(u32::MAX);
        self.values.push(value.to_owned());
        self.places.insert(value.to_owned(), place);
        place
    }
}

impl Table<String> {
    fn texts(&self) -> Vec<&str> {
        self.values.iter().map(String::as_str).collect()
    }
}

/// Gathers summaries while a segment is written.
#[derive(Debug, Default)]
pub(in crate::log) struct SubjectsBuilder {
    sources: Table<String>,
    kinds: Table<String>,
    actions: Table<String>,
    subjects: Table<Subject>,
    frame: BTreeMap<u32, u64>,
    frames: Vec<Vec<(u32, u64)>>,
}

impl SubjectsBuilder {
    /// Adds a record to the frame under way.
    pub(super) fn add(&mut self, source: &str, event: &EventView<'_>) {
        let text = |text: &Option<Cow<'_, str>>| text.as_deref().unwrap_or("").to_owned();
        let action = text(&event.action);
        self.add_cut(source, &text(&event.kind), cut_action(&action), &text(&event.actor_id), event.attribute("name").unwrap_or(""));
    }

    fn add_cut(&mut self, source: &str, kind: &str, action: &str, id: &str, name: &str) {
        let subject = Subject {
            source: self.sources.place(cut(source, WORD_BYTES)),
            kind: self.kinds.place(cut(kind, WORD_BYTES)),
            id: cut_id(id).to_owned(),
            name: cut(name, NAME_BYTES).to_owned(),
        };
        let bit = self.action_bit(action);
        *self.frame.entry(self.subjects.place(&subject)).or_default() |= bit;
    }

    fn action_bit(&mut self, action: &str) -> u64 {
        if self.actions.values.len() >= MAX_ACTIONS && !self.actions.places.contains_key(action) {
            return OTHER_ACTIONS;
        }
        1 << self.actions.place(action)
    }

    /// Ends the frame under way.
    pub(super) fn end_frame(&mut self) {
        let mut before = 0;
        let delta = |(subject, actions): (u32, u64)| {
            let distance = subject - before;
            before = subject;
            (distance, actions)
        };
        self.frames.push(std::mem::take(&mut self.frame).into_iter().map(delta).collect());
    }

    /// Takes over a whole frame from the summaries of another segment.
    pub(super) fn copy_frame(&mut self, from: &Subjects<'_>, frame: usize) {
        for (subject, actions) in from.frame(frame) {
            let row = Subject {
                source: self.sources.place(from.sources.get(subject.source as usize).copied().unwrap_or_default()),
                kind: self.kinds.place(from.kinds.get(subject.kind as usize).copied().unwrap_or_default()),
                id: subject.id.to_owned(),
                name: subject.name.to_owned(),
            };
            let mut bits = actions & OTHER_ACTIONS;
            for (at, action) in from.actions.iter().enumerate().take(MAX_ACTIONS) {
                if actions & (1 << at) != 0 {
                    bits |= self.action_bit(action);
                }
            }
            *self.frame.entry(self.subjects.place(&row)).or_default() |= bits;
        }
        self.end_frame();
    }

    pub(super) fn frames(&self) -> usize {
        self.frames.len()
    }

    /// The stored form.
    pub(super) fn finish(self) -> Result<Vec<u8>, LogError> {
        let subjects = Subjects {
            sources: self.sources.texts(),
            kinds: self.kinds.texts(),
            actions: self.actions.texts(),
            rows: self.subjects.values.iter().map(Subject::row).collect(),
            frames: self.frames,
        };
        let failed = |e: &dyn std::fmt::Display| LogError::Damaged(format!("cannot encode the summaries of a segment: {e}"));
        let raw = bincode().serialize(&subjects).map_err(|e| failed(&e))?;
        zstd::bulk::compress(&raw, ZSTD_LEVEL).map_err(|e| failed(&e))
    }
}

fn bincode() -> impl Options {
    bincode::DefaultOptions::new().with_limit(MAX_BYTES)
}

/// Which frames of a segment may hold something that passes a filter.
#[derive(Debug)]
pub(in crate::log) struct Candidates<'a> {
    subjects: &'a Subjects<'a>,
    /// Per subject: the actions that may pass.
    passing: Vec<u64>,
}

fn undecodable(e: &dyn std::fmt::Display) -> LogError {
    LogError::Damaged(format!("the summaries of a segment do not decode: {e}"))
}

impl Summaries {
    /// Unpacks the stored form, whose checksum has been looked at and which is about so many frames.
    pub(super) fn unpack(packed: &[u8], frames: usize) -> Result<Self, LogError> {
        let mut raw = Vec::new();
        let decoder = zstd::stream::read::Decoder::with_buffer(packed).map_err(|e| undecodable(&e))?;
        decoder.take(MAX_BYTES).read_to_end(&mut raw).map_err(|e| undecodable(&e))?;
        Ok(Self { raw, frames })
    }

    /// What is written in them.
    pub(in crate::log) fn subjects(&self) -> Result<Subjects<'_>, LogError> {
        let subjects: Subjects<'_> = bincode().deserialize(&self.raw).map_err(|e| undecodable(&e))?;
        if subjects.frames.len() == self.frames { Ok(subjects) } else { Err(undecodable(&"they are about other frames")) }
    }

    /// Memory taken.
    pub(in crate::log) fn bytes(&self) -> usize {
        self.raw.capacity()
    }
}

impl<'a> Subjects<'a> {
    fn frame(&self, frame: usize) -> impl Iterator<Item = (&Row<'a>, u64)> {
        let mut place = 0u32;
        self.frames.get(frame).into_iter().flatten().filter_map(move |(distance, actions)| {
            place = place.wrapping_add(*distance);
            Some((self.rows.get(place as usize)?, *actions))
        })
    }

    /// Looks through the tables once, so that each frame takes a few operations a subject.
    pub(in crate::log) fn candidates(&self, filter: &Filter) -> Candidates<'_> {
        let unknown = Key { text: "", whole: false };
        let nothing_known = Glimpse { source: unknown, kind: unknown, action: unknown, id: unknown, name: unknown };
        // What a filter asks of the action and what it asks of the subject stand side by side: both must hold.
        let mut actions = OTHER_ACTIONS;
        for (at, action) in self.actions.iter().enumerate().take(MAX_ACTIONS) {
            if filter.may_match(&Glimpse { action: action_key(action), ..nothing_known }) {
                actions |= 1 << at;
            }
        }
        let passing = self.rows.iter().map(|subject| {
            let glimpse = Glimpse {
                source: word(&self.sources, subject.source),
                kind: word(&self.kinds, subject.kind),
                id: id_key(subject.id),
                name: key(subject.name, NAME_BYTES),
                ..nothing_known
            };
            if filter.may_match(&glimpse) { actions } else { 0 }
        });
        Candidates { subjects: self, passing: passing.collect() }
    }
}

impl Candidates<'_> {
    /// Whether the frame may hold something that passes.
    pub(in crate::log) fn may_match(&self, frame: usize) -> bool {
        let Some(rows) = self.subjects.frames.get(frame) else { return true };
        let mut place = 0u32;
        rows.iter().any(|(distance, actions)| {
            place = place.wrapping_add(*distance);
            self.passing.get(place as usize).is_none_or(|passing| passing & actions != 0)
        })
    }
}

#[cfg(test)]
mod tests;
