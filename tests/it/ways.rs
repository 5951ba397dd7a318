//! The two ways in which live records reach a client, and a restart with very many of them.

use crate::fake_daemon::FakeDaemon;
use crate::support::{PATIENCE, Ship, docker_line, environment, quick_docker_line};
use crate::wire::{Wire, own_address};
use std::sync::Arc;
use std::time::Duration;
use tempfile::TempDir;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

/// More bytes than the log keeps in memory for clients that keep up (8 MiB).
const EVENTS: u64 = 6000;
const NOISE: usize = 2000;

fn event(n: u64) -> String {
    let (kind, action) = if n.is_multiple_of(50) { ("network", "die") } else { ("container", "start") };
    quick_docker_line(kind, action, n).replacen("\"name\"", &format!(r#""noise":"{}","name""#, "x".repeat(NOISE)), 1)
}

/// Reads until the log's record of the last event; the sequences that came.
async fn read_to_the_end(wire: &mut Wire) -> Vec<u64> {
    let (mut sequences, mut done, end) = (Vec::new(), false, format!("\"job-{}\"", EVENTS - 50));
    let last = format!("\"job-{}\"", EVENTS - 1);
    while !done {
        let open = wire
            .read(|frame| match (frame.event, frame.data) {
                (None, Some(data)) => {
                    sequences.push(frame.seq());
                    done |= data.contains(&last) || (data.contains(&end) && data.contains("\"die\"") && sequences.len() <= 200);
                }
                (Some("gap" | "reset"), _) => panic!("{frame:?}"),
                _ => {}
            })
            .await;
        assert!(open, "the stream ended after {} records", sequences.len());
    }
    sequences
}

#[tokio::test(flavor = "multi_thread")]
async fn both_ways_give_everything_to_the_quick_and_to_the_slow() {
    for direct in ["true", "false"] {
        let dir = TempDir::new().unwrap();
        let daemon = FakeDaemon::unix().await;
        let switch = format!("--direct-writes={direct}");
        let ship = Ship::start_with(dir.path(), &["--docker-host", &daemon.url(), &switch]);
        daemon.wait_for_subscribers(1).await;
        // Beginning, connection and its verdict: what comes while clients catch up, one sees before and
        // another after.
        ship.wait_for_head(|head| head >= 3).await;
        let die = "/api/v1/stream?since=oldest&filters=%7B%22event%22%3A%5B%22die%22%5D%7D";
        let mut clients = Vec::new();
        for (number, path) in ["/api/v1/stream?since=oldest", "/api/v1/stream?since=oldest", die, die].into_iter().enumerate() {
            let mut wire = Wire::open(&ship.url, own_address(number), path, None, usize::MAX).await.unwrap();
            let mut live = false;
            while !live {
                assert!(wire.read(|frame| live |= frame.event == Some("caught-up")).await);
            }
            clients.push(wire);
        }
        let [mut quick, mut slow, mut quick_few, mut slow_few]: [Wire; 4] = clients.try_into().unwrap_or_else(|_| panic!("four"));
        let reading = tokio::spawn(async move { (read_to_the_end(&mut quick).await, read_to_the_end(&mut quick_few).await) });
        (0..EVENTS).for_each(|n| daemon.emit(&event(n)));
        let head = ship.wait_for_head(|head| head >= EVENTS + 3).await;
        // The slow ones have read nothing so far: what they lack has long left the memory.
        let (all, few) = (read_to_the_end(&mut slow).await, read_to_the_end(&mut slow_few).await);
        let log = ship.export("").await;
        let expected = |all: bool| log.iter().filter(move |(_, line)| all || line.contains("\"Action\":\"die\"")).map(|(seq, _)| *seq);
        let after_start = |sequences: &[u64], all| {
            let first = sequences[0];
            assert_eq!(sequences, expected(all).filter(|seq| *seq >= first && *seq <= head).collect::<Vec<_>>(), "direct: {direct}");
        };
        after_start(&all, true);
        after_start(&few, false);
        let (quick_all, quick_few) = reading.await.unwrap();
        assert_eq!((quick_all, quick_few), (all, few), "direct: {direct}");
    }
}

/// Follows through restarts, waiting as told, until `last` events have come. Returns how often it was told
/// that the server closes.
async fn follow(url: String, number: usize, live: Arc<Semaphore>, last: u64) -> usize {
    let (mut id, mut events, mut farewells) = (None::<String>, 0, 0);
    let mut wait = Duration::from_millis(500);
    while events < last {
        let path = if id.is_some() { "/api/v1/stream" } else { "/api/v1/stream?since=oldest" };
        let Ok(mut wire) = Wire::open(&url, own_address(number), path, id.as_deref().map(str::as_bytes), usize::MAX).await else {
            tokio::time::sleep(wait).await;
            continue;
        };
        let mut open = true;
        while open && events < last {
            open = wire
                .read(|frame| {
                    let before = id.as_ref().map_or(0, |id| id.split_once('-').unwrap().1.parse::<u64>().unwrap());
                    match (frame.event, frame.data) {
                        (None, Some(data)) => {
                            assert_eq!(frame.seq(), before + 1, "dense");
                            events += u64::from(data.contains("\"job-"));
                        }
                        (Some("caught-up"), _) => live.add_permits(1),
                        (Some("closing"), Some(data)) => {
                            farewells += 1;
                            let told: serde_json::Value = serde_json::from_str(data).unwrap();
                            wait = Duration::from_millis(told["retry"].as_u64().unwrap());
                        }
                        (Some("gap" | "reset"), _) => panic!("{frame:?}"),
                        _ => {}
                    }
                    if let Some(at) = frame.id {
                        assert!(frame.seq() >= before, "{frame:?} after {before}");
                        id = Some(at.to_owned());
                    }
                })
                .await;
        }
        if events < last {
            tokio::time::sleep(wait).await;
        }
    }
    farewells
}

#[tokio::test(flavor = "multi_thread")]
async fn a_thousand_clients_are_back_after_a_restart() {
    let clients = u32::try_from(environment("SHIPSLOG_FOLLOWERS", 1000)).unwrap();
    rlimit::increase_nofile_limit(2 * u64::from(clients) + 512).unwrap();
    let dir = TempDir::new().unwrap();
    let daemon = FakeDaemon::unix().await;
    let mut ship = Ship::start(dir.path(), &daemon.url());
    daemon.wait_for_subscribers(1).await;
    let live = Arc::new(Semaphore::new(0));
    let mut following = JoinSet::new();
    for number in 0..clients as usize {
        following.spawn(follow(ship.url.clone(), number, Arc::clone(&live), 400));
    }
    let all_live = async || tokio::time::timeout(2 * PATIENCE, live.acquire_many(clients)).await.expect("all are live").unwrap().forget();
    all_live().await;
    for n in 0..200 {
        daemon.emit(&docker_line("container", "start", n));
    }
    ship.wait_for_head(|head| head >= 203).await;
    assert!(ship.stop().0.success());
    // What happens meanwhile they find in the log.
    for n in 200..300 {
        daemon.emit(&docker_line("container", "start", n));
    }
    ship.restart();
    all_live().await;
    for n in 300..400 {
        daemon.emit(&docker_line("container", "start", n));
    }
    let farewells = tokio::time::timeout(2 * PATIENCE, following.join_all()).await.expect("everybody has everything");
    assert!(farewells.iter().all(|told| *told == 1), "each was told once");
}
