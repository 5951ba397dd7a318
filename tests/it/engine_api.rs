//! Docker's own API: history and live events for clients that know nothing of shipslog.

mod clients;
mod compose;
mod doors;
mod equality;
mod filters;
mod scenario;
mod streams;

use crate::fake_daemon::FakeDaemon;
use crate::support::{PATIENCE, Ship};
use reqwest::{Method, Response};
use serde_json::Value;
use std::time::{SystemTime, UNIX_EPOCH};
use tempfile::TempDir;

const SECOND: u64 = 1_000_000_000;

fn now() -> u64 {
    u64::try_from(SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_nanos()).unwrap()
}

/// As Docker's clients write times.
fn unix(nanos: u64) -> String {
    format!("{}.{:09}", nanos / SECOND, nanos % SECOND)
}

/// A message of API 1.51.
fn event(n: u64, nanos: u64) -> String {
    let (id, seconds) = (format!("{n:064x}"), nanos / SECOND);
    format!(
        r#"{{"status":"start","id":"{id}","from":"busybox","Type":"container","Action":"start","Actor":{{"ID":"{id}","Attributes":{{"image":"busybox","name":"job-{n}"}}}},"scope":"local","time":{seconds},"timeNano":{nanos}}}"#
    )
}

/// A recorder of these messages.
async fn recorded(messages: &[String]) -> (TempDir, FakeDaemon, Ship) {
    let dir = TempDir::new().unwrap();
    let daemon = FakeDaemon::unix().await;
    let ship = Ship::start_with(dir.path(), &["--docker-host", &daemon.url(), "--redact", "none"]);
    daemon.wait_for_subscribers(1).await;
    for message in messages {
        daemon.emit(message);
    }
    // start, connect, verdict and the messages themselves.
    let count = u64::try_from(messages.len()).unwrap();
    ship.wait_for_head(|head| head >= count + 3).await;
    (dir, daemon, ship)
}

/// Lines of a response, as they come.
struct Lines {
    response: Response,
    buffer: Vec<u8>,
}

impl Lines {
    async fn open(url: &str, path: &str) -> Self {
        let response = crate::support::client().get(format!("{url}{path}")).send().await.unwrap();
        assert_eq!((response.status().as_u16(), kind(&response)), (200, "application/json".to_owned()), "{path}");
        Self { response, buffer: Vec::new() }
    }

    /// The next line; `None` at the end.
    async fn next(&mut self) -> Option<String> {
        loop {
            if let Some(end) = self.buffer.iter().position(|b| *b == b'\n') {
                let line: Vec<u8> = self.buffer.drain(..=end).collect();
                return Some(String::from_utf8(line).unwrap().trim_end_matches('\n').to_owned());
            }
            match tokio::time::timeout(PATIENCE, self.response.chunk()).await.expect("no line came").unwrap() {
                Some(bytes) => self.buffer.extend_from_slice(&bytes),
                None => {
                    assert!(self.buffer.is_empty(), "a last line without its end");
                    return None;
                }
            }
        }
    }

    async fn take(&mut self, count: usize) -> Vec<String> {
        let mut lines = Vec::new();
        while lines.len() < count {
            lines.push(self.next().await.expect("more lines"));
        }
        lines
    }

    /// To the end, which the server has to make.
    async fn rest(mut self) -> Vec<String> {
        let mut lines = Vec::new();
        while let Some(line) = self.next().await {
            lines.push(line);
        }
        lines
    }
}

fn kind(response: &Response) -> String {
    response.headers()["content-type"].to_str().unwrap().to_owned()
}

async fn ask(ship: &Ship, method: Method, path: &str) -> Response {
    crate::support::client().request(method, format!("{}{path}", ship.url)).send().await.unwrap()
}

/// Status and message of an error, as Docker's clients read it.
async fn refusal(response: Response) -> (u16, String) {
    let status = response.status().as_u16();
    assert_eq!(kind(&response), "application/json");
    let body: Value = response.json().await.unwrap();
    (status, body["message"].as_str().expect("a message").to_owned())
}

#[tokio::test(flavor = "multi_thread")]
async fn every_route_answers_with_and_without_version() {
    let base = now() - 3600 * SECOND;
    let messages: Vec<_> = (0..5).map(|n| event(n, base + n)).collect();
    let (_dir, _daemon, ship) = recorded(&messages).await;
    for prefix in ["", "/v1.24", "/v1.41", "/v1.51", "/v1.99"] {
        for (method, body) in [(Method::GET, "OK"), (Method::HEAD, "")] {
            let response = ask(&ship, method, &format!("{prefix}/_ping")).await;
            let header = |name: &str| response.headers()[name].to_str().unwrap().to_owned();
            assert_eq!(
                (header("api-version"), header("docker-experimental"), header("ostype")),
                ("1.51".into(), "false".into(), "linux".into())
            );
            assert_eq!(header("cache-control"), "no-cache, no-store, must-revalidate");
            assert_eq!((kind(&response), header("pragma")), ("text/plain; charset=utf-8".into(), "no-cache".into()));
            assert_eq!((response.status().as_u16(), response.text().await.unwrap().as_str()), (200, body));
        }
        let version: Value = ask(&ship, Method::GET, &format!("{prefix}/version")).await.json().await.unwrap();
        let own = env!("CARGO_PKG_VERSION");
        assert_eq!((&version["ApiVersion"], &version["MinAPIVersion"], &version["Version"]), (&"1.51".into(), &"1.24".into(), &own.into()));
        assert_eq!((&version["Os"], &version["Components"][0]["Details"]["ApiVersion"]), (&"linux".into(), &"1.51".into()));
        let path = format!("{prefix}/events?since=0&until={}", unix(base + 4));
        assert_eq!(Lines::open(&ship.url, &path).await.rest().await, messages, "{path}");
        let head = ask(&ship, Method::HEAD, &format!("{prefix}/events")).await;
        assert_eq!((head.status().as_u16(), kind(&head)), (200, "application/json".to_owned()));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_there_is_told_as_docker_does() {
    let (_dir, _daemon, ship) = recorded(&[]).await;
    for path in
        ["/v1.51/containers/json", "/containers/json?all=1", "/info", "/v1.41/nothing", "/v1.41", "/images/x/json", "/v1.41/events/x"]
    {
        for method in [Method::GET, Method::POST, Method::DELETE] {
            let (status, message) = refusal(ask(&ship, method, path).await).await;
            assert_eq!(status, 404, "{path}");
            assert!(message.contains("only /_ping, /version and /events") && message.contains("docker -H"), "{message}");
        }
    }
    for path in ["/events", "/v1.51/version", "/v1.24/_ping"] {
        let response = ask(&ship, Method::POST, path).await;
        assert_eq!(response.headers()["allow"], "GET, HEAD");
        let (status, message) = refusal(response).await;
        assert!(status == 405 && message.contains("use GET"), "{status} {message}");
    }
    // All else is shipslog's own.
    for (method, path, status) in [(Method::GET, "/nothing", 404), (Method::GET, "/v1/events", 404), (Method::POST, "/api/v1/events", 405)]
    {
        let response = ask(&ship, method, path).await;
        assert_eq!((response.status().as_u16(), kind(&response)), (status, "application/problem+json".to_owned()));
        let body: Value = response.json().await.unwrap();
        assert!(body["message"] == body["detail"] && body["detail"].is_string(), "{body}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn bad_times_and_filters_are_refused_and_unknown_keys_are_not() {
    let base = now() - 3600 * SECOND;
    let messages: Vec<_> = (0..3).map(|n| event(n, base + n * SECOND)).collect();
    let (_dir, _daemon, ship) = recorded(&messages).await;
    for (query, says) in [
        ("since=1h", "since: \"1h\" is not a time in Unix seconds"),
        ("until=2026-11-22T10:49:37Z", "until: "),
        ("since=1.2.3", "since: "),
        ("since=12.&until=13", "since: "),
        ("since=2&until=1", "cannot be after until"),
        ("filters={", "filters is not a JSON object"),
        ("filters=[]", "filters is not a JSON object"),
        ("filters={\"type\":\"container\"}", "filters.type must be a list"),
        ("filters={\"nonsense\":7}", "filters.nonsense must be a list"),
    ] {
        let (status, message) = refusal(ask(&ship, Method::GET, &format!("/v1.51/events?{query}")).await).await;
        assert!(status == 400 && message.contains(says), "{query}: {status} {message}");
    }
    let until = unix(base + 9 * SECOND);
    let short = unix(base + SECOND).trim_end_matches('0').to_owned();
    for (query, expected) in [
        ("since=0&filters={\"nonsense\":[\"x\"],\"container\":[\"job-1\"]}", &messages[1..2]),
        ("since=0&filters={\"container\":{\"job-1\":true,\"job-2\":false},\"dangling\":{\"true\":true}}", &messages[1..]),
        ("since=0&filters={\"type\":{\"container\":false}}", &[]),
        ("since=0&filters={\"source\":[\"local\"]}", &messages),
        ("since=0&filters=null&since=99999999999&x=y", &messages),
        ("since=0&filters=", &messages),
        ("since=-1", &messages),
        ("", &messages),
        (&format!("since={short}"), &messages[1..]),
        (&format!("since={}", unix(base + SECOND + 1)), &messages[2..]),
    ] {
        let lines = Lines::open(&ship.url, &format!("/events?until={until}&{query}")).await.rest().await;
        assert_eq!(lines, expected, "{query}");
    }
}

/// Docker has no such records, and some clients end at a type that they do not know.
#[tokio::test(flavor = "multi_thread")]
async fn records_of_the_recorder_come_on_demand_and_with_them_its_gaps() {
    let base = now() - 3600 * SECOND;
    let messages: Vec<_> = (0..6).map(|n| event(n, base + n)).collect();
    let (dir, _daemon, ship) = recorded(&messages).await;
    let actions = async |ship: &Ship, filters: &str| {
        let lines = Lines::open(&ship.url, &format!("/events?since=0&until={}&filters={filters}", unix(now() - 1))).await.rest().await;
        let parsed = lines.iter().map(|line| serde_json::from_str::<Value>(line).unwrap());
        parsed.map(|e| format!("{} {}", e["Type"].as_str().unwrap(), e["Action"].as_str().unwrap())).collect::<Vec<_>>()
    };
    assert_eq!(actions(&ship, "").await, vec!["container start"; 6]);
    let own = ["recorder start", "recorder connect", "recorder gap"];
    assert_eq!(actions(&ship, r#"{"type":["recorder"]}"#).await, own);
    let mut both = actions(&ship, r#"{"type":["recorder","container"]}"#).await;
    both.sort();
    assert_eq!(both, [&["container start"; 6][..], &["recorder connect", "recorder gap", "recorder start"]].concat());
    assert!(actions(&ship, r#"{"event":["gap"]}"#).await.is_empty());

    // If a log lacks something, clients that ask are told in the same way.
    let part = dir.path().join("part.jsonl");
    let text: String = ship.selected(r#"&filters={"container":["job-1","job-4"]}"#).await.into_values().map(|line| line + "\n").collect();
    std::fs::write(&part, text).unwrap();
    let other = Ship::start_with(&dir.path().join("other"), &["--read-only", part.to_str().unwrap()]);
    assert_eq!(actions(&other, "").await, vec!["container start"; 2]);
    let told = actions(&other, r#"{"type":["recorder","container"]}"#).await;
    assert_eq!(told.iter().filter(|line| *line == "container start").count(), 2);
    assert!(told.contains(&"recorder gap".to_owned()), "{told:?}");
    let path = format!(r#"/events?since=0&until={}&filters={{"type":["recorder"],"event":["gap"]}}"#, unix(now() - 1));
    let gaps = Lines::open(&other.url, &path).await.rest().await;
    let all = ship.export("").await;
    let sequence = |name: &str| *all.iter().find(|(_, line)| line.contains(&format!("\"{name}\""))).unwrap().0;
    let (log, first, last) = (other.log().await, sequence("job-1") + 1, sequence("job-4") - 1);
    let told: Vec<_> = gaps.iter().map(|line| serde_json::from_str::<Value>(line).unwrap()["Actor"]["Attributes"].clone()).collect();
    let expected = serde_json::json!({ "reason": "export", "first": format!("{log}-{first}"), "last": format!("{log}-{last}") });
    assert_eq!(told, [expected], "from after job-1 to before job-4");
}

/// Engines leave these fields out from API 1.52 on, and CLIs before 25 end in a panic without them.
#[tokio::test(flavor = "multi_thread")]
async fn fields_of_older_versions_are_put_in_front() {
    let base = now() - 3600 * SECOND;
    let new = |n: u64, kind: &str, action: &str, attributes: &str| {
        let time = base + n;
        format!(
            r#"{{"Type":"{kind}","Action":"{action}","Actor":{{"ID":"i{n}","Attributes":{attributes}}},"scope":"local","time":{},"timeNano":{time}}}"#,
            time / SECOND
        )
    };
    let messages = [
        event(0, base),
        new(1, "container", r#"exec_start: sh -c \"a\\n\""#, r#"{"image":"b:1","name":"x"}"#),
        new(2, "image", "tag", r#"{"name":"b:1"}"#),
        new(3, "network", "connect", r#"{"image":"b:1"}"#),
        new(4, "container", "die", r#"{"name":"x"}"#),
        new(5, "pod", "start", "null"),
    ];
    let in_front = |fields: &str, message: &str| format!("{{{fields},{}", &message[1..]);
    let expected = [
        messages[0].clone(),
        in_front(r#""status":"exec_start: sh -c \"a\\n\"","id":"i1","from":"b:1""#, &messages[1]),
        in_front(r#""status":"tag","id":"i2""#, &messages[2]),
        messages[3].clone(),
        in_front(r#""status":"die","id":"i4""#, &messages[4]),
        messages[5].clone(),
    ];
    let (_dir, _daemon, ship) = recorded(&messages).await;
    let mut live = Lines::open(&ship.url, "/v1.41/events?since=0").await;
    assert_eq!(live.take(6).await, expected);
    let log = ship.export("").await;
    assert!(log.values().any(|line| line.ends_with(&format!("{}}}", messages[5]))), "stored as it came");
}
