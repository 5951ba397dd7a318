//! The accept loop: one task a connection, hyper under warp's routes.
//!
//! Not `warp::serve`, which has no way to set TCP_NODELAY, header limits and timeouts, or a connection cap.

mod guard;
mod io;
mod socket;

pub(super) use guard::check_origin;
pub(super) use socket::Socket;

use super::context::{Context, StreamGuard, stopping};
use super::live::direct::Link;
use super::live::fanout::FanOut;
use super::routes;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::Service;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use socket2::SockRef;
use std::convert::Infallible;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use warp::reply::{Reply, Response};

/// A request's header must be whole by then.
const HEADER_TIMEOUT: Duration = Duration::from_secs(10);
/// What hyper may buffer for a connection, each way.
const MAX_BUFFER_BYTES: usize = 64 * 1024;
/// What the kernel may buffer towards a client. Left to itself it may take megabytes for one that reads slowly.
const SEND_BUFFER_BYTES: usize = 256 * 1024;
/// A peer that acknowledges nothing for this long is gone.
const DEAD_PEER: Duration = Duration::from_secs(30);
/// Wait after an accept that failed, such as for want of file descriptors.
const ACCEPT_RETRY: Duration = Duration::from_millis(100);
/// How long open connections may take to end when the server stops.
const DRAIN: Duration = Duration::from_secs(3);

/// Connections over the cap that are being told so at a time.
const MAX_REFUSALS: usize = 256;

/// How connections are served.
#[derive(Debug, Clone, Copy)]
pub struct Options {
    /// Most connections at a time.
    pub max_connections: usize,
    /// Whether new records are written straight to the sockets of plain HTTP/1.1 streams that have everything before them. Without,
    /// each goes through the task of its connection.
    pub direct_writes: bool,
}

/// Over the connection cap: said in plain bytes, without a task for it.
const BUSY: &[u8] = b"HTTP/1.1 503 Service Unavailable\r\nRetry-After: 2\r\nConnection: close\r\nContent-Type: application/problem+json\r\nContent-Length: 121\r\n\r\n\
{\"type\":\"about:blank\",\"title\":\"Service Unavailable\",\"status\":503,\"detail\":\"too many connections (see --max-connections)\"}";

/// Serves until `context.shutdown` turns true, then ends the streams and waits for the connections, for a bounded time.
pub async fn serve(listener: TcpListener, context: Arc<Context>, options: Options) {
    let Options { max_connections, .. } = options;
    let slots = Arc::new(Semaphore::new(max_connections));
    let routes = TowerToHyperService::new(warp::service(routes::routes(&context)));
    let refusals = Arc::new(Semaphore::new(MAX_REFUSALS));
    let mut shutdown = context.shutdown.clone();
    let fan_out = options.direct_writes.then(|| FanOut::start(&context.log, &context.shutdown));
    loop {
        let stream = tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) => stream,
                Err(e) => {
                    tracing::warn!(error = %e, "cannot accept a connection");
                    tokio::time::sleep(ACCEPT_RETRY).await;
                    continue;
                }
            },
            () = stopping(&mut shutdown) => break,
        };
        let Ok(slot) = Arc::clone(&slots).try_acquire_owned() else {
            refuse(stream, &refusals);
            continue;
        };
        tune(&stream);
        let slot = Slot(Arc::new((slot, context.connections.enter())));
        let socket = Arc::new(Socket::Tcp(stream));
        let link = fan_out.as_ref().and_then(|fan_out| fan_out.link(&socket));
        let service = Guarded { routes: routes.clone(), context: Arc::clone(&context), slot, link: link.clone() };
        tokio::spawn(connection(io::Io::new(socket, link), service, context.shutdown.clone()));
    }
    drop(listener);
    let everyone = u32::try_from(max_connections).unwrap_or(u32::MAX);
    if tokio::time::timeout(DRAIN, slots.acquire_many(everyone)).await.is_err() {
        tracing::info!(server.connections = context.connections.get(), "connections were still open at shutdown; they are cut");
    }
}

/// Socket options; one that cannot be set costs comfort, not correctness.
fn tune(stream: &TcpStream) {
    let socket = SockRef::from(stream);
    let _ = socket.set_tcp_nodelay(true);
    let _ = socket.set_send_buffer_size(SEND_BUFFER_BYTES);
    let _ = socket.set_tcp_user_timeout(Some(DEAD_PEER));
    let _ = socket.set_keepalive(true);
}

/// Says so and closes, unless there are too many even to be told. A client takes an answer only to what it has asked, so its
/// request comes first; and all of it is read before the end, since closing a socket with unread bytes in it would
/// reset the connection and take the answer with it.
fn refuse(mut stream: TcpStream, refusals: &Arc<Semaphore>) {
    let Ok(slot) = Arc::clone(refusals).try_acquire_owned() else { return };
    tokio::spawn(async move {
        let farewell = async {
            stream.peek(&mut [0]).await?;
            stream.write_all(BUSY).await?;
            stream.shutdown().await?;
            tokio::io::copy(&mut stream.take(MAX_BUFFER_BYTES as u64), &mut tokio::io::sink()).await
        };
        let _ = tokio::time::timeout(Duration::from_secs(1), farewell).await;
        drop(slot);
    });
}

/// A place among the connections that may be open. A WebSocket keeps it beyond the end of its HTTP connection.
#[derive(Debug, Clone)]
pub(in crate::server) struct Slot(#[expect(dead_code, reason = "held, not read")] Arc<(OwnedSemaphorePermit, StreamGuard)>);

async fn connection<S>(io: io::Io, service: Guarded<S>, mut shutdown: tokio::sync::watch::Receiver<bool>)
where
    S: Service<hyper::Request<Incoming>, Response = Response, Error = Infallible> + Send + 'static,
    S::Future: Send + 'static,
{
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEADER_TIMEOUT)
        .max_buf_size(MAX_BUFFER_BYTES)
        .serve_connection(TokioIo::new(io), service)
        .with_upgrades();
    tokio::pin!(connection);
    let ended = tokio::select! {
        ended = connection.as_mut() => ended,
        () = stopping(&mut shutdown) => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(e) = ended {
        tracing::debug!(error = %e, "a connection ended with an error");
    }
}

/// warp's routes behind [`guard::check`].
struct Guarded<S> {
    routes: S,
    context: Arc<Context>,
    slot: Slot,
    link: Option<Arc<Link>>,
}

impl<S> Service<hyper::Request<Incoming>> for Guarded<S>
where
    S: Service<hyper::Request<Incoming>, Response = Response, Error = Infallible>,
    S::Future: Send + 'static,
{
    type Response = Response;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Response, Infallible>> + Send>>;

    fn call(&self, mut request: hyper::Request<Incoming>) -> Self::Future {
        self.context.requests.fetch_add(1, Ordering::Relaxed);
        if let Err(error) = guard::check(&request, &self.context.allowed_hosts) {
            return Box::pin(async move { Ok(secure(error.into_response())) });
        }
        request.extensions_mut().insert(self.slot.clone());
        // Direct writes are chunks, which older clients do not know (RFC 9112, 7.1), and no body follows a HEAD.
        if let Some(link) =
            self.link.as_ref().filter(|_| request.version() == hyper::Version::HTTP_11 && request.method() == hyper::Method::GET)
        {
            request.extensions_mut().insert(Arc::clone(link));
        }
        let answer = self.routes.call(request);
        Box::pin(async move { answer.await.map(secure) })
    }
}

/// Headers that every answer carries.
fn secure(mut response: Response) -> Response {
    use warp::http::{HeaderValue, header};
    let headers = response.headers_mut();
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(header::REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    response
}

#[cfg(test)]
mod tests {
    #[test]
    fn busy_answer_is_whole() {
        let text = std::str::from_utf8(super::BUSY).unwrap();
        let (head, body) = text.split_once("\r\n\r\n").unwrap();
        assert!(head.contains(&format!("Content-Length: {}", body.len())), "{}", body.len());
        serde_json::from_str::<serde_json::Value>(body).unwrap();
    }
}
