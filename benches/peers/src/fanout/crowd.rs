//! Many clients of an event stream: one thread, one epoll. Each checks that its events come without a gap or
//! a repeat.

use super::body::Body;
use super::event::stamps;
use super::machine::nanos;
use super::server::Server;
use rustix::buffer::spare_capacity;
use rustix::event::{Timespec, epoll};
use rustix::fd::{AsFd, OwnedFd};
use rustix::io::Errno;
use rustix::net::sockopt::set_socket_linger;
use rustix::net::{RecvFlags, recv};
use std::io::Write;
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

/// Connections that are opened at a time, well below any server's backlog.
const BATCH: usize = 250;
const EVENTS: usize = 1024;
const READ_BYTES: usize = 256 * 1024;
const PATIENCE: Duration = Duration::from_secs(10);
/// Stands for the publisher's connection among the clients'.
const PUBLISHER: u64 = u64::MAX;

struct Client {
    stream: TcpStream,
    body: Body,
    next: Option<u64>,
}

pub(super) struct Crowd {
    epoll: OwnedFd,
    clients: Vec<Client>,
    ready: Vec<epoll::Event>,
    buffer: Vec<u8>,
    /// All that have been received.
    pub(super) deliveries: u64,
    /// Of each delivery in nanoseconds, if they are wanted.
    pub(super) delays: Option<Vec<u64>>,
}

impl Crowd {
    /// Opens so many streams and waits until each has begun.
    pub(super) fn connect(server: &Server, count: usize) -> Self {
        let epoll = epoll::create(epoll::CreateFlags::CLOEXEC).unwrap();
        if let Some(stream) = server.publisher() {
            add(&epoll, stream, PUBLISHER);
        }
        let (ready, buffer) = (Vec::with_capacity(EVENTS), vec![0; READ_BYTES]);
        let mut crowd = Self { epoll, clients: Vec::with_capacity(count), ready, buffer, deliveries: 0, delays: None };
        for batch in (0..count).collect::<Vec<_>>().chunks(BATCH) {
            let from = crowd.clients.len();
            for _ in batch {
                crowd.join(server);
            }
            let began = nanos();
            while crowd.clients[from..].iter().any(|client| !client.body.has_begun()) {
                assert!(u128::from(nanos() - began) < PATIENCE.as_nanos(), "{}: no answer to all of {count} clients", server.name);
                crowd.step(Duration::from_millis(100));
            }
        }
        crowd
    }

    fn join(&mut self, server: &Server) {
        let stream = request(server.address, server.path);
        // Closing must not leave ten thousand ports waiting each round.
        set_socket_linger(&stream, Some(Duration::ZERO)).unwrap();
        add(&self.epoll, &stream, self.clients.len() as u64);
        self.clients.push(Client { stream, body: Body::sse(), next: None });
    }

    pub(super) fn len(&self) -> u64 {
        self.clients.len() as u64
    }

    /// Takes what has arrived, after waiting for it at most so long. Tells whether the publisher has answers.
    pub(super) fn step(&mut self, wait: Duration) -> bool {
        self.ready.clear();
        let wait = Timespec { tv_sec: i64::try_from(wait.as_secs()).unwrap(), tv_nsec: wait.subsec_nanos().into() };
        match epoll::wait(&self.epoll, spare_capacity(&mut self.ready), Some(&wait)) {
            Ok(_) | Err(Errno::INTR) => {}
            Err(e) => panic!("epoll: {e}"),
        }
        let mut answers = false;
        for event in &self.ready {
            let at = event.data.u64();
            if at == PUBLISHER {
                answers = true;
                continue;
            }
            let client = &mut self.clients[usize::try_from(at).unwrap()];
            let read = match recv(&client.stream, &mut self.buffer[..], RecvFlags::DONTWAIT) {
                Ok((_, 0)) => panic!("the server closed a stream"),
                Ok((_, read)) => read,
                Err(Errno::AGAIN) => continue,
                Err(e) => panic!("a client: {e}"),
            };
            let now = nanos();
            let (next, deliveries, delays) = (&mut client.next, &mut self.deliveries, &mut self.delays);
            client.body.read(&self.buffer[..read], |frame| {
                let Some((number, sent)) = stamps(frame) else { return };
                assert!(next.is_none_or(|next| next == number), "{next:?} was due and {number} came");
                *next = Some(number + 1);
                *deliveries += 1;
                if let Some(delays) = delays {
                    delays.push(now.saturating_sub(sent));
                }
            });
        }
        answers
    }
}

fn add(epoll: &OwnedFd, stream: impl AsFd, id: u64) {
    epoll::add(epoll, stream, epoll::EventData::new_u64(id), epoll::EventFlags::IN).unwrap();
}

/// A connection on which this has been asked for.
pub(super) fn request(address: SocketAddr, path: &str) -> TcpStream {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_nodelay(true).unwrap();
    stream.write_all(format!("GET {path} HTTP/1.1\r\nHost: {address}\r\nAccept: text/event-stream\r\n\r\n").as_bytes()).unwrap();
    stream
}
