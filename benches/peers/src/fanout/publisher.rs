//! Publishing over HTTP: one POST an event, several under way.

use super::event::number;
use memchr::memmem;
use rustix::io::Errno;
use rustix::net::{RecvFlags, recv};
use std::io::Write;
use std::net::{SocketAddr, TcpStream};

/// Requests that may be without an answer.
const PIPELINE: usize = 16;

pub(super) struct Publisher {
    pub(super) stream: TcpStream,
    head: String,
    answers: Vec<u8>,
    unanswered: usize,
}

impl Publisher {
    pub(super) fn connect(address: SocketAddr, path: &str) -> Self {
        let stream = TcpStream::connect(address).unwrap();
        stream.set_nodelay(true).unwrap();
        let head = format!("POST {path} HTTP/1.1\r\nHost: {address}\r\nContent-Type: application/json\r\nContent-Length: ");
        Self { stream, head, answers: Vec::new(), unanswered: 0 }
    }

    pub(super) fn is_free(&self) -> bool {
        self.unanswered < PIPELINE
    }

    pub(super) fn publish(&mut self, body: &[u8]) {
        let mut request = format!("{}{}\r\n\r\n", self.head, body.len()).into_bytes();
        request.extend_from_slice(body);
        self.stream.write_all(&request).unwrap();
        self.unanswered += 1;
    }

    /// Takes the answers that are there.
    pub(super) fn poll(&mut self) {
        let mut buffer = [0; 16 * 1024];
        loop {
            match recv(&self.stream, &mut buffer[..], RecvFlags::DONTWAIT) {
                Ok((_, 0)) => panic!("the server closed the publisher's connection"),
                Ok((_, read)) => self.answers.extend_from_slice(&buffer[..read]),
                Err(Errno::AGAIN) => break,
                Err(e) => panic!("publisher: {e}"),
            }
        }
        while let Some(end) = memmem::find(&self.answers, b"\r\n\r\n") {
            let head = String::from_utf8_lossy(&self.answers[..end]).to_ascii_lowercase();
            assert!(head.starts_with("http/1.1 20"), "{head}");
            let length = head.split("content-length: ").nth(1).map_or(0, |text| number(text.as_bytes()).0);
            let whole = end + 4 + usize::try_from(length).unwrap();
            if self.answers.len() < whole {
                break;
            }
            self.answers.drain(..whole);
            self.unanswered -= 1;
        }
    }
}
