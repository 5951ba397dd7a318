//! What a daemon sends that is not as Docker sends it: no line ends, too much, nothing that a parser reads,
//! and lies about who wrote it.

use crate::fake_daemon::FakeDaemon;
use crate::support::{Ship, docker_line, wait_for};
use serde_json::Value;
use tempfile::TempDir;

async fn records(ship: &Ship) -> Vec<Value> {
    ship.export("").await.values().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn own<'a>(records: &'a [Value], action: &'a str) -> impl Iterator<Item = &'a Value> {
    records.iter().filter(move |record| record["event"]["Type"] == "recorder" && record["event"]["Action"] == action)
}

async fn wait_for_own(ship: &Ship, action: &str, count: usize) -> Vec<Value> {
    wait_for(action, async || Some(records(ship).await).filter(|records| own(records, action).count() >= count)).await
}

async fn wait_for_event(ship: &Ship, id: &str) -> Vec<Value> {
    let holds = |records: &Vec<Value>| records.iter().any(|record| record["event"]["Actor"]["ID"] == id);
    wait_for(id, async || Some(records(ship).await).filter(holds)).await
}

#[tokio::test(flavor = "multi_thread")]
async fn events_need_no_line_ends() {
    let dir = TempDir::new().unwrap();
    let daemon = FakeDaemon::unix().await;
    let ship = Ship::start(dir.path(), &daemon.url());
    daemon.wait_for_subscribers(1).await;
    for (n, (before, after)) in (1..).zip([("", ""), ("", "\r"), ("\n", ""), ("\u{1e}", ""), ("\r\n", "")]) {
        daemon.emit_raw(format!("{before}{}{after}", docker_line("container", "start", n)).as_bytes());
        // Each is recorded at once, and not with the next.
        wait_for_event(&ship, &format!("c{n}")).await;
    }
    daemon.emit_raw([6, 7, 8].map(|n| docker_line("container", "start", n)).concat().as_bytes());
    let told = wait_for_event(&ship, "c8").await;
    assert_eq!(told.iter().filter(|record| record["event"]["Type"] == "container").count(), 8);
    assert!(own(&told, "gap").all(|gap| gap["event"]["Actor"]["Attributes"]["reason"] != "malformed"));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_too_long_or_no_json_is_told_once() {
    let dir = TempDir::new().unwrap();
    let daemon = FakeDaemon::unix().await;
    let mut ship = Ship::start(dir.path(), &daemon.url());
    daemon.wait_for_subscribers(1).await;
    wait_for_own(&ship, "gap", 1).await;
    let label = "h".repeat(3 << 20);
    let long = format!(
        r#"{{"Type":"container","Action":"die","Actor":{{"ID":"long","Attributes":{{"exitCode":"137","huge":"{label}","name":"web"}}}},"scope":"local","time":1795344577,"timeNano":1795344577148160810}}"#
    );
    let deep = format!(r#"{{"Type":"container","Action":"start","x":{}{}}}"#, "[".repeat(200), "]".repeat(200));
    let number = r#"{"Type":"container","Action":"start","x":1e999}"#;
    let half = r#"{"Type":"container","Action":"start","x":"\ud800"}"#;
    for line in [&docker_line("container", "start", 1), &long, "no JSON", &deep, number, half] {
        daemon.emit(line);
    }
    daemon.emit(&docker_line("container", "start", 2));
    wait_for_event(&ship, "c2").await;
    for round in 1..=3 {
        daemon.drop_connections();
        wait_for_own(&ship, "resumed", round).await;
    }
    assert!(ship.stop().0.success());
    ship.restart();
    let told = wait_for_own(&ship, "resumed", 4).await;
    let gaps: Vec<&Value> =
        own(&told, "gap").map(|gap| &gap["event"]["Actor"]["Attributes"]).filter(|a| a["reason"] == "malformed").collect();
    assert_eq!(gaps.len(), 5, "{gaps:?}");
    let text = |key: &str| gaps.iter().map(|gap| gap[key].as_str().unwrap_or_default()).collect::<Vec<_>>();
    assert_eq!(text("from")[0], "2026-11-22T10:49:37.148160810Z");
    assert_eq!(text("bytes"), [long.len(), 7, deep.len(), number.len(), half.len()].map(|bytes| bytes.to_string()));
    assert!(text("why")[2].contains("nested deeper") && text("why")[3].contains("number"), "{:?}", text("why"));
    assert!(text("sample")[3].contains("1e999"));
    assert!(text("why")[4].contains("surrogate"), "{:?}", text("why"));
    // What stands after an escape may be a secret's name.
    assert_eq!(text("sample")[4], "[redacted] (malformed-sample)");
    let cut: Vec<&Value> = told.iter().filter(|record| record["event"]["Actor"]["ID"] == "long").collect();
    assert_eq!(cut.len(), 1);
    assert_eq!(cut[0]["cut"]["bytes"], long.len());
    let attributes = &cut[0]["event"]["Actor"]["Attributes"];
    assert_eq!((&attributes["exitCode"], &attributes["name"]), (&"137".into(), &"web".into()));
    assert_eq!(cut[0]["event"]["timeNano"], 1_795_344_577_148_160_810_i64);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_daemons_own_recorder_line_is_an_event_of_dockers() {
    let dir = TempDir::new().unwrap();
    let daemon = FakeDaemon::unix().await;
    let ship = Ship::start(dir.path(), &daemon.url());
    daemon.wait_for_subscribers(1).await;
    let forged = r#"{"Type":"recorder","Action":"gap","Actor":{"ID":"forged","Attributes":{"reason":"damage"}},"scope":"local","time":1795344577,"timeNano":1795344577148160810}"#;
    daemon.emit(forged);
    let told = wait_for_event(&ship, "forged").await;
    let record = told.iter().find(|record| record["event"]["Actor"]["ID"] == "forged").unwrap();
    assert_eq!(record["foreign"], true);
    assert!(told.iter().filter(|record| record["foreign"] == true).count() == 1, "the recorder's own are not");
    let docker = ship.get("/events?since=0&until=1795344580").await.text().await.unwrap();
    assert_eq!(docker.lines().collect::<Vec<_>>(), [forged], "as Docker shows it, and none of the recorder's");
    let export = ship.get("/api/v1/export?format=docker").await.text().await.unwrap();
    assert!(export.contains("forged") && export.lines().count() == 1, "{export}");
}
