//! A connection's socket, shared by the task that serves its HTTP and the
//! [fan-out](super::super::live::fanout) that may write to it directly.

use crate::server::forwarded::Peer;
use crate::server::peer::Address;
use rustix::net::SendFlags;
use std::io::{self, IoSlice};
use std::net::{IpAddr, Shutdown, SocketAddr};
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::io::ReadBuf;
use tokio::net::{TcpStream, UnixStream};

/// TCP, or a unix socket.
#[derive(Debug)]
pub(in crate::server) enum Socket {
    Tcp(TcpStream),
    Unix(UnixStream),
}

/// The same call on whichever it is.
macro_rules! either {
    ($self:expr, $socket:ident => $call:expr) => {
        match $self {
            Socket::Tcp($socket) => $call,
            Socket::Unix($socket) => $call,
        }
    };
}

impl Socket {
    /// Writes what fits just now. Asks the kernel rather than tokio, which need not know: a task that waits
    /// for room finds none either.
    pub(in crate::server) fn send(&self, bytes: &[u8]) -> io::Result<usize> {
        let flags = SendFlags::DONTWAIT | SendFlags::NOSIGNAL;
        Ok(either!(self, socket => rustix::net::send(socket, bytes, flags))?)
    }

    pub(super) fn poll_read(&self, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        loop {
            std::task::ready!(either!(self, socket => socket.poll_read_ready(cx)))?;
            match either!(self, socket => socket.try_read_buf(buffer)) {
                Ok(_) => return Poll::Ready(Ok(())),
                Err(e) if e.kind() == io::ErrorKind::WouldBlock => {}
                Err(e) => return Poll::Ready(Err(e)),
            }
        }
    }

    pub(super) fn poll_write(&self, cx: &mut Context<'_>, bytes: &[IoSlice<'_>]) -> Poll<io::Result<usize>> {
        loop {
            std::task::ready!(either!(self, socket => socket.poll_write_ready(cx)))?;
            match either!(self, socket => socket.try_write_vectored(bytes)) {
                Err(e) if e.kind() == io::ErrorKind::WouldBlock => {}
                done => return Poll::Ready(done),
            }
        }
    }

    /// Our address and the peer's; none for a unix socket.
    pub(super) fn ends(&self) -> Option<(SocketAddr, SocketAddr)> {
        match self {
            Self::Tcp(socket) => socket.local_addr().ok().zip(socket.peer_addr().ok()),
            Self::Unix(_) => None,
        }
    }

    /// Ends the connection with what waits in it. The peer, should it still be there, is told by a reset that
    /// this is no end.
    pub(super) fn disconnect(&self) {
        self.reset_at_close(true);
        self.end();
    }

    /// Lets the kernel end the connection with a peer that acknowledges nothing, or takes too little, for so
    /// long.
    pub(super) fn limit_by_kernel(&self, limit: Duration) {
        if let Self::Tcp(socket) = self {
            let _ = socket2::SockRef::from(socket).set_tcp_user_timeout(Some(limit));
        }
    }

    pub(super) fn end_writing(&self) {
        self.shutdown(Shutdown::Write);
    }

    /// Ends the connection both ways: the peer reads its end, and so does the task that serves it.
    pub(in crate::server) fn end(&self) {
        self.shutdown(Shutdown::Both);
    }

    /// Whether the peer gets a reset instead of an end when this socket is closed. False if it cannot: a unix
    /// socket knows no reset.
    pub(super) fn reset_at_close(&self, reset: bool) -> bool {
        match self {
            Self::Tcp(socket) => socket2::SockRef::from(socket).set_linger(reset.then_some(Duration::ZERO)).is_ok(),
            Self::Unix(_) => false,
        }
    }

    fn shutdown(&self, how: Shutdown) {
        let socket = either!(self, socket => socket2::SockRef::from(socket));
        let _ = socket.shutdown(how);
    }

    pub(super) fn is_unix(&self) -> bool {
        matches!(self, Self::Unix(_))
    }

    /// The address of the peer's machine; none for a unix socket.
    pub(in crate::server) fn peer(&self) -> Option<IpAddr> {
        match self {
            Self::Tcp(socket) => socket.peer_addr().ok().map(|address: SocketAddr| address.ip().to_canonical()),
            Self::Unix(_) => None,
        }
    }

    /// Who the peer is, for what it may say about others.
    pub(super) fn who(&self) -> Peer {
        if self.is_unix() { Peer::Unix } else { Peer::Tcp(self.peer()) }
    }

    /// Where the peer is, for what is shared out by address.
    pub(super) fn address(&self) -> Address {
        match self {
            Self::Tcp(_) => self.peer().map_or(Address::Unknown, Address::of),
            Self::Unix(socket) => socket.peer_cred().map_or(Address::Unknown, |peer| Address::User(peer.uid())),
        }
    }
}
