//! Messages of the recorder's own, which obey the same bound as a daemon's.

use super::fields::PlainFields;
use super::{Event, EventView, MAX_EVENT_BYTES, Marks, RECORDER_TYPE, quote};
use crate::time::Timestamp;
use std::fmt::Write as _;

/// What is tried in turn, so that a message fits into [`MAX_EVENT_BYTES`]: most bytes of a key, of a value,
/// and most attributes.
const SHORTER: [Lengths; 4] = [
    Lengths { key: 4 << 10, value: 64 << 10, attributes: 4096 },
    Lengths { key: 1 << 10, value: 4 << 10, attributes: 1024 },
    Lengths { key: 256, value: 512, attributes: 512 },
    // Fits whatever is in it: a byte becomes six at most.
    Lengths { key: 128, value: 128, attributes: 256 },
];
/// `Action` of a record of what a container printed before it died.
pub const LAST_WORDS: &str = "last-words";
/// `Action` of the record that says what was told to whom.
pub const NOTIFIED: &str = "notified";
/// `Action` of a record that says that time has passed, and with it what an incident had waited for.
pub const TICK: &str = "tick";
/// Attribute that says how many others were left out.
const LEFT_OUT: &str = "left_out";

/// What a message may have: bytes of a key and of a value, and attributes.
#[derive(Debug, Clone, Copy)]
struct Lengths {
    key: usize,
    value: usize,
    attributes: usize,
}

const WHOLE: Lengths = Lengths { key: usize::MAX, value: usize::MAX, attributes: usize::MAX };

impl Event {
    /// A message of the recorder's own, in the shape of a Docker message (docs/records.md), so that every
    /// tool that reads events reads it. Attribute order is kept.
    ///
    /// It is never longer than [`MAX_EVENT_BYTES`]: keys and values that are too long end with `…[cut, N
    /// bytes]`, of attributes that are too many the attribute `left_out` tells the number, and the record is
    /// marked as cut.
    pub fn recorder(action: &str, actor_id: &str, attributes: &[(&str, &str)], time: Timestamp) -> Self {
        let given: usize = attributes.iter().map(|(key, value)| key.len() + value.len()).sum::<usize>() + action.len() + actor_id.len();
        let whole = (given <= MAX_EVENT_BYTES).then(|| write(action, actor_id, attributes, time, WHOLE));
        let full_bytes = whole.as_ref().map_or(given, String::len);
        if let Some(json) = whole.filter(|json| json.len() <= MAX_EVENT_BYTES) {
            return made(json, Marks::default());
        }
        let mut shorter = SHORTER.into_iter().map(|most| write(action, actor_id, attributes, time, most));
        let json = shorter.find(|json| json.len() <= MAX_EVENT_BYTES).unwrap_or_default();
        made(json, Marks { cut: Some(full_bytes as u64), ..Marks::default() })
    }
}

fn made(json: String, marks: Marks) -> Event {
    let plain = EventView::parse(&json).ok().and_then(|view| PlainFields::of(&view, &json));
    Event { json: json.into(), plain, marks }
}

fn write(action: &str, actor_id: &str, attributes: &[(&str, &str)], time: Timestamp, most: Lengths) -> String {
    let mut json = String::with_capacity(256);
    let (action, actor_id) = (quote(&shortened(action, most.key)), quote(&shortened(actor_id, most.key)));
    let _ = write!(json, r#"{{"Type":"{RECORDER_TYPE}","Action":{action},"Actor":{{"ID":{actor_id},"Attributes":{{"#);
    for (i, (key, value)) in attributes.iter().take(most.attributes).enumerate() {
        let comma = if i == 0 { "" } else { "," };
        let _ = write!(json, "{comma}{}:{}", quote(&shortened(key, most.key)), quote(&shortened(value, most.value)));
    }
    let left_out = attributes.len().saturating_sub(most.attributes);
    if left_out > 0 {
        let _ = write!(json, r#","{LEFT_OUT}":"{left_out}""#);
    }
    let seconds = time.nanos().div_euclid(1_000_000_000);
    let _ = write!(json, r#"}}}},"scope":"local","time":{seconds},"timeNano":{}}}"#, time.nanos());
    json
}

/// Whether a message begins as the recorder writes its own. A daemon's may as well, so this only spares a
/// closer look ([`Event::is_own`]).
pub fn begins_as_own(json: &str) -> bool {
    json.strip_prefix(r#"{"Type":""#).and_then(|rest| rest.strip_prefix(RECORDER_TYPE)).is_some_and(|rest| rest.starts_with('"'))
}

/// `text`, or how it begins and how long it is where it has more than `max` bytes.
pub fn shortened(text: &str, max: usize) -> std::borrow::Cow<'_, str> {
    if text.len() <= max {
        return text.into();
    }
    let start = (0..=max).rev().find_map(|end| text.get(..end)).unwrap_or_default();
    format!("{start}…[cut, {} bytes]", text.len()).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(attributes: &[(&str, &str)]) -> Event {
        Event::recorder("observed", "f4", attributes, Timestamp::from_nanos(5))
    }

    #[test]
    fn what_is_too_long_is_cut_and_says_so() {
        let long = "é".repeat(40 << 20);
        let seen = event(&[("name", "web"), ("label.big", &long), ("state", "running")]);
        assert!(seen.as_json().len() <= MAX_EVENT_BYTES);
        assert_eq!(seen.marks().cut, Some((80 << 20) + "nameweblabel.bigstaterunningobservedf4".len() as u64));
        let view = seen.view();
        assert_eq!((view.attribute("name"), view.attribute("state")), (Some("web"), Some("running")));
        let big = view.attribute("label.big").unwrap();
        assert!(big.starts_with('é') && big.ends_with(&format!("é…[cut, {} bytes]", 80 << 20)), "{}", big.len());
        assert_eq!(view.time, Some(Timestamp::from_nanos(5)));
    }

    #[test]
    fn no_number_of_attributes_and_no_character_makes_it_longer_than_the_bound() {
        let control = "\u{1}".repeat(2 << 20);
        let keys: Vec<String> = (0..200_000).map(|n| format!("{n}{}", control.get(..2000).unwrap())).collect();
        let attributes: Vec<(&str, &str)> = keys.iter().map(|key| (key.as_str(), control.as_str())).collect();
        for count in [1, 5, 16, 200, 5000, 200_000] {
            let seen = Event::recorder(&control, &control, attributes.get(..count).unwrap(), Timestamp::from_nanos(5));
            assert!(seen.as_json().len() <= MAX_EVENT_BYTES, "{count}: {}", seen.as_json().len());
            assert!(seen.marks().cut.is_some() && Event::from_line(seen.as_json().as_bytes()).is_ok());
        }
        assert_eq!(event(&attributes).view().attribute(LEFT_OUT), Some("199744"));
    }

    #[test]
    fn what_fits_is_whole() {
        let room = MAX_EVENT_BYTES - event(&[("a", "")]).as_json().len();
        let (fits, over) = (event(&[("a", &"x".repeat(room))]), event(&[("a", &"x".repeat(room + 1))]));
        assert_eq!((fits.as_json().len(), fits.marks()), (MAX_EVENT_BYTES, Marks::default()));
        assert_eq!(over.marks().cut, Some(MAX_EVENT_BYTES as u64 + 1));
    }
}
