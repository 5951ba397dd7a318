//! The writer: one thread that turns whatever has queued into one durable block after the other.

use super::block::{Block, BlockBuilder, BlockRecord};
use super::chain::{self, ChainValue};
use super::codec::{Encoder, StoredRecord};
use super::identity::{Identity, RESERVE, Watermark};
use super::index::IndexEntry;
use super::shelf::Shelf;
use super::tip::MAX_VALUE_BYTES;
use super::{LogError, NewRecord, WriterState};
use crate::cursor::{LogId, Sequence};
use crate::time::Timestamp;
use std::ops::RangeInclusive;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::{mpsc, oneshot, watch};

/// Most records in a block.
pub(super) const MAX_BLOCK_RECORDS: usize = 512;
/// A block ends with the record that takes it to this many bytes; one record is at most about 1 MiB.
pub(super) const MAX_BLOCK_BYTES: usize = 1024 * 1024;
/// Appends that may wait for the writer.
pub(super) const QUEUE: usize = 256;
/// How old the watermark on the disk may be.
const WATERMARK_SYNC: Duration = Duration::from_secs(1);

/// Answer to an append.
pub(super) type Appended = Result<RangeInclusive<Sequence>, LogError>;

/// What the writer is asked to do.
#[derive(Debug)]
pub(super) enum Request {
    Append(Vec<NewRecord>, oneshot::Sender<Appended>),
    Trim(Sequence, oneshot::Sender<Result<Sequence, LogError>>),
    Close(oneshot::Sender<Result<(), LogError>>),
}

/// The writer's state. Owned by its thread.
#[derive(Debug)]
pub(super) struct Writer {
    pub(super) log: LogId,
    pub(super) dir: PathBuf,
    pub(super) shelf: Arc<Shelf>,
    pub(super) identity: Identity,
    pub(super) watermark: Watermark,
    pub(super) next: Sequence,
    pub(super) chain: ChainValue,
    pub(super) last_received: Timestamp,
    pub(super) head: watch::Sender<Sequence>,
    pub(super) state: watch::Sender<WriterState>,
}

impl Writer {
    /// Works until it is told to close or nobody can ask any more.
    pub(super) async fn run(mut self, mut requests: mpsc::Receiver<Request>) {
        let mut synced = (self.next - 1, Instant::now());
        loop {
            let wait = WATERMARK_SYNC.saturating_sub(synced.1.elapsed()).max(Duration::from_millis(1));
            match tokio::time::timeout(wait, requests.recv()).await {
                Ok(Some(Request::Append(records, reply))) => {
                    let after = self.append_group(records, reply, &mut requests);
                    if let Some(Request::Close(reply)) = self.serve(after) {
                        let _ = reply.send(self.close());
                        return;
                    }
                }
                Ok(Some(request)) => {
                    if let Some(Request::Close(reply)) = self.serve(Some(request)) {
                        let _ = reply.send(self.close());
                        return;
                    }
                }
                Ok(None) => {
                    let _ = self.close();
                    return;
                }
                Err(_) => {}
            }
            if synced.1.elapsed() >= WATERMARK_SYNC {
                if synced.0 != self.next - 1
                    && self.is_ok()
                    && let Err(e) = self.watermark.sync()
                {
                    self.poison(&e);
                }
                synced = (self.next - 1, Instant::now());
            }
        }
    }

    /// Serves what is not an append; a close is handed back.
    fn serve(&mut self, request: Option<Request>) -> Option<Request> {
        match request {
            Some(Request::Trim(before, reply)) => {
                let _ = reply.send(self.trim(before));
                None
            }
            other => other,
        }
    }

    fn is_ok(&self) -> bool {
        *self.state.borrow() == WriterState::Ok
    }

    /// Commits an append together with all appends that have queued behind it. Returns the first other request met.
    fn append_group(
        &mut self,
        mut records: Vec<NewRecord>,
        reply: oneshot::Sender<Appended>,
        requests: &mut mpsc::Receiver<Request>,
    ) -> Option<Request> {
        let mut waiting = vec![(records.len(), reply)];
        let mut other = None;
        while records.len() < MAX_BLOCK_RECORDS {
            match requests.try_recv() {
                Ok(Request::Append(more, reply)) => {
                    waiting.push((more.len(), reply));
                    records.extend(more);
                }
                Ok(request) => {
                    other = Some(request);
                    break;
                }
                Err(_) => break,
            }
        }
        let first = self.next;
        let result = self.append(&records);
        let mut start = first;
        for (count, reply) in waiting {
            let end = start + count as Sequence;
            let answer = match &result {
                Err(e) if end > self.next => Err(e.clone()),
                _ => Ok(start..=end.saturating_sub(1)),
            };
            let _ = reply.send(answer);
            start = end;
        }
        other
    }

    /// Commits records in as few blocks as the limits allow.
    fn append(&mut self, records: &[NewRecord]) -> Result<(), LogError> {
        let mut rest = records;
        while !rest.is_empty() {
            if let WriterState::Poisoned(why) = &*self.state.borrow() {
                return Err(LogError::Poisoned(why.clone()));
            }
            match self.commit(rest) {
                Ok(done) => rest = rest.get(done..).unwrap_or_default(),
                Err(e) => {
                    self.poison(&e);
                    return Err(e);
                }
            }
        }
        Ok(())
    }

    /// Commits one block of the first of `records`: durable, then visible. Returns how many it took.
    fn commit(&mut self, records: &[NewRecord]) -> Result<usize, LogError> {
        let mut encoder = Encoder::default();
        let mut builder = BlockBuilder::new(self.log, self.next, 64 * 1024);
        let mut chain = self.chain;
        let mut received = self.last_received;
        for record in records.iter().take(MAX_BLOCK_RECORDS) {
            let view = record.event.view();
            received = received.max(record.received);
            let time = view.time.unwrap_or(received);
            let (kind, json) = (view.kind.as_deref().unwrap_or(""), record.event.as_json());
            encoder.push(&StoredRecord {
                time: time.nanos(),
                received: received.nanos(),
                source: &record.source,
                kind,
                action: view.action.as_deref().unwrap_or(""),
                actor_id: view.actor_id.as_deref().unwrap_or(""),
                json,
            })?;
            let line = builder.push(&BlockRecord { time, received, source: &record.source, kind, json });
            chain = chain::next(&chain, line.as_bytes());
            if builder.bytes().max(encoder.raw_bytes()) >= MAX_BLOCK_BYTES {
                break;
            }
        }
        let count = builder.len();
        let (header, value) = encoder.finish(self.next, (self.chain, chain), MAX_VALUE_BYTES)?;
        self.reserve(header.last())?;
        self.shelf.tip.commit(header.first, &value)?;
        self.watermark.write(header.last())?;
        self.next = header.last() + 1;
        self.chain = chain;
        self.last_received = received;
        self.publish(IndexEntry::from(&header), builder.finish());
        Ok(count)
    }

    fn publish(&self, entry: IndexEntry, block: Block) {
        self.shelf.push(entry, Arc::new(block));
        self.head.send_replace(entry.last);
    }

    /// Sees to it that `last` is reserved on disk before it is used.
    fn reserve(&mut self, last: Sequence) -> Result<(), LogError> {
        if last <= self.identity.reserved {
            return Ok(());
        }
        self.identity.reserved = last + RESERVE;
        self.identity.write(&self.dir)
    }

    /// Out of sight first, then recorded, then removed: a crash in between leaves blocks that the next trim takes.
    fn trim(&mut self, before: Sequence) -> Result<Sequence, LogError> {
        if let WriterState::Poisoned(why) = &*self.state.borrow() {
            return Err(LogError::Poisoned(why.clone()));
        }
        let gone = self.shelf.trim(before);
        if let Some(last) = gone.last() {
            self.identity.trimmed = last.last + 1;
            let blocks: Vec<_> = gone.iter().map(|e| (e.first, e.parts)).collect();
            let result = self.identity.write(&self.dir).and_then(|()| self.shelf.tip.remove(&blocks));
            if let Err(e) = result {
                self.poison(&e);
                return Err(e);
            }
        }
        Ok(self.shelf.bounds().oldest)
    }

    fn poison(&self, error: &LogError) {
        tracing::error!(error = %error, "the log takes no more records until restart; reads go on");
        self.state.send_replace(WriterState::Poisoned(error.to_string()));
    }

    fn close(&mut self) -> Result<(), LogError> {
        if let WriterState::Poisoned(why) = &*self.state.borrow() {
            return Err(LogError::Poisoned(why.clone()));
        }
        self.watermark.sync()?;
        self.identity.clean_head = Some(self.next - 1);
        self.identity.write(&self.dir)
    }
}
