//! The writer: one thread that turns whatever has queued into one durable block after the other. Nobody else
//! appends to a log, and no block is shown to readers before the journal has it on the disk.

pub(super) mod batch;
mod follow;
pub(super) mod helper;
mod last_words;
pub(super) mod request;
mod rotate;
mod trim;

use super::compact::sealer::Sealer;
use super::dir::free_space;
use super::dir::manifest::{Manifest, RESERVE};
use super::dir::watermark::Watermark;
use super::read::catalog::Catalog;
use super::tip::index::IndexEntry;
use super::tip::sled_store::MAX_VALUE_BYTES;
use super::tip::{Tail, Tip};
use super::{Limits, LogError, NewRecord, WriterState, recover};
use crate::cursor::Sequence;
use batch::{Batch, BlockRange, MAX_BLOCK_RECORDS};
use helper::CommitHelper;
use last_words::LastWords;
use request::{Appended, Request, poll_briefly, stand_back};
use std::collections::VecDeque;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::{mpsc, oneshot, watch};

/// How old the watermark on the disk may be.
const WATERMARK_SYNC: Duration = Duration::from_secs(1);

/// What a writer is made of.
#[derive(Debug)]
pub(super) struct WriterParts {
    /// Where the log lies.
    pub(super) dir: PathBuf,
    pub(super) manifest: Manifest,
    pub(super) watermark: Watermark,
    /// Where it continues.
    pub(super) tail: Tail,
    pub(super) catalog: Arc<Catalog>,
    pub(super) sealer: Sealer,
    pub(super) helper: CommitHelper,
    pub(super) limits: Limits,
    /// Of a follower: tips that are to be sealed, oldest first.
    pub(super) full_tips: VecDeque<Arc<Tip>>,
    /// The last sequence that readers see.
    pub(super) head: watch::Sender<Sequence>,
    pub(super) state: watch::Sender<WriterState>,
}

/// The writer's state. Owned by its thread.
#[derive(Debug)]
pub(super) struct Writer {
    dir: PathBuf,
    catalog: Arc<Catalog>,
    sealer: Sealer,
    limits: Limits,
    manifest: Manifest,
    watermark: Watermark,
    tail: Tail,
    /// Of a follower: full tips whose segment is not complete yet, oldest first.
    full_tips: VecDeque<Arc<Tip>>,
    /// A write to the tip failed for want of space.
    tip_failed: bool,
    helper: CommitHelper,
    /// A block that is durable and visible, and that sled is still to get: the caller that waits for its
    /// commit does not wait for that.
    unsettled: Option<(Sequence, Vec<u8>)>,
    head: watch::Sender<Sequence>,
    state: watch::Sender<WriterState>,
}

impl Writer {
    pub(super) fn new(parts: WriterParts) -> Self {
        let WriterParts { dir, manifest, watermark, tail, catalog, sealer, helper, limits, full_tips, head, state } = parts;
        let tip_failed = tail.unusable;
        Self { dir, catalog, sealer, limits, manifest, watermark, tail, full_tips, tip_failed, helper, unsettled: None, head, state }
    }

    /// Where the log lies.
    pub(super) fn dir(&self) -> &Path {
        &self.dir
    }

    /// Works until it is told to close or nobody can ask any more.
    pub(super) async fn run(mut self, mut requests: mpsc::Receiver<Request>) {
        let _last_words = LastWords(self.head.clone(), self.state.clone());
        let mut synced = (self.tail.next - 1, Instant::now());
        let mut busy = false;
        loop {
            let wait = WATERMARK_SYNC.saturating_sub(synced.1.elapsed()).max(Duration::from_millis(1));
            let next = match busy.then(|| poll_briefly(&mut requests)).flatten() {
                Some(request) => Ok(Some(request)),
                None => tokio::time::timeout(wait, requests.recv()).await,
            };
            busy = next.is_ok();
            match next {
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
                Err(_) => self.idle(),
            }
            if synced.1.elapsed() >= WATERMARK_SYNC {
                if synced.0 != self.tail.next - 1
                    && self.is_ok()
                    && let Err(e) = self.watermark.sync()
                {
                    self.poison(&e);
                }
                synced = (self.tail.next - 1, Instant::now());
            }
        }
    }

    /// What is due while nothing is asked.
    fn idle(&mut self) {
        self.settle();
        let state = self.state.borrow().clone();
        match state {
            WriterState::Ok => self.rotate(),
            WriterState::Full(_) => drop(self.check_room()),
            WriterState::Poisoned(_) | WriterState::ReadOnly => {}
        }
    }

    /// Serves what is not an append; a close is handed back.
    fn serve(&mut self, request: Option<Request>) -> Option<Request> {
        match request {
            Some(Request::AppendAt(first, records, reply)) => {
                let _ = reply.send(self.append_at(first, records));
                self.hand_over();
                None
            }
            Some(Request::Trim(before, reply)) => {
                let _ = reply.send(self.trim(before));
                None
            }
            #[cfg(test)]
            Some(Request::Panic) => panic!("as asked"),
            other => other,
        }
    }

    fn is_ok(&self) -> bool {
        *self.state.borrow() == WriterState::Ok
    }

    /// Commits an append together with all appends that have queued after it. Returns the first other
    /// request met.
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
        let first = self.tail.next;
        let result = self.append(records);
        let mut start = first;
        for (count, reply) in waiting {
            let end = start + count as Sequence;
            let answer = match &result {
                Err(LogError::Full { why, .. }) if end > self.tail.next => {
                    let stored = usize::try_from(self.tail.next.saturating_sub(start)).unwrap_or(0).min(count);
                    Err(LogError::Full { why: why.clone(), stored })
                }
                Err(e) if end > self.tail.next => Err(e.clone()),
                _ => Ok(start..=end.saturating_sub(1)),
            };
            let _ = reply.send(answer);
            start = end;
        }
        if requests.is_empty() {
            stand_back();
        }
        self.hand_over();
        other
    }

    /// Lets sled get what is durable already. Should sled fail, readers find it in the journal.
    fn hand_over(&mut self) {
        if let (Some((first, value)), Some(tip)) = (self.unsettled.take(), &self.tail.tip) {
            let kept = self.helper.keep(tip, first, value);
            self.kept(kept);
        }
    }

    /// Waits until sled has it.
    fn settle(&mut self) {
        self.hand_over();
        let kept = self.helper.settle();
        self.kept(kept);
    }

    fn kept(&mut self, result: Result<(), LogError>) {
        match result {
            Ok(()) => {}
            Err(e) if e.is_full() => self.tip_failed = true,
            Err(e) => self.poison(&e),
        }
    }

    /// Commits records in as few blocks as the limits allow.
    fn append(&mut self, records: Vec<NewRecord>) -> Result<(), LogError> {
        let batch = Arc::new(Batch::new(records, self.tail.last_received));
        let told = self.manifest.holes == self.tail.holes;
        self.commit_all(&batch)?;
        if !told {
            self.remember_holes();
        }
        Ok(())
    }

    fn commit_all(&mut self, batch: &Arc<Batch>) -> Result<(), LogError> {
        for range in batch.blocks() {
            self.check_poison()?;
            self.check_room()?;
            self.enter_segment()?;
            match self.commit(batch, range) {
                Ok(()) => self.rotate(),
                Err(e) if e.is_full() => {
                    // Other writers took the room that was there. sled takes nothing more after that, so a
                    // new tip must.
                    self.tip_failed = true;
                    return Err(self.full(e.to_string()));
                }
                Err(e) => {
                    self.poison(&e);
                    return Err(e);
                }
            }
        }
        Ok(())
    }

    fn check_poison(&self) -> Result<(), LogError> {
        match &*self.state.borrow() {
            WriterState::Poisoned(why) => Err(LogError::Poisoned(why.clone())),
            _ => Ok(()),
        }
    }

    /// Stops writing while the disk is nearly full, and continues when there is room again.
    fn check_room(&mut self) -> Result<(), LogError> {
        let stopped = !self.is_ok();
        match free_space::check(&self.dir, stopped) {
            Err(LogError::Full { why, .. }) => return Err(self.full(why)),
            Err(e) => return Err(e),
            Ok(()) => {}
        }
        self.note_start()?;
        if self.tip_failed {
            self.replace_tip()?;
        }
        if stopped {
            tracing::info!("the disk has room again; recording continues");
            self.state.send_replace(WriterState::Ok);
        }
        Ok(())
    }

    /// Makes up for what there was no room for when the log was opened.
    fn note_start(&mut self) -> Result<(), LogError> {
        if !self.tail.unnoted {
            return Ok(());
        }
        match recover::note_start(&self.dir, &self.watermark, self.tail.next - 1, &self.manifest) {
            Ok(()) => {
                self.tail.unnoted = false;
                Ok(())
            }
            Err(e) if e.is_full() => Err(self.full(e.to_string())),
            Err(e) => {
                self.poison(&e);
                Err(e)
            }
        }
    }

    fn full(&self, why: String) -> LogError {
        if self.is_ok() {
            tracing::error!(error = why, "the disk is full; recording pauses until there is room, reads continue");
        }
        self.state.send_if_modified(|state| {
            let new = WriterState::Full(why.clone());
            let changed = *state != new;
            *state = new;
            changed
        });
        LogError::Full { why, stored: 0 }
    }

    /// Commits a block of a batch: durable, then visible.
    fn commit(&mut self, batch: &Arc<Batch>, range: &BlockRange) -> Result<(), LogError> {
        let laid_out = self.helper.lay_out(batch, range, self.tail.next, self.tail.chain)?;
        let (header, value) = batch.compress(range)?.finish(self.tail.next, self.tail.chain, MAX_VALUE_BYTES)?;
        self.reserve(header.last())?;
        self.hand_over();
        self.tail.tip.as_ref().ok_or(LogError::Closed)?.commit(&value)?;
        // While the disk synced, this has got ready.
        let (block, chain) = laid_out.get()?;
        self.watermark.write(header.last())?;
        self.unsettled = Some((header.first, value));
        self.tail.next = header.last() + 1;
        self.tail.chain = chain;
        self.tail.last_received = batch.last_received(range).unwrap_or(header.received.1);
        self.tail.fill.add(&header);
        self.tail.fill.began.get_or_insert_with(Instant::now);
        self.catalog.push(IndexEntry::from(&header), Arc::new(block));
        self.head.send_replace(header.last());
        Ok(())
    }

    /// Once records tell of what is missing, it is no longer news.
    fn remember_holes(&mut self) {
        if self.manifest.holes != self.tail.holes {
            self.manifest.holes.clone_from(&self.tail.holes);
            if let Err(e) = self.manifest.write(&self.dir) {
                self.poison(&e);
            }
        }
    }

    /// Sees to it that `last` is reserved on disk before it is used.
    fn reserve(&mut self, last: Sequence) -> Result<(), LogError> {
        if last <= self.manifest.reserved {
            return Ok(());
        }
        let manifest = Manifest { reserved: last + RESERVE, ..self.manifest.clone() };
        manifest.write(&self.dir)?;
        self.manifest = manifest;
        Ok(())
    }

    fn poison(&self, error: &LogError) {
        tracing::error!(error = %error, "the log takes no more records until restart; reads continue");
        self.state.send_replace(WriterState::Poisoned(error.to_string()));
    }

    fn close(&mut self) -> Result<(), LogError> {
        self.settle();
        self.check_poison()?;
        if self.tail.unnoted {
            // Nothing was recorded, and the last stop is still the last one.
            return Ok(());
        }
        // The journal has everything; this makes the other copy whole.
        for tip in self.catalog.all_tips() {
            if let Err(e) = tip.flush() {
                tracing::warn!(store.tip = %tip.dir().display(), error = %e, "the second copy of the newest records is not whole on the disk; the first one is");
            }
        }
        self.watermark.sync()?;
        self.manifest.clean_head = Some(self.tail.next - 1);
        self.manifest.write(&self.dir)
    }
}
