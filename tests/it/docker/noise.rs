//! Health checks are noise that can be left out; what people run is not.

use super::{ENGINE, ask, parsed, wait_for_connection};
use crate::dockerd::{Background, Engine};
use crate::support::{BIN, Ship, Sse, assert_dense, by_sequence, is_record, wait_for};
use serde_json::Value;
use std::collections::{BTreeMap, HashSet};
use std::process::Command;
use tempfile::TempDir;

const MARKED: &str = r#"{"noise":["healthcheck"]}"#;
const PROBE: &str = "/bin/sh -c test -d /proc";
const PERSON: &str = "rm -f /proc-is-not-gone";

/// The records of one container.
fn of<'a>(log: &'a BTreeMap<u64, String>, name: &str) -> Vec<(&'a String, Value)> {
    let records = log.values().map(|line| (line, parsed(line)));
    records.filter(|(_, record)| record["event"]["Actor"]["Attributes"]["name"] == name && record["event"]["Type"] == "container").collect()
}

fn action(record: &Value) -> &str {
    record["event"]["Action"].as_str().unwrap()
}

async fn wait_for_probes(ship: &Ship, name: &str, count: usize) {
    wait_for("probes", async || {
        let log = ship.selected(&format!("&filters={MARKED}")).await;
        let ended = of(&log, name).iter().filter(|(_, record)| action(record) == "exec_die").count();
        (ended >= count).then_some(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn probes_are_marked_and_what_people_run_is_not() {
    let _alone = ENGINE.lock().await;
    let Some(engine) = Engine::given("noise") else { return };
    let dirs = [(); 3].map(|()| TempDir::new().unwrap());
    let start = |dir: &TempDir, more: &[&str]| Ship::start_with(dir.path(), &[&["--docker-host", &engine.url], more].concat());
    let plain = start(&dirs[0], &["--redact", "none"]);
    let redacting = start(&dirs[1], &[]);
    let dropping = start(&dirs[2], &["--redact", "none", "--drop-noise"]);
    for ship in [&plain, &redacting, &dropping] {
        wait_for_connection(ship, 1).await;
    }
    let health = ["--detach", "--health-cmd", "test -d /proc", "--health-interval", "600ms"];
    engine.run(0, "probed", &health, "sleep 1000");
    let name = engine.name("probed");
    wait_for_probes(&plain, &name, 3).await;
    engine.docker(&["exec", &name, "rm", "-f", "/proc-is-not-gone"]);
    for ship in [&plain, &redacting] {
        wait_for_probes(ship, &name, 8).await;
    }
    engine.docker(&["rm", "--force", &name]);
    for ship in [&plain, &redacting, &dropping] {
        wait_for("its end", async || of(&ship.export("").await, &name).iter().any(|(_, r)| action(r) == "destroy").then_some(())).await;
    }

    let log = plain.export("").await;
    assert_dense(&log);
    let (mut probes, mut people) = (HashSet::new(), HashSet::new());
    for (_, record) in of(&log, &name) {
        if let Some((verb, command)) = action(&record).split_once(": ")
            && verb.starts_with("exec_")
        {
            let execs = if command == PROBE { &mut probes } else { &mut people };
            execs.insert(record["event"]["Actor"]["Attributes"]["execID"].as_str().unwrap().to_owned());
            assert!([PROBE, PERSON].contains(&command), "{command}");
        }
    }
    assert!(people.len() == 1 && probes.len() >= 8);
    let mut unmarked = HashSet::new();
    for (line, record) in of(&log, &name) {
        let exec = record["event"]["Actor"]["Attributes"]["execID"].as_str().unwrap_or("");
        match record.get("noise") {
            Some(mark) => {
                assert!(mark == "healthcheck" && probes.contains(exec), "{line}");
                assert!(line.contains(r#","noise":"healthcheck","event":{"#), "a member of the record, in its place: {line}");
            }
            None if probes.contains(exec) => drop(unmarked.insert(exec.to_owned())),
            None => {}
        }
    }
    // The Engine is asked about the container at its first one, and may take longer than to the next.
    assert!(unmarked.len() <= 2, "all but perhaps the first two: {unmarked:?}");
    assert!(of(&log, &name).iter().any(|(_, record)| action(record) == "health_status: healthy" && record["noise"].is_null()));

    // It can be left out everywhere, and nothing else changes.
    let quiet: BTreeMap<u64, String> =
        log.iter().filter(|(_, line)| parsed(line)["noise"].is_null()).map(|(s, l)| (*s, l.clone())).collect();
    assert!(quiet.len() < log.len());
    let exclude = format!("&exclude={MARKED}");
    assert_eq!(plain.export(&exclude).await, quiet);
    assert_eq!(by_sequence(ask(&plain.url, &["query", "-o", "json", "-x", "noise=healthcheck"]).lines()), quiet);
    let page = plain.get(&format!("/api/v1/events?limit=10000{exclude}")).await.text().await.unwrap();
    assert!(quiet.values().all(|line| page.contains(line.as_str())) && !page.contains(r#""noise":"#));
    let mut stream = Sse::open(&plain.url, &format!("/api/v1/stream?since=oldest{exclude}"), None).await.unwrap();
    let events = stream.read_until(|event| event.event == "caught-up").await;
    let streamed = by_sequence(events.iter().filter(|event| is_record(event)).map(|event| event.data.as_str()));
    assert_eq!(streamed, quiet);

    // Secrets are put after the mark.
    let log = redacting.export("").await;
    let marked: Vec<_> = of(&log, &name).into_iter().filter(|(_, record)| !record["noise"].is_null()).collect();
    assert!(marked.iter().any(|(_, record)| action(record) == "exec_create: [redacted] (exec-command)"));
    assert!(marked.iter().all(|(line, _)| !line.contains("/proc")));

    let log = dropping.export("").await;
    assert_dense(&log);
    assert!(of(&log, &name).iter().all(|(_, record)| record["noise"].is_null()));
    assert!(of(&log, &name).iter().any(|(_, record)| action(record) == format!("exec_create: {PERSON}")));
    assert!(dropping.json("/api/v1/stats").await["ingest"]["dropped_noise"].as_u64().unwrap() >= 6 * 3);

    an_export_keeps_the_marks(&plain).await;
}

async fn an_export_keeps_the_marks(ship: &Ship) {
    let (from, to) = (TempDir::new().unwrap(), TempDir::new().unwrap());
    let log = ship.export("").await;
    let file = from.path().join("all.jsonl");
    // As another tool writes it that sorts the members and puts blanks between them.
    let again: Vec<String> = log.values().map(|line| format!("{:#}", parsed(line)).replace('\n', " ")).collect();
    for lines in [again, log.values().cloned().collect()] {
        std::fs::write(&file, lines.join("\n")).unwrap();
        let data = to.path().join("data");
        let run = |args: &[&str]| {
            let output =
                Background::start(Command::new(BIN).args(args).arg("--data-dir").arg(&data).env_remove("SHIPSLOG_DATA_DIR")).wait();
            assert!(output.status.success(), "{args:?}: {}", String::from_utf8_lossy(&output.stderr));
        };
        run(&["import", file.to_str().unwrap()]);
        run(&["verify"]);
        let copy = Ship::start_with(&data, &["--docker-host", "unix:///nonexistent/docker.sock"]);
        let again = copy.selected(&format!("&filters={MARKED}")).await;
        assert!(log.iter().filter(|(_, line)| !parsed(line)["noise"].is_null()).map(|(seq, _)| seq).eq(again.keys()));
        drop(copy);
        std::fs::remove_dir_all(&data).unwrap();
    }
}
