//! Origin: which record of which host a record of a fleet is. It stands after the source in a fleet's line
//! (docs/records.md), and with it the host's own line can be restored.

use super::quote;
use crate::cursor::Cursor;
use crate::time::Timestamp;
use serde::Deserialize;
use std::borrow::Cow;
use std::sync::Arc;

/// A name as JSON text, which is copied only where it holds escapes.
#[derive(Deserialize)]
struct HostSource<'a>(#[serde(borrow)] Cow<'a, str>);

/// Where a record of a fleet comes from, and what the fleet's line says otherwise than the host's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Origin {
    /// The record's id in the log of its host.
    pub id: Cursor,
    /// The own time, as the host's line and the fleet's tell it.
    pub time: Timestamp,
    /// When the host's recorder received it.
    pub received: Timestamp,
    /// The host's own name of the Docker host, where the fleet's line has another.
    pub source: Option<Arc<str>>,
}

impl Origin {
    pub(crate) fn parts(&self) -> OriginParts<'_> {
        OriginParts { id: self.id, received: self.received, source: self.source.as_deref() }
    }
}

/// What a line tells of an origin beside the own time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct OriginParts<'a> {
    pub(crate) id: Cursor,
    pub(crate) received: Timestamp,
    pub(crate) source: Option<&'a str>,
}

/// What a record of a fleet says in the log of its host, as far as conclusions rest on it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AtHost<'a> {
    /// When the host's recorder received it: the clock of that host.
    pub received: Timestamp,
    /// The host's own name of the Docker host, where the fleet has another.
    pub source: Option<Cow<'a, str>>,
}

/// An origin as it stands in a line, not looked at more closely.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct OriginText<'a> {
    id: &'a [u8],
    /// The time of receipt.
    pub(crate) received: &'a [u8],
    /// The source as a JSON string.
    pub(crate) source: Option<&'a [u8]>,
}

pub(super) const BEFORE_ID: &str = r#","origin":{"id":""#;
pub(super) const BEFORE_RECEIVED: &str = r#"","received":""#;
pub(super) const BEFORE_SOURCE: &str = r#"","source":"#;
/// After the time of receipt, where there is no source.
pub(super) const END: &str = r#""}"#;

impl<'a> OriginText<'a> {
    /// The origin with which `text` begins, and how many bytes it takes.
    pub(crate) fn read(text: &'a [u8]) -> Option<(Self, usize)> {
        let rest = text.strip_prefix(BEFORE_ID.as_bytes())?;
        let (id, rest) = rest.split_at_checked(memchr::memchr(b'"', rest)?)?;
        let rest = rest.strip_prefix(BEFORE_RECEIVED.as_bytes())?;
        let (received, rest) = rest.split_at_checked(Timestamp::TEXT_BYTES)?;
        let (source, rest) = match rest.strip_prefix(BEFORE_SOURCE.as_bytes()) {
            Some(rest) => {
                let (source, rest) = rest.split_at_checked(string_bytes(rest)?)?;
                (Some(source), rest.strip_prefix(b"}")?)
            }
            None => (None, rest.strip_prefix(END.as_bytes())?),
        };
        Some((Self { id, received, source }, text.len() - rest.len()))
    }

    /// What the record says in the log of its host.
    pub(crate) fn at_host(self) -> Option<AtHost<'a>> {
        let source = self.source.map(serde_json::from_slice::<HostSource<'a>>).transpose().ok()?;
        Some(AtHost { received: Timestamp::from_text(self.received)?, source: source.map(|source| source.0) })
    }

    /// The origin of a line that tells `time` as its own time. Nothing where shipslog would have written it
    /// in another way.
    pub(crate) fn origin(self, time: Timestamp) -> Option<Origin> {
        let id = std::str::from_utf8(self.id).ok()?.parse().ok()?;
        let source = match self.source {
            Some(text) => {
                let plain: String = serde_json::from_slice(text).ok()?;
                (quote(&plain).as_bytes() == text).then_some(())?;
                Some(plain.into())
            }
            None => None,
        };
        Some(Origin { id, time, received: Timestamp::from_text(self.received)?, source })
    }
}

/// Bytes of the JSON string with which `text` begins, with its quotes.
pub(crate) fn string_bytes(text: &[u8]) -> Option<usize> {
    let mut from = text.starts_with(b"\"").then_some(1)?;
    while let Some(at) = memchr::memchr2(b'"', b'\\', text.get(from..).unwrap_or_default()) {
        if text.get(from + at) == Some(&b'"') {
            return Some(from + at + 1);
        }
        from += at + 2;
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::{LineWriter, Marks, RecordParts};
    use proptest::prelude::*;

    fn read(text: &[u8]) -> Option<Origin> {
        OriginText::read(text).and_then(|(origin, _)| origin.origin(Timestamp::MIN))
    }

    proptest! {
        #[test]
        fn is_read_as_it_is_written(log in any::<u32>(), seq in any::<u64>(), received in any::<i64>(), time in any::<i64>(), source in proptest::option::of(".{0,8}")) {
            let origin = Origin {
                id: Cursor { log, seq },
                time: Timestamp::from_nanos(time),
                received: Timestamp::from_nanos(received),
                source: source.map(Into::into),
            };
            let json = r#"{"origin":{"id":"7f3c9a1e-1"}}"#;
            let parts = RecordParts { time: origin.time, received: origin.time, source: "", origin: Some(origin.parts()), marks: Marks::default(), json };
            let mut text = String::new();
            LineWriter::default().write(&mut text, "", 1, &parts);
            let from = text.find(BEFORE_ID).unwrap();
            let (read, taken) = OriginText::read(text.get(from..).unwrap().as_bytes()).unwrap();
            prop_assert_eq!(text.get(from + taken..), Some(r#","event":{"origin":{"id":"7f3c9a1e-1"}}}"#));
            prop_assert_eq!(read.origin(origin.time), Some(origin));
        }

        #[test]
        fn garbage_never_panics(text in ".{0,80}") {
            let text = format!("{BEFORE_ID}{text}");
            prop_assert!(read(text.as_bytes()).is_none());
        }
    }

    #[test]
    fn nothing_else_is_taken_for_one() {
        let good = r#","origin":{"id":"7f3c9a1e-1842","received":"2026-11-22T10:49:37.148160810Z","source":"db"}"#;
        assert!(read(good.as_bytes()).is_some());
        for (from, to) in [
            ("7f3c9a1e-1842", "7f3c9a1e-01842"),
            ("7f3c9a1e", "7F3C9A1E"),
            ("160810Z", "160810z"),
            ("-11-22", "-13-22"),
            (r#""db""#, r#""\u0064b""#),
            (r#""db""#, "7"),
            (r#""db"}"#, r#""db","more":1}"#),
            (r#""id""#, r#" "id""#),
            (r#","received""#, r#","Received""#),
        ] {
            assert_eq!(read(good.replacen(from, to, 1).as_bytes()), None, "{to}");
        }
        for end in 0..good.len() {
            assert_eq!(read(good.as_bytes().get(..end).unwrap()), None, "{end}");
        }
    }
}
