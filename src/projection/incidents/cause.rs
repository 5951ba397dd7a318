//! Where an incident's causes are chosen: what came before a failure. The claim is always "after", never
//! "because of".

use super::bounds::{ANOTHER, CHANGED, LADDER_RESET, MAX_FEW, SURROUNDED, WELL_MIN};
use super::container::{At, Container};
use super::incident::{Cause, CauseKind, Incident, Key, Kind, Phase, Sign};
use super::state::{Around, Source, Surrounding};
use super::subject::Change;
use std::collections::{BTreeMap, BTreeSet, VecDeque};

/// Things around it that are told as what came before, the newest.
const MAX_AROUND: usize = 3;

impl Source {
    /// Puts a failure into the present phase of an incident, or begins another one. `ran`: how long it had
    /// been up.
    pub(super) fn phase(&mut self, key: Key, container: &Container, sign: Sign, first: At, at: At, ran: i64) {
        let Some(incident) = self.incidents.get(&key) else { return };
        let ran = incident.well_since.map_or(ran, |since| ran.max(at.time.saturating_sub(since)));
        let known = incident.phases.iter().any(|phase| phase.signs.contains(&sign));
        let last = incident.phases.last();
        let since = last.map_or(i64::MIN, |phase| phase.last.time);
        // A change that shows, after which it fails again, is another trouble, even with the same code.
        let changes = self.subjects.get(&container.subject).map(|subject| subject.changes.as_slice()).unwrap_or_default();
        let changed = changes.iter().any(|change| change.at.time > since && change.at.time <= first.time && !change.differences.is_empty());
        // So is one after a time that is long for it, and one of what had stayed down, was started again and
        // worked.
        let rested = last.is_some_and(|phase| ran >= WELL_MIN && ran >= phase.longest.saturating_mul(ANOTHER));
        let anew = incident.stayed_down && (container.ever_healthy || ran >= LADDER_RESET);
        let full = incident.phases.len() >= MAX_FEW;
        if last.is_some() && (full || (known && !changed && !rested && !anew)) {
            self.change(key, |incident| {
                if let Some(phase) = incident.phases.last_mut() {
                    phase.signs.insert(sign);
                    phase.last = at;
                    phase.longest = phase.longest.max(ran);
                }
            });
            return;
        }
        let causes = self.causes(container, (first, ran), since, sign);
        let kind = match sign {
            Sign::Exit(_) => Kind::Crash,
            Sign::Oom => Kind::Oom,
            Sign::Unhealthy => Kind::Unhealthy,
            Sign::Refused => Kind::StartFailed,
        };
        let phase = Phase {
            signs: BTreeSet::from([sign]),
            kind,
            start: first.time,
            first: first.seq,
            last: at,
            longest: ran,
            down: false,
            causes,
            deaths: 0,
            ooms: 0,
            unhealthy: 0,
            exits: BTreeMap::new(),
            newest: VecDeque::new(),
        };
        self.change(key, |incident| {
            for cause in &phase.causes {
                if let Some(at) = cause.at.filter(|_| cause.kind != CauseKind::ExitCode) {
                    incident.see(at.seq);
                }
            }
            incident.phases.push(phase);
        });
    }

    /// What changed before it, after what is told already, and the symptom itself last.
    fn causes(&self, container: &Container, (first, ran): (At, i64), since: i64, sign: Sign) -> Vec<Cause> {
        let mut causes = Vec::new();
        let before = |time: i64, limit: i64| time > since && (0..=limit).contains(&first.time.saturating_sub(time));
        if let Some(subject) = self.subjects.get(&container.subject) {
            let near: Vec<&Change> = subject.changes.iter().filter(|change| before(change.at.time, CHANGED)).collect();
            let chosen = near.iter().rev().find(|change| !change.differences.is_empty()).or(near.last());
            causes.extend(chosen.map(|change| deploy(change)));
        }
        let around = self.surroundings.iter().filter(|around| {
            before(around.at.time, SURROUNDED) && around.until.is_none_or(|until| first.time <= until) && touches(around, container)
        });
        for around in around.rev().take(MAX_AROUND).collect::<Vec<_>>().into_iter().rev() {
            let kind = match around.what {
                Around::Network | Around::NetworkGone => CauseKind::Network,
                Around::Update => CauseKind::Update,
                _ => CauseKind::Volume,
            };
            if !causes.iter().any(|known: &Cause| known.text == around.text) {
                causes.push(Cause::new(kind, Some(around.at), &around.text));
            }
        }
        if causes.is_empty() && since == i64::MIN && ran < WELL_MIN && !matches!(sign, Sign::Exit(Some(137)) | Sign::Oom) {
            causes.extend(self.newly_created(container, first).map(|at| Cause::new(CauseKind::Created, Some(at), super::words::CREATED)));
        }
        causes.push(symptom(sign, first, container));
        causes
    }

    /// When a container was made that failed from its first start, if nothing is known to have been in its
    /// place.
    fn newly_created(&self, container: &Container, first: At) -> Option<At> {
        let subject = self.subjects.get(&container.subject);
        let is_first = subject.is_none_or(|subject| subject.last.is_none() && subject.changes.is_empty());
        let made = container.created.filter(|made| (0..=CHANGED).contains(&first.time.saturating_sub(made.time)));
        made.filter(|_| is_first && container.starts <= 1 && !container.ever_healthy && container.replaces.is_none())
    }
}

/// Whether what happened around containers may have met this one.
fn touches(around: &Surrounding, container: &Container) -> bool {
    match around.what {
        Around::Network | Around::NetworkGone => container.networks.contains(&around.name),
        Around::VolumeGone | Around::VolumeMade => container.volumes.contains(&around.name),
        Around::VolumesPruned => !container.volumes.is_empty(),
        Around::Update => container.subject == around.name,
    }
}

fn deploy(change: &Change) -> Cause {
    let mut cause = Cause::new(CauseKind::Deploy, Some(change.at), &super::words::deploy(change));
    (cause.before, cause.after) = (change.before.clone(), change.after.clone());
    (cause.changes, cause.more) = (change.differences.clone(), change.more);
    cause
}

fn symptom(sign: Sign, first: At, container: &Container) -> Cause {
    let (kind, text) = match sign {
        Sign::Oom => (CauseKind::Oom, super::words::oom(container.memory)),
        Sign::Exit(Some(137)) => (CauseKind::Signal, super::words::KILLED.to_owned()),
        Sign::Exit(code @ Some(_)) => (CauseKind::ExitCode, super::words::exit(code)),
        Sign::Exit(None) => (CauseKind::Unknown, super::words::exit(None)),
        Sign::Unhealthy if !container.ever_healthy => (CauseKind::Health, super::words::NEVER_HEALTHY.to_owned()),
        Sign::Unhealthy => (CauseKind::Health, super::words::UNHEALTHY.to_owned()),
        Sign::Refused => (CauseKind::StartFailed, super::words::REFUSED.to_owned()),
    };
    Cause::new(kind, Some(first), &text)
}

impl Cause {
    /// Why the Engine could not start it.
    pub(super) fn said(at: At, error: &str) -> Self {
        Self::new(CauseKind::StartFailed, Some(at), &format!("the Engine says: {error}"))
    }
}

impl Incident {
    /// Whether it was made and not started, all the while.
    pub(super) fn is_left_behind(&self) -> bool {
        let said = self.phases.iter().flat_map(|phase| &phase.causes);
        self.deaths == 0 && said.into_iter().any(|cause| cause.kind == CauseKind::Dependency || cause.text == super::words::LEFT)
    }

    /// Adds what came out later to the present phase.
    pub(super) fn caused(&mut self, cause: Cause) {
        if let Some(phase) = self.phases.last_mut()
            && phase.causes.len() < MAX_FEW
            && !phase.causes.iter().any(|known| known.kind == cause.kind && known.text == cause.text)
        {
            phase.causes.push(cause);
        }
    }

    /// The newest death turns out to be one by memory.
    pub(super) fn was_oom(&mut self, at: At) {
        let last = if self.last_deaths.is_empty() { self.first_deaths.last_mut() } else { self.last_deaths.back_mut() };
        if let Some(last) = last.filter(|last| !last.oom) {
            last.oom = true;
            self.ooms += 1;
            self.see(at.seq);
            self.rise(Kind::Oom, super::incident::Severity::Major);
            if let Some(phase) = self.phases.last_mut() {
                phase.ooms += 1;
                phase.kind = phase.kind.max(Kind::Oom);
                phase.signs.insert(Sign::Oom);
            }
            self.caused(Cause::new(CauseKind::Oom, Some(at), super::words::OOM));
        }
    }
}
