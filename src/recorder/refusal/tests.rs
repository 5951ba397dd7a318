use super::super::{Recorder, RecorderStats};
use super::*;
use crate::ingest::{self, Input};
use crate::log::testing::stand_in::{StandIn, Twist};
use crate::log::{EmbeddedLog, EventLog, Scan};
use crate::time::Timestamp;
use std::sync::Arc;

/// Takes no record that holds a certain word, and stores nothing of a batch with one.
struct Picky;

impl Twist for Picky {
    fn refuses(&self, records: &[NewRecord]) -> Option<LogError> {
        let refused = records.iter().any(|record| record.event.as_json().contains("indigestible"));
        refused.then(|| LogError::Refused("a record is too large".to_owned()))
    }
}

#[tokio::test]
async fn a_record_that_the_log_refuses_costs_itself_and_is_told() {
    let dir = tempfile::tempdir().unwrap();
    let (log, recovery) = EmbeddedLog::open(dir.path()).unwrap();
    let log: Arc<dyn EventLog> = Arc::new(StandIn(Arc::new(log), Picky));
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
