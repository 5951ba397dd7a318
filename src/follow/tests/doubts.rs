//! What a server must not believe at once, and what must not stop it.

use super::following::{Running, USUAL, bases, last, send, send_all, settings, stored};
use super::forks::{Server, epoch, expected, older_lines, reached, settle, settled};
use super::view::View;
use crate::cursor::LogId;
use crate::follow::testing::{Act, Host, TENANT, at, play};
use crate::follow::{BaseError, Earlier, Epoch, FollowError, Follower, Settings};
use crate::log::LogError;
use crate::shutdown::Stop;
use crate::stream::Subject;
use crate::stream::memory::{Fault, MemoryStream};
use crate::testing::{until, within};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;
use tempfile::TempDir;

async fn open(hub: &MemoryStream, dir: &Path, settings: &Settings) -> Result<Follower, FollowError> {
    let stop = Stop::new();
    Follower::open(Arc::new(hub.clone()), dir, settings, &stop.shutdown()).await.map(Option::unwrap)
}

/// A hub whose messages a server has stored, and that server's directory.
async fn followed() -> (MemoryStream, TempDir) {
    let (hub, dir) = (MemoryStream::new(), TempDir::new().unwrap());
    reached(&hub, dir.path()).await;
    send_all(&hub, &USUAL).await;
    reached(&hub, dir.path()).await;
    (hub, dir)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_log_that_is_opened_anew_waits_for_whoever_still_has_it() {
    let (hub, dir) = followed().await;
    let held = std::fs::File::open(dir.path().join("log/lock")).unwrap();
    held.try_lock().unwrap();
    let refused = open(&hub, dir.path(), &settings(8)).await;
    assert!(matches!(refused, Err(FollowError::Log(LogError::InUse(_)))), "another program has it");
    let (again, path) = (Settings { again: true, ..settings(8) }, dir.path().to_owned());
    let opening = tokio::spawn(async move { open(&hub, &path, &again).await });
    tokio::time::sleep(Duration::from_millis(50)).await;
    assert!(!opening.is_finished());
    drop(held);
    assert!(within("the log", opening).await.unwrap().is_ok());
}

#[tokio::test]
async fn a_disk_that_is_full_while_a_log_is_put_in_order_is_waited_for() {
    let (hub, dir) = followed().await;
    let mut follower = open(&hub, dir.path(), &settings(8)).await.unwrap();
    follower.failed = Some(FollowError::Log(LogError::Full { why: "as a test".to_owned(), stored: 0 }));
    let (handle, stop) = (follower.handle(), Stop::new());
    tokio::time::pause();
    let ended = follower.run(&stop.shutdown()).await.unwrap_err();
    assert!(ended.is_anew(), "{ended}");
    let status = handle.status();
    assert!(status.stopped.is_none() && status.warnings().any(|warning| warning.contains("as a test")), "{status:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_log_that_ends_before_its_id_does_is_not_opened_again_and_again() {
    let (hub, dir) = followed().await;
    let (before, head) = (epoch(&hub), older_lines(&hub));
    let earlier = vec![Earlier { fleet: before.fleet, at: last(&hub).await, last: head + 5 }];
    let told = Epoch { fleet: LogId::random(), earlier, began: before.began, fold: 1 };
    send(&hub, at(0), told.to_message(Subject::epoch(TENANT).unwrap())).await;
    let ended = within("its end", Server::start(&hub, dir.path()).task).await.unwrap().unwrap_err();
    assert!(matches!(ended, FollowError::Short { last, head: end } if (last, end) == (head + 5, head)), "{ended}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_that_leads_no_more_has_no_fleet_go_on_otherwise() {
    for restart in [false, true] {
        let (hub, dir) = (MemoryStream::new(), TempDir::new().unwrap());
        reached(&hub, dir.path()).await;
        send_all(&hub, &USUAL[..6]).await;
        let stale = hub.copy();
        for (arrived, out) in &play(&USUAL)[6..] {
            send(&hub, *arrived, out.clone()).await;
        }
        reached(&hub, dir.path()).await;
        let (before, newest) = (epoch(&hub), hub.copy());
        let patient = Settings { loss_after: Duration::from_secs(3), ..settings(8) };
        let running = if restart { None } else { Some(Server::start_with(&hub, dir.path(), patient.clone())) };
        if let Some(server) = &running {
            until("the server", async || server.now.lock().as_ref().is_some_and(|(_, handle)| handle.status().folded > 6)).await;
        }
        // For a moment the other node answers.
        hub.put_back(&stale);
        let server = running.unwrap_or_else(|| Server::start_with(&hub, dir.path(), patient));
        tokio::time::sleep(Duration::from_millis(700)).await;
        hub.put_back(&newest);
        send_all(&hub, &[(0, Act::Tenant, 1, 600)]).await;
        settled(&hub, vec![server], None).await;
        assert_eq!(epoch(&hub), before, "{restart}");
        assert_eq!(stored(dir.path()).await.1, expected(&hub), "{restart}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_hub_lacks_in_its_middle_is_a_loss_too() {
    let (hub, dir) = followed().await;
    let (before, place) =
        (epoch(&hub), hub.messages().iter().rev().find(|message| matches!(message.subject, Subject::Host { .. })).unwrap().place);
    send_all(&hub, &[(0, Act::Tenant, 1, 600)]).await;
    let view = View { lacks: Some(place), ..View::of(&hub) };
    let running = Running::start(view, dir.path(), 8).await;
    let ended = running.ended().await.unwrap_err();
    assert!(ended.is_anew(), "{ended}");
    let after = epoch(&hub);
    assert_eq!((after.earlier[0].fleet, after.at() < place), (before.fleet, true));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_loss_of_what_only_others_had_read_gives_another_id() {
    let (hub, dir) = (MemoryStream::new(), TempDir::new().unwrap());
    reached(&hub, dir.path()).await;
    send_all(&hub, &USUAL[..6]).await;
    let (older, head, end) = (hub.copy(), older_lines(&hub), last(&hub).await);
    for (arrived, out) in &play(&USUAL)[6..] {
        send(&hub, *arrived, out.clone()).await;
    }
    // It lags.
    let view = View::of(&hub);
    let until = Arc::clone(&view.until);
    until.store(end, Relaxed);
    let running = Running::start(view, dir.path(), 8).await;
    assert_eq!(running.reach(end).await.stopped, None);
    let mut status = running.handle.watch();
    within("the end", status.wait_for(|status| status.hub_last > Some(end))).await.unwrap();
    let before = epoch(&hub);
    hub.put_back(&older);
    // As many messages come as there were, and others.
    let mut host = Host::new("late", 9);
    for _ in 6..USUAL.len() + 5 {
        let message = host.send(2);
        send(&hub, at(i64::MAX / 16), host.outgoing(&message)).await;
    }
    within("a doubt", status.wait_for(|status| status.fallen)).await.unwrap();
    until.store(u64::MAX, Relaxed);
    let ended = running.ended().await.unwrap_err();
    assert!(ended.is_anew(), "{ended}");
    let after = epoch(&hub);
    assert_eq!((after.earlier[0].fleet, after.earlier[0].last), (before.fleet, head));
    let all = settle(&hub, &[dir.path()]).await;
    assert_eq!(all[0].1, expected(&hub));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_same_block_that_comes_again_earlier_is_a_loss_of_the_hub() {
    let (hub, dir) = (MemoryStream::new(), TempDir::new().unwrap());
    reached(&hub, dir.path()).await;
    send_all(&hub, &USUAL[..4]).await;
    reached(&hub, dir.path()).await;
    let (older, mut host) = (hub.copy(), Host::new("late", 9));
    let message = host.send(2);
    let second = 1_000_000_000;
    send(&hub, at(7_000 * second), host.outgoing(&message)).await;
    reached(&hub, dir.path()).await;
    let before = epoch(&hub);
    hub.put_back(&older);
    send(&hub, at(6_990 * second), host.outgoing(&message)).await;
    let server = Server::start(&hub, dir.path());
    until("a new id", async || epoch(&hub).fleet != before.fleet).await;
    settled(&hub, vec![server], None).await;
    assert_eq!(stored(dir.path()).await.1, expected(&hub));
}

#[tokio::test(flavor = "multi_thread")]
async fn no_fleet_begins_where_the_stream_has_lost_its_beginning() {
    let (hub, cold) = (MemoryStream::new(), TempDir::new().unwrap());
    send_all(&hub, &USUAL).await;
    hub.trim_before(5);
    let refused = open(&hub, cold.path(), &settings(8)).await.err().unwrap();
    assert!(matches!(refused, FollowError::NoBeginning { first: 5 }), "{refused}");
    assert!(hub.messages().iter().all(|message| matches!(message.subject, Subject::Host { .. })), "nothing was published");
    // And one that begins beside a server that has all is followed by nobody.
    let (hub, dir) = followed().await;
    let before = epoch(&hub);
    let running = Running::start(hub.clone(), dir.path(), 8).await;
    send_all(&hub, &[(0, Act::Tenant, 1, 600)]).await;
    assert_eq!(running.reach(last(&hub).await).await.stopped, None);
    send(&hub, at(0), Epoch::begin(4).to_message(Subject::epoch(TENANT).unwrap())).await;
    let ended = running.ended().await.unwrap_err();
    assert!(matches!(ended, FollowError::Begun { .. }), "{ended}");
    assert_eq!((stored(dir.path()).await.0, std::fs::read_dir(dir.path()).unwrap().count()), (before.fleet, 1));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_base_that_cannot_be_published_is_told() {
    let (hub, dir) = (MemoryStream::new(), TempDir::new().unwrap());
    reached(&hub, dir.path()).await;
    send_all(&hub, &USUAL).await;
    (0..20).for_each(|_| hub.fail_publish(Fault::Refused));
    let running = Running::start(hub.clone(), dir.path(), 8).await;
    let status = running.reach(last(&hub).await).await;
    assert!(status.warnings().any(|warning| warning.contains("may not publish")), "{status:?}");
    assert!(status.stopped.is_none() && status.is_ready(tokio::time::Instant::now()));
    running.end().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn of_two_servers_that_differ_the_one_that_is_wrong_stops() {
    let (hub, dirs) = (MemoryStream::new(), [TempDir::new().unwrap(), TempDir::new().unwrap()]);
    reached(&hub, dirs[0].path()).await;
    send_all(&hub, &USUAL).await;
    // Its memory fails once, and it is the first to publish.
    let altered = hub.messages()[4].place;
    let wrong = Running::start(View { alters: altered, ..View::of(&hub) }, dirs[1].path(), 1).await;
    assert_eq!(wrong.reach(last(&hub).await).await.stopped, None);
    let published = bases(&hub).len();
    assert!(published > 1);
    let sound = Running::start(hub.clone(), dirs[0].path(), 1).await;
    assert_eq!(sound.reach(last(&hub).await).await.stopped, None);
    // The next base is the sound one's, or it is compared with that.
    let mut host = Host::new("late", 9);
    for n in 0..40 {
        if wrong.handle.status().stopped.is_some() {
            break;
        }
        let message = host.send(1);
        let place = send(&hub, at((40_000 + 4_000 * n) * 1_000_000_000), host.outgoing(&message)).await;
        assert_eq!(sound.reach(place).await.stopped, None, "{n}");
        wrong.reach(place).await;
    }
    let status = sound.handle.status();
    assert!(status.warnings().next().is_some(), "{status:?}");
    let ended = wrong.ended().await.unwrap_err();
    assert!(matches!(ended, FollowError::Base(BaseError::Differs { .. })), "{ended}");
    assert_eq!(sound.handle.status().stopped, None);
    sound.end().await.unwrap();
    // Restarted, it does not take what the other one has published.
    let again = Running::start(hub.clone(), dirs[0].path(), 1).await;
    assert_eq!(again.reach(last(&hub).await).await.stopped, None);
    again.end().await.unwrap();
    assert_eq!(stored(dirs[0].path()).await.1, expected(&hub));
}
