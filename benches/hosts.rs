//! A thousand hosts at a hub: each has a connection of its own and publishes a message a second after its
//! newest one, as a forwarder does; how long each waits for the hub. For benches/fleet_ratios.py, or by hand:
//!
//! `cargo bench --bench hosts -- nats://127.0.0.1:4222,… HOSTS SECONDS`
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::print_stdout, clippy::indexing_slicing, reason = "a bench")]

use rand::RngExt as _;
use std::time::{Duration, Instant};
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio::time::{interval, sleep, timeout};

/// Bytes of a message, about a probe's three events as they are packed.
const PAYLOAD: usize = 300;
const PATIENCE: Duration = Duration::from_secs(30);

async fn host(url: String, number: usize, seconds: u64) -> Vec<Duration> {
    let stream = TcpStream::connect(url.strip_prefix("nats://").unwrap()).await.unwrap();
    stream.set_nodelay(true).unwrap();
    let (reader, mut writer) = stream.into_split();
    let mut lines = BufReader::new(reader).split(b'\n');
    writer.write_all(format!("CONNECT {{\"verbose\":false,\"headers\":true}}\r\nSUB _INBOX.{number} 1\r\n").as_bytes()).await.unwrap();
    let payload: Vec<u8> = (0..PAYLOAD).map(|_| rand::rng().random_range(b'a'..=b'z')).collect();
    let begin = Duration::from_millis(rand::rng().random_range(0..1000));
    sleep(begin).await;
    let (mut place, mut waits, mut turns) = (0u64, Vec::new(), interval(Duration::from_secs(1)));
    for _ in 0..seconds {
        turns.tick().await;
        let head = format!("NATS/1.0\r\nNats-Expected-Last-Subject-Sequence: {place}\r\n\r\n");
        let mut message =
            format!("HPUB slog.v1.default.h{number}.{number:08x} _INBOX.{number} {} {}\r\n{head}", head.len(), head.len() + PAYLOAD)
                .into_bytes();
        message.extend_from_slice(&payload);
        message.extend_from_slice(b"\r\n");
        let began = Instant::now();
        writer.write_all(&message).await.unwrap();
        place = loop {
            let line = timeout(PATIENCE, lines.next_segment()).await.expect("the hub does not answer").unwrap().expect("the hub is gone");
            let line = String::from_utf8_lossy(&line);
            assert!(!line.contains("\"error\""), "{line}");
            if line.starts_with("PING") {
                writer.write_all(b"PONG\r\n").await.unwrap();
            } else if let Some((_, rest)) = line.split_once("\"seq\":") {
                break rest.split(|c: char| !c.is_ascii_digit()).next().unwrap().parse().unwrap();
            }
        };
        waits.push(began.elapsed());
    }
    waits
}

#[tokio::main(worker_threads = 1)]
async fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).filter(|argument| argument != "--bench").collect();
    assert_eq!(arguments.len(), 3, "URL,URL,… HOSTS SECONDS");
    let (urls, hosts, seconds) = (&arguments[0], &arguments[1], &arguments[2]);
    let urls: Vec<&str> = urls.split(',').collect();
    let (hosts, seconds) = (hosts.parse().unwrap(), seconds.parse().unwrap());
    let mut running = JoinSet::new();
    for number in 0..hosts {
        running.spawn(host(urls[number % urls.len()].to_owned(), number, seconds));
    }
    let mut waits: Vec<Duration> = running.join_all().await.into_iter().flatten().collect();
    waits.sort_unstable();
    let part = |of: usize| waits[waits.len() * of / 100].as_secs_f64() * 1e3;
    println!(
        "{hosts} hosts, a connection and a message a second each, {} messages: acknowledged in p50 {:.1} ms, p99 {:.1} ms",
        waits.len(),
        part(50),
        part(99)
    );
}
