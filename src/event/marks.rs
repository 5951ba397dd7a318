//! Marks: what shipslog says about a message in its record. They stand beside the message and are never part
//! of it.

use super::{Event, Noise};
use std::fmt::Write as _;

/// The marks of one record, in the order in which they stand in its line (docs/records.md). Most records have
/// none.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub struct Marks {
    /// What kind of noise it is.
    pub noise: Option<Noise>,
    /// Bytes that the message had when it came, where only a part of it was kept. Never 0.
    pub cut: Option<u64>,
    /// A daemon's own message of `Type` `recorder`: it is not a record of this recorder's own.
    pub foreign: bool,
}

const BEFORE_NOISE: &str = r#","noise":""#;
const BEFORE_CUT: &str = r#","cut":{"bytes":"#;
const FOREIGN: &str = r#","foreign":true"#;

impl Marks {
    /// Appends them as members of a JSON object that has others before them.
    pub(crate) fn write(self, out: &mut String) {
        if let Some(noise) = self.noise {
            let _ = write!(out, r#"{BEFORE_NOISE}{noise}""#);
        }
        if let Some(bytes) = self.cut {
            let _ = write!(out, "{BEFORE_CUT}{bytes}}}");
        }
        if self.foreign {
            out.push_str(FOREIGN);
        }
    }

    /// The marks with which `text` begins, as [`Self::write`] writes them, and how many bytes they take.
    pub(crate) fn read(text: &[u8]) -> (Self, usize) {
        let (mut marks, mut rest) = (Self::default(), text);
        if let Some((noise, after)) = member(rest, BEFORE_NOISE, b'"').and_then(|(name, after)| Some((name.parse().ok()?, after))) {
            (marks.noise, rest) = (Some(noise), after);
        }
        if let Some((bytes, after)) = member(rest, BEFORE_CUT, b'}').and_then(|(bytes, after)| Some((count(bytes)?, after))) {
            (marks.cut, rest) = (Some(bytes), after);
        }
        if let Some(after) = rest.strip_prefix(FOREIGN.as_bytes()) {
            (marks.foreign, rest) = (true, after);
        }
        (marks, text.len() - rest.len())
    }
}

/// The text between `before` and the next `end`, and what follows.
fn member<'a>(text: &'a [u8], before: &str, end: u8) -> Option<(&'a str, &'a [u8])> {
    let rest = text.strip_prefix(before.as_bytes())?;
    let (value, after) = rest.split_at_checked(memchr::memchr(end, rest)?)?;
    Some((std::str::from_utf8(value).ok()?, after.get(1..)?))
}

/// A count that is not 0, written as [`Marks::write`] would write it.
fn count(text: &str) -> Option<u64> {
    text.parse().ok().filter(|bytes: &u64| *bytes != 0 && bytes.to_string() == text)
}

impl Event {
    /// Its marks; they go with the event up to the record that holds it.
    pub fn marks(&self) -> Marks {
        self.marks
    }

    /// The same message with other marks.
    #[must_use]
    pub fn with_marks(self, marks: Marks) -> Self {
        Self { marks, ..self }
    }

    /// What kind of noise it is.
    pub fn noise(&self) -> Option<Noise> {
        self.marks.noise
    }

    /// The same message, marked as noise or not; its other marks stay.
    #[must_use]
    pub fn marked(self, noise: Option<Noise>) -> Self {
        let marks = Marks { noise, ..self.marks };
        self.with_marks(marks)
    }

    /// Whether it is a message of this recorder's own, and not one that a daemon sent.
    pub fn is_own(&self) -> bool {
        !self.marks.foreign && self.fields().kind == super::RECORDER_TYPE
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn marks_are_read_as_they_are_written() {
        for noise in [None, Some(Noise::HealthCheck)] {
            for cut in [None, Some(1), Some(u64::MAX)] {
                for foreign in [false, true] {
                    let marks = Marks { noise, cut, foreign };
                    let mut text = String::new();
                    marks.write(&mut text);
                    assert_eq!(Marks::read(text.as_bytes()), (marks, text.len()), "{text}");
                    let end = text.len();
                    text.push_str(r#","event":{"cut":{"bytes":5}}}"#);
                    assert_eq!(Marks::read(text.as_bytes()), (marks, end), "{text}");
                }
            }
        }
    }

    #[test]
    fn nothing_else_is_taken_for_a_mark() {
        for text in [
            "",
            r#","noise":"other""#,
            r#","noise":"healthcheck"#,
            r#","cut":{"bytes":0}"#,
            r#","cut":{"bytes":07}"#,
            r#","cut":{"bytes":+7}"#,
            r#","cut":{"bytes":18446744073709551616}"#,
            r#","cut":{"bytes":7"#,
            r#","foreign":false"#,
            r#", "foreign":true"#,
        ] {
            assert_eq!(Marks::read(text.as_bytes()), (Marks::default(), 0), "{text}");
        }
        // Out of order: the second one is not theirs.
        let (marks, taken) = Marks::read(br#","foreign":true,"noise":"healthcheck""#);
        assert_eq!((marks.noise, marks.foreign, taken), (None, true, FOREIGN.len()));
    }
}
