//! What is shown of the fold: the JSON of docs/api.md.

use super::bounds::{MAX_TEXT, MILLI};
use super::container::At;
use super::ids::Ids;
use super::incident::{Cause, CauseKind, Incident, Key, Kind, Phase, Replicas, Resolution, Severity, Standing};
use super::state::{Source, State};
use super::subject::Difference;
use super::words;
use crate::time::Timestamp;
use serde::{Deserialize, Serialize};
use std::borrow::Cow;
use std::collections::BTreeMap;

/// Records of one incident's evidence that an answer names; the rest is counted.
pub const MAX_SHOWN_EVIDENCE: usize = 12;
/// Deaths of one incident and of those that it took in, that an answer names.
pub const MAX_SHOWN_FAILURES: usize = 256;

/// Everything that is known at a time.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct View {
    /// Incidents, in order of their first records; those that another one took in are not among them.
    pub incidents: Vec<Shown>,
    /// What is worth a line and is counted nowhere.
    #[serde(skip)]
    pub notices: Vec<Shown>,
    /// Incidents that another one took in.
    #[serde(skip)]
    pub merged: Vec<Shown>,
    /// The time that it is judged at.
    pub as_of: Timestamp,
    /// The newest record that was read.
    pub folded_to: u64,
    /// Troubles that found no room among the open ones, and are not told.
    pub left_out: u64,
}

/// One incident.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Shown {
    /// Cursor of its first record and a letter: fixed at birth.
    pub id: String,
    /// Rises by one with each change.
    pub revision: u64,
    /// The symptom.
    pub kind: Kind,
    /// How bad it is.
    pub severity: Severity,
    /// Whether it goes on.
    pub state: Standing,
    /// What ended it.
    pub resolution: Option<Resolution>,
    /// It is known to stay down, or did until it ended.
    pub down: bool,
    /// One sentence.
    pub title: String,
    /// The Docker host.
    pub source: String,
    /// What it is about.
    pub subject: String,
    /// Everything that it is about, and how.
    pub subjects: Vec<Part>,
    /// Ids of containers, 12 characters.
    pub containers: Vec<String>,
    /// When it began.
    pub start: Timestamp,
    /// When it ended: the start that stuck, not when that was known.
    pub end: Option<Timestamp>,
    /// When it was known first.
    pub known: Timestamp,
    /// Cursors of the first and the last record that it rests on.
    pub first: String,
    /// The last one.
    pub last: String,
    /// Counts.
    pub counts: Counts,
    /// When the daemon's next attempt is due, as far as its waits tell.
    pub next_start: Option<Timestamp>,
    /// Replicas of the service and how many of them are down, where there are several.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub replicas: Option<Replicas>,
    /// Causes of all its phases, the likeliest first.
    pub cause: Vec<ShownCause>,
    /// Troubles that followed each other without a pause, where there are several.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub phases: Vec<ShownPhase>,
    /// What was done through the API meanwhile.
    pub actions: Vec<ShownAction>,
    /// Records that it rests on.
    pub evidence: Vec<String>,
    /// How many more there are.
    pub evidence_more: u64,
    /// Whether something may be missing.
    pub confidence: Confidence,
    /// What may be missing, and why.
    pub qualified: Vec<String>,
    /// The incident that took it in.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub merged_into: Option<String>,
    /// Its deaths, rising: the first and the last, as far as they are kept. Whoever draws them must not judge
    /// by exit codes.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub failures: Vec<Failed>,
}

/// A death that was judged to be a failure.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Failed {
    /// The record.
    pub record: String,
    /// Milliseconds that it had run; 0 where that is not known.
    pub up_ms: u64,
}

/// A subject's part in an incident.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Part {
    /// The subject.
    pub key: String,
    /// `root` or `affected`.
    pub role: Cow<'static, str>,
}

/// What was counted.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counts {
    /// Deaths that nobody asked for.
    pub deaths: u64,
    /// Those by memory, and processes inside that were killed for it.
    pub oom: u64,
    /// Failed health checks.
    pub unhealthy: u64,
    /// Deaths by exit code.
    pub exit: BTreeMap<i64, u64>,
}

/// What came before, or what the symptom says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ShownCause {
    /// What it is.
    pub kind: CauseKind,
    /// The record that shows it.
    pub record: Option<String>,
    /// When.
    pub time: Option<Timestamp>,
    /// In words.
    pub text: String,
    /// The subject that it is about, where that is another one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub subject: Option<String>,
    /// The container before a deploy.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub before: Option<String>,
    /// The container after it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub after: Option<String>,
    /// What differs between them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub changes: Vec<Difference>,
}

/// One trouble among several.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ShownPhase {
    /// The symptom.
    pub kind: Kind,
    /// How bad it was by itself.
    pub severity: Severity,
    /// It stayed down after it.
    pub down: bool,
    /// When it began.
    pub start: Timestamp,
    /// The record that it begins with.
    pub first: String,
    /// In words.
    pub text: String,
    /// Counts.
    pub counts: Counts,
    /// Its own causes.
    pub cause: Vec<ShownCause>,
}

/// What somebody did through the API.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ShownAction {
    /// The record.
    pub record: String,
    /// When.
    pub time: Timestamp,
    /// `restart`, `stop`, `kill`, `remove`, `recreate`, `update`, `service updated`, `replaced by swarm` or
    /// `swarm: …`.
    pub what: String,
    /// What a recreate changed.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub changes: Vec<Difference>,
}

/// Whether something may be missing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Confidence {
    /// Nothing is known to be missing.
    Complete,
    /// Something may be.
    Qualified,
}

impl Confidence {
    pub(super) fn of(reasons: &[String]) -> Self {
        if reasons.is_empty() { Self::Complete } else { Self::Qualified }
    }
}

impl State {
    /// Everything, as it stands now.
    pub(super) fn show(&self, ids: &Ids, as_of: Timestamp) -> View {
        let (mut incidents, mut notices, mut merged) = (Vec::new(), Vec::new(), Vec::new());
        for source in self.sources.values() {
            for incident in source.incidents.values() {
                let shown = Shown::of(source, incident, ids);
                if incident.merged_into.is_some() {
                    merged.push(shown);
                } else if incident.severity == Severity::Notice {
                    notices.push(shown);
                } else {
                    incidents.push(shown);
                }
            }
        }
        for list in [&mut incidents, &mut notices, &mut merged] {
            list.sort_by(|a: &Shown, b: &Shown| (a.start, &a.id).cmp(&(b.start, &b.id)));
        }
        let left_out = self.sources.values().map(|source| source.left_out).sum();
        View { incidents, notices, merged, as_of, folded_to: self.folded_to, left_out }
    }
}

impl Shown {
    pub(super) fn of(source: &Source, incident: &Incident, ids: &Ids) -> Self {
        let members: Vec<&Incident> = incident.members.iter().filter_map(|key| source.incidents.get(key)).collect();
        let cursor = |seq: u64| ids.cursor(seq);
        let id = |key: Key| format!("{}{}", cursor(key.seq), char::from(key.letter));
        let (state, end, resolution) = if members.is_empty() {
            (incident.standing, incident.end, incident.resolution)
        } else {
            source.standing_of_members(incident.key)
        };
        let own = |incident: &Incident| {
            let (deaths, oom) = (incident.deaths, incident.ooms + incident.child_ooms);
            Counts { deaths, oom, unhealthy: incident.unhealthy, exit: incident.exits.clone() }
        };
        let counts = members.iter().copied().map(own).fold(own(incident), Counts::plus);
        let mut evidence: Vec<u64> =
            std::iter::once(incident).chain(members.iter().copied()).flat_map(|one| one.evidence.iter().copied()).collect();
        evidence.sort_unstable();
        evidence.dedup();
        let more: u64 = std::iter::once(incident).chain(members.iter().copied()).map(|one| one.evidence_more).sum();
        let mut qualified: Vec<String> = Vec::new();
        for reason in std::iter::once(incident).chain(members.iter().copied()).flat_map(|one| &one.qualified) {
            if !qualified.contains(reason) {
                qualified.push(reason.clone());
            }
        }
        let root = (incident.kind != Kind::Mass).then(|| Part { key: incident.subject.clone(), role: "root".into() });
        let affected =
            incident.affected.iter().filter(|key| **key != incident.subject).map(|key| Part { key: key.clone(), role: "affected".into() });
        let failed = std::iter::once(incident).chain(members.iter().copied()).flat_map(Incident::failures);
        let mut failed: Vec<(u64, i64)> = failed.map(|failure| (failure.at.seq, failure.up)).collect();
        failed.sort_unstable();
        failed.dedup();
        let millis = |up: i64| u64::try_from(up / MILLI).unwrap_or(0);
        let failures =
            failed.iter().take(MAX_SHOWN_FAILURES).map(|(seq, up)| Failed { record: cursor(*seq), up_ms: millis(*up) }).collect();
        let phase = |phase: &Phase| ShownPhase {
            kind: phase.kind,
            severity: phase.severity(),
            down: phase.down,
            start: Timestamp::from_nanos(phase.start),
            first: cursor(phase.first),
            text: words::phase(phase),
            counts: Counts { deaths: phase.deaths, oom: phase.ooms, unhealthy: phase.unhealthy, exit: phase.exits.clone() },
            cause: phase.causes.iter().map(|cause| ShownCause::of(cause, ids)).collect(),
        };
        let causes =
            incident.phases.iter().chain(members.iter().flat_map(|member| &member.phases).filter(|_| incident.kind == Kind::Mass).take(3));
        let mut containers = incident.containers.clone();
        containers.extend(members.iter().flat_map(|member| member.containers.iter().cloned()));
        containers.dedup();
        Self {
            id: id(incident.key),
            revision: incident.revision,
            kind: incident.kind,
            severity: incident.severity,
            state,
            resolution,
            down: incident.down,
            title: title(incident, &members),
            source: source.name.clone(),
            subject: incident.subject.clone(),
            subjects: root.into_iter().chain(affected).collect(),
            containers,
            start: Timestamp::from_nanos(incident.start),
            // A daemon's clock may have been set back meanwhile.
            end: end.map(|end| Timestamp::from_nanos(end.max(incident.start))),
            known: Timestamp::from_nanos(incident.known),
            first: cursor(incident.key.seq),
            last: cursor(members.iter().map(|member| member.last).max().unwrap_or(0).max(incident.last)),
            counts,
            next_start: incident.next_start.map(Timestamp::from_nanos),
            replicas: incident.replicas,
            cause: causes.flat_map(|phase| &phase.causes).map(|cause| ShownCause::of(cause, ids)).collect(),
            phases: if incident.phases.len() > 1 { incident.phases.iter().map(phase).collect() } else { Vec::new() },
            actions: incident
                .actions
                .iter()
                .map(|action| ShownAction {
                    record: cursor(action.at.seq),
                    time: Timestamp::from_nanos(action.at.time),
                    what: action.what.clone(),
                    changes: action.changes.clone(),
                })
                .collect(),
            evidence: evidence.iter().take(MAX_SHOWN_EVIDENCE).map(|seq| cursor(*seq)).collect(),
            evidence_more: more + u64::try_from(evidence.len().saturating_sub(MAX_SHOWN_EVIDENCE)).unwrap_or(0),
            confidence: Confidence::of(&qualified),
            qualified,
            merged_into: incident.merged_into.map(id),
            failures,
        }
    }
}

impl Counts {
    fn plus(mut self, other: Self) -> Self {
        self.deaths += other.deaths;
        self.oom += other.oom;
        self.unhealthy += other.unhealthy;
        for (code, count) in other.exit {
            *self.exit.entry(code).or_default() += count;
        }
        self
    }
}

impl ShownCause {
    fn of(cause: &Cause, ids: &Ids) -> Self {
        Self {
            kind: cause.kind,
            record: cause.at.map(|at| ids.cursor(at.seq)),
            time: cause.at.map(|at: At| Timestamp::from_nanos(at.time)),
            text: cause.text.clone(),
            subject: cause.subject.clone(),
            before: cause.before.clone(),
            after: cause.after.clone(),
            changes: cause.changes.clone(),
        }
    }
}

fn title(incident: &Incident, members: &[&Incident]) -> String {
    let own = words::title(incident);
    let text = match incident.kind {
        Kind::Mass => words::mass(members),
        _ if members.is_empty() => own,
        _ => words::cascade(&own, members),
    };
    let text = match incident.replicas.filter(|replicas| replicas.down > 0 && incident.is_open()) {
        Some(replicas) => format!("{text} ({} of {} down)", replicas.down, replicas.of),
        None => text,
    };
    super::text::cut(&text, 2 * MAX_TEXT)
}
