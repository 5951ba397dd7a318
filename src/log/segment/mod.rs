//! Sealed segments: files `<first sequence>.jsonl.zst` that hold the log's lines in independent zstd frames.
//! One that is published is never written to again: what has to change becomes another file.
//!
//! `zstdcat` reads them; what stands after the frames (index.rs) makes them quick to find one's way in.
//! Where that is damaged it is made again by walking the frames (walk.rs).

mod frame;
mod index;
pub(super) mod publish;
mod summary;
mod walk;
mod write;

pub(super) use frame::{FrameMeta, MAX_RAW_BYTES, RAW_BYTES, let_go_of_compressor};
pub(super) use index::IndexData;
pub(super) use summary::{CHUNK_FRAMES, Candidates, SummaryChunk};
pub(super) use write::{LEVEL, SegmentWriter, WriteError};

use super::dir::durable::io;
use super::dir::files::{self, EIO};
use super::record::prefilter::Prefiltered;
use super::{Block, LogError, Scan};
use crate::cursor::{LogId, Sequence};
use crate::time::Timestamp;
use index::ChunkPlace;
use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

/// Segments opened so far.
static OPENED: AtomicU64 = AtomicU64::new(0);
/// An open segment. The file stays readable through this handle when it is removed or replaced.
#[derive(Debug)]
pub(super) struct Segment {
    id: u64,
    path: PathBuf,
    file: File,
    bytes: u64,
    log: LogId,
    received: (Timestamp, Timestamp),
    time: (Timestamp, Timestamp),
    fast_packed: bool,
    frames: Vec<FrameMeta>,
    /// Where the summaries lie; nothing when the index is lost.
    chunks: Vec<ChunkPlace>,
}

impl Segment {
    /// Opens a segment. A damaged index costs time, not records: it is made again from the frames.
    ///
    /// # Errors
    /// [`LogError::Damaged`] when no frame can be read; a file operation that failed.
    pub(super) fn open(path: &Path) -> Result<Self, LogError> {
        let file = files::open_to_read(path)?;
        let bytes = file.metadata().map_err(io("cannot read", path))?.len();
        let (index, chunks) = match read_index(&file, path, bytes) {
            Ok(whole) => whole,
            Err(LogError::Damaged(why)) => {
                tracing::error!(store.segment = %path.display(), error = why, "a segment's index is damaged; it is made again from its frames");
                (walk::rebuild(&file, path, bytes)?, Vec::new())
            }
            Err(e) => return Err(e),
        };
        Ok(Self::of(path, file, bytes, index, chunks))
    }

    /// Opens a segment of somebody else, of which nothing is made again.
    ///
    /// # Errors
    /// [`LogError::Damaged`] when its index is not whole; a file operation that failed.
    pub(super) fn open_whole(path: &Path) -> Result<Self, LogError> {
        let file = files::open_to_read(path)?;
        let bytes = file.metadata().map_err(io("cannot read", path))?.len();
        let (index, chunks) = read_index(&file, path, bytes)?;
        Ok(Self::of(path, file, bytes, index, chunks))
    }

    /// The same, read anew through the open file: it may have been removed meanwhile.
    ///
    /// # Errors
    /// As [`Segment::open_whole`].
    pub(super) fn again(&self) -> Result<Self, LogError> {
        let file = self.file.try_clone().map_err(io("cannot open", &self.path))?;
        let (index, chunks) = read_index(&file, &self.path, self.bytes)?;
        Ok(Self::of(&self.path, file, self.bytes, index, chunks))
    }

    fn of(path: &Path, file: File, bytes: u64, index: IndexData, chunks: Vec<ChunkPlace>) -> Self {
        let time = index.frames.iter().map(|f| f.time).reduce(|a, b| (a.0.min(b.0), a.1.max(b.1))).unwrap_or_default();
        let IndexData { log, received, fast_packed, frames, .. } = index;
        let id = OPENED.fetch_add(1, Ordering::Relaxed);
        Self { id, path: path.to_owned(), file, bytes, log, received, time, fast_packed, frames, chunks }
    }

    /// Tells it from all that this process has opened: one with the same records may have other frames.
    pub(super) fn id(&self) -> u64 {
        self.id
    }

    /// Where it lies.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Size of the file.
    pub(super) fn bytes(&self) -> u64 {
        self.bytes
    }

    /// The log that wrote it.
    pub(super) fn log(&self) -> LogId {
        self.log
    }

    /// Sequence of the first record.
    pub(super) fn first(&self) -> Sequence {
        self.frames.first().map_or(1, |frame| frame.first)
    }

    /// Sequence of the last record.
    pub(super) fn last(&self) -> Sequence {
        self.frames.last().map_or(0, FrameMeta::last)
    }

    /// Earliest and latest time of receipt.
    pub(super) fn received(&self) -> (Timestamp, Timestamp) {
        self.received
    }

    /// Earliest and latest own time of its records.
    pub(super) fn time(&self) -> (Timestamp, Timestamp) {
        self.time
    }

    /// Its frames, rising. Holes between them are damage.
    pub(super) fn frames(&self) -> &[FrameMeta] {
        &self.frames
    }

    /// Whether it would take less room if it were packed again.
    pub(super) fn is_fast_packed(&self) -> bool {
        self.fast_packed
    }

    /// Whether the index is as it was written.
    pub(super) fn has_index(&self) -> bool {
        !self.chunks.is_empty()
    }

    /// Where the frames end and the index begins.
    pub(super) fn frames_end(&self) -> u64 {
        self.frames.last().map_or(0, |frame| frame.offset + u64::from(frame.packed))
    }

    /// A part of the file, as it lies there.
    pub(super) fn part(&self, offset: u64, bytes: u64) -> Result<Vec<u8>, LogError> {
        let bytes = usize::try_from(bytes).map_err(|_| LogError::Internal("a part of a segment is too long".to_owned()))?;
        self.read(offset, bytes)
    }

    fn read(&self, offset: u64, bytes: usize) -> Result<Vec<u8>, LogError> {
        read_exact(&self.file, &self.path, offset, bytes)
    }

    /// The records of a frame.
    pub(super) fn block(&self, frame: &FrameMeta) -> Result<Block, LogError> {
        frame::block(&self.read(frame.offset, frame.packed as usize)?, frame)
    }

    /// What is in a frame for a scan, where its summary says that this may be.
    pub(super) fn prefilter(&self, frame: &FrameMeta, candidates: &Candidates, scan: &Scan) -> Result<Prefiltered, LogError> {
        frame::prefilter(&self.read(frame.offset, frame.packed as usize)?, frame, candidates, scan)
    }

    /// Frames as they lie in the file, each checked.
    pub(super) fn packed(&self, frames: &[FrameMeta]) -> Result<Vec<u8>, LogError> {
        let (Some(first), Some(last)) = (frames.first(), frames.last()) else { return Ok(Vec::new()) };
        let bytes = self.read(first.offset, usize::try_from(last.offset - first.offset).unwrap_or(usize::MAX) + last.packed as usize)?;
        for frame in frames {
            let from = usize::try_from(frame.offset - first.offset).unwrap_or(usize::MAX);
            let whole = bytes.get(from..).and_then(|b| b.get(..frame.packed as usize));
            if whole.map(crc32fast::hash) != Some(frame.crc) {
                return Err(LogError::Damaged(format!("the frame at {} of {} has another checksum", frame.first, self.path.display())));
            }
        }
        Ok(bytes)
    }

    /// The summaries of the chunk in which `frame` lies; `None` when they are lost.
    pub(super) fn summary_chunk(&self, frame: usize) -> Option<SummaryChunk> {
        let at = frame / CHUNK_FRAMES;
        let place = self.chunks.get(at)?;
        let packed = self.read(place.offset, place.bytes as usize).ok()?;
        let frames = CHUNK_FRAMES.min(self.frames.len() - at * CHUNK_FRAMES);
        (crc32fast::hash(&packed) == place.crc).then(|| SummaryChunk::unpack(&packed, frames, place.has_positions).ok())?
    }

    /// Whether all its summaries are as they were written.
    pub(super) fn has_summaries(&self) -> bool {
        let mut chunks = (0..self.frames.len()).step_by(CHUNK_FRAMES);
        chunks.all(|frame| self.summary_chunk(frame).is_some_and(|summary_chunk| summary_chunk.summaries().is_ok()))
    }

    /// The whole index, read again.
    ///
    /// # Errors
    /// [`LogError::Damaged`] when it is.
    pub(super) fn index(&self) -> Result<IndexData, LogError> {
        read_index(&self.file, &self.path, self.bytes).map(|(index, _)| index)
    }
}

fn read_exact(file: &File, path: &Path, offset: u64, bytes: usize) -> Result<Vec<u8>, LogError> {
    let mut buffer = vec![0; bytes];
    match file.read_exact_at(&mut buffer, offset) {
        Ok(()) => Ok(buffer),
        Err(e) if e.kind() == std::io::ErrorKind::UnexpectedEof => {
            Err(LogError::Damaged(format!("{} is shorter than it should be", path.display())))
        }
        // A bad sector costs what lies in it, as a flipped bit does.
        Err(e) if e.raw_os_error() == Some(EIO) => Err(LogError::Damaged(format!("{} cannot be read at {offset}: {e}", path.display()))),
        Err(e) => Err(io("cannot read", path)(e)),
    }
}

/// The index, and where in the file the summaries lie.
fn read_index(file: &File, path: &Path, bytes: u64) -> Result<(IndexData, Vec<ChunkPlace>), LogError> {
    let cut = || LogError::Damaged(format!("{} is shorter than it should be", path.display()));
    let part = |from: u64, to: u64| read_exact(file, path, from, usize::try_from(to - from).map_err(|_| cut())?);
    let footer = part(bytes.checked_sub(index::FOOTER as u64).ok_or_else(cut)?, bytes)?;
    let table_at = bytes.checked_sub(index::seek_table_bytes(&footer)? as u64).ok_or_else(cut)?;
    let table = index::read_seek_table(&part(table_at, bytes)?)?;
    let index_bytes = table.last().filter(|last| **last <= index::MAX_BYTES).ok_or_else(cut)?;
    let index_at = table_at.checked_sub(u64::from(*index_bytes)).ok_or_else(cut)?;
    let frame = part(index_at, table_at)?;
    let content = index::index_content(&frame)?;
    let (index, mut chunks) = IndexData::read(content)?;
    let end = index.frames.last().map_or(0, |f| f.offset + u64::from(f.packed));
    let sizes_agree = index.frames.iter().map(|f| f.packed).eq(table.iter().copied().take(table.len() - 1));
    let chunks_end = chunks.last().map(|chunk| chunk.offset + u64::from(chunk.bytes));
    if end != index_at || chunks_end != Some(content.len() as u64) || !sizes_agree {
        return Err(LogError::Damaged(format!("the index of {} does not fit its frames", path.display())));
    }
    let content_at = index_at + (frame.len() - content.len()) as u64;
    for chunk in &mut chunks {
        chunk.offset += content_at;
    }
    Ok((index, chunks))
}

#[cfg(test)]
pub(super) mod testing;
#[cfg(test)]
mod tests;
