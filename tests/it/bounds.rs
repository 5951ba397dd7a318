//! What clients can make the server hold, measured at the process: no client's slowness costs memory without
//! a bound.

use crate::support::{Ship, ship_with, wait_for, within};
use futures_util::{SinkExt as _, StreamExt as _};
use http_body_util::{BodyExt, Empty};
use hyper_util::rt::{TokioExecutor, TokioIo};
use shipslog::event::Event;
use shipslog::log::{EmbeddedLog, EventLog, NewRecord};
use shipslog::time::Timestamp;
use std::path::Path;
use std::sync::Arc;
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::{self, ClientConfig, RootCertStore};
use tokio_tungstenite::tungstenite::Message;

/// Peak memory of a server that answers any number of clients, in MiB: its own caches are 24, and a debug
/// build takes some. Clients that made it hold their answers made it take 500 to 950.
const MOST_MIB: u64 = 200;
/// Records of about 900 bytes, so that a page of 10,000 has 8 MiB.
const RECORDS: u64 = 20_000;

/// A log with a record of a megabyte at its end.
async fn fill(data: &Path) {
    let log = EmbeddedLog::open(data).unwrap().0;
    let record = |n: u64, pad: usize| {
        let line = format!(
            r#"{{"Type":"container","Action":"start","Actor":{{"ID":"c{n}","Attributes":{{"pad":"{}"}}}},"timeNano":{}}}"#,
            "x".repeat(pad),
            1_795_344_577_000_000_000 + n
        );
        NewRecord { source: "local".into(), received: Timestamp::from_nanos(1), event: Event::from_line(line.as_bytes()).unwrap() }
    };
    for block in 0..RECORDS / 500 {
        log.append((block * 500..block * 500 + 500).map(|n| record(n, 700)).collect()).await.unwrap();
    }
    log.append(vec![record(RECORDS, 1_000_000)]).await.unwrap();
    log.close().await.unwrap();
    drop(log);
    let lock = std::fs::File::open(data.join("log/lock")).unwrap();
    tokio::task::spawn_blocking(move || lock.lock().unwrap()).await.unwrap();
}

/// The most that the process has ever held, in MiB.
fn peak(ship: &Ship) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{}/status", ship.pid())).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    line.trim().trim_end_matches(" kB").parse::<u64>().unwrap() / 1024
}

const HOST: &[&str] = &["--docker-host", "unix:///nonexistent/docker.sock"];

/// A program behind TLS without a Docker host, and what its clients need for HTTP/2. Its log is in
/// `dir/data`.
pub(crate) fn encrypted(dir: &Path) -> (Ship, Arc<ClientConfig>) {
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let (cert, key) = (dir.join("cert"), dir.join("key"));
    std::fs::write(&cert, made.cert.pem()).unwrap();
    std::fs::write(&key, made.signing_key.serialize_pem()).unwrap();
    let args = [HOST, &["--tls-cert", cert.to_str().unwrap(), "--tls-key", key.to_str().unwrap()]].concat();
    let ship = Ship::start_logging(&dir.join("data"), &args, &dir.join("said"));
    let mut roots = RootCertStore::empty();
    roots.add(made.cert.der().clone()).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
    let mut config = config.with_root_certificates(roots).with_no_client_auth();
    config.alpn_protocols = vec![b"h2".to_vec()];
    (ship, Arc::new(config))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hundred_streams_with_a_closed_window_cost_little() {
    let dir = TempDir::new().unwrap();
    fill(&dir.path().join("data")).await;
    let (ship, config) = encrypted(dir.path());
    let address = ship.url.trim_start_matches("https://").to_owned();
    let newest = format!("/api/v1/events/{}-{}", log_id(&dir.path().join("data")), RECORDS + 1);
    // A window of one byte takes the first piece out of the body, and leaves it in the connection.
    for window in [0, 1] {
        for path in ["/api/v1/events?limit=10000", &newest, "/api/v1/stream?since=oldest", "/api/v1/export", "/events?since=1"] {
            let socket = TcpStream::connect(&address).await.unwrap();
            let tls = TlsConnector::from(Arc::clone(&config)).connect("localhost".try_into().unwrap(), socket).await.unwrap();
            let mut client = hyper::client::conn::http2::Builder::new(TokioExecutor::new());
            let (mut send, connection) = client.initial_stream_window_size(window).handshake(TokioIo::new(tls)).await.unwrap();
            let running = tokio::spawn(connection);
            let mut held = Vec::new();
            for _ in 0..100 {
                let request = hyper::Request::get(format!("https://localhost{path}")).header("accept-encoding", "zstd");
                let response = send.send_request(request.body(Empty::<bytes::Bytes>::new()).unwrap()).await.unwrap();
                assert_eq!(response.status(), 200, "{path}");
                let mut body = response.into_body();
                if window > 0 {
                    assert_eq!(body.frame().await.unwrap().unwrap().into_data().unwrap().len(), 1);
                }
                held.push(body);
            }
            assert!(peak(&ship) < MOST_MIB, "{} MiB with {path} and a window of {window}", peak(&ship));
            drop(held);
            running.abort();
        }
    }
}

fn log_id(data: &Path) -> String {
    let text = std::fs::read_to_string(data.join("log/LOG")).unwrap();
    text.split(r#""log":""#).nth(1).or(text.split(r#""log_id":""#).nth(1)).expect("the id of the log")[..8].to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hundred_polls_that_wait_cost_little() {
    let dir = TempDir::new().unwrap();
    fill(dir.path()).await;
    let ship = Ship::start_with(dir.path(), HOST);
    // The recorder's first records come before the tag.
    ship.wait_for_head(|head| head > RECORDS + 1).await;
    let (client, url) = (reqwest::Client::new(), format!("{}/api/v1/events?limit=10000&until=2026-11-29T00:00:00Z&since=oldest", ship.url));
    let first = client.get(&url).send().await.unwrap();
    let tag = first.headers()["etag"].clone();
    let length = first.content_length().unwrap();
    let body = first.bytes().await.unwrap();
    assert!(body.len() as u64 == length && length > 8_000_000, "{length}");
    serde_json::from_slice::<serde_json::Value>(&body).unwrap();
    let waiting: Vec<_> =
        (0..100).map(|_| tokio::spawn(client.get(&url).header("if-none-match", &tag).header("prefer", "wait=2").send())).collect();
    for poll in waiting {
        assert_eq!(poll.await.unwrap().unwrap().status(), 304);
    }
    assert!(peak(&ship) < MOST_MIB, "{} MiB", peak(&ship));
}

#[tokio::test(flavor = "multi_thread")]
async fn sixty_slow_readers_cost_little_and_get_everything() {
    let dir = TempDir::new().unwrap();
    fill(dir.path()).await;
    let ship = Ship::start_with(dir.path(), HOST);
    let address = ship.url.trim_start_matches("http://").to_owned();
    for path in ["/api/v1/events?limit=10000", "/api/v1/stream?since=oldest", "/api/v1/export", "/events?since=1"] {
        let mut readers = Vec::new();
        for _ in 0..60 {
            let mut socket = TcpStream::connect(&address).await.unwrap();
            socket.write_all(format!("GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n").as_bytes()).await.unwrap();
            readers.push(socket);
        }
        let mut first = [0; 1000];
        for socket in &mut readers {
            socket.read_exact(&mut first).await.unwrap();
            assert!(first.starts_with(b"HTTP/1.1 200"), "{path}");
        }
        // When nothing more is written, the kernel's buffers are full, and all is held that will be.
        let mut before = 0;
        wait_for("the writers to stand still", async || {
            let now: u64 = std::fs::read_to_string(format!("/proc/{}/io", ship.pid()))
                .unwrap()
                .lines()
                .find_map(|l| l.strip_prefix("wchar: ")?.parse().ok())?;
            tokio::time::sleep(std::time::Duration::from_millis(200)).await;
            (std::mem::replace(&mut before, now) == now).then_some(())
        })
        .await;
        assert!(peak(&ship) < MOST_MIB, "{} MiB with {path}", peak(&ship));
        if path.starts_with("/api/v1/events") {
            let mut all = first.to_vec();
            readers[0].read_to_end(&mut all).await.unwrap();
            let body = all.split(|byte| *byte == b'\n').next_back().unwrap();
            let page: serde_json::Value = serde_json::from_slice(body).unwrap();
            assert!(page["records"].as_array().unwrap().len() > 8000);
        }
    }
}

/// What is read of the log at a start, so that a replay is known again, is not kept.
#[tokio::test(flavor = "multi_thread")]
async fn a_start_behind_a_log_of_large_messages_costs_little() {
    let dir = TempDir::new().unwrap();
    let log = EmbeddedLog::open(dir.path()).unwrap().0;
    for n in 0..300u64 {
        let line = format!(r#"{{"Type":"container","Action":"start","pad":"{}","timeNano":{n}}}"#, "x".repeat(1_000_000));
        let event = Event::from_line(line.as_bytes()).unwrap();
        log.append(vec![NewRecord { source: "local".into(), received: Timestamp::from_nanos(1), event }]).await.unwrap();
    }
    log.close().await.unwrap();
    drop(log);
    let ship = wait_for("the log to be let go", async || {
        let lock = std::fs::File::open(dir.path().join("log/lock")).unwrap();
        lock.try_lock().ok()?;
        drop(lock);
        Some(Ship::start_with(dir.path(), HOST))
    })
    .await;
    assert!(ship.json("/api/v1/stats").await["log"]["head"].as_u64() > Some(300));
    assert!(peak(&ship) < MOST_MIB, "{} MiB", peak(&ship));
}

#[tokio::test]
async fn a_message_over_a_websocket_has_a_bound() {
    let (_dir, _daemon, ship) = ship_with(1).await;
    let url = format!("{}/api/v1/ws", ship.url.replace("http", "ws"));
    let subscribe = |pad: usize| Message::text(format!(r#"{{"subscribe":{{"since":"oldest"}}}}{}"#, " ".repeat(pad)));
    for (pad, is_read) in [(16_000, true), (17_000, false)] {
        let (mut socket, _) = tokio_tungstenite::connect_async(&url).await.unwrap();
        socket.send(subscribe(pad)).await.unwrap();
        let answer = within("an answer", socket.next()).await;
        let hello = matches!(&answer, Some(Ok(Message::Text(text))) if text.contains("hello"));
        assert_eq!(hello, is_read, "{pad} blanks: {answer:?}");
    }
}
