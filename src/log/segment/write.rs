//! Writing a segment, line by line or frame by frame.

use super::frame::{self, FrameMeta, LINES, RAW_BYTES};
use super::index::IndexData;
use super::summary::{CHUNK_FRAMES, Summaries, SummaryBuilder};
use crate::cursor::{LogId, Sequence};
use crate::log::LogError;
use crate::log::record::chain::{self, ChainValue};
use crate::log::record::line::Line;
use crate::time::Timestamp;
use std::io::Write;

/// Level of sealed frames. Higher ones cost several times the time for a few per cent.
pub(in crate::log) const LEVEL: i32 = 11;
/// Level of frames that are packed while records come faster than they are sealed: half as long for the whole
/// of it, and a third more room.
const FAST_LEVEL: i32 = 1;

/// Lays rising records out as a segment.
pub(in crate::log) struct SegmentWriter<W> {
    out: W,
    log: LogId,
    level: i32,
    fast_packed: bool,
    next: Sequence,
    chain: ChainValue,
    /// The frame under way.
    lines: Vec<u8>,
    count: u32,
    time: Option<(Timestamp, Timestamp)>,
    received: Option<(Timestamp, Timestamp)>,
    offset: u64,
    index: IndexData,
    summaries: SummaryBuilder,
    /// Finished chunks of summaries.
    chunks: Vec<Vec<u8>>,
}

impl<W> std::fmt::Debug for SegmentWriter<W> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SegmentWriter").field("next", &self.next).finish_non_exhaustive()
    }
}

/// A failure on the way to the file, or in the records.
#[derive(Debug, thiserror::Error)]
pub(in crate::log) enum WriteError {
    #[error(transparent)]
    Io(#[from] std::io::Error),
    #[error(transparent)]
    Log(#[from] LogError),
}

fn widen(range: &mut Option<(Timestamp, Timestamp)>, with: (Timestamp, Timestamp)) {
    *range = Some(range.map_or(with, |(min, max)| (min.min(with.0), max.max(with.1))));
}

impl<W: Write> SegmentWriter<W> {
    /// A segment of `log` whose first record is `first`; `chain` stands before it.
    pub(in crate::log) fn new(out: W, log: LogId, first: Sequence, chain: ChainValue, level: i32) -> Self {
        let (received, frames, chain_after) = Default::default();
        let index = IndexData { log, received, chain_before: chain, fast_packed: false, frames, chain_after };
        Self {
            out,
            log,
            level,
            fast_packed: false,
            next: first,
            chain,
            lines: Vec::new(),
            count: 0,
            time: None,
            received: None,
            offset: 0,
            index,
            summaries: SummaryBuilder::default(),
            chunks: Vec::new(),
        }
    }

    /// Sequence of the next record.
    pub(in crate::log) fn next(&self) -> Sequence {
        self.next
    }

    /// The chain's value after the last line.
    pub(in crate::log) fn chain(&self) -> ChainValue {
        self.chain
    }

    /// Adds the next record: its line without the line end.
    pub(in crate::log) fn push(&mut self, line: &[u8]) -> Result<(), WriteError> {
        let parts = Line::of(line, self.next);
        self.summaries.add_line(line, parts);
        widen(&mut self.time, (parts.time(), parts.time()));
        widen(&mut self.received, (parts.received(), parts.received()));
        self.chain = chain::next(&self.chain, line);
        self.lines.extend_from_slice(line);
        self.lines.push(b'\n');
        self.count += 1;
        self.next += 1;
        if self.count >= LINES || self.lines.len() >= RAW_BYTES { self.end_frame() } else { Ok(()) }
    }

    /// Whether the frames that end from now on are to be packed quickly rather than well.
    pub(in crate::log) fn hurry(&mut self, fast_packed: bool) {
        self.fast_packed = fast_packed;
    }

    /// Leaves out the records before `next`.
    pub(in crate::log) fn skip_to(&mut self, next: Sequence) -> Result<(), WriteError> {
        self.end_frame()?;
        self.next = next;
        Ok(())
    }

    /// Frames written so far.
    pub(in crate::log) fn frames(&self) -> usize {
        self.index.frames.len()
    }

    fn end_frame(&mut self) -> Result<(), WriteError> {
        if self.count == 0 {
            return Ok(());
        }
        let packed = frame::pack(&self.lines, if self.fast_packed { FAST_LEVEL } else { self.level })?;
        self.index.fast_packed |= self.fast_packed;
        let size = |bytes: usize| u32::try_from(bytes).map_err(|_| LogError::Internal("a frame of over 4 GiB".to_owned()));
        let meta = FrameMeta {
            first: self.next - u64::from(self.count),
            count: self.count,
            time: self.time.take().unwrap_or_default(),
            offset: self.offset,
            packed: size(packed.len())?,
            raw: size(self.lines.len())?,
            crc: crc32fast::hash(&packed),
        };
        self.summaries.end_frame();
        self.put(&packed, meta, self.chain)?;
        self.lines.clear();
        self.count = 0;
        Ok(())
    }

    fn put(&mut self, packed: &[u8], meta: FrameMeta, chain: ChainValue) -> Result<(), WriteError> {
        self.out.write_all(packed)?;
        self.offset += packed.len() as u64;
        self.index.frames.push(meta);
        self.index.chain_after.push(chain);
        if self.summaries.frames() == CHUNK_FRAMES { self.end_chunk() } else { Ok(()) }
    }

    fn end_chunk(&mut self) -> Result<(), WriteError> {
        if self.summaries.frames() > 0 {
            self.chunks.push(std::mem::take(&mut self.summaries).finish()?);
        }
        Ok(())
    }

    /// Whether the next frame can be taken over as it is: nothing waits, and it is as long as frames are to
    /// be.
    pub(in crate::log) fn takes_frame(&self, frame: &FrameMeta) -> bool {
        self.count == 0 && (frame.count >= LINES || frame.raw as usize >= RAW_BYTES)
    }

    /// Adds a frame of another segment as it is; `subjects` is its chunk of summaries.
    pub(in crate::log) fn push_frame(
        &mut self,
        packed: &[u8],
        at: usize,
        from: &IndexData,
        summaries: &Summaries<'_>,
    ) -> Result<(), WriteError> {
        let (Some(frame), Some(chain)) = (from.frames.get(at), from.chain_after.get(at)) else { return Ok(()) };
        let meta = FrameMeta { offset: self.offset, ..*frame };
        self.summaries.copy_frame(summaries, at % CHUNK_FRAMES);
        self.next = meta.last() + 1;
        self.chain = *chain;
        // Of the frames only the whole segment's received times are known.
        widen(&mut self.received, from.received);
        self.put(packed, meta, *chain)
    }

    /// Writes what is left and the index. Gives back where it wrote to, and whether there was anything.
    pub(in crate::log) fn finish(mut self) -> Result<(W, bool), WriteError> {
        self.end_frame()?;
        if self.index.frames.is_empty() {
            return Ok((self.out, false));
        }
        self.index.received = self.received.unwrap_or_default();
        self.index.log = self.log;
        self.end_chunk()?;
        let trailer = self.index.write(&self.chunks)?;
        self.out.write_all(&trailer)?;
        Ok((self.out, true))
    }
}
