//! Where a JSON value ends, without reading what is in it.

use super::RECORD_SEPARATOR;
use memchr::{memchr2, memchr3};

/// Deeper than this, what is an object and what an array is not remembered, only how many are open.
const KNOWN_LEVELS: u64 = 128;

/// What a piece of an object comes to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Found {
    /// It continues.
    More,
    /// It ended after so many bytes of the piece.
    End(usize),
    /// Something in it that began a line ended after so many bytes of the piece. It began after `start` bytes
    /// of the object. It is a part of it, or the object was broken off and this is the next one.
    Nested { start: usize, end: usize },
    /// Bytes up to here are no JSON, and a line that may be good begins here.
    BrokenBefore(usize),
    /// Here it is no JSON, and up to the end of the line is not either.
    Broken(usize),
}

/// An object that begins with `{`, followed byte by byte. Only so much of the grammar is looked at as tells a
/// broken line from a good one: a string holds no line end, braces and brackets match, and an object stands
/// where a value may.
#[derive(Debug, Clone, Default)]
pub(super) struct ObjectScan {
    depth: u64,
    /// One bit for each open level, the innermost lowest: whether it is an array.
    arrays: u128,
    in_string: bool,
    escaped: bool,
    /// The last byte outside of strings that was no white space.
    last: u8,
    /// A line end came after it.
    new_line: bool,
    /// The outermost object inside that began a line: how many were open before it, and where it began.
    nested: Option<(u64, usize)>,
    /// Bytes of earlier pieces.
    taken: usize,
}

impl ObjectScan {
    /// Takes the next piece, which begins with the `{` if it is the first. What follows the place that was
    /// found was not looked at.
    pub(super) fn push(&mut self, piece: &[u8]) -> Found {
        let found = self.look(piece);
        self.taken += match found {
            Found::More => piece.len(),
            Found::End(end) | Found::Nested { end, .. } | Found::BrokenBefore(end) | Found::Broken(end) => end,
        };
        found
    }

    fn look(&mut self, piece: &[u8]) -> Found {
        let mut at = 0;
        while let Some(byte) = piece.get(at).copied() {
            if self.in_string {
                match self.string(piece.get(at..).unwrap_or_default()) {
                    Ok(taken) => at += taken,
                    Err(line_end) => return Found::BrokenBefore(at + line_end),
                }
                continue;
            }
            match byte {
                b' ' | b'\t' => {}
                b'\n' | b'\r' => self.new_line = true,
                RECORD_SEPARATOR => return Found::BrokenBefore(at),
                b'"' => self.in_string = true,
                b'{' | b'[' => {
                    if !self.may_open() {
                        return if byte == b'{' && self.new_line { Found::BrokenBefore(at) } else { Found::Broken(at) };
                    }
                    if byte == b'{' && self.new_line && self.nested.is_none() {
                        self.nested = Some((self.depth, self.taken + at));
                    }
                    if self.depth < KNOWN_LEVELS {
                        self.arrays = self.arrays << 1 | u128::from(byte == b'[');
                    }
                    self.depth += 1;
                }
                b'}' | b']' => {
                    if self.depth <= KNOWN_LEVELS {
                        if (self.arrays & 1 == 1) != (byte == b']') {
                            return Found::Broken(at);
                        }
                        self.arrays >>= 1;
                    }
                    self.depth -= 1;
                    if self.depth == 0 {
                        return Found::End(at + 1);
                    }
                    if let Some((_, start)) = self.nested.take_if(|(depth, _)| *depth == self.depth) {
                        (self.last, self.new_line) = (byte, false);
                        return Found::Nested { start, end: at + 1 };
                    }
                }
                _ => {}
            }
            if !matches!(byte, b' ' | b'\t' | b'\n' | b'\r') {
                (self.last, self.new_line) = (byte, false);
            }
            at += 1;
        }
        Found::More
    }

    /// How many bytes of `piece` belong to the string, its quote included; or where it is broken by a line
    /// end.
    fn string(&mut self, piece: &[u8]) -> Result<usize, usize> {
        if std::mem::take(&mut self.escaped) {
            return if piece.first().is_some_and(|byte| is_line_end(*byte)) { Err(0) } else { Ok(1) };
        }
        let end = memchr3(b'"', b'\\', b'\n', piece).unwrap_or(piece.len());
        if let Some(line_end) = piece.get(..end).and_then(|text| memchr2(b'\r', RECORD_SEPARATOR, text)) {
            return Err(line_end);
        }
        match piece.get(end) {
            None => Ok(end),
            Some(b'"') => {
                (self.in_string, self.last, self.new_line) = (false, b'"', false);
                Ok(end + 1)
            }
            Some(b'\\') => {
                self.escaped = true;
                Ok(end + 1)
            }
            Some(_) => Err(end),
        }
    }

    /// Whether a value may begin here.
    fn may_open(&self) -> bool {
        let in_array = self.depth > KNOWN_LEVELS || self.arrays & 1 == 1;
        self.depth == 0 || matches!(self.last, b':' | b'[') || (self.last == b',' && in_array)
    }
}

/// What ends a line, or begins a text of a JSON text sequence (RFC 7464): none of it stands raw inside a JSON
/// string.
pub(super) fn is_line_end(byte: u8) -> bool {
    matches!(byte, b'\n' | b'\r' | RECORD_SEPARATOR)
}
