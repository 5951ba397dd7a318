//! The fan-out: writes new records straight to the sockets of clients that have everything before them.
//!
//! What clients with the same filter lack from the same position on is gathered once and shared. Links are spread over shards, one
//! task each, which goes through its links a slice at a time. While a pass runs new records gather, so a busy log is sent in larger
//! pieces without a timer.

use super::control::Control;
use super::direct::{Delivery, Link, Standing};
use super::feed::{CHECKPOINT_EVERY, KEEP_ALIVE};
use super::stream::KEEP_ALIVE_FRAME;
use crate::cursor::{LogId, Sequence};
use crate::filter::Filter;
use crate::log::{EventLog, Piece, Scan};
use crate::reader::{Selection, Want};
use crate::server::context::stopping;
use crate::server::net::Socket;
use bytes::{Bytes, BytesMut};
use parking_lot::Mutex;
use slab::Slab;
use std::collections::HashMap;
use std::fmt::Write as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::time::Duration;
use tokio::sync::{Notify, watch};
use tokio::time::Instant;

/// Links served before other tasks have a turn: a write to a local socket takes some 10 µs.
const SLICE: usize = 128;
/// What a client is sent at once, about.
const BATCH_BYTES: usize = 64 * 1024;
/// How often silent clients are looked for.
const TICK: Duration = Duration::from_secs(1);

/// The links that one task serves.
#[derive(Debug)]
pub(in crate::server) struct Shard {
    links: Mutex<Slab<Arc<Link>>>,
    nudge: Notify,
    head: watch::Receiver<Sequence>,
}

impl Shard {
    pub(super) fn add(&self, link: Arc<Link>) -> usize {
        self.links.lock().insert(link)
    }

    pub(super) fn remove(&self, place: usize) {
        self.links.lock().try_remove(place);
    }

    /// After an [`add`](Self::add): the head may have moved while nobody watched for this link.
    pub(super) fn nudge(&self, position: Sequence) {
        if *self.head.borrow() != position {
            self.nudge.notify_one();
        }
    }

    /// Some links, beginning at a place, and the place to go on from.
    fn slice(&self, from: usize) -> (Vec<Arc<Link>>, Option<usize>) {
        let links = self.links.lock();
        let to = from + SLICE;
        // A slab has holes; its places end at its capacity.
        let found = (from..to.min(links.capacity())).filter_map(|place| links.get(place).cloned()).collect();
        (found, (to < links.capacity()).then_some(to))
    }
}

/// All shards of a server.
#[derive(Debug)]
pub(in crate::server) struct FanOut {
    shards: Vec<Arc<Shard>>,
    next: AtomicUsize,
}

impl FanOut {
    /// Starts one task for each worker of the runtime.
    pub(in crate::server) fn start(log: &Arc<dyn EventLog>, shutdown: &watch::Receiver<bool>) -> Self {
        let workers = tokio::runtime::Handle::current().metrics().num_workers();
        let shards = (0..workers).map(|_| {
            let shard = Arc::new(Shard { links: Mutex::default(), nudge: Notify::new(), head: log.watch_head() });
            let courier = Courier { log: Arc::clone(log), id: log.bounds().log, shard: Arc::clone(&shard), batches: HashMap::new() };
            tokio::spawn(courier.run(shutdown.clone()));
            shard
        });
        Self { shards: shards.collect(), next: AtomicUsize::new(0) }
    }

    /// A link for a new connection.
    pub(in crate::server) fn link(&self, socket: &Arc<Socket>) -> Option<Arc<Link>> {
        let at = self.next.fetch_add(1, Relaxed) % self.shards.len().max(1);
        self.shards.get(at).map(|shard| Arc::new(Link::new(Arc::clone(socket), Arc::clone(shard))))
    }
}

/// What clients that stand at one position with one filter are sent next.
#[derive(Debug, Clone)]
struct Batch {
    /// An HTTP/1.1 chunk; empty when nothing passes the filter.
    bytes: Bytes,
    /// Sequence of the last record in it.
    told: Sequence,
    /// Everything up to here is in it or was not wanted.
    upto: Sequence,
}

/// Serves one shard.
struct Courier {
    log: Arc<dyn EventLog>,
    id: LogId,
    shard: Arc<Shard>,
    /// By filter and position, for one head. `None`: only the client's own task can go on from there. A filter is told by its address,
    /// since all clients with an equal one share it; the entry holds it, so that the address is not given to another.
    batches: HashMap<(usize, Sequence), (Arc<Filter>, Option<Batch>)>,
}

/// What all links of a slice are served with.
struct Pass {
    head: Sequence,
    now: Instant,
    /// Also look for clients that have heard nothing for long.
    tick: bool,
}

impl Courier {
    async fn run(mut self, mut shutdown: watch::Receiver<bool>) {
        let mut head = self.shard.head.clone();
        let mut ticks = tokio::time::interval(TICK);
        ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            let tick = tokio::select! {
                moved = head.changed() => { if moved.is_err() { break } false },
                () = self.shard.nudge.notified() => false,
                _ = ticks.tick() => true,
                () = stopping(&mut shutdown) => break,
            };
            while !self.pass(&mut head, tick).await {}
        }
    }

    /// Looks at every link once; whether nothing is left to do.
    async fn pass(&mut self, head: &mut watch::Receiver<Sequence>, tick: bool) -> bool {
        let (mut from, mut done) = (Some(0), true);
        self.batches.clear();
        let mut pass = Pass { head: *head.borrow_and_update(), now: Instant::now(), tick };
        while let Some(at) = from {
            let (links, next) = self.shard.slice(at);
            for link in links {
                done &= self.serve(&link, &pass);
            }
            from = next;
            tokio::task::yield_now().await;
            // Those that come later in the pass get what has come meanwhile.
            if head.has_changed().unwrap_or(false) {
                done = false;
                self.batches.clear();
                pass.head = *head.borrow_and_update();
            }
            pass.now = Instant::now();
        }
        self.batches.clear();
        done
    }

    /// Sends a client what it lacks; whether it is up to date then.
    fn serve(&mut self, link: &Link, pass: &Pass) -> bool {
        let mut current = true;
        let delivery = link.deliver(|standing| {
            if standing.position >= pass.head {
                return Some(if pass.tick { self.sign_of_life(standing, pass.now) } else { Bytes::new() });
            }
            let key = (Arc::as_ptr(&standing.filter) as usize, standing.position);
            let gathered = || (Arc::clone(&standing.filter), gather(&*self.log, standing));
            let batch = self.batches.entry(key).or_insert_with(gathered).1.clone()?;
            standing.position = batch.upto;
            if !batch.bytes.is_empty() {
                (standing.told, standing.spoke) = (batch.told, pass.now);
            }
            current = standing.position >= pass.head;
            Some(batch.bytes)
        });
        current || delivery == Delivery::HandedBack
    }

    fn sign_of_life(&self, standing: &mut Standing, now: Instant) -> Bytes {
        let silent = now.saturating_duration_since(standing.spoke);
        if standing.position > standing.told && silent >= CHECKPOINT_EVERY {
            (standing.told, standing.spoke) = (standing.position, now);
            return chunked(&[Bytes::from(Control::Checkpoint { seq: standing.position }.to_sse(self.id))]);
        }
        if silent < KEEP_ALIVE {
            return Bytes::new();
        }
        standing.spoke = now;
        chunked(&[Bytes::from_static(KEEP_ALIVE_FRAME)])
    }
}

/// What comes after a position, from memory; `None` when it is not all there.
fn gather(log: &dyn EventLog, standing: &Standing) -> Option<Batch> {
    let scan = Scan { filter: Arc::clone(&standing.filter), max_bytes: BATCH_BYTES, ..Scan::default() };
    let want = Want { filter: Arc::clone(&standing.filter), ..Want::default() };
    let chunk = log.recent_after(standing.position, &scan)?;
    let (mut pieces, mut upto, mut told) = (Vec::new(), standing.position, standing.told);
    for piece in chunk.pieces {
        let Piece::Block(block) = piece else { return None };
        let last = block.last();
        if let Some(selection) = Selection::select(block, upto + 1..=last, &want) {
            pieces.extend(selection.runs.iter().map(|run| selection.block.frames(*run.start(), *run.end())));
            told = selection.last();
        }
        upto = last;
    }
    Some(Batch { bytes: if pieces.is_empty() { Bytes::new() } else { chunked(&pieces) }, told, upto: upto.max(chunk.through) })
}

/// As one chunk of a chunked body (RFC 9112, 7.1).
fn chunked(pieces: &[Bytes]) -> Bytes {
    let bytes: usize = pieces.iter().map(Bytes::len).sum();
    let mut chunk = BytesMut::with_capacity(bytes + 12);
    let _ = write!(chunk, "{bytes:X}\r\n");
    for piece in pieces {
        chunk.extend_from_slice(piece);
    }
    chunk.extend_from_slice(b"\r\n");
    chunk.freeze()
}

#[cfg(test)]
mod tests {
    #[test]
    fn chunks_are_as_hyper_would_write_them() {
        let pieces = ["id: 1\n", "data: {}\n\n"].map(|text| bytes::Bytes::from_static(text.as_bytes()));
        assert_eq!(super::chunked(&pieces), "10\r\nid: 1\ndata: {}\n\n\r\n");
    }
}
