//! A forwarder ends so that the log is closed and goes on under another id; not while that would lose
//! records.

use super::support::*;
use crate::forward::{Ended, ForwardState, ForwardStatus, Forwarder, Since};
use crate::log::WriterState;
use crate::log::testing::stand_in::{StandIn, Twist};
use crate::shutdown::Stop;
use crate::stream::FleetStream as _;
use crate::stream::memory::MemoryStream;
use crate::time::Timestamp;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;
use tokio::time::timeout;

/// A log whose disk is full, or not.
struct Full(watch::Sender<WriterState>);

impl Twist for Full {
    fn writer(&self) -> Option<watch::Receiver<WriterState>> {
        Some(self.0.subscribe())
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
        let full = StandIn(log, Full(writer.clone()));
        let way = Box::new(Memory(hub.clone()));
        let forwarder = Forwarder::new(Arc::new(full), way, &identity(), Since::Oldest, status.clone()).unwrap();
        let mut running = tokio::spawn(forwarder.forking(true).run(stop.shutdown()));
        assert!(timeout(Duration::from_secs(3600), &mut running).await.is_err(), "{state:?}");
        assert_eq!(status.get(10, Timestamp::now()).state, ForwardState::Conflict);
        writer.send_replace(WriterState::Ok);
        assert_eq!(running.await.unwrap(), Ended::ToFork, "{state:?}");
    }
}
