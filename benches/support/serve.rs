//! The real server over a log, in this process.

use shipslog::log::EventLog;
use shipslog::server::{self, Admission, Context, Options, Recording};
use shipslog::shutdown::Stop;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Instant;
use tokio::net::TcpListener;

/// Starts it on a free port; it ends when that says so.
pub(crate) async fn start(log: Arc<dyn EventLog>) -> (SocketAddr, Stop) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let address = listener.local_addr().expect("an address");
    let stop = Stop::new();
    let context = Arc::new(Context::new(log, Recording::default(), Admission::default(), Instant::now(), stop.shutdown()));
    tokio::spawn(context.follow());
    tokio::spawn(server::serve(
        listener.into(),
        context,
        Options {
            max_connections: 10_000,
            max_connections_per_address: None,
            tls: None,
            direct_writes: std::env::var_os("SHIPSLOG_NO_DIRECT").is_none(),
        },
    ));
    (address, stop)
}
