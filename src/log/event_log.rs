//! The seam of the log: what every implementation of it does for the rest of the program.

use super::api::{Bounds, Chunk, NewRecord, Packed, Scan, TrimStep, WriterState};
use super::error::LogError;
use super::read::held::Held;
use super::read::sealed::SealedFrame;
use crate::chain::ChainValue;
use crate::cursor::{Cursor, LogId, Sequence};
use crate::filter::Hosts;
use crate::time::Timestamp;
use async_trait::async_trait;
use std::ops::RangeInclusive;
use tokio::sync::watch;

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
    /// When stored blocks cannot be read for a passing reason. Damage is no error but a
    /// [`Piece::Gap`](super::Piece::Gap).
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

    /// The hash chain's values before and after the record `seq`, where the log has them.
    ///
    /// # Errors
    /// As [`EventLog::read_after`].
    async fn chain_around(&self, seq: Sequence) -> Result<Option<(ChainValue, ChainValue)>, LogError> {
        let _ = seq;
        Ok(None)
    }

    /// The frame that is stored for good and begins right after `after`, if one does.
    ///
    /// # Errors
    /// As [`EventLog::read_after`].
    async fn sealed_after(&self, after: Sequence) -> Result<Option<SealedFrame>, LogError> {
        let _ = after;
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

    /// The Docker hosts of which whoever reads through this may read; all of them without. Readers and all
    /// that is derived from the log go by it.
    fn hosts(&self) -> Option<&Hosts> {
        None
    }

    /// Whether whoever reads through this may read of this Docker host.
    fn may_tell_of(&self, source: &str) -> bool {
        self.hosts().is_none_or(|hosts| hosts.have(source))
    }

    /// What the log holds.
    fn bounds(&self) -> Bounds;

    /// Whether a cursor is of this log: by its own name, or by the name of a log whose copy it is, up to the
    /// fork.
    fn owns(&self, cursor: Cursor) -> bool {
        cursor.log == self.bounds().log.prefix()
    }

    /// The logs whose copy this one is, oldest first, each with the last record that both have.
    fn ancestors(&self) -> Vec<(LogId, Sequence)> {
        Vec::new()
    }

    /// The head, for waiting until it moves.
    fn watch_head(&self) -> watch::Receiver<Sequence>;

    /// Whether the log can take records, for waiting until that changes.
    fn watch_writer(&self) -> watch::Receiver<WriterState>;

    /// The newest record that is stored for good, where nothing is added any more, for waiting until that
    /// moves. A log without such a place gives none.
    fn watch_sealed(&self) -> Option<watch::Receiver<Sequence>> {
        None
    }

    /// Sequences that are known to be missing among those that are stored for good, rising.
    fn missing(&self) -> Vec<RangeInclusive<Sequence>> {
        Vec::new()
    }

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
