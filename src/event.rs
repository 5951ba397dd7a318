//! Docker messages: kept byte for byte, looked at through borrowed views, parsed leniently. Nothing here does
//! I/O, and nothing trusts the daemon: any field may be absent or of another type than Docker documents, and
//! unknown types, actions and fields pass through untouched.

use std::fmt;
use std::sync::Arc;

mod edit;
mod fields;
mod marks;
mod noise;
mod origin;
mod own;
mod readable;
mod view;
mod wire;

pub use fields::Fields;
use fields::PlainFields;
pub use marks::Marks;
pub use noise::{Noise, UnknownNoise};
pub use origin::{AtHost, Origin};
pub(crate) use origin::{OriginParts, OriginText, string_bytes};
pub use own::{LAST_WORDS, NOTIFIED, TICK, begins_as_own, shortened};
pub use readable::{MAX_NESTING, MAX_NUMBER_BYTES};
pub use view::EventView;
pub(crate) use wire::{LineWriter, RecordParts};
pub use wire::{Record, RecordView, write_line};

/// `Type` of the records that the recorder writes about itself.
pub const RECORDER_TYPE: &str = "recorder";
/// Longest message that is kept whole, in bytes; of a longer one the head is kept, marked as cut. Also the
/// bound of the recorder's own.
pub const MAX_EVENT_BYTES: usize = 1 << 20;

/// One Docker message, exactly as the daemon sent it: one JSON object on one line.
///
/// The one exception to "byte for byte": white space around the object is dropped, and a raw CR or LF
/// *between* JSON tokens (which Docker never sends, and which is not allowed inside JSON strings) becomes a
/// space, since a line end cannot travel inside a line.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Event {
    json: Arc<str>,
    /// Where the fields lie that are needed for storing, found when it was first parsed. `None`: not plainly
    /// in the text.
    plain: Option<PlainFields>,
    marks: Marks,
}

/// Why a line is not an event.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EventError {
    /// Not valid UTF-8, which JSON requires.
    #[error("the line is not UTF-8 (first bad byte at offset {0})")]
    NotUtf8(usize),
    /// Not one whole JSON object.
    #[error("the line is not a JSON object: {0}")]
    NotAnObject(String),
    /// Nested deeper than [`MAX_NESTING`].
    #[error("the line is nested deeper than {MAX_NESTING} levels, which ordinary JSON parsers refuse")]
    TooDeep,
    /// A number beyond [`f64`], or one of more than [`MAX_NUMBER_BYTES`].
    #[error("the line holds a number that ordinary JSON parsers refuse (at offset {0})")]
    Number(usize),
    /// Half of a surrogate pair in a string, which is no character.
    #[error("the line holds half of a surrogate pair, which ordinary JSON parsers refuse (at offset {0})")]
    Surrogate(usize),
}

impl Event {
    /// Takes one line that is stored, or that is to be stored as it is.
    ///
    /// # Errors
    /// [`EventError`] when the line is not one JSON object in UTF-8.
    pub fn from_line(line: &[u8]) -> Result<Self, EventError> {
        let text = trimmed(line)?;
        let view = EventView::parse(text).map_err(|e| EventError::NotAnObject(e.to_string()))?;
        Ok(Self::from_view(&view, text, Marks::default()))
    }

    /// Takes one line of a daemon's `/events`. What ordinary JSON parsers refuse is refused: one such line
    /// would stop a reader of an export. A message that says anywhere that it is the recorder's is marked as
    /// foreign.
    ///
    /// # Errors
    /// [`EventError`] when the line is not one JSON object in UTF-8, or not one that every parser reads.
    pub fn from_daemon(line: &[u8]) -> Result<Self, EventError> {
        let text = trimmed(line)?;
        let (view, says_recorder) = EventView::parse_readable(text)?;
        Ok(Self::from_view(&view, text, Marks { foreign: says_recorder, ..Marks::default() }))
    }

    fn from_view(view: &EventView<'_>, text: &str, marks: Marks) -> Self {
        let plain = PlainFields::of(view, text);
        // Character by character, as `str` searches for two, it would take longer than all the rest.
        let has_line_ends = memchr::memchr2(b'\r', b'\n', text.as_bytes()).is_some();
        let json = if has_line_ends { text.replace(['\r', '\n'], " ").into() } else { text.into() };
        Self { json, plain, marks }
    }

    /// The verbatim JSON.
    pub fn as_json(&self) -> &str {
        &self.json
    }

    /// The fields that are stored beside the message, without parsing it again where that can be.
    pub fn fields(&self) -> Fields<'_> {
        self.plain_fields().unwrap_or_else(|| self.view().into())
    }

    /// The same where that takes no parsing. `None`: one of them has escapes.
    pub(crate) fn plain_fields(&self) -> Option<Fields<'_>> {
        self.plain.and_then(|plain| plain.fields(&self.json))
    }

    /// The fields that shipslog looks at.
    pub fn view(&self) -> EventView<'_> {
        // An `Event` is only ever made from text that parsed, so the default is never seen.
        EventView::parse(&self.json).unwrap_or_default()
    }
}

fn trimmed(line: &[u8]) -> Result<&str, EventError> {
    let text = std::str::from_utf8(line).map_err(|e| EventError::NotUtf8(e.valid_up_to()))?;
    Ok(text.trim_matches([' ', '\t', '\r', '\n']))
}

impl fmt::Debug for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.json)
    }
}

/// `text` as a JSON string literal.
pub fn quote(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

#[cfg(test)]
mod tests;
