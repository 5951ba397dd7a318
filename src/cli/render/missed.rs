//! A `gap` record of the recorder that the filter hides, in words.

use super::RecordLine;
use super::at;
use crate::cli::escape::escape;
use crate::event::EventView;
use crate::time::{Timestamp, Tz};
use std::fmt::Write as _;

/// The reason of the first record of a host: nothing is lost there, recording begins.
const FIRST_CONTACT: &str = "first-contact";

/// What the recorder may have missed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::cli) struct Missed {
    source: String,
    /// When the recorder knew.
    pub(super) time: Timestamp,
    from: Option<Timestamp>,
    until: Option<Timestamp>,
    reason: String,
    lost: Option<String>,
}

impl Missed {
    /// From the line of such a record; `None` for any other one.
    pub(in crate::cli) fn parse(line: &str) -> Option<Self> {
        let (record, event) = RecordLine::parse(line)?;
        Self::of(&record, &event)
    }

    fn of(record: &RecordLine<'_>, event: &EventView<'_>) -> Option<Self> {
        if event.action.as_deref() != Some("gap") {
            return None;
        }
        let time = |name| event.attribute(name).and_then(|text| Timestamp::parse(text, Timestamp::MIN).ok());
        Some(Self {
            source: record.source.clone().into_owned(),
            time: record.time(),
            from: time("from"),
            until: time("until"),
            reason: event.attribute("reason").unwrap_or("unknown").to_owned(),
            lost: event.attribute("lost").map(str::to_owned),
        })
    }

    /// Whether events may be missing.
    pub(super) fn is_loss(&self) -> bool {
        self.reason != FIRST_CONTACT
    }

    /// In one sentence, which is safe to show.
    pub(in crate::cli) fn say(&self, zone: Tz) -> String {
        let shown = |time: Timestamp| at(zone, time).format("%Y-%m-%d %H:%M:%S%:z").to_string();
        if !self.is_loss() {
            return escape(&format!("recording of {} began at {}", self.source, shown(self.until.unwrap_or(self.time)))).into_owned();
        }
        let mut text = format!("the recorder may have missed events of {}", self.source);
        if let Some(from) = self.from {
            let _ = write!(text, " from {}", shown(from));
        }
        let _ = write!(text, " until {} ({}", shown(self.until.unwrap_or(self.time)), self.reason);
        if let Some(lost) = &self.lost {
            let _ = write!(text, ", {lost} lost");
        }
        text.push(')');
        escape(&text).into_owned()
    }
}
