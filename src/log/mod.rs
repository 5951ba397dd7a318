//! The event log: an append-only sequence of records, durable before visible.
//!
//! [`EventLog`] is the seam: everything above reads and writes through it, and every implementation must pass
//! the suite in `testing/contract.rs`. [`EmbeddedLog`] is the default one.

mod commit;
mod compact;
mod dir;
mod embedded;
#[cfg(fuzzing)]
#[doc(hidden)]
pub mod fuzzing;
mod offline;
mod read;
mod record;
mod recover;
mod segment;
#[cfg(test)]
mod testing;
mod tip;

pub use dir::scratch::ScratchDir;
pub use embedded::{EmbeddedLog, Limits, Recovery};
pub use offline::import::{Imported, import};
pub use offline::verify::{Report, verify};
pub use read::held::Held;
pub use record::block::Block;

use crate::cursor::{Cursor, LogId, Sequence};
use crate::event::Event;
use crate::filter::Filter;
use crate::time::Timestamp;
use async_trait::async_trait;
use bytes::Bytes;
use std::ops::RangeInclusive;
use std::path::PathBuf;
use std::sync::Arc;
use tokio::sync::watch;

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

/// Most bytes of one record as a line, its envelope included. Larger ones are refused before anything of
/// their batch is stored: what is stored can be read, sealed, exported and imported. A message has at most
/// [`MAX_EVENT_BYTES`](crate::event::MAX_EVENT_BYTES) when it comes; redaction can make it somewhat longer.
pub const MAX_RECORD_BYTES: usize = 4 * 1024 * 1024;

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
    /// The disk is full. Recording goes on by itself when there is space again; nothing was written in part.
    Full(String),
    /// A write or an fsync failed: nothing more is written until the program is restarted, since after a
    /// failed fsync nobody knows what the disk holds. Reads go on.
    Poisoned(String),
}

/// What can go wrong with a log.
#[derive(Debug, Clone, thiserror::Error)]
pub enum LogError {
    /// An operation on a file failed.
    #[error("{doing} {path}: {source}")]
    Io {
        /// What was being done, as in "cannot create".
        doing: &'static str,
        /// To which file.
        path: PathBuf,
        /// Why it failed.
        source: Arc<std::io::Error>,
    },
    /// A record is larger than a log keeps, see [`MAX_RECORD_BYTES`]. Nothing of the batch was stored, and
    /// the log takes others as before.
    #[error("the record at place {index} of its batch takes {bytes} bytes, more than {MAX_RECORD_BYTES}")]
    TooLarge {
        /// Place of the first such record in the batch, from 0.
        index: usize,
        /// What its line takes, at most.
        bytes: usize,
    },
    /// Another process has this log open.
    #[error("{0} is in use by another shipslog; stop that one, or give this one its own --data-dir")]
    InUse(PathBuf),
    /// Written by a newer shipslog.
    #[error("{path} has format {found}, this shipslog reads up to {known}; run the newer shipslog that wrote it")]
    NewerFormat {
        /// The file that says so.
        path: PathBuf,
        /// Its format.
        found: u32,
        /// The newest format this program knows.
        known: u32,
    },
    /// What was to be imported cannot be, or not there.
    #[error("{0}")]
    Refused(String),
    /// Stored bytes are not what was written.
    #[error("damaged: {0}")]
    Damaged(String),
    /// The disk is full, see [`WriterState::Full`]. Can be tried again when that state has passed.
    #[error("the disk is full: {why}")]
    Full {
        /// How full.
        why: String,
        /// So many records of the batch, its first ones, have been stored even so.
        stored: usize,
    },
    /// The writer has stopped, see [`WriterState::Poisoned`].
    #[error("the log takes no more records until restart: {0}")]
    Poisoned(String),
    /// The log has been closed.
    #[error("the log is closed")]
    Closed,
}

/// The oldest records that are stored together, and so go together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TrimStep {
    /// [`EventLog::trim`] with this removes them.
    pub before: Sequence,
    /// When the newest of them was received, by the clock of then.
    pub received: Timestamp,
    /// The earliest such time of the steps behind this one. What is in this one had been received by then:
    /// that counts where `received` lies ahead of the clock, because that was ahead once.
    pub followed_by: Option<Timestamp>,
    /// Bytes on disk that they take.
    pub bytes: u64,
}

/// An append-only sequence of records with one writer and any number of readers.
#[async_trait]
pub trait EventLog: Send + Sync + 'static {
    /// Appends records in order. When this returns they are durable and, at once, visible to readers; appends
    /// that wait at the same time share one commit.
    ///
    /// # Errors
    /// When it fails nothing of the batch is visible (of one that spans several blocks, a whole prefix may
    /// be), and the log takes nothing more ([`LogError::Poisoned`]) or nothing for now ([`LogError::Full`]).
    /// [`LogError::TooLarge`] is about one record: without it the batch can be appended at once.
    async fn append(&self, records: Vec<NewRecord>) -> Result<RangeInclusive<Sequence>, LogError>;

    /// Reads upwards: what comes after `after`. Nothing when `after` is the head.
    ///
    /// # Errors
    /// When stored blocks cannot be read for a passing reason. Damage is no error but a [`Piece::Gap`].
    async fn read_after(&self, after: Sequence, scan: &Scan) -> Result<Chunk, LogError>;

    /// As [`EventLog::read_after`], if it can be answered from memory: so it can for a reader that keeps up.
    fn recent_after(&self, after: Sequence, scan: &Scan) -> Option<Chunk> {
        let _ = (after, scan);
        None
    }

    /// Records that follow `after` up to `until`, at most, as whole zstd frames of their lines, if the log
    /// has them in that form and the first of them begins right there.
    ///
    /// # Errors
    /// As [`EventLog::read_after`].
    async fn packed_after(&self, after: Sequence, until: Sequence) -> Result<Option<Packed>, LogError> {
        let _ = (after, until);
        Ok(None)
    }

    /// Reads downwards: what comes before `before`, newest block first.
    ///
    /// # Errors
    /// As [`EventLog::read_after`].
    async fn read_before(&self, before: Sequence, scan: &Scan) -> Result<Chunk, LogError>;

    /// Keeps what is stored of `range` readable with [`EventLog::read_held`], also when retention removes it
    /// meanwhile.
    fn hold(&self, range: &RangeInclusive<Sequence>) -> Held {
        let _ = range;
        Held::default()
    }

    /// As [`EventLog::read_after`], also of what has been removed since it was held.
    ///
    /// # Errors
    /// As [`EventLog::read_after`].
    async fn read_held(&self, held: &Held, after: Sequence, scan: &Scan) -> Result<Chunk, LogError> {
        let _ = held;
        self.read_after(after, scan).await
    }

    /// The lowest sequence whose record's own time is `time` or later; head + 1 when there is none.
    ///
    /// # Errors
    /// As [`EventLog::read_after`].
    async fn seek_time(&self, time: Timestamp) -> Result<Sequence, LogError>;

    /// What the log holds.
    fn bounds(&self) -> Bounds;

    /// Whether a cursor is of this log: by its own name, or by the name of a log whose copy it is, up to the
    /// fork.
    fn owns(&self, cursor: Cursor) -> bool {
        cursor.log == self.bounds().log.prefix()
    }

    /// The head, for waiting until it moves.
    fn watch_head(&self) -> watch::Receiver<Sequence>;

    /// Whether the log can take records, for waiting until that changes.
    fn watch_writer(&self) -> watch::Receiver<WriterState>;

    /// Bytes on disk.
    fn disk_bytes(&self) -> u64;

    /// What it will take, about, when all that waits to be sealed has been. Retention by size goes by it: in
    /// a burst sealing waits, and is no reason to remove anything.
    fn settled_bytes(&self) -> u64;

    /// Removes records before `before`, as far as that is possible without splitting what is stored together.
    /// Returns the oldest sequence that is left. The newest record always stays.
    ///
    /// # Errors
    /// As [`EventLog::append`].
    async fn trim(&self, before: Sequence) -> Result<Sequence, LogError>;

    /// What the next trim would remove, if there is anything that can go.
    fn next_trim(&self) -> Option<TrimStep>;

    /// Stops the writer and marks the log as cleanly stopped.
    ///
    /// # Errors
    /// When the mark could not be written; the log is intact even so.
    async fn close(&self) -> Result<(), LogError>;
}

impl LogError {
    /// Whether a file is not there.
    pub(crate) fn is_not_found(&self) -> bool {
        matches!(self, Self::Io { source, .. } if source.kind() == std::io::ErrorKind::NotFound)
    }

    /// Whether it is for want of space.
    pub(crate) fn is_full(&self) -> bool {
        use std::io::ErrorKind::{FileTooLarge, QuotaExceeded, StorageFull};
        match self {
            Self::Full { .. } => true,
            Self::Io { source, .. } => matches!(source.kind(), StorageFull | QuotaExceeded | FileTooLarge),
            _ => false,
        }
    }
}
