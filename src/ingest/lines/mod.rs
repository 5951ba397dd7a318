//! Events out of a stream of bytes, whatever the chunks and the lines look like, in bounded memory. No socket
//! is read here, and no event is judged: one that cannot be read is passed on as malformed.
//!
//! Docker ends each event with a line feed, but there are daemons and proxies that send carriage returns,
//! record separators (RFC 7464), line ends in front, or nothing at all between one event and the next. So an
//! event ends with its last brace, and is given on at once. After something that is not JSON, reading
//! continues at the next line end.

mod condense;
mod scan;
#[cfg(test)]
mod tests;

use crate::event::{Event, EventError, Marks};
use condense::Condenser;
use memchr::{memchr, memchr3};
use scan::{Found, ObjectScan, is_line_end};

/// A longer event is cut, and reported as [`Line::TooLong`].
pub const MAX_LINE_BYTES: usize = crate::event::MAX_EVENT_BYTES;
/// A sample shows at most this many characters.
pub const SAMPLE_CHARS: usize = 200;
/// Enough bytes for [`SAMPLE_CHARS`] characters of UTF-8.
const SAMPLE_BYTES: usize = SAMPLE_CHARS * 4;
/// A buffer that one long line has grown beyond this is given back after it, in bytes.
const KEEP_CAPACITY_BYTES: usize = 64 << 10;
/// Record separator, in front of each text of a JSON text sequence (RFC 7464).
const RECORD_SEPARATOR: u8 = 0x1e;

/// What was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Line<'a> {
    /// An event.
    Event(Event),
    /// What is not an event; never blank.
    Malformed {
        /// All of it.
        line: &'a [u8],
        /// Why it is not an event.
        error: EventError,
    },
    /// Longer than the limit.
    TooLong {
        /// Its full length.
        bytes: u64,
        /// How it begins.
        start: &'a [u8],
        /// CRC-32 of all of it.
        checksum: u32,
        /// What could be kept, marked as cut, if it is an event.
        cut: Option<Event>,
    },
}

/// Cuts chunks into events. Holds at most one unfinished event of at most the limit, or what is kept of a
/// longer one.
#[derive(Debug)]
pub struct LineSplitter {
    max_bytes: usize,
    state: State,
    /// Nothing but blanks came since the last line end.
    at_line_start: bool,
    /// What of the unfinished event is kept: all of it, or how it begins once it is too long.
    partial: Vec<u8>,
    too_long: Option<TooLong>,
}

#[derive(Debug, Default)]
enum State {
    #[default]
    Between,
    Object(ObjectScan),
    /// No JSON, up to the end of the line.
    Garbage,
}

/// Of what is longer than the limit.
#[derive(Debug)]
struct TooLong {
    bytes: u64,
    checksum: crc32fast::Hasher,
    condenser: Condenser,
}

impl Default for LineSplitter {
    fn default() -> Self {
        Self::with_limit(MAX_LINE_BYTES)
    }
}

impl LineSplitter {
    /// With another limit than [`MAX_LINE_BYTES`].
    pub fn with_limit(max_bytes: usize) -> Self {
        Self { max_bytes, state: State::Between, at_line_start: true, partial: Vec::new(), too_long: None }
    }

    /// Takes a chunk of any size and hands everything that it completes to `sink`.
    pub fn push(&mut self, mut chunk: &[u8], mut sink: impl FnMut(Line<'_>)) {
        while !chunk.is_empty() {
            chunk = match &mut self.state {
                State::Between => self.begin(chunk, &mut sink),
                State::Object(scan) => {
                    let found = scan.push(chunk);
                    self.follow(found, chunk, &mut sink)
                }
                State::Garbage => match memchr3(b'\n', b'\r', RECORD_SEPARATOR, chunk) {
                    Some(end) => self.break_off(chunk, end, &mut sink),
                    None => self.keep_all(chunk),
                },
            };
        }
    }

    /// Ends what is under way, if anything: the stream is over.
    pub fn finish(&mut self, mut sink: impl FnMut(Line<'_>)) {
        if !matches!(self.state, State::Between) {
            self.break_off(&[], 0, &mut sink);
        }
        self.at_line_start = true;
    }

    /// Between two events. Gives what of the chunk comes after what was taken.
    fn begin<'a>(&mut self, chunk: &'a [u8], sink: &mut impl FnMut(Line<'_>)) -> &'a [u8] {
        let blanks = chunk.iter().take_while(|byte| is_blank(**byte)).count();
        let (blank, chunk) = chunk.split_at(blanks);
        self.at_line_start |= blank.iter().any(|byte| is_line_end(*byte));
        let Some(first) = chunk.first() else { return chunk };
        if *first != b'{' {
            self.state = State::Garbage;
            return chunk;
        }
        // What Docker sends: the line is one event. Where it is not, the rest of the line is not tried again.
        if std::mem::take(&mut self.at_line_start)
            && let Some(end) = memchr(b'\n', chunk)
            && let Some(line) = chunk.get(..end).map(<[u8]>::trim_ascii_end).filter(|line| line.len() <= self.max_bytes)
            && line.last() == Some(&b'}')
            && let Ok(event) = Event::from_daemon(line)
        {
            sink(Line::Event(event));
            return chunk.get(end..).unwrap_or_default();
        }
        self.state = State::Object(ObjectScan::default());
        chunk
    }

    fn follow<'a>(&mut self, found: Found, chunk: &'a [u8], sink: &mut impl FnMut(Line<'_>)) -> &'a [u8] {
        match found {
            Found::More => self.keep_all(chunk),
            Found::End(end) => {
                let (piece, rest) = chunk.split_at_checked(end).unwrap_or((chunk, &[]));
                self.complete(piece, sink);
                rest
            }
            Found::Nested { start, end } => {
                let (piece, rest) = chunk.split_at_checked(end).unwrap_or((chunk, &[]));
                self.keep(piece);
                self.complete_nested(start, sink);
                rest
            }
            Found::BrokenBefore(end) => self.break_off(chunk, end, sink),
            Found::Broken(end) => {
                let (piece, rest) = chunk.split_at_checked(end).unwrap_or((chunk, &[]));
                self.keep(piece);
                self.state = State::Garbage;
                rest
            }
        }
    }

    /// The object under way ends with `piece`.
    fn complete(&mut self, piece: &[u8], sink: &mut impl FnMut(Line<'_>)) {
        let whole = self.partial.is_empty() && self.too_long.is_none() && piece.len() <= self.max_bytes;
        if !whole {
            self.keep(piece);
        }
        match self.too_long.take() {
            Some(TooLong { bytes, checksum, condenser }) => {
                let cut = cut_event(condenser, bytes);
                sink(Line::TooLong { bytes, start: &self.partial, checksum: checksum.finalize(), cut });
            }
            None => tell(if whole { piece } else { &self.partial }, sink),
        }
        self.reset();
    }

    /// Something in the object under way, which came from byte `start` of it up to now, is the next event if
    /// it looks like one: then what came before it was broken off.
    fn complete_nested(&mut self, start: usize, sink: &mut impl FnMut(Line<'_>)) {
        if self.too_long.is_some() {
            return;
        }
        let Some((before, inner)) = self.partial.split_at_checked(start) else { return };
        if let Ok(event) = Event::from_daemon(inner)
            && looks_like_an_event(&event)
        {
            tell_lines(before, sink);
            sink(Line::Event(event));
            self.reset();
        }
    }

    /// What is under way was no JSON up to byte `end` of the chunk; reading continues from there.
    fn break_off<'a>(&mut self, chunk: &'a [u8], end: usize, sink: &mut impl FnMut(Line<'_>)) -> &'a [u8] {
        let (piece, rest) = chunk.split_at_checked(end).unwrap_or((chunk, &[]));
        if self.partial.is_empty() && self.too_long.is_none() && piece.len() <= self.max_bytes {
            tell_lines(piece, sink);
        } else {
            self.keep(piece);
            match self.too_long.take() {
                Some(TooLong { bytes, checksum, .. }) => {
                    sink(Line::TooLong { bytes, start: &self.partial, checksum: checksum.finalize(), cut: None });
                }
                None => tell_lines(&self.partial, sink),
            }
        }
        self.reset();
        self.at_line_start = true;
        rest
    }

    fn reset(&mut self) {
        self.state = State::Between;
        self.partial.clear();
        self.partial.shrink_to(KEEP_CAPACITY_BYTES);
    }

    fn keep_all<'a>(&mut self, chunk: &'a [u8]) -> &'a [u8] {
        self.keep(chunk);
        chunk.get(chunk.len()..).unwrap_or_default()
    }

    fn keep(&mut self, bytes: &[u8]) {
        if self.too_long.is_none() {
            if self.partial.len() + bytes.len() <= self.max_bytes {
                self.partial.extend_from_slice(bytes);
                return;
            }
            let mut long = TooLong { bytes: 0, checksum: crc32fast::Hasher::new(), condenser: Condenser::new() };
            long.push(&self.partial);
            self.too_long = Some(long);
            self.partial.truncate(SAMPLE_BYTES);
        }
        let room = SAMPLE_BYTES.saturating_sub(self.partial.len());
        self.partial.extend_from_slice(bytes.get(..room).unwrap_or(bytes));
        if let Some(long) = &mut self.too_long {
            long.push(bytes);
        }
    }
}

impl TooLong {
    fn push(&mut self, bytes: &[u8]) {
        self.bytes += bytes.len() as u64;
        self.checksum.update(bytes);
        self.condenser.push(bytes);
    }
}

/// What may stand between two events.
fn is_blank(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t') || is_line_end(byte)
}

/// A daemon's messages have both, and nothing inside of one has.
fn looks_like_an_event(event: &Event) -> bool {
    let view = event.view();
    view.kind.is_some() && view.action.is_some()
}

fn tell(line: &[u8], sink: &mut impl FnMut(Line<'_>)) {
    sink(match Event::from_daemon(line) {
        Ok(event) => Line::Event(event),
        Err(error) => Line::Malformed { line, error },
    });
}

/// Tells something that is no JSON line by line: one of the lines may be an event all the same.
fn tell_lines(text: &[u8], sink: &mut impl FnMut(Line<'_>)) {
    let lines = text.split(|byte| is_line_end(*byte)).map(<[u8]>::trim_ascii);
    lines.filter(|line| !line.is_empty()).for_each(|line| tell(line, sink));
}

/// What is kept of an event that is too long, if it can be told what it is.
fn cut_event(condenser: Condenser, bytes: u64) -> Option<Event> {
    let json = condenser.finish()?;
    let event = Event::from_daemon(json.as_bytes()).ok().filter(looks_like_an_event)?;
    let marks = Marks { cut: Some(bytes), ..event.marks() };
    Some(event.with_marks(marks))
}

/// How a line begins, fit for a log: at most [`SAMPLE_CHARS`] characters, of which those that are not
/// printable are escaped.
pub fn sample(line: &[u8]) -> String {
    let start = line.get(..SAMPLE_BYTES).unwrap_or(line);
    String::from_utf8_lossy(start).chars().flat_map(char::escape_debug).take(SAMPLE_CHARS).collect()
}
