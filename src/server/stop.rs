//! Waiting for the end of the server.

use tokio::sync::watch;

/// Comes back when the server is to stop, or nobody is left to say so.
pub(super) async fn stopping(shutdown: &mut watch::Receiver<bool>) {
    let _ = shutdown.wait_for(|stop| *stop).await;
}
