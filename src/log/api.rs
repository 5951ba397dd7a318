//! The words in which the rest of the program speaks with a log.

use super::record::block::Block;
use crate::cursor::{LogId, Sequence};
use crate::event::Event;
use crate::filter::Filter;
use crate::time::Timestamp;
use bytes::Bytes;
use std::ops::RangeInclusive;
use std::path::PathBuf;
use std::sync::Arc;

/// A record on its way into a log, which gives it its sequence.
#[derive(Debug, Clone)]
pub struct NewRecord {
    /// Name of the Docker host.
    pub source: Arc<str>,
    /// When the recorder received it. A log lets this fall only at a `start` of the recorder: within one run
    /// it never does.
    pub received: Timestamp,
    /// The message.
    pub event: Event,
}

/// What a log holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bounds {
    /// Identity of the log.
    pub log: LogId,
    /// Sequence of the oldest record kept; 1 while the log is empty.
    pub oldest: Sequence,
    /// Sequence of the newest visible record; 0 while the log is empty.
    pub head: Sequence,
}

/// Why sequences are missing from a log.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum GapReason {
    /// Removed because it was old, or to make room.
    Retention,
    /// Lost to damage of the disk or the files.
    Damage,
    /// Not in the export from which this log was made.
    Export,
}

/// One thing that a read found, in order of sequence.
#[derive(Debug, Clone)]
pub enum Piece {
    /// Records. The block may begin before the position asked for.
    Block(Arc<Block>),
    /// These sequences cannot be had, ever again.
    Gap(RangeInclusive<Sequence>, GapReason),
}

/// What a read found.
#[derive(Debug, Clone, Default)]
pub struct Chunk {
    /// In the direction of the read.
    pub pieces: Vec<Piece>,
    /// The read has covered everything up to this sequence (down to it, when reading backwards); records on
    /// the way that are not in `pieces` lay outside the time range, or do not pass the filter.
    pub through: Sequence,
}

/// Consecutive records as zstd frames.
#[derive(Debug, Clone)]
pub struct Packed {
    /// Sequence of the last record.
    pub last: Sequence,
    /// The frames.
    pub bytes: Bytes,
}

/// Limits of one read.
#[derive(Debug, Clone)]
pub struct Scan {
    /// Records whose own time lies elsewhere may be left out. Blocks may hold such as well.
    pub time: RangeInclusive<Timestamp>,
    /// Records that do not pass may be left out. Blocks may hold such as well.
    pub filter: Arc<Filter>,
    /// Stop after the block with which this many bytes of wire form are reached. At least one block is always
    /// read.
    pub max_bytes: usize,
}

/// Wire bytes that one read gives at least, if there are that many.
pub const DEFAULT_SCAN_BYTES: usize = 256 * 1024;

impl Default for Scan {
    fn default() -> Self {
        Self { time: Timestamp::MIN..=Timestamp::MAX, filter: Arc::default(), max_bytes: DEFAULT_SCAN_BYTES }
    }
}

/// Whether a log can take records.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum WriterState {
    /// It can.
    Ok,
    /// Somebody else's log, or an export: nothing is recorded.
    ReadOnly,
    /// The disk is full. Recording continues by itself when there is space again; nothing was written in
    /// part.
    Full(String),
    /// A write or an fsync failed: nothing more is written until the program is restarted, since after a
    /// failed fsync nobody knows what the disk holds. Reads continue.
    Poisoned(String),
}

/// The oldest records that are stored together, and so go together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TrimStep {
    /// [`EventLog::trim`](super::EventLog::trim) with this removes them.
    pub before: Sequence,
    /// When the newest of them was received, by the clock of then.
    pub received: Timestamp,
    /// The earliest such time of the steps after this one. What is in this one had been received by then:
    /// that counts where `received` lies ahead of the clock, because that was ahead once.
    pub followed_by: Option<Timestamp>,
    /// Bytes on disk that they take.
    pub bytes: u64,
}

/// What was found when the log was opened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recovery {
    /// The log was new, or had been stopped cleanly and is whole.
    pub clean: bool,
    /// Sequences that readers may have seen and that are gone, as far as no record tells of them yet. They
    /// will never be used again.
    pub lost: Vec<RangeInclusive<Sequence>>,
    /// Where files that could not be opened were set aside.
    pub quarantined: Vec<PathBuf>,
    /// The log goes on under an id that no record has yet: the one that it had before, and the last record
    /// that has that.
    pub forked: Option<(LogId, Sequence)>,
}
