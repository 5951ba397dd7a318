//! One connection: TLS where there is any, then HTTP/1.1 or HTTP/2.

use super::exchange::{HEADER_TIMEOUT, IDLE_TIMEOUT};
use super::io::Io;
use super::link::Link;
use super::peers::{Peers, STALLED};
use super::permits::Permit;
use super::service::Guarded;
use super::socket::Socket;
use super::tls::Tls;
use super::tolerant::Tolerant;
use crate::server::context::Context;
use crate::shutdown::Shutdown;
use hyper::body::Incoming;
use hyper::server::conn::{http1, http2};
use hyper::service::Service;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite};
use warp::reply::Response;

/// So long after the server was told to stop no connection is served; more than it waits for them to end.
const LATE: Duration = Duration::from_secs(4);
/// What hyper may buffer for a connection, each way; over HTTP/2 for a stream, towards the client.
const MAX_BUFFER_BYTES: usize = 64 * 1024;
/// Most bytes of a request's header over HTTP/2, as it counts them (RFC 9113, 6.5.2).
const MAX_H2_HEADER_BYTES: u32 = 16 * 1024;
/// Bytes of bodies that an HTTP/2 client may send before they are read: a login form is the largest.
const MAX_H2_UPLOAD_BYTES: u32 = 64 * 1024;
/// Requests at a time on one HTTP/2 connection: the tabs of a browser, with their streams, and some to spare.
const MAX_H2_STREAMS: u32 = 128;
/// Streams that a client may open and reset at once before its connection is ended (CVE-2023-44487).
const MAX_H2_RESETS: usize = 32;
/// Silence after which an HTTP/2 peer is asked whether it is there, and what it has to answer.
const H2_PING: Duration = Duration::from_secs(20);

/// What all connections share.
pub(in crate::server) struct Connections<S> {
    pub(in crate::server) routes: S,
    pub(in crate::server) context: Arc<Context>,
    pub(in crate::server) tls: Option<Arc<Tls>>,
    pub(in crate::server) peers: Arc<Peers>,
}

impl<S> Connections<S>
where
    S: Service<hyper::Request<Incoming>, Response = Response, Error = Infallible> + Clone + Send + Sync + 'static,
    S::Future: Send + 'static,
{
    /// Serves a connection in a task of its own. `link`: the way by which others may write to it.
    pub(in crate::server) fn start(&self, socket: Arc<Socket>, permit: Permit, link: Option<Arc<Link>>) {
        let (peer, address) = (socket.who(), socket.address());
        let watched = self.peers.watch(&socket);
        if !watched {
            socket.limit_by_kernel(STALLED);
        }
        let io = Io::new(socket, link.clone(), watched);
        let exchange = io.exchange();
        let service = |link: Option<Arc<Link>>| Guarded {
            routes: self.routes.clone(),
            context: Arc::clone(&self.context),
            permit,
            address,
            link,
            secure: self.tls.is_some(),
            peer,
            asked: Arc::default(),
            exchange: Arc::clone(&exchange),
        };
        let (service, shutdown) = (service(link), self.context.shutdown.clone());
        match self.tls.clone() {
            None => tokio::spawn(until_late(shutdown.clone(), http1(io, service, shutdown))),
            Some(tls) => tokio::spawn(until_late(shutdown.clone(), encrypted(tls, io, service, shutdown))),
        };
    }
}

/// Ends a connection that has not ended long after the server was told to stop: what it reads of the log
/// would keep a program from opening it anew.
async fn until_late(shutdown: Shutdown, serving: impl Future<Output = ()>) {
    let late = async {
        shutdown.stopping().await;
        tokio::time::sleep(LATE).await;
    };
    tokio::select! {
        () = serving => {}
        () = late => {}
    }
}

async fn encrypted<S>(tls: Arc<Tls>, io: Io, service: Guarded<S>, shutdown: Shutdown)
where
    S: Service<hyper::Request<Incoming>, Response = Response, Error = Infallible> + Send + Sync + 'static,
    S::Future: Send + 'static,
{
    match tls.accept(io).await {
        Ok(stream) if stream.get_ref().1.alpn_protocol() == Some(b"h2") => http2(stream, service, shutdown).await,
        Ok(stream) => http1(stream, service, shutdown).await,
        Err(e) => tracing::debug!(error = %e, "a TLS handshake failed"),
    }
}

async fn http1<S>(stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static, service: Guarded<S>, shutdown: Shutdown)
where
    S: Service<hyper::Request<Incoming>, Response = Response, Error = Infallible> + Send + Sync + 'static,
    S::Future: Send + 'static,
{
    service.exchange.begin();
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        // hyper counts from the end of the answer before. How long a header may take is the business of the
        // connection's byte stream.
        .header_read_timeout(IDLE_TIMEOUT)
        .max_buf_size(MAX_BUFFER_BYTES)
        .serve_connection(TokioIo::new(Tolerant::new(stream)), service)
        .with_upgrades();
    tokio::pin!(connection);
    let ended = tokio::select! {
        ended = connection.as_mut() => ended,
        () = shutdown.stopping() => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    ended_with(ended);
}

async fn http2<S>(stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static, service: Guarded<S>, shutdown: Shutdown)
where
    S: Service<hyper::Request<Incoming>, Response = Response, Error = Infallible> + Send + Sync + 'static,
    S::Future: Send + 'static,
{
    let asked = Arc::clone(&service.asked);
    let connection = http2::Builder::new(TokioExecutor::new())
        .timer(TokioTimer::new())
        .max_concurrent_streams(MAX_H2_STREAMS)
        .max_pending_accept_reset_streams(MAX_H2_RESETS)
        .max_header_list_size(MAX_H2_HEADER_BYTES)
        .max_send_buf_size(MAX_BUFFER_BYTES)
        .initial_connection_window_size(MAX_H2_UPLOAD_BYTES)
        .initial_stream_window_size(MAX_H2_UPLOAD_BYTES)
        .keep_alive_interval(H2_PING)
        .keep_alive_timeout(H2_PING)
        .serve_connection(TokioIo::new(stream), service);
    tokio::pin!(connection);
    // Neither hyper nor h2 bounds the wait for a client's first words.
    let silence = tokio::time::sleep(HEADER_TIMEOUT);
    tokio::pin!(silence);
    let ended = loop {
        tokio::select! {
            ended = connection.as_mut() => break ended,
            () = silence.as_mut(), if !silence.is_elapsed() => {
                if !asked.load(Ordering::Relaxed) {
                    tracing::debug!("an HTTP/2 connection ended because nothing was asked");
                    return;
                }
            }
            () = shutdown.stopping() => {
                connection.as_mut().graceful_shutdown();
                break connection.await;
            }
        }
    };
    ended_with(ended);
}

fn ended_with(ended: hyper::Result<()>) {
    if let Err(e) = ended {
        tracing::debug!(error = %e, "a connection ended with an error");
    }
}

#[cfg(test)]
mod tests;
