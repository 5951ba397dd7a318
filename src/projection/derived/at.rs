//! What was known at a time: from the newest state that was stored by then, and the records after it.

use super::folded::Stretch;
use super::known::{Known, Lost};
use super::list::{Asked, Listed};
use crate::cursor::Sequence;
use crate::event::RecordView;
use crate::filter::Filter;
use crate::log::{EventLog, LogError};
use crate::projection::incidents::{self, ContainerStanding, Ids, Inventory, MAX_CONTAINERS, State};
use crate::reader::{Reader, Step, Want};
use crate::time::Timestamp;
use std::collections::BTreeSet;
use std::ops::RangeInclusive;
use std::sync::Arc;

/// What happened by a time may be received so much later, in nanoseconds.
const LATE: i64 = 1_000_000_000;
/// Records that are looked through for the first full look at a Docker host.
pub(super) const MAX_AHEAD: u64 = 65_536;
/// What finds full looks.
const LOOKS: &str = r#"{"type":["recorder"],"event":["observed","baseline"]}"#;

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
        let hosts = log.hosts().cloned();
        self.answer(0, move |known| known.listed(&asked, view.clone(), &then.stretches, hosts.as_ref())).await
    }

    /// Which containers there were at a time, and how they were.
    ///
    /// # Errors
    /// When the log cannot be read.
    pub async fn state_at(self: &Arc<Self>, log: &Arc<dyn EventLog>, at: Timestamp) -> Result<Inventory, LogError> {
        // What happened by then may have been received a little later.
        let until = Timestamp::from_nanos(at.nanos().saturating_add(LATE));
        let mut then = self.then(log, at, until, |record| record.received <= until && record.time <= at).await?;
        incidents::advance(&mut then.state, at);
        let mut inventory = then.state.inventory_of(&then.ids, at, log.hosts());
        self.not_seen_yet(log, &mut inventory).await?;
        Ok(inventory)
    }

    /// Adds what must have been there before, as the first full look at a Docker host shows.
    async fn not_seen_yet(&self, log: &Arc<dyn EventLog>, inventory: &mut Inventory) -> Result<(), LogError> {
        if inventory.baseline.is_some() {
            return Ok(());
        }
        let bounds = log.bounds();
        let after = inventory.folded_to.max(bounds.oldest.saturating_sub(1));
        let filter = Filter::from_params(Some(LOOKS), None).map_err(|e| LogError::Refused(e.to_string()))?;
        let until = bounds.head.min(after.saturating_add(MAX_AHEAD));
        let mut reader = Reader::new(Arc::clone(log), after, Want { until, ..Want::filtered(filter) });
        let mut ended: BTreeSet<String> = BTreeSet::new();
        while let Some(step) = reader.next().await? {
            let Step::Records(selection) = step else { continue };
            for record in selection.sequences().filter_map(|seq| selection.block.record(seq)) {
                let (view, source) = (record.event.view(), &*record.source);
                if view.action.as_deref() == Some("baseline") {
                    ended.insert(source.to_owned());
                } else if !ended.contains(source)
                    && view.attribute("observation") == Some("baseline")
                    && inventory.containers.len() < MAX_CONTAINERS
                    && let Some(id) = view.actor_id.as_deref().filter(|_| view.attribute("kind").is_none_or(|kind| kind == "container"))
                    && inventory.is_new(source, id)
                {
                    let key = incidents::subject_of(|key| view.attribute(key), id);
                    let (name, image) = (view.attribute("name"), view.attribute("image"));
                    inventory.containers.push(ContainerStanding::unknown(source, id, &key, name, image));
                }
            }
            if !ended.is_empty() && inventory.without_baseline.is_subset(&ended) {
                break;
            }
        }
        inventory.containers.sort_by(|a, b| (&a.source, &a.key, &a.id).cmp(&(&b.source, &b.key, &b.id)));
        Ok(())
    }

    /// The fold at a time, with what was received until then and is wanted.
    pub(super) async fn then(
        self: &Arc<Self>,
        log: &Arc<dyn EventLog>,
        at: Timestamp,
        until: Timestamp,
        wanted: impl Fn(&RecordView<'_>) -> bool,
    ) -> Result<Then, LogError> {
        let mut then = self.answer(log.bounds().head, move |known| known.before(at, until)).await?;
        for range in std::mem::take(&mut then.rest) {
            // The fold is of all hosts, and what is told of it is narrowed.
            let mut reader =
                Reader::whole(Arc::clone(log), range.start().saturating_sub(1), Want { until: *range.end(), ..Want::default() });
            while let Some(step) = reader.next().await? {
                match step {
                    Step::Records(selection) => {
                        if let Some(first) = selection.first().and_then(|seq| selection.block.cursor(seq).parse().ok()) {
                            then.ids.note(first);
                        }
                        let records = selection.sequences().filter_map(|seq| selection.block.view(seq));
                        records.filter(&wanted).for_each(|record| incidents::step_view(&mut then.state, &record));
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
