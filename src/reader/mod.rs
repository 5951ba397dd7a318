//! How the log is followed: a cursor asks it for what comes after, and at the head waits for the head to
//! move. A reader writes nothing, nothing is pushed to it, and it never leaves a gap untold.
//!
//! Replay and live are the same loop, so the hand-over between them can lose or repeat nothing. Streams,
//! polls, history and exports all read in this way and differ only in what they do with the steps. Past it go
//! only the look at a single record, the bodies of pages whose positions are known (`server/lines.rs`), the
//! blocks in memory that the fan-out shares (`server/live/batches.rs`), and the forwarder's parcels
//! (`forward/cut.rs`).

mod selection;
mod start;

pub use selection::{PART_BYTES, Part, Selection, Want};
pub use start::{Reset, ResetReason, Start, StartAt, check_cursor};

use crate::cursor::Sequence;
use crate::filter::Filter;
use crate::log::{Block, Chunk, EventLog, GapReason, LogError, Piece, Scan};
use bytes::Bytes;
use std::collections::VecDeque;
use std::ops::RangeInclusive;
use std::sync::{Arc, Weak};
use tokio::sync::watch;

/// What a reader came upon.
#[derive(Debug, Clone)]
pub enum Step {
    /// Records.
    Records(Selection),
    /// These sequences are gone.
    Gap(RangeInclusive<Sequence>, GapReason),
    /// Nothing wanted up to [`Reader::position`]; there may be more after it.
    Nothing,
}

/// Reads upwards from a position, for ever if need be.
pub struct Reader {
    log: Arc<dyn EventLog>,
    head: watch::Receiver<Sequence>,
    want: Want,
    scan: Scan,
    position: Sequence,
    pieces: VecDeque<Piece>,
    /// The block that was [let go of](Reader::let_go) half-way.
    begun: Weak<Block>,
    through: Sequence,
}

impl std::fmt::Debug for Reader {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Reader").field("position", &self.position).field("want", &self.want).finish_non_exhaustive()
    }
}

impl Reader {
    /// A reader of what comes after `after`, of the [Docker hosts](EventLog::hosts) that the log is read for.
    pub fn new(log: Arc<dyn EventLog>, after: Sequence, want: Want) -> Self {
        let want = want.within(log.hosts());
        Self::whole(log, after, want)
    }

    /// A reader of all Docker hosts, whoever the log is read for: of what is kept for everybody, and narrowed
    /// when it is told.
    pub(crate) fn whole(log: Arc<dyn EventLog>, after: Sequence, want: Want) -> Self {
        let head = log.watch_head();
        let scan = want.scan();
        Self { log, head, want, scan, position: after, pieces: VecDeque::new(), begun: Weak::new(), through: after }
    }

    /// Everything up to here has been given or was not wanted.
    pub fn position(&self) -> Sequence {
        self.position
    }

    /// What it looks for.
    pub fn filter(&self) -> &Arc<Filter> {
        &self.want.filter
    }

    /// Moves to another position.
    pub fn go_on_after(&mut self, position: Sequence) {
        self.pieces.clear();
        (self.position, self.through) = (position, position);
    }

    /// Lets go of what was read and not given yet, but for [`PART_BYTES`] of it, so that a client that takes
    /// its time does not keep the log's memory occupied. What is let go of is read again.
    pub fn let_go(&mut self) {
        let (mut bytes, mut kept, mut through) = (0, 0, self.position);
        for piece in &self.pieces {
            if let Piece::Block(block) = piece {
                bytes += block.bytes();
                if bytes > PART_BYTES {
                    break;
                }
            }
            through = match piece {
                Piece::Block(block) => block.last(),
                Piece::Gap(range, _) => *range.end(),
            };
            kept += 1;
        }
        if kept < self.pieces.len() {
            if let (0, Some(Piece::Block(block))) = (kept, self.pieces.front()) {
                self.begun = Arc::downgrade(block);
            }
            self.pieces.truncate(kept);
            self.through = through;
        }
        // Room for many small pieces is as good as one large one.
        self.pieces.shrink_to(kept);
    }

    /// The block that was let go of, while somebody else still has it.
    fn take_begun(&mut self) -> Option<Arc<Block>> {
        let next = self.position + 1;
        std::mem::take(&mut self.begun).upgrade().filter(|block| self.through == self.position && block.sequences().contains(&next))
    }

    /// The next records as packed frames with their number, where the log has them so and nothing is to be
    /// left out. [`Reader::next`] gives the others.
    ///
    /// # Errors
    /// As [`Reader::next`].
    pub async fn next_packed(&mut self) -> Result<Option<(u64, Bytes)>, LogError> {
        if !self.pieces.is_empty() || !self.want.everything() {
            return Ok(None);
        }
        let after = self.position.max(self.through);
        let packed = self.log.packed_after(after, self.want.until).await?;
        Ok(packed.map(|packed| {
            (self.position, self.through) = (packed.last, packed.last);
            // They begin right after the position, and none is missing among them.
            (packed.last - after, packed.bytes)
        }))
    }

    /// The next step; `None` at the head, and where the reader was told to end.
    ///
    /// # Errors
    /// When the log cannot be read. The same reader can be asked again.
    pub async fn next(&mut self) -> Result<Option<Step>, LogError> {
        if self.position >= self.want.until {
            return Ok(None);
        }
        if self.pieces.is_empty() {
            // Blocks outside the time range may have ended the chunk.
            self.position = self.position.max(self.through);
            self.head.mark_unchanged();
            let chunk = match self.take_begun() {
                Some(block) => Chunk { through: block.last(), pieces: vec![Piece::Block(block)] },
                None => match self.log.recent_after(self.position, &self.scan) {
                    Some(chunk) => chunk,
                    None => self.log.read_after(self.position, &self.scan).await?,
                },
            };
            if chunk.through <= self.position {
                return Ok(None);
            }
            self.through = chunk.through;
            self.pieces = chunk.pieces.into();
        }
        while let Some(piece) = self.pieces.pop_front() {
            match piece {
                Piece::Gap(range, reason) => {
                    // Not from the position: a block before it may have been passed over unread.
                    let range = (*range.start()).max(self.position + 1)..=*range.end();
                    self.position = *range.end();
                    return Ok(Some(Step::Gap(range, reason)));
                }
                Piece::Block(block) => {
                    let first = (self.position + 1).max(block.first());
                    let last = block.last_within(first, PART_BYTES).min(block.last());
                    if last < block.last() {
                        self.pieces.push_front(Piece::Block(Arc::clone(&block)));
                    }
                    self.position = last;
                    if let Some(selection) = Selection::select(block, first..=last, &self.want) {
                        return Ok(Some(Step::Records(selection.apart())));
                    }
                }
            }
        }
        self.position = self.position.max(self.through);
        // A rare filter over a long log must not keep the runtime from its other tasks.
        tokio::task::yield_now().await;
        Ok(Some(Step::Nothing))
    }

    /// The block of one record, wherever it lies and whether it is wanted or not; `None` when it is gone.
    ///
    /// # Errors
    /// As [`Reader::next`].
    pub async fn one(&self, seq: Sequence) -> Result<Option<Arc<Block>>, LogError> {
        block_of(&*self.log, seq).await
    }

    /// Waits at the head until it moves. Returns `false` when it never will again.
    pub async fn wait(&mut self) -> bool {
        // `next` marks the head before it reads, so a move between that read and this wait is seen here.
        self.head.changed().await.is_ok()
    }
}

/// The block that holds a record, wherever it lies; `None` when it is gone.
///
/// # Errors
/// When the log cannot be read.
pub async fn block_of(log: &dyn EventLog, seq: Sequence) -> Result<Option<Arc<Block>>, LogError> {
    let Some(after) = seq.checked_sub(1) else { return Ok(None) };
    let scan = Scan { max_bytes: 1, ..Scan::default() };
    let chunk = match log.recent_after(after, &scan) {
        Some(chunk) => chunk,
        None => log.read_after(after, &scan).await?,
    };
    Ok(chunk.pieces.into_iter().next().and_then(|piece| match piece {
        Piece::Block(block) => Some(block).filter(|block| block.sequences().contains(&seq)),
        Piece::Gap(..) => None,
    }))
}

/// Reads downwards from a position to the oldest record.
pub struct ReverseReader {
    log: Arc<dyn EventLog>,
    want: Want,
    scan: Scan,
    position: Sequence,
    pieces: VecDeque<Piece>,
    through: Sequence,
}

impl ReverseReader {
    /// A reader of what comes before `before`, newest first, of the [Docker hosts](EventLog::hosts) that the
    /// log is read for.
    pub fn new(log: Arc<dyn EventLog>, before: Sequence, want: Want) -> Self {
        let want = want.within(log.hosts());
        Self::whole(log, before, want)
    }

    /// As [`Reader::whole`], downwards.
    pub(crate) fn whole(log: Arc<dyn EventLog>, before: Sequence, want: Want) -> Self {
        let scan = want.scan();
        Self { log, want, scan, position: before, pieces: VecDeque::new(), through: before }
    }

    /// Everything from here on has been given or was not wanted.
    pub fn position(&self) -> Sequence {
        self.position
    }

    /// The next step, newest first; `None` at the oldest record.
    ///
    /// # Errors
    /// As [`Reader::next`].
    pub async fn next(&mut self) -> Result<Option<Step>, LogError> {
        if self.pieces.is_empty() {
            self.position = self.position.min(self.through);
            let chunk = self.log.read_before(self.position, &self.scan).await?;
            if chunk.through >= self.position {
                return Ok(None);
            }
            self.through = chunk.through;
            self.pieces = chunk.pieces.into();
        }
        while let Some(piece) = self.pieces.pop_front() {
            match piece {
                Piece::Gap(range, reason) => {
                    self.position = *range.start();
                    return Ok(Some(Step::Gap(range, reason)));
                }
                Piece::Block(block) => {
                    let Some(end) = self.position.checked_sub(1) else { break };
                    let range = block.first()..=end;
                    self.position = block.first();
                    if let Some(selection) = Selection::select(block, range, &self.want) {
                        return Ok(Some(Step::Records(selection)));
                    }
                }
            }
        }
        self.position = self.through;
        tokio::task::yield_now().await;
        Ok(Some(Step::Nothing))
    }
}

#[cfg(test)]
mod tests;
