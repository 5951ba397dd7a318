//! What readers need and durability does not: the wire form with its hash chain, and sled's copy of a block.
//! A thread of its own makes them while the writer packs and the disk syncs.

use super::batch::{Batch, BatchRecord, BlockRange};
use crate::cursor::{LogId, Sequence};
use crate::event::RecordParts;
use crate::log::LogError;
use crate::log::record::block::{Block, BlockBuilder};
use crate::log::record::chain::{self, ChainValue};
use crate::log::tip::{Tip, sled_store};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::thread::JoinHandle;
use std::time::Duration;

/// Less than this is done on the spot, sooner than a thread is woken; bytes.
const SMALL: usize = 8 * 1024;
/// Jobs that may wait: at a time there is one commit and what the one before left to keep.
const JOBS: usize = 2;
/// Without a job for so long, the thread gives back what it holds for the next one.
const REST: Duration = Duration::from_secs(5);

/// The writer's second pair of hands.
#[derive(Debug)]
pub(in crate::log) struct CommitHelper {
    log: LogId,
    jobs: Option<SyncSender<Job>>,
    kept: Receiver<Result<(), LogError>>,
    keeping: bool,
    thread: Option<JoinHandle<()>>,
}

#[derive(Debug)]
enum Job {
    LayOut(Work, SyncSender<(Block, ChainValue)>),
    Keep(Arc<Tip>, Sequence, Vec<u8>),
}

/// A block that is to be laid out.
#[derive(Debug)]
struct Work {
    log: LogId,
    batch: Arc<Batch>,
    range: BlockRange,
    first: Sequence,
    chain: ChainValue,
}

impl Work {
    /// The wire form, and the chain's value after it.
    fn done(self) -> (Block, ChainValue) {
        let mut builder = BlockBuilder::new(self.log, self.first, self.range.bytes);
        let chain = self.batch.records(&self.range).fold(self.chain, |chain, BatchRecord { record, time, received, followed }| {
            let line = builder.push(&RecordParts {
                time,
                received,
                source: &record.source,
                origin: followed.map(|(origin, _)| origin.parts()),
                marks: record.event.marks(),
                json: record.event.as_json(),
            });
            chain::next(&chain, line.as_bytes())
        });
        (builder.finish(), chain)
    }
}

/// A block that is being laid out.
#[derive(Debug)]
pub(in crate::log) enum LaidOut {
    Here(Block, ChainValue),
    There(Receiver<(Block, ChainValue)>),
}

impl LaidOut {
    /// The block and the chain's value after it. Waits for them.
    pub(in crate::log) fn get(self) -> Result<(Block, ChainValue), LogError> {
        match self {
            Self::Here(block, chain) => Ok((block, chain)),
            Self::There(block) => block.recv().map_err(|_| gone()),
        }
    }
}

fn gone() -> LogError {
    LogError::Internal("the thread that lays records out has ended".to_owned())
}

impl CommitHelper {
    /// Starts the thread, for a writer of `log`.
    pub(in crate::log) fn start(log: LogId) -> std::io::Result<Self> {
        let (jobs, inbox) = sync_channel(JOBS);
        let (done, kept) = sync_channel(1);
        let thread = std::thread::Builder::new().name("log-layout".to_owned()).spawn(move || work(&inbox, &done))?;
        Ok(Self { log, jobs: Some(jobs), kept, keeping: false, thread: Some(thread) })
    }

    fn send(&self, job: Job) -> Result<(), LogError> {
        self.jobs.as_ref().and_then(|jobs| jobs.send(job).ok()).ok_or_else(gone)
    }

    /// Begins to lay out a block that begins with `first` and has `chain` before it.
    pub(in crate::log) fn lay_out(
        &self,
        batch: &Arc<Batch>,
        range: &BlockRange,
        first: Sequence,
        chain: ChainValue,
    ) -> Result<LaidOut, LogError> {
        let work = Work { log: self.log, batch: Arc::clone(batch), range: range.clone(), first, chain };
        if range.bytes < SMALL {
            let (block, chain) = work.done();
            return Ok(LaidOut::Here(block, chain));
        }
        let (block, laid_out) = sync_channel(1);
        self.send(Job::LayOut(work, block))?;
        Ok(LaidOut::There(laid_out))
    }

    /// Gives sled what is durable already. [`CommitHelper::settle`] tells how that ended.
    pub(in crate::log) fn keep(&mut self, tip: &Arc<Tip>, first: Sequence, value: Vec<u8>) -> Result<(), LogError> {
        self.settle()?;
        if value.len() < SMALL {
            return tip.keep(first, &value);
        }
        self.send(Job::Keep(Arc::clone(tip), first, value))?;
        self.keeping = true;
        Ok(())
    }

    /// Waits until sled has everything that it was to get.
    pub(in crate::log) fn settle(&mut self) -> Result<(), LogError> {
        if !std::mem::take(&mut self.keeping) {
            return Ok(());
        }
        self.kept.recv().unwrap_or_else(|_| Err(gone()))
    }
}

impl Drop for CommitHelper {
    /// The thread may hold a tip, whose files are to be let go of.
    fn drop(&mut self) {
        self.jobs = None;
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

fn work(jobs: &Receiver<Job>, kept: &SyncSender<Result<(), LogError>>) {
    let mut rested = true;
    loop {
        let job = if rested { jobs.recv().map_err(RecvTimeoutError::from) } else { jobs.recv_timeout(REST) };
        rested = false;
        match job {
            // Where nobody waits any more, the commit has failed.
            Ok(Job::LayOut(work, block)) => drop(block.send(work.done())),
            Ok(Job::Keep(tip, first, value)) => {
                let result = tip.keep(first, &value);
                drop(tip);
                let _ = kept.send(result);
            }
            Err(RecvTimeoutError::Timeout) => {
                sled_store::collect_garbage();
                rested = true;
            }
            Err(RecvTimeoutError::Disconnected) => return,
        }
    }
}
