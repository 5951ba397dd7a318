//! What a report needs, read from a log.

use super::acts::READ;
use super::beside::{self, Beside};
use super::draft::{Draft, Drafted};
use super::model::{MAX_INCIDENTS, MAX_RELATED, Manifest, Missing, Related, Report, Row, Told};
use super::neighbours::{self, Neighbours};
use super::safe::plain;
use super::selection::Selection;
use crate::cursor::Sequence;
use crate::event::EventView;
use crate::filter::Filter;
use crate::log::{EventLog, GapReason, LogError};
use crate::projection::incidents::{Severity, Shown, VERSION, is_across};
use crate::projection::{Asked, FIRST_CONTACT, Losses};
use crate::reader::{Reader, Step, Want, block_of};
use crate::time::Timestamp;
use serde::Deserialize;
use serde_json::value::RawValue;
use std::ops::RangeInclusive;
use std::sync::Arc;
use std::time::Duration;

/// What a drawing shows before and after one incident.
const MARGIN: Duration = Duration::from_secs(15);
/// Stretches that the log itself lacks and that a report names.
const MAX_HOLES: usize = 20;

/// What a report is to be of.
#[derive(Debug, Clone)]
pub enum Of {
    /// One incident, by its id.
    One(String),
    /// Those that are wanted.
    Many(Selection),
}

/// Incidents that a report is to tell.
#[derive(Debug, Clone)]
pub struct Found {
    /// The worst of them, and of these the newest.
    incidents: Vec<Shown>,
    /// How many there were.
    count: u64,
    /// Notices that were asked about and are not among them.
    pub notices: u64,
    /// Incidents that may have been at the same time.
    pub others: Vec<Shown>,
    /// The time that they are judged at.
    pub as_of: Timestamp,
    /// The newest record that was judged.
    pub folded_to: Sequence,
}

impl Found {
    /// None so far.
    pub fn new(as_of: Timestamp, folded_to: Sequence) -> Self {
        Self { incidents: Vec::new(), count: 0, notices: 0, others: Vec::new(), as_of, folded_to }
    }

    /// One more.
    pub fn add(&mut self, incident: Shown) {
        self.incidents.push(incident);
        self.count += 1;
        if self.incidents.len() >= 2 * MAX_INCIDENTS {
            self.keep_the_worst();
        }
    }

    fn keep_the_worst(&mut self) {
        self.incidents.sort_by(|a, b| (b.severity, b.start, &b.id).cmp(&(a.severity, a.start, &a.id)));
        self.incidents.truncate(MAX_INCIDENTS);
    }

    /// In order of their beginnings, and how many are left out.
    fn take(&mut self) -> (Vec<Shown>, u64) {
        self.keep_the_worst();
        self.incidents.sort_by(|a, b| (a.start, &a.id).cmp(&(b.start, &b.id)));
        let incidents = std::mem::take(&mut self.incidents);
        let left_out = self.count.saturating_sub(incidents.len() as u64);
        (incidents, left_out)
    }
}

/// Makes a report of what was found in a log.
///
/// # Errors
/// When the log cannot be read.
pub async fn gather(log: &Arc<dyn EventLog>, losses: &Losses, mut found: Found, of: &Of) -> Result<Report, LogError> {
    let (incidents, left_out) = found.take();
    let bounds = log.bounds();
    let ids = (id_of(log, bounds.oldest).await?, id_of(log, found.folded_to).await?);
    let range = match of {
        Of::One(_) => None,
        Of::Many(selection) => Some(&selection.range),
    };
    let range = kept(range, &incidents, (time_of(log, bounds.oldest).await?, found.as_of));
    if matches!(of, Of::Many(_)) {
        found.others.clone_from(&incidents);
    }
    let mut beside = beside_of(log, &incidents, &found).await?.into_iter();
    let neighbours = neighbours_of(log, &incidents, &found).await?;
    let mut draft = Draft::new(incidents, &range, found.as_of);
    let holes = read(log, &mut draft, &range, found.folded_to).await?;
    let Drafted { told, lanes, more_lanes } = draft.finish();
    let (mut gaps, gaps_more) = missing(log, losses, &range, found.folded_to).await?;
    gaps.extend(holes);
    let related = |(incident, timeline): (Shown, Vec<Row>)| {
        let Beside { last_words, last_words_more, notified } = beside.next().unwrap_or_default();
        let (related, deploys) = (others(&found, &incident), neighbours.of(&incident, found.as_of));
        Told { incident, timeline, last_words, last_words_more, notified, related, deploys }
    };
    Ok(Report {
        manifest: Manifest {
            recorder: env!("CARGO_PKG_VERSION"),
            fold: VERSION,
            log: bounds.log.to_string(),
            since: *range.start(),
            until: *range.end(),
            as_of: found.as_of,
            first: ids.0,
            last: ids.1,
            gaps,
            gaps_more,
            left_out,
            notices: found.notices,
        },
        is_one: matches!(of, Of::One(_)),
        incidents: told.into_iter().map(related).collect(),
        lanes,
        more_lanes,
    })
}

/// The time that a report tells of, within what there is.
fn kept(
    range: Option<&RangeInclusive<Timestamp>>,
    incidents: &[Shown],
    (oldest, as_of): (Option<Timestamp>, Timestamp),
) -> RangeInclusive<Timestamp> {
    let margin = i64::try_from(MARGIN.as_nanos()).unwrap_or(0);
    let (from, to) = match range {
        Some(range) => (*range.start(), *range.end()),
        None => {
            let from = incidents.iter().map(|incident| incident.start).min().unwrap_or(as_of);
            let to = incidents.iter().map(|incident| incident.end.unwrap_or(as_of)).max().unwrap_or(as_of);
            (Timestamp::from_nanos(from.nanos().saturating_sub(margin)), Timestamp::from_nanos(to.nanos().saturating_add(margin)))
        }
    };
    let to = to.min(as_of);
    from.max(oldest.unwrap_or(from)).min(to)..=to
}

/// Reads the records that a draft wants; what cannot be read.
async fn read(
    log: &Arc<dyn EventLog>,
    draft: &mut Draft,
    range: &RangeInclusive<Timestamp>,
    until: Sequence,
) -> Result<Vec<Missing>, LogError> {
    let filter = Filter::from_params(Some(READ), None).map_err(|e| LogError::Refused(e.to_string()))?;
    let want = Want { time: draft.time(range), until, ..Want::filtered(filter) };
    let mut reader = Reader::new(Arc::clone(log), log.bounds().oldest.saturating_sub(1), want);
    let mut holes = Vec::new();
    while let Some(step) = reader.next().await? {
        match step {
            Step::Records(selection) => {
                for seq in selection.sequences() {
                    if let Some(record) = selection.block.record(seq) {
                        draft.read(selection.block.cursor(seq), &record);
                    }
                }
            }
            Step::Gap(range, reason) => note(&mut holes, &range, reason),
            Step::Nothing => {}
        }
    }
    Ok(holes)
}

/// Notes a stretch that the log itself lacks.
fn note(holes: &mut Vec<Missing>, range: &RangeInclusive<Sequence>, reason: GapReason) {
    let why = match reason {
        GapReason::Damage => "damage",
        GapReason::Export => "not in the export",
        GapReason::Retention => return,
    };
    if holes.len() < MAX_HOLES {
        let reason = format!("the log lacks its records {} to {}: {why}", range.start(), range.end());
        holes.push(Missing { record: None, source: String::new(), from: None, until: None, reason });
    }
}

/// What stands beside each of these incidents.
async fn beside_of(log: &Arc<dyn EventLog>, incidents: &[Shown], found: &Found) -> Result<Vec<Beside>, LogError> {
    let mut all: Vec<Beside> = incidents.iter().map(|_| Beside::default()).collect();
    if incidents.is_empty() {
        return Ok(all);
    }
    let filter = Filter::from_params(Some(beside::READ), None).map_err(|e| LogError::Refused(e.to_string()))?;
    let want = Want { time: beside::time(incidents.iter(), found.as_of), until: found.folded_to, ..Want::filtered(filter) };
    let mut reader = Reader::new(Arc::clone(log), log.bounds().oldest.saturating_sub(1), want);
    let share = beside::share(incidents.len());
    while let Some(step) = reader.next().await? {
        let Step::Records(selection) = step else { continue };
        for record in selection.sequences().filter_map(|seq| selection.block.record(seq)) {
            let id = selection.block.cursor(record.seq);
            all.iter_mut().zip(incidents).for_each(|(beside, incident)| beside.read(incident, id, &record, share));
        }
    }
    Ok(all)
}

/// Deploys near these incidents.
async fn neighbours_of(log: &Arc<dyn EventLog>, incidents: &[Shown], found: &Found) -> Result<Neighbours, LogError> {
    let mut all = Neighbours::default();
    if incidents.is_empty() {
        return Ok(all);
    }
    let filter = Filter::from_params(Some(neighbours::READ), None).map_err(|e| LogError::Refused(e.to_string()))?;
    let want = Want { time: neighbours::time(incidents.iter(), found.as_of), until: found.folded_to, ..Want::filtered(filter) };
    let mut reader = Reader::new(Arc::clone(log), log.bounds().oldest.saturating_sub(1), want);
    while let Some(step) = reader.next().await? {
        let Step::Records(selection) = step else { continue };
        for record in selection.sequences().filter_map(|seq| selection.block.record(seq)) {
            all.read(selection.block.cursor(record.seq), &record);
        }
    }
    Ok(all)
}

/// Where the recorder says that events may be missing.
async fn missing(
    log: &Arc<dyn EventLog>,
    losses: &Losses,
    range: &RangeInclusive<Timestamp>,
    until: Sequence,
) -> Result<(Vec<Missing>, u64), LogError> {
    #[derive(Deserialize)]
    struct Line<'a> {
        id: String,
        #[serde(borrow)]
        event: &'a RawValue,
    }
    let met = losses.meeting(log, &Asked::at(range.clone()), |loss| loss.seq <= until).await?;
    let mut gaps = Vec::new();
    for loss in met.losses {
        let Some(line) = loss.line(&**log).await? else { continue };
        let Ok(line) = serde_json::from_slice::<Line<'_>>(&line) else { continue };
        let reason = EventView::parse(line.event.get()).ok().and_then(|event| event.attribute("reason").map(plain)).unwrap_or_default();
        if reason == FIRST_CONTACT {
            continue;
        }
        let (from, until) = (Some(*loss.time.start()), Some(*loss.time.end()));
        gaps.push(Missing { record: Some(line.id), source: loss.source.to_string(), from, until, reason });
    }
    Ok((gaps, met.left_out))
}

/// Other incidents of the host at the same time, and those of the same subject on other hosts. The worst come
/// first.
fn others(found: &Found, of: &Shown) -> Vec<Related> {
    let end = |incident: &Shown| incident.end.unwrap_or(found.as_of);
    let meets = |other: &&Shown| {
        other.id != of.id
            && other.severity > Severity::Notice
            && (other.source == of.source || is_across(other, of))
            && other.start <= end(of)
            && end(other) >= of.start
            && of.merged_into.as_ref() != Some(&other.id)
    };
    let mut met: Vec<&Shown> = found.others.iter().filter(meets).collect();
    met.sort_by(|a, b| (b.severity, a.start, &a.id).cmp(&(a.severity, b.start, &b.id)));
    let shown = |other: &Shown| Related {
        id: other.id.clone(),
        source: other.source.clone(),
        severity: other.severity,
        start: other.start,
        title: if other.source == of.source { other.title.clone() } else { format!("on {}: {}", other.source, other.title) },
    };
    met.into_iter().take(MAX_RELATED).map(shown).collect()
}

async fn id_of(log: &Arc<dyn EventLog>, seq: Sequence) -> Result<Option<String>, LogError> {
    Ok(block_of(&**log, seq).await?.map(|block| block.cursor(seq).to_owned()))
}

async fn time_of(log: &Arc<dyn EventLog>, seq: Sequence) -> Result<Option<Timestamp>, LogError> {
    Ok(block_of(&**log, seq).await?.map(|block| block.time(seq)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn so_many_stretches_that_the_log_lacks_are_named() {
        let mut holes = Vec::new();
        note(&mut holes, &(1..=5), GapReason::Retention);
        assert_eq!(holes, []);
        for n in (0..).step_by(10).take(MAX_HOLES + 5) {
            note(&mut holes, &(n..=n + 5), GapReason::Damage);
        }
        assert_eq!(holes.len(), MAX_HOLES);
        let last = holes.last().unwrap();
        assert_eq!((&*last.reason, &last.record), ("the log lacks its records 190 to 195: damage", &None));
    }
}
