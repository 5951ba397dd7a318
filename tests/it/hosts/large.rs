//! A daemon whose answers are of any size: the program's memory and log stay small.

use super::connected;
use crate::fake_daemon::FakeDaemon;
use crate::support::{Ship, wait_for};
use std::time::Duration;
use tempfile::TempDir;

/// The answers have 880 MB in all; they take about 92 MiB in a debug build.
const MAX_RSS_KIB: u64 = 250 << 10;

#[tokio::test(flavor = "multi_thread")]
async fn answers_of_any_size_take_little_memory() {
    let dir = TempDir::new().unwrap();
    let daemon = FakeDaemon::unix().await;
    // 100 MB, 80 MB and 700 MB.
    daemon.set_large("/version", r#"{"Version":""#, "9.9\\u001b[2J\u{202e}", 8 << 20, r#""}"#);
    let container = r##"{"Id":"#","Names":["/a"],"Image":"busybox","State":"running","Labels":{}},"##;
    daemon.set_large("/containers/json", "[", container, 600_000, r#"{"Id":"last"}]"#);
    daemon.set_large("/containers/*", r#"{"Config":{"Labels":{"a":""#, "0123456789abcdef", 44 << 20, r#""}}}"#);
    let log = dir.path().join("stderr");
    let host = format!("big={}", daemon.url());
    let mut ship = Ship::start_logging(&dir.path().join("data"), &["--docker-host", &host], &log);
    connected(&ship, "big").await;
    let filters: String = form_urlencoded::byte_serialize(br#"{"event":["baseline"]}"#).collect();
    wait_for("the baseline", async || {
        let page = ship.json(&format!("/api/v1/events?since=oldest&filters={filters}")).await;
        let told = page["records"].as_array()?.first()?["event"]["Actor"]["Attributes"].clone();
        assert_eq!((told["containers"].as_str(), told["containers_left_out"].as_str()), (Some("20000"), Some("580001")), "{told}");
        Some(())
    })
    .await;
    // Each counts for 16 MiB of 256, and four are asked for at a time.
    let inspected = daemon.requests().iter().filter(|line| line.starts_with("GET /containers/0")).count();
    assert!((16..20).contains(&inspected), "{inspected}");
    let first = ship.json("/api/v1/events?since=oldest&limit=2").await;
    assert_eq!(first["records"][1]["event"]["Actor"]["Attributes"]["engine"], "unknown", "{first}");
    let peak = ship.peak_rss_kib();
    assert!(peak < MAX_RSS_KIB, "{peak} KiB");
    let (status, took) = ship.stop();
    assert!(status.success() && took < Duration::from_secs(10), "{took:?}");
    // With everything that it can say; what the storage engine traces is its own.
    let said = std::fs::read_to_string(&log).unwrap();
    let longest = said.lines().filter(|line| line.contains(" shipslog::")).map(str::len).max().unwrap();
    assert!(longest < 4096 && !said.contains(['\u{1b}', '\u{202e}']), "{longest} bytes in a line");
    let told = said.lines().filter(|line| line.contains(" WARN ") || line.contains(" INFO ")).count();
    assert!(told < 20, "{told} lines");
    eprintln!("peak {peak} KiB, {told} lines for people");
}
