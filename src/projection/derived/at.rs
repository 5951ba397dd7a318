//! What was known at a time: from the newest state that was stored by then, and the records after it.

use super::folded::Stretch;
use super::known::{Known, Lost};
use super::list::{Asked, Listed};
use crate::cursor::Sequence;
use crate::event::Record;
use crate::log::{EventLog, LogError};
use crate::projection::incidents::{self, Ids, State};
use crate::reader::{Reader, Step, Want};
use crate::time::Timestamp;
use std::ops::RangeInclusive;
use std::sync::Arc;

/// The fold as it was.
#[derive(Debug, Clone)]
pub(super) struct Then {
    pub(super) state: State,
    pub(super) ids: Ids,
    /// Those that were over by then.
    pub(super) stretches: Vec<Arc<Stretch>>,
    /// What is to be read after that.
    rest: Vec<RangeInclusive<Sequence>>,
}

impl Known {
    /// Incidents as they were known at a time: from the records received by then.
    ///
    /// # Errors
    /// When the log cannot be read.
    pub async fn list_at(self: &Arc<Self>, log: &Arc<dyn EventLog>, asked: Asked, at: Timestamp) -> Result<Listed, LogError> {
        let then = self.then(log, at, at, |record| record.received <= at).await?;
        let view = incidents::view(&then.state, &then.ids, at);
        self.answer(0, move |known| known.listed(&asked, &view, &then.stretches)).await
    }

    /// The fold at a time, with what was received until then and is wanted.
    pub(super) async fn then(
        self: &Arc<Self>,
        log: &Arc<dyn EventLog>,
        at: Timestamp,
        until: Timestamp,
        wanted: impl Fn(&Record) -> bool,
    ) -> Result<Then, LogError> {
        let mut then = self.answer(log.bounds().head, move |known| known.before(at, until)).await?;
        for range in std::mem::take(&mut then.rest) {
            let mut reader = Reader::new(Arc::clone(log), range.start().saturating_sub(1), Want { until: *range.end(), ..Want::default() });
            while let Some(step) = reader.next().await? {
                match step {
                    Step::Records(selection) => {
                        if let Some(first) = selection.first().and_then(|seq| selection.block.cursor(seq).parse().ok()) {
                            then.ids.note(first);
                        }
                        let records = selection.sequences().filter_map(|seq| selection.block.record(seq));
                        records.filter(&wanted).for_each(|record| incidents::step(&mut then.state, &record));
                    }
                    Step::Gap(range, why) => incidents::miss(&mut then.state, &range, why),
                    Step::Nothing => {}
                }
            }
        }
        Ok(then)
    }

    /// The newest state that holds nothing that was received after `at`, and where something may lie that was
    /// received up to `until`.
    fn before(&self, at: Timestamp, until: Timestamp) -> Result<Then, Lost> {
        let (stretches, oldest, through, received) = {
            let folded = self.folded.read();
            let folded = folded.as_ref().ok_or(Lost)?;
            if folded.state.clock() <= at {
                let (state, ids, stretches) = (folded.state.clone(), folded.ids.clone(), folded.stretches.clone());
                return Ok(Then { state, ids, stretches, rest: Vec::new() });
            }
            (folded.stretches.clone(), folded.oldest, folded.through, folded.received)
        };
        let known = stretches.partition_point(|stretch| stretch.head.clock <= at.nanos());
        let (over, later) = stretches.split_at_checked(known).ok_or(Lost)?;
        let (state, ids) = match over.last() {
            Some(last) => self.stored(last)?.state().ok_or(Lost)?,
            None => (State::before(oldest), Ids::default()),
        };
        let until = until.nanos();
        let mut next = over.last().map_or(oldest, |stretch| stretch.head.last + 1);
        let mut rest: Vec<RangeInclusive<Sequence>> = Vec::new();
        let present = (stretches.last().map_or(oldest, |last| last.head.last + 1)..=through, received);
        for (range, received) in later.iter().map(|later| (later.head.first..=later.head.last, later.head.received)).chain([present]) {
            if received <= until && range.start() <= range.end() {
                // What is missing before it belongs to it.
                match rest.last_mut() {
                    Some(last) if *last.end() + 1 >= next => *last = *last.start()..=*range.end(),
                    _ => rest.push(next.min(*range.start())..=*range.end()),
                }
            }
            next = range.end() + 1;
        }
        Ok(Then { state, ids, stretches: over.to_vec(), rest })
    }
}
