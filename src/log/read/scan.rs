//! Reading from the catalog: from memory where possible, else from segments and tips on disk.

use super::catalog::{Catalog, State};
use super::parallel::parallel_map;
use crate::cursor::Sequence;
use crate::log::segment::{CHUNK_FRAMES, Candidates, FrameMeta, Segment};
use crate::log::tip::Tip;
use crate::log::tip::index::IndexEntry;
use crate::log::{Block, Chunk, GapReason, LogError, Packed, Piece, Scan};
use crate::time::Timestamp;
use std::ops::RangeInclusive;
use std::sync::Arc;

/// Index entries that one read looks at, at most.
const MAX_LOOK: usize = 16_384;
/// Packed bytes that are given at once, about: a client that takes an export slowly holds them.
const MAX_PACKED_BYTES: usize = 64 * 1024;
/// Bytes of lines that a filtered read unpacks at once, about, before it knows how much of them it keeps.
const AHEAD_BYTES: usize = 4 * 1024 * 1024;
/// Bytes of lines that a filtered read looks through, about, before it gives back what it has.
const MAX_AHEAD_BYTES: usize = 32 * 1024 * 1024;
/// A filtered read that keeps less than one byte in so many looks further ahead.
const SPARSE: usize = 8;
/// Records of a tip that a filtered read unpacks at once, about.
const TIP_RECORDS: u64 = 4096;
/// And parts of blocks, of up to 24 KiB each, where messages are large.
const TIP_PARTS: u32 = 64;
/// Blocks of a tip that one read plans for, at most, while it holds the index.
const MAX_PLAN: usize = 512;

enum Planned {
    Block(Arc<Tip>, IndexEntry),
    Gap(RangeInclusive<Sequence>, GapReason),
}

impl Planned {
    fn range(&self) -> RangeInclusive<Sequence> {
        match self {
            Self::Block(_, entry) => entry.first..=entry.last,
            Self::Gap(range, _) => range.clone(),
        }
    }

    /// Records that are to be unpacked for it, and the parts in which they are stored.
    fn size(&self) -> (u64, u32) {
        match self {
            Self::Block(_, entry) => (entry.last - entry.first + 1, entry.parts.into()),
            Self::Gap(..) => (0, 0),
        }
    }
}

impl Chunk {
    /// Adds blocks that rise, in the direction of the read. Gives their bytes.
    fn add(&mut self, mut blocks: Vec<Arc<Block>>, up: bool) -> usize {
        if !up {
            blocks.reverse();
        }
        let bytes = blocks.iter().map(|block| block.bytes()).sum();
        self.pieces.extend(blocks.into_iter().map(Piece::Block));
        bytes
    }
}

/// What a read of segments comes upon.
enum Part<'a> {
    Frame(&'a Segment, &'a FrameMeta, Candidates),
    Gap(RangeInclusive<Sequence>, GapReason),
}

/// Where a read continues: in the segments, or in the tips with what was planned there.
enum Plan {
    Segments(Arc<Vec<Arc<Segment>>>),
    Tips(Vec<Planned>, Sequence),
}

impl Catalog {
    /// The answer if it can be given from memory, which is so for every reader that keeps up.
    pub(in crate::log) fn recent_after(&self, after: Sequence, scan: &Scan) -> Option<Chunk> {
        let state = self.state.read();
        if after >= state.head {
            return Some(Chunk { pieces: Vec::new(), through: after });
        }
        if state.recent.front().is_none_or(|(oldest, _)| oldest.first > after + 1) {
            return None;
        }
        let mut chunk = Chunk { pieces: Vec::new(), through: after };
        let mut bytes = 0;
        let from = state.recent.partition_point(|(entry, _)| entry.last <= after);
        for (entry, block) in state.recent.range(from..) {
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
    pub(in crate::log) fn read_after(&self, after: Sequence, scan: &Scan) -> Result<Chunk, LogError> {
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
                        state.gaps(through + 1..=entry.first - 1, |gap, reason| steps.push(Planned::Gap(gap, reason)));
                    }
                    through = entry.last;
                    if entry.meets(&scan.time) {
                        steps.push(Planned::Block(Arc::clone(tip), *entry));
                    }
                }
                Plan::Tips(steps, through)
            }
        };
        match plan {
            Plan::Tips(steps, through) => self.resolve(&steps, through, scan, true),
            Plan::Segments(segments) => {
                let from = segments.partition_point(|segment| segment.last() <= after);
                self.read_segments(segments.get(from..).unwrap_or_default(), after, scan)
            }
        }
    }

    /// Whole frames that follow `after`. Damaged ones are left to [`Catalog::read_after`], which tells of
    /// them.
    pub(in crate::log) fn packed_after(&self, after: Sequence, until: Sequence) -> Result<Option<Packed>, LogError> {
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
    pub(in crate::log) fn read_before(&self, before: Sequence, scan: &Scan) -> Result<Chunk, LogError> {
        // After the head nothing is missing.
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
                    state.gaps(entry.last + 1..=through - 1, |gap, reason| steps.push(Planned::Gap(gap, reason)));
                }
                through = entry.first;
                if entry.meets(&scan.time) {
                    steps.push(Planned::Block(Arc::clone(tip), *entry));
                }
            }
            if through == before { Plan::Segments(Arc::clone(&state.segments)) } else { Plan::Tips(steps, through) }
        };
        match plan {
            Plan::Tips(steps, through) => self.resolve(&steps, through, scan, false),
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
    pub(in crate::log) fn read_frames<'a>(
        &self,
        frames: impl Iterator<Item = (&'a Arc<Segment>, usize)> + Clone,
        start: Sequence,
        scan: &Scan,
        up: bool,
    ) -> Result<Chunk, LogError> {
        let mut chunk = Chunk { pieces: Vec::new(), through: start };
        // A filtered read keeps little of a frame, so several are unpacked at once; one such read at a time,
        // which bounds the memory.
        let ahead = scan.filter.rarest_texts().and_then(|_| self.ahead.try_lock());
        let (most, mut stretch) = match (&ahead, scan.filter.is_empty()) {
            (Some(_), _) => (MAX_AHEAD_BYTES, AHEAD_BYTES),
            (None, false) => (AHEAD_BYTES, scan.max_bytes),
            (None, true) => (scan.max_bytes, scan.max_bytes),
        };
        let mut frames = frames.take(MAX_LOOK);
        if ahead.is_some() {
            self.judge_ahead(frames.clone(), scan);
        }
        let (mut kept, mut looked) = (0, 0);
        loop {
            let (plan, bytes) = self.plan(&mut frames, &mut chunk.through, scan, up, stretch);
            let blocks = parallel_map(&plan, |part| match part {
                Part::Frame(segment, frame, candidates) => self.caches.prefiltered(segment, frame, candidates, scan),
                Part::Gap(..) => Ok(Vec::new()),
            });
            for (part, blocks) in plan.into_iter().zip(blocks) {
                match (part, blocks) {
                    (Part::Gap(range, reason), _) => chunk.pieces.push(Piece::Gap(range, reason)),
                    (Part::Frame(..), Ok(blocks)) => kept += chunk.add(blocks, up),
                    (Part::Frame(segment, frame, _), Err(LogError::Damaged(why))) => {
                        tracing::error!(store.segment = %segment.path().display(), event.seq = frame.first, error = why, "a frame of the log cannot be read");
                        chunk.pieces.push(Piece::Gap(frame.first..=frame.last(), GapReason::Damage));
                    }
                    (_, Err(e)) => return Err(e),
                }
            }
            looked += bytes;
            // Where little is kept, more at once costs no memory and wakes the other threads less often.
            stretch = if ahead.is_some() && kept * SPARSE < looked { 2 * stretch } else { stretch }.min(most.saturating_sub(looked));
            if bytes == 0 || kept >= scan.max_bytes || looked >= most {
                return Ok(chunk);
            }
        }
    }

    /// Looks into the first summaries that a read needs on all processors; that takes as long as a part of
    /// the unpacking.
    fn judge_ahead<'a>(&self, frames: impl Iterator<Item = (&'a Arc<Segment>, usize)>, scan: &Scan) {
        let meet = |(segment, at): &(&'a Arc<Segment>, usize)| segment.frames().get(*at).is_some_and(|frame| meets(frame, &scan.time));
        let first = frames.skip_while(|frame| !meet(frame)).take(CHUNK_FRAMES).filter(meet);
        let mut chunks: Vec<_> = first.map(|(segment, at)| (segment, at / CHUNK_FRAMES)).collect();
        chunks.dedup_by(|(a, at), (b, before)| Arc::ptr_eq(a, b) && at == before);
        if chunks.len() > 1 {
            parallel_map(&chunks, |(segment, chunk)| self.caches.candidates(segment, chunk * CHUNK_FRAMES, &scan.filter));
        }
    }

    /// The next frames that may hold something, up to a byte limit, with the gaps between them; and their
    /// bytes.
    fn plan<'a>(
        &self,
        frames: &mut impl Iterator<Item = (&'a Arc<Segment>, usize)>,
        through: &mut Sequence,
        scan: &Scan,
        up: bool,
        max_bytes: usize,
    ) -> (Vec<Part<'a>>, usize) {
        let (mut plan, mut bytes) = (Vec::new(), 0);
        for (segment, at) in frames {
            let Some(frame) = segment.frames().get(at) else { continue };
            let (from, to) = if up { (*through + 1, frame.first) } else { (frame.last() + 1, *through) };
            if from < to {
                self.state.read().gaps(from..=to - 1, |gap, reason| plan.push(Part::Gap(gap, reason)));
            }
            let candidates = if meets(frame, &scan.time) { self.caches.candidates(segment, at, &scan.filter) } else { Candidates::Nowhere };
            if candidates != Candidates::Nowhere {
                bytes += frame.raw_bytes(&candidates);
                plan.push(Part::Frame(segment, frame, candidates));
            }
            *through = if up { frame.last() } else { frame.first };
            if bytes >= max_bytes {
                break;
            }
        }
        (plan, bytes)
    }

    /// Reads the planned blocks, which end at `planned`, until the byte limit is reached.
    fn resolve(&self, steps: &[Planned], planned: Sequence, scan: &Scan, up: bool) -> Result<Chunk, LogError> {
        let mut chunk = Chunk { pieces: Vec::with_capacity(steps.len()), through: planned };
        let end = |range: &RangeInclusive<Sequence>| if up { *range.end() } else { *range.start() };
        // As with frames: a filtered read keeps little, so several blocks are unpacked at once.
        let ahead = scan.filter.rarest_texts().and_then(|_| self.ahead.try_lock());
        let (mut rest, mut bytes) = (steps, 0);
        while let Some(first) = rest.first() {
            let mut sum = (0, 0);
            let more = |step: &&Planned| {
                let (records, parts) = step.size();
                sum = (sum.0 + records, sum.1 + parts);
                sum.0 <= TIP_RECORDS && sum.1 <= TIP_PARTS
            };
            let count = if ahead.is_some() { rest.iter().take_while(more).count().max(1) } else { 1 };
            let (now, later) = rest.split_at(count);
            let blocks = parallel_map(now, |step| match step {
                Planned::Block(tip, entry) => self.caches.tip_prefiltered(tip, self.log_of(tip, entry.first), entry, scan),
                Planned::Gap(..) => Ok(Vec::new()),
            });
            for (step, blocks) in now.iter().zip(blocks) {
                match (step, blocks) {
                    (Planned::Gap(range, reason), _) => chunk.pieces.push(Piece::Gap(range.clone(), *reason)),
                    (Planned::Block(..), Ok(blocks)) => bytes += chunk.add(blocks, up),
                    (Planned::Block(_, entry), Err(LogError::Damaged(why))) => {
                        tracing::error!(event.seq = entry.first, error = why, "a block of the log cannot be read");
                        chunk.pieces.push(Piece::Gap(entry.first..=entry.last, GapReason::Damage));
                    }
                    (_, Err(e)) => return Err(e),
                }
            }
            if bytes >= scan.max_bytes && !later.is_empty() {
                chunk.through = end(&now.last().unwrap_or(first).range());
                break;
            }
            rest = later;
        }
        Ok(chunk)
    }

    /// The lowest sequence whose record's own time is `time` or later.
    pub(in crate::log) fn seek_time(&self, time: Timestamp) -> Result<Sequence, LogError> {
        let found = |block: Result<Arc<Block>, LogError>| match block {
            Ok(block) => Ok(block.sequences().find(|seq| block.time(*seq) >= time)),
            Err(LogError::Damaged(_)) => Ok(None),
            Err(e) => Err(e),
        };
        let mut after = 0;
        loop {
            // Again whenever a tip has become a segment since: its records are in neither list that was
            // looked at.
            for segment in self.segments().iter().filter(|segment| segment.last() > after).cloned().collect::<Vec<_>>() {
                let frames = if segment.time().1 < time { &[][..] } else { segment.frames() };
                for frame in frames.iter().filter(|frame| frame.last() > after && frame.time.1 >= time) {
                    if let Some(seq) = found(self.caches.frame_block(&segment, frame))? {
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
                && let Some(seq) = found(self.caches.tip_block(&tip, self.log_of(&tip, entry.first), &entry))?
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

/// Whether a frame may hold a record whose own time is in `range`. Event times do not rise with the sequence,
/// so nothing about its neighbours follows.
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
