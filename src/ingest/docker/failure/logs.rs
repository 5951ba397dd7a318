//! What a container printed last, from `GET /containers/{id}/logs`, of which only the end is kept.

use super::watch::Failure;
use crate::event::{Event, LAST_WORDS};
use crate::ingest::docker::ask::Extent;
use crate::ingest::docker::engine::Engine;
use crate::time::Timestamp;
use std::collections::VecDeque;
use std::fmt::Write as _;
use std::time::Duration;
use tokio::time::timeout;

/// Bytes of output that are kept of one death.
const MAX_KEPT_BYTES: usize = 16 << 10;
/// Bytes that are kept of a line.
const MAX_LINE_BYTES: usize = 4 << 10;
/// For all of it.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(2);
/// What stands before each piece of output of a container without a terminal: the stream, three zeros and
/// the length (Engine API, "Attach to a container").
const HEADER_BYTES: usize = 8;
/// The largest number of a stream: input, output, errors, and the daemon's own words.
const MAX_STREAM: u8 = 3;

/// The record of what it printed last, or of why that cannot be told (docs/records.md, "Last words").
pub(super) async fn last_words(engine: &Engine, failure: &Failure, lines: u32) -> Event {
    let asked = Timestamp::now();
    let (mut pieces, mut end) = (Pieces::default(), LastLines::default());
    let mut sink = |bytes: &[u8]| pieces.push(bytes, &mut |line, bytes| end.line(line, bytes));
    let why = match timeout(ANSWER_TIMEOUT, engine.logs(&failure.id, lines, &mut sink)).await {
        Ok(Ok(Extent::Whole)) => None,
        Ok(Ok(Extent::Cut)) => Some("there is more of it than is read".to_owned()),
        Ok(Err(error)) if error.is_not_found() => Some("it was removed before it could be asked".to_owned()),
        Ok(Err(error)) => Some(error.to_string()),
        Err(_) => Some(format!("the daemon took longer than {} s", ANSWER_TIMEOUT.as_secs())),
    };
    pieces.finish(&mut |line, bytes| end.line(line, bytes));
    end.record(failure, why.as_deref(), asked)
}

/// The last lines, within a bound.
#[derive(Debug, Default)]
struct LastLines {
    lines: VecDeque<String>,
    /// Of all of them.
    bytes: usize,
    /// Earlier ones, which did not fit.
    left_out: u64,
}

impl LastLines {
    /// `line`: how it begins; `bytes`: how long it is.
    fn line(&mut self, line: &[u8], bytes: usize) {
        let mut text = String::from_utf8_lossy(line.strip_suffix(b"\r").unwrap_or(line)).into_owned();
        if bytes > line.len() {
            let _ = write!(text, "…[cut, {bytes} bytes]");
        }
        self.bytes += text.len() + 1;
        self.lines.push_back(text);
        while self.bytes > MAX_KEPT_BYTES
            && let Some(first) = self.lines.pop_front()
        {
            self.bytes -= first.len() + 1;
            self.left_out += 1;
        }
    }

    fn record(self, failure: &Failure, why: Option<&str>, asked: Timestamp) -> Event {
        let text = Vec::from(self.lines);
        let (count, left_out) = (text.len().to_string(), self.left_out.to_string());
        let text = text.join("\n");
        let died = failure.time.map(|time| time.to_string());
        let own = [
            ("kind", Some("container")),
            ("died", died.as_deref()),
            ("lines", Some(count.as_str())),
            ("left_out", (self.left_out > 0).then_some(left_out.as_str())),
            ("why", why),
            ("text", Some(text.as_str())),
        ];
        // A label must not pass for one of these.
        let of_event = failure.attributes.iter().filter(|(key, _)| own.iter().all(|(name, _)| name != key));
        let mut attributes: Vec<(&str, &str)> = of_event.map(|(key, value)| (key.as_str(), value.as_str())).collect();
        attributes.extend(own.iter().filter_map(|(key, value)| Some((*key, (*value)?))));
        Event::recorder(LAST_WORDS, &failure.id, &attributes, asked)
    }
}

/// Lines of an answer that may be cut anywhere. Output and errors have lines of their own, which come in the
/// order of their ends.
#[derive(Debug, Default)]
struct Pieces {
    /// Whether there are headers; `None` before the first byte. A container with a terminal has none, and
    /// its output begins with a time.
    framed: Option<bool>,
    header: Vec<u8>,
    /// Bytes of the piece that are still to come.
    left: usize,
    stream: usize,
    lines: [Line; MAX_STREAM as usize + 1],
}

/// A line that was begun.
#[derive(Debug, Default)]
struct Line {
    kept: Vec<u8>,
    bytes: usize,
}

impl Pieces {
    fn push(&mut self, mut bytes: &[u8], sink: &mut impl FnMut(&[u8], usize)) {
        let Some(first) = bytes.first() else { return };
        if !*self.framed.get_or_insert(*first <= MAX_STREAM) {
            return self.text(bytes, sink);
        }
        while !bytes.is_empty() {
            if self.left == 0 {
                let (head, rest) = bytes.split_at(bytes.len().min(HEADER_BYTES - self.header.len()));
                self.header.extend_from_slice(head);
                bytes = rest;
                if let [stream, _, _, _, a, b, c, d] = *self.header {
                    (self.stream, self.left) = (usize::from(stream.min(MAX_STREAM)), u32::from_be_bytes([a, b, c, d]) as usize);
                    self.header.clear();
                }
                continue;
            }
            let (text, rest) = bytes.split_at(bytes.len().min(self.left));
            self.left -= text.len();
            bytes = rest;
            self.text(text, sink);
        }
    }

    fn text(&mut self, text: &[u8], sink: &mut impl FnMut(&[u8], usize)) {
        let Some(line) = self.lines.get_mut(self.stream) else { return };
        for part in text.split_inclusive(|byte| *byte == b'\n') {
            let (part, ends) = part.strip_suffix(b"\n").map_or((part, false), |part| (part, true));
            line.take(part);
            if ends {
                line.end(sink);
            }
        }
    }

    /// The rest: a last line without its end is a line.
    fn finish(&mut self, sink: &mut impl FnMut(&[u8], usize)) {
        self.lines.iter_mut().filter(|line| line.bytes > 0).for_each(|line| line.end(sink));
    }
}

impl Line {
    fn take(&mut self, part: &[u8]) {
        let room = MAX_LINE_BYTES.saturating_sub(self.kept.len());
        self.kept.extend_from_slice(part.get(..room.min(part.len())).unwrap_or_default());
        self.bytes += part.len();
    }

    fn end(&mut self, sink: &mut impl FnMut(&[u8], usize)) {
        sink(&self.kept, self.bytes);
        self.kept.clear();
        self.bytes = 0;
    }
}

#[cfg(test)]
mod tests;
