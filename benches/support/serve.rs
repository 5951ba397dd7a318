//! The real server over a log, in this process.

use shipslog::log::EventLog;
use shipslog::server::{self, Context, Options};
use std::net::SocketAddr;
use std::sync::Arc;
use tokio::net::TcpListener;
use tokio::sync::watch;

/// Starts it on a free port; it ends when the sender says so.
pub(crate) async fn start(log: Arc<dyn EventLog>) -> (SocketAddr, watch::Sender<bool>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let address = listener.local_addr().expect("an address");
    let (stop, shutdown) = watch::channel(false);
    let context = Arc::new(Context::new(log, shutdown));
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
