//! Whoever is to be told of incidents is told, whatever the receiver does and whenever the recorder is
//! killed.

use crate::fake_daemon::FakeDaemon;
use crate::support::{Ship, wait_for};
use serde_json::Value;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use tempfile::TempDir;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;

/// What the receiver does with a request.
#[derive(Debug, Clone, Copy)]
enum Answer {
    Status(u16),
    Hang,
}

/// Receives messages, and answers the first ones as it is told, then with 204.
struct Receiver {
    url: String,
    /// `webhook-id` and body.
    received: Arc<parking_lot::Mutex<Vec<(String, Value)>>>,
}

impl Receiver {
    async fn start(answers: Vec<Answer>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/in", listener.local_addr().unwrap());
        let received: Arc<parking_lot::Mutex<Vec<(String, Value)>>> = Arc::default();
        let (taken, number) = (Arc::clone(&received), Arc::new(AtomicUsize::new(0)));
        tokio::spawn(async move {
            while let Ok((mut socket, _)) = listener.accept().await {
                let (taken, number, answers) = (Arc::clone(&taken), Arc::clone(&number), answers.clone());
                tokio::spawn(async move {
                    let mut bytes = Vec::new();
                    while socket.read_buf(&mut bytes).await.unwrap_or(0) > 0 {
                        let Some(message) = request(&bytes) else { continue };
                        bytes.clear();
                        taken.lock().push(message);
                        match answers.get(number.fetch_add(1, SeqCst)).copied().unwrap_or(Answer::Status(204)) {
                            Answer::Hang => std::future::pending::<()>().await,
                            Answer::Status(status) => {
                                let head = format!("HTTP/1.1 {status} X\r\nlocation: /elsewhere\r\ncontent-length: 0\r\n\r\n");
                                socket.write_all(head.as_bytes()).await.unwrap();
                            }
                        }
                    }
                });
            }
        });
        Self { url, received }
    }

    fn count(&self) -> usize {
        self.received.lock().len()
    }

    fn ids(&self) -> Vec<String> {
        self.received.lock().iter().map(|(id, _)| id.clone()).collect()
    }
}

/// The message in a request, once it is whole.
fn request(bytes: &[u8]) -> Option<(String, Value)> {
    let text = String::from_utf8_lossy(bytes).into_owned();
    let (head, body) = text.split_once("\r\n\r\n")?;
    let header = |name: &str| head.lines().find_map(|line| line.strip_prefix(&format!("{name}: ")));
    let length: usize = header("content-length")?.parse().ok()?;
    (body.len() >= length).then(|| (header("webhook-id").unwrap_or_default().to_owned(), serde_json::from_str(body).unwrap()))
}

fn event(action: &str, seconds: i64, attributes: &str) -> String {
    let nanos = (time_now() + seconds) * 1_000_000_000;
    format!(
        r#"{{"Type":"container","Action":"{action}","Actor":{{"ID":"{:064x}","Attributes":{{"name":"web","image":"i"{attributes}}}}},"time":{},"timeNano":{nanos}}}"#,
        7,
        nanos / 1_000_000_000
    )
}

fn time_now() -> i64 {
    i64::try_from(std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs()).unwrap()
}

fn start(dir: &Path, daemon: &FakeDaemon, receiver: &Receiver) -> Ship {
    let file = dir.join("shipslog.toml");
    std::fs::write(&file, format!("[[hook]]\nname = \"ops\"\nurl = \"{}\"\n", receiver.url)).unwrap();
    Ship::start_with(&dir.join("data"), &["--docker-host", &daemon.url(), "--config", file.to_str().unwrap()])
}

async fn notified(ship: &Ship) -> Vec<Value> {
    let log = ship.export(r#"&filters={"type":["recorder"],"event":["notified"]}"#).await;
    let records = log.values().map(|line| serde_json::from_str::<Value>(line).unwrap());
    let records = records.filter(|record| record["event"]["Action"] == "notified");
    records.map(|mut record| record["event"]["Actor"]["Attributes"].take()).collect()
}

/// A receiver that fails, redirects and hangs; then the recorder is killed while one message hangs, and
/// started again: the same message comes under the same id, and none after it was taken.
#[tokio::test(flavor = "multi_thread")]
async fn an_incident_is_told_once_whatever_happens() {
    let (dir, daemon) = (TempDir::new().unwrap(), FakeDaemon::unix().await);
    let receiver = Receiver::start(vec![Answer::Status(500), Answer::Status(302), Answer::Hang]).await;
    let mut ship = start(dir.path(), &daemon, &receiver);
    wait_for("the hook's beginning", async || (!notified(&ship).await.is_empty()).then_some(())).await;
    daemon.wait_for_subscribers(1).await;
    daemon.emit(&event("start", -60, ""));
    // What a daemon's ring brings from before the hook was there is not told.
    daemon.emit(&event("die", -50, r#","exitCode":"3""#).replace("web", "past").replace(&format!("{:064x}", 7), &format!("{:064x}", 9)));
    daemon.emit(&event("die", 1, r#","exitCode":"3""#));
    wait_for("three attempts", async || (receiver.count() >= 3).then_some(())).await;
    ship.kill();
    let mut ship = start(dir.path(), &daemon, &receiver);
    wait_for("a fourth", async || (receiver.count() >= 4).then_some(())).await;
    let told = wait_for("what the log remembers", async || Some(notified(&ship).await).filter(|told| told.len() >= 2)).await;
    assert_eq!((told[0]["status"].as_str(), told[1]["status"].as_str()), (Some("begins"), Some("204")), "{told:?}");
    let ids = receiver.ids();
    let (incident, _) = ids[0].rsplit_once('.').unwrap();
    assert!(ids.iter().all(|id| id.starts_with(incident)), "one incident: {ids:?}");
    assert_eq!((told[1]["incident"].as_str(), told[1]["occasion"].as_str()), (Some(incident), Some("opened")));
    assert_eq!(receiver.received.lock()[0].1["incident"]["subject"], "web");
    {
        let received = receiver.received.lock();
        let body = &received.last().unwrap().1;
        assert_eq!((&body["hook"], &body["incident"]["id"]), (&"ops".into(), &incident.into()), "{body}");
    }
    // Once more: what was taken is not told again. The next message is about something else.
    ship.kill();
    let ship = start(dir.path(), &daemon, &receiver);
    daemon.emit(&event("start", -30, "").replace(&format!("{:064x}", 7), &format!("{:064x}", 8)).replace("web", "other"));
    daemon.emit(&event("die", 0, r#","exitCode":"4""#).replace(&format!("{:064x}", 7), &format!("{:064x}", 8)).replace("web", "other"));
    wait_for("the other", async || {
        notified(&ship).await.iter().any(|told| told["incident"] != incident && told["status"] == "204").then_some(())
    })
    .await;
    let repeated = receiver.ids()[4..].iter().filter(|id| id.starts_with(incident)).count();
    assert_eq!(repeated, 0, "{:?}", receiver.ids());
}
