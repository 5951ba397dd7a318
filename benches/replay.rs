//! Replay: from the disk to SSE frames, in this process and over HTTP; by the size of the commits that wrote
//! it.
//!
//! `cargo bench --bench replay`
#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::print_stdout,
    clippy::indexing_slicing,
    clippy::cast_precision_loss,
    reason = "a bench"
)]

#[path = "support/serve.rs"]
mod serve;
mod support;

use shipslog::filter::Filter;
use shipslog::log::{EmbeddedLog, EventLog};
use shipslog::reader::{Reader, Step, Want};
use std::sync::Arc;
use std::time::{Duration, Instant};
use support::{RUNS, median, messages, records};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

const EVENTS: usize = 100_000;

async fn scan(log: &Arc<dyn EventLog>, want: Want) -> (usize, usize) {
    let mut reader = Reader::new(Arc::clone(log), 0, want);
    let (mut count, mut bytes) = (0, 0);
    while let Some(step) = reader.next().await.unwrap() {
        if let Step::Records(selection) = step {
            for run in &selection.runs {
                bytes += std::hint::black_box(selection.block.sse_frames(*run.start(), *run.end())).len();
            }
            count += selection.sequences().count();
        }
    }
    (count, bytes)
}

/// Reads the stream up to `caught-up`; bytes.
async fn over_http(address: std::net::SocketAddr) -> usize {
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(b"GET /api/v1/stream?since=oldest HTTP/1.1\r\nHost: localhost\r\n\r\n").await.unwrap();
    let (mut buffer, mut bytes, mut tail) = (vec![0; 256 * 1024], 0, Vec::new());
    loop {
        let read = stream.read(&mut buffer).await.unwrap();
        bytes += read;
        // The mark may be cut in two by the end of a read.
        tail.extend_from_slice(&buffer[..read]);
        if memchr::memmem::find(&tail, b"event: caught-up").is_some() {
            return bytes;
        }
        tail.drain(..tail.len().saturating_sub(16));
    }
}

#[tokio::main]
async fn main() {
    let events = messages(EVENTS);
    println!("{EVENTS} records; medians of {RUNS} runs");
    println!(
        "events a commit | B/event on disk | to frames: events/s (MB/s) | one type in twenty: events scanned/s | over HTTP: events/s (MB/s)"
    );
    for size in [1, 64, 256] {
        let dir = tempfile::TempDir::new_in("target").unwrap();
        let log: Arc<dyn EventLog> = Arc::new(EmbeddedLog::open(dir.path()).unwrap().0);
        for batch in events.chunks(size) {
            log.append(records(batch)).await.unwrap();
        }
        // In a burst sealing waits until it is over: it is not to be measured with the reads.
        while std::fs::read_dir(dir.path().join("log")).unwrap().filter(|e| is_tip(e.as_ref().unwrap())).count() > 1 {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        let (address, stop) = serve::start(Arc::clone(&log)).await;
        let rare = Filter::from_params(Some(r#"{"type":["volume"]}"#), None).unwrap();
        let (mut frames, mut filtered, mut http, mut wire) = (Vec::new(), Vec::new(), Vec::new(), (0, 0));
        for _ in 0..RUNS {
            let began = Instant::now();
            let (count, bytes) = scan(&log, Want::default()).await;
            assert_eq!(count, EVENTS);
            frames.push(EVENTS as f64 / began.elapsed().as_secs_f64());
            let began = Instant::now();
            scan(&log, Want::filtered(rare.clone())).await;
            filtered.push(EVENTS as f64 / began.elapsed().as_secs_f64());
            let began = Instant::now();
            wire = (bytes, over_http(address).await);
            http.push(EVENTS as f64 / began.elapsed().as_secs_f64());
        }
        let mb = |rate: f64, bytes: usize| rate * bytes as f64 / EVENTS as f64 / 1e6;
        let (frames, http) = (median(frames), median(http));
        println!(
            "{size:>15} | {:>15.0} | {frames:>9.0} ({:>5.0}) | {:>9.0} | {http:>9.0} ({:>5.0})",
            log.disk_bytes() as f64 / EVENTS as f64,
            mb(frames, wire.0),
            median(filtered),
            mb(http, wire.1),
        );
        stop.stop();
        log.close().await.unwrap();
    }
}

fn is_tip(entry: &std::fs::DirEntry) -> bool {
    entry.file_name().to_string_lossy().starts_with("tip-")
}
