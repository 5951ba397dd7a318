//! Kill -9, again and again: what any reader ever saw is there, byte-equal, under the same id.
//!
//! `SHIPSLOG_KILLS` sets the number of rounds (200), `SHIPSLOG_SEED` repeats a run.

use crate::fake_daemon::FakeDaemon;
use crate::support::{Ship, assert_dense, assert_holes_are_told, docker_line, environment, sequence, within};
use futures_util::{SinkExt, StreamExt};
use parking_lot::Mutex;
use rand::{RngExt, SeedableRng};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use tempfile::TempDir;
use tokio_tungstenite::tungstenite::Message;

/// Everything that any reader saw, by sequence. A sequence that comes back with another line fails at once.
#[derive(Default)]
struct Seen(Mutex<BTreeMap<u64, String>>);

impl Seen {
    fn add(&self, line: &str) {
        let before = self.0.lock().insert(sequence(line), line.to_owned());
        assert!(before.is_none_or(|before| before == line), "a sequence was used twice: {line}");
    }

    fn last(&self) -> Option<u64> {
        self.0.lock().keys().next_back().copied()
    }
}

/// Reads a stream until the server dies, from where any reader got to before.
async fn read_sse(url: String, seen: Arc<Seen>, cursor: Option<String>) {
    let Ok(mut response) = crate::support::client().get(format!("{url}/api/v1/stream?since=oldest")).headers(header(cursor)).send().await
    else {
        return;
    };
    let mut buffer = String::new();
    while let Ok(Some(chunk)) = response.chunk().await {
        buffer.push_str(std::str::from_utf8(&chunk).unwrap());
        while let Some(end) = buffer.find("\n\n") {
            let frame: String = buffer.drain(..end + 2).collect();
            assert!(!frame.contains("event: reset") && !frame.contains("event: gap"), "{frame}");
            if let (false, Some(data)) = (frame.contains("event: "), frame.lines().find_map(|l| l.strip_prefix("data: "))) {
                seen.add(data);
            }
        }
    }
}

fn header(cursor: Option<String>) -> reqwest::header::HeaderMap {
    cursor.into_iter().map(|c| (reqwest::header::HeaderName::from_static("last-event-id"), c.parse().unwrap())).collect()
}

async fn read_websocket(url: String, seen: Arc<Seen>) {
    let Ok((mut socket, _)) = tokio_tungstenite::connect_async(format!("{}/api/v1/ws", url.replace("http", "ws"))).await else { return };
    let _ = socket.send(Message::text("start")).await;
    while let Some(Ok(message)) = socket.next().await {
        if let Ok(text) = message.to_text()
            && text.starts_with("{\"id\"")
        {
            seen.add(text);
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_that_was_seen_is_ever_lost() {
    let rounds = environment("SHIPSLOG_KILLS", 200);
    let seed = environment("SHIPSLOG_SEED", rand::random());
    eprintln!("kill -9: {rounds} rounds, SHIPSLOG_SEED={seed}");
    let mut random = rand::rngs::StdRng::seed_from_u64(seed);
    let dir = TempDir::new().unwrap();
    let daemon = Arc::new(FakeDaemon::unix().await);
    let emitted = Arc::new(AtomicU64::new(0));
    let emitting = tokio::spawn({
        let (daemon, emitted) = (Arc::clone(&daemon), Arc::clone(&emitted));
        async move {
            loop {
                // Slow enough for the ring to bridge a restart, so that no gap is due.
                daemon.emit(&docker_line("container", "start", emitted.fetch_add(1, Ordering::Relaxed)));
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        }
    });
    let seen = Arc::new(Seen::default());
    let mut ship = Ship::start(dir.path(), &daemon.url());
    let log = ship.json("/api/v1/stats").await["log"]["id"].as_str().unwrap().to_owned();
    for round in 0..rounds {
        let cursor = seen.last().map(|seq| format!("{}-{seq}", &log[..8]));
        let readers = [
            tokio::spawn(read_sse(ship.url.clone(), Arc::clone(&seen), cursor)),
            tokio::spawn(read_websocket(ship.url.clone(), Arc::clone(&seen))),
        ];
        tokio::time::sleep(Duration::from_millis(random.random_range(0..120))).await;
        ship.kill();
        for reader in readers {
            let ended = within("a reader to see the end of a program that was killed", reader).await;
            ended.unwrap_or_else(|e| panic!("round {round}, SHIPSLOG_SEED={seed}: {e}"));
        }
        ship.restart();
    }
    emitting.abort();
    let _ = within("the emitting task to end", emitting).await;
    let all = emitted.load(Ordering::Relaxed);
    let last = format!("job-{}\"", all - 1);
    let stored = crate::support::wait_for("the last event", async || {
        let export = ship.export("").await;
        export.values().any(|line| line.contains(&last)).then_some(export)
    })
    .await;
    assert_eq!(ship.json("/api/v1/stats").await["log"]["id"], log.as_str(), "the log kept its identity");
    assert_dense(&stored);
    let seen = seen.0.lock();
    assert!(u64::try_from(seen.len()).unwrap() > rounds, "the readers saw something: {}", seen.len());
    for (seq, line) in seen.iter() {
        assert_eq!(stored.get(seq), Some(line), "SHIPSLOG_SEED={seed}");
    }
    let jobs: BTreeSet<u64> = stored.values().filter_map(|line| line.split("job-").nth(1)?.split('"').next()?.parse().ok()).collect();
    let events = stored.values().filter(|line| line.contains("job-")).count();
    assert_eq!(jobs.len(), events, "no event twice");
    assert_holes_are_told(&stored, all);
    eprintln!("{all} events, {} missing and told", all - u64::try_from(events).unwrap());
}

#[tokio::test(flavor = "multi_thread")]
async fn the_demo_goes_on_after_a_restart() {
    let dir = TempDir::new().unwrap();
    let mut ship = Ship::start_with(dir.path(), &["--demo"]);
    let head = ship.wait_for_head(|head| head > 10).await;
    assert!(ship.stop().0.success());
    ship.restart();
    ship.wait_for_head(|later| later > head + 10).await;
    assert!(ship.stop().0.success());
}
