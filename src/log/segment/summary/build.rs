//! Gathering summaries while a segment is written.

use super::positions::{Positions, is_telling};
use super::{MAX_ACTIONS, NAME_BYTES, OTHER_ACTIONS, Row, Seen, Summaries, WORD_BYTES, ZSTD_LEVEL, bincode, cut, cut_action, cut_id};
use crate::event::EventView;
use crate::log::LogError;
use crate::log::record::line::Line;
use crate::log::segment::frame::compressor;
use bincode::Options;
use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap};
use std::hash::Hash;

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

/// A table of distinct values.
#[derive(Debug)]
struct Table<T> {
    values: Vec<T>,
    indexes: HashMap<T, u32>,
}

impl<T> Default for Table<T> {
    fn default() -> Self {
        Self { values: Vec::new(), indexes: HashMap::new() }
    }
}

impl<T: Hash + Eq + Clone> Table<T> {
    fn index<Q: ?Sized + Hash + Eq + ToOwned<Owned = T>>(&mut self, value: &Q) -> u32
    where
        T: std::borrow::Borrow<Q>,
    {
        if let Some(index) = self.indexes.get(value) {
            return *index;
        }
        let index = u32::try_from(self.values.len()).unwrap_or(u32::MAX);
        self.values.push(value.to_owned());
        self.indexes.insert(value.to_owned(), index);
        index
    }
}

impl Table<String> {
    fn texts(&self) -> Vec<&str> {
        self.values.iter().map(String::as_str).collect()
    }
}

/// Gathers summaries while a segment is written.
#[derive(Debug, Default)]
pub(in crate::log) struct SummaryBuilder {
    sources: Table<String>,
    kinds: Table<String>,
    actions: Table<String>,
    subjects: Table<Subject>,
    /// The frame under way: its lines so far, and what is in them by subject.
    lines: u32,
    frame: BTreeMap<u32, (u64, Positions)>,
    frames: Vec<Vec<(u32, u64, Positions)>>,
}

impl SummaryBuilder {
    /// Adds a record's line to the frame under way.
    pub(in crate::log::segment) fn add_line(&mut self, line: &[u8], parts: Line<'_>) {
        let json = line.get(parts.json()).and_then(|json| std::str::from_utf8(json).ok()).unwrap_or_default();
        self.add(&parts.source(), &EventView::parse(json).unwrap_or_default());
    }

    /// Adds a record to the frame under way.
    pub(in crate::log::segment) fn add(&mut self, source: &str, event: &EventView<'_>) {
        let text = |text: &Option<Cow<'_, str>>| text.as_deref().unwrap_or("").to_owned();
        let action = text(&event.action);
        self.add_cut(source, &text(&event.kind), cut_action(&action), &text(&event.actor_id), event.attribute("name").unwrap_or(""));
    }

    fn add_cut(&mut self, source: &str, kind: &str, action: &str, id: &str, name: &str) {
        let subject = Subject {
            source: self.sources.index(cut(source, WORD_BYTES)),
            kind: self.kinds.index(cut(kind, WORD_BYTES)),
            id: cut_id(id).to_owned(),
            name: cut(name, NAME_BYTES).to_owned(),
        };
        let bit = self.action_bit(action);
        let (actions, positions) = self.frame.entry(self.subjects.index(&subject)).or_default();
        *actions |= bit;
        if is_telling(action) {
            positions.add(self.lines);
        }
        self.lines += 1;
    }

    fn action_bit(&mut self, action: &str) -> u64 {
        if self.actions.values.len() >= MAX_ACTIONS && !self.actions.indexes.contains_key(action) {
            return OTHER_ACTIONS;
        }
        1 << self.actions.index(action)
    }

    /// Ends the frame under way.
    pub(in crate::log::segment) fn end_frame(&mut self) {
        let mut before = 0;
        let delta = |(subject, (actions, positions)): (u32, (u64, Positions))| {
            let distance = subject - before;
            before = subject;
            (distance, actions, positions)
        };
        self.lines = 0;
        self.frames.push(std::mem::take(&mut self.frame).into_iter().map(delta).collect());
    }

    /// Takes over a whole frame from the summaries of another segment.
    pub(in crate::log::segment) fn copy_frame(&mut self, from: &Summaries<'_>, frame: usize) {
        for (subject, actions, positions) in from.frame(frame) {
            let row = Subject {
                source: self.sources.index(from.sources.get(subject.source as usize).copied().unwrap_or_default()),
                kind: self.kinds.index(from.kinds.get(subject.kind as usize).copied().unwrap_or_default()),
                id: subject.id.to_owned(),
                name: subject.name.to_owned(),
            };
            let mut bits = actions & OTHER_ACTIONS;
            for (at, action) in from.actions.iter().enumerate().take(MAX_ACTIONS) {
                if actions & (1 << at) != 0 {
                    bits |= self.action_bit(action);
                }
            }
            let (actions, all) = self.frame.entry(self.subjects.index(&row)).or_default();
            *actions |= bits;
            all.extend(positions);
        }
        self.end_frame();
    }

    pub(in crate::log::segment) fn frames(&self) -> usize {
        self.frames.len()
    }

    /// What has been gathered of frames that have ended.
    pub(super) fn summaries(&self) -> Summaries<'_> {
        Summaries {
            sources: self.sources.texts(),
            kinds: self.kinds.texts(),
            actions: self.actions.texts(),
            rows: self.subjects.values.iter().map(Subject::row).collect(),
            frames: self.frames.iter().map(|frame| frame.iter().map(Seen::from).collect()).collect(),
        }
    }

    /// The stored form.
    pub(in crate::log::segment) fn finish(self) -> Result<Vec<u8>, LogError> {
        let failed = |e: &dyn std::fmt::Display| LogError::Internal(format!("cannot encode the summaries of a segment: {e}"));
        let raw = bincode().serialize(&self.summaries()).map_err(|e| failed(&e))?;
        compressor(ZSTD_LEVEL).and_then(|mut compressor| compressor.compress(&raw)).map_err(|e| failed(&e))
    }
}
