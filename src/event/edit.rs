//! Messages with values replaced.

use super::fields::PlainFields;
use super::{Event, EventView};
use std::ops::Range;

impl Event {
    /// The message with the JSON values at these places replaced by others, and every other byte as it is.
    /// The places are in order and apart.
    pub(crate) fn with_values(&self, edits: &[(Range<usize>, String)]) -> Self {
        let mut json = String::with_capacity(self.json.len() + 32 * edits.len());
        let mut from = 0;
        for (place, value) in edits {
            json.push_str(self.json.get(from..place.start).unwrap_or_default());
            json.push_str(value);
            from = place.end;
        }
        json.push_str(self.json.get(from..).unwrap_or_default());
        let plain = EventView::parse(&json).ok().and_then(|view| PlainFields::of(&view, &json));
        Self { json: json.into(), plain, marks: self.marks }
    }
}
