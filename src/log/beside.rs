//! What readers need and durability does not: the wire form with its hash chain, and sled's copy of a block. A thread of its own makes
//! them while the writer packs and the disk syncs.

use super::LogError;
use super::block::{Block, BlockBuilder, BlockRecord};
use super::chain::{self, ChainValue};
use super::pack::{Batch, Cut};
use super::tip::Tip;
use crate::cursor::{LogId, Sequence};
use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::JoinHandle;

/// Less than this is done on the spot, sooner than a thread is woken; bytes.
const SMALL: usize = 8 * 1024;
/// Jobs that may wait: at a time there is one commit and what the one before left to keep.
const JOBS: usize = 2;

/// The writer's second pair of hands.
#[derive(Debug)]
pub(super) struct Beside {
    log: LogId,
    jobs: Option<SyncSender<Job>>,
    kept: Receiver<Result<(), LogError>>,
    keeping: bool,
    thread: Option<JoinHandle<()>>,
}

#[derive(Debug)]
enum Job {
    LayOut(Work, SyncSender<(Block, ChainValue)>),
    Keep(Arc<Tip>, Stored),
}

/// Stored blocks and the sequences with which they begin.
pub(super) type Stored = Vec<(Sequence, Vec<u8>)>;

/// Blocks of a batch that are to be laid out.
#[derive(Debug)]
struct Work {
    log: LogId,
    batch: Arc<Batch>,
    cuts: VecDeque<Cut>,
    next: Sequence,
    chain: ChainValue,
}

impl Iterator for Work {
    type Item = (Block, ChainValue);

    /// The next block's wire form, and the chain's value behind it.
    fn next(&mut self) -> Option<Self::Item> {
        let cut = self.cuts.pop_front()?;
        let mut builder = BlockBuilder::new(self.log, self.next, cut.bytes);
        for (record, received) in self.batch.records(&cut) {
            let line = builder.push(&BlockRecord {
                time: record.event.fields().time.unwrap_or(received),
                received,
                source: &record.source,
                noise: record.event.noise(),
                json: record.event.as_json(),
            });
            self.chain = chain::next(&self.chain, line.as_bytes());
        }
        let block = builder.finish();
        self.next = block.last() + 1;
        Some((block, self.chain))
    }
}

/// Blocks that are being laid out, in order.
#[derive(Debug)]
pub(super) struct LaidOut(Place);

#[derive(Debug)]
enum Place {
    Here(Work),
    There(Receiver<(Block, ChainValue)>),
}

impl LaidOut {
    /// The next block and the chain's value behind it. Waits for it.
    pub(super) fn next(&mut self) -> Result<(Block, ChainValue), LogError> {
        match &mut self.0 {
            Place::Here(work) => work.next(),
            Place::There(blocks) => blocks.recv().ok(),
        }
        .ok_or_else(gone)
    }
}

fn gone() -> LogError {
    LogError::Damaged("the thread that lays records out has ended".to_owned())
}

impl Beside {
    /// Starts the thread, for a writer of `log`.
    pub(super) fn start(log: LogId) -> std::io::Result<Self> {
        let (jobs, inbox) = sync_channel(JOBS);
        let (done, kept) = sync_channel(1);
        let thread = std::thread::Builder::new().name("log-layout".to_owned()).spawn(move || work(&inbox, &done))?;
        Ok(Self { log, jobs: Some(jobs), kept, keeping: false, thread: Some(thread) })
    }

    fn send(&self, job: Job) -> Result<(), LogError> {
        self.jobs.as_ref().and_then(|jobs| jobs.send(job).ok()).ok_or_else(gone)
    }

    /// Begins to lay blocks out, the first of which begins with `first` and has `chain` before it.
    pub(super) fn lay_out(&self, batch: &Arc<Batch>, cuts: &[Cut], first: Sequence, chain: ChainValue) -> Result<LaidOut, LogError> {
        let work = Work { log: self.log, batch: Arc::clone(batch), cuts: VecDeque::from(cuts.to_vec()), next: first, chain };
        if cuts.iter().map(|cut| cut.bytes).sum::<usize>() < SMALL {
            return Ok(LaidOut(Place::Here(work)));
        }
        let (blocks, laid_out) = sync_channel(work.cuts.len());
        self.send(Job::LayOut(work, blocks))?;
        Ok(LaidOut(Place::There(laid_out)))
    }

    /// Gives sled what is durable already. [`Beside::settle`] tells how that ended.
    pub(super) fn keep(&mut self, tip: &Arc<Tip>, blocks: Stored) -> Result<(), LogError> {
        self.settle()?;
        if blocks.iter().map(|(_, value)| value.len()).sum::<usize>() < SMALL {
            return keep(tip, &blocks);
        }
        self.send(Job::Keep(Arc::clone(tip), blocks))?;
        self.keeping = true;
        Ok(())
    }

    /// Waits until sled has everything that it was to get.
    pub(super) fn settle(&mut self) -> Result<(), LogError> {
        if !std::mem::take(&mut self.keeping) {
            return Ok(());
        }
        self.kept.recv().unwrap_or_else(|_| Err(gone()))
    }
}

impl Drop for Beside {
    /// The thread may hold a tip, whose files are to be let go of.
    fn drop(&mut self) {
        self.jobs = None;
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

fn work(jobs: &Receiver<Job>, kept: &SyncSender<Result<(), LogError>>) {
    while let Ok(job) = jobs.recv() {
        match job {
            // Where nobody waits any more, the commit has failed.
            Job::LayOut(mut work, blocks) => drop(work.try_for_each(|block| blocks.send(block))),
            Job::Keep(tip, blocks) => {
                let result = keep(&tip, &blocks);
                drop(tip);
                let _ = kept.send(result);
            }
        }
    }
}

fn keep(tip: &Tip, blocks: &Stored) -> Result<(), LogError> {
    blocks.iter().try_for_each(|(first, value)| tip.keep(*first, value))
}
