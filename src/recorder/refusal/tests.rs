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
    assert_eq!((view.attribute("from"), view.attribute("why")), (Some("1970-01-01T00:00:00.000000002Z"), Some("a record is too large")));
}
