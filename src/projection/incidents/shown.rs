//! The shapes of what is shown: the JSON of docs/api.md.

use super::kinds::{CauseKind, Kind, Replicas, Resolution, Severity, Standing};
use super::subject::Difference;
use crate::filter::Hosts;
use crate::time::Timestamp;
use serde::{Deserialize, Serialize};
use std::borrow::Cow;
use std::collections::BTreeMap;

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
    /// The same of each Docker host that has any.
    #[serde(skip)]
    pub left_out_of: BTreeMap<String, u64>,
}

impl View {
    /// The same, of these Docker hosts only.
    #[must_use]
    pub fn within(mut self, hosts: Option<&Hosts>) -> Self {
        let Some(hosts) = hosts else { return self };
        for list in [&mut self.incidents, &mut self.notices, &mut self.merged] {
            list.retain(|one| hosts.have(&one.source));
        }
        self.left_out_of.retain(|source, _| hosts.have(source));
        self.left_out = self.left_out_of.values().sum();
        self
    }
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
