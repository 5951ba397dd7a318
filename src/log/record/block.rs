//! Blocks: consecutive records in the form in which readers use them.

use super::line::Line;
use crate::cursor::{LogId, MAX_SEQUENCE, Sequence};
use crate::event::{Event, EventView, LineWriter, Marks, Noise, Origin, Record, RecordParts, RecordView};
use crate::filter::{Filter, Subject};
use crate::log::LogError;
use crate::time::Timestamp;
use bytes::Bytes;
use std::borrow::Cow;
use std::fmt::Write as _;
use std::ops::Range;

/// Consecutive records, immutable and shared by all readers.
///
/// The records lie in one buffer as SSE frames (`id: …\ndata: {record}\n\n`), framed once for everybody: a
/// stream sends slices of it, and every other route cuts the JSON line out of the frame. Both are
/// reference-counted slices, not copies.
#[derive(Debug)]
pub struct Block {
    first: Sequence,
    frames: Bytes,
    /// Where each SSE frame begins, and where the last one ends; in bytes. A block is far smaller than 4 GiB.
    starts: Vec<u32>,
}

/// What stands before the cursor in an SSE frame.
const BEFORE_ID: &str = "id: ";
/// What stands between the cursor and the line.
const BEFORE_LINE: &str = "\ndata: ";
/// Bytes of a cursor without its sequence.
const CURSOR_BYTES: usize = 9;
/// What stands after the line in an SSE frame.
const FRAME_END: &str = "\n\n";

/// Lays records out, one after the other.
#[derive(Debug)]
pub(in crate::log) struct BlockBuilder {
    log: LogId,
    first: Sequence,
    frames: String,
    starts: Vec<u32>,
    lines: LineWriter,
    cursor: String,
}

impl BlockBuilder {
    pub(in crate::log) fn new(log: LogId, first: Sequence, capacity_bytes: usize) -> Self {
        Self {
            log,
            first,
            frames: String::with_capacity(capacity_bytes),
            starts: vec![0],
            lines: LineWriter::default(),
            cursor: String::new(),
        }
    }

    /// Lays out the next record and returns its line.
    pub(in crate::log) fn push(&mut self, record: &RecordParts<'_>) -> &str {
        let seq = self.first + self.len() as Sequence;
        self.cursor.clear();
        let _ = write!(self.cursor, "{}", self.log.cursor(seq));
        self.frames.push_str(BEFORE_ID);
        self.frames.push_str(&self.cursor);
        self.frames.push_str(BEFORE_LINE);
        let line = self.frames.len();
        self.lines.write(&mut self.frames, &self.cursor, seq, record);
        let end = self.frames.len();
        self.frames.push_str(FRAME_END);
        self.starts.push(offset(self.frames.len()));
        self.frames.get(line..end).unwrap_or_default()
    }

    pub(in crate::log) fn len(&self) -> usize {
        self.starts.len() - 1
    }

    pub(in crate::log) fn finish(self) -> Block {
        Block { first: self.first, frames: Bytes::from(self.frames), starts: self.starts }
    }
}

/// The codecs bound a block's bytes well below 4 GiB (`codec::MAX_RAW_BYTES`).
fn offset(bytes: usize) -> u32 {
    u32::try_from(bytes).unwrap_or(u32::MAX)
}

impl Block {
    /// From lines with their ends, the first of which is the record `first`. Their sequences are looked at,
    /// what else they hold is not.
    pub(in crate::log) fn from_lines(first: Sequence, lines: &[u8]) -> Result<Self, LogError> {
        if first > MAX_SEQUENCE {
            return Err(LogError::Damaged(format!("no log reaches the sequence {first}")));
        }
        let mut frames = Vec::with_capacity(lines.len() + lines.len() / 12);
        let mut starts = vec![0];
        let (mut seq, mut from) = (first, 0);
        let mut number = Number::new(first);
        for end in memchr::memchr_iter(b'\n', lines) {
            let line = lines.get(from..end).unwrap_or_default();
            let cursor = Line { bytes: line, digits: number.text().len() }.cursor();
            if cursor.get(CURSOR_BYTES..) != Some(number.text()) {
                return Err(LogError::Damaged(format!("a segment does not hold the record {seq} where it should")));
            }
            frames.extend_from_slice(BEFORE_ID.as_bytes());
            frames.extend_from_slice(cursor);
            frames.extend_from_slice(BEFORE_LINE.as_bytes());
            frames.extend_from_slice(line);
            frames.extend_from_slice(FRAME_END.as_bytes());
            starts.push(offset(frames.len()));
            (seq, from) = (seq + 1, end + 1);
            number.increment();
        }
        if from != lines.len() || starts.len() == 1 {
            return Err(LogError::Damaged("a frame does not end with a whole line".to_owned()));
        }
        Ok(Self { first, frames: Bytes::from(frames), starts })
    }

    /// Sequence of the first record.
    pub fn first(&self) -> Sequence {
        self.first
    }

    /// Sequence of the last record.
    pub fn last(&self) -> Sequence {
        self.first + (self.starts.len() as Sequence).saturating_sub(2)
    }

    /// The sequences in this block.
    pub fn sequences(&self) -> std::ops::RangeInclusive<Sequence> {
        self.first..=self.last()
    }

    /// Bytes of the wire form.
    pub fn bytes(&self) -> usize {
        self.frames.len()
    }

    /// Where the SSE frame of `seq` lies.
    fn sse_frame(&self, seq: Sequence) -> Option<Range<usize>> {
        let at = usize::try_from(seq.checked_sub(self.first)?).ok()?;
        Some(*self.starts.get(at)? as usize..*self.starts.get(at + 1)? as usize)
    }

    /// Where the line of `seq` lies.
    fn line_range(&self, seq: Sequence) -> Option<Range<usize>> {
        let frame = self.sse_frame(seq)?;
        let before = BEFORE_ID.len() + CURSOR_BYTES + super::line::digits(seq) + BEFORE_LINE.len();
        Some(frame.start + before..frame.end - FRAME_END.len())
    }

    fn parts(&self, seq: Sequence) -> Option<Line<'_>> {
        self.line_range(seq).and_then(|range| self.frames.get(range)).map(|line| Line::of(line, seq))
    }

    /// The SSE frames of the records `from..=to`, as far as they are in this block.
    pub fn sse_frames(&self, from: Sequence, to: Sequence) -> Bytes {
        let (from, to) = (from.max(self.first), to.min(self.last()));
        match (self.sse_frame(from), self.sse_frame(to)) {
            (Some(a), Some(b)) if from <= to => self.frames.slice(a.start..b.end),
            _ => Bytes::new(),
        }
    }

    /// Bytes of the SSE frame of one record.
    pub fn sse_frame_bytes(&self, seq: Sequence) -> usize {
        self.sse_frame(seq).map_or(0, |frame| frame.len())
    }

    /// The last record up to which the frames from `from` on take no more than `bytes`; `from` itself where
    /// its own takes more.
    pub fn last_within(&self, from: Sequence, bytes: usize) -> Sequence {
        let at = usize::try_from(from.saturating_sub(self.first)).unwrap_or(usize::MAX);
        let end = self.starts.get(at).map_or(usize::MAX, |start| *start as usize + bytes);
        let fit = self.starts.partition_point(|start| *start as usize <= end).saturating_sub(1);
        (self.first + fit as Sequence).saturating_sub(1).max(from)
    }

    /// The records `from..=to`, as far as they are in this block, as a block of its own: it keeps nothing
    /// else in memory.
    #[must_use]
    pub fn part(&self, from: Sequence, to: Sequence) -> Self {
        let (from, to) = (from.max(self.first), to.min(self.last()));
        let place = |seq: Sequence| usize::try_from(seq.saturating_sub(self.first)).unwrap_or(usize::MAX);
        let starts = self.starts.get(place(from)..place(to).saturating_add(2)).unwrap_or(&[0]);
        let begin = starts.first().copied().unwrap_or(0);
        let starts = starts.iter().map(|start| start - begin).collect();
        Self { first: from, frames: Bytes::copy_from_slice(&self.sse_frames(from, to)), starts }
    }

    /// The record as one line of JSON, without and with its line end.
    pub fn line(&self, seq: Sequence, with_end: bool) -> Bytes {
        self.line_range(seq).map_or_else(Bytes::new, |line| self.frames.slice(line.start..line.end + usize::from(with_end)))
    }

    fn json_bytes(&self, seq: Sequence) -> &[u8] {
        self.parts(seq).and_then(|line| line.bytes.get(line.json())).unwrap_or(b"{}")
    }

    /// The record's cursor as text.
    pub fn cursor(&self, seq: Sequence) -> &str {
        self.parts(seq).and_then(|line| std::str::from_utf8(line.cursor()).ok()).unwrap_or_default()
    }

    /// The message, verbatim.
    pub fn json(&self, seq: Sequence) -> &str {
        std::str::from_utf8(self.json_bytes(seq)).unwrap_or("{}")
    }

    /// The record, on its own.
    pub fn record(&self, seq: Sequence) -> Option<Record> {
        let line = self.parts(seq)?;
        let event = Event::from_line(self.json(seq).as_bytes()).ok()?.with_marks(line.marks());
        Some(Record { seq, time: line.time(), received: line.received(), source: line.source().into(), event })
    }

    /// The same, without copies.
    pub fn view(&self, seq: Sequence) -> Option<RecordView<'_>> {
        let line = self.parts(seq)?;
        let event = EventView::parse(line.bytes.get(line.json()).and_then(|json| std::str::from_utf8(json).ok())?).ok()?;
        let (time, received, source, marks) = (line.time(), line.received(), line.source(), line.marks());
        Some(RecordView { seq, time, received, source, at_host: line.at_host(), marks, event })
    }

    /// The event's own time.
    pub fn time(&self, seq: Sequence) -> Timestamp {
        self.parts(seq).map(Line::time).unwrap_or_default()
    }

    /// When the recorder received it.
    pub fn received(&self, seq: Sequence) -> Timestamp {
        self.parts(seq).map(Line::received).unwrap_or_default()
    }

    /// Name of the Docker host.
    pub fn source(&self, seq: Sequence) -> Cow<'_, str> {
        self.parts(seq).map(Line::source).unwrap_or_default()
    }

    /// What kind of noise the record is.
    pub fn noise(&self, seq: Sequence) -> Option<Noise> {
        self.parts(seq).map(Line::marks).and_then(|marks| marks.noise)
    }

    /// The record's marks.
    pub fn marks(&self, seq: Sequence) -> Marks {
        self.parts(seq).map(Line::marks).unwrap_or_default()
    }

    /// Where the record comes from, if it is one of a fleet.
    pub fn origin(&self, seq: Sequence) -> Option<Origin> {
        self.parts(seq).and_then(Line::origin)
    }

    /// The line that a record of a fleet has in the log of its host, without its end.
    pub fn host_line(&self, seq: Sequence) -> Option<Vec<u8>> {
        self.parts(seq).and_then(super::origin::host_line_of)
    }

    /// The fields of the message.
    pub fn event(&self, seq: Sequence) -> EventView<'_> {
        EventView::parse(self.json(seq)).unwrap_or_default()
    }

    fn subject<'a>(&self, seq: Sequence, source: &'a str, event: &'a EventView<'a>) -> Subject<'a> {
        let Marks { noise, foreign, .. } = self.marks(seq);
        Subject { source, noise, foreign, event }
    }

    /// Whether a record passes a filter.
    pub fn matches(&self, seq: Sequence, filter: &Filter) -> bool {
        let may = || filter.may_match_text(self.json_bytes(seq));
        filter.is_empty() || (may() && filter.matches(&self.subject(seq, &self.source(seq), &self.event(seq))))
    }

    /// Whether a record passes a filter only since it tells of events that may be missing.
    pub fn only_tells_loss(&self, seq: Sequence, filter: &Filter) -> bool {
        let may = filter.may_tell_loss(self.json_bytes(seq));
        may && !filter.shows(&self.subject(seq, &self.source(seq), &self.event(seq)))
    }

    /// The records of this block in `from..=to` that pass a filter, rising.
    pub fn matching(&self, from: Sequence, to: Sequence, filter: &Filter) -> Vec<Sequence> {
        let Some(texts) = filter.rarest_texts() else {
            return (from..=to).filter(|seq| self.matches(*seq, filter)).collect();
        };
        // Through the whole block at once: most of it is skipped at the speed of memory.
        let mut found: Vec<Sequence> = texts.iter().flat_map(|text| self.holding(from, to, |bytes| text.find(bytes))).collect();
        // JSON may write any character as an escape.
        found.extend(self.holding(from, to, |bytes| memchr::memchr(b'\\', bytes)));
        found.sort_unstable();
        found.dedup();
        found.retain(|seq| self.matches(*seq, filter));
        found
    }

    /// The records in `from..=to` in whose frame `find` finds something.
    fn holding(&self, from: Sequence, to: Sequence, find: impl Fn(&[u8]) -> Option<usize>) -> Vec<Sequence> {
        let (Some(start), Some(end)) = (self.sse_frame(from), self.sse_frame(to)) else { return Vec::new() };
        let (mut at, end, mut found) = (start.start, end.end, Vec::new());
        while let Some(hit) = self.frames.get(at..end).and_then(&find) {
            let index = self.starts.partition_point(|start| *start as usize <= at + hit);
            found.push(self.first + index as Sequence - 1);
            at = self.starts.get(index).map_or(end, |start| *start as usize);
        }
        found
    }
}

/// A rising number as text: quicker than writing each one again.
struct Number {
    digits: [u8; 20],
    from: usize,
}

impl Number {
    fn new(value: Sequence) -> Self {
        let text = value.to_string();
        let mut digits = [b'0'; 20];
        let from = digits.len() - text.len();
        digits.iter_mut().skip(from).zip(text.bytes()).for_each(|(to, digit)| *to = digit);
        Self { digits, from }
    }

    fn text(&self) -> &[u8] {
        self.digits.get(self.from..).unwrap_or_default()
    }

    fn increment(&mut self) {
        for at in (0..self.digits.len()).rev() {
            if let Some(digit) = self.digits.get_mut(at) {
                if *digit < b'9' {
                    *digit += 1;
                    self.from = self.from.min(at);
                    return;
                }
                *digit = b'0';
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_rise_as_text() {
        for start in [0, 1, 8, 98, 999_999_998] {
            let mut number = Number::new(start);
            for value in start..start + 105 {
                assert_eq!(number.text(), value.to_string().as_bytes());
                number.increment();
            }
        }
    }

    #[test]
    fn lines_become_what_was_committed() {
        let log: LogId = "7f3c9a1e-0000-4000-8000-000000000000".parse().unwrap();
        let mut builder = BlockBuilder::new(log, 95, 0);
        let mut lines = String::new();
        for n in 95..=1005 {
            let (json, time) = (format!(r#"{{"n":{n}}}"#), Timestamp::from_nanos(n));
            lines.push_str(builder.push(&RecordParts {
                time,
                received: time,
                source: "a\"b",
                origin: None,
                marks: Marks::default(),
                json: &json,
            }));
            lines.push('\n');
        }
        let (built, read) = (builder.finish(), Block::from_lines(95, lines.as_bytes()).unwrap());
        assert_eq!((built.sse_frames(1, 9999), built.sequences()), (read.sse_frames(1, 9999), read.sequences()));
        assert_eq!((read.source(100), read.json(100), read.time(100).nanos()), ("a\"b".into(), r#"{"n":100}"#, 100));
        assert_eq!(read.event(100), EventView::default());
        assert!(Block::from_lines(96, lines.as_bytes()).is_err());
        assert!(Block::from_lines(95, &lines.as_bytes()[..lines.len() - 1]).is_err());
        assert!(Block::from_lines(95, b"").is_err());
    }
}
