//! The archive of a fleet whose log has gone on under another id.

use super::shop::{SEGMENT, Server, Shop, close, fleet, held, limits, read, record};
use crate::archive::send::Outcome;
use crate::archive::{Archiver, Fetch, Wanted};
use crate::cursor::{LogId, Sequence};
use crate::log::{EventLog as _, Follow, FollowerLog, Fork, Forked, Ids};
use crate::shutdown::Stop;
use crate::testing::within;
use std::path::Path;
use std::sync::Arc;
use tempfile::TempDir;

fn new() -> LogId {
    LogId::from_bytes([2; 16])
}

async fn archive(shop: &Arc<Shop>, server: &Server) -> Vec<Outcome> {
    let archiver = Archiver::new(shop.archive(), server.log());
    let mut outcomes = Vec::new();
    for segment in server.segments() {
        outcomes.push(archiver.once(&segment).await.unwrap());
    }
    outcomes
}

/// A server that had archived up to 200 when the hub lost what came after 150, and one that went on from
/// there under the new id.
async fn servers() -> (Server, Server) {
    let server = Server::of("a", 150).await.fork(new()).await;
    server.follow("b", 151, 350).await;
    (Server::of("a", 250).await, server)
}

async fn fetch(shop: &Arc<Shop>, dir: &Path, follow: &Follow, ids: &Ids) {
    let (stop, wanted) = (Stop::new(), Wanted { segment_records: SEGMENT, bytes: None, age: None });
    let mut fetch = Fetch::new(shop.archive(), dir, wanted);
    let assembly = within("the archive", fetch.gather(follow, ids, &stop.shutdown())).await.unwrap().unwrap();
    assembly.finish(follow, ids, limits()).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_archived_before_the_hub_lost_it_is_no_alarm() {
    let shop = Shop::new();
    let (before, after) = servers().await;
    archive(&shop, &before).await;
    assert_eq!(shop.firsts().await, [1, 101]);
    // Of the second one, the first 50 records are this server's.
    assert_eq!(archive(&shop, &after).await, [Outcome::Found, Outcome::Found, Outcome::Stored, Outcome::Stored]);
    // Wherever the id ends; but not with another history.
    let other = Server::of("a", 130).await.fork(new()).await;
    other.follow("b", 131, 250).await;
    let outcomes = archive(&shop, &other).await;
    assert!(matches!(outcomes[..], [Outcome::Found, Outcome::Found, ..]), "{outcomes:?}");
    let wrong = Server::of("b", 150).await.fork(new()).await;
    wrong.follow("b", 151, 250).await;
    let outcomes = archive(&shop, &wrong).await;
    assert!(matches!(outcomes[..], [Outcome::Differs(_), Outcome::Differs(_), ..]), "{outcomes:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cold_server_begins_with_what_every_id_has() {
    let (before, after) = servers().await;
    let ids = Ids { log: new(), ancestors: vec![(fleet(), 150)] };
    let all = read(&after.log()).await.0;
    let line = |seq: Sequence| all[usize::try_from(seq).unwrap() - 1].clone();
    let lines = |range: std::ops::RangeInclusive<Sequence>| range.map(line).collect::<Vec<_>>();
    for is_old_there in [false, true] {
        let shop = Shop::new();
        if is_old_there {
            archive(&shop, &before).await;
        }
        archive(&shop, &after).await;
        // The stream begins under the new id: within a segment, and after the newest.
        for last in [270, 320] {
            let dir = TempDir::new().unwrap();
            fetch(&shop, dir.path(), &Follow { log: new(), ..after.follow_after(last).await }, &ids).await;
            assert_eq!(FollowerLog::ids(dir.path()).unwrap(), Some(ids.clone()));
            let (own, gaps, next) = held(dir.path(), 0).await;
            // Where what the archive has goes on otherwise within, nothing of it can be a segment here.
            // What is missing at the end shows with the record after it.
            let missing = if is_old_there { vec![(101, 150)] } else { Vec::new() };
            let expected = if is_old_there { [lines(1..=100), lines(151..=last.min(300))].concat() } else { lines(1..=last.min(300)) };
            assert_eq!((gaps, next), (missing, last + 1), "{last} {is_old_there}");
            assert!(own == expected, "{last} {is_old_there}");
        }
        // It begins with the new id, and under the old one.
        for (last, log) in [(150, new()), (120, fleet())] {
            let dir = TempDir::new().unwrap();
            let ids = if log == new() { ids.clone() } else { Ids::only(log) };
            fetch(&shop, dir.path(), &Follow { log, ..after.follow_after(last).await }, &ids).await;
            let (own, gaps, next) = held(dir.path(), 0).await;
            assert_eq!((gaps, next), (Vec::new(), last + 1), "{last} {is_old_there}");
            assert!(own == lines(1..=last), "{last} {is_old_there}");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_log_that_began_with_an_archive_goes_on_under_another_id() {
    let shop = Shop::new();
    let server = Server::of("a", 250).await;
    archive(&shop, &server).await;
    // The fork lies after where the stream began, and before.
    for last in [150, 110] {
        let dir = TempDir::new().unwrap();
        fetch(&shop, dir.path(), &server.follow_after(120).await, &Ids::only(fleet())).await;
        let follow = FollowerLog::found(dir.path()).unwrap().unwrap();
        let (log, ..) = FollowerLog::open_with(dir.path(), &follow, limits()).unwrap();
        log.append_at(121, (121..=180).map(|seq| record("a", seq)).collect()).await.unwrap();
        assert_eq!(log.log().bounds().head, 180);
        close(log, dir.path()).await;
        let forked = FollowerLog::fork(dir.path(), Fork { last, log: new() }, limits()).await.unwrap();
        assert!(matches!(forked, Forked::SetAside(_)), "{last}: {forked:?}");
        let (own, gaps, next) = held(dir.path(), 0).await;
        assert_eq!((gaps, next), (Vec::new(), last + 1), "{last}");
        assert!(own == super::shop::lines("a", 1..=last), "{last}");
    }
}
