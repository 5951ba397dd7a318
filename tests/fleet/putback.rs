//! The stores of all nodes are put back from an older copy while hosts and servers run.

use crate::cluster::Cluster;
use crate::program::{Ship, client, init};
use crate::support::{times, within};
use serde_json::Value;
use std::collections::BTreeMap;
use std::time::Duration;
use tempfile::TempDir;

/// Records that the servers have before the copy is made, and that come between that and the loss.
const FIRST: u64 = 400;
const BETWEEN: u64 = 150;

/// The id of a record, in two parts.
fn id(line: &str) -> (String, u64) {
    let value: Value = serde_json::from_str(line).unwrap();
    let (log, seq) = value["id"].as_str().unwrap().split_once('-').unwrap();
    (log.to_owned(), seq.parse().unwrap())
}

/// The newest record of each host in a server's log, of whom each has all its records, once and in order.
fn whole(lines: &[String]) -> BTreeMap<String, u64> {
    let mut newest = BTreeMap::new();
    for line in lines {
        let value: Value = serde_json::from_str(line).unwrap();
        let (log, seq) = value["origin"]["id"].as_str().unwrap().split_once('-').unwrap();
        let before = newest.insert(log.to_owned(), seq.parse::<u64>().unwrap()).unwrap_or(0);
        assert_eq!(seq.parse::<u64>().unwrap(), before + 1, "{line}");
    }
    newest
}

fn kill_all(cluster: &Cluster) {
    for node in 1..=3 {
        cluster.kill(node);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn stores_that_were_put_back_cost_ids_and_no_records() {
    let Some(cluster) = Cluster::start(3, "").await else { return };
    let hub = cluster.settings("server", None).urls;
    init(&hub);
    let dirs: Vec<TempDir> = (0..3).map(|_| tempfile::tempdir().unwrap()).collect();
    let hosts: Vec<(TempDir, Ship)> = (0..times(10))
        .map(|n| {
            let dir = tempfile::tempdir().unwrap();
            let ship = Ship::host(&format!("web-{n}"), dir.path(), &hub);
            (dir, ship)
        })
        .collect();
    let mut servers: Vec<Ship> = dirs.iter().map(|dir| Ship::server(dir.path(), &hub)).collect();
    for server in &servers {
        server.head(FIRST / 2).await;
    }
    // One server is away from before the copy until after the loss.
    servers[2].kill();
    let head = servers[0].head(FIRST).await;
    kill_all(&cluster);
    let older = cluster.copy();
    cluster.restart_all();
    for server in &servers[..2] {
        server.head(head + BETWEEN).await;
    }
    let before = servers[0].lines().await;
    kill_all(&cluster);
    cluster.put_back(&older);
    let (old, lost) = id(before.last().unwrap());
    let mut heads = BTreeMap::new();
    for (_, host) in &hosts {
        let newest = host.json("/api/v1/events?order=desc&limit=1").await["records"][0]["id"].as_str().unwrap().to_owned();
        let (log, seq) = newest.split_once('-').unwrap();
        heads.insert(log.to_owned(), seq.parse::<u64>().unwrap());
    }
    cluster.restart_all();
    servers[2] = Ship::server(dirs[2].path(), &hub);
    let mut all = Vec::new();
    for server in &servers {
        // Until every record comes that any host had at the loss.
        let lines = within("all records", async {
            loop {
                let lines = match client().get(format!("{}/api/v1/export", server.url)).send().await {
                    Ok(answer) if answer.status().is_success() => answer.text().await.unwrap_or_default(),
                    _ => String::new(),
                };
                // An export that a server broke off as it opened its log anew is not whole.
                let lines: Vec<String> = lines.lines().map(str::to_owned).collect();
                let new = lines.last().is_some_and(|line| serde_json::from_str(line).is_ok_and(|_: Value| id(line).0 != old));
                if new {
                    let newest = whole(&lines);
                    if heads.iter().all(|(log, head)| newest.get(log).is_some_and(|seq| seq >= head)) {
                        return lines;
                    }
                }
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        })
        .await;
        server.until("readiness", "/readyz", |ready| ready["ready"] == true).await;
        all.push(lines);
    }
    let shortest = all.iter().map(Vec::len).min().unwrap();
    assert!(all.iter().all(|lines| lines[..shortest] == all[0][..shortest]), "the servers hold the same lines");
    let fork = all[0].iter().take_while(|line| id(line).0 == old).count() as u64;
    assert!(fork >= FIRST && fork < lost, "the hub lost something: {fork} of {lost}");
    let (fork_line, lines) = (usize::try_from(fork).unwrap(), &all[0]);
    assert_eq!(lines[..fork_line], before[..fork_line]);
    let new = id(&lines[fork_line]).0;
    assert!(lines[fork_line..].iter().all(|line| id(line).0 == new));
    for (server, dir) in servers.iter().zip(&dirs) {
        let after = async |log: &str, seq: u64| server.get(&format!("/api/v1/events?limit=1&after={log}-{seq}")).await;
        let page: Value = after(&old, fork).await.json().await.unwrap();
        assert_eq!(page["records"][0]["id"], format!("{new}-{}", fork + 1), "a cursor from before the fork goes on");
        assert_eq!(after(&old, fork + 1).await.status(), 409, "what it named is not here under that id");
        let aside = std::fs::read_dir(dir.path()).unwrap().filter(|entry| {
            let name = entry.as_ref().unwrap().file_name();
            name.to_str().unwrap().starts_with("log.before-")
        });
        // The one that was away may have taken something meanwhile under the old id.
        let count = aside.count();
        assert!(count == 1 || (count == 0 && dir.path() == dirs[2].path()), "{count} in {}", dir.path().display());
    }
    let mut aside = Ship::reader(&dirs[0].path().join(format!("log.before-{old}")));
    let kept = aside.lines().await;
    assert_eq!(kept[..before.len()], before, "what the hub lost is where it was");
    aside.kill();
    let ready = servers[0].json("/readyz").await;
    assert!(ready["fleet"]["warning"].as_str().unwrap().contains("lost what it had acknowledged"), "{ready}");
}
