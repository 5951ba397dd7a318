//! Sealed segments as whole files: what goes into an archive, and what comes back from one.

use super::offline::verify::verify_segment;
use super::segment::Segment;
use super::{Block, LogError};
use crate::chain::{self, ChainValue};
use crate::cursor::{LogId, Sequence};
use bytes::Bytes;
use std::path::Path;
use std::sync::Arc;

/// Bytes that are read of a segment at a time.
const PIECE_BYTES: u64 = 4 * 1024 * 1024;

/// A sealed segment. It stays readable when retention removes it.
#[derive(Debug, Clone)]
pub struct SealedSegment(Arc<Segment>);

/// What two segments have in common that hold the same records, however they are packed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SegmentFacts {
    /// The log that wrote it.
    pub log: LogId,
    /// Sequence of the first record.
    pub first: Sequence,
    /// Sequence of the last record.
    pub last: Sequence,
    /// The hash chain's value before the first record.
    pub chain_before: ChainValue,
    /// The value after the last one.
    pub chain_after: ChainValue,
}

impl SealedSegment {
    /// One of a log that is open.
    pub(super) fn of(segment: Arc<Segment>) -> Self {
        Self(segment)
    }

    /// Opens the file of a segment.
    ///
    /// # Errors
    /// [`LogError::Damaged`] when its index is not whole; a file operation that failed.
    pub fn open(path: &Path) -> Result<Self, LogError> {
        Segment::open_whole(path).map(|segment| Self(Arc::new(segment)))
    }

    /// Sequence of the first record.
    pub fn first(&self) -> Sequence {
        self.0.first()
    }

    /// Sequence of the last record.
    pub fn last(&self) -> Sequence {
        self.0.last()
    }

    /// Size of the file.
    pub fn bytes(&self) -> u64 {
        self.0.bytes()
    }

    /// The log that wrote it.
    pub fn log(&self) -> LogId {
        self.0.log()
    }

    /// When its newest record was received.
    pub fn received(&self) -> crate::time::Timestamp {
        self.0.received().1
    }

    /// Where it lies.
    pub fn path(&self) -> &Path {
        self.0.path()
    }

    /// What comes after the frames: index and summaries, in which a checksum of each frame stands and the
    /// hash chain's value after it. Blocking, as all that follows.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn tail(&self) -> Result<Bytes, LogError> {
        let from = self.0.frames_end();
        Ok(self.0.part(from, self.bytes().saturating_sub(from))?.into())
    }

    /// The whole file, in pieces.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn read(&self) -> Result<Vec<Bytes>, LogError> {
        let (mut pieces, mut at) = (Vec::new(), 0);
        while at < self.bytes() {
            let bytes = PIECE_BYTES.min(self.bytes() - at);
            pieces.push(self.0.part(at, bytes)?.into());
            at += bytes;
        }
        Ok(pieces)
    }

    /// Its records, block by block.
    pub(super) fn blocks(&self) -> impl Iterator<Item = Result<Block, LogError>> {
        self.0.frames().iter().map(|frame| self.0.block(frame))
    }

    /// Which records it holds.
    ///
    /// # Errors
    /// [`LogError::Damaged`] when its index is.
    pub fn facts(&self) -> Result<SegmentFacts, LogError> {
        let index = self.0.index()?;
        let chain_after = index.chain_after.last().copied().unwrap_or(index.chain_before);
        Ok(SegmentFacts { log: self.log(), first: self.first(), last: self.last(), chain_before: index.chain_before, chain_after })
    }

    /// What is wrong with it: every checksum, every line and the hash chain through all of them are looked
    /// at.
    ///
    /// # Errors
    /// When it cannot be read for a passing reason.
    pub fn check(&self) -> Result<Vec<String>, LogError> {
        match self.0.again() {
            Err(LogError::Damaged(why)) => Ok(vec![why]),
            again => verify_segment(self.path(), again?),
        }
    }

    /// The hash chain's value before the record `seq`, which it holds, or which follows it.
    ///
    /// # Errors
    /// [`LogError::Damaged`] when that cannot be read, or is elsewhere.
    pub fn chain_before(&self, seq: Sequence) -> Result<ChainValue, LogError> {
        let index = self.0.index()?;
        let at = index.frames.partition_point(|frame| frame.last() < seq);
        let before = at.checked_sub(1).map_or(Some(index.chain_before), |before| index.chain_after.get(before).copied());
        let elsewhere = || LogError::Damaged(format!("{} does not reach the record {seq}", self.path().display()));
        let mut value = before.ok_or_else(elsewhere)?;
        if let Some(frame) = index.frames.get(at).filter(|frame| frame.first < seq) {
            let block = self.0.block(frame)?;
            for earlier in block.sequences().take_while(|earlier| *earlier < seq) {
                value = chain::next(&value, &block.line(earlier, false));
            }
        } else if seq < self.first() || seq > self.last() + 1 {
            return Err(elsewhere());
        }
        Ok(value)
    }
}
