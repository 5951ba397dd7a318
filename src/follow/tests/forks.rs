//! A hub that lost messages which it had acknowledged, and the servers that go on.

use super::following::{Running, USUAL, bases, last, lines, send, send_all, settings, stored};
use crate::cursor::LogId;
use crate::follow::testing::{Act, Deed, Folded, deeds, play};
use crate::follow::{Epoch, FollowError, Follower, Handle, Settings};
use crate::log::{EmbeddedLog, EventLog, FollowerLog, Ids};
use crate::shutdown::Stop;
use crate::stream::Subject;
use crate::stream::memory::{Fault, MemoryStream};
use crate::testing::{until, within};
use crate::time::Timestamp;
use parking_lot::Mutex;
use proptest::prelude::*;
use std::path::Path;
use std::sync::Arc;
use tempfile::TempDir;
use tokio::task::JoinHandle;

/// A server that opens its log anew as often as it is told to.
pub(super) struct Server {
    stop: Stop,
    pub(super) task: JoinHandle<Result<(), FollowError>>,
    /// The log that it has open, and how far it is.
    pub(super) now: Arc<Mutex<Option<(Ids, Handle)>>>,
}

impl Server {
    pub(super) fn start(hub: &MemoryStream, dir: &Path) -> Self {
        Self::start_with(hub, dir, settings(8))
    }

    pub(super) fn start_with(hub: &MemoryStream, dir: &Path, settings: Settings) -> Self {
        let (stop, hub, dir) = (Stop::new(), hub.clone(), dir.to_owned());
        let (shutdown, now) = (stop.shutdown(), Arc::new(Mutex::new(None)));
        let shown = Arc::clone(&now);
        let task = tokio::spawn(async move {
            for turn in 0..20 {
                let settings = Settings { again: turn > 0, ..settings.clone() };
                let Some(follower) = Follower::open(Arc::new(hub.clone()), &dir, &settings, &shutdown).await? else { return Ok(()) };
                let ids = follower.ids();
                *shown.lock() = Some((ids, follower.handle()));
                let done = follower.run(&shutdown).await;
                *shown.lock() = None;
                match done {
                    Err(e) if e.is_anew() => {}
                    done => {
                        // Whoever asked for the end opens the log.
                        FollowerLog::released(&dir).await?;
                        return done;
                    }
                }
            }
            panic!("it opens its log again and again");
        });
        Self { stop, task, now }
    }

    pub(super) async fn end(self) -> Result<(), FollowError> {
        self.stop.stop();
        within("the end", self.task).await.unwrap()
    }
}

/// Waits until servers have everything that the hub has, under the id that its newest epoch tells, and stops
/// them.
pub(super) async fn settled(hub: &MemoryStream, servers: Vec<Server>, fleet: Option<LogId>) {
    until("one id and all records", async || {
        let (fleet, end) = (fleet.unwrap_or_else(|| epoch(hub).fleet), last(hub).await);
        let there = |server: &Server| {
            let now = server.now.lock();
            assert!(!server.task.is_finished() || now.is_some(), "a server has stopped");
            now.as_ref().is_some_and(|(ids, handle)| ids.log == fleet && handle.status().folded >= end)
        };
        servers.iter().all(there)
    })
    .await;
    for server in servers {
        server.end().await.unwrap();
    }
}

/// Starts servers, waits until they are settled, and says what they hold.
pub(super) async fn settle(hub: &MemoryStream, dirs: &[&Path]) -> Vec<(LogId, Vec<String>)> {
    settled(hub, dirs.iter().map(|dir| Server::start(hub, dir)).collect(), None).await;
    let mut all = Vec::new();
    for dir in dirs {
        all.push(stored(dir).await);
    }
    all
}

/// The newest epoch.
pub(super) fn epoch(hub: &MemoryStream) -> Epoch {
    let messages = hub.messages();
    let message = messages.iter().rev().find(|message| matches!(message.subject, Subject::Epoch { .. })).unwrap();
    Epoch::of_message(message).unwrap()
}

/// What the stream gives under the ids that its newest epoch tells.
pub(super) fn expected(hub: &MemoryStream) -> Vec<String> {
    let epoch = epoch(hub);
    let ids = Ids { log: epoch.fleet, ancestors: epoch.earlier.iter().map(|earlier| (earlier.fleet, earlier.last)).collect() };
    let mut folded = Folded::begin();
    let mut lines = Vec::new();
    for message in hub.messages().iter().filter(|message| message.place > epoch.began) {
        let first = folded.state.next;
        let step = folded.take(message);
        lines.extend((first..).zip(&step.records).map(|(seq, record)| record.to_line(ids.at(seq), seq)));
    }
    lines
}

/// The messages of `deeds` from `from` on, as they come again after a loss: in another order among hosts, and
/// later.
pub(super) async fn send_again(hub: &MemoryStream, deeds: &[Deed], from: usize) {
    let mut rest: Vec<_> = play(deeds).split_off(from);
    rest.sort_by_key(|(_, out)| std::cmp::Reverse(out.subject.to_string()));
    for (arrived, out) in rest {
        send(hub, arrived.checked_add(std::time::Duration::from_secs(36_000)).unwrap(), out).await;
    }
}

/// The lines of the log that was set aside, of the fleet's id `of`.
async fn aside(dir: &Path, of: LogId) -> Vec<String> {
    let log = EmbeddedLog::open_read_only(&dir.join(format!("log.before-{}", &of.to_string()[..8]))).unwrap();
    lines(&log, 0).await
}

/// A server that has the first `count` messages of a hub, which has no more yet.
pub(super) async fn reached(hub: &MemoryStream, dir: &Path) {
    let running = Running::start(hub.clone(), dir, 8).await;
    running.reach(last(hub).await).await;
    running.end().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn servers_ahead_and_behind_go_on_under_one_id_after_a_hub_was_put_back() {
    for (restart, fault) in [
        (false, None),
        (true, None),
        (false, Some(Fault::StoredUnanswered)),
        (true, Some(Fault::LostUnanswered)),
        (true, Some(Fault::Unavailable)),
    ] {
        let (hub, dirs) = (MemoryStream::new(), [(); 4].map(|()| TempDir::new().unwrap()));
        let [first, second, behind, cold] = [0, 1, 2, 3].map(|n: usize| dirs[n].path());
        reached(&hub, behind).await;
        send_all(&hub, &USUAL[..3]).await;
        reached(&hub, behind).await;
        let rest = play(&USUAL);
        for (arrived, out) in &rest[3..6] {
            send(&hub, *arrived, out.clone()).await;
        }
        let older = hub.copy();
        for (arrived, out) in &rest[6..] {
            send(&hub, *arrived, out.clone()).await;
        }
        reached(&hub, first).await;
        reached(&hub, second).await;
        let before = stored(first).await;
        let running: Vec<_> = if restart { Vec::new() } else { [first, second].map(|dir| Server::start(&hub, dir)).into() };
        for server in &running {
            until("the server", async || server.now.lock().as_ref().is_some_and(|(_, handle)| handle.status().folded > 6)).await;
        }
        hub.put_back(&older);
        let kept = older_lines(&hub);
        if restart {
            send_again(&hub, &USUAL, 6).await;
        }
        if let Some(fault) = fault {
            hub.fail_publish(fault);
        }
        let servers = if restart { [first, second].map(|dir| Server::start(&hub, dir)).into() } else { running };
        // Nothing tells a server that was behind, or is new, but what the first ones say.
        until("a new id", async || epoch(&hub).fleet != before.0).await;
        if !restart {
            send_again(&hub, &USUAL, 6).await;
        }
        settled(&hub, servers, None).await;
        let all = settle(&hub, &[first, second, behind, cold]).await;
        let epoch = epoch(&hub);
        let fork = epoch.earlier[0].last;
        assert_eq!((epoch.earlier.len(), epoch.earlier[0].fleet, fork), (1, before.0, kept), "{restart} {fault:?}");
        for server in &all {
            assert_eq!(server.0, epoch.fleet, "{restart} {fault:?}");
            assert_eq!(server.1, expected(&hub), "{restart} {fault:?}");
        }
        // What the hub lost is where it was, and its cursors are good up to the fork.
        for dir in [first, second] {
            assert_eq!(aside(dir, before.0).await, before.1);
        }
        let follow = FollowerLog::found(first).unwrap().unwrap();
        let (log, ..) = FollowerLog::open_with(first, &follow, settings(1).limits).unwrap();
        assert!(log.log().owns(before.0.cursor(fork)) && !log.log().owns(before.0.cursor(fork + 1)));
        assert!(log.log().owns(epoch.fleet.cursor(fork + 1)));
    }
}

/// How many records the hub's messages give.
pub(super) fn older_lines(hub: &MemoryStream) -> u64 {
    Folded::of(&hub.messages()).lines.len() as u64
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_that_was_made_anew_begins_a_fleet_and_the_old_log_is_set_aside() {
    for restart in [false, true] {
        let (hub, dirs) = (MemoryStream::new(), [TempDir::new().unwrap(), TempDir::new().unwrap()]);
        send_all(&hub, &USUAL).await;
        reached(&hub, dirs[0].path()).await;
        reached(&hub, dirs[1].path()).await;
        let before = stored(dirs[0].path()).await;
        let running: Vec<_> = if restart { Vec::new() } else { dirs.each_ref().map(|dir| Server::start(&hub, dir.path())).into() };
        for server in &running {
            until("the server", async || server.now.lock().as_ref().is_some_and(|(_, handle)| handle.status().folded > 6)).await;
        }
        hub.make_again(Timestamp::from_nanos(1_900_000_000_000_000_000));
        let servers: Vec<_> = if restart { dirs.each_ref().map(|dir| Server::start(&hub, dir.path())).into() } else { running };
        until("a new fleet", async || !hub.messages().is_empty()).await;
        send_again(&hub, &USUAL, 0).await;
        settled(&hub, servers, None).await;
        let all = settle(&hub, &[dirs[0].path(), dirs[1].path()]).await;
        assert!(all[0] == all[1] && all[0].0 != before.0 && all[0].1 == expected(&hub), "{restart}");
        assert_eq!(aside(dirs[0].path(), before.0).await, before.1);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hub_that_is_put_back_again_has_forgotten_the_fork_too() {
    let (hub, dirs) = (MemoryStream::new(), [(); 3].map(|()| TempDir::new().unwrap()));
    let [first, away, cold] = [0, 1, 2].map(|n: usize| dirs[n].path());
    send_all(&hub, &USUAL[..3]).await;
    reached(&hub, first).await;
    let rest = play(&USUAL);
    for (arrived, out) in &rest[3..5] {
        send(&hub, *arrived, out.clone()).await;
    }
    let older = hub.copy();
    for (arrived, out) in &rest[5..9] {
        send(&hub, *arrived, out.clone()).await;
    }
    for dir in [first, away] {
        reached(&hub, dir).await;
    }
    let ids = stored(first).await.0;
    // One server stays away meanwhile.
    hub.put_back(&older);
    settle(&hub, &[first]).await;
    let forked = hub.copy();
    let second = epoch(&hub).fleet;
    // Its id is forgotten while nothing has come under it, and then once more when something has.
    hub.put_back(&older);
    send_again(&hub, &USUAL, 5).await;
    settle(&hub, &[first]).await;
    let third = epoch(&hub);
    assert_eq!(third.earlier.iter().map(|earlier| earlier.fleet).collect::<Vec<_>>(), [ids, second]);
    hub.put_back(&forked);
    send_again(&hub, &USUAL, 5).await;
    let all = settle(&hub, &[first]).await;
    assert_eq!(all[0].1, expected(&hub));
    let all = settle(&hub, &[first, away, cold]).await;
    for server in &all {
        assert_eq!((server.0, &server.1), (epoch(&hub).fleet, &expected(&hub)));
    }
    // Those who come late behind what was trimmed have the same, and their bases agree.
    let late = TempDir::new().unwrap();
    send_all(&hub, &[(0, Act::Tenant, 1, 6000); 3]).await;
    settle(&hub, &[first, away]).await;
    let known = bases(&hub);
    let base = known.iter().find(|base| base.state.place > epoch(&hub).at()).unwrap();
    hub.trim_before(base.state.place + 1);
    settled(&hub, [first, late.path()].map(|dir| Server::start(&hub, dir)).into(), Some(all[0].0)).await;
    let all = [stored(first).await, stored(late.path()).await];
    assert!(all[0].1.ends_with(&all[1].1) && all[0].1.len() >= all[1].1.len());
    assert_eq!(all[0].0, all[1].0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_loss_of_messages_without_records_changes_no_id() {
    for restart in [false, true] {
        let (hub, dir) = (MemoryStream::new(), TempDir::new().unwrap());
        reached(&hub, dir.path()).await;
        send_all(&hub, &USUAL[..4]).await;
        let older = hub.copy();
        send_all(&hub, &[(0, Act::Tenant, 1, 3); 4]).await;
        reached(&hub, dir.path()).await;
        let before = stored(dir.path()).await;
        let running: Vec<_> = if restart { Vec::new() } else { vec![Server::start(&hub, dir.path())] };
        for server in &running {
            until("the server", async || server.now.lock().as_ref().is_some_and(|(_, handle)| handle.status().folded > 6)).await;
        }
        hub.put_back(&older);
        for (arrived, out) in &play(&USUAL)[4..] {
            send(&hub, *arrived, out.clone()).await;
        }
        let servers = if restart { vec![Server::start(&hub, dir.path())] } else { running };
        settled(&hub, servers, None).await;
        let after = stored(dir.path()).await;
        assert_eq!((after.0, &after.1), (before.0, &expected(&hub)), "{restart}");
        assert!(after.1.len() > before.1.len() && std::fs::read_dir(dir.path()).unwrap().count() == 1);
    }
}

/// Alters a record in the middle of what a server stores.
async fn damaged(hub: &MemoryStream, dir: &Path) {
    let fleet = epoch(hub).fleet;
    let follow = crate::log::Follow::whole(fleet);
    let (log, ..) = FollowerLog::open_with(dir, &follow, settings(1).limits).unwrap();
    let mut folded = Folded::named(fleet, &[]);
    for message in hub.messages() {
        let first = folded.state.next;
        let mut records = folded.take(&message).records;
        if first == 6 {
            records[1].source = "other".into();
        }
        log.append_at(first, records).await.unwrap();
    }
    log.log().close().await.unwrap();
    drop(log);
    let lock = dir.join("log/lock");
    tokio::task::spawn_blocking(move || std::fs::File::open(lock).unwrap().lock().unwrap()).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_is_wrong_alone_takes_nobody_with_it() {
    let (hub, dirs) = (MemoryStream::new(), [TempDir::new().unwrap(), TempDir::new().unwrap()]);
    reached(&hub, dirs[0].path()).await;
    send_all(&hub, &USUAL[..7]).await;
    damaged(&hub, dirs[1].path()).await;
    let before = epoch(&hub);
    let wrong = Server::start(&hub, dirs[1].path());
    let ended = within("its end", wrong.task).await.unwrap().unwrap_err();
    assert!(matches!(ended, FollowError::Unlike { .. }), "{ended}");
    assert_eq!(epoch(&hub), before);
    // Nor does one that asks another tenant's fleet.
    let strange = Settings { tenant: "other".to_owned(), ..settings(8) };
    reached(&hub, dirs[0].path()).await;
    let stop = Stop::new();
    let follower = Follower::open(Arc::new(hub.clone()), dirs[0].path(), &strange, &stop.shutdown()).await.unwrap().unwrap();
    let ended = within("its end", follower.run(&stop.shutdown())).await.unwrap_err();
    assert!(matches!(ended, FollowError::Unknown), "{ended}");
    assert!(!dirs.iter().any(|dir| std::fs::read_dir(dir).unwrap().count() > 1), "nothing is set aside");
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 12, max_shrink_iters: 40, ..ProptestConfig::default() })]

    /// Wherever the hub lost its tail, and wherever two servers were then: they hold the same, and every
    /// record that the stream gives.
    #[test]
    fn a_loss_anywhere_is_gone_over(deeds in deeds(30), at in 1..30usize, progress in (0..30usize, 0..30usize), lost in 1..30usize) {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
        runtime.block_on(async {
            let (hub, dirs) = (MemoryStream::new(), [TempDir::new().unwrap(), TempDir::new().unwrap()]);
            let (at, end) = (at.min(deeds.len() - 1), (at + lost).min(deeds.len()));
            reached(&hub, dirs[0].path()).await;
            let mut older = hub.copy();
            for (nth, (arrived, out)) in play(&deeds).into_iter().take(end).enumerate() {
                if nth == at {
                    older = hub.copy();
                }
                send(&hub, arrived, out).await;
                for (dir, stop) in dirs.iter().zip([progress.0, progress.1]) {
                    if nth == stop {
                        reached(&hub, dir.path()).await;
                    }
                }
            }
            hub.put_back(&older);
            send_again(&hub, &deeds, at).await;
            let servers = dirs.iter().map(|dir| Server::start(&hub, dir.path())).collect::<Vec<_>>();
            settled(&hub, servers, None).await;
            let all = settle(&hub, &[dirs[0].path(), dirs[1].path()]).await;
            assert_eq!(all[0], all[1]);
            assert_eq!(all[0].1, expected(&hub));
        });
    }
}
