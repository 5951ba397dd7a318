//! What ordinary JSON parsers read. Some of what JSON allows stops them: `jq` at a depth, Rust's and Python's
//! at numbers, and half of a surrogate pair (`"\ud800"`) stops `jq` 1.6 and `serde_json`, which read no
//! further in a file with such a line. Python 3.11 and Node 20 read it, but what Python makes of it cannot be
//! written as UTF-8. Docker never sends one: Go writes U+FFFD in its place.

use super::EventError;
use memchr::memchr2;
use serde::de::{Deserialize, Deserializer, Error, Visitor};
use std::fmt;

/// Most objects and arrays inside one another, the message itself counted. `serde_json` reads 127, and a page
/// of history has three around a message.
pub const MAX_NESTING: usize = 124;
/// Most bytes of a number as it is written. Python refuses integers of more than 4,300 digits.
pub const MAX_NUMBER_BYTES: usize = 1000;

/// Refuses JSON that ordinary parsers refuse. `json` is JSON.
pub(super) fn check(json: &str) -> Result<(), EventError> {
    let bytes = json.as_bytes();
    let (mut at, mut depth) = (0, 0_usize);
    while let Some(byte) = bytes.get(at) {
        match byte {
            b'"' => at += string(bytes.get(at..).unwrap_or_default()).map_err(|inside| EventError::Surrogate(at + inside))?,
            b'{' | b'[' => {
                depth += 1;
                if depth > MAX_NESTING {
                    return Err(EventError::TooDeep);
                }
                at += 1;
            }
            b'}' | b']' => {
                depth = depth.saturating_sub(1);
                at += 1;
            }
            b'-' | b'0'..=b'9' => {
                let rest = json.get(at..).unwrap_or_default();
                let number = rest.split(|c: char| !matches!(c, '-' | '+' | '.' | 'e' | 'E' | '0'..='9')).next().unwrap_or_default();
                if number.len() > MAX_NUMBER_BYTES || !number.parse().is_ok_and(f64::is_finite) {
                    return Err(EventError::Number(at));
                }
                at += number.len();
            }
            _ => at += 1,
        }
    }
    Ok(())
}

/// Bytes of the string that begins `text`, with its quotes.
///
/// # Errors
/// Where half of a surrogate pair lies in it.
fn string(text: &[u8]) -> Result<usize, usize> {
    let mut at = 1;
    while let Some(found) = text.get(at..).and_then(|rest| memchr2(b'"', b'\\', rest)) {
        at += found;
        if text.get(at) == Some(&b'"') {
            return Ok(at + 1);
        }
        at += match (code_unit(text, at), code_unit(text, at + 6)) {
            (Some(0xd800..=0xdbff), Some(0xdc00..=0xdfff)) => 12,
            (Some(0xd800..=0xdfff), _) => return Err(at),
            _ => 2,
        };
    }
    Ok(text.len())
}

/// The code unit that is written as `\uXXXX` at byte `at`, if one is.
fn code_unit(text: &[u8], at: usize) -> Option<u16> {
    let digits = text.get(at..at.checked_add(6)?)?.strip_prefix(br"\u")?;
    u16::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()
}

/// A value that is plainly one which every parser reads; others need [`check`].
pub(super) struct Readable;

impl<'de> Deserialize<'de> for Readable {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Plain;
        impl Visitor<'_> for Plain {
            type Value = Readable;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a string, a literal or a whole number")
            }
            fn visit_bool<E: Error>(self, _: bool) -> Result<Readable, E> {
                Ok(Readable)
            }
            fn visit_i64<E: Error>(self, _: i64) -> Result<Readable, E> {
                Ok(Readable)
            }
            fn visit_u64<E: Error>(self, _: u64) -> Result<Readable, E> {
                Ok(Readable)
            }
            fn visit_str<E: Error>(self, _: &str) -> Result<Readable, E> {
                Ok(Readable)
            }
            fn visit_unit<E: Error>(self) -> Result<Readable, E> {
                Ok(Readable)
            }
        }
        deserializer.deserialize_any(Plain)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::Event;

    fn told(json: &str) -> Result<(), EventError> {
        Event::from_daemon(json.as_bytes()).map(|event| assert_eq!(event.as_json(), json))
    }

    #[test]
    fn what_parsers_refuse_is_refused() {
        let nested = |depth: usize| format!("{{\"a\":{}1{}}}", "[".repeat(depth - 1), "]".repeat(depth - 1));
        assert_eq!(told(&nested(MAX_NESTING)), Ok(()));
        for depth in [MAX_NESTING + 1, 129, 200, 10_000, 100_000] {
            assert_eq!(told(&nested(depth)), Err(EventError::TooDeep), "{depth}");
        }
        for number in ["1e999", "-1E+400", &"9".repeat(100_000), &format!("0.{}", "1".repeat(100_000)), &"1".repeat(400)] {
            for json in [
                format!("{{\"a\":{number}}}"),
                format!("{{\"time\":{number}}}"),
                format!("{{\"Actor\":{{\"x\":[{number}]}}}}"),
                format!("{{\"Actor\":{{\"Attributes\":{{\"x\":{number}}}}}}}"),
                format!("{{\"status\":7,\"Type\":{{\"a\":{number}}}}}"),
            ] {
                assert!(matches!(told(&json), Err(EventError::Number(_))), "{}", json.get(..50).unwrap_or(&json));
                assert!(Event::from_line(json.as_bytes()).is_ok(), "what is stored can be read");
            }
        }
    }

    #[test]
    fn what_they_read_is_kept() {
        for json in [
            r#"{"a":1e308,"b":-0.0e+5,"c":1e-999,"d":123456789012345678901234567890,"e":0e999}"#,
            r#"{"a":"1e999 [[[","b":"\\\"1e999"}"#,
            r#"{"Type":"container","x":"\ud83d\ude00","y":{"z":[1.5,null,true]}}"#,
            r#"{"Type":"container","\uD83D\uDE00":"\\ud800 \\\\ud800 \u0000","y":{"z":"\uDBFF\uDFFF"}}"#,
        ] {
            assert_eq!(told(json), Ok(()));
        }
        let brackets = format!("{{\"a\":\"{}\"}}", "[".repeat(1000));
        assert_eq!(told(&brackets), Ok(()));
        assert!(serde_json::from_str::<serde_json::Value>(r#"{"a":1e308,"e":0e999,"c":1e-999}"#).is_ok());
    }

    /// Seen with `jq` 1.6, which stops at a half that leads or is followed by another escape, and with
    /// `serde_json`, which stops at any.
    #[test]
    fn half_of_a_surrogate_pair_is_refused_wherever_it_stands() {
        for half in
            [r"\ud800", r"\uDBFFx", r"\udc00", r"x\uDFFF\ud800", r"\ud800\ud800\udc00", r"\ud800\u0041", r"\ud83d\\ude00", r"\ud83d\n"]
        {
            for json in [
                format!(r#"{{"status":"{half}"}}"#),
                format!(r#"{{"{half}":7}}"#),
                format!(r#"{{"Type":"{half}","y":[]}}"#),
                format!(r#"{{"Actor":{{"Attributes":{{"a":"{half}"}}}}}}"#),
                format!(r#"{{"Actor":{{"Attributes":{{"{half}":"a"}}}}}}"#),
                format!(r#"{{"x":[{{"y":"{half}"}}]}}"#),
            ] {
                assert!(serde_json::from_str::<serde_json::Value>(&json).is_err(), "{json}");
                assert_eq!(told(&json), Err(EventError::Surrogate(json.find(r"\u").unwrap())), "{json}");
                assert!(Event::from_line(json.as_bytes()).is_ok(), "what is stored can be read");
            }
        }
    }

    #[test]
    fn a_page_of_what_is_kept_is_read_by_serde_json() {
        let json = format!("{{\"a\":{}1{}}}", "[".repeat(MAX_NESTING - 1), "]".repeat(MAX_NESTING - 1));
        let page = format!(r#"{{"records":[{{"event":{json}}}]}}"#);
        assert!(serde_json::from_str::<serde_json::Value>(&page).is_ok());
    }

    #[test]
    fn a_daemons_own_recorder_lines_are_foreign() {
        for json in [
            r#"{"Type":"recorder","Action":"start"}"#,
            r#"{"Type":"container","Type":"recorder"}"#,
            r#"{"Type":"recorder","Type":"container"}"#,
            r#"{"\u0054ype":"recorder"}"#,
            r#"{"Type":"\u0072ecorder"}"#,
            r#"{"Type":"recorder","time":"x"}"#,
            r#"{"\u0054ype":"recorder","time":1.5}"#,
        ] {
            let event = Event::from_daemon(json.as_bytes()).unwrap();
            assert!(event.marks().foreign && !event.is_own(), "{json}");
        }
        for json in [r#"{"Type":"container","Action":"recorder"}"#, r#"{"x":{"Type":"recorder"}}"#, "{}"] {
            assert!(!Event::from_daemon(json.as_bytes()).unwrap().marks().foreign, "{json}");
        }
    }
}
