//! From a record's line of JSON to what a user wants to read. Nothing is printed here (`printer.rs`), and a
//! line that cannot be read is shown as it is, not hidden.

mod docker;
mod human;
mod missed;

pub(super) use missed::Missed;

use super::escape::{escape, escape_json};
use crate::event::{EventView, RECORDER_TYPE};
use crate::time::{Timestamp, Tz};
use chrono::{DateTime, FixedOffset};
use serde::Deserialize;
use serde_json::value::RawValue;
use std::borrow::Cow;

/// How records are shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(super) enum OutputForm {
    /// One short line for people
    Human,
    /// The whole record, as the server sends it
    Json,
    /// The line that `docker events` prints
    Docker,
}

/// Renders record after record; remembers what it has shown, such as the day.
pub(super) enum Renderer {
    Human(human::Human),
    Json { terminal: bool },
    Docker(Tz),
}

impl Renderer {
    pub(super) fn new(format: OutputForm, zone: Tz, terminal: bool) -> Self {
        match format {
            OutputForm::Human => Self::Human(human::Human::new(zone)),
            OutputForm::Json => Self::Json { terminal },
            OutputForm::Docker => Self::Docker(zone),
        }
    }

    /// From now on each line names its Docker host.
    pub(super) fn name_hosts(&mut self) {
        if let Self::Human(human) = self {
            human.name_hosts();
        }
    }

    /// Whether the format is for people.
    pub(super) fn is_human(&self) -> bool {
        matches!(self, Self::Human(_))
    }

    /// A row that says what may be missing, for people; `None` in other formats.
    pub(super) fn missed(&mut self, missed: &Missed) -> Option<String> {
        match self {
            Self::Human(human) => Some(human.missed(missed)),
            Self::Json { .. } | Self::Docker(_) => None,
        }
    }

    /// The text, without a line end; `None` for a record that this format leaves out.
    pub(super) fn render<'a>(&mut self, line: &'a str) -> Option<Cow<'a, str>> {
        let record = match self {
            Self::Json { terminal: true } => return Some(escape_json(line)),
            Self::Json { terminal: false } => return Some(line.into()),
            Self::Human(_) | Self::Docker(_) => RecordLine::parse(line),
        };
        // Whatever it is, it is better shown than hidden.
        let Some((record, event)) = record else { return Some(escape(line)) };
        match self {
            Self::Human(human) => Some(human.render(&record, &event).into()),
            Self::Docker(zone) => docker::render(*zone, &record, &event).map(Cow::Owned),
            Self::Json { .. } => None,
        }
    }
}

/// The time as the zone's clocks show it.
fn at(zone: Tz, time: Timestamp) -> DateTime<FixedOffset> {
    time.to_datetime().with_timezone(&zone).fixed_offset()
}

/// Whether the record is marked as noise.
pub(super) fn is_noise(line: &str) -> bool {
    #[derive(Deserialize)]
    struct Marked<'a> {
        #[serde(borrow)]
        noise: Option<Cow<'a, str>>,
    }
    line.contains("\"noise\":") && serde_json::from_str::<Marked<'_>>(line).is_ok_and(|record| record.noise.is_some())
}

/// The parts of a record that are shown.
#[derive(Debug, Deserialize)]
pub(super) struct RecordLine<'a> {
    #[serde(borrow)]
    time: Cow<'a, str>,
    #[serde(borrow)]
    source: Cow<'a, str>,
    /// A daemon's own message of the recorder's type.
    #[serde(default)]
    foreign: bool,
    #[serde(borrow)]
    event: &'a RawValue,
}

impl<'a> RecordLine<'a> {
    pub(super) fn parse(line: &'a str) -> Option<(Self, EventView<'a>)> {
        let record: Self = serde_json::from_str(line).ok()?;
        let event = EventView::parse(record.event.get()).ok()?;
        Some((record, event))
    }

    /// Whether it is the recorder's own.
    pub(super) fn is_own(&self, event: &EventView<'_>) -> bool {
        !self.foreign && event.kind.as_deref() == Some(RECORDER_TYPE)
    }

    /// The name of its Docker host.
    pub(super) fn source(&self) -> &str {
        &self.source
    }

    /// The record's time, which is the event's own where it has one.
    pub(super) fn time(&self) -> Timestamp {
        let time = Timestamp::from_text(self.time.as_bytes());
        time.or_else(|| Timestamp::parse(&self.time, Timestamp::MIN).ok()).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests;
