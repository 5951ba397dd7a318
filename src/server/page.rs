//! Pages of history: gathering one, and the opaque tokens that lead from one to the next.

use super::lines::CHUNK_BYTES;
use super::positions::Positions;
use crate::cursor::{Cursor, LogId, Sequence};
use crate::log::{EventLog, GapReason, LogError};
use crate::reader::{Reader, ReverseReader, Selection, Step, Want, block_of};
use crate::time::Timestamp;
use bytes::Bytes;
use std::ops::RangeInclusive;
use std::str::FromStr;
use std::sync::Arc;

/// A page ends when it holds this many bytes, even if more records were asked for.
const MAX_PAGE_BYTES: usize = 8 * 1024 * 1024;
/// A page ends before it tells of more gaps than this.
const MAX_PAGE_GAPS: usize = 256;

/// Order of the records in an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Order {
    Asc,
    Desc,
}

impl Order {
    fn reversed(self) -> Self {
        match self {
            Self::Asc => Self::Desc,
            Self::Desc => Self::Asc,
        }
    }
}

/// Whether a token leads on or back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Direction {
    Next,
    Prev,
}

/// What a page token carries: where to continue, and the time range as it was when the first page was made,
/// so that a range relative to now does not slide from page to page.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Token {
    pub(super) direction: Direction,
    pub(super) time: RangeInclusive<Timestamp>,
    /// The record after which the page begins.
    pub(super) at: Cursor,
}

impl std::fmt::Display for Token {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let direction = if self.direction == Direction::Next { 'n' } else { 'p' };
        write!(f, "{direction}.{}.{}.{}", self.time.start().nanos(), self.time.end().nanos(), self.at)
    }
}

impl FromStr for Token {
    type Err = &'static str;
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let error = "cursor: not a page token; take it from page.next or page.prev of an answer (to poll from a record's id, use after=)";
        let mut parts = text.splitn(4, '.');
        let mut part = || parts.next().ok_or(error);
        let direction = match part()? {
            "n" => Direction::Next,
            "p" => Direction::Prev,
            _ => return Err(error),
        };
        let mut time = || part()?.parse().map(Timestamp::from_nanos).map_err(|_| error);
        let time = time()?..=time()?;
        let at = part()?.parse().map_err(|_| error)?;
        Ok(Self { direction, time, at })
    }
}

/// Health checks that a page passes over, at most, before it ends.
const MAX_FOLDED: u64 = if cfg!(test) { 40 } else { 100_000 };

/// One page: where its records lie, and, if they are few, the records.
#[derive(Debug, Default)]
pub(super) struct Page {
    /// Of each record, in the order asked for.
    pub(super) records: Positions,
    /// The lines of all records, if they are small.
    pub(super) lines: Option<Vec<Bytes>>,
    /// Bytes of all lines.
    pub(super) bytes: usize,
    /// Missing sequences that the page came across.
    pub(super) gaps: Vec<(RangeInclusive<Sequence>, GapReason)>,
    /// There are more records beyond the last one, in the direction of gathering.
    pub(super) more: bool,
    /// The last sequence that was looked at, in the direction of gathering.
    reached: Option<Sequence>,
    /// Whether health checks are counted instead of taken.
    fold: bool,
    /// Health checks up to the last record; up to the end of the range where nothing more follows.
    pub(super) folded: u64,
    /// Health checks since the last record.
    passed: u64,
    /// The times of what the page has.
    hull: Option<RangeInclusive<Timestamp>>,
}

impl Page {
    /// Takes records until the page is full; `true` when it is, with one more in sight.
    fn take(&mut self, selection: &Selection, limit: usize, descending: bool) -> bool {
        let mut add = |seq| {
            if self.fold && selection.block.noise(seq).is_some() {
                return self.fold(seq, selection.block.time(seq));
            }
            if self.records.len() == limit || self.bytes >= MAX_PAGE_BYTES {
                self.more = true;
                return true;
            }
            let line = selection.block.line(seq, false);
            self.bytes += line.len();
            self.records.push(seq);
            self.reach(seq);
            self.span(selection.block.time(seq));
            if self.bytes > CHUNK_BYTES {
                self.lines = None;
            } else if let Some(lines) = &mut self.lines {
                // Copied, since a slice would keep its whole block in memory for as long as the page lives.
                lines.push(Bytes::copy_from_slice(&line));
            }
            false
        };
        if descending { selection.sequences().rev().any(&mut add) } else { selection.sequences().any(&mut add) }
    }

    /// Passes over a health check; `true` when there have been many. Those since the last record are then
    /// left to the next page, which begins there, so that each is counted once, whichever way the client goes
    /// on.
    fn fold(&mut self, seq: Sequence, time: Timestamp) -> bool {
        self.passed += 1;
        if self.folded + self.passed < MAX_FOLDED {
            return false;
        }
        self.more = true;
        if self.records.is_empty() {
            self.reach(seq);
            self.span(time);
        }
        true
    }

    /// Everything up to here is in the page, or counted.
    fn reach(&mut self, seq: Sequence) {
        self.reached = Some(seq);
        self.folded += std::mem::take(&mut self.passed);
    }

    fn span(&mut self, time: Timestamp) {
        self.hull = Some(self.hull.take().map_or(time..=time, |hull| time.min(*hull.start())..=time.max(*hull.end())));
    }

    /// Gathers upwards from `after`, or downwards from before `at`.
    pub(super) async fn gather(
        log: &Arc<dyn EventLog>,
        at: Sequence,
        order: Order,
        want: Want,
        limit: usize,
        fold: bool,
    ) -> Result<Self, LogError> {
        let mut page = Self { lines: Some(Vec::new()), fold, ..Self::default() };
        match order {
            Order::Asc => {
                let mut reader = Reader::new(Arc::clone(log), at, want);
                while let Some(step) = reader.next().await? {
                    if page.step(step, limit, false) {
                        break;
                    }
                }
            }
            Order::Desc => {
                let mut reader = ReverseReader::new(Arc::clone(log), at, want);
                while let Some(step) = reader.next().await? {
                    if page.step(step, limit, true) {
                        break;
                    }
                }
            }
        }
        if !page.more {
            page.folded += std::mem::take(&mut page.passed);
        }
        Ok(page)
    }

    fn step(&mut self, step: Step, limit: usize, descending: bool) -> bool {
        match step {
            Step::Records(selection) => self.take(&selection, limit, descending),
            Step::Gap(range, reason) => self.gap(range, reason, descending),
            Step::Nothing => false,
        }
    }

    /// Notes a gap, as one with its neighbour if that is of the same kind; `true` when the page is full.
    fn gap(&mut self, range: RangeInclusive<Sequence>, reason: GapReason, descending: bool) -> bool {
        let (from, to) = range.into_inner();
        let touches = |known: &RangeInclusive<Sequence>| if descending { to + 1 == *known.start() } else { *known.end() + 1 == from };
        let full = self.gaps.len() >= MAX_PAGE_GAPS;
        match self.gaps.last_mut() {
            Some((known, why)) if *why == reason && touches(known) => *known = from.min(*known.start())..=to.max(*known.end()),
            _ if full => {
                self.more = true;
                return true;
            }
            _ => self.gaps.push((from..=to, reason)),
        }
        self.reach(if descending { from } else { to });
        false
    }

    /// The page that a request asks for, with the tokens of its neighbours.
    pub(super) async fn load(log: &Arc<dyn EventLog>, request: PageRequest) -> Result<Loaded, LogError> {
        let PageRequest { order, direction, at, want, limit, fold } = request;
        let (id, time) = (log.bounds().log, want.time.clone());
        let gathering = if direction == Direction::Next { order } else { order.reversed() };
        let mut page = Self::gather(log, at.seq(gathering, &want), gathering, want, limit, fold).await?;
        let span = page.spanned(log, at, gathering, &time).await?;
        // A page that gaps have filled leads on from the last of them.
        let reached = page.reached.filter(|_| page.more);
        let (mut first, mut last) = (page.records.first(), page.records.last());
        match direction {
            Direction::Next => last = reached.or(last),
            Direction::Prev => {
                page.records = std::mem::take(&mut page.records).reversed();
                if let Some(lines) = &mut page.lines {
                    lines.reverse();
                }
                page.gaps.reverse();
                (first, last) = (reached.or(last), first);
            }
        }
        let token = |direction, seq| Token { direction, time: time.clone(), at: LogId::cursor(id, seq) };
        let (beyond, back) = match direction {
            Direction::Next => (page.more, matches!(at, At::After(_))),
            Direction::Prev => (true, page.more),
        };
        let next = last.filter(|_| beyond).map(|seq| token(Direction::Next, seq));
        let prev = first.filter(|_| back).map(|seq| token(Direction::Prev, seq));
        Ok(Loaded { page, next, prev, span })
    }

    /// The time that the page speaks of. Pages that follow each other share an end, so that no time lies
    /// between them.
    async fn spanned(
        &mut self,
        log: &Arc<dyn EventLog>,
        at: At,
        gathering: Order,
        asked: &RangeInclusive<Timestamp>,
    ) -> Result<RangeInclusive<Timestamp>, LogError> {
        let time = async |seq| Ok::<_, LogError>(block_of(&**log, seq).await?.map(|block| block.time(seq)));
        let (first, last) = match gathering {
            Order::Asc => (*asked.start(), *asked.end()),
            Order::Desc => (*asked.end(), *asked.start()),
        };
        let begin = match at {
            At::Edge { .. } => None,
            At::After(seq) => time(seq).await?,
        };
        self.span(begin.unwrap_or(first));
        if !self.more {
            self.span(last);
        } else if let Some(seq) = self.reached.filter(|seq| self.records.last() != Some(*seq)) {
            self.span(time(seq).await?.unwrap_or(last));
        }
        let hull = self.hull.clone().unwrap_or_else(|| asked.clone());
        Ok(*hull.start().max(asked.start())..=*hull.end().min(asked.end()))
    }
}

/// Where a page begins.
#[derive(Debug, Clone, Copy)]
pub(super) enum At {
    /// At the beginning (in the order asked for).
    Edge { oldest: Sequence },
    /// After this record, in the order asked for.
    After(Sequence),
}

impl At {
    fn seq(self, order: Order, want: &Want) -> Sequence {
        match (self, order) {
            (Self::After(seq), _) => seq,
            (Self::Edge { oldest }, Order::Asc) => oldest - 1,
            (Self::Edge { .. }, Order::Desc) => want.until.saturating_add(1),
        }
    }
}

/// What a request asks for.
#[derive(Debug)]
pub(super) struct PageRequest {
    pub(super) order: Order,
    pub(super) direction: Direction,
    pub(super) at: At,
    pub(super) want: Want,
    pub(super) limit: usize,
    /// Whether health checks are counted instead of taken.
    pub(super) fold: bool,
}

/// A page and the way to its neighbours.
#[derive(Debug)]
pub(super) struct Loaded {
    pub(super) page: Page,
    pub(super) next: Option<Token>,
    pub(super) prev: Option<Token>,
    /// The time that the page speaks of.
    pub(super) span: RangeInclusive<Timestamp>,
}

#[cfg(test)]
mod tests;
