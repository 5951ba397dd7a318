//! A loss is never silent, also under a filter: a client that looks at events of containers only is told that
//! some may be missing.

use crate::dockerd::Background;
use crate::fake_daemon::FakeDaemon;
use crate::support::{BIN, Ship, Sse, client, docker_line, sequence, wait_for, within};
use futures_util::{SinkExt, StreamExt};
use serde_json::{Value, json};
use std::process::Command;
use tempfile::TempDir;
use tokio_tungstenite::tungstenite::Message;

const CONTAINERS: &str = r#"filters={"type":["container"]}"#;
/// A time after all that the daemon tells, and before the recorder learns that it was restarted.
const BEFORE_THE_GAP: &str = "2026-11-23";
/// After the first event, with which recording began, and before the second one.
const AFTER_THE_FIRST: &str = "2026-11-22T10:49:37.0015Z";

/// Lines of the recorder's `gap` records with a reason.
async fn gaps(ship: &Ship, reason: &str) -> Vec<String> {
    let log = ship.export("").await;
    log.into_values().filter(|line| line.contains(r#""Action":"gap""#) && line.contains(&format!(r#""reason":"{reason}""#))).collect()
}

async fn the_gap(ship: &Ship, reason: &str) -> String {
    wait_for(reason, async || gaps(ship, reason).await.pop()).await
}

/// A log of two events of containers.
async fn recorded() -> (TempDir, FakeDaemon, Ship) {
    let dir = TempDir::new().unwrap();
    let daemon = FakeDaemon::unix().await;
    let ship = Ship::start(dir.path(), &daemon.url());
    daemon.wait_for_subscribers(1).await;
    daemon.emit(&docker_line("container", "start", 1));
    daemon.emit(&docker_line("container", "die", 2));
    the_gap(&ship, "first-contact").await;
    ship.wait_for_head(|head| head >= 5).await;
    (dir, daemon, ship)
}

/// Ends the daemon's streams as a restart would. Gives the record of what may be missing.
async fn restarted(daemon: &FakeDaemon, ship: &Ship) -> String {
    daemon.restart();
    the_gap(ship, "daemon-restart").await
}

/// What an answer says besides its records.
fn incomplete(answer: &Value) -> Vec<&str> {
    let told = answer["incomplete"].as_array().unwrap();
    told.iter().map(|record| record["event"]["Actor"]["Attributes"]["reason"].as_str().unwrap()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn streams_tell_a_loss_at_once_and_once() {
    let (_dir, daemon, ship) = recorded().await;
    let log = ship.log().await;
    let stream = format!("/api/v1/stream?{CONTAINERS}");
    let mut live = Sse::open(&ship.url, &stream, None).await.unwrap();
    let mut folded = Sse::open(&ship.url, &format!("{stream}&fold=noise"), None).await.unwrap();
    let mut elsewhere = Sse::open(&ship.url, r#"/api/v1/stream?filters={"type":["container"],"source":["other"]}"#, None).await.unwrap();
    for stream in [&mut live, &mut folded, &mut elsewhere] {
        stream.read_until(|event| event.event == "caught-up").await;
    }
    let (mut socket, _) = tokio_tungstenite::connect_async(format!("{}/api/v1/ws", ship.url.replace("http", "ws"))).await.unwrap();
    socket.send(Message::text(json!({"subscribe": {"filters": {"type": ["container"]}}}).to_string())).await.unwrap();
    let mut heard = async || loop {
        if let Message::Text(text) = within("a message", socket.next()).await.unwrap().unwrap() {
            return serde_json::from_str::<Value>(text.as_str()).unwrap();
        }
    };
    while heard().await["control"] != "caught-up" {}

    let gap = restarted(&daemon, &ship).await;
    let id = format!("{log}-{}", sequence(&gap));
    daemon.wait_for_subscribers(1).await;
    daemon.emit(&docker_line("container", "start", 3));
    let record = wait_for("the next event", async || ship.export("").await.into_values().find(|line| line.contains("job-3"))).await;
    for stream in [&mut live, &mut folded] {
        let told = stream.next().await.unwrap();
        assert_eq!((told.event.as_str(), &told.id), ("incomplete", &id));
        assert!(told.data.ends_with(&format!(r#","record":{gap}}}"#)), "as it is in the log: {}", told.data);
        let told: Value = serde_json::from_str(&told.data).unwrap();
        let attributes = &told["record"]["event"]["Actor"]["Attributes"];
        assert_eq!((&told["reason"], &told["from"], &told["until"]), (&json!("daemon-restart"), &attributes["from"], &attributes["until"]));
        assert_eq!(stream.next().await.unwrap().data, record);
    }
    let told = heard().await;
    assert_eq!((&told["control"], &told["id"], &told["record"]["seq"]), (&json!("incomplete"), &json!(id), &json!(sequence(&gap))));
    assert_eq!(heard().await["seq"], sequence(&record));

    // A client that has heard it does not hear it again, and one that was cut off before does.
    for (after, told) in [(sequence(&gap), vec![]), (sequence(&gap) - 1, vec![sequence(&gap)])] {
        let mut resumed = Sse::open(&ship.url, &stream, Some(&format!("{log}-{after}"))).await.unwrap();
        let events = resumed.read_until(|event| event.event == "caught-up").await;
        let losses: Vec<_> = events.iter().filter(|event| event.event == "incomplete").map(|event| event.id.clone()).collect();
        assert_eq!(losses, told.iter().map(|seq| format!("{log}-{seq}")).collect::<Vec<_>>());
        assert!(events.iter().any(|event| event.data == record));
    }
    // A filter on hosts is the one that hides it.
    daemon.drop_connections();
    let closed = within("the end", async {
        ship.json("/api/v1/stats").await;
        drop(ship);
        let mut all = Vec::new();
        while let Some(event) = elsewhere.next().await {
            all.push(event.event);
        }
        all
    })
    .await;
    assert!(!closed.iter().any(|event| event == "incomplete"), "{closed:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_of_a_time_tells_losses_whose_records_lie_elsewhere() {
    let (_dir, daemon, ship) = recorded().await;
    let log = ship.log().await;
    let gap = restarted(&daemon, &ship).await;
    let path = format!("/api/v1/stream?{CONTAINERS}&since={AFTER_THE_FIRST}&until={BEFORE_THE_GAP}");
    let mut stream = Sse::open(&ship.url, &path, None).await.unwrap();
    let hello = stream.next().await.unwrap();
    let told = stream.next().await.unwrap();
    assert_eq!((told.event.as_str(), &told.id), ("incomplete", &hello.id), "no cursor beyond a record that was not sent");
    assert!(told.data.ends_with(&format!(r#""record":{gap}}}"#)), "{}", told.data);
    let rest = stream.read_until(|event| event.event == "end").await;
    assert_eq!(rest.iter().filter(|event| event.event == "message").count(), 2);
    // A client that is cut off right after hello resumes there and is told again; one that got further is
    // not.
    for (id, again) in [(hello.id.clone(), true), (rest[0].id.clone(), false)] {
        let mut resumed = Sse::open(&ship.url, &path, Some(&id)).await.unwrap();
        let events = resumed.read_until(|event| event.event == "end").await;
        assert_eq!(events.iter().any(|event| event.event == "incomplete"), again, "{id}");
    }
    assert!(hello.id.starts_with(&log));
}

#[tokio::test(flavor = "multi_thread")]
async fn pages_tell_a_loss_and_wake_whoever_waits_for_news() {
    let (_dir, daemon, ship) = recorded().await;
    let log = ship.log().await;
    let page = format!("/api/v1/events?{CONTAINERS}");
    let before = ship.get(&page).await;
    let etag = before.headers()["etag"].clone();
    assert_eq!(incomplete(&before.json().await.unwrap()), ["first-contact"]);
    let head = ship.wait_for_head(|_| true).await;
    let wait = |etag: Option<reqwest::header::HeaderValue>, path: String| {
        let mut request = client().get(format!("{}{path}", ship.url)).header("Prefer", "wait=40");
        if let Some(etag) = etag {
            request = request.header("If-None-Match", etag);
        }
        tokio::spawn(request.send())
    };
    let waiting = [wait(Some(etag.clone()), page.clone()), wait(None, format!("{page}&after={log}-{head}"))];
    let connections = async || ship.json("/api/v1/stats").await["server"]["connections"].as_u64();
    wait_for("two that wait", async || connections().await.filter(|open| *open >= 2)).await;

    let gap = restarted(&daemon, &ship).await;
    for answer in waiting {
        let answer = within("an answer", answer).await.unwrap().unwrap();
        assert_eq!(answer.status(), 200);
        assert!(answer.headers()["etag"] != etag);
        let answer: Value = answer.json().await.unwrap();
        assert_eq!(incomplete(&answer).last(), Some(&"daemon-restart"), "{answer}");
    }
    for (query, told) in [
        (CONTAINERS.to_owned(), vec!["first-contact", "daemon-restart"]),
        (format!("{CONTAINERS}&fold=noise"), vec!["first-contact", "daemon-restart"]),
        (format!("{CONTAINERS}&order=desc"), vec!["first-contact", "daemon-restart"]),
        (format!("{CONTAINERS}&since=2026-11-23&until=2026-11-24"), vec!["daemon-restart"]),
        ("since=2026-11-23&until=2026-11-24".to_owned(), vec!["daemon-restart"]),
        (r#"filters={"type":["container"],"source":["local"]}"#.to_owned(), vec!["first-contact", "daemon-restart"]),
        (r#"filters={"source":["other"]}"#.to_owned(), vec![]),
        (format!(r#"{CONTAINERS}&exclude={{"source":["local"]}}"#), vec![]),
        (r#"filters={"type":["recorder"]}"#.to_owned(), vec![]),
        (r#"filters={"label":["reason=daemon-restart"]}"#.to_owned(), vec!["first-contact"]),
        (String::new(), vec![]),
    ] {
        let answer = ship.json(&format!("/api/v1/events?{query}")).await;
        assert_eq!(incomplete(&answer), told, "{query}");
    }
    // Each page tells the losses that fall into its time, verbatim.
    let first = ship.get(&format!("{page}&order=desc&limit=1")).await.text().await.unwrap();
    assert!(first.contains(&format!(r#""incomplete":[{gap}]"#)), "{first}");
    let next: Value = serde_json::from_str(&first).unwrap();
    let rest = ship.json(&format!("{page}&order=desc&limit=1&cursor={}", next["page"]["next"].as_str().unwrap())).await;
    // It begins with the record at which the two pages meet.
    assert_eq!((incomplete(&rest), rest["page"]["next"].clone()), (vec!["first-contact", "daemon-restart"], Value::Null));
    let [plain, folded] = [ship.get("/api/v1/events?limit=1").await, ship.get("/api/v1/events?limit=1&fold=noise").await];
    assert!(folded.headers()["link"].to_str().unwrap().contains("fold=noise") && plain.headers()["etag"] != folded.headers()["etag"]);
    let (plain, folded): (Value, Value) = (plain.json().await.unwrap(), folded.json().await.unwrap());
    assert_eq!((plain.get("folded"), &folded["folded"]), (None, &json!(0)));
    let refused = ship.get("/api/v1/events?fold=all").await;
    assert_eq!(refused.status(), 400);
}

#[tokio::test(flavor = "multi_thread")]
async fn exports_hold_the_records_of_losses_and_docker_s_forms_do_not() {
    let (dir, daemon, ship) = recorded().await;
    let gap = restarted(&daemon, &ship).await;
    let exported = async |query: &str| ship.get(&format!("/api/v1/export?{query}")).await.text().await.unwrap();
    let dies = r#"filters={"event":["die"]}"#;
    let all = exported(&format!("format=jsonl&{dies}")).await;
    let actions: Vec<Value> = all.lines().map(|line| serde_json::from_str::<Value>(line).unwrap()["event"]["Action"].clone()).collect();
    assert_eq!(actions, ["gap", "die", "gap"], "in their places");
    assert!(all.contains(&gap));
    assert_eq!(exported(&format!("format=csv&{dies}")).await.matches(",recorder,gap,").count(), 2);
    // One that tells of the time of an export, though it was recorded later.
    let past = exported(&format!("format=jsonl&{dies}&since={AFTER_THE_FIRST}&until={BEFORE_THE_GAP}")).await;
    assert_eq!(past.lines().map(sequence).collect::<Vec<_>>(), all.lines().skip(1).map(sequence).collect::<Vec<_>>());
    for none in [
        format!("format=docker&{dies}"),
        r#"format=jsonl&filters={"event":["die"],"source":["other"]}"#.to_owned(),
        format!(r#"format=csv&{dies}&exclude={{"source":["local"]}}"#),
    ] {
        assert!(!exported(&none).await.contains("gap"), "{none}");
    }
    let docker = ship.get(&format!("/v1.51/events?since=0&until=1795344578&{}", r#"filters={"event":{"die":true}}"#)).await;
    assert_eq!(docker.text().await.unwrap().lines().count(), 1);

    // A backup of a selection is read as ever.
    let file = dir.path().join("some.jsonl");
    std::fs::write(&file, &all).unwrap();
    let copy = TempDir::new().unwrap();
    let import = Background::start(Command::new(BIN).arg("import").arg(&file).arg("--data-dir").arg(copy.path())).wait();
    assert!(import.status.success(), "{}", String::from_utf8_lossy(&import.stderr));
    let copied = Ship::start_with(copy.path(), &["--read-only", copy.path().to_str().unwrap()]);
    let lines = copied.export("").await;
    assert_eq!(lines.into_values().collect::<Vec<_>>(), all.lines().collect::<Vec<_>>());
}

#[tokio::test(flavor = "multi_thread")]
async fn the_command_line_tells_a_loss_that_its_filter_hides() {
    let (_dir, daemon, ship) = recorded().await;
    restarted(&daemon, &ship).await;
    let run = |line: &str| {
        let mut command = Command::new(BIN);
        command.args(line.split_whitespace()).env("SHIPSLOG_URL", &ship.url).env("TZ", "UTC").env("NO_COLOR", "1");
        let output = Background::start(&mut command).wait();
        assert!(output.status.success(), "{line}");
        [output.stdout, output.stderr].map(|bytes| String::from_utf8(bytes).unwrap())
    };
    for line in ["query -f event=die -o human", "tail -f event=die -n 5 -o human"] {
        let [out, said] = run(line);
        assert_eq!(said.matches("-- the recorder may have missed events of local from ").count(), 1, "{line}: {said}");
        assert_eq!(said.matches("-- recording of local began at ").count(), 1, "{line}: {said}");
        let rows: Vec<_> = out.lines().collect();
        assert_eq!(rows.len(), 3, "{line}: {out}");
        assert!(rows[2].contains(" ! the recorder may have missed events"), "{line}: {out}");
    }
    let [out, said] = run("query -f event=die -o json");
    assert!(out.lines().count() == 1 && said.contains("may have missed"), "{out} {said}");
    let [_, said] = run("query -f event=die -f source=other -o json");
    assert!(!said.contains("may have missed"), "{said}");
}
