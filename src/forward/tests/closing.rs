//! A forwarder ends so that the log is closed and goes on under another id; not while that would lose
//! records.

use super::support::*;
use crate::chain::ChainValue;
use crate::forward::{Ended, ForwardState, ForwardStatus, Forwarder, Since};
use crate::log::{Bounds, Chunk, EmbeddedLog, EventLog, LogError, NewRecord, Scan, TrimStep, WriterState};
use crate::shutdown::Stop;
use crate::stream::FleetStream as _;
use crate::stream::memory::MemoryStream;
use crate::time::Timestamp;
use std::ops::RangeInclusive;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;
use tokio::time::timeout;

/// A log whose disk is full, or not.
struct Full(Arc<EmbeddedLog>, watch::Sender<WriterState>);

#[async_trait::async_trait]
impl EventLog for Full {
    async fn append(&self, records: Vec<NewRecord>) -> Result<RangeInclusive<u64>, LogError> {
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
    async fn chain_around(&self, seq: u64) -> Result<Option<(ChainValue, ChainValue)>, LogError> {
        self.0.chain_around(seq).await
    }
    fn bounds(&self) -> Bounds {
        self.0.bounds()
    }
    fn watch_head(&self) -> watch::Receiver<u64> {
        self.0.watch_head()
    }
    fn watch_writer(&self) -> watch::Receiver<WriterState> {
        self.1.subscribe()
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
    fn next_trim(&self) -> Option<TrimStep> {
        self.0.next_trim()
    }
    async fn close(&self) -> Result<(), LogError> {
        self.0.close().await
    }
}

#[tokio::test(start_paused = true)]
async fn a_log_that_takes_nothing_for_now_is_not_closed_to_fork() {
    let why = "as a test".to_owned();
    for state in [WriterState::Full(why.clone()), WriterState::Poisoned(why)] {
        let (dir, hub) = (tempfile::tempdir().unwrap(), MemoryStream::new());
        let log = open(dir.path(), 300);
        append(&log, 10).await;
        hub.publish(foreign(&log, 10), 0).await.unwrap();
        let (writer, status, stop) = (watch::Sender::new(state.clone()), ForwardStatus::default(), Stop::new());
        let full = Full(Arc::clone(&log), writer.clone());
        let way = Box::new(Memory(hub.clone()));
        let forwarder = Forwarder::new(Arc::new(full), way, &identity(), Since::Oldest, status.clone()).unwrap();
        let mut running = tokio::spawn(forwarder.forking(true).run(stop.shutdown()));
        assert!(timeout(Duration::from_secs(3600), &mut running).await.is_err(), "{state:?}");
        assert_eq!(status.get(10, Timestamp::now()).state, ForwardState::Conflict);
        writer.send_replace(WriterState::Ok);
        assert_eq!(running.await.unwrap(), Ended::ToFork, "{state:?}");
    }
}
