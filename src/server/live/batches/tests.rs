use super::*;
use crate::event::Event;
use crate::log::{EmbeddedLog, NewRecord};
use crate::server::net::{Shard, Socket};
use crate::time::Timestamp;
use tokio::io::AsyncReadExt;

#[tokio::test]
async fn batches_are_small_whole_and_leave_nothing_out() {
    let dir = tempfile::TempDir::new().unwrap();
    let log = EmbeddedLog::open(dir.path()).unwrap().0;
    let record = |n: u64| {
        let action = if n.is_multiple_of(4) { "die" } else { "start" };
        let line = format!(r#"{{"Type":"container","Action":"{action}","pad":"{}"}}"#, "x".repeat(if n == 9 { 100_000 } else { 25_000 }));
        NewRecord { received: Timestamp::now(), source: "local".into(), event: Event::from_line(line.as_bytes()).unwrap() }
    };
    // One block of twenty.
    log.append((1..=20).map(record).collect()).await.unwrap();
    for (filter, expected) in [(None, (1..=20).collect::<Vec<u64>>()), (Some(r#"{"event":["die"]}"#), vec![4, 8, 12, 16, 20])] {
        let filter = Arc::new(Filter::from_params(filter, None).unwrap());
        let mut standing = Standing { position: 0, told: 0, spoke: Instant::now(), filter };
        let mut seen = Vec::new();
        while standing.position < 20 {
            let batch = gather(&log, log.bounds().log, &standing).unwrap();
            assert!(batch.upto > standing.position);
            let text = String::from_utf8(batch.bytes.to_vec()).unwrap();
            let ids: Vec<u64> = text.lines().filter_map(|line| line.strip_prefix("id: ")?.split_once('-')?.1.parse().ok()).collect();
            assert!(ids.len() == 1 || batch.bytes.len() < BATCH_BYTES + 16, "{} bytes", batch.bytes.len());
            seen.extend(ids);
            (standing.position, standing.told) = (batch.upto, batch.told);
        }
        assert_eq!(seen, expected);
    }
}

/// Clients with more filters than fit are served all the same, and what was gathered for them goes again.
#[tokio::test]
async fn what_is_kept_has_a_bound() {
    let dir = tempfile::TempDir::new().unwrap();
    let log: Arc<dyn EventLog> = Arc::new(EmbeddedLog::open(dir.path()).unwrap().0);
    let line = format!(r#"{{"Type":"container","Action":"die","pad":"{}"}}"#, "x".repeat(60_000));
    let event = Event::from_line(line.as_bytes()).unwrap();
    log.append(vec![NewRecord { received: Timestamp::now(), source: "local".into(), event }]).await.unwrap();
    let mut batches = Batches::new(log);
    let mut most = 0;
    for _ in 0..2 * KNOWN_BYTES / 60_000 {
        let filter = Arc::new(Filter::default());
        let standing = Standing { position: 0, told: 0, spoke: Instant::now(), filter };
        assert_eq!(batches.next(&standing).map(|batch| batch.upto), Some(1));
        let held: usize = batches.known.values().filter_map(|(_, batch)| Some(batch.as_ref()?.bytes.len())).sum();
        most = most.max(held);
    }
    assert!((KNOWN_BYTES..=KNOWN_BYTES + BATCH_BYTES).contains(&most), "{most} bytes");
}

/// What a filter hides of losses is told in its place, and the place is one to resume by.
#[tokio::test]
async fn losses_are_told_in_their_places() {
    let dir = tempfile::TempDir::new().unwrap();
    let log = EmbeddedLog::open(dir.path()).unwrap().0;
    let now = Timestamp::now();
    let event = |action: &str| Event::from_line(format!(r#"{{"Type":"container","Action":"{action}"}}"#).as_bytes()).unwrap();
    let gap = || Event::recorder("gap", "local", &[("reason", "damage")], now);
    let record = |event| NewRecord { received: now, source: "local".into(), event };
    let events = [event("die"), gap(), event("start"), event("die"), event("die"), gap()];
    log.append(events.map(record).to_vec()).await.unwrap();
    let told = |filters: &str, exclude: &str| {
        let filter = Filter::from_params(Some(filters), Some(exclude)).unwrap().telling_losses();
        let standing = Standing { position: 0, told: 0, spoke: Instant::now(), filter: Arc::new(filter) };
        let batch = gather(&log, log.bounds().log, &standing).unwrap();
        assert_eq!(batch.upto, 6);
        let text = String::from_utf8(batch.bytes.to_vec()).unwrap();
        let frame = |frame: &str| {
            let id = frame.split_once("id: ")?.1.split_once('\n')?.0.split_once('-')?.1.to_owned();
            Some((id, frame.contains("event: incomplete\n")))
        };
        (text.split("\n\n").filter_map(frame).collect::<Vec<_>>(), batch.told)
    };
    let frames = |all: &[(u32, bool)]| all.iter().map(|(id, lost)| (id.to_string(), *lost)).collect::<Vec<_>>();
    assert_eq!(told(r#"{"event":["die"]}"#, ""), (frames(&[(1, false), (2, true), (4, false), (5, false), (6, true)]), 6));
    assert_eq!(told(r#"{"event":["die","gap"]}"#, ""), (frames(&[(1, false), (2, false), (4, false), (5, false), (6, false)]), 6));
    assert_eq!(told(r#"{"event":["oom"]}"#, ""), (frames(&[(2, true), (6, true)]), 6));
    assert_eq!(told(r#"{"event":["die"]}"#, r#"{"source":["local"]}"#), (frames(&[]), 0));
}

/// Under load the head is always ahead of a client whose filter nothing passes.
#[tokio::test]
async fn who_wants_nothing_of_what_comes_hears_something_even_so() {
    let dir = tempfile::TempDir::new().unwrap();
    let log: Arc<dyn EventLog> = Arc::new(EmbeddedLog::open(dir.path()).unwrap().0);
    let event = Event::from_line(br#"{"Type":"container","Action":"start"}"#).unwrap();
    let record = NewRecord { received: Timestamp::now(), source: "local".into(), event };
    let head = *log.append(vec![record]).await.unwrap().end();
    let (ours, mut theirs) = tokio::net::UnixStream::pair().unwrap();
    let shard = Arc::new(Shard::new(log.watch_head()));
    let link = Arc::new(Link::new(Arc::new(Socket::Unix(ours)), Arc::clone(&shard)));
    let filter = Arc::new(Filter::from_params(Some(r#"{"event":["oom"]}"#), None).unwrap());
    let now = Instant::now();
    let standing = Standing { position: 0, told: 0, spoke: now, filter };
    let lent = tokio::spawn({
        let link = Arc::clone(&link);
        async move { link.lend(standing, std::future::pending()).await }
    });
    tokio::task::yield_now().await;
    link.flushed();
    let mut batches = Batches::new(log);
    let later = now + CHECKPOINT_EVERY;
    assert_eq!(batches.serve(&link, &Pass { head, now: later, tick: true }), (Delivery::Done, true));
    let mut told = [0; 256];
    let read = theirs.read(&mut told).await.unwrap();
    assert!(String::from_utf8_lossy(&told[..read]).contains("event: checkpoint\nid: "));
    // And is handed back with its place when only its own task can go on.
    assert_eq!(link.deliver(|_| None), Delivery::HandedBack);
    assert_eq!(lent.await.unwrap().map(|standing| (standing.position, standing.told)), Some((head, head)));
}

#[test]
fn chunks_are_as_hyper_would_write_them() {
    let pieces = ["id: 1\n", "data: {}\n\n"].map(|text| bytes::Bytes::from_static(text.as_bytes()));
    assert_eq!(super::chunked(&pieces), "10\r\nid: 1\ndata: {}\n\n\r\n");
}
