//! What a reader is to give, and what it gives of one block.

use crate::cursor::Sequence;
use crate::filter::{Filter, Hosts};
use crate::log::{Block, Scan};
use crate::time::Timestamp;
use std::ops::RangeInclusive;
use std::sync::Arc;

/// Bytes of frames that a reader gives at once, about, or one record: a client that takes them slowly holds
/// no more of the log's memory.
pub const PART_BYTES: usize = 64 * 1024;

/// Which records a reader wants.
#[derive(Debug, Clone)]
pub struct Want {
    /// Passing this filter.
    pub filter: Arc<Filter>,
    /// With their own time in this range.
    pub time: RangeInclusive<Timestamp>,
    /// Nothing after this sequence.
    pub until: Sequence,
}

impl Default for Want {
    fn default() -> Self {
        Self { filter: Arc::default(), time: Timestamp::MIN..=Timestamp::MAX, until: Sequence::MAX }
    }
}

impl Want {
    /// Everything that passes `filter`.
    pub fn filtered(filter: Filter) -> Self {
        Self { filter: Arc::new(filter), ..Self::default() }
    }

    /// Whether every record is wanted, so that sequences are dense.
    pub fn everything(&self) -> bool {
        self.filter.is_empty() && self.any_time()
    }

    /// The same, of these Docker hosts only.
    #[must_use]
    pub fn within(self, hosts: Option<&Hosts>) -> Self {
        match hosts.filter(|hosts| !self.filter.is_within(hosts)) {
            Some(hosts) => Self { filter: Arc::new(Filter::clone(&self.filter).within(hosts)), ..self },
            None => self,
        }
    }

    fn any_time(&self) -> bool {
        self.time == (Timestamp::MIN..=Timestamp::MAX)
    }

    pub(super) fn scan(&self) -> Scan {
        Scan { time: self.time.clone(), filter: Arc::clone(&self.filter), ..Scan::default() }
    }

    /// The wanted records of a block in `from..=to`, rising.
    fn taken(&self, block: &Block, from: Sequence, to: Sequence) -> Vec<Sequence> {
        // The filter first: most messages are told apart by their bytes alone.
        let mut taken = block.matching(from, to, &self.filter);
        if !self.any_time() {
            taken.retain(|seq| self.time.contains(&block.time(*seq)));
        }
        taken
    }
}

/// The wanted records of one block, as runs of consecutive sequences, in the direction of reading.
#[derive(Debug, Clone)]
pub struct Selection {
    /// The block they lie in.
    pub block: Arc<Block>,
    /// At least one run; none is empty. Each run rises, also when reading downwards.
    pub runs: Vec<RangeInclusive<Sequence>>,
    /// Those of the records, rising, that pass only since they tell of events that may be missing
    /// ([`Filter::telling_losses`]).
    pub losses: Vec<Sequence>,
}

/// A part of a [`Selection`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Part {
    /// Consecutive records that were asked for.
    Records(RangeInclusive<Sequence>),
    /// A record that was not asked for, and tells of events that may be missing.
    Loss(Sequence),
}

impl Selection {
    /// The records of `range` in a block that are wanted; `None` when there are none.
    pub fn select(block: Arc<Block>, range: RangeInclusive<Sequence>, want: &Want) -> Option<Self> {
        let (from, to) = (*range.start().max(&block.first()), *range.end().min(&block.last()).min(&want.until));
        if from > to {
            return None;
        }
        if want.everything() {
            return Some(Self { block, runs: vec![from..=to], losses: Vec::new() });
        }
        let mut runs: Vec<RangeInclusive<Sequence>> = Vec::new();
        let mut losses = Vec::new();
        for seq in want.taken(&block, from, to) {
            if block.only_tells_loss(seq, &want.filter) {
                losses.push(seq);
            }
            match runs.last_mut() {
                Some(run) if run.end() + 1 == seq => *run = *run.start()..=seq,
                _ => runs.push(seq..=seq),
            }
        }
        (!runs.is_empty()).then_some(Self { block, runs, losses })
    }

    /// The same without the rest of its block, if that is large.
    pub(super) fn apart(self) -> Self {
        match self.first() {
            Some(first) if self.block.bytes() > PART_BYTES => Self { block: Arc::new(self.block.part(first, self.last())), ..self },
            _ => self,
        }
    }

    /// All sequences, rising.
    pub fn sequences(&self) -> impl DoubleEndedIterator<Item = Sequence> + '_ {
        self.runs.iter().flat_map(Clone::clone)
    }

    /// The lowest sequence.
    pub fn first(&self) -> Option<Sequence> {
        self.runs.first().map(|run| *run.start())
    }

    /// The highest sequence.
    pub fn last(&self) -> Sequence {
        self.runs.last().map_or(0, |run| *run.end())
    }

    /// Takes out the records up to and with `last`, and leaves those after it, which may be none. For runs
    /// that rise.
    #[must_use]
    pub fn take_through(&mut self, last: Sequence) -> Self {
        let (mut taken, mut left) = (Vec::new(), Vec::new());
        for run in std::mem::take(&mut self.runs) {
            let (from, to) = run.into_inner();
            if from <= last {
                taken.push(from..=to.min(last));
            }
            if to > last {
                left.push(from.max(last + 1)..=to);
            }
        }
        self.runs = left;
        let later = self.losses.split_off(self.losses.partition_point(|seq| *seq <= last));
        let losses = std::mem::replace(&mut self.losses, later);
        Self { block: Arc::clone(&self.block), runs: taken, losses }
    }

    /// What was asked for and what tells of losses, in turn. For runs that rise.
    pub fn parts(&self) -> Vec<Part> {
        let (mut parts, mut losses) = (Vec::new(), self.losses.iter().peekable());
        for run in &self.runs {
            let (mut from, to) = (*run.start(), *run.end());
            while let Some(loss) = losses.next_if(|loss| **loss <= to) {
                if from < *loss {
                    parts.push(Part::Records(from..=loss - 1));
                }
                parts.push(Part::Loss(*loss));
                from = loss + 1;
            }
            if from <= to {
                parts.push(Part::Records(from..=to));
            }
        }
        parts
    }
}
