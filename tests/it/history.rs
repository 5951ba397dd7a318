//! History, polling, export, and what the operations routes say.

use crate::support::{Ship, docker_line, sequence, ship_with, wait_for};
use serde_json::Value;
use shipslog::event::Event;
use shipslog::log::{EmbeddedLog, EventLog, Limits, NewRecord};
use shipslog::time::Timestamp;
use std::io::Read;
use std::time::{Duration, Instant};
use tempfile::TempDir;

fn sequences(answer: &Value) -> Vec<u64> {
    answer["records"].as_array().unwrap().iter().map(|r| r["seq"].as_u64().unwrap()).collect()
}

/// What the configuration says of other programs reaches the page as it is written there.
#[tokio::test(flavor = "multi_thread")]
async fn links_to_other_programs_are_told() {
    let dir = TempDir::new().unwrap();
    let file = dir.path().join("shipslog.toml");
    std::fs::write(&file, "[[link]]\nname = \"Loki\"\nurl = \"https://grafana.example/?q={container}&from={since_ms}\"\n").unwrap();
    let ship = Ship::start_with(&dir.path().join("data"), &["--demo", "--config", file.to_str().unwrap()]);
    let stats = ship.json("/api/v1/stats").await;
    assert_eq!(stats["links"], serde_json::json!([{ "name": "Loki", "url": "https://grafana.example/?q={container}&from={since_ms}" }]));
}

#[tokio::test(flavor = "multi_thread")]
async fn pages_lead_through_everything_in_both_orders() {
    let (_dir, daemon, ship) = ship_with(40).await;
    let head = ship.wait_for_head(|_| true).await;
    for (order, expected) in [("asc", (1..=head).collect::<Vec<_>>()), ("desc", (1..=head).rev().collect())] {
        let (mut path, mut seen, mut pages) = (format!("/api/v1/events?order={order}&limit=7"), Vec::<u64>::new(), Vec::new());
        loop {
            let answer = ship.json(&path).await;
            assert_eq!(answer["log"]["oldest"], 1);
            let page = sequences(&answer);
            assert!(page.len() <= 7);
            seen.extend(&page);
            pages.push((page, answer["page"]["prev"].as_str().map(str::to_owned)));
            match answer["page"]["next"].as_str() {
                Some(next) => path = format!("/api/v1/events?order={order}&limit=7&cursor={next}"),
                None => break,
            }
            // What is recorded meanwhile must not shift the pages.
            if order == "desc" {
                daemon.emit(&docker_line("container", "die", 1000 + pages.len() as u64));
            }
        }
        assert_eq!(seen, expected, "{order}");
        for pair in pages.windows(2) {
            let prev = pair[1].1.as_deref().expect("a later page leads back");
            let answer = ship.json(&format!("/api/v1/events?order={order}&limit=7&cursor={prev}")).await;
            assert_eq!(sequences(&answer), pair[0].0, "{order}");
        }
    }
    let response = ship.get("/api/v1/events?limit=2&since=oldest").await;
    let link = response.headers()["link"].to_str().unwrap().to_owned();
    let next = link.strip_prefix('<').unwrap().split('>').next().unwrap();
    assert!(link.ends_with("rel=\"next\"") && next.contains("limit=2"));
    // From where it was asked, so that it holds below a proxy's prefix too.
    assert!(next.starts_with("events?"), "{link}");
    assert_eq!(sequences(&ship.json(&format!("/api/v1/{next}")).await), [3, 4]);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_lies_before_a_record_is_read_backwards_from_it() {
    let (_dir, _daemon, ship) = ship_with(20).await;
    let head = ship.wait_for_head(|head| head > 15).await;
    let newest = ship.json("/api/v1/events?order=desc&limit=1").await;
    let id = newest["records"][0]["id"].as_str().unwrap().to_owned();
    let place = id.replace(&format!("-{head}"), "-11");
    let answer = ship.json(&format!("/api/v1/events?order=desc&limit=4&before={place}")).await;
    assert_eq!(sequences(&answer), [10, 9, 8, 7]);
    let next = answer["page"]["next"].as_str().unwrap();
    assert_eq!(sequences(&ship.json(&format!("/api/v1/events?order=desc&limit=4&cursor={next}")).await), [6, 5, 4, 3]);
    assert_eq!(
        sequences(&ship.json(&format!("/api/v1/events?order=desc&before={}", id.replace(&format!("-{head}"), "-1"))).await),
        [0_u64; 0]
    );
    for wrong in [format!("before={place}"), format!("order=desc&before={place}&after={place}"), "order=desc&before=x".to_owned()] {
        assert_eq!(ship.get(&format!("/api/v1/events?{wrong}")).await.status(), 400, "{wrong}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn time_ranges_are_inclusive_at_both_ends() {
    let (_dir, _daemon, ship) = ship_with(30).await;
    let docker = |n: u64| format!("{}.{:09}", 1_795_344_577 + n / 1000, n * 1_000_000 % 1_000_000_000);
    let answer = ship.json(&format!("/api/v1/events?since={}&until={}", docker(10), docker(12))).await;
    let names: Vec<_> =
        answer["records"].as_array().unwrap().iter().map(|r| r["event"]["Actor"]["ID"].as_str().unwrap().to_owned()).collect();
    assert_eq!(names, ["c10", "c11", "c12"]);
    let answer =
        ship.json(&format!(r#"/api/v1/events?since=2026-11-22T10:49:37.010Z&until={}&filters={{"type":["network"]}}"#, docker(20))).await;
    assert_eq!(answer["records"].as_array().unwrap().len(), 5);
    assert!(answer["page"]["next"].is_null());
}

#[tokio::test(flavor = "multi_thread")]
async fn polling_by_cursor_tag_and_wait() {
    let (_dir, daemon, ship) = ship_with(4).await;
    let head = ship.wait_for_head(|_| true).await;
    let log = ship.log().await;
    let client = crate::support::client();
    let poll = format!("{}/api/v1/events?after={log}-{head}", ship.url);

    let empty = client.get(&poll).send().await.unwrap();
    let tag = empty.headers()["etag"].to_str().unwrap().to_owned();
    assert!(tag.starts_with("W/\""));
    assert!(empty.json::<Value>().await.unwrap()["records"].as_array().unwrap().is_empty());
    let unchanged = client.get(&poll).header("If-None-Match", &tag).send().await.unwrap();
    assert_eq!(unchanged.status(), 304);
    assert!(unchanged.text().await.unwrap().is_empty());

    let began = Instant::now();
    let timed_out = client.get(&poll).header("Prefer", "wait=1").send().await.unwrap();
    assert_eq!(timed_out.headers()["preference-applied"], "wait=1");
    assert!(began.elapsed() >= Duration::from_secs(1));

    let waiting = tokio::spawn(client.get(&poll).header("Prefer", "respond-async, wait=30").header("If-None-Match", &tag).send());
    // The request is on its way or waiting; either way it must answer with the event.
    daemon.emit(&docker_line("container", "die", 500));
    let answer: Value = waiting.await.unwrap().unwrap().json().await.unwrap();
    assert_eq!(answer["records"][0]["event"]["Actor"]["ID"], "c500");
    assert_eq!(answer["log"]["head"].as_u64(), Some(head + 1));
    assert_ne!(client.get(&poll).header("If-None-Match", &tag).send().await.unwrap().status(), 304);

    // A poll that has more than a page leads on like any other.
    let first = client.get(format!("{}/api/v1/events?after={log}-1&limit=2", ship.url)).send().await.unwrap();
    let link = first.headers()["link"].to_str().unwrap().split(['<', '>']).nth(1).unwrap().to_owned();
    assert_eq!(sequences(&ship.json(&format!("/api/v1/{link}")).await), [4, 5]);
    let next = first.json::<Value>().await.unwrap()["page"]["next"].as_str().unwrap().to_owned();
    assert_eq!(sequences(&ship.json(&format!("/api/v1/events?after={log}-1&limit=2&cursor={next}")).await), [4, 5]);

    for (cursor, status) in [("deadbeef-1".to_owned(), 409), (format!("{log}-99999"), 409), ("x".to_owned(), 400)] {
        let response = client.get(format!("{}/api/v1/events?after={cursor}", ship.url)).send().await.unwrap();
        assert_eq!(response.status(), status, "{cursor}");
        assert_eq!(response.headers()["content-type"], "application/problem+json");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn one_record_by_its_id() {
    let (_dir, _daemon, ship) = ship_with(2).await;
    let export = ship.export("").await;
    let line = &export[&4];
    let id = serde_json::from_str::<Value>(line).unwrap()["id"].as_str().unwrap().to_owned();
    assert_eq!(ship.get(&format!("/api/v1/events/{id}")).await.text().await.unwrap().trim_end(), line);
    for (id, status) in [
        (format!("{}-4000", &id[..8]), 404),
        ("00000000-1".to_owned(), 404),
        (format!("{}-0", &id[..8]), 404),
        ("nonsense".to_owned(), 400),
    ] {
        assert_eq!(ship.get(&format!("/api/v1/events/{id}")).await.status(), status, "{id}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn exports_are_the_log_verbatim_in_every_compression() {
    let (_dir, _daemon, ship) = ship_with(300).await;
    let plain = ship.get("/api/v1/export").await;
    assert!(plain.headers()["content-disposition"].to_str().unwrap().ends_with(".jsonl\""));
    let plain = plain.text().await.unwrap();
    assert_eq!(plain.lines().map(sequence).collect::<Vec<_>>(), (1..=plain.lines().count() as u64).collect::<Vec<_>>());
    assert!(plain.contains(&format!(r#""event":{}}}"#, docker_line("container", "start", 42))), "messages byte for byte");
    let gzip = ship.get("/api/v1/export?format=jsonl&compression=gzip").await.bytes().await.unwrap();
    let mut text = String::new();
    flate2::read::GzDecoder::new(&*gzip).read_to_string(&mut text).unwrap();
    assert!(text == plain);
    let zstd = ship.get("/api/v1/export?compression=zstd").await.bytes().await.unwrap();
    assert!(zstd::decode_all(&*zstd).unwrap() == plain.as_bytes());
    let filtered = ship.selected(r#"&filters={"container":["c299"]}"#).await;
    assert_eq!(filtered.len(), 1);
}

/// A program on a log whose older records are sealed, with the bytes of its first segment. It records no
/// host, so nothing is added.
async fn sealed_ship() -> (TempDir, Ship, Vec<u8>) {
    let dir = TempDir::new().unwrap();
    let limits = Limits { tip_records: 1500, merge_after: Duration::from_secs(3600), ..Limits::default() };
    let (log, _) = EmbeddedLog::open_with(dir.path(), limits).unwrap();
    for first in (0..4000).step_by(100) {
        let record = |n: u64| {
            let event = Event::from_line(docker_line("container", "start", n).as_bytes()).unwrap();
            NewRecord { source: "local".into(), received: Timestamp::now(), event }
        };
        log.append((first..first + 100).map(record).collect()).await.unwrap();
    }
    wait_for("a segment", async || log.next_trim()).await;
    log.close().await.unwrap();
    drop(log);
    let lock = std::fs::File::open(dir.path().join("log/lock")).unwrap();
    tokio::task::spawn_blocking(move || lock.lock().unwrap()).await.unwrap();
    let segment = std::fs::read(dir.path().join("log/00000000000000000001.jsonl.zst")).unwrap();
    let ship = Ship::start(dir.path(), "unix:///nonexistent/docker.sock");
    (dir, ship, segment)
}

#[tokio::test(flavor = "multi_thread")]
async fn exports_are_zstd_on_the_way_to_clients_that_take_it() {
    let (_dir, ship, segment) = sealed_ship().await;
    let client = crate::support::client();
    let get = async |query: &str, accepted: Option<&str>| {
        let mut request = client.get(format!("{}/api/v1/export?format=jsonl{query}", ship.url));
        if let Some(accepted) = accepted {
            request = request.header("Accept-Encoding", accepted);
        }
        let response = request.send().await.unwrap();
        assert_eq!(response.status(), 200, "{query} {accepted:?}");
        assert_eq!(response.headers()["vary"], "accept-encoding", "{query} {accepted:?}");
        let header = |name: &str| response.headers().get(name).map(|value| value.to_str().unwrap().to_owned());
        let (encoding, kind, name) = (header("content-encoding"), header("content-type"), header("content-disposition").unwrap());
        (encoding, kind.unwrap(), name, response.bytes().await.unwrap())
    };
    for (query, records) in [("", 4001), ("&since=1795344577.500&until=1795344579.250", 1751), (r#"&filters={"container":["c3999"]}"#, 1)] {
        let (encoding, kind, name, plain) = get(query, None).await;
        assert_eq!((encoding.as_deref(), kind.as_str()), (None, "application/jsonl"), "{query}");
        assert!(name.ends_with(".jsonl\""), "{name}");
        assert_eq!(std::str::from_utf8(&plain).unwrap().lines().count(), records, "{query}");
        for accepted in ["zstd", "gzip, deflate, br, zstd", "ZSTD;q=0.5"] {
            let encoded = get(query, Some(accepted)).await;
            // What is saved is the same file under the same name.
            assert_eq!((encoded.0.as_deref(), encoded.1, encoded.2), (Some("zstd"), kind.clone(), name.clone()), "{query} {accepted}");
            assert!(zstd::decode_all(&*encoded.3).unwrap() == plain, "{query} {accepted}");
            assert!(!query.is_empty() || encoded.3.starts_with(&segment[..4096]), "frames are sent as they lie in the log");
        }
        for refused in ["", "identity", "gzip", "zstd;q=0"] {
            let as_it_is = get(query, Some(refused)).await;
            assert!(as_it_is.0.is_none() && as_it_is.3 == plain, "{query} {refused}");
        }
    }
    // A file that is compressed by request is not encoded once more.
    for (compression, kind) in [("gzip", "application/gzip"), ("zstd", "application/zstd")] {
        let (encoding, found, ..) = get(&format!("&compression={compression}"), Some("zstd")).await;
        assert_eq!((encoding, found.as_str()), (None, kind));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn operations_routes_tell_how_it_is() {
    let (_dir, mut daemon, ship) = ship_with(5).await;
    assert_eq!(ship.get("/healthz").await.text().await.unwrap(), "ok\n");
    let ready = ship.get("/readyz").await;
    assert_eq!(ready.status(), 200);
    let ready: Value = ready.json().await.unwrap();
    assert_eq!(
        (ready["ready"].as_bool(), ready["sources"][0]["state"].as_str(), ready["writer"]["state"].as_str()),
        (Some(true), Some("connected"), Some("ok"))
    );
    let stats = ship.json("/api/v1/stats").await;
    assert_eq!((stats["ingest"]["received"].as_u64(), stats["ingest"]["lost"].as_u64()), (Some(5), Some(0)));
    assert!(stats["log"]["bytes"].as_u64().unwrap() > 0);
    let metrics = ship.get("/metrics").await.text().await.unwrap();
    for line in [
        "shipslog_events_received_total 5",
        "shipslog_source_connected{source=\"local\"} 1",
        "docker_events_total{type=\"container\",action=\"start\"} 3",
    ] {
        assert!(metrics.lines().any(|l| l == line), "{line} in {metrics}");
    }
    daemon.remove_socket();
    wait_for("the error", async || {
        let ready = ship.get("/readyz").await;
        let status = ready.status();
        let ready: Value = ready.json().await.unwrap();
        (status == 503 && ready["sources"][0]["hint"].is_string()).then_some(())
    })
    .await;
    assert_eq!(ship.get("/").await.status(), 200, "pages and history are served even so");
}
