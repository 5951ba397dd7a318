//! A response as it comes in: head, chunks, and frames that end with a mark.

use super::event::number;
use memchr::memmem::{self, Finder};

#[derive(Clone, Copy)]
enum Part {
    Head,
    /// The length so far.
    Size(usize),
    /// Bytes that are still to come; so much for the line end after a chunk.
    Data(usize),
    End(usize),
    /// Not in chunks.
    Plain,
}

pub(super) struct Body {
    part: Part,
    mark: &'static [u8],
    finder: Finder<'static>,
    /// A head or a frame that has not ended yet.
    rest: Vec<u8>,
    /// Of the head, if it was told.
    pub(super) length: Option<u64>,
}

impl Body {
    /// Of Server-Sent Events, which end with an empty line.
    pub(super) fn sse() -> Self {
        Self::frames(b"\n\n")
    }

    pub(super) fn frames(mark: &'static [u8]) -> Self {
        Self { part: Part::Head, mark, finder: Finder::new(mark), rest: Vec::new(), length: None }
    }

    pub(super) fn has_begun(&self) -> bool {
        !matches!(self.part, Part::Head)
    }

    /// Takes what was read and hands on each whole frame.
    pub(super) fn read(&mut self, bytes: &[u8], mut each: impl FnMut(&[u8])) {
        self.data(bytes, |body, data| body.cut(data, &mut each));
    }

    /// The same without looking for frames: the body's bytes as they come.
    pub(super) fn raw(&mut self, bytes: &[u8], mut each: impl FnMut(&[u8])) {
        self.data(bytes, |_, data| each(data));
    }

    fn data(&mut self, bytes: &[u8], mut each: impl FnMut(&mut Self, &[u8])) {
        let held;
        let mut bytes = bytes;
        if !self.has_begun() {
            self.rest.extend_from_slice(bytes);
            let Some(end) = memmem::find(&self.rest, b"\r\n\r\n") else { return };
            held = self.rest.split_off(end + 4);
            self.begin();
            bytes = &held;
        }
        while !bytes.is_empty() {
            bytes = match self.part {
                Part::Head => unreachable!("it has begun"),
                Part::Plain => {
                    each(self, bytes);
                    &[]
                }
                Part::Size(size) => self.size(size, bytes),
                Part::Data(left) => {
                    let (data, rest) = bytes.split_at(left.min(bytes.len()));
                    each(self, data);
                    self.part = if data.len() == left { Part::End(2) } else { Part::Data(left - data.len()) };
                    rest
                }
                Part::End(left) => {
                    let (end, rest) = bytes.split_at(left.min(bytes.len()));
                    self.part = if end.len() == left { Part::Size(0) } else { Part::End(left - end.len()) };
                    rest
                }
            };
        }
    }

    fn begin(&mut self) {
        let head = String::from_utf8_lossy(&std::mem::take(&mut self.rest)).to_ascii_lowercase();
        assert!(head.starts_with("http/1.1 200"), "{head}");
        self.part = if head.contains("transfer-encoding: chunked") { Part::Size(0) } else { Part::Plain };
        self.length = head.split("content-length: ").nth(1).map(|text| number(text.as_bytes()).0);
    }

    fn size<'a>(&mut self, mut size: usize, bytes: &'a [u8]) -> &'a [u8] {
        for (at, byte) in bytes.iter().enumerate() {
            match char::from(*byte).to_digit(16) {
                Some(digit) => size = size * 16 + digit as usize,
                None if *byte == b'\n' => {
                    assert_ne!(size, 0, "the stream ended");
                    self.part = Part::Data(size);
                    return &bytes[at + 1..];
                }
                None => {}
            }
        }
        self.part = Part::Size(size);
        &[]
    }

    fn cut(&mut self, mut data: &[u8], each: &mut impl FnMut(&[u8])) {
        if !self.rest.is_empty() && !data.is_empty() {
            // Marks are of one or two bytes: the cut can only be before the last one.
            let (first, last) = self.mark.split_at(self.mark.len() - 1);
            let end = if !first.is_empty() && self.rest.ends_with(first) && data.starts_with(last) {
                Some(last.len())
            } else {
                self.finder.find(data).map(|at| at + self.mark.len())
            };
            self.rest.extend_from_slice(&data[..end.unwrap_or(data.len())]);
            let Some(end) = end else { return };
            each(&self.rest);
            self.rest.clear();
            data = &data[end..];
        }
        let mut from = 0;
        for at in self.finder.find_iter(data) {
            each(&data[from..at + self.mark.len()]);
            from = at + self.mark.len();
        }
        self.rest.extend_from_slice(&data[from..]);
    }
}

#[cfg(test)]
mod tests {
    use super::Body;

    #[test]
    fn frames_are_whole_wherever_the_stream_is_cut() {
        let head = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
        let text = format!("{head}c\r\ndata: a\n\ndat\r\n9\r\na: bcd\n\nx\r\n");
        for first in 0..=text.len() {
            for second in first..=text.len() {
                let (mut body, mut frames) = (Body::sse(), Vec::new());
                for piece in [&text[..first], &text[first..second], &text[second..]] {
                    body.read(piece.as_bytes(), |frame| frames.push(String::from_utf8_lossy(frame).into_owned()));
                }
                assert_eq!(frames, ["data: a\n\n", "data: bcd\n\n"], "cut at {first} and {second}");
            }
        }
    }
}
