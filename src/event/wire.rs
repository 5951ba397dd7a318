//! The wire form of a record (docs/records.md): one line of JSON around the message.

use super::origin::{BEFORE_ID, BEFORE_RECEIVED, BEFORE_SOURCE, END};
use super::{AtHost, Event, EventView, Marks, OriginParts, RECORDER_TYPE, quote};
use crate::cursor::{LogId, Sequence};
use crate::time::Timestamp;
use std::borrow::Cow;
use std::fmt::Write as _;
use std::sync::Arc;

/// An event with its place in a log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    /// Place in the log.
    pub seq: Sequence,
    /// The event's own time; the time of receipt where the event has none.
    pub time: Timestamp,
    /// When the recorder received it; never falls from one record to the next.
    pub received: Timestamp,
    /// Name of the Docker host.
    pub source: Arc<str>,
    /// The message.
    pub event: Event,
}

/// A record whose message is taken apart, once for all that look at it.
#[derive(Debug)]
pub struct RecordView<'a> {
    /// As of [`Record`].
    pub seq: Sequence,
    /// As of [`Record`].
    pub time: Timestamp,
    /// As of [`Record`].
    pub received: Timestamp,
    /// As of [`Record`].
    pub source: Cow<'a, str>,
    /// Of a record of a fleet: what it says in the log of its host.
    pub at_host: Option<AtHost<'a>>,
    /// What is known of the message besides its text.
    pub marks: Marks,
    /// The fields of the message.
    pub event: EventView<'a>,
}

impl RecordView<'_> {
    /// Whether it is a message of this recorder's own, and not one that a daemon sent.
    pub fn is_own(&self) -> bool {
        !self.marks.foreign && self.event.kind.as_deref() == Some(RECORDER_TYPE)
    }
}

impl Record {
    /// The same with its message taken apart. A record that is read so is never one of a fleet.
    pub fn view(&self) -> RecordView<'_> {
        let Self { seq, time, received, ref source, ref event } = *self;
        RecordView { seq, time, received, source: Cow::Borrowed(source), at_host: None, marks: event.marks(), event: event.view() }
    }

    /// The record as every route shows it (docs/records.md): one line of JSON, without the line end.
    pub fn to_line(&self, log: LogId) -> String {
        let mut line = String::with_capacity(self.event.as_json().len() + 192);
        let (marks, json) = (self.event.marks(), self.event.as_json());
        let parts = RecordParts { time: self.time, received: self.received, source: &self.source, origin: None, marks, json };
        LineWriter::default().write(&mut line, &log.cursor(self.seq).to_string(), self.seq, &parts);
        line
    }
}

/// Appends the wire form of a record without marks to `out`, from its parts.
pub fn write_line(out: &mut String, log: LogId, seq: Sequence, time: Timestamp, received: Timestamp, source: &str, event_json: &str) {
    let parts = RecordParts { time, received, source, origin: None, marks: Marks::default(), json: event_json };
    LineWriter::default().write(out, &log.cursor(seq).to_string(), seq, &parts);
}

/// A record as it is laid out, without its place in the log.
#[derive(Debug, Clone, Copy)]
pub(crate) struct RecordParts<'a> {
    pub(crate) time: Timestamp,
    pub(crate) received: Timestamp,
    pub(crate) source: &'a str,
    /// Of a record of a fleet.
    pub(crate) origin: Option<OriginParts<'a>>,
    pub(crate) marks: Marks,
    /// The message.
    pub(crate) json: &'a str,
}

/// Writes the wire form of record after record. What neighbours have in common is made into text once.
#[derive(Debug)]
pub(crate) struct LineWriter {
    source: String,
    quoted: String,
    /// Of the own time, of the time of receipt and of that of an origin: the second, and its text up to the
    /// decimals.
    seconds: [(i64, String); 3],
}

impl Default for LineWriter {
    fn default() -> Self {
        Self { source: String::new(), quoted: quote(""), seconds: [const { (i64::MAX, String::new()) }; 3] }
    }
}

impl LineWriter {
    /// Appends a line. `cursor` is the text of the record's cursor.
    pub(crate) fn write(&mut self, out: &mut String, cursor: &str, seq: Sequence, record: &RecordParts<'_>) {
        if self.source != record.source {
            record.source.clone_into(&mut self.source);
            self.quoted = quote(record.source);
        }
        out.push_str(r#"{"id":""#);
        out.push_str(cursor);
        let _ = write!(out, r#"","seq":{seq},"time":""#);
        self.write_time(out, 0, record.time);
        out.push_str(r#"","received":""#);
        self.write_time(out, 1, record.received);
        out.push_str(r#"","source":"#);
        out.push_str(&self.quoted);
        if let Some(origin) = record.origin {
            self.write_origin(out, origin);
        }
        record.marks.write(out);
        out.push_str(r#","event":"#);
        out.push_str(record.json);
        out.push('}');
    }

    fn write_origin(&mut self, out: &mut String, OriginParts { id, received, source }: OriginParts<'_>) {
        let _ = write!(out, "{BEFORE_ID}{id}{BEFORE_RECEIVED}");
        self.write_time(out, 2, received);
        match source {
            Some(source) => {
                let _ = write!(out, "{BEFORE_SOURCE}{}}}", quote(source));
            }
            None => out.push_str(END),
        }
    }

    /// As [`Timestamp`] prints itself.
    fn write_time(&mut self, out: &mut String, which: usize, time: Timestamp) {
        let (second, decimals) = (time.nanos().div_euclid(NANOS), time.nanos().rem_euclid(NANOS));
        let Some((known, text)) = self.seconds.get_mut(which) else { return };
        if *known != second {
            // Nine decimals and the Z go.
            *text = time.to_string();
            text.truncate(text.len() - 10);
            *known = second;
        }
        let _ = write!(out, "{text}{decimals:09}Z");
    }
}

const NANOS: i64 = 1_000_000_000;

#[cfg(test)]
mod tests {
    use super::super::Noise;
    use super::*;

    #[test]
    fn lines_are_the_same_whatever_stood_before() {
        let log = LogId::random();
        let mut writer = LineWriter::default();
        for (seq, nanos) in (9..).zip([0, -1, 1, 1_795_344_577_148_160_810, 1_795_344_577_000_000_000, i64::MAX, i64::MIN, -1_000_000_000])
        {
            let marked = Marks { noise: Some(Noise::HealthCheck), cut: Some(2_000_000), foreign: true };
            for (source, marks) in [("a", Marks::default()), ("b\"c", Marks::default()), ("b\"c", marked), ("a", Marks::default())] {
                let (time, received) = (Timestamp::from_nanos(nanos), Timestamp::from_nanos(nanos ^ 0x55));
                let mut line = String::new();
                let parts = RecordParts { time, received, source, origin: None, marks, json: "{}" };
                writer.write(&mut line, &log.cursor(seq).to_string(), seq, &parts);
                let marks = if marks == marked { r#","noise":"healthcheck","cut":{"bytes":2000000},"foreign":true"# } else { "" };
                let source = quote(source);
                let cursor = log.cursor(seq);
                let plain = format!(
                    r#"{{"id":"{cursor}","seq":{seq},"time":"{time}","received":"{received}","source":{source}{marks},"event":{{}}}}"#
                );
                assert_eq!(line, plain);
            }
        }
    }
}
