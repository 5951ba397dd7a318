//! Finding the parts of a record's line (docs/records.md, "A record") again, as
//! [`write_line`](crate::event::write_line) laid them out.

use crate::cursor::Sequence;
use crate::event::{AtHost, Event, Marks, Origin, OriginText, string_bytes};
use crate::log::LogError;
use crate::time::Timestamp;
use std::borrow::Cow;
use std::ops::Range;

pub(super) const BEFORE_CURSOR: &str = r#"{"id":""#;
/// A cursor without its sequence: 8 hex digits and `-`.
pub(super) const LOG_BYTES: usize = 9;
/// Where the sequence stands in the cursor with which a line begins.
pub(in crate::log) const SEQUENCE_AT: usize = BEFORE_CURSOR.len() + LOG_BYTES;
const BEFORE_SEQ: &str = r#"","seq":"#;
const BEFORE_TIME: &str = r#","time":""#;
const BEFORE_RECEIVED: &str = r#"","received":""#;
const BEFORE_SOURCE: &str = r#"","source":"#;
const BEFORE_EVENT: &str = r#","event":"#;

/// Where the time stands in a line whose sequence has `digits` digits.
const fn time_at(digits: usize) -> usize {
    BEFORE_CURSOR.len() + LOG_BYTES + digits + BEFORE_SEQ.len() + digits + BEFORE_TIME.len()
}

const fn received_at(digits: usize) -> usize {
    time_at(digits) + Timestamp::TEXT_BYTES + BEFORE_RECEIVED.len()
}

const fn source_at(digits: usize) -> usize {
    received_at(digits) + Timestamp::TEXT_BYTES + BEFORE_SOURCE.len()
}

/// Decimal digits of a sequence.
pub(in crate::log) const fn digits(seq: Sequence) -> usize {
    match seq.checked_ilog10() {
        Some(log) => log as usize + 1,
        None => 1,
    }
}

/// A line of JSON, and how many digits its sequence has.
#[derive(Debug, Clone, Copy)]
pub(in crate::log) struct Line<'a> {
    pub(in crate::log) bytes: &'a [u8],
    pub(in crate::log) digits: usize,
}

impl<'a> Line<'a> {
    pub(in crate::log) fn of(bytes: &'a [u8], seq: Sequence) -> Self {
        Self { bytes, digits: digits(seq) }
    }

    /// Its cursor as text.
    pub(in crate::log) fn cursor(self) -> &'a [u8] {
        let from = BEFORE_CURSOR.len();
        self.bytes.get(from..from + LOG_BYTES + self.digits).unwrap_or_default()
    }

    fn time_text(self, at: usize) -> Timestamp {
        self.bytes.get(at..at + Timestamp::TEXT_BYTES).and_then(Timestamp::from_text).unwrap_or_default()
    }

    /// The event's own time.
    pub(in crate::log) fn time(self) -> Timestamp {
        self.time_text(time_at(self.digits))
    }

    /// When the recorder received it.
    pub(in crate::log) fn received(self) -> Timestamp {
        self.time_text(received_at(self.digits))
    }

    /// Where the source stands, as JSON text with its quotes.
    pub(super) fn source_text(self) -> Range<usize> {
        let start = source_at(self.digits);
        start..start + self.bytes.get(start..).and_then(string_bytes).unwrap_or(0)
    }

    /// Name of the Docker host.
    pub(in crate::log) fn source(self) -> Cow<'a, str> {
        let text = self.bytes.get(self.source_text()).and_then(|b| std::str::from_utf8(b).ok()).unwrap_or_default();
        match text.strip_prefix('"').and_then(|t| t.strip_suffix('"')) {
            Some(plain) if !plain.contains('\\') => plain.into(),
            _ => serde_json::from_str::<String>(text).unwrap_or_default().into(),
        }
    }

    /// The origin that stands after the source in a line of a fleet, and where it ends.
    pub(super) fn origin_and_end(self) -> (Option<OriginText<'a>>, usize) {
        let end = self.source_text().end;
        match self.bytes.get(end..).and_then(OriginText::read) {
            Some((origin, bytes)) => (Some(origin), end + bytes),
            None => (None, end),
        }
    }

    /// Where the record comes from, if it is one of a fleet.
    pub(in crate::log) fn origin(self) -> Option<Origin> {
        self.origin_and_end().0.and_then(|origin| origin.origin(self.time()))
    }

    /// What a record of a fleet says in the log of its host.
    pub(in crate::log) fn at_host(self) -> Option<AtHost<'a>> {
        self.origin_and_end().0.and_then(OriginText::at_host)
    }

    /// The marks that may stand after source and origin, and where they end.
    fn marks_and_end(self) -> (Marks, usize) {
        let end = self.origin_and_end().1;
        let (marks, bytes) = self.bytes.get(end..).map(Marks::read).unwrap_or_default();
        (marks, end + bytes)
    }

    /// The record's marks.
    pub(in crate::log) fn marks(self) -> Marks {
        self.marks_and_end().0
    }

    /// Whether it is a `start` of the recorder, at which the time of receipt may fall. In a fleet's log it
    /// never does: there the hub tells it. Looks through the message.
    pub(in crate::log) fn is_start(self) -> bool {
        if self.origin_and_end().0.is_some() {
            return false;
        }
        let event = self.bytes.get(self.json()).and_then(|json| Event::from_line(json).ok());
        event.is_some_and(|event| is_start(&event.with_marks(self.marks())))
    }

    /// Where the message stands.
    pub(in crate::log) fn json(self) -> Range<usize> {
        self.marks_and_end().1 + BEFORE_EVENT.len()..self.bytes.len().saturating_sub(1)
    }

    /// Looks at everything that the other methods rely on. For lines that come from outside this log.
    pub(in crate::log) fn check(self, seq: Sequence) -> Result<(), LogError> {
        let is = |at: usize, text: &str| self.bytes.get(at..at + text.len()) == Some(text.as_bytes());
        let source = self.source_text();
        let json = self.json();
        let fits = is(0, BEFORE_CURSOR)
            && self.cursor().ends_with(format!("-{seq}").as_bytes())
            && is(BEFORE_CURSOR.len() + LOG_BYTES + self.digits, BEFORE_SEQ)
            && is(time_at(self.digits) - BEFORE_TIME.len() - self.digits, &seq.to_string())
            && is(time_at(self.digits) - BEFORE_TIME.len(), BEFORE_TIME)
            && self.bytes.get(time_at(self.digits)..time_at(self.digits) + Timestamp::TEXT_BYTES).and_then(Timestamp::from_text).is_some()
            && is(received_at(self.digits) - BEFORE_RECEIVED.len(), BEFORE_RECEIVED)
            && self
                .bytes
                .get(received_at(self.digits)..received_at(self.digits) + Timestamp::TEXT_BYTES)
                .and_then(Timestamp::from_text)
                .is_some()
            && is(source.start - BEFORE_SOURCE.len(), BEFORE_SOURCE)
            && !source.is_empty()
            && self.origin_and_end().0.is_none_or(|origin| origin.origin(self.time()).is_some())
            && is(self.marks_and_end().1, BEFORE_EVENT)
            && self.bytes.last() == Some(&b'}')
            && self.bytes.get(json).is_some_and(|json| crate::event::Event::from_line(json).is_ok_and(|e| e.as_json().as_bytes() == json));
        if fits {
            Ok(())
        } else {
            Err(LogError::Damaged(format!("a line is not the record {seq} in the form in which shipslog writes it")))
        }
    }
}

/// Whether a message is the recorder's own of a start: at one the time of receipt may fall, since the clock
/// may have been set before it.
pub(in crate::log) fn is_start(event: &Event) -> bool {
    event.is_own() && event.fields().action == "start"
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cursor::LogId;
    use crate::event::{Event, Noise, Record, write_line};
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn finds_what_was_written(seq in any::<u64>(), time in any::<i64>(), received in any::<i64>(), source in ".{0,8}", text in ".{0,8}", marked in any::<bool>(), cut in 0u64..3, foreign in any::<bool>()) {
            let json = serde_json::json!({ "x": text }).to_string();
            let mut out = String::new();
            let (time, received) = (Timestamp::from_nanos(time), Timestamp::from_nanos(received));
            let log = LogId::random();
            let marks = Marks { noise: marked.then_some(Noise::HealthCheck), cut: Some(cut << 20).filter(|_| cut > 0), foreign };
            if marks == Marks::default() {
                write_line(&mut out, log, seq, time, received, &source, &json);
            } else {
                let event = Event::from_line(json.as_bytes()).unwrap().with_marks(marks);
                out = Record { seq, time, received, source: source.as_str().into(), event }.to_line(log);
            }
            let line = Line::of(out.as_bytes(), seq);
            prop_assert_eq!(line.cursor().to_vec(), log.cursor(seq).to_string().into_bytes());
            prop_assert_eq!((line.time(), line.received()), (time, received));
            prop_assert_eq!(line.source(), source);
            prop_assert_eq!(line.marks(), marks);
            prop_assert_eq!(&out[line.json()], json);
            prop_assert!(line.check(seq).is_ok());
            prop_assert!(line.check(seq ^ 1).is_err());
        }

        #[test]
        fn garbage_never_panics(bytes in prop::collection::vec(any::<u8>(), 0..200), seq in any::<u64>()) {
            let line = Line::of(&bytes, seq);
            let _ = (line.cursor(), line.time(), line.received(), line.source(), bytes.get(line.json()));
            prop_assert!(line.check(seq).is_err());
        }
    }
}
