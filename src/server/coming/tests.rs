//! Cursors that a server of a fleet does not know, against a hub in memory.

use super::Lagging;
use crate::cursor::LogId;
use crate::follow::{Follower, SILENT_AFTER, Settings};
use crate::server::context::{Admission, Context, Recording};
use crate::server::fleet::Fleet;
use crate::shutdown::Stop;
use crate::stream::memory::MemoryStream;
use crate::stream::{Delivery, Ends, FleetStream, Message, Outgoing, StreamError, Subject};
use crate::testing::{until, within};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::time::Instant;
use tokio::task::JoinHandle;

/// A hub that counts how often it is asked for its end.
#[derive(Clone)]
struct Counted(MemoryStream, Arc<AtomicUsize>);

#[async_trait::async_trait]
impl FleetStream for Counted {
    async fn newest(&self, subject: &Subject) -> Result<Option<Message>, StreamError> {
        self.0.newest(subject).await
    }

    async fn publish(&self, message: Outgoing, expected: u64) -> Result<u64, StreamError> {
        self.0.publish(message, expected).await
    }

    async fn read_from(&self, place: u64) -> Result<Delivery, StreamError> {
        self.0.read_from(place).await
    }

    async fn ends(&self) -> Result<Ends, StreamError> {
        self.1.fetch_add(1, Relaxed);
        self.0.ends().await
    }

    async fn at(&self, place: u64) -> Result<Option<Message>, StreamError> {
        self.0.at(place).await
    }

    fn max_bytes(&self) -> usize {
        self.0.max_bytes()
    }
}

/// A server whose follower does not run yet.
struct Stage {
    context: Context,
    follower: Option<Follower>,
    asked: Arc<AtomicUsize>,
    stop: Stop,
    _dir: tempfile::TempDir,
}

impl Stage {
    async fn open() -> Self {
        let (hub, dir, stop) = (MemoryStream::new(), tempfile::tempdir().unwrap(), Stop::new());
        let opening = Follower::open(Arc::new(hub.clone()), dir.path(), &Settings::of("acme"), &stop.shutdown()).await;
        let follower = opening.unwrap().unwrap();
        let counted = Counted(hub, Arc::default());
        let asked = Arc::clone(&counted.1);
        let fleet = Fleet::new(follower.handle(), Arc::new(counted), SILENT_AFTER, Vec::new());
        let recording = Recording { fleet: Some(fleet), ..Recording::default() };
        let context = Context::new(follower.log(), recording, Admission::default(), Instant::now(), stop.shutdown());
        Self { context, follower: Some(follower), asked, stop, _dir: dir }
    }

    /// A cursor of a record that is not here yet, and one of an id that this server has not heard of.
    fn cursors(&self) -> [String; 2] {
        [self.context.log.bounds().log, LogId::from_bytes([9; 16])].map(|log| log.cursor(101).to_string())
    }

    /// Has it follow until `stop` says so.
    fn follow(&mut self) -> JoinHandle<()> {
        let (follower, shutdown) = (self.follower.take().unwrap(), self.stop.shutdown());
        tokio::spawn(async move { follower.run(&shutdown).await.unwrap() })
    }

    fn asked(&self) -> usize {
        self.asked.load(Relaxed)
    }
}

#[tokio::test]
async fn nothing_is_judged_before_all_is_here_that_the_hub_holds() {
    let mut stage = Stage::open().await;
    tokio::time::pause();
    for cursor in stage.cursors() {
        assert!(matches!(stage.context.come_to(&cursor).await, Err(Lagging)), "{cursor}");
    }
    assert!(stage.context.come_to("no cursor").await.is_ok(), "nobody else knows that either");
    tokio::time::resume();
    let task = stage.follow();
    for cursor in stage.cursors() {
        assert!(within("the answer", stage.context.come_to(&cursor)).await.is_ok(), "{cursor}");
    }
    stage.stop.stop();
    within("the end", task).await.unwrap();
}

#[tokio::test]
async fn the_hub_is_asked_once_for_all_who_wait() {
    let mut stage = Stage::open().await;
    let handle = stage.follower.as_ref().unwrap().handle();
    let task = stage.follow();
    until("the end of the stream", async || handle.status().folded > 0).await;
    for cursor in stage.cursors() {
        let before = stage.asked();
        let all = futures_util::future::join_all((0..100).map(|_| stage.context.come_to(&cursor)));
        assert!(within("the answers", all).await.iter().all(Result::is_ok), "{cursor}");
        let asked = stage.asked() - before;
        assert!((1..=2).contains(&asked), "{asked} questions");
    }
    stage.stop.stop();
    within("the end", task).await.unwrap();
}

#[tokio::test]
async fn a_server_that_follows_no_more_answers_without_asking() {
    let mut stage = Stage::open().await;
    stage.follower.take();
    for cursor in stage.cursors() {
        assert!(matches!(within("the answer", stage.context.come_to(&cursor)).await, Err(Lagging)), "{cursor}");
    }
    assert_eq!(stage.asked(), 0);
}
