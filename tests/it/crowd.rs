//! Very many clients that do nothing but keep a connection: nothing is lost, clients that read get
//! everything, and new ones are served again when the crowd has gone.

use crate::fake_daemon::FakeDaemon;
use crate::support::{PATIENCE, Ship, assert_dense, quick_docker_line, wait_for};
use crate::wire::{Wire, connect, own_address};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use tempfile::TempDir;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use tokio::task::JoinSet;

/// Files that the server may open where that is limited.
const FILES: usize = 160;
const HEALTHY: usize = 10;
const STALLED: usize = 500;
const SLOW: usize = 500;
/// Recorded before anyone comes: more than the socket of a client that never reads can hold.
const BEFORE: u64 = 2000;
const BEFORE_BYTES: usize = 2000;
/// Recorded while the crowd is there.
const MEANWHILE: u64 = 2000;

const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// A request for everything, from a client that reads nothing.
const STALLED_REQUEST: &[u8] = b"GET /api/v1/stream?since=oldest HTTP/1.1\r\nHost: localhost\r\n\r\n";
/// A request that comes a byte at a time and never ends.
const SLOW_REQUEST: &[u8] =
    b"GET /api/v1/stream?since=oldest HTTP/1.1\r\nHost: localhost\r\nX-Padding: xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx";

fn event(n: u64) -> String {
    let noise = if n < BEFORE { "x".repeat(BEFORE_BYTES) } else { String::new() };
    quick_docker_line("container", "start", n).replacen("\"name\"", &format!(r#""noise":"{noise}","name""#), 1)
}

/// Reads everything from the first record to the last event; how many events that were.
async fn read_all(url: String, number: usize, caught_up: Arc<tokio::sync::Semaphore>) -> u64 {
    let mut wire = Wire::open(&url, own_address(number), "/api/v1/stream?since=oldest", None, usize::MAX).await.unwrap();
    let (mut last, mut events) = (0, 0);
    while events < BEFORE + MEANWHILE {
        let open = wire
            .read(|frame| match (frame.event, frame.data) {
                (None, Some(data)) => {
                    assert_eq!(frame.seq(), last + 1, "dense");
                    last = frame.seq();
                    if data.contains("job-") {
                        assert!(data.ends_with(&format!(r#""event":{}}}"#, event(events))), "event {events}: {data:.300}");
                        events += 1;
                    }
                }
                (Some("caught-up"), _) => caught_up.add_permits(1),
                (Some("gap" | "reset"), _) => panic!("{frame:?}"),
                _ => {}
            })
            .await;
        assert!(open, "a healthy subscriber was cut off after {events} events");
    }
    events
}

/// Clients that read nothing, and clients that send a byte at a time. A connection that the server does not
/// take in this time is not held against it.
async fn crowd(url: &str) -> (Vec<TcpStream>, Vec<TcpStream>) {
    let mut coming = JoinSet::new();
    for number in 0..STALLED + SLOW {
        let url = url.to_owned();
        coming.spawn(async move {
            let mut stream = tokio::time::timeout(CONNECT_TIMEOUT, connect(&url, own_address(HEALTHY + number))).await.ok()?.ok()?;
            let stalls = number % 2 == 0;
            if stalls {
                stream.write_all(STALLED_REQUEST).await.ok()?;
            }
            Some((stalls, stream))
        });
    }
    let (stalled, slow): (Vec<_>, Vec<_>) = coming.join_all().await.into_iter().flatten().partition(|(stalls, _)| *stalls);
    let streams = |list: Vec<(bool, TcpStream)>| list.into_iter().map(|(_, stream)| stream).collect();
    (streams(stalled), streams(slow))
}

/// Sends a byte of a header on each connection, again and again.
async fn dawdle(mut slow: Vec<TcpStream>, stop: Arc<AtomicBool>) -> usize {
    let mut sent = 0;
    for byte in SLOW_REQUEST {
        for stream in &mut slow {
            if stream.write_all(&[*byte]).await.is_ok() {
                sent += 1;
            }
        }
        if stop.load(Ordering::Relaxed) {
            break;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    sent
}

async fn story(launcher: &[&str]) {
    // This process holds one end of every connection.
    let limit = rlimit::increase_nofile_limit(4096).unwrap();
    assert!(limit >= 2048, "{limit} open files are too few for this test");
    let dir = TempDir::new().unwrap();
    let daemon = FakeDaemon::unix().await;
    let ship = Ship::start_under(launcher, dir.path(), &["--docker-host", &daemon.url()]);
    daemon.wait_for_subscribers(1).await;
    (0..BEFORE).for_each(|n| daemon.emit(&event(n)));
    ship.wait_for_head(|head| head >= BEFORE + 3).await;

    let caught_up = Arc::new(tokio::sync::Semaphore::new(0));
    let mut healthy = JoinSet::new();
    (0..HEALTHY).for_each(|number| drop(healthy.spawn(read_all(ship.url.clone(), number, Arc::clone(&caught_up)))));
    let all = caught_up.acquire_many(u32::try_from(HEALTHY).unwrap());
    drop(tokio::time::timeout(PATIENCE, all).await.expect("all healthy subscribers catch up").unwrap());

    let (stalled, slow) = crowd(&ship.url).await;
    eprintln!("{} stall and {} dawdle", stalled.len(), slow.len());
    assert!(stalled.len() + slow.len() > FILES, "more than the server may have open");
    let stop = Arc::new(AtomicBool::new(false));
    let dawdling = tokio::spawn(dawdle(slow, Arc::clone(&stop)));
    for n in BEFORE..BEFORE + MEANWHILE {
        daemon.emit(&event(n));
        if n % 10 == 0 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }
    let read = tokio::time::timeout(3 * PATIENCE, healthy.join_all()).await.expect("the healthy subscribers get everything");
    assert!(read.iter().all(|events| *events == BEFORE + MEANWHILE));

    stop.store(true, Ordering::Relaxed);
    let sent = dawdling.await.unwrap();
    assert!(sent >= SLOW / 2, "they did dawdle: {sent} bytes");
    drop(stalled);
    wait_for("a new client to be served", async || {
        let asked =
            tokio::time::timeout(Duration::from_secs(5), crate::support::client().get(format!("{}/healthz", ship.url)).send()).await;
        matches!(asked, Ok(Ok(response)) if response.status() == 200).then_some(())
    })
    .await;
    check(&ship, &daemon).await;
}

/// Every event is in the log, once, in order and byte for byte; and no gap.
async fn check(ship: &Ship, daemon: &FakeDaemon) {
    let log = ship.export("").await;
    assert_dense(&log);
    let mut events = 0;
    for line in log.values().filter(|line| line.contains("job-")) {
        assert!(line.ends_with(&format!(r#""event":{}}}"#, event(events))), "event {events}: {line:.300}");
        events += 1;
    }
    assert_eq!(events, BEFORE + MEANWHILE);
    let gaps: Vec<_> = log.values().filter(|line| line.contains(r#""Action":"gap""#)).collect();
    assert!(gaps.iter().all(|line| line.contains("first-contact")), "{gaps:?}");
    assert_eq!(daemon.count("/events"), 1, "one connection all the time, so that no replay could mend anything");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_crowd_that_stalls_and_dawdles() {
    story(&[]).await;
}

/// The server may open fewer files than there are connections, and cannot raise that.
#[tokio::test(flavor = "multi_thread")]
async fn a_crowd_that_takes_every_open_file() {
    story(&["prlimit", &format!("--nofile={FILES}:{FILES}")]).await;
}
