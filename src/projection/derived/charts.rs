//! Counts over a range of time: by class in bins, and by value. Whole stretches are counted already; only
//! what lies at an edge is read, and what a filter asks for.

use super::class::{CLASSES, Class, Classifier};
use super::counts::{KEYS, Leaf, MAX_SUMMED_VALUES, Rollup, Tally};
use super::judged::counted;
use super::known::{Known, Lost};
use super::span::{MAX_READING, Span};
use super::{LEAF, TALLY};
use crate::cursor::Sequence;
use crate::event::RecordView;
use crate::log::{EventLog, LogError};
use crate::reader::{Reader, Step, Want};
use crate::time::Timestamp;
use std::collections::BTreeSet;
use std::ops::RangeInclusive;
use std::sync::Arc;
use tokio::time::Instant;

const MILLI: i64 = 1_000_000;
/// Bins of a histogram, at most.
pub const MAX_BINS: usize = 2000;
/// About the records that are unpacked together.
const FRAME: u64 = 768;
/// Frames that are read for exact edges without being asked for it, and with.
const MAX_FRAMES: usize = 8;
const MAX_EXACT_FRAMES: usize = 400;
/// Leaves at edges that are read; with more of them the answer is not exact.
pub(super) const MAX_EDGE_LEAVES: usize = 16;

/// Counts by time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Histogram {
    /// Where the first bin begins.
    pub since: Timestamp,
    /// The end of the range, which lies in the last one.
    pub until: Timestamp,
    /// How long one is.
    pub bin_ms: i64,
    /// Counts by class, in the order of [`CLASSES`].
    pub bins: Vec<[u64; CLASSES.len()]>,
    /// Records that may be in the wrong one of two bins, at each edge.
    pub edge_error: u64,
    /// Where reading ended early: what lies after it is not counted.
    pub ended_after: Option<Sequence>,
}

impl Histogram {
    fn new(range: &RangeInclusive<Timestamp>, bins: usize) -> Self {
        let (since, until) = (*range.start(), *range.end());
        let millis = until.nanos().saturating_sub(since.nanos()) / MILLI + 1;
        let wanted = i64::try_from(bins.clamp(1, MAX_BINS)).unwrap_or(1);
        let bin_ms = (millis + wanted - 1) / wanted;
        let count = usize::try_from((millis + bin_ms - 1) / bin_ms).unwrap_or(1);
        Self { since, until, bin_ms, bins: vec![[0; CLASSES.len()]; count], edge_error: 0, ended_after: None }
    }

    /// The bin of a time in the range.
    fn place(&self, time: i64) -> Option<usize> {
        let within = (self.since.nanos()..=self.until.nanos()).contains(&time);
        within.then(|| usize::try_from(time.saturating_sub(self.since.nanos()) / MILLI / self.bin_ms).ok())?
    }

    fn add(&mut self, time: i64, class: Class) {
        if let Some(bin) = self.place(time).and_then(|place| self.bins.get_mut(place))
            && let Some(count) = bin.get_mut(class as usize)
        {
            *count += 1;
        }
    }

    fn add_all(&mut self, place: usize, tally: &Tally) {
        if let Some(bin) = self.bins.get_mut(place) {
            bin.iter_mut().zip(tally.counts).for_each(|(sum, count)| *sum += u64::from(count));
        }
    }

    /// Adds what lies in one bin; whether it does, or lies outside.
    fn take(&mut self, tally: &Tally) -> bool {
        let (from, to) = tally.time;
        if to < self.since.nanos() || from > self.until.nanos() {
            return true;
        }
        match (self.place(from), self.place(to)) {
            (Some(first), Some(last)) if first == last => {
                self.add_all(first, tally);
                true
            }
            _ => false,
        }
    }

    /// Adds records that were read of a tally. What is known of it holds where what came before it would tell
    /// deaths apart.
    fn take_read(&mut self, tally: &Tally, read: &mut Vec<(i64, Class)>) {
        let of = |class: Class, read: &[(i64, Class)]| read.iter().filter(|(_, one)| *one == class).count();
        let known = |class: Class| usize::from(tally.counts.get(class as usize).copied().unwrap_or(0));
        for _ in known(Class::Failure)..of(Class::Failure, read) {
            if let Some((_, class)) = read.iter_mut().find(|(_, class)| *class == Class::Failure) {
                *class = Class::Stop;
            }
        }
        for _ in known(Class::Stop)..of(Class::Stop, read) {
            if let Some(place) = read.iter().rposition(|(_, class)| *class == Class::Stop) {
                read.remove(place);
            }
        }
        for _ in of(Class::Stop, read)..known(Class::Stop) {
            if let Some((_, class)) = read.iter_mut().find(|(_, class)| *class == Class::Other) {
                *class = Class::Stop;
            }
        }
        read.drain(..).for_each(|(time, class)| self.add(time, class));
    }
}

/// Counts by value.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Facets {
    pub(super) rollup: Rollup,
    /// Records that were looked at.
    pub scanned: u64,
    /// Nothing was guessed.
    pub exact: bool,
    /// As [`Histogram::ended_after`].
    pub ended_after: Option<Sequence>,
}

/// A value and how often it was seen.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Facet {
    /// The value.
    pub value: String,
    /// Records.
    pub count: u32,
    /// Those of them that are failures.
    pub failures: u32,
}

impl Facets {
    /// The most frequent values of a key, and how many records have others.
    pub fn top(&self, key: &str, top: usize) -> (Vec<Facet>, u64) {
        let place = KEYS.iter().position(|known| *known == key);
        let Some((values, rest)) = place.and_then(|place| Some((self.rollup.keys.get(place)?, self.rollup.rest.get(place)?))) else {
            return (Vec::new(), 0);
        };
        let facet = |(value, (count, failures)): (&String, &(u32, u32))| Facet { value: value.clone(), count: *count, failures: *failures };
        let mut all: Vec<Facet> = values.iter().map(facet).collect();
        all.sort_by(|a, b| (b.count, &a.value).cmp(&(a.count, &b.value)));
        let others = all.get(top..).unwrap_or_default().iter().map(|facet| u64::from(facet.count)).sum::<u64>() + u64::from(rest.0);
        all.truncate(top);
        (all, others)
    }
}

impl Known {
    /// When the records kept begin, by their own time.
    ///
    /// # Errors
    /// When the log cannot be read.
    pub async fn begins(self: &Arc<Self>) -> Result<Option<Timestamp>, LogError> {
        let beginning = |known: &Self| {
            let folded = known.folded.read();
            let folded = folded.as_ref().ok_or(Lost)?;
            let stretches = folded.stretches.iter().map(|stretch| stretch.time.0);
            Ok(stretches.chain(folded.counting.tallies.iter().map(|tally| tally.time.0)).min().map(Timestamp::from_nanos))
        };
        self.answer(self.log.bounds().head, beginning).await
    }

    /// Hands over all tallies of records that are kept, rising.
    pub(super) fn each_tally(&self, mut give: impl FnMut(&Tally)) -> Result<(), Lost> {
        let (stretches, present) = {
            let folded = self.folded.read();
            let folded = folded.as_ref().ok_or(Lost)?;
            (folded.stretches.clone(), folded.counting.tallies.clone())
        };
        let oldest = self.log.bounds().oldest;
        let all = stretches.iter().flat_map(|stretch| stretch.tallies.iter()).chain(&present);
        all.filter(|tally| tally.first >= oldest).for_each(&mut give);
        Ok(())
    }

    /// Counts by class in bins of equal length. `exact`: whatever that takes, within bounds.
    ///
    /// # Errors
    /// When the log cannot be read.
    pub async fn histogram(
        self: &Arc<Self>,
        log: &Arc<dyn EventLog>,
        span: &Span,
        bins: usize,
        exact: bool,
    ) -> Result<Histogram, LogError> {
        let span = &span.within(log.hosts());
        let mut histogram = Histogram::new(&span.time, bins);
        if !span.filter.is_empty() {
            let counting = &mut histogram;
            let ended = counted(log, span, |record, of| {
                if let Some(class) = of.class {
                    counting.add(record.time.nanos(), class);
                }
            });
            histogram.ended_after = ended.await?;
            return Ok(histogram);
        }
        let begun = histogram;
        let counted = self.answer(log.bounds().head, move |known| {
            let mut histogram = begun.clone();
            let mut at_edges: Vec<Tally> = Vec::new();
            known.each_tally(|tally| {
                if !histogram.take(tally) {
                    at_edges.push(*tally);
                }
            })?;
            Ok((histogram, at_edges))
        });
        let (mut histogram, at_edges) = counted.await?;
        if !may_be_read(&at_edges, exact) {
            histogram.edge_error = TALLY;
            for tally in at_edges {
                if let Some(place) = histogram.place(i64::midpoint(tally.time.0, tally.time.1)) {
                    histogram.add_all(place, &tally);
                }
            }
            return Ok(histogram);
        }
        let mut classifier = Classifier::default();
        let mut next = 0;
        for tally in at_edges {
            let last = (tally.first.saturating_sub(1) / TALLY + 1) * TALLY;
            let (mut records, begin) = (Vec::new(), if tally.first == next { tally.first } else { tally.first.saturating_sub(TALLY) });
            next = last + 1;
            each(log, begin..=last.min(log.bounds().head), |record| {
                if let (Some(class), true) = (classifier.read(record).class, record.seq >= tally.first) {
                    records.push((record.time.nanos(), class));
                }
            })
            .await?;
            histogram.take_read(&tally, &mut records);
        }
        Ok(histogram)
    }

    /// Counts by value.
    ///
    /// # Errors
    /// When the log cannot be read.
    pub async fn facets(self: &Arc<Self>, log: &Arc<dyn EventLog>, span: &Span) -> Result<Facets, LogError> {
        let span = &span.within(log.hosts());
        let (mut classifier, mut facets) = (Classifier::default(), Facets { exact: true, ..Facets::default() });
        if !span.filter.is_empty() {
            let counting = &mut facets;
            let ended = counted(log, span, |_, of| {
                counting.rollup.count(of, MAX_SUMMED_VALUES);
                counting.scanned += 1;
            });
            facets.ended_after = ended.await?;
            facets.exact = facets.ended_after.is_none() && facets.rollup.is_whole();
            return Ok(facets);
        }
        let time = (span.time.start().nanos(), span.time.end().nanos());
        let (mut facets, at_edges) = self.answer(log.bounds().head, move |known| known.counted(time)).await?;
        if at_edges.len() > MAX_EDGE_LEAVES {
            facets.exact = false;
            for leaf in at_edges {
                if (time.0..=time.1).contains(&i64::midpoint(leaf.time.0, leaf.time.1)) {
                    facets.add(&leaf);
                }
            }
            return Ok(facets);
        }
        for leaf in at_edges {
            each(log, leaf.first.saturating_sub(LEAF / 8)..=leaf.last, |record| {
                let counted = classifier.read(record);
                if record.seq >= leaf.first && (time.0..=time.1).contains(&record.time.nanos()) {
                    facets.rollup.count(counted, MAX_SUMMED_VALUES);
                    facets.scanned += 1;
                }
            })
            .await?;
        }
        facets.exact &= facets.rollup.is_whole();
        Ok(facets)
    }

    /// What lies in a range, and leaves of which a part does.
    fn counted(&self, time: (i64, i64)) -> Result<(Facets, Vec<Leaf>), Lost> {
        let (stretches, present) = {
            let folded = self.folded.read();
            let folded = folded.as_ref().ok_or(Lost)?;
            (folded.stretches.clone(), folded.counting.leaves.clone())
        };
        let oldest = self.log.bounds().oldest;
        let within = |of: (i64, i64)| of.0 >= time.0 && of.1 <= time.1;
        let outside = |of: (i64, i64)| of.1 < time.0 || of.0 > time.1;
        let mut facets = Facets { exact: true, ..Facets::default() };
        let mut leaves = present;
        for stretch in stretches.iter().filter(|stretch| stretch.head.last >= oldest && !outside(stretch.time)) {
            let stored = self.stored(stretch)?;
            if within(stretch.time) && stretch.head.first >= oldest {
                facets.rollup.add(&stored.total().ok_or(Lost)?);
                facets.scanned += stretch.head.last + 1 - stretch.head.first;
            } else {
                leaves.extend(stored.leaves().ok_or(Lost)?);
            }
        }
        let mut at_edges = Vec::new();
        for leaf in leaves.into_iter().filter(|leaf| leaf.last >= oldest && !outside(leaf.time)) {
            if within(leaf.time) && leaf.first >= oldest {
                facets.add(&leaf);
            } else {
                at_edges.push(Leaf { first: leaf.first.max(oldest), rollup: leaf.rollup, ..leaf });
            }
        }
        at_edges.sort_by_key(|leaf| leaf.first);
        Ok((facets, at_edges))
    }
}

impl Facets {
    fn add(&mut self, leaf: &Leaf) {
        self.rollup.add(&leaf.rollup);
        self.scanned += leaf.last + 1 - leaf.first;
    }
}

/// Whether what lies at edges is read, or guessed.
fn may_be_read(at_edges: &[Tally], exact: bool) -> bool {
    let frames: BTreeSet<u64> = at_edges.iter().map(|tally| tally.first / FRAME).collect();
    frames.len() <= if exact { MAX_EXACT_FRAMES } else { MAX_FRAMES }
}

/// Hands over each record that is wanted; where reading ended before the head.
pub(super) async fn read(
    log: &Arc<dyn EventLog>,
    span: &Span,
    mut give: impl FnMut(&RecordView<'_>),
) -> Result<Option<Sequence>, LogError> {
    let bounds = log.bounds();
    let want = Want { filter: Arc::clone(&span.filter), time: span.time.clone(), until: bounds.head };
    let mut reader = Reader::new(Arc::clone(log), bounds.oldest.saturating_sub(1), want);
    let until = Instant::now() + MAX_READING;
    while let Some(step) = reader.next().await? {
        if let Step::Records(selection) = step {
            selection.sequences().filter_map(|seq| selection.block.view(seq)).for_each(|record| give(&record));
        }
        if Instant::now() > until {
            return Ok(Some(reader.position()));
        }
        // A long answer must not keep the runtime from its other tasks.
        tokio::task::yield_now().await;
    }
    Ok(None)
}

/// Hands over each record of a range.
async fn each(log: &Arc<dyn EventLog>, range: RangeInclusive<Sequence>, mut give: impl FnMut(&RecordView<'_>)) -> Result<(), LogError> {
    let after = range.start().saturating_sub(1).max(log.bounds().oldest.saturating_sub(1));
    let mut reader = Reader::new(Arc::clone(log), after, Want { until: *range.end(), ..Want::default() });
    while let Some(step) = reader.next().await? {
        if let Step::Records(selection) = step {
            selection.sequences().filter_map(|seq| selection.block.view(seq)).for_each(|record| give(&record));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn so_many_frames_at_edges_are_read() {
        for (exact, most) in [(false, MAX_FRAMES), (true, MAX_EXACT_FRAMES)] {
            let tallies_of_a_frame = usize::try_from(FRAME / TALLY).unwrap();
            let first = (0..).step_by(usize::try_from(TALLY).unwrap());
            let tally = |first| Tally { first, time: (0, 1), counts: [0; CLASSES.len()] };
            let mut tallies: Vec<Tally> = first.take(most * tallies_of_a_frame).map(tally).collect();
            assert!(may_be_read(&tallies, exact));
            tallies.push(tally(most as u64 * FRAME));
            assert!(!may_be_read(&tallies, exact));
        }
    }
}
