//! The last line of an export, by which a reader can tell that it has everything:
//! `{"end":{"as_of":…,"records":N,"last":…}}`.

use super::ExportError;
use crate::cursor::Sequence;
use crate::log::LogError;
use crate::reader::{Reader, Step};
use crate::time::Timestamp;
use bytes::Bytes;
use serde::Deserialize;
use std::io::BufRead as _;

/// What the last line says, counted while the lines go by.
#[derive(Debug)]
pub(super) struct Trailer {
    as_of: Timestamp,
    records: u64,
    last: Last,
}

/// The id of the last record so far.
#[derive(Debug)]
enum Last {
    Nothing,
    Record(String),
    /// In these frames.
    Packed(Bytes),
}

impl Trailer {
    pub(super) fn new(as_of: Timestamp) -> Self {
        Self { as_of, records: 0, last: Last::Nothing }
    }

    pub(super) fn records(&mut self, records: u64, last: &str) {
        self.records += records;
        self.last = Last::Record(last.to_owned());
    }

    pub(super) fn packed(&mut self, records: u64, frames: &Bytes) {
        self.records += records;
        self.last = Last::Packed(frames.clone());
    }

    /// Counts one more record that is not sent again; `last`: all that was counted lies before it.
    pub(super) fn beside(&mut self, cursor: &str, last: bool) {
        if last {
            self.records(1, cursor);
        } else {
            self.records += 1;
        }
    }

    /// Counts what `reader` gives, which is not sent again; the sequence of the last one.
    pub(super) async fn count(&mut self, reader: &mut Reader) -> Result<Sequence, LogError> {
        let mut last = 0;
        loop {
            if let Some((records, frames)) = reader.next_packed().await? {
                self.packed(records, &frames);
                last = reader.position();
                continue;
            }
            match reader.next().await? {
                Some(Step::Records(selection)) => {
                    last = selection.last();
                    self.records(selection.sequences().count() as u64, selection.block.cursor(last));
                }
                Some(_) => {}
                None => return Ok(last),
            }
        }
    }

    /// The line with its end.
    pub(super) fn line(self) -> Result<String, ExportError> {
        let last = match self.last {
            Last::Nothing => None,
            Last::Record(cursor) => Some(cursor),
            Last::Packed(frames) => Some(last_id(&frames)?),
        };
        let end = serde_json::json!({ "end": { "as_of": self.as_of.to_string(), "records": self.records, "last": last } });
        Ok(format!("{end}\n"))
    }
}

/// The id of the last record in packed frames.
fn last_id(frames: &[u8]) -> Result<String, ExportError> {
    #[derive(Deserialize)]
    struct Id {
        id: String,
    }
    let failed = |e: &dyn std::fmt::Display| ExportError::Write(format!("its last record cannot be read: {e}"));
    let lines = zstd::stream::read::Decoder::with_buffer(frames).map_err(|e| failed(&e))?;
    let last = std::io::BufReader::new(lines).split(b'\n').try_fold(Vec::new(), |_, line| line).map_err(|e| failed(&e))?;
    serde_json::from_slice::<Id>(&last).map(|record| record.id).map_err(|e| failed(&e))
}
