//! What a log tells of each host when the recorder starts: the events that it holds last, and what of them
//! proves nothing. The log is only read.

use super::continuity::{Continuity, LineId, MEMORY, Remembered};
use crate::event::{Event, EventView};
use crate::ingest::Doubt;
use crate::log::{EventLog, LogError};
use crate::reader::{ReverseReader, Step, Want};
use crate::time::Timestamp;
use std::collections::HashMap;
use std::hash::RandomState;
use std::sync::Arc;

/// Attributes of a `disconnect` from a stream that is not trusted: how many lines prove nothing, and since
/// when.
pub(super) const DOUBTFUL: &str = "doubtful";
pub(super) const DOUBTFUL_SINCE: &str = "doubtful_since";
/// Attributes of a `gap` of reason `malformed`: by these a line is known again when it is replayed.
pub(super) const LINE_BYTES: &str = "bytes";
pub(super) const LINE_CHECKSUM: &str = "checksum";
/// Records looked at, from the newest backwards, to learn what each source had stored last.
pub(super) const LOOK_BACK: usize = 10_000;

/// What was found of one source, the newest first.
#[derive(Default)]
struct Found {
    events: Vec<Remembered>,
    /// A verdict was found: what came before it is settled.
    judged: bool,
    doubt: Option<Doubt>,
}

impl Found {
    /// Takes a record of the recorder's own, after which the events found so far came.
    fn own(&mut self, event: &Event, hasher: &RandomState) {
        let view = event.view();
        match view.action.as_deref() {
            Some("resumed") => self.judged = true,
            Some("gap") => {
                self.judged |= view.attribute("overlap").is_some();
                self.remember(line(&view).map(|line| Remembered::line(hasher, line)));
            }
            Some("disconnect") if !self.judged && self.doubt.is_none() => {
                let lines = view.attribute(DOUBTFUL).and_then(|text| text.parse::<u64>().ok());
                let since = view.attribute(DOUBTFUL_SINCE).and_then(|text| Timestamp::from_text(text.as_bytes()));
                self.doubt = lines.zip(since).map(|(lines, since)| Doubt { lines: lines.saturating_add(self.events.len() as u64), since });
            }
            _ => {}
        }
    }

    fn remember(&mut self, known: Option<Remembered>) {
        if self.events.len() < MEMORY {
            self.events.extend(known);
        }
    }

    fn remembered(self, hasher: &RandomState, all: bool) -> Continuity {
        let mut continuity = Continuity::remembering(hasher.clone(), self.events.into_iter().rev(), all);
        if let Some(doubt) = self.doubt {
            continuity.doubt(doubt);
        }
        continuity
    }
}

/// The line that a gap tells of.
fn line(gap: &EventView<'_>) -> Option<LineId> {
    let checksum = u32::from_str_radix(gap.attribute(LINE_CHECKSUM)?, 16).ok()?;
    Some(LineId { bytes: gap.attribute(LINE_BYTES)?.parse().ok()?, checksum })
}

/// Reads backwards until the log ends or [`LOOK_BACK`] is reached. Also tells whether that was the whole log.
pub(super) async fn remember(log: &Arc<dyn EventLog>) -> Result<(HashMap<Arc<str>, Continuity>, bool), LogError> {
    let mut found: HashMap<Arc<str>, Found> = HashMap::new();
    let (mut looked, mut saw_all, hasher) = (0, true, RandomState::new());
    let mut reader = ReverseReader::new(Arc::clone(log), log.bounds().head + 1, Want::default());
    'reading: while let Some(step) = reader.next().await? {
        let Step::Records(selection) = step else { continue };
        for seq in selection.sequences().rev() {
            looked += 1;
            if looked > LOOK_BACK {
                saw_all = false;
                break 'reading;
            }
            let block = &selection.block;
            let Some(record) = block.record(seq) else { continue };
            let of_source = found.entry(Arc::from(block.source(seq))).or_default();
            if record.event.is_own() {
                of_source.own(&record.event, &hasher);
            } else {
                of_source.remember(Some(Remembered::event(&hasher, &record.event)));
            }
        }
    }
    let told = found.into_iter().filter(|(_, found)| !found.events.is_empty());
    Ok((told.map(|(source, found)| (source, found.remembered(&hasher, saw_all))).collect(), saw_all))
}
