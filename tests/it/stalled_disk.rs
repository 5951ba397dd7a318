//! The disk stands still under a busy daemon: the socket is drained all the same, and afterwards the log has
//! everything.

use crate::fake_daemon::FakeDaemon;
use crate::mount::Mount;
use crate::skipped::{say, skipped};
use crate::support::{Ship, assert_dense, environment, wait_for};
use serde_json::Value;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use tempfile::TempDir;

const EVENTS_PER_SECOND: u64 = 500;

/// A filesystem that takes no writes: a process that writes waits. It continues when this is dropped, also
/// where a story fails, since nobody could end a program that waits for it.
struct Frozen<'a>(&'a Path);

impl<'a> Frozen<'a> {
    fn new(mount: &'a Path) -> Option<Self> {
        freeze("--freeze", mount).then_some(Self(mount))
    }
}

impl Drop for Frozen<'_> {
    fn drop(&mut self) {
        let thawed = freeze("--unfreeze", self.0);
        assert!(thawed || std::thread::panicking(), "still frozen: {}", self.0.display());
    }
}

fn freeze(how: &str, mount: &Path) -> bool {
    let fsfreeze = |command: &str| Command::new(command).arg(how).arg(mount).stderr(Stdio::null()).status().is_ok_and(|s| s.success());
    fsfreeze("fsfreeze") || fsfreeze("/usr/sbin/fsfreeze")
}

/// An ext4 in a file of `dir`.
fn ext4(dir: &Path) -> Option<Mount> {
    let image = dir.join("image");
    std::fs::File::create(&image).unwrap().set_len(96 << 20).unwrap();
    let mkfs = |command: &str| Command::new(command).args(["-q", "-F"]).arg(&image).status().is_ok_and(|status| status.success());
    (mkfs("mkfs.ext4") || mkfs("/usr/sbin/mkfs.ext4")).then(|| Mount::new(&["-o", "loop", image.to_str().unwrap()])).flatten()
}

fn event(n: u64) -> String {
    let time = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    format!(
        r#"{{"Type":"container","Action":"start","Actor":{{"ID":"c{n}","Attributes":{{"name":"job-{n}"}}}},"scope":"local","time":{},"timeNano":{}}}"#,
        time.as_secs(),
        time.as_nanos()
    )
}

/// Emits events for so many seconds, from number `sent` on. Gives the number of the next one.
async fn busy(daemon: &FakeDaemon, sent: u64, seconds: u64) -> u64 {
    let mut tick = tokio::time::interval(Duration::from_secs(1) / u32::try_from(EVENTS_PER_SECOND).unwrap());
    let next = sent + seconds * EVENTS_PER_SECOND;
    for n in sent..next {
        tick.tick().await;
        daemon.emit(&event(n));
    }
    next
}

#[tokio::test(flavor = "multi_thread")]
async fn a_disk_that_stands_still_holds_up_nobody_and_loses_nothing() {
    let dir = TempDir::new().unwrap();
    let Some(disk) = ext4(dir.path()) else {
        return skipped("a disk that stands still needs root, mkfs.ext4 and loop devices");
    };
    if !freeze("--freeze", disk.path()) || !freeze("--unfreeze", disk.path()) {
        return skipped("a disk that stands still needs fsfreeze and the right to use it");
    }
    let seconds = environment("SHIPSLOG_STALL_SECONDS", 3);
    let daemon = FakeDaemon::unix().await;
    let ship = Ship::start(&disk.path().join("data"), &daemon.url());
    daemon.wait_for_subscribers(1).await;
    ship.wait_for_head(|head| head >= 3).await;
    let sent = busy(&daemon, 0, 1).await;
    let head = ship.wait_for_head(|head| head >= 3 + sent).await;

    let frozen = Frozen::new(disk.path()).unwrap();
    let sent = busy(&daemon, sent, seconds).await;
    let read = async || {
        let stats = ship.json("/api/v1/stats").await;
        (stats["sources"][0]["events"].as_u64().unwrap() == sent).then_some(stats)
    };
    let stats = wait_for("everything to be read from the daemon", read).await;
    assert_eq!(stats["log"]["head"], head, "nobody sees what is not on the disk: {stats}");
    assert_eq!(stats["ingest"]["lost"], 0, "{stats}");
    assert!(stats["ingest"]["queued"].as_u64() > Some(0), "what waits shows: {stats}");
    assert_eq!(ship.get("/healthz").await.status(), 200);
    let visible = ship.export("").await;
    assert_eq!(visible.keys().last(), Some(&head), "what is there can be read");
    drop(frozen);

    // Live again, after what has waited.
    let sent = busy(&daemon, sent, 1).await;
    ship.wait_for_head(|head| head >= 3 + sent).await;
    let log = ship.export("").await;
    assert_dense(&log);
    let (mut numbers, mut own) = (Vec::new(), Vec::new());
    for line in log.values() {
        let record: Value = serde_json::from_str(line).unwrap();
        let event = &record["event"];
        let attributes = &event["Actor"]["Attributes"];
        match attributes["name"].as_str().and_then(|name| name.strip_prefix("job-")) {
            Some(number) => numbers.push(number.parse::<u64>().unwrap()),
            None => own.push(format!("{} {}", event["Action"].as_str().unwrap(), attributes["reason"].as_str().unwrap_or_default())),
        }
    }
    assert!(numbers.iter().copied().eq(0..sent), "{} of {sent} events; {own:?}", numbers.len());
    let gaps: Vec<&String> = own.iter().filter(|what| what.starts_with("gap")).collect();
    assert_eq!(gaps, ["gap first-contact"], "{own:?}");
    assert_eq!((daemon.count("/events"), daemon.subscribers()), (1, 1), "the one connection held");
    say(&format!("{sent} events, of which {} came while the disk stood still for {seconds} s", seconds * EVENTS_PER_SECOND));
}
