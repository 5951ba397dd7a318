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
            None => tokio::spawn(http1(io, service, shutdown)),
            Some(tls) => tokio::spawn(encrypted(tls, io, service, shutdown)),
        };
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
        // hyper counts from the end of the answer before. What a header may take, the connection's byte
        // stream sees to.
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
mod tests {
    use super::*;
    use crate::log::EmbeddedLog;
    use crate::server::context::Gauge;
    use crate::server::forwarded::Peer;
    use crate::server::net::exchange::Exchange;
    use crate::server::net::permits::Permits;
    use crate::server::peer::Address;
    use crate::shutdown::Stop;
    use futures_util::StreamExt;
    use hyper::service::service_fn;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::UnixStream;
    use tokio::task::JoinHandle;
    use warp::reply::Reply;

    /// A panic of the routes, as each path says where.
    async fn faulty(request: hyper::Request<Incoming>) -> Result<Response, Infallible> {
        let body = match request.uri().path() {
            "/answer" => panic!("in the answer"),
            "/body" => futures_util::stream::iter(0..2).map(|n| if n == 0 { Ok::<_, Infallible>("begun") } else { panic!("in the body") }),
            _ => return Ok("fine".into_response()),
        };
        Ok(warp::reply::stream(body).into_response())
    }

    /// Serves the faulty routes.
    fn serve(stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static, exchange: Arc<Exchange>) -> (Stop, JoinHandle<()>) {
        let dir = tempfile::TempDir::new().unwrap();
        let stop = Stop::new();
        let shutdown = stop.shutdown();
        let context = Arc::new(Context::open(Arc::new(EmbeddedLog::open(dir.path()).unwrap().0), shutdown.clone()));
        let guarded = Guarded {
            routes: service_fn(faulty),
            context,
            permit: Permits::new(1, None, Gauge::default()).take(None).unwrap(),
            address: Address::Unknown,
            link: None,
            secure: false,
            peer: Peer::Tcp(None),
            asked: Arc::default(),
            exchange,
        };
        (stop, tokio::spawn(http1(stream, guarded, shutdown)))
    }

    fn ask(path: &str) -> String {
        format!("GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n")
    }

    #[tokio::test(start_paused = true)]
    async fn a_quiet_connection_is_kept_and_a_late_header_is_not() {
        let (mut ours, theirs) = UnixStream::pair().unwrap();
        let io = Io::new(Arc::new(Socket::Unix(theirs)), None, false);
        let exchange = io.exchange();
        let (_stop, served) = serve(io, exchange);
        let answer = async |ours: &mut UnixStream| {
            let mut said = String::new();
            while !said.ends_with("\r\n\r\nfine") {
                let mut bytes = [0; 1024];
                let read = ours.read(&mut bytes).await.unwrap();
                assert!(read > 0, "closed after {said:?}");
                said += std::str::from_utf8(&bytes[..read]).unwrap();
            }
        };
        for quiet in [0, 75, 75] {
            tokio::time::sleep(Duration::from_secs(quiet)).await;
            ours.write_all(ask("/").as_bytes()).await.unwrap();
            answer(&mut ours).await;
        }
        tokio::time::sleep(Duration::from_secs(60)).await;
        let began = tokio::time::Instant::now();
        // A byte now and then gives it no more time.
        for byte in ask("/").bytes().take(12) {
            if ours.write_all(&[byte]).await.is_err() {
                break;
            }
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
        served.await.unwrap();
        assert!((10..=12).contains(&began.elapsed().as_secs()), "{:?}", began.elapsed());
    }

    #[tokio::test]
    async fn a_panic_costs_one_answer() {
        let (mut ours, theirs) = tokio::io::duplex(4096);
        let (_stop, served) = serve(theirs, Arc::default());
        ours.write_all([ask("/answer"), ask("/"), ask("/body")].concat().as_bytes()).await.unwrap();
        let mut said = String::new();
        ours.read_to_string(&mut said).await.unwrap();
        let statuses: Vec<_> = said.split("HTTP/1.1 ").skip(1).map(|answer| &answer[..3]).take(2).collect();
        assert_eq!(statuses, ["500", "200"], "{said}");
        // Whatever of the third had been sent, the chunk that would end it was not.
        assert!(said.contains("\r\n\r\nfine") && !said.ends_with("0\r\n\r\n"), "{said}");
        served.await.unwrap();
    }
}
