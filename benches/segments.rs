//! Sealed history: size, sealing, start after a kill, scans, point reads, filtered pages, memory.
//!
//! `cargo bench --bench segments` (1 M records; `SHIPSLOG_RECORDS=10000000` for more)
#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::indexing_slicing,
    clippy::cast_precision_loss,
    reason = "a bench"
)]

#[path = "support/fleet.rs"]
mod fleet;
mod support;

use fleet::Fleet;
use rand::{RngExt, SeedableRng, rngs::SmallRng};
use shipslog::export::{Compression, Export, Format};
use shipslog::filter::Filter;
use shipslog::log::{EmbeddedLog, EventLog, Limits};
use shipslog::reader::{Reader, ReverseReader, Step, Want};
use shipslog::time::Timestamp;
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};
use support::{RUNS, cpu, median, ms, quantile};

/// The directory to load, for the process that is killed.
const CHILD: &str = "SHIPSLOG_BENCH_LOAD";

fn main() {
    let count: u64 = std::env::var("SHIPSLOG_RECORDS").map_or(1_000_000, |text| text.parse().expect("SHIPSLOG_RECORDS is a number"));
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    match std::env::var(CHILD) {
        Ok(dir) => runtime.block_on(load(Path::new(&dir), count)),
        Err(_) => runtime.block_on(run()),
    }
}

/// Writes the log as fast as it goes and waits until all but the newest tip is sealed.
async fn load(dir: &Path, count: u64) {
    let (log, _) = EmbeddedLog::open(dir).unwrap();
    let mut fleet = Fleet::new();
    let (began, mut left, mut raw) = (Instant::now(), count, 0);
    while left > 0 {
        let batch = fleet.batch(usize::try_from(left.min(256)).unwrap());
        left -= batch.len() as u64;
        raw += batch.iter().map(|r| r.event.as_json().len() as u64).sum::<u64>();
        log.append(batch).await.unwrap();
    }
    let loaded = began.elapsed();
    while files(dir, "tip-").len() > 1 {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let rate = |time: Duration| count as f64 / time.as_secs_f64() / 1e3;
    println!(
        "{count} messages of {} B: stored at {:.0} k/s, with the sealing at {:.0} k/s",
        raw / count,
        rate(loaded),
        rate(began.elapsed())
    );
    let (bytes, packed) = (|| files(dir, "0").iter().map(|path| path.metadata().map_or(0, |m| m.len())).sum::<u64>(), Instant::now());
    let as_sealed = bytes();
    let (mut before, mut since) = (as_sealed, Instant::now());
    while since.elapsed() < Duration::from_secs(8) {
        tokio::time::sleep(Duration::from_millis(500)).await;
        let now = bytes();
        if now != before {
            (before, since) = (now, Instant::now());
        }
    }
    let seconds = packed.elapsed().saturating_sub(since.elapsed()).as_secs_f64();
    println!(
        "segments: {:.0} MB as they were sealed, {:.0} MB when all had been packed well, {seconds:.0} s later",
        as_sealed as f64 / 1e6,
        before as f64 / 1e6
    );
    println!("ready");
    std::future::pending::<()>().await;
}

fn files(dir: &Path, prefix: &str) -> Vec<std::path::PathBuf> {
    let entries = std::fs::read_dir(dir.join("log")).unwrap().map(|entry| entry.unwrap().path());
    entries.filter(|path| path.file_name().unwrap().to_string_lossy().starts_with(prefix)).collect()
}

fn resident_mb() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with("VmRSS")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse::<u64>().unwrap() / 1024
}

/// Commits of 64 records at 2,000 records a second, with tips that never fill and with tips that are sealed
/// every second or so.
async fn beside_sealing() {
    let never = Limits { tip_records: u64::MAX, tip_bytes: u64::MAX, ..Limits::default() };
    let always = Limits { tip_records: 2048, ..Limits::default() };
    let (mut p99, mut share) = ([Vec::new(), Vec::new()], [Vec::new(), Vec::new()]);
    for _ in 0..RUNS {
        for (at, limits) in [never, always].into_iter().enumerate() {
            let dir = tempfile::TempDir::new_in("target").unwrap();
            let (log, _) = EmbeddedLog::open_with(dir.path(), limits).unwrap();
            let mut fleet = Fleet::new();
            let (began, spent, mut times) = (Instant::now(), cpu(), Vec::new());
            for n in 1..=200u32 {
                let batch = fleet.batch(64);
                let start = Instant::now();
                log.append(batch).await.unwrap();
                times.push(start.elapsed());
                tokio::time::sleep_until((began + Duration::from_millis(32) * n).into()).await;
            }
            share[at].push(cpu().saturating_sub(spent).as_secs_f64() / began.elapsed().as_secs_f64() * 100.0);
            p99[at].push(ms(quantile(&mut times, 0.99)));
            log.close().await.unwrap();
        }
    }
    let [quiet, busy] = p99.map(median);
    let [without, with] = share.map(median);
    println!(
        "commits of 64 at 2,000/s, p99: {quiet:.2} ms without sealing, {busy:.2} ms beside it ({:.2}); {without:.1}% and {with:.1}% of a core",
        busy / quiet
    );
}

async fn run() {
    let dir = tempfile::TempDir::new_in("target").unwrap();
    let mut child = Command::new(std::env::current_exe().unwrap()).env(CHILD, dir.path()).stdout(Stdio::piped()).spawn().unwrap();
    for line in BufReader::new(child.stdout.take().unwrap()).lines().map(Result::unwrap).take_while(|line| line != "ready") {
        println!("{line}");
    }
    child.kill().unwrap();
    child.wait().unwrap();

    let began = Instant::now();
    let (log, _) = EmbeddedLog::open(dir.path()).unwrap();
    let opened = began.elapsed();
    let log: Arc<dyn EventLog> = Arc::new(log);
    println!("start after kill -9: {:.1} ms, {} MB resident", ms(opened), resident_mb());
    sizes(&log, dir.path()).await;
    println!("resident after the exports: {} MB", resident_mb());
    scans(&log, dir.path()).await;
    points(&log).await;
    pages(&log).await;
    println!("resident after scans, points and pages: {} MB", resident_mb());
    tokio::time::sleep(Duration::from_secs(4)).await;
    println!("after merging: {} segments", files(dir.path(), "0").len());
    log.close().await.unwrap();
    beside_sealing().await;
}

async fn sizes(log: &Arc<dyn EventLog>, dir: &Path) {
    // The newest tip may be named for a record before its first; what is in segments, the packed frames tell.
    let bytes: u64 = files(dir, "0").iter().map(|path| path.metadata().unwrap().len()).sum();
    let (mut last, mut frames) = (0, 0);
    while let Some(packed) = log.packed_after(last, u64::MAX).await.unwrap() {
        last = packed.last;
        frames += packed.bytes.len();
    }
    let mut reader = Reader::new(Arc::clone(log), last.saturating_sub(60_000), Want { until: last, ..Want::default() });
    let (mut wire, mut records) = (0, 0);
    while let Some(step) = reader.next().await.unwrap() {
        if let Step::Records(selection) = step {
            records += selection.sequences().count();
            wire += selection.sequences().map(|seq| selection.block.line(seq, true).len()).sum::<usize>();
        }
    }
    println!(
        "{} segments hold {last} records: {:.2} B a record, {:.2} B of them for the index; a record is {} B on the wire",
        files(dir, "0").len(),
        bytes as f64 / last as f64,
        (bytes - frames as u64) as f64 / last as f64,
        wire / records
    );
    exports(log, dir, last).await;
}

/// Everything that is sealed as `.jsonl.zst` into a file, against `cat` of the segments into a file.
async fn exports(log: &Arc<dyn EventLog>, dir: &Path, until: u64) {
    let (mut ours, mut cats) = (Vec::new(), Vec::new());
    let target = dir.join("export");
    for _ in 0..RUNS {
        let began = Instant::now();
        let status = Command::new("sh").arg("-c").arg(format!("cat {}/log/0*.zst > {}", dir.display(), target.display())).status();
        assert!(status.unwrap().success());
        cats.push(target.metadata().unwrap().len() as f64 / began.elapsed().as_secs_f64());
        let began = Instant::now();
        let reader = Reader::new(Arc::clone(log), 0, Want { until, ..Want::default() });
        let mut export = Export::new(reader, Format::Jsonl, Compression::Zstd);
        let mut file = std::fs::File::create(&target).unwrap();
        while let Some(bytes) = export.next().await.unwrap() {
            file.write_all(&bytes).unwrap();
        }
        ours.push(target.metadata().unwrap().len() as f64 / began.elapsed().as_secs_f64());
    }
    let (ours, cats) = (median(ours), median(cats));
    println!("export as .jsonl.zst: {:.0} MB/s, cat {:.0} MB/s ({:.2})", ours / 1e6, cats / 1e6, ours / cats);
}

/// Everything, as frames: records a second.
async fn scan(log: &Arc<dyn EventLog>, want: Want) -> (u64, f64) {
    let (began, bounds) = (Instant::now(), log.bounds());
    let mut reader = Reader::new(Arc::clone(log), 0, want);
    let mut count = 0;
    while let Some(step) = reader.next().await.unwrap() {
        if let Step::Records(selection) = step {
            for run in &selection.runs {
                std::hint::black_box(selection.block.sse_frames(*run.start(), *run.end()));
                count += run.end() - run.start() + 1;
            }
        }
    }
    (count, (bounds.head - bounds.oldest + 1) as f64 / began.elapsed().as_secs_f64())
}

/// Drops the files from the page cache.
fn chill(dir: &Path) {
    Command::new("sync").status().unwrap();
    // A segment that was merged away meanwhile needs no chilling.
    for path in files(dir, "0") {
        let _ = Command::new("dd").arg(format!("if={}", path.display())).args(["iflag=nocache", "count=0"]).stderr(Stdio::null()).status();
    }
}

async fn scans(log: &Arc<dyn EventLog>, dir: &Path) {
    let (mut warm, mut cold, mut rare) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..RUNS {
        chill(dir);
        cold.push(scan(log, Want::default()).await.1);
        warm.push(scan(log, Want::default()).await.1);
        let filter = Filter::from_params(Some(r#"{"event":["oom"],"container":["shop-web-6"]}"#), None).unwrap();
        rare.push(scan(log, Want::filtered(filter)).await.1);
    }
    println!(
        "scan to frames: {:.2} M/s warm, {:.2} M/s cold; under a filter that nothing passes: {:.1} M/s",
        median(warm) / 1e6,
        median(cold) / 1e6,
        median(rare) / 1e6
    );
}

async fn points(log: &Arc<dyn EventLog>) {
    let mut random = SmallRng::seed_from_u64(1);
    let head = log.bounds().head;
    let mut measure = async |from: u64, to: u64| {
        let mut times = Vec::new();
        for _ in 0..1000 {
            let seq = random.random_range(from..=to);
            let began = Instant::now();
            let mut reader = Reader::new(Arc::clone(log), seq - 1, Want { until: seq, ..Want::default() });
            assert!(matches!(reader.next().await.unwrap(), Some(Step::Records(_))));
            times.push(began.elapsed());
        }
        (ms(quantile(&mut times, 0.5)), ms(quantile(&mut times, 0.99)))
    };
    let sealed = measure(1, head / 2).await;
    let tip = measure(head - 1000, head).await;
    println!("one record by id, p50 and p99: {:.3} {:.3} ms sealed; {:.3} {:.3} ms in the tip", sealed.0, sealed.1, tip.0, tip.1);
}

/// Pages of up to 500 records by time range and filter.
async fn pages(log: &Arc<dyn EventLog>) {
    let names = Fleet::new().names();
    let mut random = SmallRng::seed_from_u64(2);
    let mut reader = Reader::new(Arc::clone(log), 0, Want::default());
    let Some(Step::Records(first)) = reader.next().await.unwrap() else { panic!("the log is empty") };
    let began = first.block.time(first.block.first()).nanos();
    let span = i64::try_from(log.bounds().head).unwrap() * 1_000_000;
    for (order, up) in [("", true), (", newest first", false)] {
        let (mut times, mut found) = (Vec::new(), 0);
        for n in 0..200 {
            let name = &names[n % names.len()];
            let filter = Filter::from_params(Some(&format!(r#"{{"event":["die","oom"],"container":["{name}"]}}"#)), None).unwrap();
            let from = began + random.random_range(0..span - 30_000_000_000);
            let want = Want { time: Timestamp::from_nanos(from)..=Timestamp::from_nanos(from + 30_000_000_000), ..Want::filtered(filter) };
            let began = Instant::now();
            found += if up { page(log, want).await } else { last_page(log, want).await };
            times.push(began.elapsed());
        }
        println!(
            "page of one container's die and oom in 30 s (30,000 records){order}: p50 {:.2} ms, p99 {:.2} ms; {} records a page",
            ms(quantile(&mut times, 0.5)),
            ms(quantile(&mut times, 0.99)),
            found / 200
        );
    }
}

/// The first records of a page; how many.
async fn page(log: &Arc<dyn EventLog>, want: Want) -> usize {
    let (mut reader, mut page) = (Reader::new(Arc::clone(log), log.bounds().oldest - 1, want), 0);
    while let Some(step) = reader.next().await.unwrap() {
        page += records_of(&step);
        if page >= 500 {
            break;
        }
    }
    page
}

/// The last ones.
async fn last_page(log: &Arc<dyn EventLog>, want: Want) -> usize {
    let (mut reader, mut page) = (ReverseReader::new(Arc::clone(log), log.bounds().head + 1, want), 0);
    while let Some(step) = reader.next().await.unwrap() {
        page += records_of(&step);
        if page >= 500 {
            break;
        }
    }
    page
}

fn records_of(step: &Step) -> usize {
    if let Step::Records(selection) = step { selection.sequences().count() } else { 0 }
}
