//! A daemon whose connections break again and again while it is busy: nothing is lost, nothing is there
//! twice, and where something was lost, the log says where.

use crate::fake_daemon::FakeDaemon;
use crate::support::{Ship, assert_dense, wait_for};
use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng as _};
use serde_json::Value;
use std::collections::BTreeMap;
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use tempfile::TempDir;

/// What a busy host was measured to send.
const EVENTS_PER_SECOND: u32 = 350;
/// Of a hundred events so many carry an earlier time than the one before them; the worst was 335 ms late.
const LATE_PERCENT: u32 = 13;
const LATE_MAX: Duration = Duration::from_millis(335);

fn seed() -> u64 {
    let seed = std::env::var("SHIPSLOG_SEED").ok().and_then(|text| text.parse().ok()).unwrap_or_else(rand::random);
    eprintln!("SHIPSLOG_SEED={seed}");
    seed
}

fn scale(variable: &str, usual: u64) -> u64 {
    std::env::var(variable).ok().and_then(|text| text.parse().ok()).unwrap_or(usual)
}

/// A busy host.
struct Host {
    daemon: FakeDaemon,
    random: StdRng,
    sent: u64,
}

impl Host {
    fn next(&mut self) -> String {
        let mut time = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
        if self.random.random_ratio(LATE_PERCENT, 100) {
            time -= self.random.random_range(Duration::ZERO..LATE_MAX);
        }
        let n = self.sent;
        self.sent += 1;
        format!(
            r#"{{"status":"start","id":"c{n}","from":"busybox","Type":"container","Action":"start","Actor":{{"ID":"c{n}","Attributes":{{"image":"busybox","name":"grün-{n}"}}}},"scope":"local","time":{},"timeNano":{}}}"#,
            time.as_secs(),
            time.as_nanos()
        )
    }

    /// Events for so long.
    async fn busy(&mut self, time: Duration) {
        let events = (EVENTS_PER_SECOND * u32::try_from(time.as_millis()).unwrap()).div_ceil(1000);
        for _ in 0..events {
            let line = self.next();
            let size = if self.random.random_ratio(1, 50) { 1 } else { usize::MAX };
            self.daemon.emit_in_chunks(&line, size);
            tokio::time::sleep(Duration::from_secs(1) / EVENTS_PER_SECOND).await;
        }
    }

    fn unseen(&mut self, events: u64) {
        for _ in 0..events {
            let line = self.next();
            self.daemon.emit_to_ring(&line);
        }
    }
}

fn attributes(line: &str) -> (String, Value) {
    let mut record: Value = serde_json::from_str(line).unwrap();
    let event = record["event"].take();
    let what = if event["Type"] == "recorder" { event["Action"].as_str().unwrap() } else { "" };
    (what.to_owned(), event["Actor"]["Attributes"].clone())
}

/// Verdicts so far: `resumed`, or the reason of a gap.
fn verdicts(log: &BTreeMap<u64, String>) -> Vec<String> {
    let verdict = |line: &String| match attributes(line) {
        (what, _) if what == "resumed" => Some(what),
        (what, attributes) if what == "gap" => Some(attributes["reason"].as_str().unwrap().to_owned()),
        _ => None,
    };
    log.values().filter_map(verdict).collect()
}

/// Numbers of the events in the log, in its order.
fn numbers(log: &BTreeMap<u64, String>) -> Vec<u64> {
    let number = |line: &String| attributes(line).1["name"].as_str()?.strip_prefix("grün-")?.parse().ok();
    log.values().filter_map(number).collect()
}

fn assert_every_event_once(log: &BTreeMap<u64, String>, count: u64) {
    let numbers = numbers(log);
    let odd = numbers.iter().zip(0..count).position(|(is, should)| *is != should).unwrap_or(numbers.len());
    let around = &numbers[odd.saturating_sub(3)..numbers.len().min(odd + 10)];
    assert!(numbers.iter().copied().eq(0..count), "{} of {count} events; at {odd}: {around:?}; {:?}", numbers.len(), verdicts(log));
}

async fn wait_for_verdicts(ship: &Ship, count: usize) -> Vec<String> {
    wait_for("the verdict", async || Some(verdicts(&ship.export("").await)).filter(|verdicts| verdicts.len() >= count)).await
}

async fn wait_for_event(ship: &Ship, number: u64) -> BTreeMap<u64, String> {
    wait_for("the last event", async || Some(ship.export("").await).filter(|log| numbers(log).last() == Some(&number))).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_storm_of_reconnects_loses_and_repeats_nothing() {
    let dir = TempDir::new().unwrap();
    let random = StdRng::seed_from_u64(seed());
    let mut host = Host { daemon: FakeDaemon::tcp().await, random, sent: 0 };
    host.daemon.set_twice(true);
    let mut ship = Ship::start(dir.path(), &host.daemon.url());
    host.daemon.wait_for_subscribers(1).await;
    wait_for_verdicts(&ship, 1).await;
    host.busy(Duration::from_millis(500)).await;
    let rounds = scale("SHIPSLOG_STORMS", 30);
    for round in 0..rounds {
        let pause = Duration::from_millis(host.random.random_range(5..400));
        host.busy(pause).await;
        let kind = host.random.random_range(0..5);
        if kind > 2 {
            // Two long ones in a row would be longer than the ring.
            wait_for_event(&ship, host.sent - 1).await;
        }
        match kind {
            0 => host.daemon.end_streams(),
            1 => host.daemon.drop_connections(),
            2 => {
                host.daemon.set_reset(round % 2 == 0);
                host.daemon.drop_connections();
            }
            // Away for less than the ring holds.
            3 => {
                host.daemon.refuse();
                host.busy(Duration::from_millis(300)).await;
                host.daemon.listen().await;
                // The next one may come at once, and what was missed has to be read before.
                wait_for_event(&ship, host.sent - 1).await;
            }
            _ => {
                ship.kill();
                host.busy(Duration::from_millis(100)).await;
                ship.restart();
                wait_for_event(&ship, host.sent - 1).await;
            }
        }
    }
    host.busy(Duration::from_secs(1)).await;
    let log = wait_for_event(&ship, host.sent - 1).await;
    assert_dense(&log);
    let verdicts = verdicts(&log);
    assert_every_event_once(&log, host.sent);
    let gaps: Vec<_> = verdicts.iter().filter(|verdict| *verdict != "resumed").collect();
    assert_eq!(gaps, ["first-contact"], "nothing else was lost, and nothing else is said to be");
    eprintln!("{} events, {rounds} interruptions, {} reconnects proven gapless", host.sent, verdicts.len() - 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn verdicts_say_what_happened_to_the_ring() {
    let dir = TempDir::new().unwrap();
    let random = StdRng::seed_from_u64(seed());
    let mut host = Host { daemon: FakeDaemon::unix().await, random, sent: 0 };
    let ship = Ship::start(dir.path(), &host.daemon.url());
    host.daemon.wait_for_subscribers(1).await;
    let mut expected = vec!["first-contact"];
    let mut lost = Vec::new();
    wait_for_verdicts(&ship, 1).await;
    for _ in 0..scale("SHIPSLOG_STORMS", 30) / 2 {
        host.busy(Duration::from_millis(100)).await;
        wait_for_event(&ship, host.sent - 1).await;
        host.daemon.refuse();
        let first = host.sent;
        expected.push(match host.random.random_range(0..4) {
            0 => {
                let unseen = host.random.random_range(0..256);
                host.unseen(unseen);
                "resumed"
            }
            // With 256 or more the ring holds nothing that is known.
            1 => {
                let unseen = host.random.random_range(256..700);
                host.unseen(unseen);
                lost.extend(first..host.sent - 256);
                "ring-overflow"
            }
            kind => {
                let before = if kind == 2 { 0 } else { host.random.random_range(0..300) };
                host.unseen(before);
                lost.extend(first..host.sent);
                host.daemon.restart();
                let unseen = host.random.random_range(0..256);
                host.unseen(unseen);
                "daemon-restart"
            }
        });
        host.daemon.listen().await;
        assert_eq!(wait_for_verdicts(&ship, expected.len()).await, expected);
    }
    host.busy(Duration::from_millis(100)).await;
    let log = wait_for_event(&ship, host.sent - 1).await;
    let kept: Vec<u64> = (0..host.sent).filter(|n| lost.binary_search(n).is_err()).collect();
    assert_eq!(numbers(&log), kept, "what the ring held is there");
    for (what, attributes) in log.values().map(|line| attributes(line)).filter(|(what, _)| what == "gap" || what == "resumed") {
        for evidence in ["overlap", "replayed", "ring_seen"] {
            assert!(attributes[evidence].as_str().is_some_and(|text| text.parse::<u64>().is_ok()), "{what}: {attributes}");
        }
        assert_eq!(attributes["last_stored"].is_string(), attributes["reason"] != "first-contact", "{what}: {attributes}");
    }
}

/// Memory of a debug build after a burst, with room for what another allocator or kernel keeps.
const MOST_AT_REST_KIB: u64 = 96 << 10;

#[tokio::test(flavor = "multi_thread")]
async fn a_burst_is_recorded_whole() {
    let dir = TempDir::new().unwrap();
    let mut host = Host { daemon: FakeDaemon::unix().await, random: StdRng::seed_from_u64(seed()), sent: 0 };
    let ship = Ship::start(dir.path(), &host.daemon.url());
    host.daemon.wait_for_subscribers(1).await;
    wait_for_verdicts(&ship, 1).await;
    let before = ship.rss_kib();
    let count = scale("SHIPSLOG_BURST", 50_000);
    let lines: Vec<String> = (0..count).map(|_| host.next()).collect();
    host.daemon.flood(lines.into_iter(), 16 << 10).await;
    let mut head = 0;
    while head < count {
        // For as long as the head moves.
        head = wait_for("more of the burst to be stored", async || {
            let stats = ship.json("/api/v1/stats").await;
            assert_eq!(stats["ingest"]["lost"], 0, "{stats}");
            stats["log"]["head"].as_u64().filter(|now| *now > head)
        })
        .await;
    }
    let log = wait_for_event(&ship, count - 1).await;
    assert_dense(&log);
    assert_every_event_once(&log, count);
    // What the rush needed is given back: blocks in memory, buffers of sled, pages of the allocator. What is
    // known of the newest containers stays.
    let peak = ship.peak_rss_kib();
    let is_given_back = |rss: u64| rss < u64::midpoint(before, peak) && rss < MOST_AT_REST_KIB;
    wait_for("half of what the rush took to be given back", async || is_given_back(ship.rss_kib()).then_some(())).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_line_of_64_megabytes_costs_itself_alone() {
    let dir = TempDir::new().unwrap();
    let mut host = Host { daemon: FakeDaemon::unix().await, random: StdRng::seed_from_u64(seed()), sent: 0 };
    let ship = Ship::start(dir.path(), &host.daemon.url());
    host.daemon.wait_for_subscribers(1).await;
    host.busy(Duration::from_millis(50)).await;
    let piece = vec![b'x'; 1 << 20];
    for _ in 0..64 {
        host.daemon.emit_raw(&piece);
    }
    host.daemon.emit_raw(b"\n");
    host.busy(Duration::from_millis(50)).await;
    let log = wait_for_event(&ship, host.sent - 1).await;
    assert!(numbers(&log).into_iter().eq(0..host.sent));
    let malformed: Vec<Value> =
        log.values().map(|line| attributes(line)).filter(|(_, a)| a["reason"] == "malformed").map(|(_, a)| a).collect();
    assert_eq!((malformed.len(), malformed[0]["bytes"].as_str()), (1, Some("67108864")));
}

/// From API 1.52 on messages lack `status`, `id` and `from`; they are the same events.
#[tokio::test(flavor = "multi_thread")]
async fn a_daemon_that_is_upgraded_tells_the_same_events_in_other_words() {
    let dir = TempDir::new().unwrap();
    let mut host = Host { daemon: FakeDaemon::unix().await, random: StdRng::seed_from_u64(seed()), sent: 0 };
    let ship = Ship::start(dir.path(), &host.daemon.url());
    host.daemon.wait_for_subscribers(1).await;
    wait_for_verdicts(&ship, 1).await;
    host.busy(Duration::from_millis(200)).await;
    wait_for_event(&ship, host.sent - 1).await;
    host.daemon.refuse();
    host.unseen(20);
    host.daemon.upgrade("29.0.0-fake", "1.52", |line| format!("{{{}", &line[line.find(r#""Type""#).unwrap()..]));
    host.daemon.listen().await;
    assert_eq!(wait_for_verdicts(&ship, 2).await, ["first-contact", "resumed"]);
    let log = wait_for_event(&ship, host.sent - 1).await;
    assert_every_event_once(&log, host.sent);
    let engines: Vec<_> =
        log.values().map(|line| attributes(line)).filter(|(what, _)| what == "connect").map(|(_, a)| a["engine"].clone()).collect();
    assert_eq!(engines, ["28.0.0-fake", "29.0.0-fake"]);
    assert_eq!(log.values().filter(|line| !line.contains(r#""status""#) && line.contains("grün")).count(), 20, "each as it came");
}
