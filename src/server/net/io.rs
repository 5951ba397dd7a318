//! What hyper reads and writes: the socket, with what the fan-out left half-written before everything else,
//! and an end for peers that take nothing.

use super::exchange::Exchange;
use super::link::Link;
use super::peers::STALLED;
use super::socket::Socket;
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Instant, Sleep};

/// A connection's byte stream.
#[derive(Debug)]
pub(super) struct Io {
    socket: Arc<Socket>,
    /// Set for connections that the fan-out may write to.
    link: Option<Arc<Link>>,
    /// Whether it is [seen](super::peers) elsewhere what the peer takes.
    watched: bool,
    /// Runs otherwise while something waits to be written and nothing can be.
    stalled: Option<Pin<Box<Sleep>>>,
    exchange: Arc<Exchange>,
    /// Runs while a header is on its way.
    header: Option<Pin<Box<Sleep>>>,
}

impl Io {
    pub(super) fn new(socket: Arc<Socket>, link: Option<Arc<Link>>, watched: bool) -> Self {
        let exchange = Arc::new(Exchange::new(Arc::clone(&socket)));
        Self { socket, link, watched, stalled: None, exchange, header: None }
    }

    /// What the service of this connection has to know of it, and tells it.
    pub(super) fn exchange(&self) -> Arc<Exchange> {
        Arc::clone(&self.exchange)
    }

    /// Lets a read fail by which nothing has come, when a header is late.
    fn late(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let Some(due) = self.exchange.due() else { return Poll::Pending };
        let timer = self.header.get_or_insert_with(|| Box::pin(tokio::time::sleep_until(due)));
        if timer.deadline() != due {
            timer.as_mut().reset(due);
        }
        ready!(timer.as_mut().poll(cx));
        Poll::Ready(Err(io::Error::new(io::ErrorKind::TimedOut, "a request's header is late")))
    }

    /// Lets a write that makes no progress fail after [`STALLED`].
    fn watch<T>(&mut self, cx: &mut Context<'_>, written: Poll<io::Result<T>>) -> Poll<io::Result<T>> {
        if written.is_ready() || self.watched {
            self.stalled = None;
            return written;
        }
        let timer = self.stalled.get_or_insert_with(|| Box::pin(tokio::time::sleep_until(Instant::now() + STALLED)));
        ready!(timer.as_mut().poll(cx));
        Poll::Ready(Err(io::Error::new(io::ErrorKind::TimedOut, "the peer takes nothing")))
    }

    /// Writes what the fan-out left. Progress in it counts as such.
    fn write_rest(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let Some(link) = self.link.clone() else { return Poll::Ready(Ok(())) };
        while let Some(rest) = link.rest() {
            let written = self.socket.poll_write(cx, &[IoSlice::new(&rest)]);
            let written = ready!(self.watch(cx, written))?;
            if written == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            link.rest_written(written);
        }
        Poll::Ready(Ok(()))
    }
}

impl AsyncRead for Io {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let filled = buffer.filled().len();
        let read = self.socket.poll_read(cx, buffer);
        if buffer.filled().len() > filled {
            self.exchange.arrived();
        }
        if read.is_ready() { read } else { self.late(cx) }
    }
}

impl AsyncWrite for Io {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.poll_write_vectored(cx, &[IoSlice::new(bytes)])
    }

    fn poll_write_vectored(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[IoSlice<'_>]) -> Poll<io::Result<usize>> {
        ready!(self.write_rest(cx))?;
        let written = self.socket.poll_write(cx, bytes);
        self.watch(cx, written)
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.write_rest(cx))?;
        // hyper flushes its transport when nothing of its own waits any more: from here on nobody but the
        // fan-out has anything to say.
        if let Some(link) = &self.link {
            link.flushed();
        }
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.write_rest(cx))?;
        self.exchange.closes();
        self.socket.end_writing();
        Poll::Ready(Ok(()))
    }
}

impl Drop for Io {
    fn drop(&mut self) {
        if let Some(link) = &self.link {
            link.gone();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::io::AsyncWriteExt;
    use tokio::net::UnixStream;

    #[tokio::test(start_paused = true)]
    async fn a_peer_that_takes_nothing_is_cut_and_one_that_takes_little_is_not() {
        let (ours, theirs) = UnixStream::pair().unwrap();
        let mut io = Io::new(Arc::new(Socket::Unix(ours)), None, false);
        let bytes = vec![0; 64 * 1024];
        let mut read = vec![0; bytes.len()];
        // Fills the kernel's buffers, then waits for as long as somebody takes a little now and then.
        for _ in 0..200 {
            tokio::select! {
                written = io.write(&bytes) => assert!(written.unwrap() > 0),
                () = tokio::time::sleep(STALLED / 2) => while theirs.try_read(&mut read).is_ok() {},
            }
        }
        let began = Instant::now();
        let error = loop {
            if let Err(error) = io.write(&bytes).await {
                break error;
            }
        };
        assert_eq!((error.kind(), began.elapsed().as_secs()), (io::ErrorKind::TimedOut, STALLED.as_secs()));
    }
}
