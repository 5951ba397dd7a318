//! The embedded log: a directory that one process owns.

use super::commit::helper::CommitHelper;
use super::commit::request::{QUEUE, Request};
use super::commit::{Writer, WriterParts, batch};
use super::compact::sealer::Sealer;
use super::dir::durable::io;
use super::dir::lineage::Lineage;
use super::dir::scratch::ScratchCopy;
use super::read::catalog::Catalog;
use super::recover::{self, Found};
use super::{
    Bounds, Chunk, EventLog, Follow, Held, Limits, LogError, NewRecord, Packed, Recovery, Resume, Scan, SealedFrame, SealedSegment,
    TrimStep, WriterState,
};
use crate::chain::ChainValue;
use crate::cursor::{Cursor, LogId, MAX_SEQUENCE, Sequence};
use crate::time::Timestamp;
use async_trait::async_trait;
use std::collections::VecDeque;
use std::ops::RangeInclusive;
use std::path::Path;
use std::sync::Arc;
use tokio::sync::{Semaphore, mpsc, oneshot, watch};

/// The default [`EventLog`]: a sled tip and sealed segments in `<data>/log/`.
#[derive(Debug)]
pub struct EmbeddedLog {
    catalog: Arc<Catalog>,
    requests: mpsc::Sender<Request>,
    head: watch::Receiver<Sequence>,
    state: watch::Receiver<WriterState>,
    /// Reads of the disk at a time, at most.
    turns: Semaphore,
    /// Of a log that is only read: the senders that nobody uses, and what goes when it is closed.
    _read_only: Option<(watch::Sender<Sequence>, watch::Sender<WriterState>, Vec<ScratchCopy>)>,
}

impl EmbeddedLog {
    /// Opens or creates the log in `data_dir`, and starts its writer. On a full disk a log that is there
    /// opens as well: it can be read, and its writer is [`WriterState::Full`] until there is room.
    ///
    /// # Errors
    /// [`LogError::InUse`], [`LogError::NewerFormat`], or a file operation that failed. Damage does not keep
    /// a log from opening; [`Recovery`] tells of it.
    pub fn open(data_dir: &Path) -> Result<(Self, Recovery), LogError> {
        Self::open_with(data_dir, Limits::default())
    }

    /// As [`EmbeddedLog::open`], with other limits.
    ///
    /// # Errors
    /// As [`EmbeddedLog::open`].
    pub fn open_with(data_dir: &Path, limits: Limits) -> Result<(Self, Recovery), LogError> {
        let found = recover::open(data_dir, None)?;
        let recovery = found.recovery.clone();
        Ok((Self::start(found, limits)?, recovery))
    }

    /// Opens or creates the log of a follower.
    pub(super) fn open_follower(data_dir: &Path, follow: &Follow, limits: Limits) -> Result<(Self, Resume, Recovery), LogError> {
        if !(1..=MAX_SEQUENCE).contains(&follow.first) {
            return Err(LogError::Refused(format!("no log begins with the record {}", follow.first)));
        }
        let found = recover::open(data_dir, Some(follow))?;
        let (recovery, tail, any) = (found.recovery.clone(), &found.tail, found.tail.next > follow.first);
        let received = any.then_some(tail.last_received);
        let resume = Resume { next: tail.next, chain: tail.chain, received, place: found.place };
        Ok((Self::start(found, limits)?, resume, recovery))
    }

    fn start(found: Found, limits: Limits) -> Result<Self, LogError> {
        let Found { dir, manifest, watermark, catalog, tail, waiting, full, .. } = found;
        let catalog = Arc::new(catalog);
        let (head, head_receiver) = watch::channel(catalog.bounds().head);
        let (state, state_receiver) = watch::channel(full.map_or(WriterState::Ok, |why| {
            tracing::error!(error = why, "the disk is full; nothing is recorded until there is room, reads continue");
            WriterState::Full(why)
        }));
        let (requests, inbox) = mpsc::channel(QUEUE);
        let sealer = Sealer::start(Arc::clone(&catalog), &dir, limits)?;
        let (mut waiting, mut full_tips) = (VecDeque::from(waiting), VecDeque::new());
        if catalog.follower {
            full_tips = std::mem::take(&mut waiting);
        }
        for tip in waiting {
            sealer.seal(vec![tip]);
        }
        let helper = CommitHelper::start(catalog.log).map_err(io("cannot start a thread for", &dir))?;
        let parts =
            WriterParts { dir, manifest, watermark, tail, catalog: Arc::clone(&catalog), sealer, helper, limits, full_tips, head, state };
        spawn_writer(Writer::new(parts), inbox)?;
        Ok(Self { catalog, requests, head: head_receiver, state: state_receiver, turns: turns(), _read_only: None })
    }

    /// Opens the log in `data_dir` for reading: a copy, a backup, a directory on a read-only disk. Nothing in
    /// it is changed.
    ///
    /// # Errors
    /// When there is no log.
    pub fn open_read_only(data_dir: &Path) -> Result<Self, LogError> {
        let (catalog, copies) = recover::open_read_only(data_dir)?;
        let (head, head_receiver) = watch::channel(catalog.bounds().head);
        let (state, state_receiver) = watch::channel(WriterState::ReadOnly);
        // Without a receiver: an append finds the log closed.
        let (requests, _) = mpsc::channel(1);
        Ok(Self {
            catalog: Arc::new(catalog),
            requests,
            head: head_receiver,
            state: state_receiver,
            turns: turns(),
            _read_only: Some((head, state, copies)),
        })
    }

    pub(super) fn lineage(&self) -> &Lineage {
        &self.catalog.lineage
    }

    pub(super) async fn ask<T>(&self, request: Request, answer: oneshot::Receiver<Result<T, LogError>>) -> Result<T, LogError> {
        let gone = || match &*self.state.borrow() {
            WriterState::Poisoned(why) => LogError::Poisoned(why.clone()),
            _ => LogError::Closed,
        };
        self.requests.send(request).await.map_err(|_| gone())?;
        answer.await.map_err(|_| gone())?
    }
}

/// Two reads a processor: one may wait for the disk while another unpacks.
fn turns() -> Semaphore {
    Semaphore::new(2 * std::thread::available_parallelism().map_or(1, usize::from))
}

/// The writer blocks on the disk, so it has a thread of its own; the small runtime in it is for waiting with
/// a timeout.
fn spawn_writer(writer: Writer, inbox: mpsc::Receiver<Request>) -> Result<(), LogError> {
    let path = writer.dir().to_owned();
    let io = |doing| {
        let path = path.clone();
        move |e| LogError::Io { doing, path, source: Arc::new(e) }
    };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().map_err(io("cannot start a runtime for"))?;
    let writing = move || runtime.block_on(writer.run(inbox));
    std::thread::Builder::new().name("log-writer".to_owned()).spawn(writing).map(|_| ()).map_err(io("cannot start the writer of"))
}

#[async_trait]
impl EventLog for EmbeddedLog {
    async fn append(&self, records: Vec<NewRecord>) -> Result<RangeInclusive<Sequence>, LogError> {
        batch::check_sizes(&records)?;
        if self.catalog.follower {
            return Err(LogError::Refused("a follower's log takes the records of its stream only".to_owned()));
        }
        let (reply, answer) = oneshot::channel();
        self.ask(Request::Append(records, reply), answer).await
    }

    async fn read_after(&self, after: Sequence, scan: &Scan) -> Result<Chunk, LogError> {
        if let Some(chunk) = self.recent_after(after, scan) {
            return Ok(chunk);
        }
        let scan = scan.clone();
        self.on_disk(move |catalog| catalog.read_after(after, &scan)).await
    }

    fn recent_after(&self, after: Sequence, scan: &Scan) -> Option<Chunk> {
        self.catalog.recent_after(after, scan)
    }

    async fn packed_after(&self, after: Sequence, until: Sequence) -> Result<Option<Packed>, LogError> {
        // The tips hold another form: no need to ask the disk.
        if self.catalog.segments().last().is_none_or(|segment| segment.last() <= after) {
            return Ok(None);
        }
        self.on_disk(move |catalog| catalog.packed_after(after, until)).await
    }

    async fn chain_around(&self, seq: Sequence) -> Result<Option<(ChainValue, ChainValue)>, LogError> {
        self.on_disk(move |catalog| catalog.chain_around(seq)).await
    }

    async fn sealed_after(&self, after: Sequence) -> Result<Option<SealedFrame>, LogError> {
        // At the head there is nothing to ask the disk for.
        if *self.catalog.watch_sealed().borrow() <= after {
            return Ok(None);
        }
        self.on_disk(move |catalog| catalog.sealed_after(after)).await
    }

    async fn read_before(&self, before: Sequence, scan: &Scan) -> Result<Chunk, LogError> {
        let scan = scan.clone();
        self.on_disk(move |catalog| catalog.read_before(before, &scan)).await
    }

    fn hold(&self, range: &RangeInclusive<Sequence>) -> Held {
        self.catalog.hold(range)
    }

    async fn read_held(&self, held: &Held, after: Sequence, scan: &Scan) -> Result<Chunk, LogError> {
        let (held, scan) = (held.clone(), scan.clone());
        self.on_disk(move |catalog| catalog.read_held(&held, after, &scan)).await
    }

    async fn seek_time(&self, time: Timestamp) -> Result<Sequence, LogError> {
        self.on_disk(move |catalog| catalog.seek_time(time)).await
    }

    fn bounds(&self) -> Bounds {
        self.catalog.bounds()
    }

    fn owns(&self, cursor: Cursor) -> bool {
        self.catalog.lineage.owns(cursor)
    }

    fn ancestors(&self) -> Vec<(LogId, Sequence)> {
        self.catalog.lineage.parts().1
    }

    fn watch_head(&self) -> watch::Receiver<Sequence> {
        self.head.clone()
    }

    fn watch_writer(&self) -> watch::Receiver<WriterState> {
        self.state.clone()
    }

    fn watch_sealed(&self) -> Option<watch::Receiver<Sequence>> {
        Some(self.catalog.watch_sealed())
    }

    fn missing(&self) -> Vec<RangeInclusive<Sequence>> {
        self.catalog.missing()
    }

    fn disk_bytes(&self) -> u64 {
        self.catalog.disk_bytes()
    }

    fn settled_bytes(&self) -> u64 {
        self.catalog.settled_bytes()
    }

    async fn trim(&self, before: Sequence) -> Result<Sequence, LogError> {
        let (reply, answer) = oneshot::channel();
        self.ask(Request::Trim(before, reply), answer).await
    }

    fn next_trim(&self) -> Option<TrimStep> {
        self.catalog.next_trim()
    }

    async fn close(&self) -> Result<(), LogError> {
        let (reply, answer) = oneshot::channel();
        self.ask(Request::Close(reply), answer).await
    }
}

impl EmbeddedLog {
    /// The oldest sealed segment that holds records after `after`.
    pub fn sealed_segment_after(&self, after: Sequence) -> Option<SealedSegment> {
        self.catalog.segments().iter().find(|segment| segment.last() > after).map(|segment| SealedSegment::of(Arc::clone(segment)))
    }

    /// Whether the id `log` ends with the record `last`, after which the log goes on under another one.
    pub fn id_ends(&self, log: LogId, last: Sequence) -> bool {
        self.catalog.lineage.parts().1.contains(&(log, last))
    }

    /// Runs a read that may touch the disk on the blocking pool.
    async fn on_disk<T: Send + 'static>(&self, read: impl FnOnce(&Catalog) -> Result<T, LogError> + Send + 'static) -> Result<T, LogError> {
        let catalog = Arc::clone(&self.catalog);
        // After a restart everybody reads at once. Few at a time find what the one before has read still in
        // memory.
        let _turn = self.turns.acquire().await;
        tokio::task::spawn_blocking(move || read(&catalog)).await.map_err(|e| LogError::Internal(format!("a read panicked: {e}")))?
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::log::testing::contract::records;
    use crate::log::testing::directory::drop_and_wait;
    use std::time::Duration;

    #[tokio::test]
    async fn a_writer_that_panics_poisons_the_log_and_leaves_it_readable() {
        let dir = tempfile::tempdir().unwrap();
        let (log, _) = EmbeddedLog::open(dir.path()).unwrap();
        log.append(records(1..=3)).await.unwrap();
        let (mut head, mut writer) = (log.watch_head(), log.watch_writer());
        head.mark_unchanged();
        log.requests.send(Request::Panic).await.unwrap();
        writer.wait_for(|state| matches!(state, WriterState::Poisoned(_))).await.unwrap();
        assert!(matches!(log.append(records(4..=4)).await, Err(LogError::Poisoned(_))));
        assert!(matches!(log.close().await, Err(LogError::Poisoned(_))));
        assert_eq!(log.read_after(0, &Scan::default()).await.unwrap().through, 3);
        // A follower keeps waiting.
        assert!(tokio::time::timeout(Duration::from_millis(50), head.changed()).await.is_err());
        drop_and_wait(log, dir.path()).await;
        let (log, recovery) = EmbeddedLog::open(dir.path()).unwrap();
        assert_eq!((log.bounds().head, recovery.lost.len()), (3, 0));
    }
}
