//! Making a parcel of what a log holds. Nothing is sent here (`drive.rs`).

use super::machine::Piece;
use crate::chain::{self, CHAIN_START, ChainValue};
use crate::cursor::Sequence;
use crate::log::{EventLog, GapReason, LogError, Scan, SealedFrame};
use crate::parcel::{self, Head, MAX_GAPS, MAX_HEAD_BYTES, MAX_LINES, MAX_RAW_BYTES, Missing, Reason, mark};
use crate::time::Timestamp;
use bytes::Bytes;
use std::ops::RangeInclusive;

/// Bytes of lines after which a parcel takes no more: as much as a full frame of a segment.
const RAW_BYTES: usize = 2 * 1024 * 1024;
/// Wire bytes that are read at a time.
const READ_BYTES: usize = 256 * 1024;

/// What a parcel is to be made of.
#[derive(Debug, Clone, Copy)]
pub(super) struct Wanted {
    /// Records after this one.
    pub(super) after: Sequence,
    /// Up to this one.
    pub(super) until: Sequence,
    /// The chain's value after `after`, where the receiver has it.
    pub(super) chain: Option<ChainValue>,
    /// Up to here records are left out on purpose.
    pub(super) skipped: Sequence,
    /// Why.
    pub(super) because: Reason,
    /// Bytes of head and payload, at most.
    pub(super) max_bytes: usize,
    /// Bytes of payload at which a parcel of several records ends.
    pub(super) target_bytes: usize,
}

/// A parcel.
#[derive(Debug, Clone)]
pub(super) struct Parcel {
    pub(super) head: Head,
    pub(super) payload: Bytes,
    /// When its first record happened, or was received.
    pub(super) time: Timestamp,
    pub(super) piece: Piece,
}

/// What lies before the next parcel.
#[derive(Debug, Default)]
struct Before {
    gaps: Vec<Missing>,
}

impl Before {
    fn add(&mut self, range: RangeInclusive<Sequence>, reason: Reason) {
        let (from, to) = range.into_inner();
        let is_full = self.gaps.len() >= MAX_GAPS;
        match self.gaps.last_mut() {
            Some(last) if last.reason == reason => last.to = to,
            // So many kinds of loss side by side: what is one of them is another's neighbour.
            Some(last) if is_full => (last.to, last.reason) = (to, Reason::Damage),
            _ => self.gaps.push(Missing { from, to, reason }),
        }
    }
}

impl From<GapReason> for Reason {
    fn from(reason: GapReason) -> Self {
        match reason {
            GapReason::Retention => Self::Retention,
            GapReason::Damage => Self::Damage,
            GapReason::Export => Self::Export,
        }
    }
}

/// Lines on their way into a parcel.
#[derive(Debug, Default)]
struct Lines {
    bytes: Vec<u8>,
    /// Where each ends.
    ends: Vec<usize>,
}

impl Lines {
    fn is_full(&self) -> bool {
        self.ends.len() >= MAX_LINES as usize || self.bytes.len() >= RAW_BYTES
    }

    fn push(&mut self, line: &[u8]) {
        self.bytes.extend_from_slice(line);
        self.bytes.push(b'\n');
        self.ends.push(self.bytes.len());
    }

    fn first(&self, count: usize) -> &[u8] {
        let end = count.checked_sub(1).and_then(|last| self.ends.get(last)).copied().unwrap_or(0);
        self.bytes.get(..end).unwrap_or_default()
    }
}

/// What follows `wanted.after`, as one parcel; nothing when nothing follows that could be sent.
pub(super) async fn cut(log: &dyn EventLog, wanted: Wanted) -> Result<Option<Parcel>, LogError> {
    let Wanted { mut after, until, mut chain, skipped, because, max_bytes, target_bytes } = wanted;
    let most = max_bytes.saturating_sub(MAX_HEAD_BYTES);
    let mut before = Before::default();
    if skipped > 0 && skipped == after {
        before.add(1..=skipped, because);
    }
    while after < until {
        if let Some(frame) = log.sealed_after(after).await?.filter(|frame| fits(frame, until, target_bytes)) {
            return Ok(Some(as_sealed(frame, chain, before)));
        }
        let (lines, time) = match read(log, after, until).await? {
            Found::Nothing => return Ok(None),
            Found::Gap(range, reason) => {
                after = *range.end();
                before.add(range, reason);
                chain = None;
                continue;
            }
            Found::Lines(lines, time) => (lines, time),
        };
        let first = after + 1;
        let known = match chain {
            Some(chain) => Some(chain),
            None => log.chain_around(first).await?.map(|(before, _)| before),
        };
        let (count, payload) = pack(&lines, target_bytes.min(most))?;
        if payload.len() > most {
            before.add(first..=first, Reason::Large);
            (after, chain) = (first, None);
            continue;
        }
        // Where the log does not know its chain it begins again.
        let from = known.unwrap_or(CHAIN_START);
        let value = chain::after(&from, lines.first(count));
        let count = u32::try_from(count).unwrap_or(MAX_LINES);
        let head = Head { first, count, after: mark(&value), before: chain.is_none().then_some(from), gaps: before.gaps };
        let is_full = lines.is_full() || (count as usize) < lines.ends.len();
        let piece = Piece { last: head.last(), chain: value, is_full };
        return Ok(Some(Parcel { head, payload, time, piece }));
    }
    Ok(None)
}

/// Whether a frame can go as it is.
fn fits(frame: &SealedFrame, until: Sequence, target_bytes: usize) -> bool {
    let last = frame.first + u64::from(frame.count) - 1;
    last <= until && frame.count <= MAX_LINES && frame.raw_bytes <= MAX_RAW_BYTES && frame.bytes.len() <= target_bytes
}

fn as_sealed(frame: SealedFrame, chain: Option<ChainValue>, before: Before) -> Parcel {
    let stands_elsewhere = chain != Some(frame.chain_before);
    let head = Head {
        first: frame.first,
        count: frame.count,
        after: mark(&frame.chain_after),
        before: stands_elsewhere.then_some(frame.chain_before),
        gaps: before.gaps,
    };
    let piece = Piece { last: head.last(), chain: frame.chain_after, is_full: true };
    Parcel { head, payload: frame.bytes, time: frame.time, piece }
}

enum Found {
    Nothing,
    Gap(RangeInclusive<Sequence>, Reason),
    Lines(Lines, Timestamp),
}

/// What follows `after`: a gap, or lines up to the next one or to a full parcel.
async fn read(log: &dyn EventLog, after: Sequence, until: Sequence) -> Result<Found, LogError> {
    use crate::log::Piece;
    let scan = Scan { max_bytes: READ_BYTES, ..Scan::default() };
    let (mut lines, mut time, mut through) = (Lines::default(), None, after);
    while through < until && !lines.is_full() {
        let chunk = match log.recent_after(through, &scan) {
            Some(chunk) => chunk,
            None => log.read_after(through, &scan).await?,
        };
        if chunk.through <= through {
            break;
        }
        for piece in &chunk.pieces {
            let missing = match piece {
                Piece::Gap(range, reason) => Some((range.clone(), (*reason).into())),
                Piece::Block(block) if block.first() > through + 1 => Some((through + 1..=block.first() - 1, Reason::Damage)),
                Piece::Block(_) => None,
            };
            match (missing, piece) {
                (Some((range, reason)), _) if lines.ends.is_empty() => {
                    return Ok(Found::Gap(through + 1..=(*range.end()).min(until), reason));
                }
                (Some(_), _) => return Ok(found(lines, time)),
                (None, Piece::Block(block)) => {
                    for seq in through + 1..=block.last().min(until) {
                        if lines.is_full() {
                            return Ok(found(lines, time));
                        }
                        time.get_or_insert(block.received(seq));
                        lines.push(&block.line(seq, false));
                    }
                    through = block.last();
                }
                (None, Piece::Gap(..)) => {}
            }
        }
        through = chunk.through;
    }
    Ok(found(lines, time))
}

fn found(lines: Lines, time: Option<Timestamp>) -> Found {
    time.map_or(Found::Nothing, |time| Found::Lines(lines, time))
}

/// As many lines as take no more than `target` packed; one, where that takes more.
fn pack(lines: &Lines, target: usize) -> Result<(usize, Bytes), LogError> {
    let mut count = lines.ends.len().min(MAX_LINES as usize);
    loop {
        let packed = parcel::pack(lines.first(count)).map_err(|e| LogError::Internal(e.to_string()))?;
        if count == 1 || packed.len() <= target {
            return Ok((count, packed.into()));
        }
        // As packed as all of them, with some room; and fewer each time in any case. Counted in bytes, since
        // one long line among them says nothing of the others.
        let share = lines.first(count).len() as u64 * target as u64 / packed.len() as u64;
        let share = usize::try_from(share / 10 * 9).unwrap_or(0);
        count = lines.ends.partition_point(|end| *end <= share).clamp(1, count - 1);
    }
}
