//! What is kept of one incident.

use super::bounds::{FIRST_DEATHS, FLAP_WITHIN, LAST_DEATHS, LOOP, LOOP_WITHIN, MAX_ACTIONS, MAX_EVIDENCE, MAX_FEW, MAX_TEXT};
use super::container::At;
pub(super) use super::kinds::Link;
pub use super::kinds::{CauseKind, Key, Kind, Replicas, Resolution, Severity, Standing};
use super::subject::Difference;
use super::text::cut;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet, VecDeque};

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Cause {
    pub(super) kind: CauseKind,
    pub(super) at: Option<At>,
    pub(super) text: String,
    pub(super) subject: Option<String>,
    pub(super) before: Option<String>,
    pub(super) after: Option<String>,
    pub(super) changes: Vec<Difference>,
    pub(super) more: usize,
}

impl Cause {
    pub(super) fn new(kind: CauseKind, at: Option<At>, text: &str) -> Self {
        Self { kind, at, text: cut(text, MAX_TEXT), subject: None, before: None, after: None, changes: Vec::new(), more: 0 }
    }
}

/// What people or machines did through the API while it went on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Action {
    pub(super) at: At,
    pub(super) what: String,
    pub(super) changes: Vec<Difference>,
}

/// What a failure is known by: another one begins another phase.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(super) enum Sign {
    Exit(Option<i64>),
    Oom,
    Unhealthy,
    Refused,
}

/// One trouble among several that follow each other without a pause.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Phase {
    pub(super) signs: BTreeSet<Sign>,
    pub(super) kind: Kind,
    pub(super) start: i64,
    pub(super) first: u64,
    /// When it failed last.
    pub(super) last: At,
    /// The longest time that it was up, or healthy, before one of its failures.
    pub(super) longest: i64,
    /// It stayed down after it.
    pub(super) down: bool,
    pub(super) causes: Vec<Cause>,
    pub(super) deaths: u64,
    pub(super) ooms: u64,
    pub(super) unhealthy: u64,
    pub(super) exits: BTreeMap<i64, u64>,
    /// Times of its newest deaths, to know a loop.
    pub(super) newest: VecDeque<i64>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Failure {
    pub(super) at: At,
    pub(super) code: Option<i64>,
    pub(super) oom: bool,
    pub(super) up: i64,
}

/// The start that may turn out to be the one that stuck.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Candidate {
    pub(super) at: At,
    /// What its time counts from: when it was received, or the end of blindness.
    pub(super) from: i64,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Incident {
    pub(super) key: Key,
    pub(super) subject: String,
    pub(super) kind: Kind,
    pub(super) severity: Severity,
    pub(super) standing: Standing,
    pub(super) resolution: Option<Resolution>,
    /// It is known to stay down.
    pub(super) down: bool,
    pub(super) start: i64,
    pub(super) end: Option<i64>,
    pub(super) known: i64,
    pub(super) last: u64,
    pub(super) containers: Vec<String>,
    pub(super) phases: Vec<Phase>,
    pub(super) first_deaths: Vec<Failure>,
    pub(super) last_deaths: VecDeque<Failure>,
    pub(super) deaths: u64,
    pub(super) ooms: u64,
    pub(super) child_ooms: u64,
    pub(super) unhealthy: u64,
    pub(super) exits: BTreeMap<i64, u64>,
    pub(super) flaps: VecDeque<i64>,
    pub(super) actions: Vec<Action>,
    pub(super) evidence: Vec<u64>,
    pub(super) evidence_more: u64,
    /// The newest record among its evidence.
    counted: u64,
    pub(super) qualified: Vec<String>,
    pub(super) candidate: Option<Candidate>,
    /// Its longest run.
    pub(super) longest: i64,
    /// Short runs in a row, which the daemon's waits grow by.
    pub(super) short: u32,
    pub(super) died: Option<At>,
    /// The daemon's last wait before it started it again.
    pub(super) waited: i64,
    /// Since when nothing of it failed.
    pub(super) well_since: Option<i64>,
    /// It stayed down since its newest failure.
    pub(super) stayed_down: bool,
    pub(super) unhealthy_since: Option<At>,
    /// Closed by a stop or a removal that may turn out to be a part of the story, until then.
    pub(super) provisional: Option<i64>,
    pub(super) next_start: Option<i64>,
    /// What took it in, and what it took in.
    pub(super) merged_into: Option<Key>,
    pub(super) members: Vec<Key>,
    /// Words of its own, for notices and hosts.
    pub(super) title: Option<String>,
    pub(super) downs: BTreeSet<String>,
    pub(super) affected: BTreeSet<String>,
    pub(super) revision: u64,
    /// Replicas that were not up, and all of them, when it changed last.
    pub(super) replicas: Option<Replicas>,
    /// What ties it to the incident that took it in.
    pub(super) link: Option<Link>,
    /// How far it was looked at for groups: 0 not, 1 as a member, 2 as a root.
    pub(super) grouped: u8,
    /// That it was taken in has been told.
    pub(super) gone: bool,
    /// How bad it may become, since its container's label says so.
    pub(super) at_most: Severity,
}

impl Incident {
    pub(super) fn new(key: Key, subject: &str, kind: Kind, at: At, known: i64) -> Self {
        Self {
            key,
            subject: subject.to_owned(),
            kind,
            severity: Severity::Minor,
            standing: Standing::Open,
            resolution: None,
            down: false,
            start: at.time,
            end: None,
            known,
            last: at.seq,
            containers: Vec::new(),
            phases: Vec::new(),
            first_deaths: Vec::new(),
            last_deaths: VecDeque::new(),
            deaths: 0,
            ooms: 0,
            child_ooms: 0,
            unhealthy: 0,
            exits: BTreeMap::new(),
            flaps: VecDeque::new(),
            actions: Vec::new(),
            evidence: vec![at.seq],
            evidence_more: 0,
            counted: at.seq,
            qualified: Vec::new(),
            candidate: None,
            longest: 0,
            short: 0,
            died: None,
            waited: 0,
            well_since: None,
            stayed_down: false,
            unhealthy_since: None,
            provisional: None,
            next_start: None,
            merged_into: None,
            members: Vec::new(),
            title: None,
            downs: BTreeSet::new(),
            affected: BTreeSet::new(),
            revision: 0,
            replicas: None,
            link: None,
            grouped: 0,
            gone: false,
            at_most: Severity::Critical,
        }
    }

    pub(super) fn is_open(&self) -> bool {
        self.standing != Standing::Closed
    }

    /// Notes a record that it rests on.
    pub(super) fn see(&mut self, seq: u64) {
        self.last = self.last.max(seq);
        if self.evidence.contains(&seq) {
            return;
        }
        if self.evidence.len() < MAX_EVIDENCE {
            self.evidence.push(seq);
            self.evidence.sort_unstable();
        } else if seq > self.counted {
            self.evidence_more += 1;
        }
        self.counted = self.counted.max(seq);
    }

    pub(super) fn container(&mut self, short: String) {
        if self.containers.len() < MAX_FEW && !self.containers.contains(&short) {
            self.containers.push(short);
        }
    }

    pub(super) fn act(&mut self, at: At, what: &str, changes: Vec<Difference>) {
        if self.actions.iter().any(|action| action.at.seq == at.seq && action.what == what) {
            return;
        }
        if self.actions.len() >= MAX_ACTIONS {
            self.actions.remove(MAX_ACTIONS / 2);
        }
        self.actions.push(Action { at, what: cut(what, MAX_TEXT), changes });
        self.actions.sort_by_key(|action| (action.at.time, action.at.seq));
        self.last = self.last.max(at.seq);
    }

    pub(super) fn qualify(&mut self, reason: &str) {
        if self.qualified.len() < MAX_FEW && !self.qualified.iter().any(|known| known == reason) {
            self.qualified.push(cut(reason, MAX_TEXT));
        }
    }

    pub(super) fn rise(&mut self, kind: Kind, severity: Severity) {
        self.kind = self.kind.max(kind);
        self.severity = self.severity.max(severity).min(self.at_most);
    }

    /// Counts a death, and tells whether it makes a loop.
    pub(super) fn count(&mut self, failure: Failure) {
        self.deaths += 1;
        self.ooms += u64::from(failure.oom);
        if let Some(code) = failure.code
            && (self.exits.len() < MAX_FEW || self.exits.contains_key(&code))
        {
            *self.exits.entry(code).or_default() += 1;
        }
        if self.first_deaths.len() < FIRST_DEATHS {
            self.first_deaths.push(failure);
        } else {
            if self.last_deaths.len() >= LAST_DEATHS {
                self.last_deaths.pop_front();
            }
            self.last_deaths.push_back(failure);
        }
    }

    /// Adds clean exits that were none of its failures until they turned out to be a loop.
    pub(super) fn add_clean(&mut self, count: u64) {
        self.deaths += count;
        *self.exits.entry(0).or_default() += count;
        if let Some(phase) = self.phases.last_mut() {
            phase.deaths += count;
            *phase.exits.entry(0).or_default() += count;
        }
    }

    pub(super) fn failures(&self) -> impl DoubleEndedIterator<Item = &Failure> {
        self.first_deaths.iter().chain(&self.last_deaths)
    }

    /// Whether its newest deaths are a loop.
    pub(super) fn is_loop(&self) -> bool {
        let newest: Vec<i64> = self.failures().rev().take(LOOP).map(|failure| failure.at.time).collect();
        spans_a_loop(newest.len(), newest.last().copied(), newest.first().copied())
    }

    /// Counts a failed health check, and tells how many of them follow each other closely.
    pub(super) fn flap(&mut self, time: i64) -> usize {
        if self.flaps.back().is_some_and(|last| time.saturating_sub(*last) > FLAP_WITHIN) {
            self.flaps.clear();
        }
        if self.flaps.len() >= MAX_FEW {
            self.flaps.pop_front();
        }
        self.flaps.push_back(time);
        self.flaps.len()
    }
}

impl Phase {
    /// The only one of what is worth a line: it has nothing but what came before it.
    pub(super) fn told(kind: Kind, at: At, causes: Vec<Cause>) -> Self {
        Self {
            signs: BTreeSet::new(),
            kind,
            start: at.time,
            first: at.seq,
            last: at,
            longest: 0,
            down: false,
            causes,
            deaths: 0,
            ooms: 0,
            unhealthy: 0,
            exits: BTreeMap::new(),
            newest: VecDeque::new(),
        }
    }

    /// How bad it was by itself.
    pub(super) fn severity(&self) -> Severity {
        let flapping = self.unhealthy >= u64::try_from(super::bounds::FLAPS).unwrap_or(u64::MAX);
        let bad = matches!(self.kind, Kind::CrashLoop | Kind::StartFailed) || self.ooms > 0 || self.down || flapping;
        if bad { Severity::Major } else { Severity::Minor }
    }

    pub(super) fn count(&mut self, failure: Failure) {
        self.deaths += 1;
        self.ooms += u64::from(failure.oom);
        if let Some(code) = failure.code
            && (self.exits.len() < MAX_FEW || self.exits.contains_key(&code))
        {
            *self.exits.entry(code).or_default() += 1;
        }
        if self.newest.len() >= LOOP {
            self.newest.pop_front();
        }
        self.newest.push_back(failure.at.time);
        let looping = spans_a_loop(self.newest.len(), self.newest.front().copied(), self.newest.back().copied());
        let kind = if looping {
            Kind::CrashLoop
        } else if failure.oom {
            Kind::Oom
        } else {
            Kind::Crash
        };
        self.kind = self.kind.max(kind);
    }
}

fn spans_a_loop(count: usize, oldest: Option<i64>, newest: Option<i64>) -> bool {
    count >= LOOP && oldest.zip(newest).is_some_and(|(oldest, newest)| newest.saturating_sub(oldest) <= LOOP_WITHIN)
}
