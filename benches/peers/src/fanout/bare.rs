//! What the machine gives: one thread, one epoll, each event written to every socket at once. No HTTP
//! library, no log, no disk.

use super::event::number;
use memchr::memmem;
use rustix::buffer::spare_capacity;
use rustix::event::epoll::{self, EventData, EventFlags};
use rustix::fd::OwnedFd;
use rustix::net::{RecvFlags, SendFlags, recv, send};
use std::collections::HashMap;
use std::net::{TcpListener, TcpStream};

const LISTENER: u64 = 0;
/// Of the stream, for clients that cannot take all of it at once.
const KEPT_BYTES: usize = 64 << 20;
const HEAD: &[u8] = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ncache-control: no-store\r\ntransfer-encoding: chunked\r\n\r\n";
const ACCEPTED: &[u8] = b"HTTP/1.1 202 Accepted\r\ncontent-length: 0\r\n\r\n";

struct Connection {
    stream: TcpStream,
    request: Vec<u8>,
    /// How much of the stream it has, if it wants it.
    position: Option<u64>,
    blocked: bool,
}

struct Loop {
    epoll: OwnedFd,
    listener: TcpListener,
    connections: HashMap<u64, Connection>,
    next: u64,
    events: u64,
    /// The end of the stream in chunks, and where it begins.
    kept: Vec<u8>,
    base: u64,
}

/// Serves until it is killed.
pub(crate) fn serve() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    rustix::net::listen(&listener, 4096).unwrap();
    listener.set_nonblocking(true).unwrap();
    println!("listening on http://{}", listener.local_addr().unwrap());
    let epoll = epoll::create(epoll::CreateFlags::CLOEXEC).unwrap();
    epoll::add(&epoll, &listener, EventData::new_u64(LISTENER), EventFlags::IN).unwrap();
    let mut server = Loop { epoll, listener, connections: HashMap::new(), next: 1, events: 0, kept: Vec::new(), base: 0 };
    let (mut ready, mut buffer) = (Vec::with_capacity(1024), vec![0; 64 * 1024]);
    loop {
        ready.clear();
        epoll::wait(&server.epoll, spare_capacity(&mut ready), None).unwrap();
        let mut due = false;
        for event in &ready {
            match event.data.u64() {
                LISTENER => server.accept(),
                id => due |= server.serve(id, event.flags, &mut buffer),
            }
        }
        if due {
            server.spread();
        }
    }
}

impl Loop {
    fn accept(&mut self) {
        while let Ok((stream, _)) = self.listener.accept() {
            stream.set_nodelay(true).unwrap();
            let flags = EventFlags::IN | EventFlags::OUT | EventFlags::ET;
            epoll::add(&self.epoll, &stream, EventData::new_u64(self.next), flags).unwrap();
            self.connections.insert(self.next, Connection { stream, request: Vec::new(), position: None, blocked: false });
            self.next += 1;
        }
    }

    /// Whether there is something to send.
    fn serve(&mut self, id: u64, flags: EventFlags, buffer: &mut [u8]) -> bool {
        let Some(connection) = self.connections.get_mut(&id) else { return false };
        let unblocked = flags.contains(EventFlags::OUT) && std::mem::take(&mut connection.blocked);
        if !flags.intersects(EventFlags::IN | EventFlags::HUP | EventFlags::ERR) {
            return unblocked;
        }
        loop {
            match recv(&connection.stream, &mut *buffer, RecvFlags::DONTWAIT) {
                Ok((_, read)) if read > 0 => connection.request.extend_from_slice(&buffer[..read]),
                Err(rustix::io::Errno::AGAIN) => break,
                _ => {
                    self.connections.remove(&id);
                    return unblocked;
                }
            }
        }
        let before = self.events;
        let end = self.base + self.kept.len() as u64;
        while let Some(head) = memmem::find(&connection.request, b"\r\n\r\n").map(|at| at + 4) {
            let mut whole = head;
            if connection.request.starts_with(b"GET ") {
                send(&connection.stream, HEAD, SendFlags::NOSIGNAL).unwrap();
                connection.position = Some(end);
            } else {
                let text = String::from_utf8_lossy(&connection.request[..head]).to_ascii_lowercase();
                let length = number(text.split("content-length: ").nth(1).unwrap().as_bytes()).0;
                whole += usize::try_from(length).unwrap();
                let Some(event) = connection.request.get(head..whole) else { break };
                self.events += 1;
                let id = self.events.to_string();
                let size = event.len() + id.len() + b"id: \ndata: \n\n".len();
                self.kept.extend_from_slice(format!("{size:x}\r\nid: {id}\ndata: ").as_bytes());
                self.kept.extend_from_slice(event);
                self.kept.extend_from_slice(b"\n\n\r\n");
                send(&connection.stream, ACCEPTED, SendFlags::NOSIGNAL).unwrap();
            }
            connection.request.drain(..whole);
        }
        unblocked || self.events > before
    }

    /// Gives everybody what they lack.
    fn spread(&mut self) {
        let end = self.base + self.kept.len() as u64;
        for connection in self.connections.values_mut() {
            let Some(position) = &mut connection.position else { continue };
            if connection.blocked || *position == end {
                continue;
            }
            let from = usize::try_from(*position - self.base).unwrap();
            if let Ok(sent) = send(&connection.stream, &self.kept[from..], SendFlags::NOSIGNAL | SendFlags::DONTWAIT) {
                *position += sent as u64;
            }
            connection.blocked = *position != end;
        }
        if self.kept.len() > KEPT_BYTES {
            self.kept.drain(..KEPT_BYTES / 2);
            self.base += KEPT_BYTES as u64 / 2;
            assert!(self.connections.values().all(|c| c.position.is_none_or(|p| p >= self.base)), "a client lags too far behind");
        }
    }
}
