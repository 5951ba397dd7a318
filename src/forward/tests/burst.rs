//! In a burst the processors are the recorder's.

use super::support::*;
use crate::forward::{ForwardStatus, Forwarder, Since};
use crate::log::testing::stand_in::{StandIn, Twist};
use crate::shutdown::Stop;
use crate::stream::memory::MemoryStream;
use crate::time::Timestamp;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;
use tokio::time::sleep;

/// A log that grows as the test says.
struct Growing(watch::Sender<u64>);

impl Twist for Growing {
    fn head(&self) -> Option<watch::Receiver<u64>> {
        Some(self.0.subscribe())
    }
}

#[tokio::test(start_paused = true)]
async fn what_comes_in_a_burst_is_forwarded_after_it() {
    let (dir, hub) = (tempfile::tempdir().unwrap(), MemoryStream::new());
    let log = open(dir.path(), 100_000);
    append(&log, 40_010).await;
    let (head, status, stop) = (watch::Sender::new(10), ForwardStatus::default(), Stop::new());
    let growing = StandIn(log, Growing(head.clone()));
    let way = Box::new(Memory(hub.clone()));
    let forwarder = Forwarder::new(Arc::new(growing), way, &identity(), Since::Oldest, status.clone()).unwrap();
    tokio::spawn(forwarder.run(stop.shutdown()));
    let acknowledged = || status.get(*head.borrow(), Timestamp::now()).acknowledged;
    let until = async |wanted| {
        for _ in 0..1000 {
            if acknowledged() == Some(wanted) {
                return;
            }
            sleep(Duration::from_millis(20)).await;
        }
        panic!("{:?} instead of {wanted}", acknowledged());
    };
    until(10).await;
    for _ in 0..1000 {
        head.send_modify(|head| *head += 40);
        sleep(Duration::from_millis(1)).await;
    }
    assert_eq!(acknowledged(), Some(10), "while 40,000 come in a second");
    until(40_010).await;
    assert_eq!(fold(&hub.messages()).next, 40_011);
}
