//! Cursors: which log, and how far into it. A value with one spelling: whether this log has such a record is
//! judged in `reader/start.rs`.

use std::fmt;
use std::str::FromStr;
use uuid::Uuid;

/// Position of a record in its log: 1 for the first one, then dense and rising by one. 0 stands before the
/// first.
pub type Sequence = u64;

/// Sequences above it are no number to a browser (2^53), and none that a log ever reaches: where one is
/// stored, something is damaged.
pub const MAX_SEQUENCE: Sequence = (1 << 53) - 1;

/// Identity of one log. A wiped or restored log has another one, so an old cursor can never name a new event.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct LogId(Uuid);

impl LogId {
    /// A fresh random identity.
    pub fn random() -> Self {
        Self(Uuid::new_v4())
    }

    /// The cursor that names `seq` in this log.
    pub fn cursor(self, seq: Sequence) -> Cursor {
        Cursor { log: self.prefix(), seq }
    }

    /// From its 16 bytes.
    pub const fn from_bytes(bytes: [u8; 16]) -> Self {
        Self(Uuid::from_bytes(bytes))
    }

    /// The log whose cursors begin with `prefix`, where that is all that is known of it.
    pub const fn with_prefix(prefix: u32) -> Self {
        Self(Uuid::from_fields(prefix, 0, 0, &[0; 8]))
    }

    /// Its 16 bytes.
    pub const fn to_bytes(self) -> [u8; 16] {
        self.0.into_bytes()
    }

    /// The first 32 bits, which cursors carry as 8 hex digits.
    pub fn prefix(self) -> u32 {
        self.0.as_fields().0
    }
}

impl fmt::Display for LogId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.hyphenated().fmt(f)
    }
}

impl FromStr for LogId {
    type Err = uuid::Error;
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Uuid::parse_str(text).map(Self)
    }
}

/// The `id` of a record on the wire: log id (first 8 hex digits), `-`, sequence in decimal: `7f3c9a1e-1842`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Cursor {
    /// First 32 bits of the log's id.
    pub log: u32,
    /// Sequence within that log.
    pub seq: Sequence,
}

/// Longest text that can be a cursor: 8 + 1 + 20 digits.
pub const MAX_CURSOR_BYTES: usize = 29;

/// A text that is not a cursor. The text itself is left out: it comes from outside and may be anything.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a cursor: a cursor is the id of a record, 8 hex digits, '-', and a number, as in 7f3c9a1e-1842")]
pub struct CursorError;

impl fmt::Display for Cursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:08x}-{}", self.log, self.seq)
    }
}

impl FromStr for Cursor {
    type Err = CursorError;

    /// Strict: exactly the text that [`Cursor`] prints, so that one position has one spelling.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text.len() > MAX_CURSOR_BYTES {
            return Err(CursorError);
        }
        let (log, seq) = text.split_once('-').ok_or(CursorError)?;
        let log = u32::from_str_radix(log, 16).map_err(|_| CursorError)?;
        let seq = seq.parse().map_err(|_| CursorError)?;
        let cursor = Self { log, seq };
        if cursor.to_string() == text { Ok(cursor) } else { Err(CursorError) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn prints_as_documented() {
        let log: LogId = "7f3c9a1e-0000-4000-8000-000000000000".parse().unwrap();
        assert_eq!(log.cursor(1842).to_string(), "7f3c9a1e-1842");
    }

    #[test]
    fn refuses_every_other_spelling() {
        for text in [
            "",
            "7f3c9a1e",
            "7f3c9a1e-",
            "-1",
            "7F3C9A1E-1",
            "7f3c9a1e-01",
            "7f3c9a1e-+1",
            " 7f3c9a1e-1",
            "7f3c9a1-1",
            "7f3c9a1e-99999999999999999999",
            "7f3c9a1e-1\0",
            "+f3c9a1e-1",
        ] {
            assert_eq!(text.parse::<Cursor>(), Err(CursorError), "{text:?}");
        }
    }

    proptest! {
        #[test]
        fn text_round_trips(log in any::<u32>(), seq in any::<u64>()) {
            let cursor = Cursor { log, seq };
            let text = cursor.to_string();
            prop_assert!(text.len() <= MAX_CURSOR_BYTES);
            prop_assert_eq!(text.parse(), Ok(cursor));
        }

        #[test]
        fn never_panics(text in "\\PC{0,40}") {
            let _ = text.parse::<Cursor>();
        }
    }
}
