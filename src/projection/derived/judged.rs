//! Classes of the records that a filter lets through. Whether a death was asked for shows in the records
//! before it, which the filter may hide. So these are read too: for each death, what was done to containers
//! within [`WINDOW`] before it.

use super::class::{Class, Classifier, Counted, WINDOW};
use super::span::{MAX_READING, Span};
use crate::cursor::Sequence;
use crate::event::RecordView;
use crate::filter::Filter;
use crate::log::{EventLog, LogError};
use crate::reader::{Reader, Selection, Step, Want};
use std::collections::VecDeque;
use std::sync::Arc;
use tokio::time::Instant;

/// What tells deaths apart, and deaths.
const ACTS: &str = r#"{"type":["container"],"event":["kill","die","stop","start"]}"#;

/// Reads what was done to containers, as far as a death needs it.
struct Judge {
    acts: Reader,
    deaths: Classifier,
    others: Classifier,
    /// Deaths and stops that were read and not asked for yet, rising: of one block at most.
    told: VecDeque<(Sequence, Option<Class>)>,
}

impl Judge {
    fn new(log: &Arc<dyn EventLog>) -> Result<Self, LogError> {
        let filter = Filter::from_params(Some(ACTS), None).map_err(|e| LogError::Refused(e.to_string()))?;
        let want = Want { until: log.bounds().head, ..Want::filtered(filter) };
        let acts = Reader::new(Arc::clone(log), log.bounds().oldest.saturating_sub(1), want);
        Ok(Self { acts, deaths: Classifier::default(), others: Classifier::default(), told: VecDeque::new() })
    }

    /// What is counted of the next record that the filter lets through.
    async fn read<'a>(&mut self, record: &'a RecordView<'_>) -> Result<Counted<'a>, LogError> {
        let mut counted = self.others.read(record);
        if !is_death(record) {
            return Ok(counted);
        }
        let seq = record.seq;
        // What came long before tells nothing.
        let begin = seq.saturating_sub(WINDOW + 1);
        if self.acts.position() < begin {
            self.acts.go_on_after(begin);
        }
        while self.acts.position() < seq {
            match self.acts.next().await? {
                Some(Step::Records(selection)) => self.take(&selection, seq),
                Some(_) => {}
                None => break,
            }
        }
        while self.told.front().is_some_and(|(told, _)| *told < seq) {
            self.told.pop_front();
        }
        if let Some((_, class)) = self.told.front().filter(|(told, _)| *told == seq) {
            counted.class = *class;
        }
        Ok(counted)
    }

    fn take(&mut self, selection: &Selection, from: Sequence) {
        for record in selection.sequences().filter_map(|seq| selection.block.view(seq)) {
            let class = self.deaths.read(&record).class;
            if record.seq >= from && is_death(&record) {
                self.told.push_back((record.seq, class));
            }
        }
    }
}

/// Whether others tell what it is: a `stop`, too, is a part of a death or one of its own.
fn is_death(record: &RecordView<'_>) -> bool {
    let view = &record.event;
    view.kind.as_deref() == Some("container") && matches!(view.action.as_deref(), Some("die" | "stop"))
}

/// Hands over what is counted of each record that is wanted; where reading ended before the head.
pub(super) async fn counted(
    log: &Arc<dyn EventLog>,
    span: &Span,
    mut give: impl FnMut(&RecordView<'_>, Counted<'_>),
) -> Result<Option<Sequence>, LogError> {
    let bounds = log.bounds();
    let want = Want { filter: Arc::clone(&span.filter), time: span.time.clone(), until: bounds.head };
    let mut reader = Reader::new(Arc::clone(log), bounds.oldest.saturating_sub(1), want);
    let mut judge = Judge::new(log)?;
    let until = Instant::now() + MAX_READING;
    while let Some(step) = reader.next().await? {
        if let Step::Records(selection) = step {
            for record in selection.sequences().filter_map(|seq| selection.block.view(seq)) {
                let counted = judge.read(&record).await?;
                give(&record, counted);
            }
        }
        if Instant::now() > until {
            return Ok(Some(reader.position()));
        }
        // A long answer must not keep the runtime from its other tasks.
        tokio::task::yield_now().await;
    }
    Ok(None)
}
