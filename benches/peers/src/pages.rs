//! Pages of history by time range and filter: shipslog, which reads through sealed frames, and SQLite with
//! the index for it.

use crate::fleet::Fleet;
use crate::scratch;
use crate::store::{batches, filled};
use crate::support::{ms, quantile};
use rand::{RngExt, SeedableRng, rngs::SmallRng};
use rusqlite::{Connection, params};
use shipslog::filter::Filter;
use shipslog::log::EventLog;
use shipslog::reader::{Reader, Step, Want};
use shipslog::time::Timestamp;
use std::ops::RangeInclusive;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

const QUERIES: usize = 200;
/// Records in a page, at most.
const PAGE: usize = 500;
/// Holds about 30,000 records.
const WINDOW: i64 = 30_000_000_000;

/// The key that the index gives is looked up first, so that SQLite reads the messages of the page only.
const QUERY: &str = "SELECT json FROM records WHERE seq IN (
    SELECT seq FROM records WHERE name = ?1 AND action IN ('die', 'oom') AND time BETWEEN ?2 AND ?3 ORDER BY seq LIMIT 500
) ORDER BY seq";

/// What is asked for: a container's name, and when.
type Query = (String, RangeInclusive<i64>);

/// The messages found, each with a line end, and how many.
type Page = (String, usize);

pub(crate) fn run() {
    let count: u64 = std::env::var("SHIPSLOG_RECORDS").map_or(1_000_000, |text| text.parse().expect("SHIPSLOG_RECORDS is a number"));
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    let dir = scratch();
    let mut fleet = Fleet::new();
    let log = runtime.block_on(filled(dir.path(), count, &mut fleet));
    let last = fleet.now;
    let db = load_sqlite(&dir.path().join("sqlite"), count);
    println!("\npages of one container's die and oom, up to {PAGE}, from {count} records; {QUERIES} queries by turns");
    println!(
        "on disk: shipslog {:.0} MB, SQLite {:.0} MB",
        log.disk_bytes() as f64 / 1e6,
        dir.path().join("sqlite").metadata().unwrap().len() as f64 / 1e6
    );
    println!("{:>20} | records | shipslog p50, p99 ms | SQLite p50, p99 ms | p50: shipslog / it", "window");
    let fleet = Fleet::new();
    let (names, first) = (fleet.names(), fleet.now);
    for (name, window) in [("30,000 records", WINDOW), ("the whole log", i64::MAX)] {
        let window = window.min(last - first);
        let mut random = SmallRng::seed_from_u64(2);
        let queries = (0..QUERIES).map(|n| {
            let from = random.random_range(first..=last - window);
            (names[n % names.len()].clone(), from..=from + window)
        });
        let (mut ours, mut theirs, mut found) = (Vec::new(), Vec::new(), 0);
        for query in queries {
            let page = timed(&mut ours, || runtime.block_on(page_of_shipslog(&log, &query)));
            let same = timed(&mut theirs, || page_of_sqlite(&db, &query));
            assert_eq!(page.1, same.1, "pages of different lengths for {query:?}");
            assert!(page.0 == same.0, "pages of different messages for {query:?}");
            found += page.1;
        }
        let [ours, theirs] = [ours, theirs].map(|mut times| [0.5, 0.99].map(|share| ms(quantile(&mut times, share))));
        println!(
            "{name:>20} | {:>7} | {:>11.2}, {:>7.2} | {:>10.2}, {:>6.2} | {:.1}",
            found / QUERIES,
            ours[0],
            ours[1],
            theirs[0],
            theirs[1],
            ours[0] / theirs[0]
        );
    }
    runtime.block_on(log.close()).unwrap();
}

fn timed<T>(times: &mut Vec<Duration>, work: impl FnOnce() -> T) -> T {
    let began = Instant::now();
    let done = work();
    times.push(began.elapsed());
    done
}

/// The same records as rows. The index is made at the end, which packs it best.
fn load_sqlite(path: &Path, count: u64) -> Connection {
    let mut db = Connection::open(path).unwrap();
    db.execute_batch(
        "PRAGMA journal_mode = WAL; PRAGMA cache_size = -16384;
        CREATE TABLE records (seq INTEGER PRIMARY KEY, time INTEGER, kind TEXT, action TEXT, name TEXT, json TEXT)",
    )
    .unwrap();
    let mut fleet = Fleet::new();
    for batch in batches(count, 10_000) {
        let transaction = db.transaction().unwrap();
        let mut insert =
            transaction.prepare_cached("INSERT INTO records (time, kind, action, name, json) VALUES (?1, ?2, ?3, ?4, ?5)").unwrap();
        for record in fleet.batch(batch) {
            let view = record.event.view();
            let time = view.time.unwrap_or(record.received).nanos();
            insert.execute(params![time, view.kind, view.action, view.attribute("name"), record.event.as_json()]).unwrap();
        }
        drop(insert);
        transaction.commit().unwrap();
    }
    db.execute_batch("CREATE INDEX subjects ON records (name, action, time); ANALYZE; PRAGMA wal_checkpoint(TRUNCATE)").unwrap();
    db
}

async fn page_of_shipslog(log: &Arc<dyn EventLog>, (name, time): &Query) -> Page {
    let filter = serde_json::json!({ "event": ["die", "oom"], "container": [name] }).to_string();
    let filter = Filter::from_params(Some(&filter), None).unwrap();
    let time = Timestamp::from_nanos(*time.start())..=Timestamp::from_nanos(*time.end());
    let mut reader = Reader::new(Arc::clone(log), log.bounds().oldest - 1, Want { time, ..Want::filtered(filter) });
    let (mut page, mut rows) = (String::new(), 0);
    while rows < PAGE
        && let Some(step) = reader.next().await.unwrap()
    {
        if let Step::Records(selection) = step {
            for seq in selection.sequences().take(PAGE - rows) {
                page.push_str(selection.block.json(seq));
                page.push('\n');
                rows += 1;
            }
        }
    }
    (page, rows)
}

fn page_of_sqlite(db: &Connection, (name, time): &Query) -> Page {
    let mut statement = db.prepare_cached(QUERY).unwrap();
    let mut found = statement.query(params![name, time.start(), time.end()]).unwrap();
    let (mut page, mut rows) = (String::new(), 0);
    while let Some(row) = found.next().unwrap() {
        page.push_str(row.get_ref(0).unwrap().as_str().unwrap());
        page.push('\n');
        rows += 1;
    }
    (page, rows)
}
