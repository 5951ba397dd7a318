//! Lifelines are read from the log: as much of the end of a range as can be read while somebody waits.

use super::charts::read;
use super::known::Known;
use super::lanes::{Drawing, Lifelines};
use super::span::Span;
use crate::filter::Filter;
use crate::log::{EventLog, LogError};
use crate::time::Timestamp;
use std::ops::RangeInclusive;
use std::sync::Arc;

/// What tells of lives.
const LIVES: &str = r#"{"type":["container","recorder"],"event":["create","start","die","kill","stop","pause","unpause","oom","health_status","destroy","rename","connect","disconnect","gap","observed"]}"#;
/// Tallies of a range whose records are read, of more the newest: 2,000,000 records, which takes a second or
/// two.
const MAX_TALLIES: usize = if cfg!(test) { 64 } else { 31_250 };
/// The beginning moves by so many tallies at once, so that an answer stays the same for a while.
const STEP: usize = MAX_TALLIES / 8;

impl Known {
    /// What was there in a range of time, drawn so many points wide.
    ///
    /// # Errors
    /// When the log cannot be read.
    pub async fn lifelines(
        self: &Arc<Self>,
        log: &Arc<dyn EventLog>,
        time: RangeInclusive<Timestamp>,
        width: u32,
    ) -> Result<Lifelines, LogError> {
        let read_from = self.within_reach(log, (time.start().nanos(), time.end().nanos())).await?;
        let reached = read_from.unwrap_or(*time.start())..=*time.end();
        let before = self.state_at(log, *reached.start()).await?;
        // As wide as all of the range is.
        let mut drawing = Drawing::new(&reached, &time, width);
        drawing.begin(&before);
        let ids = self.ids();
        let filter = Filter::from_params(Some(LIVES), None).map_err(|e| LogError::Refused(e.to_string()))?;
        let span = Span { time: reached, filter: Arc::new(filter) };
        let ended_after = read(log, &span, |record| drawing.read(record, &ids)).await?;
        Ok(Lifelines { read_from, ended_after, ..drawing.end() })
    }

    /// When the newest records of a range begin that can be read; `None`: all of them can.
    async fn within_reach(self: &Arc<Self>, log: &Arc<dyn EventLog>, time: (i64, i64)) -> Result<Option<Timestamp>, LogError> {
        let begins = move |known: &Self| {
            let mut begins = Vec::new();
            known.each_tally(|tally| {
                if tally.time.1 >= time.0 && tally.time.0 <= time.1 {
                    begins.push(tally.time.0);
                }
            })?;
            let over = begins.len().saturating_sub(MAX_TALLIES);
            Ok(begins.get(over.next_multiple_of(STEP)).filter(|_| over > 0).copied())
        };
        let found = self.answer(log.bounds().head, begins).await?;
        Ok(found.map(|begins| Timestamp::from_nanos(begins.max(time.0))))
    }
}
