//! Merging small segments when it is quiet, and packing again what was packed in haste.

use crate::cursor::Sequence;
use crate::log::dir::durable::sync_dir;
use crate::log::dir::free_space;
use crate::log::read::catalog::Catalog;
use crate::log::segment::publish::{Unfinished, remove_file};
use crate::log::segment::{self, LEVEL, Segment, SegmentWriter, WriteError};
use crate::log::{Limits, LogError};
use std::collections::HashSet;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

/// Wait after a merge that failed, for want of room for instance.
const RETRY: Duration = Duration::from_secs(60);
/// Segments that are merged at a time, at least: each byte is written again a few times in its life, not each
/// night.
const AT_LEAST: usize = 8;

/// What is known about merging from one time to the next.
pub(in crate::log) struct Compactor {
    catalog: Arc<Catalog>,
    dir: PathBuf,
    limits: Limits,
    /// Jobs that wait for this thread.
    waiting: Arc<AtomicUsize>,
    /// First sequences of segments that could not be merged for damage.
    uncompactable: HashSet<Sequence>,
    /// A merge that failed otherwise is tried again then.
    again: Option<Instant>,
}

impl Compactor {
    pub(in crate::log) fn new(catalog: Arc<Catalog>, dir: PathBuf, limits: Limits, waiting: Arc<AtomicUsize>) -> Self {
        Self { catalog, dir, limits, waiting, uncompactable: HashSet::new(), again: None }
    }

    /// Merges one row of small neighbours, if there is one, or packs one segment again that was packed in
    /// haste. Whether it did.
    pub(in crate::log) fn compact(&mut self) -> bool {
        // A follower's segments are the same as those of all others.
        if self.catalog.follower || self.again.is_some_and(|at| Instant::now() < at) {
            return false;
        }
        let segments = self.catalog.segments();
        let Some(row) = self.compactable(&segments) else { return false };
        // A merge gives nothing back before its end, and must not take the room that recording needs.
        let failed = match free_space::check_for(&self.dir, row.iter().map(|segment| segment.bytes()).sum()) {
            Err(e) => Err(WriteError::Log(e)),
            Ok(()) => self.compact_row(row),
        };
        let e = match failed {
            Ok(done) => return done,
            Err(e) => e,
        };
        tracing::warn!(error = %e, "small segments cannot be merged; they stay as they are");
        if matches!(e, WriteError::Log(LogError::Damaged(_))) {
            self.uncompactable.extend(row.iter().map(|segment| segment.first()));
        } else {
            self.again = Some(Instant::now() + RETRY);
        }
        false
    }

    /// Whether a segment may be written again.
    fn is_open_to_change(&self, segment: &Segment) -> bool {
        segment.has_index() && segment.log() == self.catalog.log && !self.uncompactable.contains(&segment.first())
    }

    /// The first row of neighbours that together are no larger and span no more time than a segment may.
    fn compactable<'a>(&self, segments: &'a [Arc<Segment>]) -> Option<&'a [Arc<Segment>]> {
        // One at a time: unlike frames that are taken over as they are, this takes a while, and the next tip
        // may be asked for meanwhile.
        if let Some(at) = segments.iter().position(|segment| segment.is_fast_packed() && self.is_open_to_change(segment)) {
            return segments.get(at..=at);
        }
        let span = i64::try_from(self.limits.segment_span.as_nanos()).unwrap_or(i64::MAX);
        let mut from = 0;
        while let Some(first) = segments.get(from) {
            let (mut bytes, mut to) = (0, from);
            while let Some(next) = segments.get(to) {
                bytes += next.bytes();
                let follows = to == from || segments.get(to - 1).is_some_and(|before| before.last() + 1 == next.first());
                let spans = next.received().1.nanos().saturating_sub(first.received().0.nanos());
                if bytes > self.limits.segment_bytes || spans > span || !follows || !self.is_open_to_change(next) {
                    break;
                }
                to += 1;
            }
            if to - from >= AT_LEAST {
                return segments.get(from..to);
            }
            from = to.max(from + 1);
        }
        None
    }

    /// Writes a row again as one segment under the name of its first, then removes the others. A kill in
    /// between leaves segments that the merged one covers; the next start removes them. Whether that came to
    /// its end: packing frames again gives way to other jobs.
    fn compact_row(&self, row: &[Arc<Segment>]) -> Result<bool, WriteError> {
        let Some(first) = row.first() else { return Ok(false) };
        let before = first.index()?.chain_before;
        let mut unfinished =
            Unfinished::create(&self.dir, first.first(), |out| SegmentWriter::new(out, self.catalog.log, first.first(), before, LEVEL))?;
        let writer = &mut unfinished.writer;
        for segment in row {
            let index = segment.index()?;
            if index.chain_before != writer.chain() {
                return Err(LogError::Damaged(format!("the chain breaks before {}", index.first())).into());
            }
            for from in (0..index.frames.len()).step_by(segment::CHUNK_FRAMES) {
                let summary_chunk = segment.summary_chunk(from).filter(|_| !segment.is_fast_packed());
                let summaries = summary_chunk.as_ref().and_then(|summary_chunk| summary_chunk.summaries().ok());
                for (at, frame) in index.frames.iter().enumerate().skip(from).take(segment::CHUNK_FRAMES) {
                    if let Some(summaries) = summaries.as_ref().filter(|_| writer.takes_frame(frame)) {
                        writer.push_frame(&segment.packed(&[*frame])?, at, &index, summaries)?;
                    } else {
                        if segment.is_fast_packed() && self.waiting.load(Ordering::Relaxed) > 0 {
                            return Ok(false);
                        }
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
        let Some(written) = unfinished.finish()? else { return Ok(false) };
        // A trim in between would remove the merged file under the name of the one that it meant.
        let _shape = self.catalog.shape.lock();
        if !self.catalog.holds(row) {
            return Ok(false);
        }
        let path = written.publish(&self.dir)?;
        let compacted = Arc::new(Segment::open(&path)?);
        self.catalog.replace_segments(row, Arc::clone(&compacted));
        tracing::debug!(store.segments = row.len(), event.seq = compacted.first(), "merged small segments");
        for segment in row.iter().filter(|segment| segment.path() != path) {
            remove_file(segment.path())?;
        }
        sync_dir(&self.dir)?;
        Ok(true)
    }
}
