//! As much of a Docker daemon as shipslog's recorder asks for. Event streams are handed over to whoever
//! publishes.

use std::io::{BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::time::Duration;

/// How long a subscriber may take to come.
const PATIENCE: Duration = Duration::from_secs(10);

pub(super) struct Daemon {
    pub(super) address: SocketAddr,
    arriving: Receiver<TcpStream>,
    subscribers: Vec<TcpStream>,
}

impl Daemon {
    pub(super) fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let (sender, arriving) = sync_channel(8);
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let sender = sender.clone();
                // An error is the client's going away.
                std::thread::spawn(move || drop(converse(stream, &sender)));
            }
        });
        Self { address, arriving, subscribers: Vec::new() }
    }

    /// Waits for one more event stream.
    pub(super) fn await_subscriber(&mut self) {
        self.subscribers.push(self.arriving.recv_timeout(PATIENCE).expect("an event stream is asked for"));
    }

    /// Sends a line to all event streams, as one chunk.
    pub(super) fn emit(&mut self, line: &[u8]) {
        let mut chunk = format!("{:x}\r\n", line.len() + 1).into_bytes();
        chunk.extend_from_slice(line);
        chunk.extend_from_slice(b"\n\r\n");
        for subscriber in &mut self.subscribers {
            subscriber.write_all(&chunk).expect("the recorder listens");
        }
    }
}

/// Requests one after the other, up to that for the events.
fn converse(mut stream: TcpStream, events: &SyncSender<TcpStream>) -> std::io::Result<()> {
    stream.set_nodelay(true)?;
    let mut reader = BufReader::new(stream.try_clone()?);
    loop {
        let mut request = String::new();
        if reader.read_line(&mut request)? == 0 {
            return Ok(());
        }
        let mut line = String::new();
        while reader.read_line(&mut line)? > 2 {
            line.clear();
        }
        let target = request.split(' ').nth(1).unwrap_or_default();
        let (status, body) = match target.split('?').next().unwrap_or_default() {
            "/events" => {
                stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n")?;
                // It ends with the bench, should nobody want it any more.
                let _ = events.send(stream);
                return Ok(());
            }
            "/_ping" => ("200 OK", "OK"),
            "/version" => ("200 OK", r#"{"Version":"28.0.0-bench","ApiVersion":"1.51","MinAPIVersion":"1.24"}"#),
            "/containers/json" => ("200 OK", "[]"),
            _ => ("404 Not Found", r#"{"message":"page not found"}"#),
        };
        let body = if request.starts_with("HEAD ") { "" } else { body };
        let head = "Content-Type: application/json\r\nApi-Version: 1.51";
        stream.write_all(format!("HTTP/1.1 {status}\r\n{head}\r\nContent-Length: {}\r\n\r\n{body}", body.len()).as_bytes())?;
    }
}
