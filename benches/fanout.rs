//! Live fan-out over HTTP: from the append of an event, through the commit, to the last byte at each of N SSE
//! clients. Server and clients share this process and its two cores, so processor time is that of both ends.
//!
//! `cargo bench --bench fanout`
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

use shipslog::log::{EmbeddedLog, EventLog};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};
use support::{cpu, median, messages, ms, quantile, records};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::mpsc;
use tokio::task::JoinSet;

const ROUNDS: usize = 3;
const RATE: u32 = 50;
const EVENTS: usize = 150;
const BURST: usize = 20_000;

/// Reads frames and tells when each record arrived, until `count` have.
async fn client(address: SocketAddr, count: usize, ready: mpsc::Sender<()>) -> Vec<Instant> {
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(b"GET /api/v1/stream HTTP/1.1\r\nHost: localhost\r\n\r\n").await.unwrap();
    let (mut buffer, mut arrivals, mut text) = (vec![0; 64 * 1024], Vec::with_capacity(count), Vec::new());
    let mut live = false;
    while arrivals.len() < count {
        let read = stream.read(&mut buffer).await.unwrap();
        assert_ne!(read, 0, "the stream ended");
        text.extend_from_slice(&buffer[..read]);
        if !live && memchr::memmem::find(&text, b"event: caught-up").is_some() {
            live = true;
            text.clear();
            ready.send(()).await.unwrap();
        } else if live {
            let now = Instant::now();
            // One line of data a record: JSON holds no line ends.
            let frames = memchr::memmem::find_iter(&text, b"\ndata: ").count();
            arrivals.extend(std::iter::repeat_n(now, frames));
            let keep = text.len().saturating_sub(6);
            text.drain(..keep);
        }
    }
    arrivals
}

async fn with_clients(
    count: usize,
    events: usize,
) -> (Arc<dyn EventLog>, JoinSet<Vec<Instant>>, tempfile::TempDir, shipslog::shutdown::Stop) {
    let dir = tempfile::TempDir::new_in("target").unwrap();
    let log: Arc<dyn EventLog> = Arc::new(EmbeddedLog::open(dir.path()).unwrap().0);
    let (address, stop) = serve::start(Arc::clone(&log)).await;
    let (ready, mut all_ready) = mpsc::channel(count);
    let mut clients = JoinSet::new();
    for _ in 0..count {
        clients.spawn(client(address, events, ready.clone()));
    }
    for _ in 0..count {
        all_ready.recv().await.unwrap();
    }
    (log, clients, dir, stop)
}

/// Delays at a steady rate, and processor seconds per million deliveries.
async fn steady(count: usize) -> (f64, f64, f64) {
    let (log, mut clients, _dir, stop) = with_clients(count, EVENTS).await;
    let before = cpu();
    let mut ticks = tokio::time::interval(Duration::from_secs(1) / RATE);
    let mut sent = Vec::new();
    for event in messages(EVENTS) {
        ticks.tick().await;
        sent.push(Instant::now());
        log.append(records(&[event])).await.unwrap();
    }
    let mut delays = Vec::new();
    while let Some(arrivals) = clients.join_next().await {
        delays.extend(arrivals.unwrap().iter().zip(&sent).map(|(arrived, sent)| arrived.duration_since(*sent)));
    }
    let seconds = cpu().saturating_sub(before).as_secs_f64() / delays.len() as f64 * 1e6;
    stop.stop();
    (ms(quantile(&mut delays, 0.5)), ms(quantile(&mut delays, 0.99)), seconds)
}

/// Deliveries a second while events are appended as fast as they commit.
async fn saturated(count: usize) -> f64 {
    let events = BURST.min(2_000_000 / count);
    let (log, mut clients, _dir, stop) = with_clients(count, events).await;
    let began = Instant::now();
    for batch in messages(events).chunks(64) {
        log.append(records(batch)).await.unwrap();
    }
    while let Some(arrivals) = clients.join_next().await {
        assert_eq!(arrivals.unwrap().len(), events);
    }
    stop.stop();
    (events * count) as f64 / began.elapsed().as_secs_f64()
}

#[tokio::main]
async fn main() {
    println!("medians of {ROUNDS} rounds; steady: {RATE} events/s, one a commit; saturated: 64 a commit, as fast as they commit");
    println!("clients | steady: p50 ms, p99 ms, CPU s per million deliveries (both ends) | saturated: deliveries/s");
    for count in [1, 100, 1000] {
        let (mut p50, mut p99, mut cost, mut rate) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
        for _ in 0..ROUNDS {
            let (a, b, c) = steady(count).await;
            p50.push(a);
            p99.push(b);
            cost.push(c);
            rate.push(saturated(count).await);
        }
        println!("{count:>7} | {:>6.2}, {:>6.2}, {:>8.1} | {:>9.0}", median(p50), median(p99), median(cost), median(rate));
    }
}
