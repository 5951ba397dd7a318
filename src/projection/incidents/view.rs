//! What is shown of the fold.

use super::bounds::{MAX_TEXT, MILLI};
use super::container::At;
use super::ids::Ids;
use super::incident::{Cause, CauseKind, Incident, Key, Kind, Phase, Severity};
use super::shown::{Confidence, Counts, Failed, Part, Shown, ShownAction, ShownCause, ShownPhase, View};
use super::state::{Source, State};
use super::words;
use crate::time::Timestamp;

/// Records of one incident's evidence that an answer names; the rest is counted.
pub const MAX_SHOWN_EVIDENCE: usize = 12;
/// Deaths of one incident and of those that it took in, that an answer names.
pub const MAX_SHOWN_FAILURES: usize = 256;

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
        let some = self.sources.values().filter(|source| source.left_out > 0);
        let left_out_of = some.map(|source| (source.name.clone(), source.left_out)).collect();
        View { incidents, notices, merged, as_of, folded_to: self.folded_to, left_out, left_out_of }
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
            // What fails with many others at once does not fail for being new.
            cause: causes
                .flat_map(|phase| &phase.causes)
                .filter(|cause| incident.kind != Kind::Mass || cause.kind != CauseKind::Created)
                .map(|cause| ShownCause::of(cause, ids))
                .collect(),
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
