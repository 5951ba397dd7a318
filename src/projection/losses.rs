//! What the recorder may have missed: its own `gap` records, found by the time that they tell of and not by
//! their place.
//!
//! A `gap` record stands in the log after the time that it tells of, so a page of that time may end before
//! it. Gaps are few; the newest [`MAX_KNOWN`] are kept in memory, brought up to the head at each question.
//! Older ones are read from the log when a question reaches back to them.

use crate::cursor::Sequence;
use crate::event::{EventView, Record};
use crate::filter::{Filter, Subject};
use crate::log::{Block, EventLog, LogError};
use crate::reader::{Reader, Step, Want, block_of};
use crate::time::Timestamp;
use bytes::Bytes;
use serde::Deserialize;
use serde_json::value::RawValue;
use std::collections::VecDeque;
use std::ops::RangeInclusive;
use std::sync::Arc;
use tokio::sync::Mutex;

/// Gaps that are kept in memory, each with its line.
pub const MAX_KNOWN: usize = 4096;
/// Bytes of a line that is kept in memory; a longer one is read from the log when it is wanted.
const MAX_LINE_BYTES: usize = 1024;
/// Gaps that one answer tells of, the newest of those that meet its range; the others are counted.
pub const MAX_MET: usize = 100;
/// The reason of the gap that stands before everything: recording began there, and nothing is known to be
/// lost.
pub const FIRST_CONTACT: &str = "first-contact";
/// What finds `gap` records.
const GAPS: &str = r#"{"type":["recorder"],"event":["gap"]}"#;

/// One `gap` record of the recorder's own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Loss {
    /// The record.
    pub seq: Sequence,
    /// The Docker host whose events may be missing.
    pub source: Arc<str>,
    /// When events may be missing.
    pub time: RangeInclusive<Timestamp>,
    /// The record's own time, at which the recorder knew.
    pub told: Timestamp,
    /// The record's line, unless it has more than [`MAX_LINE_BYTES`].
    line: Option<Bytes>,
}

/// Which gaps are asked for.
#[derive(Debug, Clone)]
pub struct Asked {
    /// Those that tell of this time.
    pub time: RangeInclusive<Timestamp>,
    /// And those whose records lie after this one, whatever time they tell of.
    pub after: Sequence,
    /// Of more than so many, the newest.
    pub max: usize,
}

impl Asked {
    /// Those that tell of a time, at most [`MAX_MET`].
    pub fn at(time: RangeInclusive<Timestamp>) -> Self {
        Self { time, after: Sequence::MAX, max: MAX_MET }
    }
}

/// Gaps that meet a range, rising by sequence.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Met {
    /// The newest.
    pub losses: Vec<Loss>,
    /// How many older ones meet it as well.
    pub left_out: u64,
}

impl Loss {
    /// The gap that a record tells of, if it does. Where it names no beginning: of `first-contact` all time
    /// before it, else the record's own time.
    pub fn of(record: &Record) -> Option<Self> {
        let view = record.event.view();
        if !record.event.is_own() || view.action.as_deref() != Some("gap") {
            return None;
        }
        let time = |key| view.attribute(key).and_then(|text| Timestamp::from_text(text.as_bytes()));
        let until = time("until").unwrap_or(record.time);
        let from = time("from").unwrap_or(if view.attribute("reason") == Some(FIRST_CONTACT) { Timestamp::MIN } else { until });
        let time = from.min(until)..=until;
        Some(Self { seq: record.seq, source: Arc::clone(&record.source), time, told: record.time, line: None })
    }

    /// With the line that it is told by.
    fn in_block(block: &Block, seq: Sequence) -> Option<Self> {
        let loss = Self::of(&block.record(seq)?)?;
        let line = block.line(seq, false);
        // Copied, since a slice would keep its whole block in memory.
        Some(Self { line: (line.len() <= MAX_LINE_BYTES).then(|| Bytes::copy_from_slice(&line)), ..loss })
    }

    /// Whether a client that asks for this time with this filter is not given the record, though nothing
    /// leaves its Docker host out.
    pub fn is_hidden(&self, filter: &Filter, time: &RangeInclusive<Timestamp>) -> bool {
        filter.wants_source(&self.source) && !(time.contains(&self.told) && self.passes(filter))
    }

    /// Whether the record passes a filter; a long one counts as one that does not, and is then told twice
    /// rather than never.
    fn passes(&self, filter: &Filter) -> bool {
        #[derive(Deserialize)]
        struct Told<'a> {
            #[serde(borrow)]
            event: &'a RawValue,
        }
        let passes = |line: &[u8]| {
            let told: Told<'_> = serde_json::from_slice(line).ok()?;
            let event = EventView::parse(told.event.get()).ok()?;
            Some(filter.shows(&Subject { source: &self.source, noise: None, foreign: false, event: &event }))
        };
        filter.is_empty() || self.line.as_ref().and_then(|line| passes(line)) == Some(true)
    }

    /// The record's line; `None` when it is gone by now.
    ///
    /// # Errors
    /// When the log cannot be read.
    pub async fn line(&self, log: &dyn EventLog) -> Result<Option<Bytes>, LogError> {
        if let Some(line) = &self.line {
            return Ok(Some(line.clone()));
        }
        let block = block_of(log, self.seq).await?;
        Ok(block.map(|block| Bytes::copy_from_slice(&block.line(self.seq, false))))
    }

    fn meets(&self, asked: &Asked) -> bool {
        (self.time.start() <= asked.time.end() && asked.time.start() <= self.time.end()) || self.seq > asked.after
    }
}

/// All gaps of a log, by time.
#[derive(Debug)]
pub struct Losses {
    known: Mutex<Known>,
}

#[derive(Debug, Default)]
struct Known {
    /// Rising by sequence.
    losses: VecDeque<Loss>,
    /// Everything up to here has been looked at.
    through: Sequence,
    /// Sequence of the newest gap that is not kept any more, and the latest time that one of them tells of.
    forgotten: Option<(Sequence, Timestamp)>,
}

impl Default for Losses {
    fn default() -> Self {
        Self { known: Mutex::new(Known::default()) }
    }
}

impl Losses {
    /// The gaps that are asked for and that `wanted` accepts, of the [Docker hosts](EventLog::hosts) that the
    /// log is read for.
    ///
    /// # Errors
    /// When the log cannot be read.
    pub async fn meeting(&self, log: &Arc<dyn EventLog>, asked: &Asked, wanted: impl Fn(&Loss) -> bool) -> Result<Met, LogError> {
        let mut known = self.known.lock().await;
        known.catch_up(log).await?;
        let oldest = log.bounds().oldest;
        let mut met = Met::default();
        let mut take = |loss: &Loss| {
            if loss.seq >= oldest && loss.meets(asked) && log.may_tell_of(&loss.source) && wanted(loss) {
                met.losses.push(loss.clone());
                if met.losses.len() > asked.max {
                    met.losses.remove(0);
                    met.left_out += 1;
                }
            }
        };
        if let Some((newest, until)) = known.forgotten
            && newest >= oldest
            && (until >= *asked.time.start() || newest > asked.after)
        {
            for_each(log, oldest - 1, newest, &mut take).await?;
        }
        known.losses.iter().for_each(take);
        Ok(met)
    }
}

impl Known {
    async fn catch_up(&mut self, log: &Arc<dyn EventLog>) -> Result<(), LogError> {
        let bounds = log.bounds();
        let after = self.through.max(bounds.oldest.saturating_sub(1));
        if after >= bounds.head {
            return Ok(());
        }
        for_each(log, after, bounds.head, &mut |loss: &Loss| {
            self.losses.push_back(loss.clone());
            // The client may go away in the middle: the next one continues after this.
            self.through = loss.seq;
            if self.losses.len() > MAX_KNOWN
                && let Some(oldest) = self.losses.pop_front()
            {
                let until = self.forgotten.map_or(*oldest.time.end(), |(_, until)| until.max(*oldest.time.end()));
                self.forgotten = Some((oldest.seq, until));
            }
        })
        .await?;
        self.through = bounds.head;
        Ok(())
    }
}

/// Hands over each gap after `after`, up to and with `until`.
async fn for_each(log: &Arc<dyn EventLog>, after: Sequence, until: Sequence, give: &mut impl FnMut(&Loss)) -> Result<(), LogError> {
    let filter = Filter::from_params(Some(GAPS), None).map_err(|e| LogError::Refused(e.to_string()))?;
    let want = Want { until, ..Want::filtered(filter) };
    // What is found is kept for everybody, whoever asks first.
    let mut reader = Reader::whole(Arc::clone(log), after, want);
    while let Some(step) = reader.next().await? {
        if let Step::Records(selection) = step {
            let block: &Block = &selection.block;
            selection.sequences().filter_map(|seq| Loss::in_block(block, seq)).for_each(|loss| give(&loss));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::{Event, Marks};
    use crate::log::{EmbeddedLog, NewRecord};

    fn at(second: i64) -> Timestamp {
        Timestamp::from_nanos(second * 1_000_000_000)
    }

    fn gap(source: &str, reason: &str, from: Option<i64>, until: i64) -> NewRecord {
        let (from, until_text) = (from.map(|second| at(second).to_string()), at(until).to_string());
        let mut attributes = vec![("reason", reason), ("until", &*until_text)];
        attributes.extend(from.as_deref().map(|from| ("from", from)));
        let event = Event::recorder("gap", source, &attributes, at(until + 100));
        NewRecord { source: source.into(), received: at(until + 100), event }
    }

    async fn bench(records: Vec<NewRecord>) -> (tempfile::TempDir, Arc<dyn EventLog>) {
        let dir = tempfile::TempDir::new().unwrap();
        let log: Arc<dyn EventLog> = Arc::new(EmbeddedLog::open(dir.path()).unwrap().0);
        for chunk in records.chunks(500) {
            log.append(chunk.to_vec()).await.unwrap();
        }
        (dir, log)
    }

    async fn met(losses: &Losses, log: &Arc<dyn EventLog>, from: i64, until: i64) -> Vec<Sequence> {
        let met = losses.meeting(log, &Asked::at(at(from)..=at(until)), |_| true).await.unwrap();
        met.losses.iter().map(|loss| loss.seq).collect()
    }

    #[tokio::test]
    async fn gaps_are_found_by_the_time_that_they_tell_of() {
        let mut foreign = gap("a", "daemon-restart", Some(0), 1000);
        foreign.event = foreign.event.with_marks(Marks { foreign: true, ..Marks::default() });
        let other = Event::recorder("resumed", "a", &[], at(5));
        let other = NewRecord { source: "a".into(), received: at(5), event: other };
        let first = gap("a", FIRST_CONTACT, None, 10);
        let (_dir, log) =
            bench(vec![first, other, foreign, gap("a", "daemon-restart", Some(20), 30), gap("b", "malformed", None, 40)]).await;
        let losses = Losses::default();
        assert_eq!(met(&losses, &log, 0, 10).await, [1]);
        assert_eq!(met(&losses, &log, 11, 19).await, [0u64; 0]);
        assert_eq!(met(&losses, &log, 25, 26).await, [4]);
        assert_eq!(met(&losses, &log, 30, 40).await, [4, 5]);
        // What comes later is found as well.
        log.append(vec![gap("b", "ring-overflow", Some(50), 45)]).await.unwrap();
        assert_eq!(met(&losses, &log, 41, 60).await, [6], "also where it ends before it begins");
        let of_b = losses.meeting(&log, &Asked::at(at(0)..=at(99)), |loss| &*loss.source == "b").await.unwrap();
        assert_eq!(of_b.losses.len(), 2);
    }

    #[tokio::test]
    async fn memory_is_bounded_and_nothing_is_silent() {
        let count = i64::try_from(MAX_KNOWN).unwrap() + 300;
        let (_dir, log) = bench((1..=count).map(|n| gap("a", "malformed", Some(n * 10), n * 10 + 1)).collect()).await;
        let losses = Losses::default();
        assert_eq!(met(&losses, &log, 50, 51).await, [5], "one that is not in memory");
        assert_eq!(met(&losses, &log, count * 10, count * 10).await, [count.cast_unsigned()]);
        let all = losses.meeting(&log, &Asked::at(Timestamp::MIN..=Timestamp::MAX), |_| true).await.unwrap();
        assert_eq!((all.losses.len(), all.left_out), (MAX_MET, count.cast_unsigned() - MAX_MET as u64));
        assert_eq!(losses.known.lock().await.losses.len(), MAX_KNOWN);
    }
}
