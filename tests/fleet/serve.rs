//! Servers of a fleet: each shows all hosts, under the same ids, through kills of servers and of the hub.

use crate::cluster::Cluster;
use crate::program::{Ship, client, init, program};
use crate::support::within;
use serde_json::Value;
use std::collections::BTreeSet;
use std::time::Duration;

/// Records that the servers have before anything is killed.
const FIRST: u64 = 120;
const ALERTS: &str = include_str!("../../packaging/fleet/alerts.yaml");
const OPERATIONS: &str = include_str!("../../docs/operations.md");
/// How the metrics of a server begin that a recorder does not have.
const FLEET: &str = "shipslog_fleet_";
/// Records that a client takes from each server.
const TAKEN: usize = 60;

/// What a browser keeps of a stream: the id of the newest frame, and the ids of records.
#[derive(Default)]
struct Browser {
    last_id: Option<String>,
    records: Vec<String>,
    named: Vec<String>,
}

impl Browser {
    /// Takes so many records from a server, going on where it stood.
    async fn take(&mut self, server: &Ship, records: usize) {
        let url = format!("{}/api/v1/stream?since=oldest", server.url);
        let request = client().get(url);
        let request = self.last_id.iter().fold(request, |request, id| request.header("Last-Event-ID", id));
        let mut response = request.send().await.unwrap();
        assert_eq!(response.status(), 200);
        let (wanted, mut text) = (self.records.len() + records, String::new());
        while self.records.len() < wanted {
            let chunk = within("a chunk of the stream", response.chunk()).await.unwrap().expect("the stream goes on");
            text.push_str(std::str::from_utf8(&chunk).unwrap());
            while let Some((frame, rest)) = text.split_once("\n\n") {
                self.frame(frame);
                text = rest.to_owned();
            }
        }
    }

    fn frame(&mut self, frame: &str) {
        let field = |name: &str| frame.lines().find_map(|line| line.strip_prefix(name));
        let Some(id) = field("id: ") else { return };
        self.last_id = Some(id.to_owned());
        match field("event: ") {
            Some(name) => self.named.push(name.to_owned()),
            None => self.records.push(id.to_owned()),
        }
    }
}

fn ids(lines: &[String]) -> Vec<String> {
    let id = |line: &String| serde_json::from_str::<Value>(line).unwrap()["id"].as_str().unwrap().to_owned();
    lines.iter().map(id).collect()
}

/// The lines that both have, which are the same.
async fn same(one: &Ship, other: &Ship) -> Vec<String> {
    let (mut lines, mut others) = (one.lines().await, other.lines().await);
    let both = lines.len().min(others.len());
    lines.truncate(both);
    others.truncate(both);
    assert!(both > 0 && lines == others, "the servers hold the same lines");
    lines
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn any_server_shows_every_host_under_the_same_ids() {
    let Some(cluster) = Cluster::start(3, "").await else { return };
    let servers = cluster.settings("server", None).urls;
    init(&servers);
    let dirs = [(); 4].map(|()| tempfile::tempdir().unwrap());
    let names = ["web-17", "db-2"];
    let hosts = [0, 1].map(|n| Ship::host(names[n], dirs[n].path(), &servers));
    let [mut one, mut other] = [2, 3].map(|n| Ship::server(dirs[n].path(), &servers));
    one.head(FIRST).await;
    other.head(FIRST).await;
    for name in names {
        let of = format!(r#""source":"{name}","origin":{{"id":""#);
        // The first records may all be of one host.
        within(name, async {
            while !same(&one, &other).await.iter().any(|line| line.contains(&of)) {
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        })
        .await;
    }
    for server in [&one, &other] {
        let shown = server.until("both hosts", "/api/v1/hosts", |hosts| hosts.as_array().is_some_and(|all| all.len() == 2)).await;
        assert!(names.iter().all(|name| shown.as_array().unwrap().iter().any(|host| host["host"] == *name)), "{shown}");
        let ready = server.until("readiness", "/readyz", |ready| ready["fleet"]["state"] == "live").await;
        assert_eq!((&ready["ready"], &ready["fleet"]["error"], &ready["fleet"]["warning"]), (&true.into(), &Value::Null, &Value::Null));
    }
    assert_eq!(hosts[0].get("/api/v1/hosts").await.status(), 404, "a recorder is no fleet");

    let metrics = one.get("/metrics").await.text().await.unwrap();
    let there: BTreeSet<&str> =
        metrics.split(|c: char| !(c.is_ascii_lowercase() || c == '_')).filter(|word| word.starts_with(FLEET)).collect();
    let named: BTreeSet<&str> =
        OPERATIONS.split(|c: char| !(c.is_ascii_lowercase() || c == '_')).filter(|word| word.starts_with(FLEET)).collect();
    assert!(!there.is_empty());
    assert_eq!(there, named, "docs/operations.md lists them");
    let asked: BTreeSet<&str> =
        ALERTS.split(|c: char| !(c.is_ascii_lowercase() || c == '_')).filter(|word| word.starts_with("shipslog_")).collect();
    assert!(asked.len() > 1 && asked.is_subset(&there), "{asked:?}");

    // A browser goes on at the other server, without a gap and without anything twice.
    let mut browser = Browser::default();
    browser.take(&one, TAKEN).await;
    one.kill();
    browser.take(&other, TAKEN).await;
    let newest = other.head(0).await;
    // Killed at any moment, the first one has the same again.
    let mut one = Ship::server(dirs[2].path(), &servers);
    let id = other.json("/api/v1/events?order=desc&limit=1").await["records"][0]["id"].as_str().unwrap().to_owned();
    // What it does not have yet, it waits for; a client that it cannot keep longer is asked to come again.
    within("the record of the other server", async {
        loop {
            let status = one.get(&format!("/api/v1/events?after={id}")).await.status().as_u16();
            assert!(matches!(status, 200 | 503), "{status}");
            if status == 200 {
                break;
            }
        }
    })
    .await;
    browser.take(&one, TAKEN).await;
    one.head(newest).await;
    let lines = same(&one, &other).await;
    assert!(!browser.named.iter().any(|name| name == "reset" || name == "gap"), "{:?}", browser.named);
    // What it read last may be ahead of the other server.
    let both = browser.records.len().min(lines.len());
    assert_eq!(browser.records[..both], ids(&lines)[..both]);

    // A dead hub: what is here is served, also by a server that begins then.
    for node in 1..=3 {
        cluster.kill(node);
    }
    let ready = other.until("the warning", "/readyz", |ready| ready["fleet"]["state"] == "unavailable").await;
    assert_eq!((&ready["ready"], &ready["fleet"]["error"]), (&true.into(), &Value::Null), "{ready}");
    assert!(ready["fleet"]["warning"].as_str().unwrap().contains("does not answer"), "{ready}");
    one.kill();
    let mut one = Ship::server(dirs[2].path(), &servers);
    assert_eq!(one.get("/readyz").await.status(), 200);
    assert!(same(&one, &other).await.len() >= lines.len());
    // Nobody can say whether this will be a record.
    let ahead = id.rsplit_once('-').map(|(log, _)| format!("{log}-99999999")).unwrap();
    let answer = one.get(&format!("/api/v1/events?after={ahead}")).await;
    assert_eq!((answer.status().as_u16(), answer.headers()["retry-after"].to_str().unwrap()), (503, "2"));
    let before = one.head(0).await;
    cluster.restart_all();
    one.head(before + 1).await;
    other.until("the hub again", "/readyz", |ready| ready["fleet"]["state"] == "live").await;
    // Now the hub says that it is none.
    let answer = one.get(&format!("/api/v1/events?after={ahead}")).await;
    assert_eq!(answer.status(), 409);
    same(&one, &other).await;
    one.kill();
    other.kill();
}

#[test]
fn a_server_runs_no_hooks_and_says_where_they_belong() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("shipslog.toml");
    std::fs::write(&file, "[[hook]]\nname = \"chat\"\nurl = \"https://chat.example/\"\n").unwrap();
    let data = dir.path().join("data");
    let arguments = ["fleet", "serve", "--nats", "nats://127.0.0.1:1", "--config", file.to_str().unwrap()];
    let output = program(&[&arguments[..], &["--data-dir", data.to_str().unwrap()]].concat()).output().unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(2), "{said}");
    assert!(said.contains("[[hook]]") && said.contains("hooks run on hosts only"), "{said}");
    assert!(!data.exists(), "nothing is touched");
}
