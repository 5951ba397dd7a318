//! Real nodes of NATS JetStream on loopback, each of which can be killed and started again.

use crate::skipped::{say, skipped};
use crate::support::{TENANT, patiently};
use shipslog::stream::nats::{Made, NatsSettings, NatsStream, Shape};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;
use tempfile::TempDir;
use tokio::sync::{Mutex, MutexGuard};

const SCRIPT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/nats.sh");
pub(crate) const STREAM: &str = "SHIPSLOG";

/// Said by `./test` where no nats-server can be had, which outside of CI is no failure.
const NOT_TO_BE_HAD: &str = "none";

/// Several at a time would make elections late on a small machine.
static ONE_AT_A_TIME: Mutex<()> = Mutex::const_new(());

/// Nodes of one cluster. They end when it is dropped.
pub(crate) struct Cluster {
    /// Where they keep everything.
    dir: PathBuf,
    _own: Option<TempDir>,
    urls: Vec<String>,
    _turn: MutexGuard<'static, ()>,
}

impl Cluster {
    /// So many nodes, with `settings` among those of each.
    pub(crate) async fn start(nodes: usize, settings: &str) -> Option<Self> {
        let own = tempfile::tempdir().unwrap();
        Self::begin(own.path().to_owned(), Some(own), nodes, settings).await
    }

    /// The same in a directory that is somebody else's.
    pub(crate) async fn start_in(dir: &Path, nodes: usize) -> Option<Self> {
        Self::begin(dir.to_owned(), None, nodes, "").await
    }

    async fn begin(dir: PathBuf, own: Option<TempDir>, nodes: usize, settings: &str) -> Option<Self> {
        let server = nats_server()?;
        let turn = ONE_AT_A_TIME.lock().await;
        let extra = dir.join("extra.conf");
        std::fs::write(&extra, settings).unwrap();
        let told = script(&["start", &path(&dir), &server, &nodes.to_string(), &path(&extra)]);
        Some(Self { dir, _own: own, urls: told.trim().split(',').map(str::to_owned).collect(), _turn: turn })
    }

    /// Kills a node, from 1 on, as a crash would.
    pub(crate) fn kill(&self, node: usize) {
        script(&["kill", &path(&self.dir), &node.to_string()]);
    }

    /// Starts a node that was killed, on what it had.
    pub(crate) fn restart(&self, node: usize) {
        script(&["restart", &path(&self.dir), &node.to_string()]);
    }

    /// Starts all nodes that were killed; none is well before most are there.
    pub(crate) fn restart_all(&self) {
        std::thread::scope(|threads| {
            for node in 1..=self.urls.len() {
                threads.spawn(move || self.restart(node));
            }
        });
    }

    /// A copy of what all nodes have on disk, none of which runs.
    pub(crate) fn copy(&self) -> TempDir {
        let copy = tempfile::tempdir().unwrap();
        self.stores().for_each(|store| copy_dir(&self.dir.join(&store), &copy.path().join(&store)));
        copy
    }

    /// Puts a copy in the place of what all nodes have, none of which runs.
    pub(crate) fn put_back(&self, copy: &TempDir) {
        for store in self.stores() {
            std::fs::remove_dir_all(self.dir.join(&store)).unwrap();
            copy_dir(&copy.path().join(&store), &self.dir.join(&store));
        }
    }

    fn stores(&self) -> impl Iterator<Item = String> {
        (1..=self.urls.len()).map(|node| format!("n{node}"))
    }

    /// Has a node hang: it keeps its connections, and says nothing.
    pub(crate) fn pause(&self, node: usize) {
        script(&["pause", &path(&self.dir), &node.to_string()]);
    }

    /// Lets a node that hangs go on.
    pub(crate) fn resume(&self, node: usize) {
        script(&["resume", &path(&self.dir), &node.to_string()]);
    }

    /// How this is reached by a client of this name: `node` first, or by any.
    pub(crate) fn settings(&self, name: &str, node: Option<usize>) -> NatsSettings {
        let urls = node.map_or_else(|| self.urls.clone(), |node| vec![self.urls[node - 1].clone()]);
        NatsSettings { urls, stream: STREAM.to_owned(), name: name.to_owned(), ..NatsSettings::default() }
    }

    /// Where each node's monitoring page is.
    pub(crate) fn monitors(&self) -> Vec<String> {
        let page = |node: usize| {
            let settings = std::fs::read_to_string(self.dir.join(format!("n{node}.conf"))).unwrap();
            format!("http://{}", settings.lines().find_map(|line| line.strip_prefix("http: ")).unwrap())
        };
        (1..=self.urls.len()).map(page).collect()
    }

    pub(crate) async fn client(&self, settings: &NatsSettings) -> NatsStream {
        patiently("a connection", async || NatsStream::connect(settings.clone()).await).await
    }

    /// A client of a stream that is made as `shape` says.
    pub(crate) async fn made(&self, settings: &NatsSettings, shape: &Shape) -> NatsStream {
        let hub = self.client(settings).await;
        // A cluster that has just begun may say for seconds that it has no nodes to place a stream on.
        assert_eq!(patiently("the stream", async || hub.create_or_check(shape).await).await, Made::New);
        hub
    }
}

/// The program of a node. Without it, the story is skipped for all to see, or fails where it may not be.
pub(crate) fn nats_server() -> Option<String> {
    let server = std::env::var("SHIPSLOG_TEST_NATS").unwrap_or_default();
    if server == NOT_TO_BE_HAD {
        say(&format!("SKIPPED {}: no nats-server", std::thread::current().name().unwrap_or("main")));
        return None;
    }
    if server.is_empty() {
        skipped("no nats-server (set SHIPSLOG_TEST_NATS to what `tests/nats.sh get DIR` prints, or run ./test)");
        return None;
    }
    Some(server)
}

impl Drop for Cluster {
    fn drop(&mut self) {
        script(&["stop", &path(&self.dir)]);
    }
}

/// A stream of three replicas that is never full.
pub(crate) fn shape() -> Shape {
    Shape { tenant: TENANT.to_owned(), replicas: 3, max_age: Duration::from_secs(14 * 86_400), max_bytes: None }
}

pub(crate) fn copy_dir(from: &Path, to: &Path) {
    let copied = Command::new("cp").arg("-a").arg(from).arg(to).status().unwrap();
    assert!(copied.success(), "{}", from.display());
}

fn path(path: &Path) -> String {
    path.to_str().unwrap().to_owned()
}

fn script(arguments: &[&str]) -> String {
    let output = Command::new(SCRIPT).args(arguments).output().unwrap();
    assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}
