//! A daemon whose answers are of any size: the program's memory and log stay small.

use super::{connected, recorded};
use crate::fake_daemon::FakeDaemon;
use crate::support::{Ship, wait_for};
use std::time::Duration;
use tempfile::TempDir;

/// More than ten times what the answers would take if they were held.
const MAX_RSS_KIB: u64 = 450 << 10;

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
    assert_eq!(connected(&ship, "big").await["engine"], "unknown");
    wait_for("the baseline", async || {
        let page = ship.json(r#"/api/v1/events?since=oldest&filters={"event":["baseline"]}"#).await;
        let told = page["records"].as_array()?.first()?["event"]["Actor"]["Attributes"].clone();
        assert_eq!((told["containers"].as_str(), told["containers_left_out"].as_str()), (Some("20000"), Some("580001")), "{told}");
        Some(())
    })
    .await;
    assert!(recorded(&ship, "big").await.first().is_some_and(|record| record == "connect start"));
    let peak = ship.peak_rss_kib();
    assert!(peak < MAX_RSS_KIB, "{peak} KiB");
    let (status, took) = ship.stop();
    assert!(status.success() && took < Duration::from_secs(10), "{took:?}");
    let said = std::fs::read(&log).unwrap();
    assert!(said.len() < 100_000, "{} bytes of log", said.len());
    eprintln!("peak {peak} KiB, {} bytes of log", said.len());
}
