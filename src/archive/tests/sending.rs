//! What is sealed goes into the archive, once, and never in the place of something else.

use super::shop::{Mood, Server, Shop};
use crate::archive::Archiver;
use crate::archive::send::Outcome;
use crate::log::EventLog as _;
use crate::shutdown::Stop;
use crate::testing::{until, within};
use futures_util::future::join_all;
use tokio::time::Instant;

async fn archived(archiver: Archiver, last: u64) {
    let (stop, mut settled) = (Stop::new(), archiver.settled());
    let task = tokio::spawn(archiver.run(stop.shutdown()));
    within("the archive", settled.wait_for(|settled| *settled >= last)).await.unwrap();
    stop.stop();
    within("the end", task).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_sealed_segment_is_put_once_whoever_is_first() {
    let shop = Shop::new();
    let servers = join_all((0..3).map(|_| Server::of("a", 450))).await;
    let archivers: Vec<_> = servers.iter().map(|server| Archiver::new(shop.archive(), server.log())).collect();
    let handles: Vec<_> = archivers.iter().map(Archiver::handle).collect();
    join_all(archivers.into_iter().map(|archiver| archived(archiver, 400))).await;
    assert_eq!(shop.firsts().await, [1, 101, 201, 301]);
    let shown: Vec<_> = handles.iter().map(|handle| handle.get(Instant::now())).collect();
    assert_eq!(shown.iter().map(|it| it.stored).sum::<u64>(), 4, "{shown:?}");
    assert_eq!(shown.iter().map(|it| it.found).sum::<u64>(), 8, "{shown:?}");
    assert!(shown.iter().all(|it| it.differ + it.unfit + it.behind_records == 0 && it.warning.is_none() && it.is_up), "{shown:?}");
    for segment in servers[0].segments() {
        let whole = std::fs::read(segment.path()).unwrap();
        assert_eq!(shop.bytes(segment.first()).await.unwrap(), whole);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_race_has_one_winner_and_two_that_are_content() {
    let server = Server::of("a", 150).await;
    let segment = server.segments().remove(0);
    for mood in [Mood::Well, Mood::Forbids] {
        let shop = Shop::new();
        shop.be(mood);
        let archivers = [(); 8].map(|()| Archiver::new(shop.archive(), server.log()));
        let outcomes = join_all(archivers.iter().map(|archiver| archiver.once(&segment))).await;
        let outcomes: Vec<_> = outcomes.into_iter().map(Result::unwrap).collect();
        assert_eq!(outcomes.iter().filter(|outcome| **outcome == Outcome::Stored).count(), 1, "{outcomes:?}");
        assert_eq!(outcomes.iter().filter(|outcome| **outcome == Outcome::Found).count(), 7, "{outcomes:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn something_else_is_never_replaced_and_is_an_alarm() {
    let shop = Shop::new();
    let (server, other) = (Server::of("a", 550).await, Server::of("b", 450).await);
    // Of another history; cut off; altered within; nothing like it; nothing at all.
    let theirs = std::fs::read(other.segments()[0].path()).unwrap();
    let own: Vec<_> = server.segments().iter().map(|segment| std::fs::read(segment.path()).unwrap()).collect();
    let mut flipped = own[2].clone();
    let end = flipped.len() - 40;
    flipped[end] ^= 1;
    let strange = [theirs, own[1][..own[1].len() - 1].to_vec(), flipped, b"not a segment".to_vec(), Vec::new()];
    for (at, bytes) in (0u64..).zip(&strange) {
        shop.replace(at * 100 + 1, bytes.clone()).await;
    }
    let archiver = Archiver::new(shop.archive(), server.log());
    let handle = archiver.handle();
    archived(archiver, 500).await;
    let shown = handle.get(Instant::now());
    assert_eq!((shown.differ, shown.stored, shown.found), (5, 0, 0), "{shown:?}");
    let warning = shown.warning.unwrap();
    assert!(warning.contains("5 segments are otherwise") && warning.contains("00000000000000000401.jsonl.zst"), "{warning}");
    for (at, bytes) in (0u64..).zip(&strange) {
        assert_eq!(shop.bytes(at * 100 + 1).await.as_ref(), Some(bytes), "what is there stays");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_same_records_packed_otherwise_are_the_same() {
    let shop = Shop::new();
    let server = Server::of("a", 150).await;
    let segment = server.segments().remove(0);
    // Its index says that it is to be packed again, as that of another version may.
    let mut bytes = std::fs::read(segment.path()).unwrap();
    let at = bytes.windows(8).rposition(|window| window == b"shipslog").unwrap();
    bytes[at + 9] ^= 1;
    let fixed = 96 + 72;
    let crc = crc32fast::hash(&bytes[at..at + fixed + 8]);
    bytes[at + fixed + 8..at + fixed + 12].copy_from_slice(&crc.to_be_bytes());
    shop.replace(1, bytes).await;
    let archiver = Archiver::new(shop.archive(), server.log());
    assert_eq!(archiver.once(&segment).await.unwrap(), Outcome::Found);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_damaged_here_is_not_put() {
    let shop = Shop::new();
    let server = Server::of("a", 250).await;
    let path = server.segments()[0].path().to_owned();
    let mut bytes = std::fs::read(&path).unwrap();
    bytes[60] ^= 1;
    std::fs::write(&path, bytes).unwrap();
    let archiver = Archiver::new(shop.archive(), server.log());
    let handle = archiver.handle();
    archived(archiver, 200).await;
    assert_eq!(shop.firsts().await, [101]);
    let shown = handle.get(Instant::now());
    assert_eq!((shown.unfit, shown.stored), (1, 1));
    assert!(shown.warning.unwrap().contains("cannot be archived"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_answer_that_is_lost_or_a_kill_after_the_put_leaves_one_segment() {
    let shop = Shop::new();
    let server = Server::of("a", 250).await;
    shop.be(Mood::LosesAnswers);
    archived(Archiver::new(shop.archive(), server.log()), 200).await;
    assert_eq!(shop.firsts().await, [1, 101]);
    shop.be(Mood::Well);
    // As after a restart: nothing is known of what was done.
    let archiver = Archiver::new(shop.archive(), server.log());
    let handle = archiver.handle();
    archived(archiver, 200).await;
    assert_eq!((handle.get(Instant::now()).found, handle.get(Instant::now()).stored), (2, 0));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_dead_archive_is_told_and_keeps_nobody() {
    let shop = Shop::new();
    shop.be(Mood::Dead);
    let server = Server::of("a", 250).await;
    let archiver = Archiver::new(shop.archive(), server.log());
    let (handle, stop, mut settled) = (archiver.handle(), Stop::new(), archiver.settled());
    let task = tokio::spawn(archiver.run(stop.shutdown()));
    until("a warning", async || handle.get(Instant::now()).warning.is_some()).await;
    let shown = handle.get(Instant::now());
    assert!(!shown.is_up && shown.behind_records == 200, "{shown:?}");
    // It follows on, and is read.
    server.follow("a", 251, 420).await;
    assert_eq!((server.log().bounds().head, handle.get(Instant::now()).behind_records), (420, 400));
    shop.be(Mood::Well);
    within("the archive", settled.wait_for(|settled| *settled == 400)).await.unwrap();
    until("the end of the warning", async || handle.get(Instant::now()).warning.is_none()).await;
    assert_eq!(shop.firsts().await, [1, 101, 201, 301]);
    stop.stop();
    within("the end", task).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_held_is_archived_though_it_was_removed() {
    let shop = Shop::new();
    let server = Server::of("a", 350).await;
    let segment = server.segments().remove(0);
    server.log().trim(201).await.unwrap();
    assert!(!segment.path().exists());
    let archiver = Archiver::new(shop.archive(), server.log());
    assert_eq!(archiver.once(&segment).await.unwrap(), Outcome::Stored);
    assert_eq!(*archiver.settled().borrow(), 200, "what went before it began is not waited for");
    assert!(shop.found(1).await == Some(segment.bytes()));
    archived(archiver, 300).await;
    assert_eq!(shop.firsts().await, [1, 201]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_segment_that_cannot_be_put_or_read_keeps_no_other_one() {
    let shop = Shop::new();
    let server = Server::of("a", 450).await;
    archived(Archiver::new(shop.archive(), server.log()), 400).await;
    shop.remove(201).await;
    shop.remove(301).await;
    // It is there, where it cannot be read at once.
    shop.be(Mood::HasMoved(1));
    let archiver = Archiver::new(shop.archive(), server.log());
    let handle = archiver.handle();
    archived(archiver, 400).await;
    let shown = handle.get(Instant::now());
    assert_eq!((shown.found, shown.stored, shown.warning), (2, 2, None));

    shop.remove(301).await;
    shop.be(Mood::Breaks(101));
    let archiver = Archiver::new(shop.archive(), server.log());
    let (handle, stop, mut settled) = (archiver.handle(), Stop::new(), archiver.settled());
    let task = tokio::spawn(archiver.run(stop.shutdown()));
    until("the newest one", async || shop.firsts().await.contains(&301)).await;
    until("the others", async || handle.get(Instant::now()).behind_records == 100).await;
    let shown = handle.get(Instant::now());
    assert!(!shown.is_up && shown.warning.is_some_and(|why| why.contains("lacks 100 records")));
    assert_eq!(*settled.borrow(), 100, "retention waits for it");
    shop.be(Mood::Well);
    within("the archive", settled.wait_for(|settled| *settled == 400)).await.unwrap();
    until("the end of the warning", async || handle.get(Instant::now()).warning.is_none()).await;
    stop.stop();
    within("the end", task).await.unwrap();
}
