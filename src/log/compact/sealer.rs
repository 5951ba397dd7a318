//! The sealer: a thread that prepares the next tip, turns full tips into segments and, when it is quiet,
//! merges small segments.

use super::compactor::Compactor;
use super::pace::{LOOK, MANY_TIPS, Pace, Quiet, REST, RESTING, RETRY};
use crate::cursor::Sequence;
use crate::log::dir::durable::{io, sync_dir};
use crate::log::dir::names::{self, UNFINISHED};
use crate::log::read::catalog::Catalog;
use crate::log::segment::publish::Unfinished;
use crate::log::segment::{self, LEVEL, Segment, SegmentWriter, WriteError};
use crate::log::tip::{Tip, codec, sled_store};
use crate::log::{Limits, LogError};
use parking_lot::Mutex;
use std::collections::VecDeque;
use std::fs;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::time::{Duration, Instant};

/// Jobs that may wait; there are never more tips than a few.
const QUEUE: usize = 16;
/// How much the sealer stands back for other threads (nice).
const SEALER_NICE: i32 = 10;

enum Job {
    Prepare(Sequence),
    Seal(Vec<Arc<Tip>>),
}

/// The next tip, on its way.
#[derive(Debug)]
enum Next {
    Unasked,
    Asked,
    Ready(Arc<Tip>),
}

/// The handle of the writer.
#[derive(Debug)]
pub(in crate::log) struct Sealer {
    jobs: mpsc::SyncSender<Job>,
    /// How many of them wait.
    waiting: Arc<AtomicUsize>,
    next: Arc<Mutex<Next>>,
    failing: Arc<AtomicBool>,
}

impl Sealer {
    /// Starts the thread. It ends when the handle is dropped, after what it is at.
    pub(in crate::log) fn start(catalog: Arc<Catalog>, dir: &Path, limits: Limits) -> Result<Self, LogError> {
        let (sealer, thread) = Self::new(catalog, dir, limits);
        let thread = std::thread::Builder::new().name("log-sealer".to_owned()).spawn(move || thread.run());
        thread.map_err(io("cannot start the sealer of", dir))?;
        Ok(sealer)
    }

    fn new(catalog: Arc<Catalog>, dir: &Path, limits: Limits) -> (Self, Thread) {
        let (jobs, inbox) = mpsc::sync_channel(QUEUE);
        let next = Arc::new(Mutex::new(Next::Unasked));
        let failing = Arc::new(AtomicBool::new(false));
        let waiting = Arc::new(AtomicUsize::new(0));
        let head = catalog.bounds().head;
        let pace = Pace::new(head);
        let thread = Thread {
            compactor: Compactor::new(Arc::clone(&catalog), dir.to_owned(), limits, Arc::clone(&waiting)),
            merge_after: limits.merge_after,
            catalog,
            dir: dir.to_owned(),
            inbox,
            jobs: Arc::clone(&waiting),
            waiting: VecDeque::new(),
            next: Arc::clone(&next),
            failing: Arc::clone(&failing),
            pace,
            looked_at: head,
        };
        (Self { jobs, waiting, next, failing }, thread)
    }

    /// Asks for a tip that will take records from `from` on at the earliest, unless one is on its way.
    pub(in crate::log) fn prepare(&self, from: Sequence) {
        let mut next = self.next.lock();
        if matches!(*next, Next::Unasked) {
            self.waiting.fetch_add(1, Ordering::Relaxed);
            match self.jobs.try_send(Job::Prepare(from)) {
                Ok(()) => *next = Next::Asked,
                Err(_) => drop(self.waiting.fetch_sub(1, Ordering::Relaxed)),
            }
        }
    }

    /// The tip that was asked for, if it is ready.
    pub(in crate::log) fn prepared(&self) -> Option<Arc<Tip>> {
        let mut next = self.next.lock();
        match std::mem::replace(&mut *next, Next::Unasked) {
            Next::Ready(tip) => Some(tip),
            other => {
                *next = other;
                None
            }
        }
    }

    /// Seals tips to which nothing is added any more into one segment, after those that were given before: a
    /// segment follows the one before it.
    pub(in crate::log) fn seal(&self, tips: Vec<Arc<Tip>>) {
        self.waiting.fetch_add(1, Ordering::Relaxed);
        let _ = self.jobs.send(Job::Seal(tips));
    }

    /// Whether the oldest tip that waits could not be sealed: then waiting for room among the tips is of no
    /// use.
    pub(in crate::log) fn is_failing(&self) -> bool {
        self.failing.load(Ordering::Relaxed)
    }
}

struct Thread {
    catalog: Arc<Catalog>,
    dir: PathBuf,
    compactor: Compactor,
    merge_after: Duration,
    inbox: mpsc::Receiver<Job>,
    /// How many jobs are in it.
    jobs: Arc<AtomicUsize>,
    /// In order: a segment follows the one before it.
    waiting: VecDeque<Vec<Arc<Tip>>>,
    next: Arc<Mutex<Next>>,
    failing: Arc<AtomicBool>,
    pace: Pace,
    /// The head when it was last looked whether the log rests.
    looked_at: Sequence,
}

impl Thread {
    fn run(mut self) {
        // Commits and readers come first. On Linux this is about the calling thread; where it is not allowed,
        // it is only slower for them.
        let _ = rustix::process::setpriority_process(None, SEALER_NICE);
        let (mut quiet, mut rest) = (Quiet::new(self.merge_after), Quiet::new(REST));
        loop {
            let patience = match self.waiting.front() {
                None => {
                    segment::let_go_of_compressor();
                    quiet.left().min(rest.left())
                }
                Some(_) if self.failing.load(Ordering::Relaxed) => RETRY,
                Some(_) => Duration::ZERO,
            };
            match self.inbox.recv_timeout(patience) {
                Ok(job) => {
                    self.take(job);
                    quiet = Quiet::new(self.merge_after);
                }
                Err(RecvTimeoutError::Disconnected) => return,
                Err(RecvTimeoutError::Timeout) => match self.waiting.front().cloned() {
                    None if rest.left().is_zero() => {
                        self.rest();
                        rest = Quiet::new(REST);
                    }
                    None => {
                        let began = Instant::now();
                        // Work that has piled up is done half of the time.
                        let compacted = guarded(|| self.compactor.compact()) == Some(true);
                        quiet = Quiet::new(if compacted { began.elapsed() } else { self.merge_after });
                    }
                    Some(tips) => {
                        let sealed = guarded(|| self.seal(&tips)).unwrap_or_else(|| Err(panicked().into()));
                        self.failing.store(sealed.is_err(), Ordering::Relaxed);
                        match sealed {
                            Ok(()) => drop(self.waiting.pop_front()),
                            Err(e) => {
                                let tip = tips.first().map(|tip| tip.dir().display().to_string());
                                tracing::error!(store.tip = tip, error = %e, "a tip cannot be sealed; it stays as it is and is tried again");
                            }
                        }
                    }
                },
            }
        }
    }

    /// Lets the catalog give memory back when few records have come lately.
    fn rest(&mut self) {
        let head = self.catalog.bounds().head;
        if head - std::mem::replace(&mut self.looked_at, head) < RESTING {
            self.catalog.rest();
            sled_store::collect_garbage();
        }
    }

    fn take(&mut self, job: Job) {
        self.jobs.fetch_sub(1, Ordering::Relaxed);
        match job {
            Job::Prepare(from) => {
                if guarded(|| self.prepare(from)).is_none() {
                    *self.next.lock() = Next::Unasked;
                }
            }
            Job::Seal(tips) => self.waiting.push_back(tips),
        }
    }

    fn prepare(&self, from: Sequence) {
        // Names only rise: a tip that failed before its first record has the name that this one would have.
        let from = from.max(self.catalog.newest_tip_name() + 1);
        let made = Tip::create(&self.dir, from, self.catalog.log, Arc::clone(&self.catalog.lock));
        *self.next.lock() = match made {
            Ok(tip) => Next::Ready(Arc::new(tip)),
            Err(e) => {
                tracing::warn!(error = %e, "cannot make the next tip of the log; the one in use stays");
                // Whichever name it had got to: it is new and holds nothing, and its name must be free for
                // the next attempt.
                let name = names::tip(from);
                let _ = fs::remove_dir_all(self.dir.join(format!("{name}{UNFINISHED}")));
                let _ = fs::remove_dir_all(self.dir.join(name));
                Next::Unasked
            }
        };
    }

    /// Waits while records come in a burst and there is room for more tips.
    fn sit_out_burst(&mut self) {
        while self.pace.is_burst(self.catalog.bounds().head) && self.catalog.tips() < MANY_TIPS {
            match self.inbox.recv_timeout(LOOK) {
                Ok(job) => self.take(job),
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => return,
            }
        }
    }

    /// Writes the records of neighbouring tips as segments, durably, and only then removes the tips.
    fn seal(&mut self, tips: &[Arc<Tip>]) -> Result<(), WriteError> {
        let mut sealing = Sealing { dir: &self.dir.clone(), sealed: Vec::new(), writer: None };
        let mut damaged = Vec::new();
        for tip in tips {
            if !self.add_tip(tip, &mut sealing)? {
                damaged.push(tip);
            }
        }
        sealing.end_segment()?;
        sync_dir(&self.dir)?;
        let segments = sealing.sealed.iter().map(|path| Segment::open(path).map(Arc::new)).collect::<Result<Vec<_>, _>>()?;
        self.catalog.replace_tips(tips, segments);
        for tip in tips {
            if damaged.iter().any(|damaged| Arc::ptr_eq(damaged, tip)) {
                tip.retire_aside();
            } else {
                tip.retire();
            }
        }
        Ok(())
    }

    /// Adds the records of a tip. Whether they were all there.
    fn add_tip(&mut self, tip: &Arc<Tip>, sealing: &mut Sealing<'_>) -> Result<bool, WriteError> {
        let mut whole = true;
        for entry in self.catalog.tip_entries(tip) {
            self.sit_out_burst();
            // The tip that is to be written to next does not wait for a whole seal.
            while let Ok(job) = self.inbox.try_recv() {
                self.take(job);
            }
            let log = self.catalog.log_of(tip, entry.first);
            let found = tip.get(entry.first, entry.parts).and_then(|value| {
                let (header, _) = codec::check(&value)?;
                Ok((header, codec::decode(&value, log)?))
            });
            let (header, block) = match found {
                Ok(found) => found,
                Err(LogError::Damaged(why)) => {
                    tracing::error!(
                        event.seq = entry.first,
                        error = why,
                        "a block of the log cannot be sealed; readers are told of a gap, and the tip is set aside"
                    );
                    whole = false;
                    continue;
                }
                Err(e) => return Err(e.into()),
            };
            // A segment has no holes: what comes after one begins another.
            if sealing.writer.as_ref().is_some_and(|w| w.writer.next() != header.first) {
                sealing.end_segment()?;
            }
            let unfinished = match &mut sealing.writer {
                Some(writer) => writer,
                None => sealing.writer.insert(Unfinished::create(&self.dir, header.first, |out| {
                    SegmentWriter::new(out, log, header.first, header.chain_before, LEVEL)
                })?),
            };
            if header.chain_before != unfinished.writer.chain() {
                return Err(altered(header.first.saturating_sub(1)).into());
            }
            // How fast records come is another thing on every follower.
            unfinished.writer.hurry(!self.catalog.follower && self.catalog.tips() >= MANY_TIPS);
            for seq in block.sequences() {
                unfinished.writer.push(&block.line(seq, false))?;
            }
        }
        Ok(whole)
    }
}

/// Segments that tips become.
struct Sealing<'a> {
    dir: &'a Path,
    sealed: Vec<PathBuf>,
    /// The one under way.
    writer: Option<Unfinished>,
}

impl Sealing<'_> {
    fn end_segment(&mut self) -> Result<(), WriteError> {
        if let Some(written) = self.writer.take().map(Unfinished::finish).transpose()?.flatten() {
            self.sealed.push(written.publish(self.dir)?);
        }
        Ok(())
    }
}

/// A panic ends what it hit, not the sealer: without one a tip would grow for ever.
fn guarded<T>(work: impl FnOnce() -> T) -> Option<T> {
    catch_unwind(AssertUnwindSafe(work)).inspect_err(|_| tracing::error!("the sealer of the log panicked, and continues")).ok()
}

fn panicked() -> LogError {
    LogError::Internal("sealing it panicked".to_owned())
}

/// The lines are not what was committed: the tip is the better witness and stays.
fn altered(last: Sequence) -> LogError {
    LogError::Damaged(format!("the records up to {last} do not give the chain value that was stored"))
}

#[cfg(test)]
mod tests;
