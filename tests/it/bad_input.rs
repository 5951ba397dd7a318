//! Garbage on every route and flag: the answer says what was wrong, and nothing else is disturbed.

use crate::dockerd::Background;
use crate::support::{BIN, Ship, Sse, within};
use std::process::Command;
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

fn without_docker() -> (TempDir, Ship) {
    let dir = TempDir::new().unwrap();
    let ship = Ship::start(dir.path(), "unix:///nonexistent/docker.sock");
    (dir, ship)
}

#[tokio::test(flavor = "multi_thread")]
async fn every_route_says_what_was_wrong() {
    let (_dir, ship) = without_docker();
    for (path, status, detail) in [
        ("/api/v1/stream?sinse=now", 400, "unknown parameter \"sinse\""),
        ("/api/v1/stream?since=soonish", 400, "since: \"soonish\" is not a time"),
        ("/api/v1/stream?filters=x", 400, "filters is not a JSON object"),
        (r#"/api/v1/stream?filters={"typ":["x"]}"#, 400, "unknown key \"typ\""),
        (r#"/api/v1/stream?exclude={"type":"x"}"#, 400, "exclude.type must be a list"),
        ("/api/v1/stream?since=now&since=now", 400, "since is given twice"),
        ("/api/v1/events?order=up", 400, "order must be asc or desc, not \"up\""),
        ("/api/v1/events?limit=0", 400, "limit must be a number from 1 to 10000"),
        ("/api/v1/events?limit=10001", 400, "limit must be a number from 1 to 10000"),
        ("/api/v1/events?limit=many", 400, "not \"many\""),
        ("/api/v1/events?since=1h&until=2h", 400, "lies after until"),
        ("/api/v1/events?until=soon", 400, "until: \"soon\" is not a time"),
        ("/api/v1/events?cursor=5", 400, "not a page token"),
        ("/api/v1/events?after=5", 400, "not a cursor"),
        ("/api/v1/events?after=00000000-1", 409, "of another log"),
        ("/api/v1/events?cursor=n.0.1.00000000-1", 409, "of another log"),
        ("/api/v1/events/5", 400, "not a cursor"),
        ("/api/v1/events/00000000-1", 404, "no such record"),
        ("/api/v1/export?format=pdf", 400, "format \"pdf\" is not available; use jsonl"),
        ("/api/v1/export?compression=rar", 400, "use none, gzip or zstd"),
        ("/api/v1/export?limit=5", 400, "unknown parameter \"limit\""),
        ("/api/v1/ws", 426, "speaks WebSocket only"),
        ("/api/v2/events", 404, "no such route"),
        ("/assets/0/nothing.js", 404, "no such page"),
    ] {
        let response = ship.get(path).await;
        assert_eq!(response.status(), status, "{path}");
        assert_eq!(response.headers()["content-type"], "application/problem+json", "{path}");
        assert_eq!(response.headers()["x-content-type-options"], "nosniff");
        let problem: serde_json::Value = response.json().await.unwrap();
        assert!(problem["detail"].as_str().unwrap().contains(detail), "{path}: {problem}");
        assert_eq!(problem["status"], status);
    }
    for path in ["/api/v1/stream", "/api/v1/events", "/api/v1/export", "/api/v1/stats", "/metrics", "/readyz", "/healthz", "/", "/compare"]
    {
        let response = crate::support::client().post(format!("{}{path}", ship.url)).send().await.unwrap();
        assert_eq!((response.status().as_u16(), response.headers()["allow"].to_str().unwrap()), (405, "GET, HEAD"), "{path}");
    }
}

/// Sends bytes as they are and reads what comes back.
async fn raw(ship: &Ship, request: &[u8]) -> String {
    let mut stream = TcpStream::connect(ship.url.trim_start_matches("http://")).await.unwrap();
    // The server may answer and close before it has read everything.
    let _ = stream.write_all(request).await;
    let mut answer = Vec::new();
    let _ = within("an answer and its end", stream.read_to_end(&mut answer)).await;
    String::from_utf8_lossy(&answer).into_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn limits_and_names_are_enforced_on_the_wire() {
    let (_dir, ship) = without_docker();
    let get = |target: &str, headers: &str| format!("GET {target} HTTP/1.1\r\n{headers}Connection: close\r\n\r\n");
    for (request, status) in [
        (get("/healthz", "Host: localhost:7070\r\n"), "200"),
        (get("/healthz", "Host: evil.example\r\n"), "421"),
        (get("/healthz", "Host: 127.0.0.1.evil.example:7070\r\n"), "421"),
        (get("/healthz", ""), "400"),
        (get(&format!("/healthz?{}", "x".repeat(9000)), "Host: localhost\r\n"), "414"),
        (get("/healthz", &format!("Host: localhost\r\nX: {}\r\n", "x".repeat(17_000))), "431"),
        (get("/healthz", &format!("Host: localhost\r\nX: {}\r\n", "x".repeat(200_000))), "431"),
        ("nonsense\r\n\r\n".to_owned(), "400"),
    ] {
        let answer = raw(&ship, request.as_bytes()).await;
        assert!(answer.starts_with(&format!("HTTP/1.1 {status}")), "{}: {answer}", &request[..40.min(request.len())]);
    }
    assert!(raw(&ship, get("/healthz", "Host: evil.example\r\n").as_bytes()).await.contains("--allow-host"));
    // A cursor header that is not even text is a cursor that cannot be used, no reason to end an EventSource.
    let answer = tokio::time::timeout(std::time::Duration::from_secs(5), async {
        let mut stream = TcpStream::connect(ship.url.trim_start_matches("http://")).await.unwrap();
        stream.write_all(b"GET /api/v1/stream HTTP/1.1\r\nHost: localhost\r\nLast-Event-ID: \xff\xfe\r\n\r\n").await.unwrap();
        let (mut answer, mut buffer) = (String::new(), [0; 4096]);
        while !answer.contains("event: reset") {
            let read = stream.read(&mut buffer).await.unwrap();
            assert_ne!(read, 0, "{answer}");
            answer.push_str(&String::from_utf8_lossy(&buffer[..read]));
        }
        answer
    })
    .await
    .unwrap();
    assert!(answer.starts_with("HTTP/1.1 200") && answer.contains("malformed"));
}

#[tokio::test(flavor = "multi_thread")]
async fn clients_that_never_finish_asking_are_shown_out() {
    let (_dir, ship) = without_docker();
    let began = std::time::Instant::now();
    let mut waiting = Vec::new();
    for start in ["", "GET /healthz HTTP/1.1\r\nHost: loc"] {
        let mut stream = TcpStream::connect(ship.url.trim_start_matches("http://")).await.unwrap();
        stream.write_all(start.as_bytes()).await.unwrap();
        waiting.push(stream);
    }
    for mut stream in waiting {
        let mut answer = Vec::new();
        let ended = tokio::time::timeout(crate::support::PATIENCE, stream.read_to_end(&mut answer)).await;
        assert!(ended.is_ok(), "the read timeout of docs/api.md is 10 s; {:?} have passed", began.elapsed());
    }
    // The permit is given back after the socket is closed, not before; the one left is that of this request.
    let places = async || (ship.json("/api/v1/stats").await["server"]["connections"] == 1).then_some(());
    crate::support::wait_for("their places to be free again", places).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn over_the_connection_cap_new_clients_are_told_and_old_ones_stay() {
    let dir = TempDir::new().unwrap();
    let ship = Ship::start_with(dir.path(), &["--docker-host", "unix:///nonexistent/docker.sock", "--max-connections", "3"]);
    let mut streams = Vec::new();
    for _ in 0..3 {
        let mut stream = Sse::open(&ship.url, "/api/v1/stream?since=oldest", None).await.unwrap();
        stream.read_until(|e| e.event == "caught-up").await;
        streams.push(stream);
    }
    let response = ship.get("/healthz").await;
    assert_eq!((response.status().as_u16(), response.headers()["retry-after"].to_str().unwrap()), (503, "2"));
    assert!(response.json::<serde_json::Value>().await.unwrap()["detail"].as_str().unwrap().contains("--max-connections"));
    streams.pop();
    crate::support::wait_for("a free place", async || (ship.get("/healthz").await.status() == 200).then_some(())).await;
}

#[test]
fn every_flag_says_what_was_wrong() {
    let dir = TempDir::new().unwrap();
    let data = dir.path().join("data");
    let file = dir.path().join("bad.toml");
    std::fs::write(&file, "listne = \"127.0.0.1:1\"\n").unwrap();
    let (data, file) = (data.to_str().unwrap(), file.to_str().unwrap());
    for (args, message) in [
        (vec!["serve", "--listen", "nowhere"], "nowhere"),
        (vec!["serve", "--listen", "127.0.0.1:99999"], "99999"),
        (vec!["serve", "--listen", "0.0.0.0:0", "--data-dir", data], "--insecure"),
        (vec!["serve", "--docker-host", "ftp://x", "--data-dir", data, "--listen", "127.0.0.1:0"], "ftp"),
        (vec!["serve", "--docker-host", "ssh://-host", "--data-dir", data, "--listen", "127.0.0.1:0"], "ssh"),
        (vec!["serve", "--docker-host", "a=unix:///x", "--docker-host", "a=unix:///y", "--data-dir", data, "--listen", "127.0.0.1:0"], "a"),
        (vec!["serve", "--data-dir", "/proc/nothing", "--listen", "127.0.0.1:0"], "/proc/nothing"),
        (vec!["serve", "--config", "/nonexistent.toml"], "/nonexistent.toml"),
        (vec!["serve", "--config", file], "listne"),
        (vec!["serve", "--max-connections", "none"], "none"),
        (vec!["sreve"], "sreve"),
        (vec!["tail", "-f", "type"], "KEY=VALUE"),
        (vec!["query", "-f", "kind=x"], "unknown key"),
        (vec!["query", "--since", "soonish"], "is not a time"),
        (vec!["query", "-o", "xml"], "xml"),
        (vec!["tail", "-n", "-3"], "-3"),
        (vec!["export", "--format", "pdf"], "pdf"),
        (vec!["stats", "--url", "http://127.0.0.1:1"], "cannot reach shipslog"),
        (vec!["healthcheck", "--url", "http://127.0.0.1:1"], "cannot reach shipslog"),
        (vec!["query", "--url", "not a url"], "not a url"),
    ] {
        let output = Background::start(Command::new(BIN).args(&args).env_remove("SHIPSLOG_URL")).wait();
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert!(!output.status.success() && stderr.contains(message), "{args:?}: {} {stderr}", output.status);
        assert!(!stderr.contains("panicked"), "{args:?}: {stderr}");
    }
    assert!(!std::path::Path::new(data).join("log").exists(), "a start that was refused leaves nothing behind");
}

#[test]
fn a_second_recorder_on_the_same_data_is_refused() {
    let (dir, _ship) = without_docker();
    let output = Background::start(Command::new(BIN).args(["serve", "--listen", "127.0.0.1:0", "--data-dir"]).arg(dir.path())).wait();
    assert!(!output.status.success());
    assert!(String::from_utf8_lossy(&output.stderr).contains("in use by another shipslog"));
}
