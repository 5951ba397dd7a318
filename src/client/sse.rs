//! Server-sent events, from bytes to frames.
//!
//! Written out rather than taken from `eventsource-stream` 0.2.3, which drops a `retry:` that stands in a
//! block of its own (as ours does), moves its whole buffer for every line, and has no bound on a frame. The
//! tests compare the two.

use memchr::memchr2;
use std::time::Duration;

/// A frame beyond this is not one of ours: Docker's messages stay far below.
pub(super) const MAX_FRAME_BYTES: usize = 16 << 20;

/// One dispatched event.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Frame {
    /// Empty for an unnamed one.
    pub(super) event: String,
    pub(super) data: String,
    /// The id that this very frame carries.
    pub(super) id: Option<String>,
}

/// A frame that would pass [`MAX_FRAME_BYTES`].
#[derive(Debug, PartialEq, Eq)]
pub(super) struct FrameTooLarge;

/// Parses chunks as they come; a frame may be cut anywhere.
#[derive(Debug, Default)]
pub(super) struct Parser {
    /// The line begun by earlier chunks.
    line: Vec<u8>,
    frame: Frame,
    has_data: bool,
    /// The last line ended in CR, so that a LF right after it belongs to that end.
    skip_lf: bool,
    past_first_line: bool,
    retry: Option<Duration>,
}

impl Parser {
    /// Takes the next chunk and appends the frames that it completes.
    pub(super) fn push(&mut self, mut chunk: &[u8], out: &mut Vec<Frame>) -> Result<(), FrameTooLarge> {
        while !chunk.is_empty() {
            if std::mem::take(&mut self.skip_lf)
                && let Some(rest) = chunk.strip_prefix(b"\n")
            {
                chunk = rest;
                continue;
            }
            let end = memchr2(b'\n', b'\r', chunk);
            let (part, rest) = chunk.split_at(end.unwrap_or(chunk.len()));
            if self.line.len() + self.frame.data.len() + part.len() > MAX_FRAME_BYTES {
                return Err(FrameTooLarge);
            }
            let Some((line_end, rest)) = rest.split_first() else {
                self.line.extend_from_slice(part);
                return Ok(());
            };
            if self.line.is_empty() {
                self.end_line(part, out);
            } else {
                let mut line = std::mem::take(&mut self.line);
                line.extend_from_slice(part);
                self.end_line(&line, out);
            }
            self.skip_lf = *line_end == b'\r';
            chunk = rest;
        }
        Ok(())
    }

    /// A `retry:` seen since the last call.
    pub(super) fn take_retry(&mut self) -> Option<Duration> {
        self.retry.take()
    }

    fn end_line(&mut self, mut line: &[u8], out: &mut Vec<Frame>) {
        if !std::mem::replace(&mut self.past_first_line, true) {
            line = line.strip_prefix(b"\xef\xbb\xbf").unwrap_or(line);
        }
        if line.is_empty() {
            let frame = std::mem::take(&mut self.frame);
            if std::mem::take(&mut self.has_data) {
                out.push(frame);
            }
            return;
        }
        let line = String::from_utf8_lossy(line);
        let (field, value) = line.split_once(':').unwrap_or((&line, ""));
        let value = value.strip_prefix(' ').unwrap_or(value);
        match field {
            "event" => value.clone_into(&mut self.frame.event),
            "data" => {
                if std::mem::replace(&mut self.has_data, true) {
                    self.frame.data.push('\n');
                }
                self.frame.data.push_str(value);
            }
            "id" if !value.contains('\0') => self.frame.id = Some(value.to_owned()),
            "retry" if value.bytes().all(|b| b.is_ascii_digit()) => {
                self.retry = value.parse().ok().map(Duration::from_millis).or(self.retry);
            }
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use eventsource_stream::Eventsource as _;
    use futures_util::StreamExt as _;
    use proptest::prelude::*;

    fn parse(chunks: &[&[u8]]) -> (Vec<Frame>, Option<Duration>) {
        let (mut parser, mut out) = (Parser::default(), Vec::new());
        for chunk in chunks {
            parser.push(chunk, &mut out).unwrap();
        }
        let retry = parser.take_retry();
        (out, retry)
    }

    fn frame(event: &str, data: &str, id: Option<&str>) -> Frame {
        Frame { event: event.into(), data: data.into(), id: id.map(str::to_owned) }
    }

    #[test]
    fn reads_the_documented_stream_however_it_is_cut() {
        let text = "\u{feff}retry: 2000\n\nevent: hello\nid: a-1\ndata: {\"ä\":1}\n\nid: a-2\r\ndata: {}\r\n\r\n: keep-alive\n\ndata:x\rdata\r\rid: lost\n\ndata: cut off\n";
        let expected = vec![frame("hello", "{\"ä\":1}", Some("a-1")), frame("", "{}", Some("a-2")), frame("", "x\n", None)];
        for cut in 0..=text.len() {
            let (a, b) = text.as_bytes().split_at(cut);
            assert_eq!(parse(&[a, b]), (expected.clone(), Some(Duration::from_secs(2))), "cut at {cut}");
        }
        let bytes: Vec<&[u8]> = text.as_bytes().chunks(1).collect();
        assert_eq!(parse(&bytes).0, expected);
    }

    #[test]
    fn a_frame_has_a_bound() {
        let (mut parser, mut out) = (Parser::default(), Vec::new());
        let chunk = vec![b'x'; 1 << 20];
        let result = (0..=16).try_for_each(|_| parser.push(&chunk, &mut out));
        assert_eq!(result, Err(FrameTooLarge));
        let line = [b"data:".as_slice(), &chunk, b"\n"].concat();
        let mut parser = Parser::default();
        assert_eq!((0..=16).try_for_each(|_| parser.push(&line, &mut out)), Err(FrameTooLarge));
    }

    proptest! {
        /// The crate keeps an id for the frames that follow; apart from that, both must see the same.
        #[test]
        fn agrees_with_eventsource_stream(
            lines in prop::collection::vec(prop::sample::select(vec![
                "", "", "data: a", "data:b", "data", "data:  c", "id: 1", "id: 2", "event: e", ": note", "retry: 5", "odd", "data: ä\u{2028}",
            ]), 0..24),
            end in prop::sample::select(vec!["\n", "\r\n"]),
            size in 1usize..7,
        ) {
            let text = lines.iter().flat_map(|line| [*line, end]).collect::<String>();
            let chunks: Vec<&[u8]> = text.as_bytes().chunks(size).collect();
            let ours: Vec<_> = parse(&chunks).0.into_iter().map(|f| (if f.event.is_empty() { "message".into() } else { f.event }, f.data)).collect();
            let stream = futures_util::stream::iter(chunks.into_iter().map(Ok::<_, std::io::Error>)).eventsource();
            let theirs: Vec<_> = futures_util::FutureExt::now_or_never(stream.map(|e| e.unwrap()).map(|e| (e.event, e.data)).collect()).unwrap();
            prop_assert_eq!(ours, theirs);
        }
    }
}
