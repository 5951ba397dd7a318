//! The fan-out: writes new records straight to the sockets of clients that have everything before them.
//!
//! Links are spread over shards, one thread each, which goes through its links a slice at a time. While a
//! pass runs new records gather, so a busy log is sent in larger pieces without a timer.

use super::batches::{Batches, Pass};
use crate::cursor::Sequence;
use crate::log::EventLog;
use crate::server::net::{Delivery, Link, Shard, Socket};
use crate::shutdown::Shutdown;
use parking_lot::Mutex;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::thread::JoinHandle;
use std::time::Duration;
use tokio::sync::watch;
use tokio::time::Instant;

/// Links served before the head is looked at again: a write to a local socket takes some 10 µs.
const SLICE: usize = 128;
/// Threads that write to clients, at most: each makes about a million writes in four seconds.
const MAX_SHARDS: usize = 8;
/// How often silent clients are looked for.
const TICK: Duration = Duration::from_secs(1);

/// All shards of a server.
#[derive(Debug)]
pub(in crate::server) struct FanOut {
    shards: Vec<Arc<Shard>>,
    threads: Mutex<Vec<JoinHandle<()>>>,
    next: AtomicUsize,
}

impl FanOut {
    /// Starts a thread for each worker of the runtime. Not a task: hundreds that replay history would all
    /// have their turn before it, and those who keep up would wait.
    pub(in crate::server) fn start(log: &Arc<dyn EventLog>, shutdown: &Shutdown) -> Self {
        let workers = tokio::runtime::Handle::current().metrics().num_workers().min(MAX_SHARDS);
        let started = (0..workers).map_while(|_| match Courier::start(log, shutdown.clone()) {
            Ok(started) => Some(started),
            Err(e) => {
                tracing::warn!(error = %e, "cannot start a thread for direct writes");
                None
            }
        });
        let (shards, threads) = started.unzip();
        Self { shards, threads: Mutex::new(threads), next: AtomicUsize::new(0) }
    }

    /// Waits for the threads, which end when the server stops: they hold the log.
    pub(in crate::server) async fn ended(&self) {
        let threads = std::mem::take(&mut *self.threads.lock());
        let _ = tokio::task::spawn_blocking(|| threads.into_iter().for_each(|thread| drop(thread.join()))).await;
    }

    /// A link for a new connection.
    pub(in crate::server) fn link(&self, socket: &Arc<Socket>) -> Option<Arc<Link>> {
        let at = self.next.fetch_add(1, Relaxed) % self.shards.len().max(1);
        self.shards.get(at).map(|shard| Arc::new(Link::new(Arc::clone(socket), Arc::clone(shard))))
    }
}

/// Serves one shard.
struct Courier {
    shard: Arc<Shard>,
    /// Those that are lent. One that has been taken back is let go of at the next look.
    links: Vec<Arc<Link>>,
    batches: Batches,
    /// When silent clients are looked for again.
    next_tick: Instant,
}

impl Courier {
    /// Starts a thread that serves a new shard.
    fn start(log: &Arc<dyn EventLog>, shutdown: Shutdown) -> std::io::Result<(Arc<Shard>, JoinHandle<()>)> {
        let shard = Arc::new(Shard::new(log.watch_head()));
        let batches = Batches::new(Arc::clone(log));
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build()?;
        let served = Arc::clone(&shard);
        let work =
            move || runtime.block_on(Self { shard: served, links: Vec::new(), batches, next_tick: Instant::now() + TICK }.run(shutdown));
        Ok((shard, std::thread::Builder::new().name("fan-out".to_owned()).spawn(work)?))
    }

    async fn run(mut self, shutdown: Shutdown) {
        let mut head = self.shard.head();
        loop {
            let watching = !self.links.is_empty();
            self.shard.set_idle(!watching);
            if watching || !self.shard.has_arrivals() {
                tokio::select! {
                    moved = head.changed(), if watching => if moved.is_err() { break },
                    () = tokio::time::sleep_until(self.next_tick), if watching => {}
                    () = self.shard.nudged() => {}
                    () = shutdown.stopping() => break,
                }
            }
            while !self.pass(&mut head).await && !shutdown.is_stopping() {}
        }
        // Each task ends its own stream.
        self.shard.take_arrivals(&mut self.links);
        for link in &self.links {
            link.deliver(|_| None);
        }
    }

    /// Looks at every link once; whether nothing is left to do.
    async fn pass(&mut self, head: &mut watch::Receiver<Sequence>) -> bool {
        // The head first: a link that arrives after the look at the arrivals has seen this head, or one that
        // will be seen as a change.
        let mut pass = Pass { head: *head.borrow_and_update(), now: Instant::now(), tick: false };
        self.shard.take_arrivals(&mut self.links);
        // In each pass, since under load one follows the other without a rest.
        if pass.now >= self.next_tick {
            (pass.tick, self.next_tick) = (true, pass.now + TICK);
        }
        let (mut at, mut done) = (0, true);
        while at < self.links.len() {
            for _ in 0..SLICE {
                let Some(link) = self.links.get(at) else { break };
                let (delivery, current) = self.batches.serve_or_disconnect(link, &pass);
                if delivery == Delivery::HandedBack {
                    self.links.swap_remove(at);
                } else {
                    done &= current;
                    at += 1;
                }
            }
            tokio::task::yield_now().await;
            // Those that come later in the pass get what has come meanwhile.
            if head.has_changed().unwrap_or(false) {
                done = false;
                self.batches.forget();
                pass.head = *head.borrow_and_update();
            }
            pass.now = Instant::now();
        }
        self.batches.forget();
        done
    }
}
