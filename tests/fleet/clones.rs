//! Two hosts with copies of one data directory, as after a virtual machine was cloned.

use crate::cluster::{Cluster, copy_dir};
use crate::program::{Ship, init};
use crate::support::within;
use serde_json::{Value, json};
use shipslog::log::host_line;
use std::collections::BTreeMap;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;
use std::time::{Duration, SystemTime};

/// Records before the copy is made, and that each of the two makes afterwards.
const COMMON: u64 = 220;
const OWN: u64 = 25;

/// Has the file `LOG` of a copied data directory tell inode and time of birth of the file that it is: on a
/// copied disk both come along.
fn as_on_a_copied_disk(data: &Path) {
    let (log, new) = (data.join("log/LOG"), data.join("log/LOG.copied"));
    let text = std::fs::read_to_string(&log).unwrap();
    let mut value: Value = serde_json::from_str(text.lines().next().unwrap()).unwrap();
    let file = std::fs::File::create(&new).unwrap().metadata().unwrap();
    let born = file.created().ok().map(|born| born.duration_since(SystemTime::UNIX_EPOCH).unwrap().as_nanos());
    value["file"] = json!({ "inode": file.ino(), "born": born.map(|born| u64::try_from(born).unwrap()) });
    let json = value.to_string();
    std::fs::write(&new, format!("{json}\n{:08x}\n", crc32fast::hash(json.as_bytes()))).unwrap();
    std::fs::rename(new, log).unwrap();
}

async fn log_id(ship: &Ship) -> String {
    ship.json("/api/v1/stats").await["log"]["id"].as_str().unwrap().to_owned()
}

/// Waits until the hub has everything that is recorded, and forwarding is `live`.
async fn until_forwarded(ship: &Ship, head: u64) {
    let what = "everything to be forwarded";
    ship.until(what, "/api/v1/stats", |stats| stats["forward"]["acknowledged"].as_u64() >= Some(head)).await;
}

/// How often a server has each line of a host.
async fn restored(server: &Ship) -> BTreeMap<String, u32> {
    let mut restored = BTreeMap::new();
    for line in server.lines().await {
        let line = String::from_utf8(host_line(line.as_bytes()).unwrap()).unwrap();
        *restored.entry(line).or_insert(0) += 1;
    }
    restored
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_two_clones_one_keeps_the_id_and_both_are_in_the_fleet_whole() {
    let Some(cluster) = Cluster::start(3, "").await else { return };
    let servers = cluster.settings("server", None).urls;
    init(&servers);
    let [one, other, at_server] = [(); 3].map(|()| tempfile::tempdir().unwrap());
    let server = Ship::server(at_server.path(), &servers);
    let mut first = Ship::host("web-17", one.path(), &servers);
    let common = first.head(COMMON).await;
    until_forwarded(&first, common).await;
    let old = log_id(&first).await;
    first.kill();
    let copy = other.path().join("data");
    copy_dir(one.path(), &copy);
    as_on_a_copied_disk(&copy);
    let at_copy = Ship::reader(&copy).lines().await;

    // The first of the two that comes to the hub keeps the id.
    let first = Ship::host("web-17", one.path(), &servers);
    let head = first.head(at_copy.len() as u64 + OWN).await;
    until_forwarded(&first, head).await;
    let second = Ship::host("web-17", &copy, &servers);
    let state = |hosts: &Value| hosts.as_array().is_some_and(|hosts| hosts.iter().any(|host| !host["ancestor"].is_null()));
    let hosts = server.until("a log with an ancestor", "/api/v1/hosts", state).await;
    let (new, forked) = (log_id(&second).await, hosts.as_array().unwrap());
    assert_eq!((log_id(&first).await, forked.len()), (old.clone(), 2), "{hosts}");
    let by_id = |id: &str| forked.iter().find(|host| host["log"] == id[..8]).unwrap();
    assert!(by_id(&old)["ancestor"].is_null(), "{hosts}");
    let ancestor = &by_id(&new)["ancestor"];
    let parting = ancestor["last"].as_u64().unwrap();
    assert!(ancestor["log"] == old[..8] && parting > at_copy.len() as u64, "{hosts}");
    assert!(forked.iter().all(|host| host["lost"] == 0), "{hosts}");

    // Nothing is missing of either, and nothing is there twice but what both had.
    for ship in [&first, &second] {
        ship.head(head.max(parting) + OWN).await;
    }
    let (of_first, of_second) = (first.lines().await, second.lines().await);
    let restored = within("all records of both", async {
        loop {
            let restored = restored(&server).await;
            if of_first.iter().chain(&of_second).all(|line| restored.contains_key(line)) {
                return restored;
            }
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
    })
    .await;
    let twice: Vec<&String> = restored.iter().filter(|(_, times)| **times > 1).map(|(line, _)| line).collect();
    assert!(twice.iter().all(|line| at_copy.contains(line)), "{twice:?}");
    let own = |line: &&String| line.contains(r#""type":"recorder""#) || line.contains(r#""Type":"recorder""#);
    let told: Vec<&String> = of_second.iter().filter(own).filter(|line| line.contains(r#""ancestor""#)).collect();
    assert!(told.len() == 1 && told[0].contains(&old) && told[0].contains(&format!(r#""ancestor_last":"{parting}""#)), "{told:?}");

    // The clone's clients go on, and it forwards like any other.
    let after = |log: &str, seq: u64| format!("/api/v1/events?limit=1&after={}-{seq}", &log[..8]);
    assert_eq!(second.get(&after(&old, parting)).await.status(), 200);
    assert_eq!(second.get(&after(&old, parting + 1)).await.status(), 409);
    let stats = second.json("/api/v1/stats").await;
    assert!(stats["forward"]["error"].is_null(), "{stats}");
}

/// The SHA-256 of `engine`, as which the docker CLI stores a context of that name.
const CONTEXT: &str = "ed9f6f25068608efd412958da4dfc19328ca3511251fa6d5f9c42baf230e32f8";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_recorder_that_cannot_begin_again_after_its_fork_does_so_later() {
    let Some(cluster) = Cluster::start(3, "").await else { return };
    let servers = cluster.settings("server", None).urls;
    init(&servers);
    let [one, other, config] = [(); 3].map(|()| tempfile::tempdir().unwrap());
    let mut first = Ship::host("web-17", one.path(), &servers);
    let common = first.head(COMMON).await;
    until_forwarded(&first, common).await;
    let old = log_id(&first).await;
    first.kill();
    let copy = other.path().join("data");
    copy_dir(one.path(), &copy);
    as_on_a_copied_disk(&copy);
    let first = Ship::host("web-17", one.path(), &servers);
    let head = first.head(common + OWN).await;
    until_forwarded(&first, head).await;

    // The copy hears of the other one when the hub is back. By then its Docker context is being replaced.
    (1..=3).for_each(|node| cluster.kill(node));
    let (metas, away) = (config.path().join("contexts/meta"), config.path().join("away"));
    std::fs::create_dir_all(metas.join(CONTEXT)).unwrap();
    let meta = json!({ "Name": "engine", "Endpoints": { "docker": { "Host": "unix:///nowhere/docker.sock" } } });
    std::fs::write(metas.join(CONTEXT).join("meta.json"), meta.to_string()).unwrap();
    let second = Ship::of_context("engine", config.path(), "web-17", &copy, &servers);
    assert_eq!(log_id(&second).await, old);
    std::fs::rename(&metas, &away).unwrap();
    cluster.restart_all();
    within("a fork", async {
        // Its file says so until it is opened.
        loop {
            if std::fs::read_to_string(copy.join("log/LOG")).unwrap().contains(r#""forks":true"#) {
                return;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    })
    .await;
    // Time for more than one start that fails: the first comes 200 ms after the fork.
    tokio::time::sleep(Duration::from_secs(2)).await;
    std::fs::rename(away, metas).unwrap();
    let stats = second.json("/api/v1/stats").await;
    assert_ne!(stats["log"]["id"], old);
    until_forwarded(&second, stats["log"]["head"].as_u64().unwrap()).await;
}
