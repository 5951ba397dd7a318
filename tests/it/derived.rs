//! What is derived from the log may go at any time, and goes with its records.

use crate::dockerd::Background;
use crate::support::{BIN, Ship, wait_for};
use serde_json::Value;
use shipslog::event::Event;
use shipslog::log::{EmbeddedLog, EventLog, Limits, NewRecord};
use shipslog::time::Timestamp;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed};
use std::time::Duration;
use tempfile::TempDir;

const SECOND: i64 = 1_000_000_000;
const DAY: i64 = 86_400;
/// Of two stretches and a part of a third.
const RECORDS: i64 = 40_000;

/// The n-th record, two seconds after the one before it: each fortieth is a crash of one of 50 containers,
/// which is started again; the others are commands that somebody runs.
fn record(n: i64, begin: i64) -> NewRecord {
    let (id, at) = (n / 40 % 50, (begin + 2 * n) * SECOND);
    let (action, attributes) = match n % 40 {
        0 => ("die", r#","exitCode":"1""#),
        1 => ("start", ""),
        _ => ("exec_start: sh", ""),
    };
    let line = format!(
        r#"{{"Type":"container","Action":"{action}","Actor":{{"ID":"{id:064}","Attributes":{{"name":"c{id}","image":"db:1"{attributes}}}}},"timeNano":{at}}}"#
    );
    NewRecord { source: "local".into(), received: Timestamp::from_nanos(at), event: Event::from_line(line.as_bytes()).unwrap() }
}

/// A log of stretches of time that begin so many days ago, each of so many records.
async fn log_of(dir: &Path, days: &[i64], count: i64) -> i64 {
    let now = Timestamp::now().nanos() / SECOND;
    let limits = Limits { tip_records: 8000, tip_age: Duration::MAX, ..Limits::default() };
    let log = EmbeddedLog::open_with(dir, limits).unwrap().0;
    for ago in days {
        for from in (0..count).step_by(4000) {
            log.append((from..from + 4000).map(|n| record(n, now - ago * DAY)).collect()).await.unwrap();
        }
    }
    let_go(log, dir).await;
    now
}

/// Its threads let go of the directory in their own time.
async fn let_go(log: EmbeddedLog, dir: &Path) {
    log.close().await.unwrap();
    drop(log);
    let lock = std::fs::File::open(dir.join("log/lock")).unwrap();
    tokio::task::spawn_blocking(move || lock.lock().unwrap()).await.unwrap();
}

fn serve(dir: &Path, more: &[&str]) -> Ship {
    Ship::start_with(dir, &[&["--docker-host", "unix:///nonexistent.sock"], more].concat())
}

async fn told(ship: &Ship, path: &str, part: &str) -> Value {
    let answer = ship.get(path).await;
    let (status, text) = (answer.status(), answer.text().await.unwrap());
    assert_eq!(status, 200, "{path}: {text}");
    serde_json::from_str::<Value>(&text).unwrap()[part].take()
}

fn time(second: i64) -> String {
    Timestamp::from_nanos(second * SECOND).to_string()
}

/// Questions that between them need every part of what is derived, and what they are compared by.
fn questions(now: i64) -> Vec<(String, &'static str)> {
    let begin = now - 3 * DAY;
    let (early, late) = (time(begin + 1000), time(begin + 70_000));
    let range = format!("since={}&until={late}", time(begin + 101));
    vec![
        (format!("/api/v1/incidents?severity=notice&limit=1000&until={late}"), "incidents"),
        (format!("/api/v1/incidents?subject=c7&at={late}"), "incidents"),
        (format!("/api/v1/incidents?limit=1000&at={early}"), "incidents"),
        (format!("/api/v1/histogram?bins=77&exact=1&{range}"), "bins"),
        (format!("/api/v1/facets?{range}"), "facets"),
        (format!("/api/v1/lifelines?width=100&{range}"), "lanes"),
        (format!("/api/v1/state?at={late}"), "containers"),
        (format!("/api/v1/state?at={early}"), "containers"),
    ]
}

async fn answers(ship: &Ship, questions: &[(String, &'static str)]) -> Vec<Value> {
    let mut answers = Vec::new();
    for (path, part) in questions {
        answers.push(told(ship, path, part).await);
    }
    answers
}

/// Files of stretches.
fn files(dir: &Path) -> Vec<PathBuf> {
    let entries = |dir: PathBuf| std::fs::read_dir(dir).into_iter().flatten().flatten().map(|entry| entry.path());
    let all = entries(dir.join("log/derived")).flat_map(entries);
    all.filter(|path| path.extension().is_some_and(|end| end == "bin")).collect()
}

async fn wait_for_files(dir: &Path) {
    wait_for("both stretches on the disk", async || (files(dir).len() == 2).then_some(())).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn derived_files_may_go_at_any_moment() {
    let dir = TempDir::new().unwrap();
    let now = log_of(dir.path(), &[3], RECORDS).await;
    let mut ship = serve(dir.path(), &[]);
    let questions = questions(now);
    let expected = answers(&ship, &questions).await;
    assert!(expected.iter().all(|answer| answer.as_array().is_none_or(|list| !list.is_empty())), "{expected:?}");
    wait_for_files(dir.path()).await;

    // Each time when one is there, while questions are asked.
    let derived = dir.path().join("log/derived");
    let (over, removed) = (AtomicBool::new(false), AtomicUsize::new(0));
    let removing = async {
        while !over.load(Relaxed) {
            if !files(dir.path()).is_empty() && std::fs::remove_dir_all(&derived).is_ok() {
                removed.fetch_add(1, Relaxed);
            }
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    };
    let asking = async {
        wait_for("so many removals, and answers all the while", async || {
            assert_eq!(answers(&ship, &questions).await, expected);
            (removed.load(Relaxed) >= 3).then_some(())
        })
        .await;
        over.store(true, Relaxed);
    };
    tokio::join!(removing, asking);

    // Killed in the middle of making them, with one that is damaged, and with none.
    for harm in ["killed", "damaged", "gone"] {
        if harm != "killed" {
            wait_for_files(dir.path()).await;
        }
        ship.kill();
        match harm {
            "damaged" => std::fs::write(&files(dir.path())[0], b"shipslog?").unwrap(),
            "gone" => std::fs::remove_dir_all(&derived).unwrap(),
            _ => {}
        }
        ship.restart();
        assert_eq!(answers(&ship, &questions).await, expected, "{harm}");
    }
    wait_for_files(dir.path()).await;
    ship.stop();
    let verified = Background::start(Command::new(BIN).args(["verify", "--data-dir"]).arg(dir.path())).wait();
    assert!(verified.status.success(), "{verified:?}");
}

/// Incidents, by their ids.
async fn listed(ship: &Ship) -> Vec<Value> {
    told(ship, "/api/v1/incidents?severity=notice&limit=1000", "incidents").await.as_array().unwrap().clone()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_began_before_the_records_that_are_kept_is_qualified_and_its_id_is_gone() {
    let dir = TempDir::new().unwrap();
    log_of(dir.path(), &[60, 3], 24_000).await;
    let mut ship = serve(dir.path(), &[]);
    let before = listed(&ship).await;
    wait_for_files(dir.path()).await;
    let old = before[0]["id"].as_str().unwrap().to_owned();
    assert_eq!(ship.get(&format!("/api/v1/incidents/{old}")).await.status(), 200);
    ship.kill();
    let log = EmbeddedLog::open(dir.path()).unwrap().0;
    let oldest = log.trim(30_000).await.unwrap();
    // Segments of 8,000 records go as wholes, and some may have been merged by then.
    assert!((8_001..=30_000).contains(&oldest), "{oldest}");
    let_go(log, dir.path()).await;

    ship.restart();
    let gone = ship.get(&format!("/api/v1/incidents/{old}")).await;
    assert_eq!(gone.status(), 410);
    assert!(gone.text().await.unwrap().contains("retention"), "it says why");
    for form in ["markdown", "html", "json"] {
        assert_eq!(ship.get(&format!("/api/v1/incidents/{old}/report?format={form}")).await.status(), 410, "{form}");
    }
    // All that is told is of records that are kept, and what was in trouble as they begin is not sure.
    let kept = wait_for("the fold of what is kept", async || {
        let kept = listed(&ship).await;
        kept.first().is_some_and(|one| one["confidence"] == "qualified").then_some(kept)
    })
    .await;
    for one in &kept {
        let first: u64 = one["first"].as_str().unwrap().rsplit_once('-').unwrap().1.parse().unwrap();
        assert!(first >= oldest, "{one}");
        let told = ship.get(&format!("/api/v1/incidents/{}", one["id"].as_str().unwrap())).await;
        assert_eq!(told.status(), 200);
    }
    let says = |one: &Value| one["qualified"].to_string().contains("before the records that are kept");
    assert!(kept.iter().any(says), "{}", kept[0]);
    // A function of the records that are kept: without what was derived it is the same.
    ship.kill();
    std::fs::remove_dir_all(dir.path().join("log/derived")).unwrap();
    ship.restart();
    assert_eq!(listed(&ship).await, kept);
}
