//! The real server over a log, in this process.

use shipslog::log::EventLog;
use shipslog::server::{self, Context, Gauge};
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::Instant;
use tokio::net::TcpListener;
use tokio::sync::{Semaphore, watch};

/// Starts it on a free port; it ends when the sender says so.
pub(crate) async fn start(log: Arc<dyn EventLog>) -> (SocketAddr, watch::Sender<bool>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let address = listener.local_addr().expect("an address");
    let (stop, shutdown) = watch::channel(false);
    let context = Arc::new(Context {
        log,
        sources: Vec::new(),
        recorder: Arc::default(),
        shutdown,
        allowed_hosts: Vec::new(),
        started: Instant::now(),
        streams: Gauge::default(),
        connections: Gauge::default(),
        requests: AtomicU64::new(0),
        heavy: Semaphore::new(server::MAX_HEAVY),
    });
    tokio::spawn(server::serve(listener, context, 10_000));
    (address, stop)
}
