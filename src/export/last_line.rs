//! What the last line of an export says, for whoever reads the others.

use crate::time::Timestamp;
use serde::Deserialize;
use std::io::{self, BufRead, Read};

/// The last bytes of a file that are kept; its last line, if it says what there is, has fewer.
const TAIL_BYTES: usize = 1024;

/// Lines on their way to a reader, of which the end is kept.
#[derive(Debug)]
pub struct LastLine<R> {
    lines: R,
    last: Vec<u8>,
}

impl<R> LastLine<R> {
    /// These lines.
    pub fn of(lines: R) -> Self {
        Self { lines, last: Vec::new() }
    }

    /// When all lines have been read: the time that the last one says the export was recorded up to.
    pub fn as_of(&self) -> Option<Timestamp> {
        #[derive(Deserialize)]
        struct Line {
            end: End,
        }
        #[derive(Deserialize)]
        struct End {
            as_of: String,
        }
        let last = self.last.trim_ascii_end().rsplit(|byte| *byte == b'\n').next()?;
        let line: Line = serde_json::from_slice(last).ok()?;
        Timestamp::from_text(line.end.as_of.as_bytes())
    }
}

impl<R: BufRead> Read for LastLine<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let mut filled = self.fill_buf()?;
        let read = filled.read(buffer)?;
        self.consume(read);
        Ok(read)
    }
}

impl<R: BufRead> BufRead for LastLine<R> {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        self.lines.fill_buf()
    }

    fn consume(&mut self, bytes: usize) {
        if let Some(taken) = self.lines.fill_buf().ok().and_then(|filled| filled.get(..bytes)) {
            let kept = taken.get(taken.len().saturating_sub(TAIL_BYTES)..).unwrap_or(taken);
            self.last.extend_from_slice(kept);
            let over = self.last.len().saturating_sub(TAIL_BYTES);
            self.last.drain(..over);
        }
        self.lines.consume(bytes);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_line_says_until_when() {
        let text = format!("{}\n{{\"end\": {{\"as_of\":\"1970-01-01T00:00:00.000000007Z\",\"records\":1}}}}\n\n", "x".repeat(5000));
        for (size, end) in [(1, true), (7, true), (4096, true), (4096, false)] {
            let text = if end { text.clone() } else { "{\"id\":1}\n".to_owned() };
            let mut tail = LastLine::of(io::BufReader::with_capacity(size, text.as_bytes()));
            let mut lines = 0;
            while tail.read_line(&mut String::new()).unwrap() > 0 {
                lines += 1;
            }
            assert!(lines > 0 && tail.last.len() <= TAIL_BYTES);
            assert_eq!(tail.as_of(), end.then_some(Timestamp::from_nanos(7)), "{size}");
        }
    }
}
