//! Lines out of a stream of bytes, whatever the chunks look like, in bounded memory.

use memchr::memchr;

/// Longer lines are skipped to their end and reported as [`Line::TooLong`].
pub const MAX_LINE_BYTES: usize = crate::event::MAX_EVENT_BYTES;
/// A sample shows at most this many characters.
pub const SAMPLE_CHARS: usize = 200;
/// Enough bytes for [`SAMPLE_CHARS`] characters of UTF-8.
const SAMPLE_BYTES: usize = SAMPLE_CHARS * 4;
/// A buffer that one long line has grown beyond this is given back after it.
const KEEP_CAPACITY_BYTES: usize = 64 << 10;
/// Record separator, in front of each text of a JSON text sequence (RFC 7464).
const RECORD_SEPARATOR: u8 = 0x1e;

/// One line, without its end and without record separators in front.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Line<'a> {
    /// All of it; never blank.
    Whole(&'a [u8]),
    /// Longer than the limit.
    TooLong {
        /// Its full length.
        bytes: u64,
        /// How it begins.
        start: &'a [u8],
    },
}

/// Cuts chunks into lines. Holds at most one unfinished line of at most the limit.
#[derive(Debug)]
pub struct LineSplitter {
    max_bytes: usize,
    /// What of the unfinished line is kept: all of it, or how it begins once it is too long.
    partial: Vec<u8>,
    /// Full length of the unfinished line once it is too long.
    too_long: Option<u64>,
}

impl Default for LineSplitter {
    fn default() -> Self {
        Self::with_limit(MAX_LINE_BYTES)
    }
}

impl LineSplitter {
    /// With another limit than [`MAX_LINE_BYTES`].
    pub fn with_limit(max_bytes: usize) -> Self {
        Self { max_bytes, partial: Vec::new(), too_long: None }
    }

    /// Takes a chunk of any size and hands every line that it completes to `sink`.
    pub fn push(&mut self, mut chunk: &[u8], mut sink: impl FnMut(Line<'_>)) {
        while let Some(end) = memchr(b'\n', chunk) {
            let (line, rest) = chunk.split_at(end);
            chunk = rest.split_first().map_or(&[], |(_, rest)| rest);
            if self.partial.is_empty() && self.too_long.is_none() && line.len() <= self.max_bytes {
                whole(line, &mut sink);
            } else {
                self.keep(line);
                self.finish(&mut sink);
            }
        }
        self.keep(chunk);
    }

    /// Ends the line that is under way, if any: the stream is over.
    pub fn finish(&mut self, mut sink: impl FnMut(Line<'_>)) {
        match self.too_long.take() {
            Some(bytes) => sink(Line::TooLong { bytes, start: unseparated(&self.partial) }),
            None => whole(&self.partial, &mut sink),
        }
        self.partial.clear();
        self.partial.shrink_to(KEEP_CAPACITY_BYTES);
    }

    fn keep(&mut self, bytes: &[u8]) {
        let length = self.too_long.unwrap_or(self.partial.len() as u64).saturating_add(bytes.len() as u64);
        if self.too_long.is_none() && length <= self.max_bytes as u64 {
            self.partial.extend_from_slice(bytes);
            return;
        }
        let room = SAMPLE_BYTES.saturating_sub(self.partial.len());
        self.partial.extend(bytes.iter().take(room));
        self.partial.truncate(SAMPLE_BYTES);
        self.too_long = Some(length);
    }
}

fn whole(line: &[u8], sink: &mut impl FnMut(Line<'_>)) {
    let line = unseparated(line);
    if !line.trim_ascii().is_empty() {
        sink(Line::Whole(line));
    }
}

fn unseparated(line: &[u8]) -> &[u8] {
    let separators = line.iter().take_while(|byte| **byte == RECORD_SEPARATOR).count();
    line.get(separators..).unwrap_or_default()
}

/// How a line begins, fit for a log: at most [`SAMPLE_CHARS`] characters, of which those that are not printable are
/// escaped.
pub fn sample(line: &[u8]) -> String {
    let start = line.get(..SAMPLE_BYTES).unwrap_or(line);
    String::from_utf8_lossy(start).chars().flat_map(char::escape_debug).take(SAMPLE_CHARS).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[derive(Debug, PartialEq, Eq)]
    enum Owned {
        Whole(Vec<u8>),
        TooLong(u64, Vec<u8>),
    }

    fn own(line: Line<'_>) -> Owned {
        match line {
            Line::Whole(line) => Owned::Whole(line.to_vec()),
            Line::TooLong { bytes, start } => Owned::TooLong(bytes, start.to_vec()),
        }
    }

    fn split(limit: usize, chunks: &[&[u8]]) -> Vec<Owned> {
        let mut splitter = LineSplitter::with_limit(limit);
        let mut lines = Vec::new();
        for chunk in chunks {
            splitter.push(chunk, |line| lines.push(own(line)));
            assert!(splitter.partial.len() <= limit.max(SAMPLE_BYTES));
        }
        splitter.finish(|line| lines.push(own(line)));
        lines
    }

    /// The same, from all bytes at once.
    fn oracle(limit: usize, bytes: &[u8]) -> Vec<Owned> {
        let mut lines = Vec::new();
        for line in bytes.split(|b| *b == b'\n') {
            let mut text = if line.len() > limit { &line[..line.len().min(SAMPLE_BYTES)] } else { line };
            while let [RECORD_SEPARATOR, rest @ ..] = text {
                text = rest;
            }
            if line.len() > limit {
                lines.push(Owned::TooLong(line.len() as u64, text.to_vec()));
            } else if !text.iter().all(u8::is_ascii_whitespace) {
                lines.push(Owned::Whole(text.to_vec()));
            }
        }
        lines
    }

    #[test]
    fn a_line_too_long_is_told_once_and_the_next_is_whole() {
        let long = vec![b'x'; 3 << 20];
        let chunks: Vec<&[u8]> = long.chunks(100_000).chain([&b"y\n{}\n"[..]]).collect();
        let expected = vec![Owned::TooLong((3 << 20) + 1, vec![b'x'; SAMPLE_BYTES]), Owned::Whole(b"{}".to_vec())];
        assert_eq!(split(MAX_LINE_BYTES, &chunks), expected);
        let at_once = [long.as_slice(), b"y\n{}\n"].concat();
        assert_eq!(split(MAX_LINE_BYTES, &[&at_once]), expected);
    }

    #[test]
    fn the_limit_itself_is_allowed() {
        let line = vec![b'x'; MAX_LINE_BYTES];
        assert_eq!(split(MAX_LINE_BYTES, &[&line, b"\n"]), [Owned::Whole(line.clone())]);
    }

    #[test]
    fn memory_is_given_back() {
        let mut splitter = LineSplitter::default();
        splitter.push(&vec![b'x'; 900_000], |_| {});
        splitter.push(b"\n", |_| {});
        assert!(splitter.partial.capacity() <= KEEP_CAPACITY_BYTES);
    }

    #[test]
    fn samples_are_short_and_printable() {
        assert_eq!(sample(b"a\x1b[0m\xff\n"), "a\\u{1b}[0m\u{fffd}\\n");
        assert_eq!(sample(&vec![0; 5000]).chars().count(), SAMPLE_CHARS);
        assert_eq!(sample("é".repeat(5000).as_bytes()), "é".repeat(SAMPLE_CHARS));
    }

    proptest! {
        #[test]
        fn chunking_does_not_matter(
            pieces in prop::collection::vec(prop_oneof![
                "[a-zé\u{1e} \r]{0,12}".prop_map(String::into_bytes),
                Just(b"\n".to_vec()),
                Just(b"\x1e{}\r\n".to_vec()),
                (0usize..2000).prop_map(|n| vec![b'z'; n]),
                prop::collection::vec(any::<u8>(), 0..20),
            ], 0..30),
            cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..40),
            limit in prop_oneof![Just(0usize), 1usize..40, 900usize..1500],
            bytewise in any::<bool>(),
        ) {
            let bytes = pieces.concat();
            let mut ends: Vec<usize> = if bytewise { (0..=bytes.len()).collect() } else { cuts.iter().map(|cut| cut.index(bytes.len() + 1)).collect() };
            ends.extend([0, bytes.len()]);
            ends.sort_unstable();
            let chunks: Vec<&[u8]> = ends.windows(2).map(|w| &bytes[w[0]..w[1]]).collect();
            prop_assert_eq!(split(limit, &chunks), oracle(limit, &bytes));
        }
    }
}
