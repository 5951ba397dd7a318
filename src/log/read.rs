//! Reading from the shelf: from memory where possible, else from segments and tips on disk.

use super::index::IndexEntry;
use super::segment::{FrameMeta, Segment};
use super::shelf::{Shelf, State};
use super::tip::Tip;
use super::{Block, Chunk, GapReason, LogError, Packed, Piece, Scan};
use crate::cursor::Sequence;
use crate::time::Timestamp;
use rayon::iter::{IntoParallelRefIterator, ParallelIterator};
use std::ops::RangeInclusive;
use std::sync::Arc;

/// Index entries that one read looks at, at most.
const MAX_LOOK: usize = 16_384;
/// Packed bytes that are given at once, about.
const MAX_PACKED_BYTES: usize = 512 * 1024;
/// Bytes of lines that a filtered read unpacks at once, about.
const AHEAD_BYTES: usize = 4 * 1024 * 1024;
/// Blocks of a tip that one read plans for, at most, while it holds the index.
const MAX_PLAN: usize = 512;

enum Step {
    Block(Arc<Tip>, IndexEntry),
    Gap(RangeInclusive<Sequence>, GapReason),
}

/// Where a read goes on: in the segments, or in the tips with what was planned there.
enum Plan {
    Segments(Arc<Vec<Arc<Segment>>>),
    Tips(Vec<Step>, Sequence),
}

impl Shelf {
    /// The answer if it can be given from memory, which is so for every reader that keeps up.
    pub(super) fn ring_after(&self, after: Sequence, scan: &Scan) -> Option<Chunk> {
        let state = self.state.read();
        if after >= state.head {
            return Some(Chunk { pieces: Vec::new(), through: after });
        }
        if state.ring.front().is_none_or(|(oldest, _)| oldest.first > after + 1) {
            return None;
        }
        let mut chunk = Chunk { pieces: Vec::new(), through: after };
        let mut bytes = 0;
        let from = state.ring.partition_point(|(entry, _)| entry.last <= after);
        for (entry, block) in state.ring.range(from..) {
            if bytes >= scan.max_bytes {
                break;
            }
            if entry.first > chunk.through + 1 {
                chunk.pieces.push(Piece::Gap(chunk.through + 1..=entry.first - 1, GapReason::Damage));
            }
            chunk.through = entry.last;
            if entry.meets(&scan.time) {
                bytes += block.bytes();
                chunk.pieces.push(Piece::Block(Arc::clone(block)));
            }
        }
        Some(chunk)
    }

    /// Reads upwards. May read the disk.
    pub(super) fn read_after(&self, after: Sequence, scan: &Scan) -> Result<Chunk, LogError> {
        let plan = {
            let state = self.state.read();
            if state.segments.last().is_some_and(|segment| segment.last() > after) {
                Plan::Segments(Arc::clone(&state.segments))
            } else {
                let (mut steps, mut through) = (Vec::new(), after);
                for (tip, entry) in state.tips.iter().flat_map(|part| part.index.after(after).map(|e| (&part.tip, e))).take(MAX_LOOK) {
                    if steps.len() >= MAX_PLAN {
                        break;
                    }
                    if entry.first > through + 1 {
                        state.gaps(through + 1..=entry.first - 1, |gap, reason| steps.push(Step::Gap(gap, reason)));
                    }
                    through = entry.last;
                    if entry.meets(&scan.time) {
                        steps.push(Step::Block(Arc::clone(tip), *entry));
                    }
                }
                Plan::Tips(steps, through)
            }
        };
        match plan {
            Plan::Tips(steps, through) => self.resolve(steps, through, scan, |entry| entry.last),
            Plan::Segments(segments) => {
                let from = segments.partition_point(|segment| segment.last() <= after);
                let rest = segments.get(from..).unwrap_or_default();
                let frames = rest.iter().flat_map(|segment| {
                    let from = segment.frames().partition_point(|frame| frame.last() <= after);
                    (from..segment.frames().len()).map(move |at| (segment, at))
                });
                self.read_frames(frames, after, scan, true)
            }
        }
    }

    /// Whole frames that follow `after`. Damaged ones are left to [`Shelf::read_after`], which tells of them.
    pub(super) fn packed_after(&self, after: Sequence, until: Sequence) -> Result<Option<Packed>, LogError> {
        let segments = self.segments();
        let at = segments.partition_point(|segment| segment.last() <= after);
        let Some(segment) = segments.get(at) else { return Ok(None) };
        let from = segment.frames().partition_point(|frame| frame.last() <= after);
        let (mut to, mut bytes, mut next) = (from, 0, after + 1);
        while let Some(frame) =
            segment.frames().get(to).filter(|frame| frame.first == next && frame.last() <= until && bytes < MAX_PACKED_BYTES)
        {
            bytes += frame.packed_bytes() as usize;
            next = frame.last() + 1;
            to += 1;
        }
        if to == from {
            return Ok(None);
        }
        match segment.packed(segment.frames().get(from..to).unwrap_or_default()) {
            Ok(bytes) => Ok(Some(Packed { last: next - 1, bytes: bytes.into() })),
            Err(LogError::Damaged(_)) => Ok(None),
            Err(e) => Err(e),
        }
    }

    /// Reads downwards. May read the disk.
    pub(super) fn read_before(&self, before: Sequence, scan: &Scan) -> Result<Chunk, LogError> {
        // Behind the head nothing is missing.
        let before = before.min(self.bounds().head + 1);
        let plan = {
            let state = self.state.read();
            let (mut steps, mut through) = (Vec::new(), before);
            let entries = state.tips.iter().rev().flat_map(|part| part.index.before(before).map(|e| (&part.tip, e)));
            for (tip, entry) in entries.take(MAX_LOOK) {
                if steps.len() >= MAX_PLAN {
                    break;
                }
                if entry.last + 1 < through {
                    state.gaps(entry.last + 1..=through - 1, |gap, reason| steps.push(Step::Gap(gap, reason)));
                }
                through = entry.first;
                if entry.meets(&scan.time) {
                    steps.push(Step::Block(Arc::clone(tip), *entry));
                }
            }
            if through == before { Plan::Segments(Arc::clone(&state.segments)) } else { Plan::Tips(steps, through) }
        };
        match plan {
            Plan::Tips(steps, through) => self.resolve(steps, through, scan, |entry| entry.first),
            Plan::Segments(segments) => {
                let to = segments.partition_point(|segment| segment.first() < before);
                let rest = segments.get(..to).unwrap_or_default();
                let frames = rest.iter().rev().flat_map(|segment| {
                    let to = segment.frames().partition_point(|frame| frame.first < before);
                    (0..to).rev().map(move |at| (segment, at))
                });
                self.read_frames(frames, before, scan, false)
            }
        }
    }

    /// Reads frames of segments in the order given until the byte limit is reached.
    fn read_frames<'a>(
        &self,
        frames: impl Iterator<Item = (&'a Arc<Segment>, usize)>,
        start: Sequence,
        scan: &Scan,
        up: bool,
    ) -> Result<Chunk, LogError> {
        let mut chunk = Chunk { pieces: Vec::new(), through: start };
        // A filtered read keeps little of a frame, so several are unpacked at once; one such read at a time, which bounds the memory.
        let ahead = (!scan.filter.is_empty()).then(|| self.ahead.try_lock()).flatten();
        let max_bytes = if ahead.is_some() { scan.max_bytes.max(AHEAD_BYTES) } else { scan.max_bytes };
        let (mut bytes, mut wanted) = (0, Vec::new());
        for (segment, at) in frames.take(MAX_LOOK) {
            let Some(frame) = segment.frames().get(at) else { continue };
            let (from, to) = if up { (chunk.through + 1, frame.first) } else { (frame.last() + 1, chunk.through) };
            if from < to {
                self.state.read().gaps(from..=to - 1, |gap, reason| chunk.pieces.push(Piece::Gap(gap, reason)));
            }
            if meets(frame, &scan.time) && self.may_hold(segment, at, &scan.filter) {
                wanted.push((chunk.pieces.len(), segment, frame));
                // Told as damaged until it has been read.
                chunk.pieces.push(Piece::Gap(frame.first..=frame.last(), GapReason::Damage));
                bytes += frame.raw_bytes();
            }
            chunk.through = if up { frame.last() } else { frame.first };
            if bytes >= max_bytes {
                break;
            }
        }
        let blocks: Vec<_> = match wanted.len() {
            0 | 1 => wanted.iter().map(|(_, segment, frame)| self.frame_block(segment, frame)).collect(),
            _ => wanted.par_iter().map(|(_, segment, frame)| self.frame_block(segment, frame)).collect(),
        };
        for ((at, segment, frame), block) in wanted.into_iter().zip(blocks) {
            match (block, chunk.pieces.get_mut(at)) {
                (Ok(block), Some(piece)) => *piece = Piece::Block(block),
                (Err(LogError::Damaged(why)), _) => {
                    tracing::error!(store.segment = %segment.path().display(), event.seq = frame.first, error = why, "a frame of the log cannot be read");
                }
                (Err(e), _) => return Err(e),
                (Ok(_), None) => {}
            }
        }
        Ok(chunk)
    }

    /// Reads the planned blocks until the byte limit is reached.
    fn resolve(&self, steps: Vec<Step>, planned: Sequence, scan: &Scan, end: impl Fn(&IndexEntry) -> Sequence) -> Result<Chunk, LogError> {
        let mut chunk = Chunk { pieces: Vec::with_capacity(steps.len()), through: planned };
        let mut bytes = 0;
        let mut steps = steps.into_iter().peekable();
        while let Some(step) = steps.next() {
            match step {
                Step::Gap(range, reason) => chunk.pieces.push(Piece::Gap(range, reason)),
                Step::Block(tip, entry) => {
                    match self.tip_block(&tip, &entry) {
                        Ok(block) => {
                            bytes += block.bytes();
                            chunk.pieces.push(Piece::Block(block));
                        }
                        Err(LogError::Damaged(why)) => {
                            tracing::error!(event.seq = entry.first, error = why, "a block of the log cannot be read");
                            chunk.pieces.push(Piece::Gap(entry.first..=entry.last, GapReason::Damage));
                        }
                        Err(e) => return Err(e),
                    }
                    if bytes >= scan.max_bytes && steps.peek().is_some() {
                        chunk.through = end(&entry);
                        break;
                    }
                }
            }
        }
        Ok(chunk)
    }

    /// The lowest sequence whose record's own time is `time` or later.
    pub(super) fn seek_time(&self, time: Timestamp) -> Result<Sequence, LogError> {
        let found = |block: Result<Arc<Block>, LogError>| match block {
            Ok(block) => Ok(block.sequences().find(|seq| block.time(*seq) >= time)),
            Err(LogError::Damaged(_)) => Ok(None),
            Err(e) => Err(e),
        };
        let mut after = 0;
        loop {
            // Again whenever a tip has become a segment since: its records are in neither list that was looked at.
            for segment in self.segments().iter().filter(|segment| segment.last() > after).cloned().collect::<Vec<_>>() {
                let frames = if segment.time().1 < time { &[][..] } else { segment.frames() };
                for frame in frames.iter().filter(|frame| frame.last() > after && frame.time.1 >= time) {
                    if let Some(seq) = found(self.frame_block(&segment, frame))? {
                        return Ok(seq);
                    }
                }
                after = segment.last();
            }
            // A stretch at a time, so that the writer never waits for a long look.
            let (candidate, looked) = {
                let state = self.state.read();
                if state.segments.last().is_some_and(|segment| segment.last() > after) {
                    continue;
                }
                let mut last = None;
                let entries = state.tips.iter().flat_map(|part| part.index.after(after).map(|e| (&part.tip, e)));
                let mut stretch = entries.take(MAX_LOOK).inspect(|(_, entry)| last = Some(entry.last));
                let candidate = stretch.find(|(_, entry)| entry.time.1 >= time).map(|(tip, entry)| (Arc::clone(tip), *entry));
                (candidate, last)
            };
            if let Some((tip, entry)) = candidate
                && let Some(seq) = found(self.tip_block(&tip, &entry))?
            {
                return Ok(seq);
            }
            match looked {
                Some(last) => after = last,
                None => return Ok(self.bounds().head + 1),
            }
        }
    }
}

/// Whether a frame may hold a record whose own time is in `range`. Event times do not rise with the sequence, so nothing
/// about its neighbours follows.
fn meets(frame: &FrameMeta, range: &RangeInclusive<Timestamp>) -> bool {
    frame.time.0 <= *range.end() && frame.time.1 >= *range.start()
}

impl State {
    /// The missing sequences `range`, split by what took them.
    fn gaps(&self, range: RangeInclusive<Sequence>, mut give: impl FnMut(RangeInclusive<Sequence>, GapReason)) {
        let (from, to) = range.into_inner();
        if from < self.trimmed {
            give(from..=to.min(self.trimmed - 1), GapReason::Retention);
        }
        let from = from.max(self.trimmed);
        if from <= to.min(self.imported) {
            give(from..=to.min(self.imported), GapReason::Export);
        }
        let from = from.max(self.imported + 1);
        if from <= to {
            give(from..=to, GapReason::Damage);
        }
    }
}
