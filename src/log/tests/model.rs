//! The embedded log against a plain vector: appends, reads, seeks, trims, clean restarts and crashes, in any
//! order.

use crate::log::testing::contract::{self, own_time, records};
use crate::log::{Chunk, EmbeddedLog, EventLog, GapReason, Limits, Piece, Scan};
use crate::time::Timestamp;
use proptest::prelude::*;
use std::path::Path;
use std::time::Duration;
use tempfile::TempDir;

#[derive(Debug, Clone)]
enum Op {
    Append(u64),
    ReadAfter(u64, usize),
    ReadBefore(u64, usize),
    Seek(u64),
    Trim(u64),
    Reopen,
    Crash,
    Rest,
}

fn op() -> impl Strategy<Value = Op> {
    prop_oneof![
        6 => (1u64..30).prop_map(Op::Append),
        3 => (any::<u64>(), 1usize..4000).prop_map(|(at, bytes)| Op::ReadAfter(at, bytes)),
        2 => (any::<u64>(), 1usize..4000).prop_map(|(at, bytes)| Op::ReadBefore(at, bytes)),
        2 => any::<u64>().prop_map(Op::Seek),
        1 => any::<u64>().prop_map(Op::Trim),
        1 => Just(Op::Reopen),
        1 => Just(Op::Crash),
        1 => Just(Op::Rest),
    ]
}

/// What must be there: the records `oldest..=head`.
#[derive(Debug)]
struct Model {
    oldest: u64,
    head: u64,
}

fn limits() -> Limits {
    Limits { tip_records: 16, merge_after: Duration::from_millis(1), ..Limits::default() }
}

fn messages(chunk: &Chunk, keep: impl Fn(u64) -> bool) -> Vec<(u64, String)> {
    let mut out = Vec::new();
    for piece in &chunk.pieces {
        match piece {
            Piece::Block(block) => out.extend(block.sequences().filter(|s| keep(*s)).map(|s| (s, block.json(s).to_owned()))),
            Piece::Gap(range, reason) => assert_eq!(*reason, GapReason::Retention, "{range:?}"),
        }
    }
    out
}

fn expected(range: impl Iterator<Item = u64>) -> Vec<(u64, String)> {
    range.map(|n| (n, contract::record(n).event.as_json().to_owned())).collect()
}

async fn close(log: EmbeddedLog, dir: &Path) {
    log.close().await.unwrap();
    drop(log);
    let lock = dir.join("log/lock");
    tokio::task::spawn_blocking(move || std::fs::File::open(lock).unwrap().lock().unwrap()).await.unwrap();
}

async fn run(ops: Vec<Op>) {
    let dir = TempDir::new().unwrap();
    let mut log = EmbeddedLog::open_with(dir.path(), limits()).unwrap().0;
    let mut model = Model { oldest: 1, head: 0 };
    for op in ops {
        match op {
            Op::Append(count) => {
                let range = model.head + 1..=model.head + count;
                assert_eq!(log.append(records(range.clone())).await.unwrap(), range);
                model.head += count;
            }
            Op::ReadAfter(at, max_bytes) => {
                let after = at % (model.head + 2);
                let chunk = log.read_after(after, &Scan { max_bytes, ..Scan::default() }).await.unwrap();
                let from = model.oldest.max(after + 1);
                assert_eq!(messages(&chunk, |s| s > after), expected(from..=chunk.through.min(model.head)), "after {after}");
                assert!(chunk.through > after || after >= model.head);
            }
            Op::ReadBefore(at, max_bytes) => {
                let before = 1 + at % (model.head + 2);
                let chunk = log.read_before(before, &Scan { max_bytes, ..Scan::default() }).await.unwrap();
                let mut found = messages(&chunk, |s| s < before);
                found.sort();
                assert_eq!(found, expected(chunk.through.max(model.oldest)..before.min(model.head + 1)), "before {before}");
            }
            Op::Seek(at) => {
                let time = Timestamp::from_nanos(i64::try_from(at % (model.head * 1000 + 2000)).unwrap());
                let naive = (model.oldest..=model.head).find(|n| own_time(*n) >= time).unwrap_or(model.head + 1);
                assert_eq!(log.seek_time(time).await.unwrap(), naive, "{time:?}");
            }
            Op::Trim(at) => {
                let before = at % (model.head + 2);
                let oldest = log.trim(before).await.unwrap();
                assert!(oldest >= model.oldest && (oldest == model.oldest || oldest <= before));
                model.oldest = oldest;
            }
            Op::Reopen => {
                close(log, dir.path()).await;
                let (again, recovery) = EmbeddedLog::open_with(dir.path(), limits()).unwrap();
                assert!(recovery.clean, "{recovery:?}");
                log = again;
            }
            Op::Crash => {
                // Without the mark of a clean stop. What a kill leaves in the middle of something,
                // tests/faults see: a live directory that is copied is no image of one moment.
                let mark = dir.path().join("log/LOG");
                let running = dir.path().join("running");
                std::fs::hard_link(&mark, &running).unwrap();
                close(log, dir.path()).await;
                std::fs::rename(running, &mark).unwrap();
                let (again, recovery) = EmbeddedLog::open_with(dir.path(), limits()).unwrap();
                assert!(!recovery.clean && recovery.lost.is_empty() && recovery.quarantined.is_empty(), "{recovery:?}");
                log = again;
            }
            Op::Rest => tokio::time::sleep(Duration::from_millis(10)).await,
        }
        let bounds = log.bounds();
        assert_eq!((bounds.oldest, bounds.head), (model.oldest, model.head));
    }
    close(log, dir.path()).await;
}

/// Runs in `./test`; `SHIPSLOG_MODEL_CASES` asks for more.
fn cases() -> u32 {
    std::env::var("SHIPSLOG_MODEL_CASES").ok().and_then(|text| text.parse().ok()).unwrap_or(24)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: cases(), max_shrink_iters: 40, failure_persistence: None, ..ProptestConfig::default() })]
    #[test]
    fn is_a_vector_that_forgets_its_beginning(ops in prop::collection::vec(op(), 1..60)) {
        tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(run(ops));
    }
}
