//! Clients of a balancer in front of servers that are killed, with the files of packaging/fleet.

use crate::cluster::{Cluster, nats_server};
use crate::program::{Ship, client, init};
use crate::skipped::skipped;
use crate::support::{PATIENCE, times, within};
use eventsource_stream::Eventsource as _;
use futures_util::StreamExt as _;
use parking_lot::Mutex;
use serde_json::Value;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

const FOLDER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/packaging/fleet");
const HAPROXY: &str = include_str!("../../packaging/fleet/haproxy.cfg");
/// Records that each client has before the end, and that come between two kills.
const MOST: usize = 400;
const BETWEEN: u64 = 60;

/// HAProxy with the file of packaging, but for its addresses.
struct Balancer {
    child: Child,
    url: String,
}

impl Balancer {
    /// `None` where there is none, for all to see.
    async fn start(dir: &Path, servers: &[&str]) -> Option<Self> {
        // Another may take it meanwhile; then nothing answers, and the story fails with that.
        let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let mut text = HAPROXY.replace("bind :7070", &format!("bind 127.0.0.1:{port}"));
        for (nth, address) in (1..).zip(servers) {
            let named = format!("server fleet-{nth} fleet-{nth}:7070");
            assert!(text.contains(&named), "{named}: {text}");
            text = text.replace(&named, &format!("server fleet-{nth} {address}"));
        }
        let file = dir.join("haproxy.cfg");
        std::fs::write(&file, text).unwrap();
        let child = Command::new("haproxy").arg("-db").arg("-f").arg(&file).stdout(Stdio::null()).stderr(Stdio::null()).spawn();
        let Ok(child) = child else {
            skipped("no HAProxy to balance (Debian: haproxy)");
            return None;
        };
        let (balancer, began) = (Self { child, url: format!("http://127.0.0.1:{port}") }, Instant::now());
        while client().get(format!("{}/readyz", balancer.url)).send().await.is_ok_and(|answer| answer.status() != 200) {
            assert!(began.elapsed() < PATIENCE, "no server is ready");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        Some(balancer)
    }
}

impl Drop for Balancer {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// What a client got, over all its connections.
#[derive(Default)]
struct Got {
    ids: Vec<String>,
    named: Vec<String>,
    connections: usize,
}

/// Reads for ever, and comes back after each end with the last id.
async fn follow(url: String, got: Arc<Mutex<Got>>) {
    let (client, mut last) = (client(), String::new());
    loop {
        let mut request = client.get(format!("{url}/api/v1/stream?since=oldest"));
        if !last.is_empty() {
            request = request.header("Last-Event-ID", &last);
        }
        if let Ok(answer) = request.send().await
            && answer.status() == 200
        {
            got.lock().connections += 1;
            let mut events = answer.bytes_stream().eventsource();
            while let Some(Ok(event)) = events.next().await {
                if !event.id.is_empty() {
                    last.clone_from(&event.id);
                }
                match event.event.as_str() {
                    "message" => got.lock().ids.push(event.id),
                    named => got.lock().named.push(named.to_owned()),
                }
            }
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn clients_behind_a_balancer_get_the_whole_log_while_servers_are_killed() {
    let Some(cluster) = Cluster::start(3, "").await else { return };
    let hub = cluster.settings("server", None).urls;
    init(&hub);
    let dirs = [(); 4].map(|()| tempfile::tempdir().unwrap());
    let _host = Ship::host("web-17", dirs[0].path(), &hub);
    let mut servers = [1, 2].map(|n| Ship::server(dirs[n].path(), &hub));
    for server in &servers {
        server.head(BETWEEN).await;
    }
    let addresses = [0, 1].map(|n: usize| servers[n].address().to_owned());
    let Some(balancer) = Balancer::start(dirs[3].path(), &[&addresses[0], &addresses[1]]).await else { return };
    let clients: Vec<Arc<Mutex<Got>>> = (0..times(20)).map(|_| Arc::default()).collect();
    let tasks: Vec<_> = clients.iter().map(|got| tokio::spawn(follow(balancer.url.clone(), Arc::clone(got)))).collect();
    for round in 0..times(4) {
        let (killed, other) = (usize::try_from(round % 2).unwrap(), usize::try_from((round + 1) % 2).unwrap());
        let head = servers[other].head(0).await;
        servers[killed].kill();
        servers[other].head(head + BETWEEN / 2).await;
        servers[killed] = Ship::server_at(dirs[killed + 1].path(), &hub, &addresses[killed]);
        servers[killed].head(head + BETWEEN).await;
    }
    let lines = servers[0].lines().await;
    let id = |line: &String| serde_json::from_str::<Value>(line).unwrap()["id"].as_str().unwrap().to_owned();
    let ids: Vec<String> = lines.iter().map(id).take(MOST).collect();
    for got in &clients {
        within("each client to have it all", async {
            while got.lock().ids.len() < ids.len() {
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        })
        .await;
        let got = got.lock();
        assert_eq!(got.ids[..ids.len()], ids, "after {} connections", got.connections);
        assert!(!got.named.iter().any(|name| name == "reset" || name == "gap"), "{:?}", got.named);
    }
    let connections: usize = clients.iter().map(|got| got.lock().connections).sum();
    assert!(connections > clients.len(), "clients changed servers: {connections}");
    tasks.iter().for_each(tokio::task::JoinHandle::abort);
}

#[test]
fn the_files_of_a_fleet_are_taken() {
    let accepts = |command: &mut Command| {
        let output = command.output().unwrap();
        assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
    };
    let Some(server) = nats_server() else { return };
    accepts(Command::new(server).args(["-t", "-c", &format!("{FOLDER}/nats.conf")]).env("NODE", "nats-1"));
    for (program, arguments) in
        [("haproxy", ["-c", "-f", "haproxy.cfg"].as_slice()), ("docker-compose", &["-f", "compose.yaml", "config", "-q"])]
    {
        if Command::new(program).arg("-v").stdout(Stdio::null()).stderr(Stdio::null()).status().is_err() {
            skipped(&format!("no {program} to read its file"));
            continue;
        }
        accepts(Command::new(program).args(arguments).current_dir(FOLDER));
    }
}
