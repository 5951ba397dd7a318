//! Incidents of an export or of a log's directory, without a server. The log is opened to be read only.

use super::asked::{Asked, Place};
use super::extent::Extent;
use crate::cursor::Sequence;
use crate::export::{self, LastLine};
use crate::log::{EmbeddedLog, EventLog, ScratchDir};
use crate::projection::Losses;
use crate::projection::incidents::{self, Ids, Severity, State, View};
use crate::reader::{Reader, Step, Want, block_of};
use crate::report::{self, Format, Found, Of, Selection};
use crate::time::Timestamp;
use anyhow::Context as _;
use std::fs::File;
use std::io;
use std::os::fd::AsFd as _;
use std::path::Path;
use std::sync::Arc;

/// Other incidents that are looked through for those at the same time as one; as many as a server does.
const MAX_NEAR: usize = 1000;

/// A log that was opened, and what is known of it.
pub(in crate::cli) struct Opened {
    log: Arc<dyn EventLog>,
    view: View,
    /// Subjects of the containers that there are, and their ids.
    containers: Vec<[String; 2]>,
    pub(super) extent: Extent,
    /// Removed at the end.
    _scratch: Option<ScratchDir>,
}

/// A log that was opened.
pub(in crate::cli) struct Source {
    pub(in crate::cli) log: Arc<dyn EventLog>,
    /// When its oldest record was received.
    begin: Option<Timestamp>,
    /// The time up to which it tells everything.
    pub(in crate::cli) end: Timestamp,
    /// Removed at the end.
    scratch: Option<ScratchDir>,
}

/// Opens a place.
pub(in crate::cli) async fn source(place: &Place) -> anyhow::Result<Source> {
    let place = place.clone();
    let (log, said, scratch) = tokio::task::spawn_blocking(move || open(&place)).await??;
    let log: Arc<dyn EventLog> = Arc::new(log);
    let bounds = log.bounds();
    let (begin, last) = (received(&*log, bounds.oldest).await?, received(&*log, bounds.head).await?);
    Ok(Source { log, begin, end: said.max(last).unwrap_or(Timestamp::MIN), scratch })
}

impl Opened {
    /// Opens a place, and finds what broke.
    pub(in crate::cli) async fn new(place: &Place, asked: &Asked) -> anyhow::Result<Self> {
        let Source { log, begin, end, scratch } = source(place).await?;
        let (view, containers) = match asked.judged(place) {
            // After the end nobody listened: that is never taken for silence.
            Some(at) if at < end => known(&log, at, at).await?,
            _ => known(&log, Timestamp::MAX, end).await?,
        };
        Ok(Self { log, view, containers, extent: Extent { begin, end }, _scratch: scratch })
    }

    /// What containers and incidents are asked for by.
    pub(super) fn subjects(&self) -> Vec<String> {
        let View { incidents, notices, merged, .. } = &self.view;
        let of_incidents = [incidents, notices, merged].into_iter().flatten().flat_map(|one| one.about().cloned().collect::<Vec<_>>());
        self.containers.iter().flatten().cloned().chain(of_incidents).collect()
    }

    /// Incidents that are wanted, one line of JSON each, oldest first; how many notices there are; as of
    /// when.
    pub(super) fn lines(&self, selection: &Selection) -> anyhow::Result<(Vec<String>, u64, Timestamp)> {
        let as_of = self.view.as_of;
        let all = self.view.incidents.iter().chain(&self.view.notices);
        let mut found: Vec<_> = all.filter(|incident| selection.wants(incident, as_of)).collect();
        found.sort_by(|a, b| (a.start, &a.id).cmp(&(b.start, &b.id)));
        let notices = self.view.notices.iter().filter(|incident| selection.is_about(incident, as_of)).count();
        Ok((found.into_iter().map(serde_json::to_string).collect::<Result<_, _>>()?, notices as u64, as_of))
    }

    /// A report of it; `None` where there is no such incident.
    pub(in crate::cli) async fn report(&self, of: &Of, format: Format) -> anyhow::Result<Option<String>> {
        let View { incidents, notices, merged, as_of, folded_to, .. } = &self.view;
        let mut found = Found::new(*as_of, *folded_to);
        match of {
            Of::One(id) => {
                let Some(one) = incidents.iter().chain(notices).chain(merged).find(|one| one.id == *id) else { return Ok(None) };
                let range = one.start..=one.end.unwrap_or(Timestamp::MAX);
                let near = Selection { range, ..Selection::default() };
                found.others = incidents.iter().filter(|other| near.wants(other, *as_of)).take(MAX_NEAR).cloned().collect();
                found.add(one.clone());
            }
            Of::Many(selection) => {
                let all = incidents.iter().chain(notices).filter(|one| selection.wants(one, *as_of));
                all.cloned().for_each(|one| found.add(one));
                if selection.severity > Severity::Notice {
                    found.notices = notices.iter().filter(|one| selection.is_about(one, *as_of)).count() as u64;
                }
            }
        }
        let report = report::gather(&self.log, &Losses::default(), found, of).await?;
        Ok(Some(report.render(format)))
    }
}

/// What the records received by a time tell, as of another.
async fn known(log: &Arc<dyn EventLog>, until: Timestamp, as_of: Timestamp) -> anyhow::Result<(View, Vec<[String; 2]>)> {
    let bounds = log.bounds();
    let (mut state, mut ids) = (State::before(bounds.oldest), Ids::default());
    let mut reader = Reader::new(Arc::clone(log), bounds.oldest.saturating_sub(1), Want { until: bounds.head, ..Want::default() });
    while let Some(step) = reader.next().await? {
        match step {
            Step::Records(selection) => {
                let first = selection.sequences().next().and_then(|seq| selection.block.cursor(seq).parse().ok());
                if let Some(first) = first {
                    ids.note(first);
                }
                let records = selection.sequences().filter_map(|seq| selection.block.view(seq));
                records.filter(|record| record.received <= until).for_each(|record| incidents::step_view(&mut state, &record));
            }
            Step::Gap(range, why) => incidents::miss(&mut state, &range, why),
            Step::Nothing => {}
        }
    }
    let containers = state.inventory(&ids, as_of).containers.into_iter().map(|one| [one.key, one.id]).collect();
    Ok((incidents::view(&state, &ids, as_of), containers))
}

/// The log, the time that its export says it is complete up to, and what is to be removed at the end.
fn open(place: &Place) -> anyhow::Result<(EmbeddedLog, Option<Timestamp>, Option<ScratchDir>)> {
    match place {
        Place::Directory(dir) => {
            let log = EmbeddedLog::open_read_only(dir).with_context(|| format!("cannot read the log in {}", dir.display()))?;
            Ok((log, None, None))
        }
        Place::File(path) => {
            let (file, name) = if path == Path::new("-") {
                (File::from(io::stdin().as_fd().try_clone_to_owned().context("cannot read stdin")?), "stdin".to_owned())
            } else {
                (File::open(path).with_context(|| format!("cannot open {}", path.display()))?, path.display().to_string())
            };
            let read = || -> anyhow::Result<_> {
                let mut lines = LastLine::of(export::decompress(file)?);
                let scratch = ScratchDir::new()?;
                crate::log::import_to_read(&mut lines, scratch.path())?;
                Ok((EmbeddedLog::open_read_only(scratch.path())?, lines.as_of(), Some(scratch)))
            };
            read().with_context(|| format!("cannot read {name}"))
        }
    }
}

/// When a record was received.
async fn received(log: &dyn EventLog, seq: Sequence) -> anyhow::Result<Option<Timestamp>> {
    Ok(block_of(log, seq).await?.map(|block| block.received(seq)))
}
