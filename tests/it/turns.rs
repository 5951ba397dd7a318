//! Which clients are served first, which no longer, and which have to wait.

use crate::fake_daemon::FakeDaemon;
use crate::support::{PATIENCE, Ship, docker_line, wait_for};
use shipslog::event::Event;
use shipslog::log::{EmbeddedLog, EventLog, NewRecord};
use shipslog::time::Timestamp;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

async fn fill(data: &Path, records: u64) {
    let log = EmbeddedLog::open(data).unwrap().0;
    let record = |n| {
        let event = Event::from_line(docker_line("container", "start", n).as_bytes()).unwrap();
        NewRecord { source: "local".into(), received: Timestamp::from_nanos(1), event }
    };
    for block in 0..records / 500 {
        log.append((block * 500..block * 500 + 500).map(record).collect()).await.unwrap();
    }
    log.close().await.unwrap();
    drop(log);
    let lock = std::fs::File::open(data.join("log/lock")).unwrap();
    tokio::task::spawn_blocking(move || lock.lock().unwrap()).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cheap_query_overtakes_expensive_ones() {
    const EXPENSIVE: usize = 30;
    let dir = TempDir::new().unwrap();
    fill(dir.path(), 60_000).await;
    let ship = Ship::start(dir.path(), "unix:///nonexistent");
    let client = reqwest::Client::new();
    let done = Arc::new(AtomicUsize::new(0));
    // Nothing passes, and no summary says so.
    let expensive = format!(r#"{}/api/v1/events?exclude={{"label":["image=busybox"]}}"#, ship.url);
    let all: Vec<_> = (0..EXPENSIVE)
        .map(|_| {
            let (request, done) = (client.get(&expensive).send(), Arc::clone(&done));
            tokio::spawn(async move {
                assert_eq!(request.await.unwrap().status(), 200);
                done.fetch_add(1, SeqCst);
            })
        })
        .collect();
    wait_for("all to be asked", async || {
        let stats = ship.json("/api/v1/stats").await;
        (stats["server"]["connections"].as_u64().unwrap() >= EXPENSIVE as u64).then_some(())
    })
    .await;
    for _ in 0..5 {
        assert_eq!(ship.json("/api/v1/events?limit=1").await["records"][0]["seq"], 1);
    }
    let before = done.load(SeqCst);
    assert!(before < EXPENSIVE / 2, "{before} expensive queries came first");
    for query in all {
        query.await.unwrap();
    }
}

const TOKEN: &str = "0123456789abcdef-a-token";
const OTHER: &str = "a-completely-different-token";

#[tokio::test(flavor = "multi_thread")]
async fn polls_and_exports_end_with_their_token_and_never_look_whole() {
    let dir = TempDir::new().unwrap();
    let (file, data) = (dir.path().join("tokens"), dir.path().join("data"));
    fill(&data, 60_000).await;
    std::fs::write(&file, format!("{TOKEN}\n{OTHER}\n")).unwrap();
    let ship = Ship::start_with(&data, &["--docker-host", "unix:///nonexistent", "--token-file", file.to_str().unwrap()]);
    let client = reqwest::Client::new();
    let get = |path: &str, token: &str| client.get(format!("{}{path}", ship.url)).bearer_auth(token);
    let quiet = r#"/api/v1/events?limit=1&filters={"container":["nobody"]}"#;
    let tag = get(quiet, TOKEN).send().await.unwrap().headers()["etag"].clone();
    let poll = tokio::spawn(get(quiet, TOKEN).header("if-none-match", &tag).header("prefer", "wait=60").send());
    let mut exports = Vec::new();
    for path in ["/api/v1/export", "/api/v1/export?compression=gzip", "/api/v1/events?limit=10000"] {
        let mut socket = TcpStream::connect(ship.url.trim_start_matches("http://")).await.unwrap();
        let request = format!("GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nAuthorization: Bearer {TOKEN}\r\n\r\n");
        socket.write_all(request.as_bytes()).await.unwrap();
        let mut first = vec![0; 500];
        socket.read_exact(&mut first).await.unwrap();
        assert!(first.starts_with(b"HTTP/1.1 200"));
        exports.push((path, socket, first));
    }
    std::fs::write(&file, format!("{OTHER}\n")).unwrap();
    let answer = tokio::time::timeout(PATIENCE, poll).await.expect("the poll ends").unwrap().unwrap();
    assert_eq!(answer.status(), 401);
    for (path, mut socket, mut said) in exports {
        let _ = tokio::time::timeout(PATIENCE, socket.read_to_end(&mut said)).await.expect("the export ends");
        let head = said.windows(4).position(|end| end == b"\r\n\r\n").unwrap();
        let headers = String::from_utf8(said[..head].to_vec()).unwrap();
        match headers.lines().find_map(|line| line.strip_prefix("content-length: ")) {
            Some(length) => assert!(said.len() - head - 4 < length.parse().unwrap(), "{path}"),
            None => assert!(!said.ends_with(b"0\r\n\r\n"), "{path}: {}", said.len()),
        }
    }
    assert_eq!(get(quiet, OTHER).send().await.unwrap().status(), 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn wrong_tokens_are_counted_slowed_and_told_once() {
    let dir = TempDir::new().unwrap();
    let (file, said) = (dir.path().join("tokens"), dir.path().join("said"));
    std::fs::write(&file, TOKEN).unwrap();
    std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o644)).unwrap();
    let daemon = FakeDaemon::unix().await;
    let args = ["--docker-host", &daemon.url(), "--token-file", file.to_str().unwrap()];
    let mut ship = Ship::start_logging(&dir.path().join("data"), &args, &said);
    let client = reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).build().unwrap();
    let get = |path: &str, token: &str| client.get(format!("{}{path}", ship.url)).bearer_auth(token).send();
    let mut statuses = Vec::new();
    for _ in 0..25 {
        let answer = get("/api/v1/stats", "a-wrong-token-of-some-length").await.unwrap();
        if answer.status() == 429 {
            let wait: u64 = answer.headers()["retry-after"].to_str().unwrap().parse().unwrap();
            assert!((1..=61).contains(&wait), "{wait}");
        }
        statuses.push(answer.status().as_u16());
        // A client without a token is asked for one, not slowed.
        assert_eq!(client.get(format!("{}/api/v1/stats", ship.url)).send().await.unwrap().status(), 401);
    }
    assert_eq!(statuses, [[401; 20].as_slice(), &[429; 5]].concat());
    let login = |token: &str| client.post(format!("{}/login", ship.url)).body(format!("token={token}")).send();
    assert_eq!(login("wrong").await.unwrap().status(), 429);
    assert!(login(TOKEN).await.unwrap().headers().contains_key("set-cookie"));
    let metrics = get("/metrics", TOKEN).await.unwrap().text().await.unwrap();
    assert!(metrics.contains("\nshipslog_auth_failures_total 26\n") && metrics.contains("\nshipslog_auth_slowed_total 6\n"), "{metrics}");
    ship.stop();
    let said = std::fs::read_to_string(said).unwrap();
    let told: Vec<_> = said.lines().filter(|line| line.contains("wrong tokens were refused")).collect();
    let count: u32 =
        told.iter().map(|line| line.split("auth.failures=").nth(1).unwrap().split(' ').next().unwrap().parse::<u32>().unwrap()).sum();
    assert!(count == 26 && told.len() <= 3, "{told:?}");
    assert!(said.contains("everybody on this machine can read the tokens") && said.contains("644"), "{said}");
    assert!(!said.contains("a-wrong-token"));
}
