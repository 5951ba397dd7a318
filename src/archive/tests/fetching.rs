//! A cold server begins with what the archive has, and with nothing that does not belong there.

use super::shop::{Mood, SEGMENT, Server, Shop, fleet, held, limits, lines, unfinished};
use crate::archive::{Archiver, Fetch, FetchError, MAX_OBJECT_BYTES, Wanted};
use crate::log::{Follow, FollowerLog, Ids};
use crate::shutdown::Stop;
use crate::testing::within;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use tempfile::TempDir;

const ALL: Wanted = Wanted { segment_records: SEGMENT, bytes: None, age: None };

/// A warm server of 1,050 records whose 10 segments are in the archive.
async fn warm(shop: &Arc<Shop>) -> Server {
    let server = Server::of("a", 1050).await;
    let archiver = Archiver::new(shop.archive(), server.log());
    for segment in server.segments() {
        archiver.once(&segment).await.unwrap();
    }
    server
}

/// Fetches into `dir` and makes the log; `false` where there was nothing.
async fn fetch(shop: &Arc<Shop>, dir: &Path, follow: &Follow, wanted: Wanted) -> Result<bool, FetchError> {
    let stop = Stop::new();
    let mut fetch = Fetch::new(shop.archive(), dir, wanted);
    let ids = Ids::only(follow.log);
    match within("the archive", fetch.gather(follow, &ids, &stop.shutdown())).await? {
        Some(assembly) => assembly.finish(follow, &ids, limits()).await.map(|()| true).map_err(Into::into),
        None => Ok(false),
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cold_server_has_what_the_others_have() {
    let shop = Shop::new();
    let server = warm(&shop).await;
    // The stream begins within a segment, at its end, and after the last one that is archived.
    for last in [640, 700, 701, 1000, 90] {
        let dir = TempDir::new().unwrap();
        let follow = server.follow_after(last).await;
        assert!(fetch(&shop, dir.path(), &follow, ALL).await.unwrap());
        let (own, gaps, went_on) = held(dir.path(), 1050).await;
        assert!(own == lines("a", 1..=1050), "{last}: other lines");
        assert_eq!((gaps, went_on), (Vec::new(), last + 1), "{last}");
        assert!(!dir.path().join("log.fetching").exists());
    }
    // Nothing lies before the first record.
    let dir = TempDir::new().unwrap();
    assert!(!fetch(&shop, dir.path(), &Follow::whole(fleet()), ALL).await.unwrap());
    assert!(!dir.path().join("log.fetching").exists());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_missing_or_damaged_is_a_gap() {
    let server = warm(&Shop::new()).await;
    let other = Server::of("b", 1050).await;
    let segments = server.segments();
    let whole = |at: usize| std::fs::read(segments[at].path()).unwrap();
    let (mut flipped, mut end) = (whole(3), whole(3));
    flipped[70] ^= 1;
    let at = end.len() - 30;
    end[at] ^= 1;
    let damage: [Option<Vec<u8>>; 7] = [
        None,
        Some(flipped),
        Some(end),
        Some(whole(3)[..200].to_vec()),
        Some(Vec::new()),
        // Whole, under another name; whole, and of another history.
        Some(whole(4)),
        Some(std::fs::read(other.segments()[3].path()).unwrap()),
    ];
    for (case, bytes) in damage.into_iter().enumerate() {
        let shop = Shop::new();
        for segment in &segments {
            shop.replace(segment.first(), std::fs::read(segment.path()).unwrap()).await;
        }
        match bytes {
            Some(bytes) => shop.replace(301, bytes).await,
            None => shop.remove(301).await,
        }
        let dir = TempDir::new().unwrap();
        assert!(fetch(&shop, dir.path(), &server.follow_after(950).await, ALL).await.unwrap());
        assert_eq!(unfinished(&dir.path().join("log")), 0);
        let (own, gaps, next) = held(dir.path(), 1050).await;
        assert_eq!((gaps, next), (vec![(301, 400)], 951), "case {case}");
        assert!(own == [lines("a", 1..=300), lines("a", 401..=1050)].concat(), "case {case}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_archive_of_another_history_is_not_believed() {
    let shop = Shop::new();
    let (server, other) = (Server::of("a", 1050).await, Server::of("b", 1050).await);
    for segment in other.segments() {
        shop.replace(segment.first(), std::fs::read(segment.path()).unwrap()).await;
    }
    // The one that reaches the stream is refused; what lies before it says nothing for or against itself.
    let dir = TempDir::new().unwrap();
    assert!(fetch(&shop, dir.path(), &server.follow_after(150).await, ALL).await.unwrap());
    let (_, gaps, next) = held(dir.path(), 1050).await;
    assert_eq!((gaps, next), (vec![(101, 150)], 151));
    let dir = TempDir::new().unwrap();
    assert!(!fetch(&shop, dir.path(), &server.follow_after(50).await, ALL).await.unwrap());
    // One whose beginning is right, and which goes on otherwise after where the stream begins.
    let forged = Server::of("a", 640).await;
    forged.follow("b", 641, 750).await;
    shop.replace(601, std::fs::read(forged.segments()[6].path()).unwrap()).await;
    let dir = TempDir::new().unwrap();
    assert!(fetch(&shop, dir.path(), &server.follow_after(640).await, ALL).await.unwrap());
    let (own, gaps, next) = held(dir.path(), 1050).await;
    // The one before it is of the other history still.
    assert_eq!((gaps, next), (vec![(501, 600)], 641));
    assert!(own.ends_with(&lines("a", 601..=1050)), "nothing that the stream does not bear out");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_archive_that_ends_before_the_stream_begins_leaves_a_gap() {
    let shop = Shop::new();
    let server = warm(&shop).await;
    for first in [701, 801, 901] {
        shop.remove(first).await;
    }
    for first in [1, 101] {
        shop.remove(first).await;
    }
    let dir = TempDir::new().unwrap();
    assert!(fetch(&shop, dir.path(), &server.follow_after(1010).await, ALL).await.unwrap());
    for _ in 0..2 {
        let (own, gaps, _) = held(dir.path(), 1050).await;
        // What lies before the oldest is told as what retention has removed.
        assert_eq!(gaps, [(1, 200), (701, 1010)]);
        assert!(own == [lines("a", 201..=700), lines("a", 1011..=1050)].concat());
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_fetch_that_was_interrupted_goes_on() {
    let shop = Shop::new();
    let server = warm(&shop).await;
    let (dir, follow) = (TempDir::new().unwrap(), server.follow_after(950).await);
    for left in [2, 0, 3, 5] {
        shop.be(Mood::FailsAfter(left));
        let stop = Stop::new();
        let mut fetch = Fetch::new(shop.archive(), dir.path(), ALL);
        // A kill ends it anywhere; here while it waits for an archive that has gone.
        let gathering =
            tokio::time::timeout(Duration::from_millis(900), fetch.gather(&follow, &Ids::only(fleet()), &stop.shutdown())).await;
        if let Ok(gathered) = gathering {
            assert!(left == 5 && gathered.unwrap().is_some());
        }
        assert_eq!(FollowerLog::found(dir.path()).unwrap(), None, "no log before all is there");
    }
    // As a kill leaves it.
    std::fs::write(dir.path().join("log.fetching/00000000000000000007.jsonl.zst.unfinished"), "x").unwrap();
    shop.be(Mood::Well);
    assert!(fetch(&shop, dir.path(), &follow, ALL).await.unwrap());
    let mut got = shop.got.lock().clone();
    let asked = got.len();
    got.sort();
    got.dedup();
    assert_eq!((asked, got.len()), (10, 10), "nothing is fetched twice");
    let (own, gaps, _) = held(dir.path(), 1050).await;
    assert!(own == lines("a", 1..=1050) && gaps.is_empty());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stream_that_is_trimmed_meanwhile_and_another_fleet_change_what_is_gathered() {
    let shop = Shop::new();
    let server = warm(&shop).await;
    let (dir, stop) = (TempDir::new().unwrap(), Stop::new());
    let mut fetching = Fetch::new(shop.archive(), dir.path(), ALL);
    let early = server.follow_after(350).await;
    assert_eq!(fetching.gather(&early, &Ids::only(fleet()), &stop.shutdown()).await.unwrap().unwrap().gathered().unwrap().len(), 4);
    let later = server.follow_after(820).await;
    let assembly = fetching.gather(&later, &Ids::only(fleet()), &stop.shutdown()).await.unwrap().unwrap();
    assert_eq!(assembly.gathered().unwrap().len(), 9);
    drop(assembly);
    // Nothing of it is of this one.
    let other = crate::cursor::LogId::from_bytes([2; 16]);
    assert!(crate::log::Assembly::open(dir.path(), |_| other).unwrap().gathered().unwrap().is_empty());
    // A log that begins without it has no use for the rest.
    let (log, ..) = FollowerLog::open_with(dir.path(), &later, limits()).unwrap();
    assert!(!dir.path().join("log.fetching").exists());
    drop(log);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_more_is_fetched_than_retention_keeps() {
    let shop = Shop::new();
    let server = warm(&shop).await;
    let follow = server.follow_after(950).await;
    let bytes = server.segments()[7..].iter().map(crate::log::SealedSegment::bytes).sum();
    for wanted in [Wanted { bytes: Some(bytes), ..ALL }, Wanted { age: Some(Duration::from_secs(250)), ..ALL }] {
        let dir = TempDir::new().unwrap();
        assert!(fetch(&shop, dir.path(), &follow, wanted).await.unwrap());
        let (own, gaps, _) = held(dir.path(), 1050).await;
        assert_eq!(gaps, [(1, 700)]);
        assert!(own == lines("a", 701..=1050));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_cannot_be_read_or_is_no_segment_is_a_gap_and_ends_nothing() {
    let shop = Shop::new();
    let server = warm(&shop).await;
    let follow = server.follow_after(950).await;
    for mood in [Mood::HasMoved(301), Mood::HasMoved(901), Mood::Refuses(301)] {
        shop.be(mood);
        let dir = TempDir::new().unwrap();
        assert!(fetch(&shop, dir.path(), &follow, ALL).await.unwrap());
        let (_, gaps, _) = held(dir.path(), 1050).await;
        assert_eq!(gaps, if mood == Mood::HasMoved(901) { [(901, 950)] } else { [(301, 400)] }, "{mood:?}");
    }
    // Where the first answer is a refusal, it is this server that may not.
    shop.be(Mood::Refuses(901));
    let refused = fetch(&shop, TempDir::new().unwrap().path(), &follow, ALL).await;
    assert!(matches!(refused, Err(FetchError::Archive(crate::archive::ArchiveError::Refused(_)))), "{refused:?}");
    // Larger than any segment, and than what retention keeps.
    shop.be(Mood::IsLarge(301));
    let dir = TempDir::new().unwrap();
    assert!(fetch(&shop, dir.path(), &follow, Wanted { bytes: Some(MAX_OBJECT_BYTES), ..ALL }).await.unwrap());
    assert_eq!(held(dir.path(), 1050).await.1, [(301, 400)]);
}
