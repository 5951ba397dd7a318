//! The sealer: a thread that prepares the next tip, turns full tips into segments and, when it is quiet, merges small segments.

use super::LogError;
use super::codec;
use super::embedded::Limits;
use super::listing::{UNFINISHED, io};
use super::room;
use super::segment::{self, LEVEL, Segment, SegmentWriter, WriteError};
use super::shelf::Shelf;
use super::tip::{self, Tip};
use crate::cursor::Sequence;
use parking_lot::Mutex;
use std::collections::{HashSet, VecDeque};
use std::fs::{self, File};
use std::io::BufWriter;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::time::{Duration, Instant};

/// Wait after a tip could not be sealed (a full disk, say) before it is tried again.
const RETRY: Duration = Duration::from_secs(5);
/// Wait after a merge that failed, for want of room for instance.
const MERGE_RETRY: Duration = Duration::from_secs(60);
/// Jobs that may wait; there are never more tips than a few.
const QUEUE: usize = 16;
/// Segments that are merged at a time, at least: each byte is written anew a few times in its life, not each night.
const MERGE_AT_LEAST: usize = 8;
/// How much the sealer stands back for other threads (nice).
const SEALER_NICE: i32 = 10;
/// Buffer towards a segment's file.
const BUFFER: usize = 256 * 1024;

enum Job {
    Prepare(Sequence),
    Seal(Arc<Tip>),
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
pub(super) struct Sealer {
    jobs: mpsc::SyncSender<Job>,
    next: Arc<Mutex<Next>>,
    failing: Arc<AtomicBool>,
}

impl Sealer {
    /// Starts the thread. It ends when the handle is dropped, after what it is at.
    pub(super) fn start(shelf: Arc<Shelf>, dir: &Path, limits: Limits) -> Result<Self, LogError> {
        let (jobs, inbox) = mpsc::sync_channel(QUEUE);
        let next = Arc::new(Mutex::new(Next::Unasked));
        let failing = Arc::new(AtomicBool::new(false));
        let thread = Thread {
            shelf,
            dir: dir.to_owned(),
            limits,
            next: Arc::clone(&next),
            failing: Arc::clone(&failing),
            unmergeable: HashSet::new(),
            merge_again: None,
        };
        let thread = std::thread::Builder::new().name("log-sealer".to_owned()).spawn(move || thread.run(&inbox));
        thread.map_err(io("cannot start the sealer of", dir))?;
        Ok(Self { jobs, next, failing })
    }

    /// Asks for a tip that will take records from `from` on at the earliest, unless one is on its way.
    pub(super) fn prepare(&self, from: Sequence) {
        let mut next = self.next.lock();
        if matches!(*next, Next::Unasked) && self.jobs.try_send(Job::Prepare(from)).is_ok() {
            *next = Next::Asked;
        }
    }

    /// The tip that was asked for, if it is ready.
    pub(super) fn prepared(&self) -> Option<Arc<Tip>> {
        let mut next = self.next.lock();
        match std::mem::replace(&mut *next, Next::Unasked) {
            Next::Ready(tip) => Some(tip),
            other => {
                *next = other;
                None
            }
        }
    }

    /// Seals a tip to which nothing is added any more, after those that were given before: a segment follows the one before it.
    pub(super) fn seal(&self, tip: Arc<Tip>) {
        let _ = self.jobs.send(Job::Seal(tip));
    }

    /// Whether the oldest tip that waits could not be sealed: then waiting for room among the tips is of no use.
    pub(super) fn is_failing(&self) -> bool {
        self.failing.load(Ordering::Relaxed)
    }
}

struct Thread {
    shelf: Arc<Shelf>,
    dir: PathBuf,
    limits: Limits,
    next: Arc<Mutex<Next>>,
    failing: Arc<AtomicBool>,
    /// First sequences of segments that could not be merged for damage.
    unmergeable: HashSet<Sequence>,
    /// A merge that failed otherwise is tried again then.
    merge_again: Option<Instant>,
}

impl Thread {
    fn run(mut self, inbox: &mpsc::Receiver<Job>) {
        // Commits and readers come first. On Linux this is about the calling thread; where it is not allowed, it is only slower for them.
        let _ = rustix::process::setpriority_process(None, SEALER_NICE);
        // In order: a segment follows the one before it.
        let mut waiting: VecDeque<Arc<Tip>> = VecDeque::new();
        loop {
            let patience = match waiting.front() {
                None => self.limits.merge_after,
                Some(_) if self.failing.load(Ordering::Relaxed) => RETRY,
                Some(_) => Duration::ZERO,
            };
            // A tip that is to be written to next does not wait for a row of seals.
            match inbox.recv_timeout(patience) {
                Ok(Job::Prepare(from)) => self.prepare(from),
                Ok(Job::Seal(tip)) => waiting.push_back(tip),
                Err(RecvTimeoutError::Disconnected) => return,
                Err(RecvTimeoutError::Timeout) => match waiting.front() {
                    None => self.merge(),
                    Some(tip) => {
                        let sealed = self.seal(tip);
                        self.failing.store(sealed.is_err(), Ordering::Relaxed);
                        match sealed {
                            Ok(()) => drop(waiting.pop_front()),
                            Err(e) => {
                                tracing::error!(store.tip = %tip.dir().display(), error = %e, "a tip cannot be sealed; it stays as it is and is tried again");
                            }
                        }
                    }
                },
            }
        }
    }

    fn prepare(&self, from: Sequence) {
        // Names only rise: a tip that failed before its first record has the name that this one would have.
        let from = from.max(self.shelf.newest_tip_name() + 1);
        let made = Tip::create(&self.dir, from, self.shelf.log, Arc::clone(&self.shelf.lock));
        *self.next.lock() = match made {
            Ok(tip) => Next::Ready(Arc::new(tip)),
            Err(e) => {
                tracing::warn!(error = %e, "cannot make the next tip of the log; the one in use goes on");
                // Whichever name it had got to: it is new and holds nothing, and its name must be free for the next attempt.
                let name = tip::dir_name(from);
                let _ = fs::remove_dir_all(self.dir.join(format!("{name}{UNFINISHED}")));
                let _ = fs::remove_dir_all(self.dir.join(name));
                Next::Unasked
            }
        };
    }

    /// Writes the tip's records as segments, durably, and only then removes the tip.
    fn seal(&self, tip: &Arc<Tip>) -> Result<(), WriteError> {
        let mut sealed = Vec::new();
        let mut writer: Option<Unfinished> = None;
        let mut whole = true;
        for entry in self.shelf.tip_entries(tip) {
            let found = tip.get(entry.first, entry.parts).and_then(|value| {
                let (header, _) = codec::check(&value)?;
                Ok((header, codec::decode(&value, self.shelf.log_of(tip, entry.first))?))
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
            // A segment has no holes: what comes behind one begins another.
            if writer.as_ref().is_some_and(|w| w.writer.next() != header.first) {
                sealed.extend(
                    writer.take().map(Unfinished::finish).transpose()?.flatten().map(|written| written.publish(&self.dir)).transpose()?,
                );
            }
            let unfinished = match &mut writer {
                Some(writer) => writer,
                None => writer.insert(Unfinished::create(&self.dir, header.first, |out| {
                    SegmentWriter::new(out, self.shelf.log_of(tip, header.first), header.first, header.chain_before, LEVEL)
                })?),
            };
            for seq in block.sequences() {
                unfinished.writer.push(&block.line(seq, false))?;
            }
            if unfinished.writer.chain() != header.chain_after {
                // The lines are not what was committed: the tip is the better witness and stays.
                return Err(
                    LogError::Damaged(format!("the records up to {} do not give the chain value that was stored", header.last())).into()
                );
            }
        }
        sealed.extend(writer.map(Unfinished::finish).transpose()?.flatten().map(|written| written.publish(&self.dir)).transpose()?);
        super::identity::sync_dir(&self.dir)?;
        let segments = sealed.iter().map(|path| Segment::open(path).map(Arc::new)).collect::<Result<Vec<_>, _>>()?;
        self.shelf.replace_tip(tip, segments);
        if whole {
            tip.retire();
        } else {
            tip.retire_aside();
        }
        Ok(())
    }

    /// Merges one row of small neighbours, if there is one.
    fn merge(&mut self) {
        if self.merge_again.is_some_and(|at| Instant::now() < at) {
            return;
        }
        let segments = self.shelf.segments();
        let Some(row) = self.mergeable(&segments) else { return };
        // A merge gives nothing back before its end, and must not take the room that recording needs.
        let failed = match room::check_for(&self.dir, row.iter().map(|segment| segment.bytes()).sum()) {
            Err(e) => Err(WriteError::Log(e)),
            Ok(()) => self.merge_row(row),
        };
        if let Err(e) = failed {
            tracing::warn!(error = %e, "small segments cannot be merged; they stay as they are");
            if matches!(e, WriteError::Log(LogError::Damaged(_))) {
                self.unmergeable.extend(row.iter().map(|segment| segment.first()));
            } else {
                self.merge_again = Some(Instant::now() + MERGE_RETRY);
            }
        }
    }

    /// The first row of neighbours that together are no larger and span no more time than a segment may.
    fn mergeable<'a>(&self, segments: &'a [Arc<Segment>]) -> Option<&'a [Arc<Segment>]> {
        let span = i64::try_from(self.limits.segment_span.as_nanos()).unwrap_or(i64::MAX);
        let mut from = 0;
        while let Some(first) = segments.get(from) {
            let (mut bytes, mut to) = (0, from);
            while let Some(next) = segments.get(to) {
                bytes += next.bytes();
                let follows = to == from || segments.get(to - 1).is_some_and(|before| before.last() + 1 == next.first());
                let spans = next.received().1.nanos().saturating_sub(first.received().0.nanos());
                if bytes > self.limits.segment_bytes
                    || spans > span
                    || !follows
                    || !next.has_index()
                    || next.log() != self.shelf.log
                    || self.unmergeable.contains(&next.first())
                {
                    break;
                }
                to += 1;
            }
            if to - from >= MERGE_AT_LEAST {
                return segments.get(from..to);
            }
            from = to.max(from + 1);
        }
        None
    }

    /// Writes a row anew as one segment under the name of its first, then removes the others. A kill in between leaves segments that
    /// the merged one covers; the next start removes them.
    fn merge_row(&self, row: &[Arc<Segment>]) -> Result<(), WriteError> {
        let Some(first) = row.first() else { return Ok(()) };
        let before = first.index()?.chain_before;
        let mut unfinished =
            Unfinished::create(&self.dir, first.first(), |out| SegmentWriter::new(out, self.shelf.log, first.first(), before, LEVEL))?;
        let writer = &mut unfinished.writer;
        for segment in row {
            let index = segment.index()?;
            if index.chain_before != writer.chain() {
                return Err(LogError::Damaged(format!("the chain breaks before {}", index.first())).into());
            }
            for from in (0..index.frames.len()).step_by(segment::CHUNK_FRAMES) {
                let summaries = segment.summaries(from);
                let subjects = summaries.as_ref().and_then(|summaries| summaries.subjects().ok());
                for (at, frame) in index.frames.iter().enumerate().skip(from).take(segment::CHUNK_FRAMES) {
                    if let Some(subjects) = subjects.as_ref().filter(|_| writer.takes_frame(frame)) {
                        writer.push_frame(&segment.packed(&[*frame])?, at, &index, subjects)?;
                    } else {
                        let block = segment.block(frame)?;
                        for seq in block.sequences() {
                            writer.push(&block.line(seq, false))?;
                        }
                    }
                }
            }
            if index.chain_after.last() != Some(&writer.chain()) {
                return Err(LogError::Damaged(format!("the records of {} do not give its chain value", segment.path().display())).into());
            }
        }
        let Some(written) = unfinished.finish()? else { return Ok(()) };
        // A trim in between would remove the merged file under the name of the one that it meant.
        let _shape = self.shelf.shape.lock();
        if !self.shelf.holds(row) {
            return Ok(());
        }
        let path = written.publish(&self.dir)?;
        let merged = Arc::new(Segment::open(&path)?);
        self.shelf.replace_segments(row, Arc::clone(&merged));
        tracing::debug!(store.segments = row.len(), event.seq = merged.first(), "merged small segments");
        for segment in row.iter().filter(|segment| segment.path() != path) {
            remove_file(segment.path())?;
        }
        super::identity::sync_dir(&self.dir)?;
        Ok(())
    }
}

/// Removes a file that may be gone already.
pub(super) fn remove_file(path: &Path) -> Result<(), LogError> {
    match fs::remove_file(path) {
        Err(e) if e.kind() != std::io::ErrorKind::NotFound => Err(io("cannot remove", path)(e)),
        _ => Ok(()),
    }
}

/// A segment on its way to the disk.
struct Unfinished {
    writer: SegmentWriter<BufWriter<File>>,
    path: PathBuf,
    leftover: Leftover,
}

impl Unfinished {
    fn create(
        dir: &Path,
        first: Sequence,
        writer: impl FnOnce(BufWriter<File>) -> SegmentWriter<BufWriter<File>>,
    ) -> Result<Self, LogError> {
        let path = dir.join(segment::file_name(first));
        let unfinished = dir.join(format!("{}{UNFINISHED}", segment::file_name(first)));
        let file = File::create(&unfinished).map_err(io("cannot create", &unfinished))?;
        Ok(Self { writer: writer(BufWriter::with_capacity(BUFFER, file)), path, leftover: Leftover(unfinished) })
    }

    /// Makes what was written durable. `None` when it would hold nothing.
    fn finish(self) -> Result<Option<Written>, WriteError> {
        let (out, any) = self.writer.finish()?;
        let file = out.into_inner().map_err(std::io::IntoInnerError::into_error)?;
        let written = Written { path: self.path, leftover: self.leftover };
        if !any {
            return Ok(None);
        }
        file.sync_all()?;
        Ok(Some(written))
    }
}

/// A durable segment under another name.
struct Written {
    path: PathBuf,
    leftover: Leftover,
}

/// A file that goes when it is dropped, unless it has got another name: what is not finished is not to take room.
struct Leftover(PathBuf);

impl Drop for Leftover {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.0);
    }
}

impl Written {
    /// Gives it its name, durably.
    fn publish(self, dir: &Path) -> Result<PathBuf, LogError> {
        fs::rename(&self.leftover.0, &self.path).map_err(io("cannot rename", &self.leftover.0))?;
        super::identity::sync_dir(dir)?;
        Ok(self.path)
    }
}
