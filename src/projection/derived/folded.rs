//! The fold, and the stretch of records that it is in.

use super::counts::{Counting, Tally};
use super::recent::{Change, Place, Recent, numbered};
use super::sidecar::{Closed, Digest, Head, Parts, Row, Sidecar, covers, encode};
use super::store::Store;
use super::{STRETCH, stretch_of};
use crate::cursor::Sequence;
use crate::event::{LAST_WORDS, NOTIFIED, RecordView};
use crate::log::GapReason;
use crate::projection::incidents::{self, Ids, State};
use crate::reader::Selection;
use std::ops::RangeInclusive;
use std::sync::Arc;

/// A stretch that is over, as far as it is kept in memory.
#[derive(Debug)]
pub(super) struct Stretch {
    pub(super) head: Head,
    /// Earliest and latest own time of its records.
    pub(super) time: (i64, i64),
    pub(super) tallies: Box<[Tally]>,
    pub(super) rows: Box<[Row]>,
}

impl Stretch {
    fn new(head: Head, tallies: Vec<Tally>, rows: Vec<Row>) -> Self {
        let time = tallies.iter().map(|tally| tally.time).reduce(|a, b| (a.0.min(b.0), a.1.max(b.1))).unwrap_or_default();
        Self { head, time, tallies: tallies.into(), rows: rows.into() }
    }
}

/// Everything that was found in the records from the oldest one on.
#[derive(Debug)]
pub(super) struct Folded {
    /// The oldest record when it began.
    pub(super) oldest: Sequence,
    /// Everything up to here has been read.
    pub(super) through: Sequence,
    pub(super) state: State,
    pub(super) ids: Ids,
    /// Rising.
    pub(super) stretches: Vec<Arc<Stretch>>,
    /// Of the present stretch.
    pub(super) counting: Counting,
    pub(super) missing: Vec<(Sequence, Sequence)>,
    /// Earliest time of receipt in the present stretch.
    pub(super) received: i64,
    /// The newest record that stands beside an incident and changes none, as far as it was read here.
    pub(super) beside: Sequence,
    /// What those who follow revisions have not been told yet.
    pub(super) recent: Recent,
    /// The state before the present stretch.
    before: Digest,
}

/// A stretch that is over, to be stored.
pub(super) struct Finished {
    pub(super) number: u64,
    pub(super) last: Sequence,
    pub(super) content: Option<Vec<u8>>,
}

impl Folded {
    /// Before the oldest record.
    pub(super) fn new(oldest: Sequence) -> Self {
        let state = State::before(oldest);
        let (_, before) = encode(&state);
        Self {
            oldest,
            through: oldest.saturating_sub(1),
            state,
            ids: Ids::default(),
            stretches: Vec::new(),
            counting: Counting::default(),
            missing: Vec::new(),
            received: i64::MAX,
            beside: 0,
            recent: Recent::default(),
            before,
        }
    }

    /// Reads records. Those that end a stretch give what is to be stored.
    pub(super) fn read(&mut self, selection: &Selection, finished: &mut Vec<Finished>) {
        let first = selection.sequences().next().and_then(|seq| selection.block.cursor(seq).parse().ok());
        if let Some(first) = first {
            self.ids.note(first);
            self.tell_with_ids();
        }
        for record in selection.sequences().filter_map(|seq| selection.block.view(seq)) {
            self.read_one(&record, finished);
        }
    }

    fn read_one(&mut self, record: &RecordView<'_>, finished: &mut Vec<Finished>) {
        incidents::step_view(&mut self.state, record);
        self.note_revisions(record.seq);
        if record.is_own() && matches!(record.event.action.as_deref(), Some(LAST_WORDS | NOTIFIED)) {
            self.beside = record.seq;
        }
        self.counting.read(record);
        self.received = self.received.min(record.received.nanos());
        self.through = record.seq;
        if record.seq.is_multiple_of(STRETCH) {
            finished.extend(self.finish());
        }
    }

    /// Reads that records are missing.
    pub(super) fn miss(&mut self, range: &RangeInclusive<Sequence>, why: GapReason, finished: &mut Vec<Finished>) {
        incidents::miss(&mut self.state, range, why);
        self.note_gap(range, why);
        self.missing.push((*range.start(), *range.end()));
        let ends_stretch = stretch_of(*range.end() + 1) > stretch_of(*range.start());
        self.through = *range.end();
        if ends_stretch {
            finished.extend(self.finish());
        }
    }

    /// Ends the present stretch; nothing of a stretch without records.
    fn finish(&mut self) -> Option<Finished> {
        let (tallies, leaves) = self.counting.take();
        let first = tallies.first().map(|tally| tally.first)?;
        let number = stretch_of(first);
        let mut over = Vec::new();
        loop {
            let taken = self.state.take_settled(&self.ids);
            if taken.is_empty() {
                break;
            }
            over.extend(taken);
        }
        let mut over: Vec<(Row, Closed)> = over.iter().filter_map(|shown| Some((Row::of(shown), Closed::of(shown)?))).collect();
        over.sort_by_key(|(row, _)| row.order());
        let (rows, closed): (Vec<Row>, Vec<Closed>) = over.into_iter().unzip();
        let (state, after) = encode(&self.state);
        let head = Head {
            number,
            first,
            last: ((number + 1) * STRETCH).min(self.through),
            received: std::mem::replace(&mut self.received, i64::MAX),
            clock: self.state.clock().nanos(),
            before: std::mem::replace(&mut self.before, after),
            after,
            missing: std::mem::take(&mut self.missing),
        };
        let last = head.last;
        let parts =
            Parts { head: head.clone(), tallies: &tallies, leaves: &leaves, rows: &rows, closed: &closed, state: &state, ids: &self.ids };
        let content = Sidecar::pack(&parts);
        self.stretches.push(Arc::new(Stretch::new(head, tallies, rows)));
        Some(Finished { number, last, content })
    }

    /// Takes over stretches that are stored, as far as they go on from here. Whether there were any.
    pub(super) fn take_over(&mut self, store: &Store, head: Sequence, missing: &[RangeInclusive<Sequence>]) -> bool {
        if !self.counting.tallies.is_empty() {
            return false;
        }
        let mut found: Vec<Stretch> = Vec::new();
        let mut newest: Option<Sidecar> = None;
        for number in store.numbers(stretch_of(self.through + 1)) {
            let Some(sidecar) = store.get(number) else { break };
            let (before, through) = found.last().map_or((self.before, self.through), |last| (last.head.after, last.head.last));
            let next = sidecar.head.first == through + 1 || covers(missing, &(through + 1..=sidecar.head.first.saturating_sub(1)));
            if sidecar.head.number != number || sidecar.head.before != before || !next || !sidecar.is_of(head, missing) {
                break;
            }
            let Some(stretch) = sidecar.in_memory() else { break };
            found.push(stretch);
            newest = Some(sidecar);
        }
        // Of the newest the state is wanted as well; where it cannot be had the one before will do.
        while let Some(last) = found.last() {
            let stored = newest.take().or_else(|| store.get(last.head.number)).filter(|stored| stored.head == last.head);
            if let Some((state, ids)) = stored.and_then(|stored| stored.state()) {
                (self.state, self.ids) = (state, ids);
                (self.through, self.before) = (last.head.last, last.head.after);
                self.missing.clear();
                self.stretches.extend(found.into_iter().map(Arc::new));
                return true;
            }
            found.pop();
        }
        false
    }
}

impl Folded {
    /// Keeps revisions for those who follow, or does so no more.
    pub(super) fn follow(&mut self, followed: bool) {
        if !followed && self.recent.from.is_some() {
            self.recent = Recent::default();
            self.state.tell(None);
        } else if followed && self.recent.from.is_none() {
            self.recent.from = Some(Place::after(self.through));
        }
        self.tell_with_ids();
    }

    /// Revisions are told with ids, which may have become those of another log.
    pub(super) fn tell_with_ids(&mut self) {
        if self.recent.from.is_some() {
            self.state.tell(Some(&self.ids));
        }
    }

    /// Keeps the revisions that came with a record, or with records that are missing.
    pub(super) fn note_revisions(&mut self, seq: Sequence) {
        if self.recent.from.is_none() {
            return;
        }
        for (place, change) in numbered(seq, &self.state.take_told()) {
            self.recent.push(place, change);
        }
    }

    pub(super) fn note_gap(&mut self, range: &RangeInclusive<Sequence>, why: GapReason) {
        self.note_revisions(*range.end());
        if self.recent.from.is_some() {
            self.recent.push(Place::after(*range.end()), Change::Gap(range.clone(), why));
        }
    }
}

impl Sidecar {
    /// Whether it is of the records that the log has up to `head`.
    fn is_of(&self, head: Sequence, missing: &[RangeInclusive<Sequence>]) -> bool {
        let Head { first, last, missing: known, .. } = &self.head;
        let here = missing.iter().filter(|gap| gap.start() <= last && gap.end() >= first);
        let mut known = known.iter().map(|(from, to)| from..=to);
        *last <= head && here.into_iter().all(|gap| known.any(|known| known.start() <= &gap.start() && known.end() >= &gap.end()))
    }

    fn in_memory(&self) -> Option<Stretch> {
        Some(Stretch::new(self.head.clone(), self.tallies()?, self.rows()?))
    }
}
