//! Over a cap: told so, and to come back.

use super::io::Io;
use super::places::Refused;
use super::tls::Tls;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::sync::Semaphore;

/// Connections that are being told so at a time; more are closed without a word.
const MAX_REFUSALS: usize = 256;
/// How long that may take.
const PATIENCE: Duration = Duration::from_secs(2);
/// What is read of a request that is not going to be served.
const MAX_REQUEST_BYTES: u64 = 64 * 1024;

/// Those who are being told.
#[derive(Debug)]
pub(super) struct Refusals(Arc<Semaphore>);

impl Refusals {
    /// They are open files too, so there are fewer of them than places for connections.
    pub(super) fn new(max_connections: usize) -> Self {
        Self(Arc::new(Semaphore::new((max_connections / 4).clamp(1, MAX_REFUSALS))))
    }

    /// Says so and closes, unless there are too many even to be told.
    pub(super) fn refuse(&self, io: Io, why: Refused, tls: Option<Arc<Tls>>) {
        let Ok(slot) = Arc::clone(&self.0).try_acquire_owned() else { return };
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

/// A client takes an answer only to what it has asked, so its request comes first; and all of it is read before the end, since closing a
/// socket with unread bytes in it would reset the connection and take the answer with it.
async fn tell(mut stream: impl AsyncRead + AsyncWrite + Unpin, why: Refused) -> std::io::Result<()> {
    let mut first = [0; 4096];
    let _ = stream.read(&mut first).await?;
    stream.write_all(answer(why).as_bytes()).await?;
    stream.shutdown().await?;
    tokio::io::copy(&mut stream.take(MAX_REQUEST_BYTES), &mut tokio::io::sink()).await.map(|_| ())
}

fn answer(why: Refused) -> String {
    let body =
        serde_json::json!({ "type": "about:blank", "title": "Service Unavailable", "status": 503, "detail": why.detail() }).to_string();
    format!(
        "HTTP/1.1 503 Service Unavailable\r\nRetry-After: 2\r\nConnection: close\r\nContent-Type: application/problem+json\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    )
}
