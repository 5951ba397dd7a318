//! A stream that is cut at random places and resumed concatenates to exactly the log.

use crate::fake_daemon::FakeDaemon;
use crate::support::{Ship, docker_line, is_record, sequence};
use eventsource_stream::Eventsource;
use futures_util::StreamExt;
use proptest::prelude::*;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use tempfile::TempDir;

/// Reads a stream for `bytes` bytes, cuts it there (mid-frame as likely as not), and gives the records it
/// completed and the id to resume with: that of the last whole frame, as an `EventSource` would.
async fn read_some(url: &str, last_id: Option<&str>, bytes: usize) -> (Vec<(u64, String)>, Option<String>) {
    let mut request = crate::support::client().get(url);
    if let Some(id) = last_id {
        request = request.header("Last-Event-ID", id);
    }
    let mut response = request.send().await.unwrap();
    let mut body = Vec::new();
    while body.len() < bytes {
        match tokio::time::timeout(Duration::from_millis(300), response.chunk()).await {
            Ok(Ok(Some(chunk))) => body.extend_from_slice(&chunk),
            _ => break,
        }
    }
    body.truncate(bytes);
    drop(response);
    let mut events = futures_util::stream::iter([Ok::<_, std::io::Error>(body)]).eventsource();
    let (mut records, mut id) = (Vec::new(), last_id.map(str::to_owned));
    while let Some(event) = events.next().await {
        let event = event.unwrap();
        if is_record(&event) {
            records.push((sequence(&event.data), event.data.clone()));
        }
        id = Some(event.id);
    }
    (records, id)
}

const NETWORKS: &str = r#"&filters={"type":["network"]}"#;

async fn story(ship: &Ship, cuts: &[usize], filtered: bool) {
    let query = if filtered { NETWORKS } else { "" };
    let url = format!("{}/api/v1/stream?since=oldest{query}", ship.url);
    let (mut seen, mut id) = (Vec::new(), None);
    for cut in cuts {
        let (records, next) = read_some(&url, id.as_deref(), *cut).await;
        seen.extend(records);
        id = next;
    }
    // The rest, up to a head that is fixed now.
    let head = ship.wait_for_head(|_| true).await;
    let mut rest = crate::support::Sse::open(&ship.url, &format!("/api/v1/stream?since=oldest{query}"), id.as_deref()).await.unwrap();
    loop {
        let event = rest.next().await.unwrap();
        let at: u64 = event.id.split('-').nth(1).unwrap().parse().unwrap();
        if is_record(&event) {
            seen.push((sequence(&event.data), event.data.clone()));
        }
        if event.event == "caught-up" && at >= head || at > head {
            break;
        }
    }
    seen.retain(|(seq, _)| *seq <= head);
    let log = if filtered { ship.selected(query).await } else { ship.export(query).await };
    let log: Vec<_> = log.into_iter().filter(|(seq, _)| *seq <= head).collect();
    assert_eq!(seen.iter().map(|(seq, _)| *seq).collect::<Vec<_>>(), log.iter().map(|(seq, _)| *seq).collect::<Vec<_>>());
    assert!(seen == log, "byte for byte");
}

#[test]
fn streams_cut_anywhere_concatenate_to_the_log() {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    let dir = TempDir::new().unwrap();
    let stop = Arc::new(AtomicBool::new(false));
    let (daemon, ship) = runtime.block_on(async {
        let daemon = FakeDaemon::unix().await;
        let ship = Ship::start(dir.path(), &daemon.url());
        daemon.wait_for_subscribers(1).await;
        (Arc::new(daemon), ship)
    });
    // Events keep coming while streams are cut.
    let appending = {
        let (daemon, stop) = (Arc::clone(&daemon), Arc::clone(&stop));
        runtime.spawn(async move {
            let mut n = 0;
            while !stop.load(Ordering::Relaxed) {
                for _ in 0..=(n % 5) {
                    daemon.emit(&docker_line(if n % 3 == 0 { "network" } else { "container" }, "start", n));
                    n += 1;
                }
                tokio::time::sleep(Duration::from_millis(7)).await;
            }
        })
    };
    let mut runner =
        proptest::test_runner::TestRunner::new(ProptestConfig { cases: 16, failure_persistence: None, ..ProptestConfig::default() });
    let result = runner.run(&(prop::collection::vec(1usize..4000, 1..8), any::<bool>()), |(cuts, filtered)| {
        runtime.block_on(story(&ship, &cuts, filtered));
        Ok(())
    });
    stop.store(true, Ordering::Relaxed);
    runtime.block_on(appending).unwrap();
    result.unwrap();
}
