//! Old records go while clients replay them: a client is told what it cannot have any more, and the disk gets
//! its room back.

use crate::serve;
use crate::support::{PATIENCE, Sse, docker_line, is_record, sequence, wait_for};
use serde_json::Value;
use shipslog::event::Event;
use shipslog::log::{EmbeddedLog, EventLog, Limits, NewRecord};
use shipslog::time::Timestamp;
use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use tempfile::TempDir;
use tokio::sync::watch;
use tokio::task::JoinSet;

const RECORDS: u64 = 20_000;
const CLIENTS: usize = 50;
/// Records kept.
const KEEP: u64 = 3000;

/// Replays from the very beginning to the last record, and gives the length of the gaps it was told of. Every
/// second client stops after its first records until the trims are over.
async fn replay(url: String, log: String, number: usize, mut trimmed: watch::Receiver<bool>) -> u64 {
    let mut stream = Sse::open(&url, "/api/v1/stream", Some(&format!("{log}-0"))).await.unwrap();
    let (mut covered, mut gone) = (0, 0);
    while covered < RECORDS {
        let event = stream.next().await.expect("the stream ended early");
        if is_record(&event) {
            let seq = sequence(&event.data);
            assert_eq!(seq, covered + 1, "client {number}: dense, or told, and nothing twice");
            assert!(event.data.ends_with(&format!(r#""event":{}}}"#, docker_line("container", "start", seq))), "{}", event.data);
            covered = seq;
        } else if event.event == "gap" {
            let gap: Value = serde_json::from_str(&event.data).unwrap();
            assert_eq!((gap["from"].as_u64(), gap["reason"].as_str()), (Some(covered + 1), Some("retention")), "client {number}");
            let to = gap["to"].as_u64().unwrap();
            gone += to - covered;
            covered = to;
        } else {
            assert!(event.event != "reset", "client {number}: {}", event.data);
        }
        if number.is_multiple_of(2) && covered < 100 {
            tokio::time::timeout(PATIENCE, trimmed.wait_for(|over| *over)).await.expect("trims end").unwrap();
        } else if covered.is_multiple_of(500 + number as u64) {
            tokio::time::sleep(Duration::from_millis(number as u64)).await;
        }
    }
    gone
}

/// First sequences of the segments on the disk.
fn segments(dir: &Path) -> Vec<u64> {
    let names = std::fs::read_dir(dir.join("log")).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
    names.filter_map(|name| name.strip_suffix(".jsonl.zst")?.parse().ok()).collect()
}

/// Files of the log that are removed but held open, so that they still take room.
fn held_open(dir: &Path) -> usize {
    let dir = dir.canonicalize().unwrap();
    let links = std::fs::read_dir("/proc/self/fd").unwrap().filter_map(|entry| std::fs::read_link(entry.unwrap().path()).ok());
    links.filter(|to| to.starts_with(&dir) && to.to_string_lossy().ends_with(".zst (deleted)")).count()
}

#[tokio::test(flavor = "multi_thread")]
async fn trims_overtake_clients_that_replay_and_each_is_told() {
    let dir = TempDir::new().unwrap();
    // Small segments that are merged to a few times their size, so that trims and merges meet as well.
    let limits = Limits { tip_records: 256, segment_bytes: 64 * 1024, merge_after: Duration::from_millis(2), ..Limits::default() };
    let log: Arc<dyn EventLog> = Arc::new(EmbeddedLog::open_with(dir.path(), limits).unwrap().0);
    let append = async |from: u64, to: u64| {
        for first in (from..=to).step_by(50) {
            let record = |n: u64| {
                let event = Event::from_line(docker_line("container", "start", n).as_bytes()).unwrap();
                NewRecord { source: "local".into(), received: Timestamp::now(), event }
            };
            log.append((first..first + 50).map(record).collect()).await.unwrap();
        }
    };
    append(1, RECORDS / 2).await;
    let (address, stop) = serve::start(Arc::clone(&log)).await;
    let (over, trimmed) = watch::channel(false);
    let mut clients = JoinSet::new();
    for number in 0..CLIENTS {
        let id = log.bounds().log.to_string()[..8].to_owned();
        clients.spawn(replay(format!("http://{address}"), id, number, trimmed.clone()));
    }
    let mut were = BTreeSet::new();
    for from in (RECORDS / 2 + 1..RECORDS).step_by(500) {
        append(from, from + 499).await;
        were.extend(segments(dir.path()));
        let before = log.bounds().oldest;
        let oldest = log.trim(log.bounds().head - KEEP).await.unwrap();
        assert!(oldest >= before && oldest <= log.bounds().head - KEEP);
    }
    let oldest = wait_for("the oldest records to go", async || {
        let oldest = log.trim(RECORDS - KEEP).await.unwrap();
        (oldest > RECORDS / 2).then_some(oldest)
    })
    .await;
    assert_eq!(log.bounds().oldest, oldest);
    let are = segments(dir.path());
    assert!(were.iter().any(|first| *first < oldest) && are.iter().all(|first| *first >= oldest), "{oldest}: {were:?}, {are:?}");
    over.send_replace(true);

    let gaps: Vec<u64> = clients.join_all().await;
    eprintln!("the oldest record is {oldest}; records that each client was told are gone: {gaps:?}");
    assert!(gaps.iter().any(|gone| *gone > 0), "no client was overtaken: the test shows nothing");
    wait_for("removed segments to be let go", async || (held_open(dir.path()) == 0).then_some(())).await;
    stop.stop();
    log.close().await.unwrap();
}
