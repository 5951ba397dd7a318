//! Listener, connections, routes and fan-out together: the one file that knows them all.

use super::context::Context;
use super::forwarded::Peer;
use super::live::fanout::FanOut;
use super::net::{Connections, Listener, Peers, Permits, Refusals, Tls};
use super::routes;
use futures_util::FutureExt as _;
use hyper_util::service::TowerToHyperService;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

/// Wait after an accept that failed, such as for want of file descriptors.
const ACCEPT_RETRY: Duration = Duration::from_millis(100);
/// Wait before a task that has panicked is started again.
const PANIC_RETRY: Duration = Duration::from_secs(1);
/// How long open connections may take to end when the server stops.
const DRAIN: Duration = Duration::from_secs(3);

/// How connections are served.
#[derive(Debug, Clone)]
pub struct Options {
    /// Most connections at a time.
    pub max_connections: usize,
    /// Most of them from one address; of IPv6, from one network of 64 bits. By default a quarter of all, and
    /// from this machine all.
    pub max_connections_per_address: Option<usize>,
    /// Whether new records are written straight to the sockets of plain HTTP/1.1 streams that have everything
    /// before them. Without, each goes through the task of its connection.
    pub direct_writes: bool,
    /// TLS, with HTTP/2 for those who want it.
    pub tls: Option<Arc<Tls>>,
}

/// Does what `make` gives, and again when it panics: a token that is taken away must lose its effect,
/// whatever has happened before. `what` it does, for the message.
async fn tireless<F: Future<Output = ()>>(what: &str, make: impl Fn() -> F) {
    while AssertUnwindSafe(make()).catch_unwind().await.is_err() {
        tracing::error!("the task that {what} has panicked; it is started again");
        tokio::time::sleep(PANIC_RETRY).await;
    }
}

/// Serves until `context.shutdown` says so, then ends the streams and waits for the connections, for a
/// bounded time.
pub async fn serve(listener: Listener, context: Arc<Context>, options: Options) {
    let shutdown = context.shutdown.clone();
    if let Some(tls) = options.tls.clone() {
        let shutdown = shutdown.clone();
        tokio::spawn(tireless("reads certificates again", move || Arc::clone(&tls).follow_files(shutdown.clone())));
    }
    if let Some(access) = context.admission.access.clone() {
        let (failures, until) = (Arc::clone(&access.failures), shutdown.clone());
        tokio::spawn(tireless("tells of failed logins", move || Arc::clone(&failures).follow(until.clone())));
        let shutdown = shutdown.clone();
        tokio::spawn(tireless("reads tokens again", move || Arc::clone(&access).follow_file(shutdown.clone())));
    }
    // TLS has to see every byte, so nobody else may write to such a socket.
    let fan_out = (options.direct_writes && options.tls.is_none()).then(|| FanOut::start(&context.log, &shutdown));
    let refusals = Refusals::new(options.max_connections, options.tls.clone());
    let connections = Connections {
        peers: Peers::start(shutdown.clone()),
        routes: TowerToHyperService::new(warp::service(routes::routes(&context))),
        tls: options.tls,
        context: Arc::clone(&context),
    };
    let permits = Permits::new(options.max_connections, options.max_connections_per_address, context.connections.clone());
    loop {
        let socket = tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok(socket) => Arc::new(socket),
                Err(e) => {
                    tracing::warn!(error = %e, "cannot accept a connection");
                    tokio::time::sleep(ACCEPT_RETRY).await;
                    continue;
                }
            },
            () = shutdown.stopping() => break,
        };
        // A trusted proxy speaks for many, each of whom is counted where it asks.
        let counted = socket.peer().filter(|peer| !context.admission.trusted_proxies.trusts(Peer::Tcp(Some(*peer))));
        match permits.take(counted) {
            Ok(permit) => {
                let link = fan_out.as_ref().and_then(|fan_out| fan_out.link(&socket));
                connections.start(socket, permit, link);
            }
            Err(why) => refusals.refuse(socket, why),
        }
    }
    drop(listener);
    if tokio::time::timeout(DRAIN, permits.all_free()).await.is_err() {
        tracing::info!(server.connections = context.connections.get(), "connections were still open at shutdown; they are ended");
    }
    if let Some(fan_out) = &fan_out {
        fan_out.ended().await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicU32, Ordering};

    #[tokio::test(start_paused = true)]
    async fn a_task_that_panics_is_started_again() {
        let begun = AtomicU32::new(0);
        tireless("is tried", || async {
            assert!(begun.fetch_add(1, Ordering::Relaxed) == 2, "not yet");
        })
        .await;
        assert_eq!(begun.load(Ordering::Relaxed), 3);
    }
}
