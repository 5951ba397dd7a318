//! Stored forms as bytes of unknown origin, for the fuzz targets in `fuzz/`. Not part of any other build.

use super::segment::{CHUNK_FRAMES, Candidates, Segment};
use super::tip::codec;
use super::{Block, LogError, Scan};
use crate::cursor::{LogId, Sequence};
use crate::filter::Filter;
use std::path::Path;
use std::sync::Arc;

/// A block in its stored form.
///
/// # Errors
/// When it is damaged.
pub fn block(value: &[u8]) -> Result<Block, LogError> {
    codec::decode(value, LogId::with_prefix(1))
}

/// Lines of a segment's frame, of which the first should be the record `first`.
///
/// # Errors
/// When they are not.
pub fn lines(first: Sequence, lines: &[u8]) -> Result<Block, LogError> {
    Block::from_lines(first, lines)
}

/// Every frame of a segment's file.
///
/// # Errors
/// When the file holds no frame that can be read.
pub fn segment(path: &Path) -> Result<Vec<Result<Block, LogError>>, LogError> {
    let segment = Segment::open(path)?;
    let frames = segment.frames();
    let _ = (segment.has_summaries(), segment.index(), segment.packed(frames), segment.first(), segment.last());
    let filter = Filter::from_terms(&["event=die".to_owned(), "container=web".to_owned()], &[]).unwrap_or_default();
    let scan = Scan { filter: Arc::new(filter), ..Scan::default() };
    for (at, frame) in frames.iter().enumerate() {
        let summary_chunk = segment.summary_chunk(at);
        let summaries = summary_chunk.as_ref().and_then(|summary_chunk| summary_chunk.summaries().ok());
        let candidates = summaries.map_or(Candidates::Anywhere, |summaries| summaries.judge(&scan.filter).candidates(at % CHUNK_FRAMES));
        let _ = segment.prefilter(frame, &candidates, &scan);
    }
    Ok(frames.iter().map(|frame| segment.block(frame)).collect())
}
