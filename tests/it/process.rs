//! The process: how it ends, what it says, and what of its clients it survives.

use crate::fake_daemon::FakeDaemon;
use crate::support::{BIN, PATIENCE, Ship, docker_line, end_of, first_line, wait_for};
use std::io::{Read, Write};
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// Five seconds are promised for a stop (docs/api.md, "Command line"), to a program that gets a processor.
const STOP: Duration = Duration::from_secs(10);

fn signal(child: &Child, name: &str) {
    assert!(Command::new("kill").args([name, &child.id().to_string()]).status().unwrap().success());
}

async fn raw(url: &str, request: &str) -> String {
    let mut socket = TcpStream::connect(url.trim_start_matches("http://")).await.unwrap();
    socket.write_all(request.as_bytes()).await.unwrap();
    let mut said = Vec::new();
    tokio::time::timeout(PATIENCE, socket.read_to_end(&mut said)).await.unwrap().unwrap();
    String::from_utf8(said).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn tunnels_are_refused_and_nothing_panics() {
    let dir = TempDir::new().unwrap();
    let said = dir.path().join("said");
    let ship = Ship::start_logging(&dir.path().join("data"), &["--docker-host", "unix:///nonexistent"], &said);
    for line in ["CONNECT 127.0.0.1:80", "GET 127.0.0.1:80", "POST localhost:1", "OPTIONS *"] {
        let answer = raw(&ship.url, &format!("{line} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")).await;
        assert!(answer.starts_with("HTTP/1.1 400 ") && answer.contains("no proxy"), "{line}: {answer}");
    }
    assert_eq!(ship.get("/healthz").await.status(), 200);
    assert!(!std::fs::read_to_string(said).unwrap().contains("panicked"));
}

#[tokio::test(flavor = "multi_thread")]
async fn each_signal_is_a_clean_stop() {
    for name in ["-TERM", "-INT", "-HUP"] {
        let dir = TempDir::new().unwrap();
        let daemon = FakeDaemon::unix().await;
        // The tests may have been started with nohup, which is inherited.
        let launcher = ["env", "--default-signal=HUP"];
        let mut ship = Ship::start_under(&launcher, dir.path(), &["--docker-host", &daemon.url()]);
        daemon.wait_for_subscribers(1).await;
        wait_for("the connection", async || has(&ship, "connect").await.then_some(())).await;
        let (status, took) = ship.stop_by(name);
        assert!(status.code() == Some(0) && took < STOP, "{name}: {status}, {took:?}");
        let ship = Ship::start(dir.path(), &daemon.url());
        assert!(has(&ship, "stop").await, "{name}: {:?}", ship.export("").await);
    }
}

/// Whether the recorder's log has a record of its own of this kind.
async fn has(ship: &Ship, action: &str) -> bool {
    let action = format!(r#""Action":"{action}""#);
    ship.export("").await.into_values().any(|line| line.contains(&action))
}

/// As `nohup` starts it.
#[tokio::test(flavor = "multi_thread")]
async fn who_was_told_to_ignore_a_hangup_does() {
    let dir = TempDir::new().unwrap();
    let launcher = ["sh", "-c", r#"trap "" HUP; exec "$@""#, "sh"];
    let ship = Ship::start_under(&launcher, dir.path(), &["--docker-host", "unix:///nonexistent"]);
    assert!(Command::new("kill").args(["-HUP", &ship.pid().to_string()]).status().unwrap().success());
    // Whatever a signal does, it has done by the time of the second answer.
    for _ in 0..2 {
        assert_eq!(ship.get("/healthz").await.status(), 200);
    }
}

#[test]
fn a_stop_while_an_export_is_loaded_is_quick_and_leaves_nothing() {
    let dir = TempDir::new().unwrap();
    let (export, scratch) = (dir.path().join("export.jsonl"), dir.path().join("tmp"));
    std::fs::create_dir(&scratch).unwrap();
    write_export(&export, 400_000);
    let mut child = Command::new(BIN)
        .args(["serve", "--listen", "127.0.0.1:0", "--read-only", export.to_str().unwrap()])
        .env("TMPDIR", &scratch)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let began = Instant::now();
    while std::fs::read_dir(&scratch).unwrap().next().is_none() {
        assert!(began.elapsed() < PATIENCE && child.try_wait().unwrap().is_none());
        std::thread::sleep(Duration::from_millis(5));
    }
    signal(&child, "-TERM");
    let began = Instant::now();
    let status = end_of(&mut child, "a program that was told to stop");
    assert!(status.code() == Some(0) && began.elapsed() < STOP, "{status}, {:?}", began.elapsed());
    assert_eq!(std::fs::read_dir(&scratch).unwrap().count(), 0);
}

fn write_export(path: &Path, records: u64) {
    let mut out = std::io::BufWriter::new(std::fs::File::create(path).unwrap());
    for seq in 1..=records {
        let event = docker_line("container", "start", seq);
        writeln!(
            out,
            r#"{{"id":"7f3c9a1e-{seq}","seq":{seq},"time":"2026-11-22T10:49:37Z","received":"2026-11-22T10:49:37Z","source":"local","event":{event}}}"#
        )
        .unwrap();
    }
    out.into_inner().unwrap();
}

/// Each of these signals meets another part of the start.
#[test]
fn a_stop_at_any_time_of_the_start_is_an_end() {
    for after_ms in (0..200).step_by(10) {
        let dir = TempDir::new().unwrap();
        let mut child = Command::new(BIN)
            .args(["serve", "--listen", "127.0.0.1:0", "--docker-host", "unix:///nonexistent", "--data-dir", dir.path().to_str().unwrap()])
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        std::thread::sleep(Duration::from_millis(after_ms));
        signal(&child, "-TERM");
        let began = Instant::now();
        let status = end_of(&mut child, "a program that was told to stop");
        // Before anything has begun, the system's own end.
        assert!(status.code() == Some(0) || status.signal() == Some(15), "{after_ms} ms: {status}");
        assert!(began.elapsed() < STOP, "{after_ms} ms: {:?}", began.elapsed());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_who_reads_stderr_stops_nobody() {
    let dir = TempDir::new().unwrap();
    let daemon = FakeDaemon::unix().await;
    let mut child = Command::new(BIN)
        .args(["serve", "--listen", "127.0.0.1:0", "--docker-host", &daemon.url(), "--data-dir", dir.path().to_str().unwrap()])
        .env("SHIPSLOG_LOG", "trace")
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let line = first_line(child.stdout.take().unwrap(), child.id(), "the program to say where it listens");
    let url = line.trim().strip_prefix("listening on ").unwrap().to_owned();
    daemon.wait_for_subscribers(1).await;
    // Each request is told in several lines; the pipe and what may wait hold some ten thousand.
    let client = reqwest::Client::new();
    for n in 0..3000 {
        if n % 100 == 0 {
            daemon.emit(&docker_line("container", "start", n));
        }
        let answer = tokio::time::timeout(PATIENCE, client.get(format!("{url}/healthz")).send()).await.expect("an answer").unwrap();
        assert_eq!(answer.status(), 200);
    }
    wait_for("all events", async || {
        let stats: serde_json::Value = client.get(format!("{url}/api/v1/stats")).send().await.unwrap().json().await.unwrap();
        (stats["log"]["head"].as_u64().unwrap() >= 33).then_some(())
    })
    .await;
    let mut stderr = child.stderr.take().unwrap();
    let (found, said) = std::sync::mpsc::sync_channel(1);
    std::thread::spawn(move || {
        let (mut all, mut piece) = (Vec::new(), [0; 4096]);
        while !String::from_utf8_lossy(&all).contains("lines of this log were dropped") {
            let read = stderr.read(&mut piece).unwrap();
            assert!(read > 0);
            // The end of what came before is enough.
            all.drain(..all.len().saturating_sub(200));
            all.extend_from_slice(&piece[..read]);
        }
        found.send(()).unwrap();
        std::io::copy(&mut stderr, &mut std::io::sink()).unwrap();
    });
    tokio::task::spawn_blocking(move || said.recv_timeout(PATIENCE).unwrap()).await.unwrap();
    signal(&child, "-TERM");
    assert_eq!(end_of(&mut child, "a program that was told to stop").code(), Some(0));
}
