//! JSON that every ordinary parser reads. Some of what JSON allows stops them: great depth stops `jq`, some
//! numbers stop Rust's and Python's, and half of a surrogate pair (`"\ud800"`) stops `jq` 1.6 and
//! `serde_json`, which then read no further in the file. Python 3.11 and Node 20 read it, but what Python
//! makes of it cannot be written as UTF-8. Docker never sends one: Go writes U+FFFD in its place.

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
mod tests;
