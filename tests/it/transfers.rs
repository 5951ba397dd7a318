//! Answers on their way: a part of one never passes for the whole, it can be continued, and whatever a proxy
//! between does to it is noticed.

use crate::fake_daemon::FakeDaemon;
use crate::support::{BIN, PATIENCE, Ship, docker_line, ship_with, wait_for};
use shipslog::event::Event;
use shipslog::log::{EmbeddedLog, EventLog, Limits, NewRecord};
use shipslog::time::Timestamp;
use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::process::Command;
use std::time::Duration;
use tempfile::TempDir;

/// No daemon is there, so that the log stays as it is but for the recorder's own records.
const NOBODY: [&str; 2] = ["--docker-host", "x=tcp://127.0.0.1:1"];

/// A log of some megabytes that do not compress.
async fn large(dir: &Path, records: u64) {
    let limits = Limits { tip_records: 500, merge_after: Duration::from_secs(3600), ..Limits::default() };
    let log: Box<dyn EventLog> = Box::new(EmbeddedLog::open_with(dir, limits).unwrap().0);
    let mut noise = 1u64;
    for n in 0..records {
        let pad: String = std::iter::repeat_with(|| {
            noise = noise.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            format!("{noise:016x}")
        })
        .take(200)
        .collect();
        let line = docker_line("container", "start", n).replacen(r#""image":"busybox""#, &format!(r#""image":"{pad}""#), 1);
        let event = Event::from_line(line.as_bytes()).unwrap();
        log.append(vec![NewRecord { source: "local".into(), received: Timestamp::now(), event }]).await.unwrap();
    }
    close(log, dir).await;
}

/// Lets go of a log, so that a program can open it.
async fn close(log: Box<dyn EventLog>, dir: &Path) {
    log.close().await.unwrap();
    drop(log);
    let lock = std::fs::File::open(dir.join("log/lock")).unwrap();
    tokio::task::spawn_blocking(move || lock.lock().unwrap()).await.unwrap();
}

fn connect(ship: &Ship) -> TcpStream {
    let stream = TcpStream::connect(ship.url.trim_start_matches("http://")).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream
}

/// The answer up to the end of the connection, and what that was.
fn rest(stream: &mut impl Read) -> (Vec<u8>, Option<ErrorKind>) {
    let mut all = Vec::new();
    let end = stream.read_to_end(&mut all).err().map(|e| e.kind());
    (all, end)
}

fn body(answer: &[u8]) -> &[u8] {
    let at = answer.windows(4).position(|window| window == b"\r\n\r\n").expect("a header");
    &answer[at + 4..]
}

#[tokio::test(flavor = "multi_thread")]
async fn a_part_of_an_answer_over_http_1_0_does_not_pass_for_the_whole() {
    let dir = TempDir::new().unwrap();
    large(dir.path(), 2000).await;
    let until = 1_795_344_577 + 100;
    for target in ["/api/v1/export", "/api/v1/export?format=csv", &format!("/events?since=1&until={until}")] {
        let mut ship = Ship::start_with(dir.path(), &NOBODY);
        let request = format!("GET {target} HTTP/1.0\r\nHost: localhost\r\n\r\n");
        let mut whole = connect(&ship);
        whole.write_all(request.as_bytes()).unwrap();
        let (answer, end) = rest(&mut whole);
        assert_eq!(end, None, "{target}: all of it ends in peace");
        assert!(answer.starts_with(b"HTTP/1.0 200") && body(&answer).split(|byte| *byte == b'\n').count() > 2000, "{target}");
        assert!(
            !String::from_utf8_lossy(&answer[..1000]).to_lowercase().contains("content-length"),
            "{target}: else there is nothing to show"
        );

        let mut part = connect(&ship);
        part.write_all(request.as_bytes()).unwrap();
        part.read_exact(&mut [0; 16_000]).unwrap();
        ship.kill();
        let (_, end) = rest(&mut part);
        assert_eq!(end, Some(ErrorKind::ConnectionReset), "{target}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn where_a_cut_could_not_be_told_nothing_is_sent() {
    let dir = TempDir::new().unwrap();
    let socket = dir.path().join("s");
    let _ship = Ship::start_on(dir.path(), &format!("unix:{}", socket.display()), &NOBODY);
    let ask = |target: &str, version: &str| {
        let mut stream = UnixStream::connect(&socket).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream.write_all(format!("GET {target} HTTP/{version}\r\nHost: localhost\r\nConnection: close\r\n\r\n").as_bytes()).unwrap();
        let mut status = [0; 12];
        stream.read_exact(&mut status).unwrap();
        String::from_utf8_lossy(&status[9..]).into_owned()
    };
    for (target, version, status) in [
        ("/api/v1/export", "1.0", "505"),
        ("/events?since=1&until=2", "1.0", "505"),
        ("/api/v1/export", "1.1", "200"),
        ("/api/v1/events", "1.0", "200"),
        ("/api/v1/stream", "1.0", "200"),
    ] {
        assert_eq!(ask(target, version), status, "{target} over HTTP/{version}");
    }
}

/// `import` of a file; what it says where it refuses.
fn import(dir: &TempDir, name: &str, text: &str) -> Result<String, String> {
    let file = dir.path().join(format!("{name}.jsonl"));
    std::fs::write(&file, text).unwrap();
    let output = Command::new(BIN).arg("import").arg(&file).arg("--data-dir").arg(dir.path().join(name)).output().unwrap();
    let said = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
    if output.status.success() { Ok(said) } else { Err(said) }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_export_is_gone_on_with_and_its_last_line_says_what_it_holds() {
    let (dir, _daemon, ship) = ship_with(60).await;
    let text = async |query: &str| ship.get(&format!("/api/v1/export?{query}")).await.text().await.unwrap();
    for filter in ["", "&filters={\"type\":[\"network\"]}", "&until=1795344577.03"] {
        let whole = text(&format!("trailer=1{filter}")).await;
        let lines: Vec<&str> = whole.split_inclusive('\n').collect();
        let (last, records) = lines.split_last().unwrap();
        let end: serde_json::Value = serde_json::from_str(last).unwrap();
        let id = |line: &str| serde_json::from_str::<serde_json::Value>(line).unwrap()["id"].clone();
        assert_eq!((&end["end"]["records"], &end["end"]["last"]), (&records.len().into(), &id(records.last().unwrap())), "{filter}");
        assert!(end["end"]["as_of"].as_str().is_some_and(|time| time.ends_with('Z')), "{last}");
        assert_eq!(text(filter.trim_start_matches('&')).await, records.concat(), "{filter}: none but where it is asked for");
        for cut in [1, 7, records.len() - 1, records.len()] {
            let after = id(records[cut - 1]);
            let rest = text(&format!("after={}{filter}", after.as_str().unwrap())).await;
            assert_eq!(records[..cut].concat() + &rest, records.concat(), "{filter} after {cut}");
            let ended = text(&format!("trailer=1&after={}{filter}", after.as_str().unwrap())).await;
            let of = |text: &str| text.lines().last().unwrap().split_once(r#""last""#).unwrap().1.to_owned();
            assert_eq!((ended.lines().count(), of(&ended)), (records.len() - cut + 1, of(&whole)), "{filter} after {cut}");
        }
    }
    let table = text("format=csv").await;
    let rows: Vec<&str> = table.split_inclusive('\n').collect();
    let after = rows[5].split(',').next().unwrap();
    assert_eq!(rows[..=5].concat() + &text(&format!("format=csv&after={after}")).await, table);

    let whole = text("trailer=1").await;
    assert!(import(&dir, "whole", &whole).is_ok());
    let (part, missing) = (whole.lines().take(20).collect::<Vec<_>>().join("\n") + "\n", whole.lines().nth(30).unwrap());
    let id = serde_json::from_str::<serde_json::Value>(part.lines().last().unwrap()).unwrap()["id"].as_str().unwrap().to_owned();
    assert!(import(&dir, "joined", &(part + &text(&format!("trailer=1&after={id}")).await)).is_ok());
    let refused = import(&dir, "holed", &whole.replace(&format!("{missing}\n"), "")).unwrap_err();
    assert!(refused.contains("not whole"), "{refused}");

    let foreign = format!("after=00000000-{}", 5);
    for (query, status) in [("trailer=1&format=csv", 400), ("trailer=2", 400), ("after=x", 400), (&*foreign, 409)] {
        assert_eq!(ship.get(&format!("/api/v1/export?{query}")).await.status(), status, "{query}");
    }
    let future = format!("{}-99999", id.split('-').next().unwrap());
    assert_eq!(ship.get(&format!("/api/v1/export?after={future}")).await.status(), 409);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_export_whose_records_are_gone_does_not_go_on() {
    let dir = TempDir::new().unwrap();
    let limits = Limits { tip_records: 4, ..Limits::default() };
    let log: Box<dyn EventLog> = Box::new(EmbeddedLog::open_with(dir.path(), limits).unwrap().0);
    for n in 0..40 {
        let event = Event::from_line(docker_line("container", "start", n).as_bytes()).unwrap();
        log.append(vec![NewRecord { source: "local".into(), received: Timestamp::now(), event }]).await.unwrap();
    }
    let oldest = wait_for("a segment that goes", async || Some(log.trim(30).await.unwrap()).filter(|oldest| *oldest > 5)).await;
    close(log, dir.path()).await;
    let ship = Ship::start_with(dir.path(), &NOBODY);
    let prefix = ship.log().await;
    assert_eq!(ship.get(&format!("/api/v1/export?after={prefix}-2")).await.status(), 410);
    assert_eq!(ship.get(&format!("/api/v1/export?after={prefix}-{}", oldest - 1)).await.status(), 200);
}

/// Python's httpx fails where a chunk ends with a frame and more follows.
#[tokio::test(flavor = "multi_thread")]
async fn no_chunk_of_zstd_ends_where_a_frame_does_but_the_last() {
    let dir = TempDir::new().unwrap();
    large(dir.path(), 2000).await;
    let ship = Ship::start_with(dir.path(), &NOBODY);
    let head = ship.wait_for_head(|head| head > 2000).await;
    // Frames of the log as they are; frames made again.
    for query in ["", "&filters={\"type\":[\"container\",\"recorder\"]}", "&compression=zstd&format=csv"] {
        let mut stream = connect(&ship);
        let coding = if query.contains("csv") { "identity" } else { "zstd" };
        let request = format!(
            "GET /api/v1/export?_=1{} HTTP/1.1\r\nHost: localhost\r\nAccept-Encoding: {coding}\r\nConnection: close\r\n\r\n",
            query.replace('"', "%22")
        );
        stream.write_all(request.as_bytes()).unwrap();
        let (answer, end) = rest(&mut stream);
        assert_eq!(end, None);
        let (chunks, mut left) = (std::cell::RefCell::new(Vec::new()), body(&answer));
        let mut all = Vec::new();
        loop {
            let line = left.iter().position(|byte| *byte == b'\r').unwrap();
            let bytes = usize::from_str_radix(std::str::from_utf8(&left[..line]).unwrap(), 16).unwrap();
            if bytes == 0 {
                break;
            }
            all.extend_from_slice(&left[line + 2..line + 2 + bytes]);
            chunks.borrow_mut().push(all.len());
            left = &left[line + bytes + 4..];
        }
        let (mut frames, mut at) = (Vec::new(), 0);
        while at < all.len() {
            at += zstd::zstd_safe::find_frame_compressed_size(&all[at..]).unwrap();
            frames.push(at);
        }
        let chunks = chunks.into_inner();
        assert!(chunks.len() > 2 && frames.len() > 2, "{query}: {} chunks, {} frames", chunks.len(), frames.len());
        let both: Vec<_> = chunks.iter().filter(|end| frames.contains(end)).collect();
        assert_eq!(both, [&all.len()], "{query}: {frames:?}");
        let lines = zstd::decode_all(&*all).unwrap().split(|byte| *byte == b'\n').count() as u64 - 1;
        assert_eq!(lines, head + u64::from(query.contains("csv")), "{query}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn live_answers_are_for_nobody_to_transform() {
    let (_dir, _daemon, ship) = ship_with(3).await;
    for target in ["/api/v1/stream", "/api/v1/stream?since=oldest", "/events", "/v1.41/events?since=1&until=2"] {
        let response = ship.get(target).await;
        assert_eq!(
            (response.status().as_u16(), &response.headers()["cache-control"]),
            (200, &"no-store, no-transform".parse().unwrap()),
            "{target}"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn metrics_tell_of_each_source_also_after_a_restart() {
    let dir = TempDir::new().unwrap();
    let daemon = FakeDaemon::unix().await;
    let mut ship =
        Ship::start_with(dir.path(), &["--docker-host", &format!("one={}", daemon.url()), "--docker-host", "two=tcp://127.0.0.1:1"]);
    daemon.wait_for_subscribers(1).await;
    daemon.emit(&docker_line("container", "start", 1500));
    let expected = [
        r#"shipslog_source_connected{source="one"} 1"#,
        r#"shipslog_source_connected{source="two"} 0"#,
        r#"shipslog_source_last_event_timestamp_seconds{source="one"} 1795344578.500000000"#,
        r#"shipslog_source_gaps_total{source="one",reason="first-contact"} 1"#,
    ];
    let told = async |ship: &Ship| {
        wait_for("metrics of each source", async || {
            let text = ship.get("/metrics").await.text().await.unwrap();
            expected.iter().all(|line| text.lines().any(|told| told == *line)).then_some(text)
        })
        .await
    };
    told(&ship).await;
    ship.stop();
    ship.restart();
    let text = told(&ship).await;
    assert!(!text.contains(r#"last_event_timestamp_seconds{source="two"}"#), "it has none: {text}");
}
