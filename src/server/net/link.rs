//! Direct writes: while a client has everything, its socket is lent to the fan-out, which writes new records
//! to it without waking the task that serves it.
//!
//! A [`Link`] is in one of three modes. `Task`: hyper writes what the stream gives. `Armed`: the stream has
//! nothing more to give, hyper may still be writing. `Direct`: hyper has flushed everything, and the fan-out
//! writes. A client that cannot take a whole write is handed back, with the rest of it, to its task, which
//! continues from the position reached. Only one side may write in each mode, which is what keeps frames
//! whole.

use super::socket::Socket;
use crate::cursor::Sequence;
use crate::filter::Filter;
use bytes::{Buf, Bytes};
use futures_util::task::AtomicWaker;
use parking_lot::Mutex;
use std::future::{Future, poll_fn};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use std::task::Poll;
use tokio::sync::{Notify, watch};
use tokio::time::Instant;

/// Where a client stands.
#[derive(Debug, Clone)]
pub(in crate::server) struct Standing {
    /// Everything up to here has been sent, or was not wanted.
    pub(in crate::server) position: Sequence,
    /// The highest sequence that the client can resume with.
    pub(in crate::server) told: Sequence,
    /// When something was last sent.
    pub(in crate::server) spoke: Instant,
    /// What it wants; the same `Arc` for all clients with an equal filter.
    pub(in crate::server) filter: Arc<Filter>,
}

#[derive(Debug)]
enum Mode {
    Task,
    Armed(Standing),
    Direct(Standing),
    /// On the way back to the task.
    Back(Standing),
}

#[derive(Debug)]
struct State {
    mode: Mode,
    /// Of a write that did not fit.
    rest: Bytes,
    /// Nothing once the connection is over, so that it closes even while the fan-out still knows the link.
    socket: Option<Arc<Socket>>,
}

/// One connection as both sides see it.
#[derive(Debug)]
pub(in crate::server) struct Link {
    state: Mutex<State>,
    shard: Arc<Shard>,
    task: AtomicWaker,
}

/// The way to the thread that serves some of the links.
#[derive(Debug)]
pub(in crate::server) struct Shard {
    /// Links that have just been lent.
    arrivals: Mutex<Vec<Arc<Link>>>,
    nudge: Notify,
    /// Nothing is lent: nobody looks at the head or at the clock.
    idle: AtomicBool,
    head: watch::Receiver<Sequence>,
}

impl Shard {
    /// One to which nothing has been lent yet.
    pub(in crate::server) fn new(head: watch::Receiver<Sequence>) -> Self {
        Self { arrivals: Mutex::default(), nudge: Notify::new(), idle: AtomicBool::new(false), head }
    }

    /// Lends a link whose client stands at `position`.
    fn add(&self, link: Arc<Link>, position: Sequence) {
        self.arrivals.lock().push(link);
        // The head may have moved while nobody watched for this link.
        if self.idle.load(SeqCst) || *self.head.borrow() != position {
            self.nudge.notify_one();
        }
    }

    /// The head of the log that the links read.
    pub(in crate::server) fn head(&self) -> watch::Receiver<Sequence> {
        self.head.clone()
    }

    /// Says whether nobody looks at the head or at the clock. To be said before the look at the arrivals: a
    /// link that comes after that look has seen it.
    pub(in crate::server) fn set_idle(&self, idle: bool) {
        self.idle.store(idle, SeqCst);
    }

    /// Whether a link has been lent that nobody has taken yet.
    pub(in crate::server) fn has_arrivals(&self) -> bool {
        !self.arrivals.lock().is_empty()
    }

    /// Moves the links that have been lent to `links`.
    pub(in crate::server) fn take_arrivals(&self, links: &mut Vec<Arc<Link>>) {
        links.append(&mut self.arrivals.lock());
    }

    /// Returns when a link has been lent that has to be looked at soon.
    pub(in crate::server) async fn nudged(&self) {
        self.nudge.notified().await;
    }
}

/// What becomes of a link after the fan-out has looked at it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::server) enum Delivery {
    /// It is where it should be.
    Done,
    /// It is the task's again.
    HandedBack,
}

impl Link {
    pub(in crate::server) fn new(socket: Arc<Socket>, shard: Arc<Shard>) -> Self {
        let state = State { mode: Mode::Task, rest: Bytes::new(), socket: Some(socket) };
        Self { state: Mutex::new(state), shard, task: AtomicWaker::new() }
    }

    /// Lends the socket to the fan-out until the task has to continue, or `stop` comes; tells where the
    /// client stands then. Dropped early, the socket is the task's as well.
    pub(in crate::server) async fn lend(self: &Arc<Self>, standing: Standing, stop: impl Future<Output = ()>) -> Option<Standing> {
        self.state.lock().mode = Mode::Armed(standing);
        let guard = TakeBack(Arc::clone(self));
        let handed_back = poll_fn(|cx| {
            guard.0.task.register(cx.waker());
            let mut state = guard.0.state.lock();
            match std::mem::replace(&mut state.mode, Mode::Task) {
                Mode::Back(standing) => Poll::Ready(standing),
                other => {
                    state.mode = other;
                    Poll::Pending
                }
            }
        });
        tokio::select! {
            standing = handed_back => Some(standing),
            () = stop => self.take_back(),
        }
    }

    /// From now on the socket is the task's; where the client stood, if it was lent.
    fn take_back(&self) -> Option<Standing> {
        match std::mem::replace(&mut self.state.lock().mode, Mode::Task) {
            Mode::Task => None,
            Mode::Armed(standing) | Mode::Direct(standing) | Mode::Back(standing) => Some(standing),
        }
    }

    /// Nothing of hyper's waits to be written.
    pub(in crate::server) fn flushed(self: &Arc<Self>) {
        let mut state = self.state.lock();
        if let Mode::Armed(standing) = &state.mode {
            let (position, standing) = (standing.position, standing.clone());
            state.mode = Mode::Direct(standing);
            drop(state);
            self.shard.add(Arc::clone(self), position);
        }
    }

    /// What the task has to write before anything else.
    pub(super) fn rest(&self) -> Option<Bytes> {
        let state = self.state.lock();
        (!state.rest.is_empty()).then(|| state.rest.clone())
    }

    /// So much of it is written.
    pub(super) fn rest_written(&self, bytes: usize) {
        self.state.lock().rest.advance(bytes);
    }

    /// The connection is over.
    pub(super) fn gone(&self) {
        let mut state = self.state.lock();
        state.mode = Mode::Task;
        let socket = state.socket.take();
        drop(state);
        drop(socket);
    }

    /// Lets the fan-out act on a link that is its own. `act` gives the bytes to send, none for nothing, or
    /// hands the link back.
    pub(in crate::server) fn deliver<'a>(&self, act: impl FnOnce(&mut Standing) -> Option<&'a Bytes>) -> Delivery {
        let mut state = self.state.lock();
        let State { mode: Mode::Direct(standing), socket: Some(socket), .. } = &mut *state else { return Delivery::HandedBack };
        let rest = match act(standing) {
            None => Bytes::new(),
            Some(bytes) if bytes.is_empty() => return Delivery::Done,
            Some(bytes) => match socket.send(bytes) {
                Ok(written) if written == bytes.len() => return Delivery::Done,
                Ok(written) => bytes.slice(written..),
                // Full or broken: the task finds out which.
                Err(_) => bytes.clone(),
            },
        };
        if let Mode::Direct(standing) = std::mem::replace(&mut state.mode, Mode::Task) {
            state.mode = Mode::Back(standing);
        }
        state.rest = rest;
        drop(state);
        self.task.wake();
        Delivery::HandedBack
    }

    /// Ends the connection of a link that is the fan-out's own. Its task is told as well, and finds that
    /// nothing can be written.
    pub(in crate::server) fn disconnect(&self) {
        if let State { mode: Mode::Direct(_), socket: Some(socket), .. } = &*self.state.lock() {
            socket.end();
        }
        self.deliver(|_| None);
    }
}

/// The stream ended while its socket was lent.
struct TakeBack(Arc<Link>);

impl Drop for TakeBack {
    fn drop(&mut self) {
        self.0.take_back();
    }
}
