//! A real daemon that is killed, stopped, restarted and upgraded under shipslog.

use super::{is_own, message, messages, number, own, parsed, wait_for_connection};
use crate::dockerd::{Background, Engine};
use crate::support::{Ship, assert_dense, wait_for};
use serde_json::Value;
use std::collections::BTreeMap;
use std::collections::HashSet;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use tempfile::TempDir;

/// Makes events for as long as it lives, by one `curl` after the other; those that fail belong to the story.
struct Churn {
    stop: Arc<AtomicBool>,
    thread: Option<std::thread::JoinHandle<()>>,
}

impl Churn {
    fn start(engine: &Engine) -> Self {
        let socket = engine.url.strip_prefix("unix://").unwrap().to_owned();
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = Arc::clone(&stop);
        let thread = std::thread::spawn(move || {
            let curl = |method: &str, path: &str| {
                let mut curl = Command::new("curl");
                curl.args(["--silent", "--max-time", "5", "--unix-socket", &socket, "--request", method, "--output", "/dev/null"]);
                curl.args(["--header", "Content-Type: application/json", "--data"]);
                curl.arg(if method == "POST" { format!(r#"{{"Name":"{path}"}}"#) } else { String::new() });
                let _ = curl.arg(format!("http://docker/volumes/{}", if method == "POST" { "create" } else { path })).status();
            };
            let mut n = 0;
            while !stopped.load(Relaxed) {
                curl("POST", &format!("churn-{n}"));
                curl("DELETE", &format!("churn-{n}"));
                n += 1;
            }
        });
        Self { stop, thread: Some(thread) }
    }
}

impl Drop for Churn {
    fn drop(&mut self) {
        self.stop.store(true, Relaxed);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

fn verdicts(log: &BTreeMap<u64, String>) -> Vec<String> {
    let verdict = |record: &Value| match record["event"]["Action"].as_str() {
        Some("resumed") => Some("resumed".to_owned()),
        Some("gap") => Some(record["event"]["Actor"]["Attributes"]["reason"].as_str().unwrap().to_owned()),
        _ => None,
    };
    log.values().map(|line| parsed(line)).filter(is_own).filter_map(|record| verdict(&record)).collect()
}

async fn wait_for_verdicts(ship: &Ship, count: usize) -> BTreeMap<u64, String> {
    wait_for("the verdict", async || Some(ship.export("").await).filter(|log| verdicts(log).len() >= count)).await
}

/// Kills while events come: whatever another subscriber saw of each daemon's life is in the log, once.
#[tokio::test(flavor = "multi_thread")]
async fn a_daemon_that_is_killed_again_and_again() {
    let Some(mut engine) = Engine::own("kills") else { return };
    let dir = TempDir::new().unwrap();
    let ship = Ship::start(dir.path(), &engine.url);
    wait_for_connection(&ship, 1).await;
    let kills = std::env::var("SHIPSLOG_ENGINE_KILLS").ok().and_then(|text| text.parse().ok()).unwrap_or(20);
    let churn = Churn::start(&engine);
    let mut seen: Vec<Vec<String>> = Vec::new();
    for round in 0..kills {
        let mut wire = engine.wire();
        wait_for("events", async || (wire.lines().len() > 20).then_some(())).await;
        engine.kill();
        wait_for("the end of the stream", async || wire.code()).await;
        // The last line may have been cut.
        seen.push(wire.lines().into_iter().filter(|line| serde_json::from_str::<Value>(line).is_ok()).collect());
        engine.start().unwrap();
        wait_for_verdicts(&ship, round + 2).await;
    }
    drop(churn);
    let marker = engine.name("end");
    engine.docker(&["volume", "create", &marker]);
    let log = super::log_up_to(&ship, &marker).await;
    assert_dense(&log);
    assert_eq!(verdicts(&log), [vec!["first-contact"], vec!["daemon-restart"; kills]].concat());
    let ours = messages(&log);
    let known: HashSet<&String> = ours.iter().collect();
    assert_eq!(known.len(), ours.len(), "an event is there twice");
    let gaps: Vec<Value> = own(&log, "gap");
    let in_a_gap = |time: &str| gaps.iter().any(|gap| gap["from"].as_str() < Some(time) && Some(time) < gap["until"].as_str());
    let mut missed = 0;
    for line in seen.iter().flatten().filter(|line| !known.contains(line)) {
        let nanos = parsed(line)["timeNano"].as_i64().unwrap();
        let time = chrono::DateTime::from_timestamp_nanos(nanos).to_rfc3339_opts(chrono::SecondsFormat::Nanos, true);
        assert!(in_a_gap(&time), "missed, and in no gap: {line}\n{gaps:?}");
        missed += 1;
    }
    let total: usize = seen.iter().map(Vec::len).sum();
    eprintln!("{kills} kills: {} events recorded; {total} seen beside us, of which {missed} lie in gaps", ours.len());
}

/// A daemon that hangs and then continues: told within 15 s, and proven gapless afterwards.
#[tokio::test(flavor = "multi_thread")]
async fn a_daemon_that_stands_still_is_told_of_and_resumed() {
    let Some(engine) = Engine::own("still") else { return };
    let dir = TempDir::new().unwrap();
    let ship = Ship::start(dir.path(), &engine.url);
    wait_for_connection(&ship, 1).await;
    let before = engine.name("before");
    engine.docker(&["volume", "create", &before]);
    super::log_up_to(&ship, &before).await;
    engine.signal("-STOP");
    let log = wait_for("the disconnect", async || Some(ship.export("").await).filter(|log| !own(log, "disconnect").is_empty())).await;
    let reason = own(&log, "disconnect")[0]["reason"].as_str().unwrap().to_owned();
    assert!(reason.contains("answers no pings"), "{reason}");
    assert_eq!(ship.get("/readyz").await.status(), 503);
    engine.signal("-CONT");
    wait_for_verdicts(&ship, 2).await;
    let after = engine.name("after");
    engine.docker(&["volume", "create", &after]);
    let log = super::log_up_to(&ship, &after).await;
    assert_eq!(verdicts(&log), ["first-contact", "resumed"]);
    assert_eq!(ship.get("/readyz").await.status(), 200);
    let volumes = messages(&log).iter().filter(|line| line.contains(&before) || line.contains(&after)).count();
    assert_eq!(volumes, 2, "each once");
}

/// With live-restore a container outlives its daemon, and what happens to it meanwhile has no event.
#[tokio::test(flavor = "multi_thread")]
async fn an_exit_without_an_event_is_observed() {
    let Some(mut engine) = Engine::own_with("restore", "--live-restore") else { return };
    let dir = TempDir::new().unwrap();
    let ship = Ship::start(dir.path(), &engine.url);
    wait_for_connection(&ship, 1).await;
    engine.run(0, "exits", &["--detach"], "while [ ! -e /go ]; do sleep 0.1; done; exit 6");
    engine.run(0, "stays", &["--detach"], "sleep 1000");
    let id = engine.docker(&["inspect", "--format", "{{.Id}}", &engine.name("exits")]);
    let pid = engine.docker(&["inspect", "--format", "{{.State.Pid}}", &engine.name("exits")]);
    let ready = engine.name("ready");
    engine.docker(&["volume", "create", &ready]);
    super::log_up_to(&ship, &ready).await;
    engine.kill();
    std::fs::write(format!("/proc/{pid}/root/go"), "").unwrap();
    wait_for("the container's end", async || (!std::path::Path::new(&format!("/proc/{pid}/root")).exists()).then_some(())).await;
    engine.start().unwrap();
    let of_it = |line: &str| parsed(line)["event"]["Actor"]["ID"] == id.as_str();
    let log = wait_for("the exit", async || {
        let log = ship.export("").await;
        let told = log.values().any(|line| of_it(line) && (line.contains("\"observed\"") || line.contains("\"die\"")));
        told.then_some(log)
    })
    .await;
    let died = log.values().filter(|line| of_it(line)).map(|line| message(line)).find(|line| parsed(line)["Action"] == "die");
    let observed = log.values().filter(|line| of_it(line)).map(|line| parsed(line)).find(|record| record["event"]["Action"] == "observed");
    // An Engine whose containerd ended with it may have lost the code, and says 255 itself.
    let code = engine.docker(&["inspect", "--format", "{{.State.ExitCode}}", &engine.name("exits")]);
    assert!(code == "6" || code == "255" && engine.api() > (1, 41), "{code}");
    match (died, observed) {
        // Newer daemons may tell it after all.
        (Some(die), _) => assert_eq!(parsed(&die)["Actor"]["Attributes"]["exitCode"], code.as_str()),
        (None, Some(record)) => {
            let attributes = &record["event"]["Actor"]["Attributes"];
            let told = ["state", "exitCode", "observation", "was"].map(|key| attributes[key].as_str().unwrap_or_default());
            assert_eq!(told, ["exited", &code, "difference", "running"], "{attributes}");
        }
        (None, None) => unreachable!(),
    }
    let stays = engine.name("stays");
    assert!(own(&log, "observed").iter().all(|o| o["name"] != stays.as_str()), "nothing has happened to it that no event told");
}

/// An orderly stop and a new daemon at the same path, as an upgrade does it.
#[tokio::test(flavor = "multi_thread")]
async fn a_socket_that_is_replaced_is_found_again() {
    let Some(mut engine) = Engine::own("replaced") else { return };
    let dir = TempDir::new().unwrap();
    let ship = Ship::start(dir.path(), &engine.url);
    wait_for_connection(&ship, 1).await;
    engine.run(0, "ends", &["--detach", "--stop-signal", "TERM"], "trap 'exit 5' TERM; while true; do sleep 0.1; done");
    let wire = engine.wire();
    super::wait_for_listeners(&engine, &[&wire]).await;
    engine.stop();
    engine.start().unwrap();
    let log = wait_for_verdicts(&ship, 2).await;
    assert_eq!(verdicts(&log), ["first-contact", "daemon-restart"]);
    // What the old daemon did at its end is there: its last words were read to their end.
    let ours = messages(&log);
    for line in wire.lines() {
        assert!(ours.contains(&line), "missed: {line}");
    }
    let life = super::life(&ours, &engine.name("ends"));
    assert!(life.contains(&"die 5".to_owned()), "{life:?}");
    let mut again = Background::start(&mut engine.cli(&["start", &engine.name("ends")]));
    wait_for("the container's start", async || again.code()).await;
    let log = wait_for("the start", async || {
        Some(ship.export("").await)
            .filter(|log| super::life(&messages(log), &engine.name("ends")).iter().filter(|a| *a == "start").count() == 2)
    })
    .await;
    let connect = own(&log, "connect");
    assert_eq!((connect.len(), number(&own(&log, "gap")[1], "overlap")), (2, 0));
}
