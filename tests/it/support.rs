//! The program under test, and clients that are not ours.

use crate::fake_daemon::FakeDaemon;
use eventsource_stream::{Event, Eventsource};
use futures_util::{Stream, StreamExt};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};
use tempfile::TempDir;

pub(crate) const BIN: &str = env!("CARGO_BIN_EXE_shipslog");
pub(crate) use crate::deadline::{PATIENCE, client, end_of, first_line, wait_for, within};

/// A running `shipslog serve`. Killed when dropped.
pub(crate) struct Ship {
    child: Child,
    pub(crate) url: String,
    data: PathBuf,
    args: Vec<String>,
    launch: Launch,
}

impl Ship {
    /// Starts on a free port, recording `docker`.
    pub(crate) fn start(data: &Path, docker: &str) -> Self {
        Self::start_with(data, &["--docker-host", docker])
    }

    pub(crate) fn start_with(data: &Path, args: &[&str]) -> Self {
        Self::launch(Launch::default(), data, args)
    }

    pub(crate) fn start_on(data: &Path, listen: &str, args: &[&str]) -> Self {
        Self::launch(Launch { listen: listen.to_owned(), ..Launch::default() }, data, args)
    }

    /// Everything that it says goes to a file.
    pub(crate) fn start_logging(data: &Path, args: &[&str], log: &Path) -> Self {
        Self::launch(Launch { log: Some(log.to_owned()), ..Launch::default() }, data, args)
    }

    /// By way of a command that becomes the program, such as `prlimit`.
    pub(crate) fn start_under(launcher: &[&str], data: &Path, args: &[&str]) -> Self {
        let launcher = launcher.iter().map(|s| (*s).to_owned()).collect();
        Self::launch(Launch { launcher, ..Launch::default() }, data, args)
    }

    fn launch(mut launch: Launch, data: &Path, args: &[&str]) -> Self {
        let args: Vec<String> = args.iter().map(|s| (*s).to_owned()).collect();
        // The one that their certificates are for.
        if args.iter().any(|arg| arg == "--tls-cert") && launch.listen == launch.own {
            "127.0.0.1:0".clone_into(&mut launch.listen);
        }
        let (child, url) = spawn(&launch, data, &args);
        Self { child, url, data: data.to_owned(), args, launch }
    }

    /// SIGKILL, as the out-of-memory killer would.
    pub(crate) fn kill(&mut self) {
        let _ = self.child.kill();
        end_of(&mut self.child, "a program that was killed");
    }

    /// The most memory that the process has had, as the kernel counts it.
    pub(crate) fn peak_rss_kib(&self) -> u64 {
        self.memory("VmHWM:")
    }

    /// The memory that the process has, as the kernel counts it.
    pub(crate) fn rss_kib(&self) -> u64 {
        self.memory("VmRSS:")
    }

    fn memory(&self, key: &str) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id())).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix(key)).unwrap();
        line.split_whitespace().next().unwrap().parse().unwrap()
    }

    /// SIGTERM; the exit status and how long it took.
    pub(crate) fn stop(&mut self) -> (ExitStatus, Duration) {
        self.stop_by("-TERM")
    }

    /// As [`Ship::stop`], by another signal.
    pub(crate) fn stop_by(&mut self, signal: &str) -> (ExitStatus, Duration) {
        let began = Instant::now();
        let pid = self.child.id().to_string();
        assert!(Command::new("kill").args([signal, &pid]).status().unwrap().success());
        (end_of(&mut self.child, "a program that was told to stop"), began.elapsed())
    }

    /// The process.
    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Starts again on the same address and data.
    pub(crate) fn restart(&mut self) {
        let address = self.url.trim_start_matches("http://").to_owned();
        self.launch.listen = address;
        (self.child, self.url) = spawn(&self.launch, &self.data, &self.args);
    }

    /// The first 8 digits of the log's id, as in cursors.
    pub(crate) async fn log(&self) -> String {
        self.json("/api/v1/stats").await["log"]["id"].as_str().unwrap()[..8].to_owned()
    }

    pub(crate) async fn get(&self, path: &str) -> reqwest::Response {
        client().get(format!("{}{path}", self.url)).send().await.unwrap_or_else(|e| panic!("{path}: {e:?}"))
    }

    pub(crate) async fn json(&self, path: &str) -> serde_json::Value {
        let response = self.get(path).await;
        assert!(response.status().is_success() || response.status() == 503, "{path}: {}", response.status());
        response.json().await.unwrap()
    }

    /// The whole log by way of an export: lines by sequence.
    pub(crate) async fn export(&self, query: &str) -> BTreeMap<u64, String> {
        let response = self.get(&format!("/api/v1/export?format=jsonl{query}")).await;
        assert_eq!(response.status(), 200);
        by_sequence(response.text().await.unwrap().lines())
    }

    /// As [`Ship::export`], without the records of losses, which pass whatever the filter asks for.
    pub(crate) async fn selected(&self, query: &str) -> BTreeMap<u64, String> {
        let mut lines = self.export(query).await;
        lines.retain(|_, line| {
            let event = &serde_json::from_str::<serde_json::Value>(line).unwrap()["event"];
            event["Type"] != "recorder" || event["Action"] != "gap"
        });
        lines
    }

    /// Waits until the log's head satisfies `condition`.
    pub(crate) async fn wait_for_head(&self, condition: impl Fn(u64) -> bool) -> u64 {
        wait_for("the head", async || {
            let head = self.json("/api/v1/stats").await["log"]["head"].as_u64().unwrap();
            condition(head).then_some(head)
        })
        .await
    }
}

impl Drop for Ship {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// How the program is started.
struct Launch {
    /// A command that becomes it.
    launcher: Vec<String>,
    listen: String,
    /// Where it listens unless it is told otherwise.
    own: String,
    /// Where what it says goes.
    log: Option<PathBuf>,
}

impl Default for Launch {
    fn default() -> Self {
        let own = own_address();
        Self { launcher: Vec::new(), listen: own.clone(), own, log: None }
    }
}

/// An address of the loopback network that no other program of these stories has, with any port. On one that
/// all shared, a port was free for any program that asked the system for one while its own program was killed
/// and not started again yet: a reader of `crash.rs` that had not connected by then, and that brought no
/// cursor, as its WebSocket does, would follow the program of another story for as long as that lived, and
/// the story of kills stood still (which was seen once, for eight minutes); or the program did not start
/// again.
fn own_address() -> String {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let (process, number) = (std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
    format!("127.{}.{}.{}:0", 1 + process % 250, process / 250 % 250, 1 + number % 250)
}

fn spawn(launch: &Launch, data: &Path, args: &[String]) -> (Child, String) {
    // reqwest asks for one, also where it never encrypts.
    let _ = rustls::crypto::ring::default_provider().install_default();
    // Loads that are too much for a debug build are run by hand with another one.
    let program = std::env::var("SHIPSLOG_BIN").unwrap_or_else(|_| BIN.to_owned());
    let words: Vec<&str> = launch.launcher.iter().map(String::as_str).chain([program.as_str()]).collect();
    let mut command = Command::new(words[0]);
    if let Some(log) = &launch.log {
        command.stderr(std::fs::File::create(log).unwrap());
    }
    let level = match launch.log {
        Some(_) => "trace,h2=info,hyper=info".to_owned(),
        None => std::env::var("SHIPSLOG_LOG").unwrap_or_else(|_| "error".to_owned()),
    };
    let mut child = command
        .args(&words[1..])
        .args(["serve", "--listen", &launch.listen, "--data-dir"])
        .arg(data)
        .args(args)
        .env_remove("DOCKER_HOST")
        .env("SHIPSLOG_LOG", level)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let line = first_line(child.stdout.take().unwrap(), child.id(), "the program to say where it listens");
    let url = line.trim().strip_prefix("listening on ").unwrap_or_else(|| panic!("no address: {line:?}"));
    (child, url.to_owned())
}

/// A fake daemon with `count` events, containers and networks in turn, and a program that has recorded them.
pub(crate) async fn ship_with(count: u64) -> (TempDir, FakeDaemon, Ship) {
    let dir = TempDir::new().unwrap();
    let daemon = FakeDaemon::unix().await;
    let ship = Ship::start(dir.path(), &daemon.url());
    daemon.wait_for_subscribers(1).await;
    for n in 0..count {
        daemon.emit(&docker_line(if n % 2 == 0 { "container" } else { "network" }, "start", n));
    }
    // start, connect, verdict and the events themselves.
    ship.wait_for_head(|head| head >= count + 3).await;
    (dir, daemon, ship)
}

/// A number that scales or repeats a run.
pub(crate) fn environment(name: &str, default: u64) -> u64 {
    std::env::var(name).ok().map_or(default, |text| text.parse().unwrap_or_else(|_| panic!("{name} is not a number")))
}

/// Sequence of a record line.
pub(crate) fn sequence(line: &str) -> u64 {
    serde_json::from_str::<serde_json::Value>(line).unwrap_or_else(|e| panic!("{e}: {line}"))["seq"].as_u64().unwrap()
}

pub(crate) fn by_sequence<'a>(lines: impl Iterator<Item = &'a str>) -> BTreeMap<u64, String> {
    let mut map = BTreeMap::new();
    for line in lines {
        assert!(map.insert(sequence(line), line.to_owned()).is_none(), "a sequence twice: {line}");
    }
    map
}

pub(crate) fn assert_dense(map: &BTreeMap<u64, String>) {
    let (first, last) = (*map.keys().next().unwrap(), *map.keys().last().unwrap());
    assert_eq!(u64::try_from(map.len()).unwrap(), last - first + 1, "sequences are dense");
}

/// Where the daemon's ring turned over before a recorder lived long enough to store it, each hole must be
/// told right before its end. `all`: how many events there were, [`docker_line`]s from 0 on.
pub(crate) fn assert_holes_are_told(log: &BTreeMap<u64, String>, all: u64) {
    let mut told: Option<&String> = None;
    let mut next = 0;
    for line in log.values() {
        if line.contains(r#""Action":"gap""#) {
            told = Some(line);
        } else if let Some(job) = line.split("job-").nth(1).and_then(|rest| rest.split('"').next()?.parse::<u64>().ok()) {
            assert!(job <= next || told.is_some(), "jobs {next} to {job} are missing and nothing says so");
            (next, told) = (next.max(job + 1), None);
        }
    }
    assert_eq!(next, all, "up to the last event");
}

/// An SSE connection, parsed by a parser that is not ours.
pub(crate) struct Sse(Pin<Box<dyn Stream<Item = Option<Event>> + Send>>);

impl Sse {
    pub(crate) async fn open(url: &str, path: &str, last_id: Option<&str>) -> Option<Self> {
        let mut request = crate::support::client().get(format!("{url}{path}"));
        if let Some(id) = last_id {
            request = request.header("Last-Event-ID", id);
        }
        let response = request.send().await.ok()?;
        Some(Self::of(response))
    }

    pub(crate) fn of(response: reqwest::Response) -> Self {
        assert_eq!(response.status(), 200);
        assert_eq!(response.headers()["content-type"], "text/event-stream; charset=utf-8");
        assert_eq!(response.headers()["cache-control"], "no-store, no-transform");
        assert_eq!(response.headers()["x-accel-buffering"], "no");
        Self(Box::pin(response.bytes_stream().eventsource().map(Result::ok)))
    }

    /// The next event; `None` when the connection is over.
    pub(crate) async fn next(&mut self) -> Option<Event> {
        tokio::time::timeout(PATIENCE, self.0.next()).await.expect("no event came").flatten()
    }

    /// Reads up to and including the event that satisfies `end`.
    pub(crate) async fn read_until(&mut self, end: impl Fn(&Event) -> bool) -> Vec<Event> {
        let mut events = Vec::new();
        loop {
            let event = self.next().await.expect("the stream ended early");
            let done = end(&event);
            events.push(event);
            if done {
                return events;
            }
        }
    }
}

/// Unnamed events are records.
pub(crate) fn is_record(event: &Event) -> bool {
    event.event == "message"
}

/// A message as Docker writes it.
pub(crate) fn docker_line(kind: &str, action: &str, n: u64) -> String {
    format!(
        r#"{{"status":"{action}","id":"c{n}","from":"busybox","Type":"{kind}","Action":"{action}","Actor":{{"ID":"c{n}","Attributes":{{"image":"busybox","name":"job-{n}"}}}},"scope":"local","time":{},"timeNano":{}}}"#,
        1_795_344_577 + n / 1000,
        1_795_344_577_000_000_000 + n * 1_000_000
    )
}

/// As [`docker_line`], by a clock that is quicker than ours: a recorder that the lines come to late would
/// have to doubt that they are all, and connect again.
pub(crate) fn quick_docker_line(kind: &str, action: &str, n: u64) -> String {
    let time = |step: u64| format!(r#""timeNano":{}"#, 1_795_344_577_000_000_000 + n * step);
    docker_line(kind, action, n).replacen(&time(1_000_000), &time(1_000_000_000), 1)
}
