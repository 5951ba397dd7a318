//! A node of the hub that is stuck, while others answer as well.

use super::following::{USUAL, last, send, send_all, settings};
use super::forks::{epoch, reached, settle};
use super::view::View;
use crate::follow::testing::{Host, TENANT, at, play};
use crate::follow::witness::Witness;
use crate::follow::{Follower, Settings};
use crate::shutdown::Stop;
use crate::stream::memory::MemoryStream;
use crate::stream::{Delivery, Ends, FleetStream, Message, Outgoing, StreamError, Subject};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::time::Duration;
use tempfile::TempDir;
use tokio::time::timeout;

/// Questions for the epoch, at most, until the hub is away.
const MOST: u64 = 2000;

/// A hub of which every second answer tells an older epoch.
#[derive(Clone)]
struct Stale {
    hub: MemoryStream,
    older: Message,
    asked: Arc<AtomicU64>,
    answers_late: Arc<AtomicBool>,
}

#[async_trait::async_trait]
impl FleetStream for Stale {
    async fn newest(&self, subject: &Subject) -> Result<Option<Message>, StreamError> {
        if matches!(subject, Subject::Epoch { .. }) && self.answers_late.load(Relaxed) {
            match self.asked.fetch_add(1, Relaxed) {
                // So that a test of one that never waits ends.
                MOST.. => return Err(StreamError::Unavailable("asked too often".to_owned())),
                nth if nth % 2 == 0 => return Ok(Some(self.older.clone())),
                _ => {}
            }
        }
        self.hub.newest(subject).await
    }

    async fn publish(&self, message: Outgoing, expected: u64) -> Result<u64, StreamError> {
        self.hub.publish(message, expected).await
    }

    async fn read_from(&self, place: u64) -> Result<Delivery, StreamError> {
        self.hub.read_from(place).await
    }

    async fn ends(&self) -> Result<Ends, StreamError> {
        self.hub.ends().await
    }

    async fn at(&self, place: u64) -> Result<Option<Message>, StreamError> {
        self.hub.at(place).await
    }

    fn max_bytes(&self) -> usize {
        self.hub.max_bytes()
    }
}

#[tokio::test]
async fn an_epoch_of_a_node_that_is_stuck_does_not_make_a_server_busy() {
    // It is asked first where the log goes on, and then where it is read.
    for first in [0, 1] {
        let (hub, dir) = (MemoryStream::new(), TempDir::new().unwrap());
        reached(&hub, dir.path()).await;
        send_all(&hub, &USUAL[..4]).await;
        let older = hub.copy();
        for (arrived, out) in &play(&USUAL)[4..] {
            send(&hub, *arrived, out.clone()).await;
        }
        reached(&hub, dir.path()).await;
        let before = epoch(&hub);
        hub.put_back(&older);
        settle(&hub, &[dir.path()]).await;
        let after = epoch(&hub);
        let told = hub.messages().into_iter().find(|message| matches!(message.subject, Subject::Epoch { .. })).unwrap();
        assert!(after.fleet != before.fleet && told.payload == before.to_message(Subject::epoch(TENANT).unwrap()).payload);
        let stale = Stale { hub: hub.clone(), older: told, asked: Arc::new(AtomicU64::new(first)), answers_late: Arc::default() };
        let (settings, stop) = (Settings { again: true, ..settings(8) }, Stop::new());
        let follower = Follower::open(Arc::new(stale.clone()), dir.path(), &settings, &stop.shutdown()).await.unwrap().unwrap();
        let (handle, shutdown) = (follower.handle(), stop.shutdown());
        stale.answers_late.store(true, Relaxed);
        tokio::time::pause();
        let running = follower.run(&shutdown);
        tokio::pin!(running);
        assert!(timeout(Duration::from_secs(20), &mut running).await.is_err(), "it looks again");
        let asked = stale.asked.load(Relaxed);
        assert!((10..MOST).contains(&asked), "{asked} questions in 20 s, {first}");
        stale.answers_late.store(false, Relaxed);
        assert!(timeout(Duration::from_secs(20), &mut running).await.is_err(), "it follows");
        let status = handle.status();
        assert!(status.stopped.is_none() && status.folded >= last(&hub).await, "{status:?}");
        assert_eq!(epoch(&hub), after);
        tokio::time::resume();
    }
}

#[tokio::test]
async fn what_was_seen_of_the_hub_is_remembered_where_its_end_cannot_be_read() {
    let (hub, witness, mut host) = (MemoryStream::new(), Witness::default(), Host::new("late", 9));
    let mut older = hub.copy();
    for n in 1..=4 {
        let message = host.send(2);
        let place = send(&hub, at(n), host.outgoing(&message)).await;
        if n == 1 {
            older = hub.copy();
        }
        let view = View { strange: Some(4), ..View::of(&hub) };
        let (ends, is_gone) = witness.look(&view, 0).await.unwrap();
        assert_eq!((ends.last, is_gone), (place, false));
    }
    hub.put_back(&older);
    assert!(witness.is_lost(&hub, 0).await.unwrap());
    for n in 5..9 {
        let message = host.send(1);
        send(&hub, at(n), host.outgoing(&message)).await;
    }
    assert!(witness.is_lost(&hub, 0).await.unwrap(), "another message stands in its place");
}
