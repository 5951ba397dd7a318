//! Names, labels and commands come from anybody who may start a container: nothing of them reaches a terminal
//! raw.

use crate::text::is_hostile;
use std::borrow::Cow;
use std::fmt::Write as _;
use std::io::{self, Write};

/// `text` with every character spelled out that a terminal would act on or that would disguise the rest:
/// control characters (also C1, which some terminals obey), marks that turn the direction, line separators,
/// invisible ones.
pub(super) fn escape(text: &str) -> Cow<'_, str> {
    spell_out(text, |out, c| match c {
        '\n' => out.push_str("\\n"),
        '\r' => out.push_str("\\r"),
        '\t' => out.push_str("\\t"),
        _ => {
            let _ = write!(out, "\\u{{{:x}}}", u32::from(c));
        }
    })
}

/// The same for a line of JSON, whose meaning stays: there, such characters can only stand inside strings.
pub(super) fn escape_json(line: &str) -> Cow<'_, str> {
    spell_out(line, |out, c| {
        for unit in c.encode_utf16(&mut [0; 2]) {
            let _ = write!(out, "\\u{unit:04x}");
        }
    })
}

fn spell_out(text: &str, spell: impl Fn(&mut String, char)) -> Cow<'_, str> {
    if !text.contains(is_hostile) {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len() + 16);
    for c in text.chars() {
        if is_hostile(c) { spell(&mut out, c) } else { out.push(c) }
    }
    Cow::Owned(out)
}

/// Passes text on to a terminal with what is hostile spelled out, but for the ends of lines, which are meant.
pub(super) struct Safe<W> {
    out: W,
    /// Inside strings of JSON, whose meaning is to stay.
    json: bool,
    /// The beginning of a character whose end has not come yet: three bytes at most.
    rest: Vec<u8>,
}

impl<W: Write> Safe<W> {
    pub(super) fn new(out: W, json: bool) -> Self {
        Self { out, json, rest: Vec::new() }
    }

    fn pass(&mut self, text: &str) -> io::Result<()> {
        for line in text.split_inclusive('\n') {
            let (line, end) = line.strip_suffix('\n').map_or((line, ""), |line| (line, "\n"));
            let line = if self.json { escape_json(line) } else { escape(line) };
            self.out.write_all(line.as_bytes())?;
            self.out.write_all(end.as_bytes())?;
        }
        Ok(())
    }
}

impl<W: Write> Write for Safe<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let mut all = std::mem::take(&mut self.rest);
        all.extend_from_slice(bytes);
        let chunks: Vec<_> = all.utf8_chunks().collect();
        let count = chunks.len();
        for (number, chunk) in chunks.into_iter().enumerate() {
            self.pass(chunk.valid())?;
            let invalid = chunk.invalid();
            if number + 1 == count && is_a_beginning(invalid) {
                self.rest = invalid.to_vec();
            } else if !invalid.is_empty() {
                self.pass("\u{fffd}")?;
            }
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}

/// Whether more bytes can still make a character of these.
fn is_a_beginning(bytes: &[u8]) -> bool {
    std::str::from_utf8(bytes).is_err_and(|e| e.error_len().is_none())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_that_a_terminal_acts_on_comes_through() {
        assert_eq!(escape("a\u{1b}[2Jb\u{9b}31m\x07\x7f\r\n\t"), r"a\u{1b}[2Jb\u{9b}31m\u{7}\u{7f}\r\n\t");
        assert_eq!(escape("txt.\u{202e}exe\u{2028}\u{feff}"), r"txt.\u{202e}exe\u{2028}\u{feff}");
        assert!(matches!(escape("wäb-1 ☂ 日本"), Cow::Borrowed("wäb-1 ☂ 日本")));
    }

    #[test]
    fn json_keeps_its_meaning() {
        let line = "{\"a\":\"\u{9b}31m\u{7f}\u{e0041}ä\"}";
        let safe = escape_json(line);
        assert_eq!(safe, r#"{"a":"\u009b31m\u007f\udb40\udc41ä"}"#);
        let values: [serde_json::Value; 2] = [serde_json::from_str(line).unwrap(), serde_json::from_str(&safe).unwrap()];
        assert_eq!(values[0], values[1]);
    }

    #[test]
    fn a_terminal_gets_lines_that_are_safe_however_they_are_cut() {
        let text = "{\"a\":\"\u{202e}ä日\u{9b}\"}\n{\"b\":\"\u{1f6a2}\"}\n";
        for json in [true, false] {
            let whole = text.lines().map(|line| if json { escape_json(line) } else { escape(line) }).collect::<Vec<_>>().join("\n") + "\n";
            for size in 1..text.len() {
                let mut safe = Safe::new(Vec::new(), json);
                text.as_bytes().chunks(size).for_each(|piece| safe.write_all(piece).unwrap());
                assert_eq!(String::from_utf8(safe.out).unwrap(), whole, "{size}");
            }
        }
        let mut safe = Safe::new(Vec::new(), false);
        safe.write_all(b"a\xff\x9bb\xe2\x28\n").unwrap();
        assert_eq!(String::from_utf8(safe.out).unwrap(), "a\u{fffd}\u{fffd}b\u{fffd}(\n");
    }
}
