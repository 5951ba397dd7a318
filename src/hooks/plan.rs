//! What is to be told of an incident, and when: a pure function, so that a rehearsal decides as the hooks do.

use crate::projection::incidents::{Severity, Standing};
use crate::time::Timestamp;
use serde::Deserialize;
use std::fmt;
use std::str::FromStr;
use std::time::Duration;

/// So long after its beginning an incident is told: what comes together is one by then.
const OPEN_AFTER: Duration = Duration::from_secs(10);
const HOUR: Duration = Duration::from_secs(3600);
const DAY: Duration = Duration::from_secs(24 * 3600);
/// When it is told that it still goes on; and then once a day.
const STILL: [Duration; 3] = [HOUR, Duration::from_secs(6 * 3600), DAY];

/// Why something is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Occasion {
    /// It has begun.
    Opened,
    /// It is worse than it was.
    Rose,
    /// It goes on; for the how manieth time.
    Still(u32),
    /// It is over.
    Closed,
}

impl fmt::Display for Occasion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Opened => f.write_str("opened"),
            Self::Rose => f.write_str("rose"),
            Self::Still(count) => write!(f, "still-{count}"),
            Self::Closed => f.write_str("closed"),
        }
    }
}

impl FromStr for Occasion {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        Ok(match text {
            "opened" => Self::Opened,
            "rose" => Self::Rose,
            "closed" => Self::Closed,
            other => Self::Still(other.strip_prefix("still-").and_then(|count| count.parse().ok()).ok_or(())?),
        })
    }
}

/// An incident, as much as is needed here.
#[derive(Debug, Clone, PartialEq)]
pub struct Seen {
    /// Its id.
    pub id: String,
    /// Which state of it this is.
    pub revision: u64,
    /// How bad it is.
    pub severity: Severity,
    /// Whether it goes on.
    pub state: Standing,
    /// What it is about.
    pub subject: String,
    /// The Docker host.
    pub source: String,
    /// One sentence about it.
    pub title: String,
    /// When it began.
    pub start: Timestamp,
    /// When it ended.
    pub end: Option<Timestamp>,
    /// Since when it is known.
    pub known: Timestamp,
    /// How it ended.
    pub resolution: Option<String>,
    /// The incident that it is a part of.
    pub merged_into: Option<String>,
    /// All of it, as JSON.
    pub json: serde_json::Value,
}

impl Seen {
    /// From its JSON; `None` for what is no incident.
    pub fn of(json: &str) -> Option<Self> {
        #[derive(Deserialize)]
        struct Fields {
            id: String,
            revision: u64,
            severity: Severity,
            state: Standing,
            subject: String,
            source: String,
            title: String,
            start: String,
            end: Option<String>,
            known: String,
            resolution: Option<String>,
            #[serde(default)]
            merged_into: Option<String>,
        }
        let fields: Fields = serde_json::from_str(json).ok()?;
        let time = |text: &str| Timestamp::parse(text, Timestamp::MIN).ok();
        Some(Self {
            start: time(&fields.start)?,
            end: fields.end.as_deref().and_then(time),
            known: time(&fields.known)?,
            json: serde_json::from_str(json).ok()?,
            id: fields.id,
            revision: fields.revision,
            severity: fields.severity,
            state: fields.state,
            subject: fields.subject,
            source: fields.source,
            title: fields.title,
            resolution: fields.resolution,
            merged_into: fields.merged_into,
        })
    }

    /// It goes on no more, or as a part of another.
    pub fn is_over(&self) -> bool {
        self.state == Standing::Closed || self.merged_into.is_some()
    }
}

/// What was told of an incident.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Told {
    /// How bad it was.
    pub severity: Severity,
    /// How often it was told that it goes on.
    pub still: u32,
    /// It was told that it is over.
    pub closed: bool,
}

/// What is due to be told at a time; else when something will be, if nothing changes.
pub(super) fn due(seen: &Seen, told: Option<Told>, now: Timestamp) -> Result<Occasion, Option<Timestamp>> {
    let Some(told) = told else {
        if seen.merged_into.is_some() {
            return Err(None);
        }
        let at = seen.known.max(after(seen.start, OPEN_AFTER));
        return match seen.is_over() {
            true => Ok(Occasion::Closed),
            false if at <= now => Ok(Occasion::Opened),
            false => Err(Some(at)),
        };
    };
    if told.closed {
        return Err(None);
    }
    if seen.is_over() {
        return Ok(Occasion::Closed);
    }
    if seen.severity > told.severity {
        return Ok(Occasion::Rose);
    }
    let count = stills(now.since(seen.start));
    if count > told.still {
        return Ok(Occasion::Still(count));
    }
    Err(Some(after(seen.start, still_at(told.still))))
}

/// How often it is to be told that something goes on which has lasted so long.
fn stills(lasted: Duration) -> u32 {
    let early = STILL.iter().filter(|at| lasted >= **at).count();
    let days = lasted.as_secs() / DAY.as_secs();
    u32::try_from(early as u64 + days.saturating_sub(1)).unwrap_or(u32::MAX)
}

/// How long something has lasted when that is told once more after `count` times.
fn still_at(count: u32) -> Duration {
    let early = usize::try_from(count).ok().and_then(|count| STILL.get(count)).copied();
    early.unwrap_or_else(|| DAY.saturating_mul(count.saturating_sub(1)))
}

fn after(time: Timestamp, wait: Duration) -> Timestamp {
    time.checked_add(wait).unwrap_or(Timestamp::MAX)
}

/// Whether one of these names is its subject's; all are, where there is none.
pub(super) fn is_about(subjects: &[String], seen: &Seen) -> bool {
    subjects.is_empty() || subjects.iter().any(|name| is_named(name, &seen.subject))
}

/// A `*` at the end stands for anything.
fn is_named(name: &str, subject: &str) -> bool {
    name.strip_suffix('*').map_or(name == subject, |begin| subject.starts_with(begin))
}

/// As answers have it.
pub(super) fn name(severity: Severity) -> String {
    serde_json::to_value(severity).ok().and_then(|value| value.as_str().map(str::to_owned)).unwrap_or_default()
}

#[cfg(test)]
mod tests;
