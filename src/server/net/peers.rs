//! A peer that takes nothing of what waits for it is disconnected; one that takes something, however slowly,
//! is not.
//!
//! The kernel has a limit for this, TCP_USER_TIMEOUT, but takes a peer with a small window for one that takes
//! nothing; and that a socket can be written to again it says only when a third of its buffer is free, which
//! at 5 kB/s takes longer than any sensible limit.

use super::diag::Diagnosis;
use super::socket::Socket;
use crate::shutdown::Shutdown;
use parking_lot::Mutex;
use std::net::SocketAddr;
use std::sync::{Arc, Weak};
use std::time::Duration;
use tokio::time::Instant;

/// A peer that acknowledges nothing of what waits for it for this long is disconnected; it resumes by cursor.
pub(in crate::server) const STALLED: Duration = Duration::from_secs(30);
/// How often connections are looked at.
const LOOK: Duration = Duration::from_secs(5);
/// Connections that are looked at before others have their turn; each takes some microseconds.
const AT_A_TIME: usize = 64;

/// The connections of a server that are looked at.
#[derive(Debug)]
pub(in crate::server) struct Peers {
    kernel: Option<Diagnosis>,
    /// Since the last look; no more than there are connections.
    new: Mutex<Vec<Peer>>,
}

/// One of them.
#[derive(Debug)]
struct Peer {
    socket: Weak<Socket>,
    local: SocketAddr,
    remote: SocketAddr,
    acknowledged: u64,
    /// Since when something waits and nothing has been acknowledged.
    since: Option<Instant>,
}

impl Peers {
    /// Looks after connections until `shutdown` says so.
    pub(in crate::server) fn start(shutdown: Shutdown) -> Arc<Self> {
        let kernel = Diagnosis::open().inspect_err(|e| tracing::debug!(error = %e, "the kernel tells nothing of connections")).ok();
        let peers = Arc::new(Self { kernel, new: Mutex::default() });
        let looking = Arc::clone(&peers);
        tokio::spawn(async move {
            let mut known = Vec::new();
            loop {
                tokio::select! {
                    () = tokio::time::sleep(LOOK) => looking.look(&mut known).await,
                    () = shutdown.stopping() => return,
                }
            }
        });
        peers
    }

    /// Looks after a connection from now on; false if the kernel tells nothing of it.
    pub(super) fn watch(&self, socket: &Arc<Socket>) -> bool {
        let Some((local, remote)) = socket.ends() else { return false };
        let Some(acknowledged) = self.kernel.as_ref().and_then(|kernel| kernel.outgoing(local, remote).ok()).map(|o| o.acknowledged) else {
            return false;
        };
        self.new.lock().push(Peer { socket: Arc::downgrade(socket), local, remote, acknowledged, since: None });
        true
    }

    async fn look(&self, known: &mut Vec<Peer>) {
        known.append(&mut self.new.lock());
        for start in (0..known.len()).step_by(AT_A_TIME) {
            let now = Instant::now();
            for peer in known.iter_mut().skip(start).take(AT_A_TIME) {
                self.look_at(peer, now);
            }
            tokio::task::yield_now().await;
        }
        known.retain(|peer| peer.socket.strong_count() > 0);
    }

    fn look_at(&self, peer: &mut Peer, now: Instant) {
        let Some(socket) = peer.socket.upgrade() else { return };
        // One that cannot be asked about is over, or will be: its task finds out.
        let Some(outgoing) = self.kernel.as_ref().and_then(|kernel| kernel.outgoing(peer.local, peer.remote).ok()) else { return };
        if outgoing.waiting == 0 || outgoing.acknowledged > peer.acknowledged {
            peer.acknowledged = outgoing.acknowledged;
            peer.since = None;
        } else if now - *peer.since.get_or_insert(now) >= STALLED {
            tracing::debug!(peer = %peer.remote, "a peer is disconnected because it takes nothing");
            socket.disconnect();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::{ErrorKind, Read as _};
    use std::net::TcpStream;
    use tokio::net::{TcpListener, TcpSocket};

    /// A connection whose buffers are full: what is read of it at a time opens no window that lets a whole
    /// third of ours be sent.
    async fn full() -> (Arc<Socket>, TcpStream) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let socket = TcpSocket::new_v4().unwrap();
        socket.set_recv_buffer_size(4096).unwrap();
        let (accepted, peer) = tokio::join!(listener.accept(), socket.connect(listener.local_addr().unwrap()));
        let ours = Socket::Tcp(accepted.unwrap().0);
        while ours.send(&[0; 16384]).is_ok() {}
        (Arc::new(ours), peer.unwrap().into_std().unwrap())
    }

    fn acknowledged(peers: &Peers, peer: &Peer) -> u64 {
        peers.kernel.as_ref().unwrap().outgoing(peer.local, peer.remote).unwrap().acknowledged
    }

    #[tokio::test(start_paused = true)]
    async fn who_takes_little_stays_and_who_takes_nothing_is_cut() {
        let stop = crate::shutdown::Stop::new();
        let peers = Peers::start(stop.shutdown());
        let (socket, mut theirs) = full().await;
        assert!(peers.watch(&socket));
        let mut known = std::mem::take(&mut *peers.new.lock());
        let is_open = || socket.send(&[]).is_ok();
        for round in 0..20 {
            tokio::time::advance(STALLED.mul_f64(0.9)).await;
            let before = acknowledged(&peers, &known[0]);
            let deadline = std::time::Instant::now() + Duration::from_secs(10);
            while acknowledged(&peers, &known[0]) == before {
                let _ = theirs.read(&mut [0; 1024]);
                assert!(std::time::Instant::now() < deadline, "the kernel sends no more");
            }
            peers.look(&mut known).await;
            assert!(known.len() == 1 && known[0].since.is_none() && is_open(), "round {round}");
        }
        peers.look(&mut known).await;
        tokio::time::advance(STALLED / 2).await;
        peers.look(&mut known).await;
        assert!(is_open(), "nothing is acknowledged, but for too short");
        tokio::time::advance(STALLED / 2).await;
        peers.look(&mut known).await;
        assert!(!is_open(), "it took nothing");
        drop(socket);
        peers.look(&mut known).await;
        assert!(known.is_empty());
        // To the peer it is no end of an answer.
        let deadline = std::time::Instant::now() + Duration::from_secs(10);
        let error = loop {
            match theirs.read(&mut [0; 4096]) {
                Ok(0) => panic!("an end"),
                Err(e) if e.kind() != ErrorKind::WouldBlock => break e,
                _ => assert!(std::time::Instant::now() < deadline, "no reset"),
            }
        };
        assert_eq!(error.kind(), ErrorKind::ConnectionReset);
    }
}
