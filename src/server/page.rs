//! Pages of history: gathering one, and the opaque tokens that lead from one to the next.

use super::lines::CHUNK_BYTES;
use super::positions::Positions;
use crate::cursor::{Cursor, LogId, Sequence};
use crate::log::{EventLog, GapReason, LogError};
use crate::reader::{Reader, ReverseReader, Selection, Step, Want};
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

/// What a page token carries: where to go on, and the time range as it was when the first page was made, so that a
/// range relative to now does not slide from page to page.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Token {
    pub(super) direction: Direction,
    pub(super) time: RangeInclusive<Timestamp>,
    /// The record that the page begins behind.
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
}

impl Page {
    /// Takes records until the page is full; `true` when it is, with one more in sight.
    fn take(&mut self, selection: &Selection, limit: usize, descending: bool) -> bool {
        let mut add = |seq| {
            if self.records.len() == limit || self.bytes >= MAX_PAGE_BYTES {
                self.more = true;
                return true;
            }
            let line = selection.block.line(seq, false);
            self.bytes += line.len();
            self.records.push(seq);
            self.reached = Some(seq);
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

    /// Gathers upwards from `after`, or downwards from before `at`.
    pub(super) async fn gather(log: &Arc<dyn EventLog>, at: Sequence, order: Order, want: Want, limit: usize) -> Result<Self, LogError> {
        let mut page = Self { lines: Some(Vec::new()), ..Self::default() };
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
        self.reached = Some(if descending { from } else { to });
        false
    }

    /// The page that a request asks for, with the tokens of its neighbours.
    pub(super) async fn load(log: &Arc<dyn EventLog>, request: PageRequest) -> Result<Loaded, LogError> {
        let PageRequest { order, direction, at, want, limit } = request;
        let (id, time) = (log.bounds().log, want.time.clone());
        let gathering = if direction == Direction::Next { order } else { order.reversed() };
        let mut page = Self::gather(log, at.seq(gathering, &want), gathering, want, limit).await?;
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
            Direction::Next => (page.more, matches!(at, At::Behind(_))),
            Direction::Prev => (true, page.more),
        };
        let next = last.filter(|_| beyond).map(|seq| token(Direction::Next, seq));
        let prev = first.filter(|_| back).map(|seq| token(Direction::Prev, seq));
        Ok(Loaded { page, next, prev })
    }
}

/// Where a page begins.
#[derive(Debug, Clone, Copy)]
pub(super) enum At {
    /// At the beginning (in the order asked for).
    Edge { oldest: Sequence },
    /// Beyond this record.
    Behind(Sequence),
}

impl At {
    fn seq(self, order: Order, want: &Want) -> Sequence {
        match (self, order) {
            (Self::Behind(seq), _) => seq,
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
}

/// A page and the way to its neighbours.
#[derive(Debug)]
pub(super) struct Loaded {
    pub(super) page: Page,
    pub(super) next: Option<Token>,
    pub(super) prev: Option<Token>,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::Event;
    use crate::log::{EmbeddedLog, import};

    /// An export of every second record makes a log of which half is gaps.
    #[tokio::test]
    async fn a_page_tells_of_no_more_gaps_than_its_bound_and_the_next_goes_on() {
        let (dir, id) = (tempfile::tempdir().unwrap(), LogId::random());
        let line = |seq: Sequence| {
            let (time, event) = (Timestamp::from_nanos(1), Event::from_line(br#"{"Type":"container","Action":"start"}"#).unwrap());
            crate::event::Record { seq, time, received: time, source: "local".into(), event }.to_line(id) + "\n"
        };
        let count = 2 * MAX_PAGE_GAPS as Sequence + 100;
        let lines: String = (1..=count).map(|n| line(2 * n)).collect();
        import(&mut lines.as_bytes(), dir.path(), &mut |_| {}).unwrap();
        let log: Arc<dyn EventLog> = Arc::new(EmbeddedLog::open(dir.path()).unwrap().0);
        for order in [Order::Asc, Order::Desc] {
            let (mut at, mut records, mut gaps, mut pages) = (At::Edge { oldest: 1 }, Vec::new(), Vec::new(), 0);
            loop {
                let want = Want { until: 2 * count, ..Want::default() };
                let request = PageRequest { order, direction: Direction::Next, at, want, limit: 10_000 };
                let Loaded { page, next, .. } = Page::load(&log, request).await.unwrap();
                assert!(page.gaps.len() <= MAX_PAGE_GAPS, "{}", page.gaps.len());
                pages += 1;
                records.extend(page.records.walk());
                gaps.extend(page.gaps.iter().map(|(range, _)| range.clone()));
                let Some(next) = next else { break };
                at = At::Behind(next.at.seq);
            }
            if order == Order::Desc {
                records.reverse();
                gaps.reverse();
            }
            assert_eq!((pages, records), (3, (1..=count).map(|n| 2 * n).collect()), "{order:?}");
            // The first is before the oldest record.
            let told: Vec<_> = (1..count).map(|n| 2 * n + 1..=2 * n + 1).collect();
            assert!(gaps.ends_with(&told) && gaps.len() <= told.len() + 1, "{order:?}: {} of {}", gaps.len(), told.len());
        }
    }

    #[test]
    fn tokens_round_trip_and_refuse_garbage() {
        let token = Token { direction: Direction::Prev, time: Timestamp::MIN..=Timestamp::from_nanos(5), at: Cursor { log: 7, seq: 9 } };
        assert_eq!(token.to_string().parse(), Ok(token));
        for text in ["", "n", "n.1.2", "x.1.2.00000007-9", "n.a.2.00000007-9", "n.1.2.7-9", "n.1.2.00000007-9.3", "7f3c9a1e-1842"] {
            assert!(text.parse::<Token>().unwrap_err().contains("page token"), "{text}");
        }
    }
}
