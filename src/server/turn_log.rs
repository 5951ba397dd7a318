//! The log as one request sees it: of the Docker hosts of which it may be told, and each read of its files
//! takes a [turn](super::turns).

use super::asker::{Asker, Party};
use super::turns::Turns;
use crate::cursor::{Cursor, LogId, Sequence};
use crate::filter::Hosts;
use crate::log::{Bounds, Chunk, EventLog, Held, LogError, NewRecord, Packed, Scan, TrimStep, WriterState};
use crate::time::Timestamp;
use async_trait::async_trait;
use std::ops::RangeInclusive;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;
use tokio::sync::watch;

/// One request's way to the log.
pub(super) struct TurnLog {
    log: Arc<dyn EventLog>,
    turns: Arc<Turns>,
    party: Party,
    hosts: Option<Hosts>,
    /// Time that this request's reads have taken; in microseconds.
    used: AtomicU64,
}

impl TurnLog {
    pub(super) fn new(log: Arc<dyn EventLog>, turns: Arc<Turns>, asker: &Asker) -> Self {
        Self { log, turns, party: asker.party(), hosts: asker.hosts().cloned(), used: AtomicU64::new(0) }
    }

    async fn in_turn<T>(&self, read: impl Future<Output = T>) -> T {
        let turn = self.turns.take(self.party, Duration::from_micros(self.used.load(Relaxed))).await;
        let done = read.await;
        self.used.fetch_add(u64::try_from(turn.took().as_micros()).unwrap_or(u64::MAX), Relaxed);
        done
    }
}

#[async_trait]
impl EventLog for TurnLog {
    async fn append(&self, records: Vec<NewRecord>) -> Result<RangeInclusive<Sequence>, LogError> {
        self.log.append(records).await
    }

    async fn read_after(&self, after: Sequence, scan: &Scan) -> Result<Chunk, LogError> {
        if let Some(chunk) = self.log.recent_after(after, scan) {
            return Ok(chunk);
        }
        self.in_turn(self.log.read_after(after, scan)).await
    }

    fn recent_after(&self, after: Sequence, scan: &Scan) -> Option<Chunk> {
        self.log.recent_after(after, scan)
    }

    async fn packed_after(&self, after: Sequence, until: Sequence) -> Result<Option<Packed>, LogError> {
        self.in_turn(self.log.packed_after(after, until)).await
    }

    async fn read_before(&self, before: Sequence, scan: &Scan) -> Result<Chunk, LogError> {
        self.in_turn(self.log.read_before(before, scan)).await
    }

    fn hold(&self, range: &RangeInclusive<Sequence>) -> Held {
        self.log.hold(range)
    }

    async fn read_held(&self, held: &Held, after: Sequence, scan: &Scan) -> Result<Chunk, LogError> {
        if let Some(chunk) = self.log.recent_after(after, scan) {
            return Ok(chunk);
        }
        self.in_turn(self.log.read_held(held, after, scan)).await
    }

    async fn seek_time(&self, time: Timestamp) -> Result<Sequence, LogError> {
        self.in_turn(self.log.seek_time(time)).await
    }

    fn hosts(&self) -> Option<&Hosts> {
        self.hosts.as_ref()
    }

    fn bounds(&self) -> Bounds {
        self.log.bounds()
    }

    fn owns(&self, cursor: Cursor) -> bool {
        self.log.owns(cursor)
    }

    fn ancestors(&self) -> Vec<(LogId, Sequence)> {
        self.log.ancestors()
    }

    fn watch_head(&self) -> watch::Receiver<Sequence> {
        self.log.watch_head()
    }

    fn watch_writer(&self) -> watch::Receiver<WriterState> {
        self.log.watch_writer()
    }

    fn watch_sealed(&self) -> Option<watch::Receiver<Sequence>> {
        self.log.watch_sealed()
    }

    fn missing(&self) -> Vec<RangeInclusive<Sequence>> {
        self.log.missing()
    }

    fn disk_bytes(&self) -> u64 {
        self.log.disk_bytes()
    }

    fn settled_bytes(&self) -> u64 {
        self.log.settled_bytes()
    }

    async fn trim(&self, before: Sequence) -> Result<Sequence, LogError> {
        self.log.trim(before).await
    }

    fn next_trim(&self) -> Option<TrimStep> {
        self.log.next_trim()
    }

    async fn close(&self) -> Result<(), LogError> {
        self.log.close().await
    }
}
