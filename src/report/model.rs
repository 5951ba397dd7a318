//! What a report holds.

use crate::projection::incidents::{Severity, Shown};
use crate::time::Timestamp;
use serde::Serialize;

/// Incidents of one report, the worst and of these the newest; the others are counted.
pub const MAX_INCIDENTS: usize = 100;
/// Rows of one incident's timeline; those in the middle are counted.
pub const MAX_ROWS: usize = 120;
/// Rows of all timelines of a report: of many incidents each has fewer, but [`FEWEST_ROWS`] at least.
pub const MAX_ALL_ROWS: usize = 3000;
/// Rows that one incident's timeline has in any case, if there are so many.
pub const FEWEST_ROWS: usize = 20;
/// Records that one incident's timeline is made from: the first ones, and the last ones.
pub const FIRST_ITEMS: usize = 300;
/// Of the last ones.
pub const LAST_ITEMS: usize = 300;
/// Containers whose states are followed; those of incidents first, the others are counted.
pub const MAX_LANES: usize = 200;
/// States of one container; what comes later melts into the last one.
pub const MAX_SPANS: usize = 500;
/// Marks of one container; the others are counted.
pub const MAX_MARKS: usize = 300;
/// Other incidents that one incident names.
pub const MAX_RELATED: usize = 10;
/// Deploys of others that one incident names: those nearest to its beginning.
pub const MAX_DEPLOYS: usize = 5;
/// Deaths of one incident whose last words are shown: the first, and the newest.
pub const MAX_LAST_WORDS: usize = 5;
/// Bytes of all last words of a report, unless it has so many incidents that each death has 1 KiB.
pub const MAX_LAST_WORDS_BYTES: usize = 1024 * 1024;
/// Characters of one line of them.
pub const MAX_PRINTED_CHARS: usize = 1000;
/// Messages about one incident that are named.
pub const MAX_NOTIFIED: usize = 50;
/// Characters of one text from outside.
pub const MAX_WORDS: usize = 400;

/// One report.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Report {
    /// What it rests on.
    pub manifest: Manifest,
    /// Whether one incident was asked for by its id, and not a range.
    #[serde(skip)]
    pub is_one: bool,
    /// Incidents in order of their beginnings, each with its timeline.
    pub incidents: Vec<Told>,
    /// States of containers over time.
    #[serde(skip)]
    pub lanes: Vec<Lane>,
    /// How many containers are not among them.
    #[serde(skip)]
    pub more_lanes: u64,
}

/// What a report rests on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Manifest {
    /// Version of the program.
    pub recorder: &'static str,
    /// Version of the fold.
    pub fold: u32,
    /// Id of the log.
    pub log: String,
    /// What it tells of begins here.
    pub since: Timestamp,
    /// And ends here.
    pub until: Timestamp,
    /// The time that it is judged at.
    pub as_of: Timestamp,
    /// The oldest record that was judged.
    pub first: Option<String>,
    /// The newest one.
    pub last: Option<String>,
    /// Where events may be missing within the range.
    pub gaps: Vec<Missing>,
    /// How many older ones of these are not named.
    pub gaps_more: u64,
    /// Incidents that are left out, being too many.
    pub left_out: u64,
    /// Notices among what was asked about and not shown.
    pub notices: u64,
}

/// A time in which events may be missing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Missing {
    /// The record that tells it; none where the log itself lacks records.
    pub record: Option<String>,
    /// The Docker host.
    pub source: String,
    /// Beginning, where it is known.
    pub from: Option<Timestamp>,
    /// End.
    pub until: Option<Timestamp>,
    /// Why.
    pub reason: String,
}

/// An incident with its timeline.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Told {
    /// The incident.
    #[serde(flatten)]
    pub incident: Shown,
    /// What happened, in order of time.
    pub timeline: Vec<Row>,
    /// What its containers printed before they died, where that was recorded.
    pub last_words: Vec<LastWords>,
    /// Deaths whose last words are not among these.
    pub last_words_more: u64,
    /// Who was told of it.
    pub notified: Vec<Notified>,
    /// Other incidents of the host at the same time, and those of the same subject on other hosts.
    pub related: Vec<Related>,
    /// Deploys of others of the host from 10 minutes before it on.
    pub deploys: Vec<Deploy>,
}

/// What a container printed before it died.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct LastWords {
    /// The record.
    pub record: String,
    /// Whom the container stands for.
    pub subject: String,
    /// Its id, 12 characters.
    pub container: String,
    /// When it died.
    pub died: Option<Timestamp>,
    /// Its last lines, each with its time.
    pub lines: Vec<String>,
    /// Earlier ones that are not here.
    pub left_out: u64,
    /// Why there are none, or not all of them.
    pub why: Option<String>,
}

/// Somebody was told, or could not be.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Notified {
    /// The record.
    pub record: String,
    /// When.
    pub time: Timestamp,
    /// The hook.
    pub hook: String,
    /// Why then: `opened`, `rose`, `still-1`, `closed`.
    pub occasion: String,
    /// How bad it was.
    pub severity: String,
    /// The status of HTTP, or `failed`.
    pub status: String,
}

/// One row of a timeline.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Row {
    /// When.
    pub time: Timestamp,
    /// The record that tells it; none for a row that stands for records which are not listed.
    pub record: Option<String>,
    /// `failure`, `oom`, `health`, `stop`, `start`, `change`, `recorder` or `other`.
    pub what: &'static str,
    /// Whom it happened to.
    pub subject: String,
    /// In words.
    pub text: String,
    /// Records that this row stands for besides its own.
    pub folded: u64,
}

/// Another incident at the same time.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Related {
    /// Its id.
    pub id: String,
    /// Its Docker host.
    pub source: String,
    /// How bad it is.
    pub severity: Severity,
    /// When it began.
    pub start: Timestamp,
    /// In one sentence, with its host before it where that is another one.
    pub title: String,
}

/// A container that took the place of another one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Deploy {
    /// The record that it was made by.
    pub record: String,
    /// When.
    pub time: Timestamp,
    /// Whom it stands for.
    pub subject: String,
    /// The image of the one before.
    pub before: String,
    /// Its image.
    pub after: String,
}

/// What a container did.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Run {
    /// It was made and not started.
    Created,
    /// It ran.
    Running,
    /// It ran, and its health check failed.
    Unhealthy,
    /// It was paused.
    Paused,
    /// It had ended, and the daemon started it again soon after.
    Restarting,
    /// It had ended.
    Exited,
    /// More changes than are kept.
    Changing,
}

impl Run {
    /// As it is shown.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Created => "not started",
            Self::Running => "running",
            Self::Unhealthy => "unhealthy",
            Self::Paused => "paused",
            Self::Restarting => "waits to be started",
            Self::Exited => "ended",
            Self::Changing => "changing often",
        }
    }
}

/// The states of one container.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Lane {
    /// The Docker host.
    pub source: String,
    /// Whom the container stands for.
    pub subject: String,
    /// The container's id, 12 characters.
    pub container: String,
    /// Whether an incident of the report is about it.
    pub hit: bool,
    /// Its states; they follow each other and never overlap.
    pub spans: Vec<Span>,
    /// What happened at one moment.
    pub marks: Vec<Mark>,
    /// How many more there are.
    pub more_marks: u64,
}

/// One state.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Span {
    /// Since when.
    pub from: Timestamp,
    /// Until when; none for what goes on.
    pub to: Option<Timestamp>,
    /// What it did.
    pub run: Run,
    /// It began before what was read: the first record tells only what it must have been.
    pub inferred: bool,
}

/// Something that happened at one moment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Mark {
    /// When.
    pub time: Timestamp,
    /// The record.
    pub record: String,
    /// As in [`Row::what`].
    pub what: &'static str,
    /// In words.
    pub text: String,
}
