//! A log that stands before another one and does a thing of its own.

use crate::chain::ChainValue;
use crate::cursor::{Cursor, LogId, Sequence};
use crate::filter::Hosts;
use crate::log::{Bounds, Chunk, EventLog, Held, LogError, NewRecord, Packed, Scan, SealedFrame, TrimStep, WriterState};
use crate::time::Timestamp;
use async_trait::async_trait;
use std::ops::RangeInclusive;
use std::sync::Arc;
use tokio::sync::watch;

/// What a stand-in does of its own.
#[async_trait]
pub(crate) trait Twist: Send + Sync + 'static {
    /// Why the log does not take these records.
    fn refuses(&self, _: &[NewRecord]) -> Option<LogError> {
        None
    }
    /// Comes after each read upwards.
    async fn has_read(&self) {}
    /// Whether it answers from memory.
    fn answers_at_once(&self) -> bool {
        true
    }
    /// How far the log goes for who waits for more.
    fn head(&self) -> Option<watch::Receiver<Sequence>> {
        None
    }
    /// What the log says of its writer.
    fn writer(&self) -> Option<watch::Receiver<WriterState>> {
        None
    }
}

/// The other log, and the twist.
pub(crate) struct StandIn<T>(pub(crate) Arc<dyn EventLog>, pub(crate) T);

#[async_trait]
impl<T: Twist> EventLog for StandIn<T> {
    async fn append(&self, records: Vec<NewRecord>) -> Result<RangeInclusive<Sequence>, LogError> {
        match self.1.refuses(&records) {
            Some(why) => Err(why),
            None => self.0.append(records).await,
        }
    }
    async fn read_after(&self, after: Sequence, scan: &Scan) -> Result<Chunk, LogError> {
        let chunk = self.0.read_after(after, scan).await;
        self.1.has_read().await;
        chunk
    }
    fn recent_after(&self, after: Sequence, scan: &Scan) -> Option<Chunk> {
        if self.1.answers_at_once() { self.0.recent_after(after, scan) } else { None }
    }
    async fn packed_after(&self, after: Sequence, until: Sequence) -> Result<Option<Packed>, LogError> {
        self.0.packed_after(after, until).await
    }
    async fn chain_around(&self, seq: Sequence) -> Result<Option<(ChainValue, ChainValue)>, LogError> {
        self.0.chain_around(seq).await
    }
    async fn sealed_after(&self, after: Sequence) -> Result<Option<SealedFrame>, LogError> {
        self.0.sealed_after(after).await
    }
    async fn read_before(&self, before: Sequence, scan: &Scan) -> Result<Chunk, LogError> {
        self.0.read_before(before, scan).await
    }
    fn hold(&self, range: &RangeInclusive<Sequence>) -> Held {
        self.0.hold(range)
    }
    async fn read_held(&self, held: &Held, after: Sequence, scan: &Scan) -> Result<Chunk, LogError> {
        let chunk = self.0.read_held(held, after, scan).await;
        self.1.has_read().await;
        chunk
    }
    async fn seek_time(&self, time: Timestamp) -> Result<Sequence, LogError> {
        self.0.seek_time(time).await
    }
    fn hosts(&self) -> Option<&Hosts> {
        self.0.hosts()
    }
    fn bounds(&self) -> Bounds {
        self.0.bounds()
    }
    fn owns(&self, cursor: Cursor) -> bool {
        self.0.owns(cursor)
    }
    fn ancestors(&self) -> Vec<(LogId, Sequence)> {
        self.0.ancestors()
    }
    fn watch_head(&self) -> watch::Receiver<Sequence> {
        self.1.head().unwrap_or_else(|| self.0.watch_head())
    }
    fn watch_writer(&self) -> watch::Receiver<WriterState> {
        self.1.writer().unwrap_or_else(|| self.0.watch_writer())
    }
    fn watch_sealed(&self) -> Option<watch::Receiver<Sequence>> {
        self.0.watch_sealed()
    }
    fn missing(&self) -> Vec<RangeInclusive<Sequence>> {
        self.0.missing()
    }
    fn disk_bytes(&self) -> u64 {
        self.0.disk_bytes()
    }
    fn settled_bytes(&self) -> u64 {
        self.0.settled_bytes()
    }
    async fn trim(&self, before: Sequence) -> Result<Sequence, LogError> {
        self.0.trim(before).await
    }
    fn next_trim(&self) -> Option<TrimStep> {
        self.0.next_trim()
    }
    async fn close(&self) -> Result<(), LogError> {
        self.0.close().await
    }
}
