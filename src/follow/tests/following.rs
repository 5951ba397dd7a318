//! The follower at work, against a hub in memory.

use super::view::View;
use crate::cursor::{LogId, Sequence};
use crate::follow::testing::{Act, Deed, Folded, TENANT, at, deeds, messages, play};
use crate::follow::{Base, FollowError, Follower, Judgement, Settings, Status};
use crate::log::{EmbeddedLog, EventLog, FollowerLog, Limits, Piece, Scan};
use crate::shutdown::Stop;
use crate::stream::memory::MemoryStream;
use crate::stream::{FleetStream, Outgoing, StreamError, Subject};
use crate::testing::within;
use crate::time::Timestamp;
use proptest::prelude::*;
use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use tempfile::TempDir;
use tokio::task::JoinHandle;

/// Small segments, so that some are sealed.
pub(super) fn settings(batch_records: usize) -> Settings {
    let limits = Limits { tip_records: 16, tip_bytes: 64 * 1024, ..Limits::default() };
    Settings { limits, batch_records, loss_after: Duration::from_millis(100), ..Settings::of(TENANT) }
}

pub(super) async fn send(hub: &MemoryStream, arrived: Timestamp, out: Outgoing) -> u64 {
    hub.set_now(arrived);
    let newest = hub.newest(&out.subject).await.unwrap().map_or(0, |newest| newest.place);
    hub.publish(out, newest).await.unwrap()
}

pub(super) async fn send_all(hub: &MemoryStream, deeds: &[Deed]) {
    for (arrived, out) in play(deeds) {
        send(hub, arrived, out).await;
    }
}

/// A follower that works.
pub(super) struct Running {
    pub(super) handle: crate::follow::Handle,
    stop: Stop,
    task: JoinHandle<Result<(), FollowError>>,
    dir: std::path::PathBuf,
}

impl Running {
    pub(super) async fn start(hub: impl FleetStream, dir: &Path, batch: usize) -> Self {
        let stop = Stop::new();
        let (settings, shutdown) = (settings(batch), stop.shutdown());
        let opening = Follower::open(Arc::new(hub), dir, &settings, &shutdown);
        let follower = within("the log", opening).await.unwrap().unwrap();
        let handle = follower.handle();
        let task = tokio::spawn(async move { follower.run(&shutdown).await });
        Self { handle, stop, task, dir: dir.to_owned() }
    }

    pub(super) async fn reach(&self, place: u64) -> Status {
        let mut status = self.handle.watch();
        let reached = within("the place", status.wait_for(|status| status.folded >= place || status.stopped.is_some())).await;
        reached.unwrap().clone()
    }

    /// Stops it, whatever it was doing, and waits until another one may open the log.
    pub(super) async fn end(self) -> Result<(), FollowError> {
        self.stop.stop();
        self.ended().await
    }

    /// Waits until it has stopped by itself.
    pub(super) async fn ended(self) -> Result<(), FollowError> {
        let ended = within("the end", self.task).await.unwrap();
        let lock = self.dir.join("log/lock");
        tokio::task::spawn_blocking(move || fs::File::open(lock).unwrap().lock().unwrap()).await.unwrap();
        ended
    }
}

pub(super) async fn lines(log: &EmbeddedLog, mut after: Sequence) -> Vec<String> {
    let mut lines = Vec::new();
    loop {
        let chunk = log.read_after(after, &Scan { max_bytes: usize::MAX, ..Scan::default() }).await.unwrap();
        for piece in &chunk.pieces {
            let Piece::Block(block) = piece else { panic!("no gap here: {piece:?}") };
            for seq in block.sequences().filter(|seq| *seq > after) {
                lines.push(String::from_utf8(block.line(seq, false).to_vec()).unwrap());
            }
        }
        if chunk.through == after {
            return lines;
        }
        after = chunk.through;
    }
}

/// What a log holds, when nobody has it open.
pub(super) async fn stored(dir: &Path) -> (LogId, Vec<String>) {
    let follow = FollowerLog::found(dir).unwrap().unwrap();
    let (log, ..) = FollowerLog::open_with(dir, &follow, settings(1).limits).unwrap();
    let lines = lines(&log.log(), follow.first - 1).await;
    log.log().close().await.unwrap();
    drop(log);
    let lock = dir.join("log/lock");
    tokio::task::spawn_blocking(move || fs::File::open(lock).unwrap().lock().unwrap()).await.unwrap();
    (follow.log, lines)
}

/// The lines that a fold of what the hub holds makes, under the fleet's id.
pub(super) fn expected(hub: &MemoryStream, fleet: LogId) -> Vec<String> {
    Folded::named(fleet, &hub.messages()).lines
}

pub(super) fn bases(hub: &MemoryStream) -> Vec<Base> {
    let messages = hub.messages().into_iter().filter(|message| matches!(message.subject, Subject::Base { .. }));
    messages.map(|message| Base::of_message(&message).unwrap()).collect()
}

pub(super) async fn last(hub: &MemoryStream) -> u64 {
    hub.ends().await.unwrap().last
}

pub(super) const USUAL: [Deed; 12] = [
    (0, Act::Send, 5, 0),
    (1, Act::Send, 3, 25),
    (0, Act::Repeat, 2, 25),
    (2, Act::Send, 4, 25),
    (1, Act::Hole { before: true }, 4, 25),
    (2, Act::Send, 4, 25),
    (0, Act::Send, 2, 25),
    (2, Act::Payload, 4, 25),
    (1, Act::Send, 4, 25),
    (0, Act::Send, 5, 25),
    (2, Act::Send, 1, 25),
    (1, Act::Send, 5, 25),
];

#[tokio::test]
async fn a_late_server_has_the_same_and_a_base_that_is_wrong_stops_it_not() {
    let (hub, dirs) = (MemoryStream::new(), [TempDir::new().unwrap(), TempDir::new().unwrap()]);
    let first = Running::start(hub.clone(), dirs[0].path(), 1).await;
    for (arrived, out) in play(&USUAL) {
        let place = send(&hub, arrived, out).await;
        first.reach(place).await;
    }
    let agreed = bases(&hub);
    assert!(agreed.len() > 1 && agreed.iter().all(|base| base.state.place > base.previous), "{}", agreed.len());
    let second = Running::start(hub.clone(), dirs[1].path(), 8192).await;
    assert!(within("the end of the stream", second.handle.reach_end()).await.unwrap());
    assert_eq!(second.handle.hosts_json(at(0), crate::follow::SILENT_AFTER, |_| true).matches("\"host\"").count(), 3);
    first.end().await.unwrap();
    // Another server, which counts otherwise.
    let newest = agreed.last().unwrap();
    let mut wrong = newest.clone();
    wrong.state.next += 1;
    let out = wrong.to_message(Subject::base(TENANT).unwrap(), 1 << 20).unwrap();
    let place = send(&hub, at(0), out).await;
    let status = second.reach(place).await;
    assert_eq!(status.stopped, None);
    assert!(status.warnings().any(|warning| warning.contains(&format!("after message {}", newest.state.place))), "{status:?}");
    second.end().await.unwrap();
    // Nor does it take that one to go on with.
    let again = Running::start(hub.clone(), dirs[1].path(), 8192).await;
    assert_eq!(again.reach(place).await.stopped, None);
    again.end().await.unwrap();
    let (own, others) = (stored(dirs[0].path()).await, stored(dirs[1].path()).await);
    assert_eq!(own, others);
    assert_eq!(own.1, expected(&hub, own.0));
}

#[tokio::test]
async fn a_new_server_behind_trimmed_history_begins_with_the_oldest_base() {
    let (hub, dirs) = (MemoryStream::new(), [TempDir::new().unwrap(), TempDir::new().unwrap()]);
    let first = Running::start(hub.clone(), dirs[0].path(), 1).await;
    for (arrived, out) in play(&USUAL) {
        let place = send(&hub, arrived, out).await;
        first.reach(place).await;
    }
    first.reach(last(&hub).await).await;
    first.end().await.unwrap();
    let known = bases(&hub);
    hub.trim_before(known[1].state.place + 1);
    let second = Running::start(hub.clone(), dirs[1].path(), 8192).await;
    second.reach(last(&hub).await).await;
    assert_eq!(second.handle.status().stopped, None);
    second.end().await.unwrap();
    let (whole, cold) = (stored(dirs[0].path()).await, stored(dirs[1].path()).await);
    assert_eq!(whole.0, cold.0);
    let follow = FollowerLog::found(dirs[1].path()).unwrap().unwrap();
    assert_eq!((follow.first, follow.chain), (known[1].state.next, known[1].chain));
    assert_eq!(whole.1[usize::try_from(follow.first - 1).unwrap()..], cold.1);
    // It goes on from there after a restart, too.
    let again = Running::start(hub.clone(), dirs[1].path(), 1).await;
    again.reach(last(&hub).await).await;
    assert_eq!(again.end().await.map_err(|e| e.to_string()), Ok(()));
    // One that was away while the stream lost what it needs says so.
    send_all(&hub, &[(0, Act::Tenant, 1, 600)]).await;
    hub.trim_before(last(&hub).await);
    let late = Running::start(hub.clone(), dirs[0].path(), 1).await;
    let ended = late.ended().await.unwrap_err();
    assert!(matches!(ended, FollowError::Forked { judgement: Judgement::Trimmed, .. }), "{ended}");
}

#[tokio::test]
async fn a_dead_hub_is_waited_for_and_history_is_there_meanwhile() {
    let (hub, dir) = (MemoryStream::new(), TempDir::new().unwrap());
    send_all(&hub, &USUAL[..6]).await;
    let follower = Running::start(hub.clone(), dir.path(), 8192).await;
    follower.reach(last(&hub).await).await;
    follower.end().await.unwrap();
    hub.set_outage(Some(StreamError::Unavailable("no leader".to_owned())));
    let follower = Running::start(hub.clone(), dir.path(), 8192).await;
    let mut status = follower.handle.watch();
    assert!(within("a status", status.wait_for(|status| !status.answers)).await.unwrap().is_ready(tokio::time::Instant::now()));
    assert!(follower.handle.reach_end().await.is_err());
    hub.set_outage(None);
    let place = send(&hub, at(0), play(&USUAL)[6].1.clone()).await;
    assert_eq!(follower.reach(place).await.stopped, None);
    hub.end_deliveries();
    let place = send(&hub, at(0), play(&USUAL)[7].1.clone()).await;
    assert_eq!(follower.reach(place).await.stopped, None);
    follower.end().await.unwrap();
    let (fleet, lines) = stored(dir.path()).await;
    assert_eq!(lines, expected(&hub, fleet));
}

#[tokio::test]
async fn a_refusal_is_told_and_tried_again_and_ends_a_new_server() {
    let (hub, dir) = (MemoryStream::new(), TempDir::new().unwrap());
    let refused = || Some(StreamError::Refused("no right to read".to_owned()));
    hub.set_outage(refused());
    let (settings, stop) = (settings(1), Stop::new());
    let shutdown = stop.shutdown();
    let opening = Follower::open(Arc::new(hub.clone()), dir.path(), &settings, &shutdown);
    let ended = within("the end", opening).await.err().unwrap();
    assert!(matches!(&ended, FollowError::Hub(StreamError::Refused(why)) if why.contains("no right")), "{ended}");
    hub.set_outage(None);
    let follower = Running::start(hub.clone(), dir.path(), 1).await;
    follower.reach(last(&hub).await).await;
    hub.set_outage(refused());
    let mut status = follower.handle.watch();
    let told = within("the refusal", status.wait_for(|status| status.refused.is_some())).await.unwrap().clone();
    assert!(told.stopped.is_none() && !told.is_ready(tokio::time::Instant::now()));
    hub.set_outage(None);
    let place = send(&hub, at(0), play(&USUAL)[0].1.clone()).await;
    let status = follower.reach(place).await;
    assert_eq!((status.refused, status.stopped), (None, None));
    follower.end().await.unwrap();
}

#[tokio::test]
async fn what_is_none_of_shipslogs_holds_nobody_up() {
    let (hub, dir) = (MemoryStream::new(), TempDir::new().unwrap());
    send_all(&hub, &USUAL[..6]).await;
    // In the middle, where a later message shows it, and then as the newest, where nothing does.
    for strange in [4, 0] {
        let strange = if strange == 0 { last(&hub).await } else { strange };
        let follower = Running::start(View { strange: Some(strange), ..View::of(&hub) }, dir.path(), 8192).await;
        assert!(within("the end of the stream", follower.handle.reach_end()).await.unwrap());
        assert_eq!(follower.handle.status().stopped, None);
        follower.end().await.unwrap();
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 12, max_shrink_iters: 40, ..ProptestConfig::default() })]

    /// Two servers, of which one is stopped again and again and appends a record at a time, hold the same
    /// lines, and make the same bases, as a fold at once.
    #[test]
    fn restarts_and_batches_change_nothing(deeds in deeds(30), stops in prop::collection::vec(1..30u64, 0..4)) {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
        runtime.block_on(async {
            let (hub, dirs) = (MemoryStream::new(), [TempDir::new().unwrap(), TempDir::new().unwrap()]);
            for (dir, batch) in dirs.iter().zip([1, 8192]) {
                if batch == 1 {
                    send_all(&hub, &deeds).await;
                    for stop in &stops {
                        let running = Running::start(hub.clone(), dir.path(), batch).await;
                        running.reach((*stop).min(deeds.len() as u64)).await;
                        running.end().await.unwrap();
                    }
                }
                let running = Running::start(hub.clone(), dir.path(), batch).await;
                let status = running.reach(last(&hub).await).await;
                assert_eq!(status.stopped, None);
                running.end().await.unwrap();
            }
            let (one, other) = (stored(dirs[0].path()).await, stored(dirs[1].path()).await);
            assert_eq!(&one, &other);
            let whole = Folded::named(one.0, &hub.messages());
            assert_eq!(&one.1, &whole.lines);
            assert_eq!(messages(&deeds).len(), deeds.len());
            for published in bases(&hub) {
                let own = whole.bases.iter().find(|base| base.state.place == published.state.place).unwrap();
                assert_eq!(own.to_text(), published.to_text());
            }
        });
    }
}
