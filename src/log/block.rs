//! Blocks: the records of one commit in the form in which readers use them.

use crate::cursor::{LogId, Sequence};
use crate::event::{Event, EventView, Record, write_line};
use crate::filter::{Filter, Subject};
use crate::time::Timestamp;
use bytes::Bytes;
use std::fmt::Write as _;
use std::ops::Range;

/// Consecutive records, immutable and shared by all readers.
///
/// The records lie in one buffer as SSE frames (`id: …\ndata: {record}\n\n`), framed once for everybody: a stream sends
/// slices of it, and every other route cuts the JSON line out of the frame. Both are reference-counted slices, not copies.
#[derive(Debug)]
pub struct Block {
    first: Sequence,
    frames: Bytes,
    fields: String,
    entries: Vec<Entry>,
}

/// Where the parts of one record lie. Offsets are in bytes; a block is far smaller than 4 GiB.
#[derive(Debug)]
struct Entry {
    frame: u32,
    line: u32,
    json: u32,
    end: u32,
    source: Range<u32>,
    kind: Range<u32>,
    time: Timestamp,
    received: Timestamp,
}

/// One record as a block takes it.
#[derive(Debug, Clone, Copy)]
pub(super) struct BlockRecord<'a> {
    pub(super) time: Timestamp,
    pub(super) received: Timestamp,
    pub(super) source: &'a str,
    pub(super) kind: &'a str,
    pub(super) json: &'a str,
}

/// Bytes behind the line in a frame.
const FRAME_END: &str = "\n\n";

/// Lays records out, one after the other.
#[derive(Debug)]
pub(super) struct BlockBuilder {
    log: LogId,
    first: Sequence,
    frames: String,
    fields: String,
    entries: Vec<Entry>,
}

impl BlockBuilder {
    pub(super) fn new(log: LogId, first: Sequence, capacity_bytes: usize) -> Self {
        Self { log, first, frames: String::with_capacity(capacity_bytes), fields: String::new(), entries: Vec::new() }
    }

    /// Lays out the next record and returns its line.
    pub(super) fn push(&mut self, record: &BlockRecord<'_>) -> &str {
        let seq = self.first + self.entries.len() as Sequence;
        let frame = self.frames.len();
        let _ = write!(self.frames, "id: {}\ndata: ", self.log.cursor(seq));
        let line = self.frames.len();
        write_line(&mut self.frames, self.log, seq, record.time, record.received, record.source, record.json);
        let end = self.frames.len();
        self.frames.push_str(FRAME_END);
        let entry = Entry {
            frame: offset(frame),
            line: offset(line),
            json: offset(end - 1 - record.json.len()),
            end: offset(end),
            source: self.field(record.source),
            kind: self.field(record.kind),
            time: record.time,
            received: record.received,
        };
        self.entries.push(entry);
        self.frames.get(line..end).unwrap_or_default()
    }

    /// Where `text` lies in `fields`; the same text as the one before it is stored once.
    fn field(&mut self, text: &str) -> Range<u32> {
        let start = match self.fields.rfind(text) {
            Some(at) => at,
            None => {
                self.fields.push_str(text);
                self.fields.len() - text.len()
            }
        };
        offset(start)..offset(start + text.len())
    }

    pub(super) fn len(&self) -> usize {
        self.entries.len()
    }

    pub(super) fn bytes(&self) -> usize {
        self.frames.len()
    }

    pub(super) fn finish(self) -> Block {
        Block { first: self.first, frames: Bytes::from(self.frames), fields: self.fields, entries: self.entries }
    }
}

/// The codec bounds a block's bytes well below 4 GiB (`codec::MAX_RAW_BYTES`).
fn offset(bytes: usize) -> u32 {
    u32::try_from(bytes).unwrap_or(u32::MAX)
}

impl Block {
    /// Sequence of the first record.
    pub fn first(&self) -> Sequence {
        self.first
    }

    /// Sequence of the last record.
    pub fn last(&self) -> Sequence {
        self.first + (self.entries.len() as Sequence).saturating_sub(1)
    }

    /// The sequences in this block.
    pub fn sequences(&self) -> std::ops::RangeInclusive<Sequence> {
        self.first..=self.last()
    }

    /// Bytes of the wire form.
    pub fn bytes(&self) -> usize {
        self.frames.len()
    }

    /// Place of `seq` in the block.
    fn entry(&self, seq: Sequence) -> Option<&Entry> {
        self.entries.get(usize::try_from(seq.checked_sub(self.first)?).ok()?)
    }

    /// The SSE frames of the records `from..=to`, as far as they are in this block.
    pub fn frames(&self, from: Sequence, to: Sequence) -> Bytes {
        let (from, to) = (from.max(self.first), to.min(self.last()));
        match (self.entry(from), self.entry(to)) {
            (Some(a), Some(b)) if from <= to => self.frames.slice(a.frame as usize..b.end as usize + FRAME_END.len()),
            _ => Bytes::new(),
        }
    }

    /// Bytes of the frame of one record.
    pub fn frame_bytes(&self, seq: Sequence) -> usize {
        self.entry(seq).map_or(0, |e| (e.end - e.frame) as usize + FRAME_END.len())
    }

    /// The record as one line of JSON, without and with its line end.
    pub fn line(&self, seq: Sequence, with_end: bool) -> Bytes {
        self.entry(seq).map_or_else(Bytes::new, |e| self.frames.slice(e.line as usize..e.end as usize + usize::from(with_end)))
    }

    /// The message, verbatim.
    pub fn json(&self, seq: Sequence) -> &str {
        let bytes = self.entry(seq).and_then(|e| self.frames.get(e.json as usize..e.end as usize - 1));
        // Built from `str`s: always valid.
        bytes.and_then(|b| std::str::from_utf8(b).ok()).unwrap_or("{}")
    }

    /// The record, on its own.
    pub fn record(&self, seq: Sequence) -> Option<Record> {
        let entry = self.entry(seq)?;
        let event = Event::from_line(self.json(seq).as_bytes()).ok()?;
        Some(Record { seq, time: entry.time, received: entry.received, source: self.source(seq).into(), event })
    }

    /// The event's own time.
    pub fn time(&self, seq: Sequence) -> Timestamp {
        self.entry(seq).map(|e| e.time).unwrap_or_default()
    }

    /// When the recorder received it.
    pub fn received(&self, seq: Sequence) -> Timestamp {
        self.entry(seq).map(|e| e.received).unwrap_or_default()
    }

    /// Name of the Docker host.
    pub fn source(&self, seq: Sequence) -> &str {
        self.entry(seq).map_or("", |e| self.field(&e.source))
    }

    /// The event's `Type`; empty where it has none.
    pub fn kind(&self, seq: Sequence) -> &str {
        self.entry(seq).map_or("", |e| self.field(&e.kind))
    }

    fn field(&self, range: &Range<u32>) -> &str {
        self.fields.get(range.start as usize..range.end as usize).unwrap_or("")
    }

    /// Whether a record passes a filter. Parses the message only when its type alone does not decide.
    pub fn matches(&self, seq: Sequence, filter: &Filter) -> bool {
        if filter.is_empty() {
            return true;
        }
        if !filter.may_match_kind(self.kind(seq)) {
            return false;
        }
        EventView::parse(self.json(seq)).is_ok_and(|event| filter.matches(&Subject { source: self.source(seq), event: &event }))
    }
}
