//! Behind a proxy that allows what docs/install.md lists, and nothing else: packaging/haproxy.cfg, run by
//! HAProxy.

use crate::dockerd::{Background, Engine};
use crate::fake_daemon::{FakeDaemon, documented};
use crate::skipped::skipped;
use crate::support::{Ship, assert_dense, docker_line, wait_for};
use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use tempfile::TempDir;

const DOCUMENT: &str = include_str!("../../docs/install.md");
/// The proxy's configuration.
pub(crate) const CONFIGURATION: &str = include_str!("../../packaging/haproxy.cfg");
/// Where it listens, and which socket it guards.
const LISTEN: &str = "bind :2375\n";
const SOCKET: &str = "server docker /var/run/docker.sock\n";

/// What it allows, and for a daemon that hangs its own answer, sooner than anybody loses patience.
fn hasty() -> String {
    let all = "    default_backend docker\n";
    assert!(CONFIGURATION.contains(all));
    let hasty = format!("{all}    use_backend hasty unless {{ path /events }}\n");
    CONFIGURATION.replace(all, &hasty) + &format!("backend hasty\n    timeout server 2s\n    {SOCKET}")
}

/// Nothing but the events.
fn events_only() -> String {
    let (rules, others): (Vec<&str>, Vec<&str>) =
        CONFIGURATION.split_inclusive('\n').partition(|line| line.trim_start().starts_with("acl "));
    assert_eq!(rules.len(), 2);
    others.concat().replace(LISTEN, &format!("{LISTEN}    acl documented path /events\n"))
}

/// The command, where there is one.
pub(crate) fn haproxy() -> Option<&'static str> {
    ["haproxy", "/usr/sbin/haproxy"].into_iter().find(|command| {
        Command::new(command).arg("-v").stdout(Stdio::null()).stderr(Stdio::null()).status().is_ok_and(|status| status.success())
    })
}

/// A running HAProxy.
struct Proxy {
    process: Background,
    socket: PathBuf,
}

impl Proxy {
    async fn start(dir: &Path, configuration: &str, docker: &str) -> Option<Self> {
        let Some(haproxy) = haproxy() else {
            skipped("no HAProxy to stand between (Debian: haproxy)");
            return None;
        };
        let (file, socket) = (dir.join("haproxy.cfg"), dir.join("proxy.sock"));
        assert!(configuration.contains(LISTEN) && configuration.contains(SOCKET), "{configuration}");
        let listen = format!("bind {}\n", socket.display());
        let server = format!("server docker {}\n", docker.strip_prefix("unix://").unwrap());
        std::fs::write(&file, configuration.replace(LISTEN, &listen).replace(SOCKET, &server)).unwrap();
        let mut process = Background::start(Command::new(haproxy).arg("-db").arg("-f").arg(&file));
        wait_for("the proxy", async || {
            assert_eq!(process.code(), None, "{}", process.err());
            std::os::unix::net::UnixStream::connect(&socket).ok()
        })
        .await;
        Some(Self { process, socket })
    }

    fn url(&self) -> String {
        format!("unix://{}", self.socket.display())
    }

    /// What it refused: `GET /_ping HTTP/1.1`.
    fn refused(&self) -> Vec<String> {
        let lines = self.process.lines();
        let refused = lines.iter().filter(|line| line.contains("/<NOSRV> ") && line.contains(" 403 "));
        refused.map(|line| line.split('"').nth(1).unwrap().to_owned()).collect()
    }
}

/// Attributes of the recorder's own records with this action.
async fn own(ship: &Ship, action: &str) -> Vec<Value> {
    let log = ship.export("&filters={\"type\":[\"recorder\"]}").await;
    let events = log.values().map(|line| serde_json::from_str::<Value>(line).unwrap()["event"].take());
    events.filter(|event| event["Action"] == action).map(|mut event| event["Actor"]["Attributes"].take()).collect()
}

async fn wait_for_own(ship: &Ship, action: &str, count: usize) -> Vec<Value> {
    wait_for(action, async || Some(own(ship, action).await).filter(|found| found.len() >= count)).await
}

async fn wait_for_event(ship: &Ship, part: &str) {
    wait_for(part, async || ship.export("").await.values().any(|line| line.contains(part)).then_some(())).await;
}

fn container(id: &str) -> Value {
    json!({"Id": id, "Name": format!("/{id}"), "Config": {"Healthcheck": {"Test": ["CMD", "/check"]}}, "State": {"Status": "running"}})
}

#[tokio::test(flavor = "multi_thread")]
async fn whatever_happens_only_what_is_documented_is_asked() {
    let dir = TempDir::new().unwrap();
    let daemon = FakeDaemon::unix().await;
    daemon.set_containers(&[("c1", container("c1"))]);
    let Some(proxy) = Proxy::start(dir.path(), &hasty(), &daemon.url()).await else { return };
    let ship = Ship::start(&dir.path().join("data"), &proxy.url());
    wait_for_own(&ship, "baseline", 1).await;
    assert_eq!(own(&ship, "observed").await[0]["state"], "running");
    daemon.emit(&docker_line("container", "start", 1));
    wait_for_event(&ship, "job-1\"").await;

    // A container that runs something before it has been inspected.
    daemon.set_containers(&[("c1", container("c1")), ("c2", container("c2"))]);
    daemon.emit(&docker_line("container", "exec_create: /check ", 2).replace("\"image\"", "\"execID\":\"e1\",\"image\""));
    wait_for("the inspection", async || (daemon.count("/containers/c2/json") > 0).then_some(())).await;

    daemon.drop_connections();
    wait_for_own(&ship, "resumed", 1).await;
    daemon.emit(&docker_line("container", "start", 3));
    wait_for_event(&ship, "job-3\"").await;
    wait_for("a ping", async || (daemon.count("/_ping") > 0).then_some(())).await;

    // The proxy answers in the daemon's place, which is no sign of life.
    daemon.set_hang(true);
    let told = wait_for_own(&ship, "disconnect", 2).await;
    assert!(told[1]["reason"].as_str().unwrap().contains("answers no pings"), "{told:?}");
    daemon.set_hang(false);
    wait_for_own(&ship, "resumed", 2).await;
    daemon.emit(&docker_line("container", "start", 4));
    wait_for_event(&ship, "job-4\"").await;

    daemon.restart();
    let gaps = wait_for_own(&ship, "gap", 2).await;
    assert_eq!([&gaps[0]["reason"], &gaps[1]["reason"]], ["first-contact", "daemon-restart"]);
    assert_dense(&ship.export("").await);

    let requests = daemon.requests();
    documented::assert_all(&requests);
    for path in documented::PATHS.into_iter().filter(|path| !path.contains('[')).chain(["/containers/c1/json"]) {
        assert!(daemon.count(path) > 0, "docs/install.md lists {path}, which was never asked for: {requests:?}");
        assert!(DOCUMENT.contains(&format!("`{}`", path.replace("/c1/", "/{id}/"))), "docs/install.md does not list {path}");
    }
    assert_eq!(proxy.refused(), Vec::<String>::new());
}

#[tokio::test(flavor = "multi_thread")]
async fn events_alone_are_enough_to_record() {
    let dir = TempDir::new().unwrap();
    let daemon = FakeDaemon::unix().await;
    daemon.set_containers(&[("c1", container("c1"))]);
    let Some(proxy) = Proxy::start(dir.path(), &events_only(), &daemon.url()).await else { return };
    let log = dir.path().join("log");
    let ship = Ship::start_logging(&dir.path().join("data"), &["--docker-host", &proxy.url()], &log);
    wait_for_own(&ship, "gap", 1).await;
    daemon.emit(&docker_line("container", "start", 1));
    daemon.emit(&docker_line("container", "exec_create: /check ", 2).replace("\"image\"", "\"execID\":\"e1\",\"image\""));
    wait_for_event(&ship, "exec_create").await;
    // More than it takes for a daemon that answers no pings to be given up.
    wait_for("pings", async || (proxy.refused().iter().filter(|line| line.contains(" /_ping")).count() > 2).then_some(())).await;
    daemon.emit(&docker_line("container", "start", 3));
    wait_for_event(&ship, "job-3\"").await;
    assert_eq!(ship.get("/readyz").await.status(), 200);
    assert_eq!((daemon.requests(), daemon.subscribers()), (vec!["GET /events?since=0 HTTP/1.1".to_owned()], 1));
    assert_eq!(own(&ship, "connect").await[0]["engine"], "unknown");
    assert_eq!(own(&ship, "disconnect").await, Vec::<Value>::new());
    let said = std::fs::read_to_string(&log).unwrap();
    let warnings: Vec<&str> = said.lines().filter(|line| line.contains("WARN") && line.contains("docker.host")).collect();
    assert!(warnings.len() == 1 && warnings[0].contains("only events are recorded"), "{warnings:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_real_engine_behind_the_proxy_is_recorded_and_observed() {
    let _alone = crate::docker::ENGINE.lock().await;
    let Some(engine) = Engine::given("rights") else { return };
    let dir = TempDir::new().unwrap();
    engine.run(0, "before", &["--detach"], "sleep 1000");
    let Some(proxy) = Proxy::start(dir.path(), CONFIGURATION, &engine.url).await else { return };
    let ship = Ship::start(&dir.path().join("data"), &proxy.url());
    let baseline = wait_for_own(&ship, "baseline", 1).await;
    for kind in ["containers", "networks", "volumes", "images"] {
        assert!(baseline[0][kind].as_str().is_some_and(|count| count.parse::<u64>().is_ok()), "{kind}: {baseline:?}");
    }
    let observed = own(&ship, "observed").await;
    assert!(observed.iter().any(|o| o["name"] == engine.name("before").as_str() && o["state"] == "running"), "{observed:?}");
    assert_ne!(own(&ship, "connect").await[0]["engine"], "unknown");
    engine.run(3, "ends", &["--health-cmd", "true"], "exit 3");
    let ended = format!("\"name\":\"{}\"", engine.name("ends"));
    wait_for("its end", async || {
        let log = ship.selected("&filters={\"event\":[\"die\"]}").await;
        log.values().any(|line| line.contains(&ended) && line.contains("\"exitCode\":\"3\"")).then_some(())
    })
    .await;
    assert_eq!(proxy.refused(), Vec::<String>::new());
}
