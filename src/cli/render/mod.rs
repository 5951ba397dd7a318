//! From a record's line of JSON to what a user wants to read.

mod docker;
mod human;

use super::escape::{escape, escape_json};
use crate::event::{EventView, RECORDER_TYPE};
use crate::time::Timestamp;
use chrono::{DateTime, FixedOffset, Local};
use serde::Deserialize;
use serde_json::value::RawValue;
use std::borrow::Cow;

/// How records are shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(super) enum Format {
    /// One short line for people
    Human,
    /// The whole record, as the server sent it
    Json,
    /// As `docker events` prints
    Docker,
}

/// Renders record after record; remembers what it has shown, such as the day.
pub(super) enum Renderer {
    Human(human::Human),
    Json { terminal: bool },
    Docker(Zone),
}

impl Renderer {
    pub(super) fn new(format: Format, utc: bool, terminal: bool) -> Self {
        let zone = if utc { Zone::Utc } else { Zone::Local };
        match format {
            Format::Human => Self::Human(human::Human::new(zone)),
            Format::Json => Self::Json { terminal },
            Format::Docker => Self::Docker(zone),
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

/// Whose clock.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Zone {
    Local,
    Utc,
    #[cfg(test)]
    East(i32),
}

impl Zone {
    fn at(self, time: Timestamp) -> DateTime<FixedOffset> {
        let utc = time.to_datetime();
        match self {
            Self::Local => utc.with_timezone(&Local).fixed_offset(),
            Self::Utc => utc.fixed_offset(),
            #[cfg(test)]
            Self::East(seconds) => utc.with_timezone(&FixedOffset::east_opt(seconds).unwrap()),
        }
    }
}

/// The parts of a record that are shown.
#[derive(Debug, Deserialize)]
struct RecordLine<'a> {
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
    fn parse(line: &'a str) -> Option<(Self, EventView<'a>)> {
        let record: Self = serde_json::from_str(line).ok()?;
        let event = EventView::parse(record.event.get()).ok()?;
        Some((record, event))
    }

    /// Whether it is the recorder's own.
    fn is_own(&self, event: &EventView<'_>) -> bool {
        !self.foreign && event.kind.as_deref() == Some(RECORDER_TYPE)
    }

    /// The record's time, which is the event's own where it has one.
    fn time(&self) -> Timestamp {
        Timestamp::parse(&self.time, Timestamp::MIN).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests;
