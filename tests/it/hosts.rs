//! Several Docker hosts at once, over every way that leads to one.

mod contexts;
mod large;
mod podman;
mod ssh;
mod tls;

use crate::fake_daemon::FakeDaemon;
use crate::support::{Ship, docker_line, wait_for};
use serde_json::Value;
use tempfile::TempDir;

/// A source in `/readyz`, once it is as wanted.
async fn source(ship: &Ship, name: &str, wanted: impl Fn(&Value) -> bool) -> Value {
    wait_for(&format!("the source {name}"), async || {
        let ready = ship.json("/readyz").await;
        let found = ready["sources"].as_array().unwrap().iter().find(|source| source["name"] == name).cloned();
        found.filter(|source| wanted(source))
    })
    .await
}

async fn connected(ship: &Ship, name: &str) -> Value {
    source(ship, name, |source| source["state"] == "connected").await
}

/// Records of one source: their actions, and `reason` where there is one.
async fn recorded(ship: &Ship, source: &str) -> Vec<String> {
    let filters = format!(r#"{{"source":["{source}"]}}"#);
    let query: String = form_urlencoded::byte_serialize(filters.as_bytes()).collect();
    let page = ship.json(&format!("/api/v1/events?since=oldest&filters={query}")).await;
    let records = page["records"].as_array().unwrap().iter();
    records
        .map(|record| {
            assert_eq!(record["source"], source);
            let event = &record["event"];
            let of = event["Actor"]["Attributes"]["reason"].as_str().or(event["Actor"]["ID"].as_str()).unwrap();
            format!("{} {of}", event["Action"].as_str().unwrap())
        })
        .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn each_host_has_its_own_proof() {
    let dir = TempDir::new().unwrap();
    let (one, two, mut down) = (FakeDaemon::unix().await, FakeDaemon::tcp().await, FakeDaemon::unix().await);
    down.refuse();
    let hosts = [format!("one={}", one.url()), format!("two={}", two.url()), format!("down={}", down.url())];
    let args: Vec<&str> = hosts.iter().flat_map(|host| ["--docker-host", host]).collect();
    let ship = Ship::start_with(dir.path(), &args);
    connected(&ship, "one").await;
    connected(&ship, "two").await;
    let hint = source(&ship, "down", |source| source["state"] == "error").await["hint"].clone();
    assert!(hint.as_str().unwrap().contains("nothing listens on"), "{hint}");
    assert_eq!(ship.get("/readyz").await.status(), 200, "one that is down does not make the others useless");
    one.emit(&docker_line("container", "start", 1));
    two.emit(&docker_line("container", "start", 2));
    let has = async |name: &str, wanted: &str| {
        wait_for(wanted, async || recorded(&ship, name).await.iter().any(|record| record == wanted).then_some(())).await;
    };
    has("one", "start c1").await;
    has("two", "start c2").await;

    // A restart of one is a gap in one.
    two.restart();
    has("two", "gap daemon-restart").await;
    down.listen().await;
    has("down", "gap first-contact").await;
    assert_eq!(recorded(&ship, "one").await, ["connect start", "gap first-contact", "start c1"]);
    let ended = "the daemon closed the event stream";
    let expected = [
        "connect start",
        "gap first-contact",
        "start c2",
        &format!("disconnect {ended}"),
        &format!("connect {ended}"),
        "gap daemon-restart",
    ];
    assert_eq!(recorded(&ship, "two").await, expected);
    let stats = ship.json("/api/v1/stats").await;
    let names: Vec<&str> = stats["sources"].as_array().unwrap().iter().map(|source| source["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["one", "two", "down"]);
}
