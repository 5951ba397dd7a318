//! What broke, over the API.

use crate::support::{BIN, Ship, client};
use serde_json::Value;
use std::path::Path;
use std::process::Command;
use tempfile::TempDir;

/// A recording of a real Engine: its log, served to be read.
fn recorded(dir: &Path, name: &str) -> Ship {
    let file = format!("{}/tests/fixtures/incidents/{name}.jsonl.zst", env!("CARGO_MANIFEST_DIR"));
    Ship::start_with(dir, &["--read-only", &file])
}

async fn json(ship: &Ship, path: &str) -> Value {
    let answer = ship.get(path).await;
    assert_eq!(answer.status(), 200, "{path}");
    answer.json().await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn incidents_are_told_with_their_records() {
    let dir = TempDir::new().unwrap();
    let ship = recorded(dir.path(), "crashloop-exit-a");
    let all = json(&ship, "/api/v1/incidents").await;
    let [incident] = all["incidents"].as_array().unwrap().as_slice() else { panic!("{all}") };
    assert_eq!(incident["kind"], "crash-loop", "{incident}");
    // Each word leads to its record.
    let first = incident["first"].as_str().unwrap();
    let record = json(&ship, &format!("/api/v1/events/{first}")).await;
    assert_eq!(record["id"], first);
    let id = incident["id"].as_str().unwrap();
    let mut one = json(&ship, &format!("/api/v1/incidents/{id}")).await;
    let (timeline, related) = (one["timeline"].take(), one["related"].take());
    one.as_object_mut().unwrap().retain(|key, _| incident.get(key).is_some());
    assert_eq!(one, *incident);
    let rows = timeline.as_array().unwrap();
    assert!(rows.iter().any(|row| row["what"] == "failure" && row["record"].is_string()), "{timeline}");
    assert!(rows.is_sorted_by_key(|row| row["time"].as_str().unwrap().to_owned()) && related.is_array(), "{timeline}");

    // By range, state and severity; before it began there is nothing, and then it was not known.
    let start = incident["start"].as_str().unwrap();
    for (query, count) in [
        (format!("until={start}"), 1),
        (format!("until={start}&since=2020-01-01"), 1),
        ("until=2020-01-01".to_owned(), 0),
        ("since=2040-01-01".to_owned(), 0),
        ("at=2020-01-01".to_owned(), 0),
        ("kind=crash-loop".to_owned(), 1),
        ("kind=host".to_owned(), 0),
        ("severity=notice&limit=1".to_owned(), 1),
        ("subject=nobody".to_owned(), 0),
    ] {
        let found = json(&ship, &format!("/api/v1/incidents?{query}")).await;
        assert_eq!(found["incidents"].as_array().unwrap().len(), count, "{query}: {found}");
    }
}

/// A recording as if two Docker hosts had lived the same.
fn twice(name: &str) -> String {
    let file = format!("{}/tests/fixtures/incidents/{name}.jsonl.zst", env!("CARGO_MANIFEST_DIR"));
    let text = String::from_utf8(zstd::decode_all(std::fs::File::open(file).unwrap()).unwrap()).unwrap();
    let mut lines = Vec::new();
    for line in text.lines().filter(|line| line.starts_with(r#"{"id""#)) {
        for host in ["web-1", "web-2"] {
            let mut record: Value = serde_json::from_str(line).unwrap();
            let seq = lines.len() + 1;
            (record["seq"], record["id"]) = (seq.into(), format!("7f3c9a1e-{seq}").into());
            if record["source"] != "shipslog" {
                record["source"] = host.into();
            }
            lines.push(record.to_string());
        }
    }
    lines.join("\n") + "\n"
}

#[tokio::test(flavor = "multi_thread")]
async fn what_fails_on_two_hosts_at_once_is_told_as_one() {
    let dir = TempDir::new().unwrap();
    let file = dir.path().join("two.jsonl");
    std::fs::write(&file, twice("crashloop-exit-a")).unwrap();
    let ship = Ship::start_with(dir.path(), &["--read-only", file.to_str().unwrap()]);
    let all = json(&ship, "/api/v1/incidents").await;
    let ids: Vec<&str> = all["incidents"].as_array().unwrap().iter().map(|one| one["id"].as_str().unwrap()).collect();
    let [group] = all["across"].as_array().unwrap().as_slice() else { panic!("{all}") };
    assert_eq!((ids.len(), &group["incidents"]), (2, &serde_json::json!(ids)));
    assert_eq!(group["sources"], serde_json::json!(["web-1", "web-2"]));
    let title = all["incidents"][0]["title"].as_str().unwrap();
    assert_eq!(group["title"], format!("On 2 hosts: {title}"));
    // Each tells of the other, and who asks for one of them is told of no group.
    let one = json(&ship, &format!("/api/v1/incidents/{}", ids[0])).await;
    let [related] = one["related"].as_array().unwrap().as_slice() else { panic!("{one}") };
    assert_eq!((&related["id"], &related["source"]), (&ids[1].into(), &"web-2".into()));
    assert!(related["title"].as_str().unwrap().starts_with("on web-2: "), "{related}");
    assert_eq!(json(&ship, "/api/v1/incidents?limit=1").await["across"], serde_json::json!([]));
    let output = Command::new(BIN).args(["incidents", "--file", file.to_str().unwrap()]).output().unwrap();
    let said = String::from_utf8(output.stdout).unwrap();
    assert!(said.contains("On 2 hosts: ") && said.contains("Also on web-2 ("), "{said}");
    assert!(said.contains("1 incident, "), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_has_not_changed_is_not_sent_again_and_what_is_wrong_is_said() {
    let dir = TempDir::new().unwrap();
    let ship = recorded(dir.path(), "crashloop-exit-a");
    let answer = ship.get("/api/v1/incidents").await;
    let etag = answer.headers()["etag"].to_str().unwrap().to_owned();
    assert!(etag.starts_with("W/"), "{etag}");
    let again = client().get(format!("{}/api/v1/incidents", ship.url)).header("if-none-match", &etag).send().await.unwrap();
    assert_eq!(again.status(), 304);
    for (path, status, words) in [
        ("/api/v1/incidents?severity=bad", 400, "minor"),
        ("/api/v1/incidents?kind=bad", 400, "crash-loop"),
        ("/api/v1/incidents?limit=0", 400, "limit must be"),
        ("/api/v1/incidents?cursor=x", 400, "no incident"),
        ("/api/v1/incidents?filters=x", 400, "unknown parameter"),
        ("/api/v1/incidents/7f3c9a1e-1a", 404, "no such incident"),
    ] {
        let answer = ship.get(path).await;
        assert_eq!(answer.status(), status, "{path}");
        let text = answer.text().await.unwrap();
        assert!(text.contains(words), "{path}: {text}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_poll_waits_for_news_and_ends_with_its_token() {
    let dir = TempDir::new().unwrap();
    let file = dir.path().join("tokens");
    std::fs::write(&file, "correct-horse-battery-staple").unwrap();
    let recording = format!("{}/tests/fixtures/incidents/crashloop-exit-a.jsonl.zst", env!("CARGO_MANIFEST_DIR"));
    let ship = Ship::start_with(dir.path(), &["--read-only", &recording, "--token-file", file.to_str().unwrap()]);
    let ask = |path: &str, tag: Option<&str>, wait: &str| {
        let request = client().get(format!("{}{path}", ship.url)).bearer_auth("correct-horse-battery-staple").header("prefer", wait);
        tag.iter().fold(request, |request, tag| request.header("if-none-match", *tag))
    };
    let list: Value = ask("/api/v1/incidents", None, "wait=30").send().await.unwrap().json().await.unwrap();
    let id = list["incidents"][0]["id"].as_str().unwrap();
    for path in ["/api/v1/incidents", &format!("/api/v1/incidents/{id}"), "/api/v1/state"] {
        let first = ask(path, None, "wait=30").send().await.unwrap();
        let tag = first.headers()["etag"].to_str().unwrap().to_owned();
        let known = ask(path, Some(&tag), "wait=1").send().await.unwrap();
        let applied = known.headers()["preference-applied"].to_str().unwrap();
        assert_eq!((known.status().as_u16(), applied), (304, "wait=1"), "{path}");
    }
    let path = format!("/api/v1/incidents/{id}");
    let tag = ask(&path, None, "wait=30").send().await.unwrap().headers()["etag"].to_str().unwrap().to_owned();
    let waiting = tokio::spawn(ask(&path, Some(&tag), "wait=45").send());
    // Written in one step: the file is read again by itself.
    let other = dir.path().join("other");
    std::fs::write(&other, "another-horse-battery-staple").unwrap();
    std::fs::rename(&other, &file).unwrap();
    let ended = crate::support::within("the poll ends", waiting).await.unwrap().unwrap();
    assert_eq!(ended.status(), 401);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_state_at_a_time_is_what_was_told_by_then() {
    let dir = TempDir::new().unwrap();
    let ship = recorded(dir.path(), "crashloop-exit-a");
    let records: Vec<Value> = json(&ship, "/api/v1/events?limit=10000").await["records"].as_array().unwrap().clone();
    let baseline = records.iter().find(|record| record["event"]["Action"] == "baseline").unwrap();
    let die = records.iter().rfind(|record| record["event"]["Action"] == "die").unwrap();
    let id = &die["event"]["Actor"]["ID"].as_str().unwrap()[..12];
    let state = async |at: &str| json(&ship, &format!("/api/v1/state?at={at}")).await;
    let of = |state: &Value| state["containers"].as_array().unwrap().iter().find(|one| one["id"] == id).cloned();

    let code = die["event"]["Actor"]["Attributes"]["exitCode"].as_str().unwrap().parse::<i64>().unwrap();
    let after = state(die["time"].as_str().unwrap()).await;
    assert_eq!((&after["baseline"]["record"], &after["confidence"]), (&baseline["id"], &"complete".into()), "{after}");
    let container = of(&after).unwrap();
    assert_eq!((&container["state"], &container["exit"]), (&"exited".into(), &code.into()), "{container}");
    assert!(container["restarts_1h"].as_u64().unwrap() > 2 && container["incident"].is_string(), "{container}");
    // Before the first full look nothing is certain, and before everything nothing is there.
    let early = state(records[0]["time"].as_str().unwrap()).await;
    assert_eq!((&early["confidence"], &early["baseline"]), (&"qualified".into(), &Value::Null), "{early}");
    assert!(of(&early).is_none_or(|one| one["state"] == "unknown"));
    let before = state("2020-01-01").await;
    assert!(before["containers"].as_array().unwrap().iter().all(|one| one["state"] == "unknown"), "{before}");
}

#[tokio::test(flavor = "multi_thread")]
async fn figures_count_every_record_and_lines_show_every_subject() {
    let dir = TempDir::new().unwrap();
    let ship = recorded(dir.path(), "busy-host-a");
    let records: Vec<Value> = json(&ship, "/api/v1/events?limit=10000").await["records"].as_array().unwrap().clone();
    let action = |record: &Value| record["event"]["Action"].as_str().unwrap().to_owned();
    let is_container = |record: &&Value| record["event"]["Type"] == "container";
    let histogram = json(&ship, "/api/v1/histogram?bins=50&exact=1").await;
    let class = |name: &str| histogram["classes"].as_array().unwrap().iter().position(|class| class == name).unwrap();
    let sum = |name: &str| histogram["bins"].as_array().unwrap().iter().map(|bin| bin[class(name)].as_u64().unwrap()).sum::<u64>();
    let count = |wanted: &str| records.iter().filter(is_container).filter(|record| action(record) == wanted).count() as u64;
    assert_eq!(histogram["exact"], true, "{histogram}");
    assert_eq!((sum("start"), sum("oom")), (count("start"), count("oom")));
    let ends = records.iter().filter(is_container).filter(|record| action(record) == "die").count() as u64;
    // Those that ended well by themselves are no news.
    let code = |record: &&Value| record["event"]["Actor"]["Attributes"]["exitCode"] == "0";
    let well = records.iter().filter(is_container).filter(|record| action(record) == "die").filter(code).count() as u64;
    assert!(sum("failure") > 0 && sum("stop") > 0 && well > 0, "{histogram}");
    assert!((ends - well..=ends).contains(&(sum("failure") + sum("stop"))), "{histogram}");
    assert_eq!(histogram["begins"].as_str(), records.iter().filter_map(|record| record["time"].as_str()).min(), "{histogram}");
    // The same by way of the log, for what the filter lets through.
    let filtered = json(&ship, r#"/api/v1/histogram?bins=50&filters={"type":["container"]}"#).await;
    let total = |of: &Value, name: &str| of["bins"].as_array().unwrap().iter().map(|bin| bin[class(name)].as_u64().unwrap()).sum::<u64>();
    for name in ["failure", "stop", "start", "oom"] {
        assert_eq!(total(&filtered, name), total(&histogram, name), "{name}");
    }

    let facets = json(&ship, "/api/v1/facets?top=1000").await;
    assert_eq!((&facets["exact"], &facets["scanned"]), (&true.into(), &records.len().into()));
    let value = |key: &str, value: &str| {
        let found = facets["facets"][key].as_array().unwrap().iter().find(|facet| facet["value"] == value);
        found.map_or(0, |facet| facet["count"].as_u64().unwrap())
    };
    assert_eq!(value("action", "oom"), count("oom"));
    let killed = |record: &&Value| action(record) == "die" && record["event"]["Actor"]["Attributes"]["exitCode"] == "137";
    assert_eq!(value("exit", "137"), records.iter().filter(is_container).filter(killed).count() as u64);
    let some = json(&ship, r#"/api/v1/facets?keys=action&filters={"event":["oom"]}"#).await;
    assert_eq!(some["facets"]["action"][0]["count"].as_u64().unwrap(), count("oom"), "{some}");
    // A part of it, by time.
    let (from, to) = (records.len() / 4, records.len() / 2);
    let (since, until) = (records[from]["time"].as_str().unwrap(), records[to]["time"].as_str().unwrap());
    let part = json(&ship, &format!("/api/v1/facets?since={since}&until={until}")).await;
    let within = records.iter().filter(|record| (since..=until).contains(&record["time"].as_str().unwrap())).count();
    assert_eq!(part["scanned"], within);

    let lines = json(&ship, "/api/v1/lifelines?width=400").await;
    let lanes = lines["lanes"].as_array().unwrap();
    let subjects = facets["facets"]["subject"].as_array().unwrap();
    assert!(lanes.len() > 2 && lanes.len() <= subjects.len() + 1, "{lines}");
    for lane in lanes {
        let spans = lane["spans"].as_array().unwrap();
        assert!(spans.iter().all(|span| span[1].is_null() || span[0].as_str().unwrap() < span[1].as_str().unwrap()), "{lane}");
    }
    // One that runs goes on after the range.
    assert!(lanes.iter().any(|lane| lane["spans"].as_array().unwrap().last().is_some_and(|span| span[1].is_null())), "{lines}");
    let role = |key: &str| lanes.iter().find(|lane| lane["key"] == key).unwrap()["role"].clone();
    assert_eq!((role("backup"), role("shop/api"), role("prod-1")), ("job".into(), "service".into(), "host".into()));
    assert!(lanes.iter().any(|lane| lane["marks"].as_array().unwrap().iter().any(|mark| mark[1] == "oom")), "{lines}");
    for wrong in ["histogram?bins=0", "histogram?exact=2", "facets?keys=x", "facets?top=0", "lifelines?width=0", "state?at=never"] {
        assert_eq!(ship.get(&format!("/api/v1/{wrong}")).await.status(), 400, "{wrong}");
    }
}
