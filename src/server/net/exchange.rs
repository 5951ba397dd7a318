//! Where an HTTP/1 connection is between its requests and its answers: what its [byte stream](super::io) and
//! its [service](super::service) have to know of each other.

use super::socket::Socket;
use parking_lot::Mutex;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;

/// A request's header must be whole by then, from its first byte on; the first one of a connection from the
/// connection's own beginning.
pub(super) const HEADER_TIMEOUT: Duration = Duration::from_secs(10);
/// How long a connection may be kept without a request. Longer than the 60 s after which proxies let go of
/// it: were it shorter, they would send requests into connections that are closing.
pub(super) const IDLE_TIMEOUT: Duration = Duration::from_secs(90);

/// Of one connection.
#[derive(Debug, Default)]
pub(super) struct Exchange {
    socket: Option<Arc<Socket>>,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    head: Head,
    end: End,
}

#[derive(Debug, Default)]
enum Head {
    /// Nobody waits for one: a request is being answered, or this is not HTTP/1.
    #[default]
    None,
    /// None has begun.
    Idle,
    /// It must be whole by then.
    Due(Instant),
}

/// What the end of the connection says of the answer.
#[derive(Debug, Default)]
enum End {
    /// Nothing: the answer tells its own end.
    #[default]
    Nothing,
    /// That it was all, though it was not.
    Open,
    /// That it was all, and it was.
    Whole,
}

impl Exchange {
    pub(super) fn new(socket: Arc<Socket>) -> Self {
        Self { socket: Some(socket), state: Mutex::default() }
    }

    /// HTTP/1 begins.
    pub(super) fn begin(&self) {
        self.state.lock().head = Head::Due(Instant::now() + HEADER_TIMEOUT);
    }

    /// Bytes came.
    pub(super) fn arrived(&self) {
        let mut state = self.state.lock();
        if matches!(state.head, Head::Idle) {
            state.head = Head::Due(Instant::now() + HEADER_TIMEOUT);
        }
    }

    /// When the header that is on its way must be whole.
    pub(super) fn due(&self) -> Option<Instant> {
        match self.state.lock().head {
            Head::Due(due) => Some(due),
            Head::None | Head::Idle => None,
        }
    }

    /// A request is there. `http1`: one at a time, and the next one is waited for when the answer is out.
    pub(super) fn asked(self: &Arc<Self>, http1: bool) -> Answering {
        self.state.lock().head = Head::None;
        Answering { exchange: Arc::clone(self), http1 }
    }

    /// The end of the connection may be the answer's; `None` if no part of it may ever pass for the whole.
    /// True for TCP: should the connection close before the answer is whole, by whomever (the kernel, after a
    /// kill), the peer gets a reset.
    fn open(&self) -> bool {
        let cut = self.socket.as_ref().is_some_and(|socket| socket.reset_at_close(true));
        if cut {
            self.state.lock().end = End::Open;
        }
        cut
    }

    /// The connection is being closed, and all that was written is with the kernel.
    pub(super) fn closes(&self) {
        let whole = matches!(std::mem::take(&mut self.state.lock().end), End::Whole);
        if let Some(socket) = self.socket.as_ref().filter(|_| whole) {
            socket.reset_at_close(false);
        }
    }
}

/// An answer under way; dropped when it is over.
#[derive(Debug)]
pub(super) struct Answering {
    exchange: Arc<Exchange>,
    http1: bool,
}

impl Answering {
    /// Its end is that of the connection. False where a cut could not be told from that.
    pub(super) fn is_open_ended(&self) -> bool {
        self.exchange.open()
    }

    /// All of the body has been given.
    pub(super) fn whole(&self) {
        let mut state = self.exchange.state.lock();
        if matches!(state.end, End::Open) {
            state.end = End::Whole;
        }
    }

    /// The connection speaks another protocol from now on.
    pub(super) fn upgraded(mut self) {
        self.http1 = false;
    }
}

impl Drop for Answering {
    fn drop(&mut self) {
        if self.http1 {
            self.exchange.state.lock().head = Head::Idle;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_header_is_due_from_its_first_byte_on() {
        let exchange = Arc::new(Exchange::default());
        assert_eq!(exchange.due(), None, "a handshake has a time of its own");
        exchange.begin();
        assert_eq!(exchange.due(), Some(Instant::now() + HEADER_TIMEOUT));
        let answering = exchange.asked(true);
        exchange.arrived();
        assert_eq!(exchange.due(), None, "what comes during an answer");
        drop(answering);
        assert_eq!(exchange.due(), None, "nothing has begun");
        tokio::time::sleep(IDLE_TIMEOUT / 2).await;
        exchange.arrived();
        let due = Instant::now() + HEADER_TIMEOUT;
        tokio::time::sleep(HEADER_TIMEOUT / 2).await;
        exchange.arrived();
        assert_eq!(exchange.due(), Some(due), "more bytes give no more time");
        exchange.asked(true).upgraded();
        exchange.arrived();
        assert_eq!(exchange.due(), None, "a WebSocket");
    }
}
