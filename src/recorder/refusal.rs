//! Records that the log does not take, such as one that no reader could read back: they cost themselves and
//! nothing else.

use super::Recorder;
use crate::event::Event;
use crate::log::{LogError, NewRecord};
use crate::text::printable;
use std::sync::atomic::Ordering::Relaxed;

/// The log's reason is told up to this many characters.
const MAX_REASON_CHARS: usize = 200;

/// Whether the log has refused a batch for what is in it, and goes on taking others. Nothing of the batch was
/// stored.
pub(super) fn is_one(error: &LogError) -> bool {
    !matches!(
        error,
        LogError::Io { .. }
            | LogError::InUse(_)
            | LogError::NewerFormat { .. }
            | LogError::OlderFormat { .. }
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
mod tests {
    use super::super::{Recorder, RecorderStats};
    use super::*;
    use crate::ingest::{self, Input};
    use crate::log::{Bounds, Chunk, EmbeddedLog, EventLog, Scan, WriterState};
    use crate::time::Timestamp;
    use std::ops::RangeInclusive;
    use std::sync::Arc;
    use tokio::sync::watch;

    /// Takes no record that holds a certain word, and stores nothing of a batch with one.
    struct Picky(EmbeddedLog);

    #[async_trait::async_trait]
    impl EventLog for Picky {
        async fn append(&self, records: Vec<NewRecord>) -> Result<RangeInclusive<u64>, LogError> {
            if records.iter().any(|record| record.event.as_json().contains("indigestible")) {
                return Err(LogError::Refused("a record is too large".to_owned()));
            }
            self.0.append(records).await
        }
        async fn read_after(&self, after: u64, scan: &Scan) -> Result<Chunk, LogError> {
            self.0.read_after(after, scan).await
        }
        async fn read_before(&self, before: u64, scan: &Scan) -> Result<Chunk, LogError> {
            self.0.read_before(before, scan).await
        }
        async fn seek_time(&self, time: Timestamp) -> Result<u64, LogError> {
            self.0.seek_time(time).await
        }
        fn bounds(&self) -> Bounds {
            self.0.bounds()
        }
        fn watch_head(&self) -> watch::Receiver<u64> {
            self.0.watch_head()
        }
        fn watch_writer(&self) -> watch::Receiver<WriterState> {
            self.0.watch_writer()
        }
        fn disk_bytes(&self) -> u64 {
            self.0.disk_bytes()
        }
        fn settled_bytes(&self) -> u64 {
            self.0.settled_bytes()
        }
        async fn trim(&self, before: u64) -> Result<u64, LogError> {
            self.0.trim(before).await
        }
        fn next_trim(&self) -> Option<crate::log::TrimStep> {
            self.0.next_trim()
        }
        async fn close(&self) -> Result<(), LogError> {
            self.0.close().await
        }
    }

    #[tokio::test]
    async fn a_record_that_the_log_refuses_costs_itself_and_is_told() {
        let dir = tempfile::tempdir().unwrap();
        let (log, recovery) = EmbeddedLog::open(dir.path()).unwrap();
        let log: Arc<dyn EventLog> = Arc::new(Picky(log));
        let stats = Arc::<RecorderStats>::default();
        let recorder = Recorder::start(Arc::clone(&log), &recovery, Arc::clone(&stats)).await.unwrap();
        let (sender, receiver) = ingest::queue(1024, 1 << 20);
        let mut source = sender.for_source("local".into());
        drop(sender);
        for n in 0..5 {
            let what = if n == 2 { "indigestible" } else { "x" };
            let line = format!(r#"{{"Type":"container","Action":"start","Actor":{{"ID":"{what}"}},"timeNano":{n}}}"#);
            let event = Event::from_line(line.as_bytes()).unwrap();
            assert!(source.send(Input::Event { event, received: Timestamp::from_nanos(1) }).await);
        }
        drop(source);
        recorder.run(receiver).await;
        // start, two events, the gap, two more, stop.
        assert_eq!((log.bounds().head, stats.lost.load(Relaxed), stats.stored.load(Relaxed)), (7, 1, 7));
        let chunk = log.read_after(3, &Scan::default()).await.unwrap();
        let gap = chunk.pieces.iter().find_map(|piece| match piece {
            crate::log::Piece::Block(block) => block.record(4),
            crate::log::Piece::Gap(..) => None,
        });
        let gap = gap.unwrap();
        let view = gap.event.view();
        assert_eq!((view.action.as_deref(), view.attribute("reason")), (Some("gap"), Some("malformed")));
        assert_eq!(
            (view.attribute("from"), view.attribute("why")),
            (Some("1970-01-01T00:00:00.000000002Z"), Some("a record is too large"))
        );
    }
}
