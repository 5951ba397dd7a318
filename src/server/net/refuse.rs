//! Connections over a cap, which are told so, and when to come back.

use super::io::Io;
use super::permits::Refused;
use super::socket::Socket;
use super::tls::Tls;
use crate::server::docker::Target;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::sync::Semaphore;

/// Connections that are told so at one time; more are closed without a word.
const MAX_REFUSALS: usize = 256;
/// A client that was told keeps its place until it closes, and a browser opens six connections at once:
/// where few connections are allowed, the next one is to be told all the same.
const MIN_REFUSALS: usize = 16;
/// How long that may take.
const PATIENCE: Duration = Duration::from_secs(2);
/// What is read of a request that is not going to be served.
const MAX_REQUEST_BYTES: u64 = 64 * 1024;

/// The connections that are being told.
#[derive(Debug)]
pub(in crate::server) struct Refusals {
    slots: Arc<Semaphore>,
    tls: Option<Arc<Tls>>,
}

impl Refusals {
    /// They are open files too, so where permits for connections are many, there are fewer of them.
    pub(in crate::server) fn new(max_connections: usize, tls: Option<Arc<Tls>>) -> Self {
        Self { slots: Arc::new(Semaphore::new((max_connections / 4).clamp(MIN_REFUSALS, MAX_REFUSALS))), tls }
    }

    /// Says so and closes, unless there are too many even to be told.
    pub(in crate::server) fn refuse(&self, socket: Arc<Socket>, why: Refused) {
        let Ok(slot) = Arc::clone(&self.slots).try_acquire_owned() else { return };
        let (io, tls) = (Io::new(socket, None, false), self.tls.clone());
        tokio::spawn(async move {
            let told = async {
                match tls {
                    Some(tls) => tell(tls.accept_http1(io).await?, why).await,
                    None => tell(io, why).await,
                }
            };
            let _ = tokio::time::timeout(PATIENCE, told).await;
            drop(slot);
        });
    }
}

/// A client takes an answer only to what it has asked, so its request comes first; and all of it is read
/// before the end, since closing a socket with unread bytes in it would reset the connection and take the
/// answer with it.
async fn tell(mut stream: impl AsyncRead + AsyncWrite + Unpin, why: Refused) -> std::io::Result<()> {
    let mut first = [0; 4096];
    let read = stream.read(&mut first).await?;
    stream.write_all(answer(why, content_type(first.get(..read).unwrap_or_default())).as_bytes()).await?;
    stream.shutdown().await?;
    tokio::io::copy(&mut stream.take(MAX_REQUEST_BYTES), &mut tokio::io::sink()).await.map(|_| ())
}

/// What the client of this request knows as an error: Docker's look for plain JSON.
fn content_type(request: &[u8]) -> &'static str {
    let target = request.split(|b| *b == b' ').nth(1).and_then(|target| std::str::from_utf8(target).ok()).unwrap_or("");
    let path = target.split('?').next().unwrap_or("");
    if Target::of(path).is_some() { "application/json" } else { "application/problem+json" }
}

fn answer(why: Refused, content_type: &str) -> String {
    let (title, detail) = ("Service Unavailable", why.detail());
    let body = serde_json::json!({ "type": "about:blank", "title": title, "status": 503, "detail": detail, "message": detail }).to_string();
    format!(
        "HTTP/1.1 503 Service Unavailable\r\nRetry-After: 2\r\nConnection: close\r\nContent-Type: {content_type}\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::net::UnixStream;

    #[test]
    fn some_are_told_however_few_are_served_and_never_more_than_the_bound() {
        let told = |max_connections| Refusals::new(max_connections, None).slots.available_permits();
        assert_eq!([0, 4, 100, 1024, 100_000].map(told), [MIN_REFUSALS, MIN_REFUSALS, 25, 256, MAX_REFUSALS]);
    }

    async fn ask(mut stream: UnixStream) -> (UnixStream, String) {
        stream.write_all(b"GET / HTTP/1.1\r\n\r\n").await.unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        (stream, answer)
    }

    #[tokio::test]
    async fn those_over_the_bound_are_closed_without_a_word() {
        let refusals = Refusals::new(1, None);
        let connect = || {
            let (ours, theirs) = UnixStream::pair().unwrap();
            refusals.refuse(Arc::new(Socket::Unix(ours)), Refused::Full);
            theirs
        };
        // Those that were told and do not close keep their places, and those that ask nothing do.
        let mut held = Vec::new();
        for _ in 0..MIN_REFUSALS - 1 {
            let (stream, answer) = ask(connect()).await;
            assert!(answer.starts_with("HTTP/1.1 503"), "{answer}");
            held.push(stream);
        }
        let last = connect();
        let mut answer = String::new();
        connect().read_to_string(&mut answer).await.unwrap();
        assert_eq!(answer, "", "all places are taken");
        let (_last, answer) = ask(last).await;
        assert!(answer.starts_with("HTTP/1.1 503"), "{answer}");
    }
}
