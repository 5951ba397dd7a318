//! The same events by Server-Sent Events, WebSocket, long poll and polling each second: delay, bytes,
//! requests, processor time. The real program records a scripted daemon; 100 clients of each kind in turn.
//!
//! `cargo bench --bench transports`; needs `taskset` and `ss` (iproute2). `SHIPSLOG_SECONDS` sets how long it
//! runs at 0.1 events/s.
//!
//! Bytes are counted by the kernel at the clients' sockets (TCP_INFO through `ss`): payload both ways, and 52
//! B for the IP and TCP headers of each segment. Loopback's segments are longer than a network's, so that
//! large answers would have a few headers more there.
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

#[path = "../tests/it/fake_daemon.rs"]
mod fake_daemon;
mod support;
#[path = "support/transport.rs"]
mod transport;

use fake_daemon::FakeDaemon;
use rand::rngs::SmallRng;
use rand::{RngExt, SeedableRng};
use std::collections::HashMap;
use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, SystemTime};
use support::{ms, quantile};
use tokio::time::{Instant, sleep, sleep_until};
use transport::{Kind, Tally};

const CLIENTS: usize = 100;
const SEED: u64 = 7;
/// Until all have connected and every poller has asked once.
const SETTLING: Duration = Duration::from_secs(2);
/// For the last event to reach who asks each second.
const GRACE: Duration = Duration::from_secs(3);
/// IPv4 without options, TCP with timestamps.
const HEADER_BYTES: u64 = 20 + 32;

/// Events a second, and how long.
struct Phase {
    rate: f64,
    time: Duration,
}

struct Outcome {
    mean_ms: f64,
    p99_ms: f64,
    /// A client and hour.
    megabytes: f64,
    requests: f64,
    /// Milliseconds a second.
    cpu: f64,
}

#[tokio::main(flavor = "current_thread")]
async fn main() {
    let seconds: u64 = std::env::var("SHIPSLOG_SECONDS").map_or(40, |text| text.parse().expect("SHIPSLOG_SECONDS is a number"));
    let own = std::process::id().to_string();
    let pinned = Command::new("taskset").args(["-cp", "1", &own]).stdout(Stdio::null()).status().expect("taskset");
    assert!(pinned.success(), "needs two cores");
    let rare = Phase { rate: 0.1, time: Duration::from_secs(seconds) };
    let busy = Phase { rate: 10.0, time: Duration::from_secs(15) };
    println!(
        "{CLIENTS} clients, Poisson arrivals (seed {SEED}), server and clients on a core each; bytes and requests for a client and an hour"
    );
    let [mut at_rare, mut at_busy] = [const { Vec::new() }; 2];
    for (phase, outcomes) in [(&rare, &mut at_rare), (&busy, &mut at_busy)] {
        println!("\n{} events/s for {} s | delay mean, p99 ms | IP MB | requests | server CPU ms/s", phase.rate, phase.time.as_secs());
        for kind in Kind::ALL {
            let o = measure(kind, phase).await;
            println!(
                "{:>22} | {:>8.2}, {:>7.2} | {:>5.2} | {:>8.0} | {:>6.2}",
                kind.name(),
                o.mean_ms,
                o.p99_ms,
                o.megabytes,
                o.requests,
                o.cpu
            );
            outcomes.push(o);
        }
    }
    claims(&at_rare, &at_busy);
}

/// What the article says, beside what was measured.
fn claims(rare: &[Outcome], busy: &[Outcome]) {
    let [sse, ws, _, poll] = rare else { panic!("four transports") };
    let [busy_sse, busy_ws, _, busy_poll] = busy else { panic!("four transports") };
    println!(
        "\n\"SSE sends only when something happens\": {:.2} MB an hour at 0.1/s, keep-alive comments included; {:.1} at 10/s.",
        sse.megabytes, busy_sse.megabytes
    );
    println!(
        "\"Polling is wasteful and late\": mean delay {:.0} ms and {:.0} ms; {:.1} times the bytes and {:.0} times the processor time of SSE at 0.1/s, {:.1} and {:.1} times at 10/s.",
        poll.mean_ms,
        busy_poll.mean_ms,
        poll.megabytes / sse.megabytes,
        poll.cpu / sse.cpu,
        busy_poll.megabytes / busy_sse.megabytes,
        busy_poll.cpu / busy_sse.cpu,
    );
    println!(
        "\"WebSocket is efficient but complex\": {:.2} times the bytes and {:.1} times the processor time of SSE at 0.1/s, {:.2} and {:.1} times at 10/s; resuming is up to the page.",
        ws.megabytes / sse.megabytes,
        ws.cpu / sse.cpu,
        busy_ws.megabytes / busy_sse.megabytes,
        busy_ws.cpu / busy_sse.cpu,
    );
}

async fn measure(kind: Kind, phase: &Phase) -> Outcome {
    let dir = tempfile::TempDir::new_in("target").unwrap();
    let daemon = FakeDaemon::tcp().await;
    let server = start(&daemon, dir.path());
    let port = server.port;
    daemon.wait_for_subscribers(1).await;
    let tally = Arc::new(Tally::new(CLIENTS));
    for at in 0..CLIENTS {
        let stagger = Duration::from_secs(1) * u32::try_from(at).unwrap() / u32::try_from(CLIENTS).unwrap();
        tokio::spawn(transport::client(kind, port, at, stagger, Arc::clone(&tally)));
    }
    sleep(SETTLING).await;

    let pid = server.child.id();
    let (bytes, requests, mut cpu) = (wire(port), tally.requests.load(Ordering::Relaxed), Cpu::start(pid));
    let (began, times) = (Instant::now(), arrivals(phase));
    for (number, time) in times.iter().enumerate() {
        while cpu.sampled + Duration::from_secs(1) < began + *time {
            sleep_until(cpu.sampled + Duration::from_secs(1)).await;
            cpu.sample();
        }
        sleep_until(began + *time).await;
        daemon.emit(&event(number, &tally));
    }
    while cpu.sampled + Duration::from_secs(1) < began + phase.time {
        sleep_until(cpu.sampled + Duration::from_secs(1)).await;
        cpu.sample();
    }
    sleep_until(began + phase.time).await;
    cpu.sample();
    let took = began.elapsed().as_secs_f64();
    let hours = CLIENTS as f64 * took / 3600.0;
    let bytes = (wire(port) - bytes) as f64 / hours;
    let requests = (tally.requests.load(Ordering::Relaxed) - requests) as f64 / hours;
    sleep(GRACE).await;

    let mut delays = tally.delays.lock().clone();
    assert_eq!(delays.len(), times.len() * CLIENTS, "{}: not every client has had every event once", kind.name());
    let mean = delays.iter().sum::<Duration>() / u32::try_from(delays.len()).unwrap();
    let p99 = quantile(&mut delays, 0.99);
    tally.over.store(true, Ordering::Relaxed);
    Outcome { mean_ms: ms(mean), p99_ms: ms(p99), megabytes: bytes / 1e6, requests, cpu: ms(cpu.used()) / took }
}

/// The real program on a core of its own.
struct Server {
    child: Child,
    port: u16,
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn start(daemon: &FakeDaemon, dir: &std::path::Path) -> Server {
    let mut command = Command::new("taskset");
    command.args([
        "-c",
        "0",
        env!("CARGO_BIN_EXE_shipslog"),
        "serve",
        "--listen",
        "127.0.0.1:0",
        "--docker-host",
        &daemon.url(),
        "--data-dir",
    ]);
    let mut child = command.arg(dir).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
    let mut line = String::new();
    BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
    let port = line.trim().rsplit(':').next().and_then(|port| port.parse().ok());
    Server { child, port: port.unwrap_or_else(|| panic!("the server does not start: {line:?}")) }
}

/// When events happen. A Poisson process of which only the count is given has them anywhere, independently;
/// so a short run has as many as a long one would have on average.
fn arrivals(phase: &Phase) -> Vec<Duration> {
    let mut random = SmallRng::seed_from_u64(SEED);
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a small count")]
    let count = (phase.rate * phase.time.as_secs_f64()).round() as usize;
    let mut times: Vec<_> = (0..count).map(|_| phase.time.mul_f64(random.random_range(0.0..1.0))).collect();
    times.sort_unstable();
    times
}

fn event(number: usize, tally: &Tally) -> String {
    let now = SystemTime::UNIX_EPOCH.elapsed().unwrap();
    let id = "4f1c1b8a0e1d4c0b9d5f6a7b8c9d0e1f2a3b4c5d6e7f8091a2b3c4d5e6f70819";
    format!(
        r#"{{"status":"start","id":"{id}","from":"nginx:1.25-alpine","Type":"container","Action":"start","Actor":{{"ID":"{id}","Attributes":{{"bench.n":"{number}","bench.sent":"{}","com.docker.compose.project":"shop","com.docker.compose.service":"web","com.docker.compose.version":"2.29.7","image":"nginx:1.25-alpine","maintainer":"NGINX Docker Maintainers <docker-maint@nginx.com>","name":"shop-web-1"}}}},"scope":"local","time":{},"timeNano":{}}}"#,
        tally.nanos(),
        now.as_secs(),
        now.as_nanos()
    )
}

/// Bytes with their headers on all clients' connections so far.
fn wire(port: u16) -> u64 {
    let listed = Command::new("ss").args(["-tinH", "state", "established", "dport", "=", &format!(":{port}")]).output().expect("ss");
    let text = String::from_utf8_lossy(&listed.stdout);
    let sum = |name: &str| text.split_whitespace().filter_map(|field| field.strip_prefix(name)?.parse::<u64>().ok()).sum::<u64>();
    assert_eq!(text.matches(" segs_in:").count(), CLIENTS, "each client has one connection");
    sum("bytes_acked:") + sum("bytes_received:") + HEADER_BYTES * (sum("segs_out:") + sum("segs_in:"))
}

/// Processor time of a process. Its threads come and go, and take their figures with them: so it looks often.
struct Cpu {
    pid: u32,
    sampled: Instant,
    first: HashMap<String, u64>,
    last: HashMap<String, u64>,
}

impl Cpu {
    fn start(pid: u32) -> Self {
        let mut cpu = Self { pid, sampled: Instant::now(), first: HashMap::new(), last: HashMap::new() };
        cpu.sample();
        cpu.first = cpu.last.clone();
        cpu
    }

    fn sample(&mut self) {
        self.sampled = Instant::now();
        for task in std::fs::read_dir(format!("/proc/{}/task", self.pid)).into_iter().flatten().flatten() {
            let figures = std::fs::read_to_string(task.path().join("schedstat")).unwrap_or_default();
            if let Some(nanos) = figures.split(' ').next().and_then(|nanos| nanos.parse().ok()) {
                self.last.insert(task.file_name().to_string_lossy().into_owned(), nanos);
            }
        }
    }

    fn used(&self) -> Duration {
        Duration::from_nanos(self.last.iter().map(|(task, nanos)| nanos - self.first.get(task).unwrap_or(&0)).sum())
    }
}
