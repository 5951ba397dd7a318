//! Records that the log does not take, such as one that no reader could read back: they cost themselves and
//! nothing else.

use super::Recorder;
use crate::event::Event;
use crate::log::{LogError, NewRecord};
use crate::text::printable;
use std::sync::atomic::Ordering::Relaxed;

/// The log's reason is told up to this many characters.
const MAX_REASON_CHARS: usize = 200;

/// Whether the log has refused a batch for what is in it, and takes others. Nothing of the batch was stored.
pub(super) fn is_one(error: &LogError) -> bool {
    !matches!(
        error,
        LogError::Io { .. }
            | LogError::InUse(_)
            | LogError::NewerFormat { .. }
            | LogError::OlderFormat { .. }
            | LogError::IsFollower { .. }
            | LogError::NotFollower { .. }
            | LogError::OtherFollow { .. }
            | LogError::Damaged(_)
            | LogError::Internal(_)
            | LogError::Full { .. }
            | LogError::Poisoned(_)
            | LogError::Closed
    )
}

impl Recorder {
    /// Stores what waits, record by record. In place of one that is refused there is a gap.
    pub(super) async fn flush_one_by_one(&mut self) -> Result<(), LogError> {
        while let Some(record) = self.batch.first().cloned() {
            let refused = match self.append_one(record.clone()).await {
                Ok(()) => None,
                Err(e) if is_one(&e) => Some(e),
                Err(e) => return self.give_up(e),
            };
            if let Some(error) = refused {
                tracing::error!(%error, "the log does not take a record; a gap stands in its place");
                self.stats.lost.fetch_add(1, Relaxed);
                match self.append_one(self.gap_for(&record, &error)).await {
                    Ok(()) => {}
                    Err(e) if is_one(&e) => {}
                    Err(e) => return self.give_up(e),
                }
            }
            self.batch.remove(0);
        }
        Ok(())
    }

    async fn append_one(&self, record: NewRecord) -> Result<(), LogError> {
        self.log.append(vec![record]).await?;
        self.stats.stored.fetch_add(1, Relaxed);
        Ok(())
    }

    /// On a full disk the rest waits on; after a failed write it is lost.
    fn give_up(&mut self, error: LogError) -> Result<(), LogError> {
        if !matches!(error, LogError::Full { .. }) {
            self.stats.lost.fetch_add(self.batch.len() as u64, Relaxed);
            self.batch.clear();
        }
        Err(error)
    }

    fn gap_for(&self, record: &NewRecord, error: &LogError) -> NewRecord {
        let time = record.event.fields().time.unwrap_or(record.received).to_string();
        let (why, bytes) = (printable(&error.to_string(), MAX_REASON_CHARS), record.event.as_json().len().to_string());
        let attributes = [("reason", "malformed"), ("from", &*time), ("until", &*time), ("lost", "1"), ("why", &*why), ("bytes", &*bytes)];
        let event = Event::recorder("gap", &record.source, &attributes, self.clock.wall());
        NewRecord { source: record.source.clone(), received: record.received, event }
    }
}

#[cfg(test)]
mod tests;
