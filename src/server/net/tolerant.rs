//! Takes request targets with characters that should have been percent-encoded and mostly are not when a
//! person writes `curl 'http://…/events?filters={"type":["container"]}'`. Docker's daemon takes them, hyper's
//! types do not, so they are encoded before it sees them.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// Bytes of one target that are encoded at most; a longer one is refused anyway. What is held beyond what was
/// read is twice the number of encoded bytes, for each of the requests that came in one read.
const MAX_ENCODED_BYTES: usize = 4096;
/// Names of header fields after which there may be something else than the next request.
const FOLLOWED: [&[u8]; 3] = [b"content-length", b"transfer-encoding", b"upgrade"];
/// Bytes of a header's name that are looked at.
const MAX_FIELD_BYTES: usize = 20;

/// A stream of requests of HTTP/1.
#[derive(Debug)]
pub(super) struct Tolerant<S> {
    stream: S,
    at: At,
    /// What was read and is not taken yet.
    waiting: Vec<u8>,
}

/// Where in the requests the stream is.
#[derive(Debug)]
enum At {
    /// In a request line, of which this many bytes were encoded. `begun`: past the empty lines that may stand
    /// before it.
    Line { begun: bool, encoded: usize },
    /// In the header. `name`: how its current line begins, in lower case; `followed`: a body may come.
    Header { name: Vec<u8>, followed: bool },
    /// After a request with a body, or in another protocol: nothing is touched any more.
    Beyond,
}

impl<S> Tolerant<S> {
    pub(super) fn new(stream: S) -> Self {
        Self { stream, at: At::Line { begun: false, encoded: 0 }, waiting: Vec::new() }
    }

    /// Gives what waits, as far as there is room.
    fn give(&mut self, buffer: &mut ReadBuf<'_>) {
        let fits = self.waiting.len().min(buffer.remaining());
        buffer.put_slice(self.waiting.get(..fits).unwrap_or_default());
        self.waiting.drain(..fits);
    }
}

impl At {
    /// Passes over one byte; whether it is to be encoded.
    fn pass(&mut self, byte: u8) -> bool {
        match self {
            Self::Line { begun, .. } if byte == b'\n' => {
                if *begun {
                    *self = Self::Header { name: Vec::new(), followed: false };
                }
                false
            }
            Self::Line { begun, encoded } => {
                *begun |= byte != b'\r';
                // A fragment is no part of a request, so Docker's daemon takes its sign for a character like
                // others.
                let odd = matches!(byte, b'"' | b'<' | b'>' | b'#' | 0x80..) && *encoded < MAX_ENCODED_BYTES;
                *encoded += usize::from(odd);
                odd
            }
            Self::Header { name, followed } => {
                match byte {
                    b'\n' if name.is_empty() => {
                        *self = if *followed { Self::Beyond } else { Self::Line { begun: false, encoded: 0 } };
                    }
                    b'\n' => name.clear(),
                    b'\r' => {}
                    b':' if FOLLOWED.contains(&name.as_slice()) => *followed = true,
                    _ if name.len() < MAX_FIELD_BYTES => name.push(byte.to_ascii_lowercase()),
                    _ => {}
                }
                false
            }
            Self::Beyond => false,
        }
    }

    /// Passes over bytes; those that hyper is to see, if they are others.
    fn encode(&mut self, bytes: &[u8]) -> Option<Vec<u8>> {
        let mut out: Option<Vec<u8>> = None;
        for (at, byte) in bytes.iter().enumerate() {
            let odd = self.pass(*byte);
            if odd {
                let out = out.get_or_insert_with(|| bytes.get(..at).unwrap_or_default().to_vec());
                out.extend_from_slice(format!("%{byte:02X}").as_bytes());
            } else if let Some(out) = &mut out {
                out.push(*byte);
            }
        }
        out
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Tolerant<S> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        if self.waiting.is_empty() {
            let before = buffer.filled().len();
            ready!(Pin::new(&mut self.stream).poll_read(cx, buffer))?;
            if matches!(self.at, At::Beyond) {
                return Poll::Ready(Ok(()));
            }
            let Some(encoded) = self.at.encode(buffer.filled().get(before..).unwrap_or_default()) else { return Poll::Ready(Ok(())) };
            buffer.set_filled(before);
            self.waiting = encoded;
        }
        self.give(buffer);
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Tolerant<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, bytes)
    }

    fn poll_write_vectored(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[IoSlice<'_>]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(cx, bytes)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    /// What hyper would read, when the bytes come in pieces of `size` and it takes `room` at a time.
    async fn read(sent: &[u8], size: usize, room: usize) -> Vec<u8> {
        let (mut theirs, ours) = tokio::io::duplex(size);
        let sent = sent.to_owned();
        let sender = tokio::spawn(async move { theirs.write_all(&sent).await });
        let (mut tolerant, mut out, mut buffer) = (Tolerant::new(ours), Vec::new(), vec![0; room]);
        loop {
            let count = tolerant.read(&mut buffer).await.unwrap();
            if count == 0 {
                sender.await.unwrap().unwrap();
                return out;
            }
            out.extend_from_slice(&buffer[..count]);
        }
    }

    #[tokio::test]
    async fn targets_are_encoded_and_nothing_else_is_touched() {
        let odd = "\r\nGET /e?f={\"a\":[\"b<c>#d\"]} HTTP/1.1\r\nHost: h\r\nIf-None-Match: \"x<y>\"\r\n\r\n";
        let even = "\r\nGET /e?f={%22a%22:[%22b%3Cc%3E%23d%22]} HTTP/1.1\r\nHost: h\r\nIf-None-Match: \"x<y>\"\r\n\r\n";
        let bare = odd.replace('\r', "");
        let with = |header: &str| format!("POST /\"a\" HTTP/1.1\r\nHost: h\r\n{header}\r\n\r\n\"GET /\" HTTP/1.1\r\n\r\n\"");
        for (sent, expected) in [
            (odd.to_owned(), even.to_owned()),
            (odd.repeat(3), even.repeat(3)),
            (bare, even.replace('\r', "")),
            ("GET /\u{e4} HTTP/1.1\r\n\r\n".to_owned(), "GET /%C3%A4 HTTP/1.1\r\n\r\n".to_owned()),
            (with("Content-Length: 21"), with("Content-Length: 21").replacen("/\"a\"", "/%22a%22", 1)),
            (with("transfer-ENCODING:chunked"), with("transfer-ENCODING:chunked").replacen("/\"a\"", "/%22a%22", 1)),
            (with("Upgrade: websocket"), with("Upgrade: websocket").replacen("/\"a\"", "/%22a%22", 1)),
        ] {
            for (size, room) in [(1, 1), (7, 3), (64 * 1024, 5), (64 * 1024, 64 * 1024)] {
                let got = read(sent.as_bytes(), size, room).await;
                assert_eq!(String::from_utf8_lossy(&got), expected, "{size} {room}");
            }
        }
    }

    #[tokio::test]
    async fn what_is_encoded_has_a_bound() {
        let read = read(&b"\"".repeat(20_000), 64 * 1024, 64 * 1024).await;
        assert_eq!(read.len(), 20_000 + 2 * MAX_ENCODED_BYTES);
    }
}
