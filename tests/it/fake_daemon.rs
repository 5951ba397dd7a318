//! A Docker daemon that does as it is told: the events API with moby's semantics, in this process.
//!
//! Used by the unit tests of `src/ingest/docker/` (through `#[path]`) and by the stories in `tests/it`.

#![allow(dead_code, reason = "each user needs another part of it")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, reason = "test support")]

#[path = "documented.rs"]
pub(crate) mod documented;
// By path: a user that takes this file by path would look for them elsewhere.
#[path = "fake_daemon/faults.rs"]
mod faults;
#[path = "fake_daemon/large.rs"]
mod large;
#[path = "fake_daemon/podman.rs"]
mod podman;

use parking_lot::Mutex;
use std::collections::VecDeque;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::{TcpListener, UnixListener};
use tokio::sync::{mpsc, watch};
use tokio::task::{AbortHandle, JoinHandle};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;

/// moby's `eventsLimit`.
pub(crate) const RING: usize = 256;
/// Pieces that may wait for one subscriber. A test that sends more fails with these words.
const SUBSCRIBER_PIECES: usize = 1 << 16;

#[derive(Debug, Clone)]
enum Address {
    Unix(PathBuf),
    Tcp(std::net::SocketAddr),
}

#[derive(Default)]
struct State {
    ring: VecDeque<String>,
    subscribers: Vec<mpsc::Sender<Vec<u8>>>,
    connections: Vec<AbortHandle>,
    connected: usize,
    requests: Vec<String>,
    /// Requests are left unanswered while this holds true.
    hang: watch::Sender<bool>,
    events_failure: Option<(u16, String)>,
    docker_cli: bool,
    /// Engine and API, where they are not the usual ones.
    version: Option<(&'static str, &'static str)>,
    /// It is Podman, which keeps a history of any length instead of a ring.
    libpod: Option<Vec<String>>,
    podman: podman::Faults,
    huge: std::collections::HashMap<String, large::Large>,
    /// Each event stream ends after so long.
    stream_life: Option<Duration>,
    /// TCP connections that are broken off are reset, as by a peer that has forgotten them.
    reset: bool,
    /// The event that is replayed to the next subscriber although it also gets it live, as happens in moby.
    twice: bool,
    /// Id and what inspecting it gives. Without them the list is forbidden, as behind many a proxy.
    containers: Option<Vec<(String, serde_json::Value)>>,
}

/// The daemon. Dropping it closes everything.
pub(crate) struct FakeDaemon {
    state: Arc<Mutex<State>>,
    address: Address,
    accepting: Option<JoinHandle<()>>,
    tls: Option<Arc<ServerConfig>>,
    _directory: Option<tempfile::TempDir>,
}

impl Drop for FakeDaemon {
    fn drop(&mut self) {
        self.refuse();
        let (requests, docker_cli) = (self.requests(), self.state.lock().docker_cli);
        let ours: Vec<String> = requests.into_iter().filter(|request| !docker_cli || !request.starts_with("HEAD /_ping ")).collect();
        documented::assert_all(&ours);
    }
}

impl FakeDaemon {
    /// On a Unix socket in a directory of its own.
    pub(crate) async fn unix() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let address = Address::Unix(directory.path().join("docker.sock"));
        Self::start(address, None, Some(directory)).await
    }

    /// On a free port of the loopback address.
    pub(crate) async fn tcp() -> Self {
        Self::start(Address::Tcp(([127, 0, 0, 1], 0).into()), None, None).await
    }

    /// On a free port of the loopback address, behind TLS.
    pub(crate) async fn tls(config: ServerConfig) -> Self {
        Self::start(Address::Tcp(([127, 0, 0, 1], 0).into()), Some(Arc::new(config)), None).await
    }

    async fn start(address: Address, tls: Option<Arc<ServerConfig>>, directory: Option<tempfile::TempDir>) -> Self {
        let mut daemon = Self { state: Arc::default(), address, accepting: None, tls, _directory: directory };
        daemon.listen().await;
        daemon
    }

    /// As for `--docker-host`.
    pub(crate) fn url(&self) -> String {
        match &self.address {
            Address::Unix(path) => format!("unix://{}", path.display()),
            Address::Tcp(address) if self.tls.is_some() => format!("https://{address}"),
            Address::Tcp(address) => format!("tcp://{address}"),
        }
    }

    /// Listens again after `refuse` or `remove_socket`, at the same address.
    pub(crate) async fn listen(&mut self) {
        let state = Arc::clone(&self.state);
        self.accepting = Some(match &mut self.address {
            Address::Unix(path) => {
                let _ = std::fs::remove_file(&*path);
                let listener = UnixListener::bind(path).unwrap();
                tokio::spawn(async move {
                    while let Ok((stream, _)) = listener.accept().await {
                        serve(async { Ok(stream) }, &state);
                    }
                })
            }
            Address::Tcp(address) => {
                let listener = TcpListener::bind(*address).await.unwrap();
                *address = listener.local_addr().unwrap();
                let tls = self.tls.clone().map(TlsAcceptor::from);
                tokio::spawn(async move {
                    while let Ok((stream, _)) = listener.accept().await {
                        if state.lock().reset {
                            socket2::SockRef::from(&stream).set_linger(Some(Duration::ZERO)).unwrap();
                        }
                        match &tls {
                            Some(tls) => serve(tls.accept(stream), &state),
                            None => serve(async { Ok(stream) }, &state),
                        }
                    }
                })
            }
        });
    }

    /// A daemon that stopped and started: the streams end and the ring is empty.
    pub(crate) fn restart(&self) {
        let mut state = self.state.lock();
        state.subscribers.clear();
        state.ring.clear();
    }

    /// It is upgraded: another version of Engine and API, which spells what is in the ring in another way.
    pub(crate) fn upgrade(&self, engine: &'static str, api: &'static str, spell: impl Fn(&str) -> String) {
        let mut state = self.state.lock();
        state.version = Some((engine, api));
        for line in &mut state.ring {
            *line = spell(line);
        }
    }

    /// The docker CLI asks as well, which begins with a `HEAD /_ping`.
    pub(crate) fn expect_docker_cli(&self) {
        self.state.lock().docker_cli = true;
    }

    /// The containers to list and inspect: ids, and what inspecting gives. Until then, listing is forbidden.
    pub(crate) fn set_containers(&self, containers: &[(&str, serde_json::Value)]) {
        self.state.lock().containers = Some(containers.iter().map(|(id, json)| ((*id).to_owned(), json.clone())).collect());
    }

    /// An event: kept in the ring and sent to all subscribers, one chunk.
    pub(crate) fn emit(&self, line: &str) {
        self.emit_in_chunks(line, usize::MAX);
    }

    /// An event whose line comes in chunks of `size` bytes.
    pub(crate) fn emit_in_chunks(&self, line: &str, size: usize) {
        let mut state = self.state.lock();
        if let Some(history) = &mut state.libpod {
            history.push(line.to_owned());
        }
        if state.ring.len() == RING {
            state.ring.pop_front();
        }
        state.ring.push_back(line.to_owned());
        for chunk in format!("{line}\n").as_bytes().chunks(size) {
            state.publish(chunk);
        }
    }

    /// An event that only the ring has, as one from before any subscriber.
    pub(crate) fn emit_to_ring(&self, line: &str) {
        let mut state = self.state.lock();
        if state.ring.len() == RING {
            state.ring.pop_front();
        }
        state.ring.push_back(line.to_owned());
    }

    /// Many lines, as fast as the sockets take them, in chunks of about `size` bytes. The ring keeps some.
    pub(crate) async fn flood(&self, lines: impl Iterator<Item = String>, size: usize) {
        let mut chunk = Vec::new();
        for line in lines {
            chunk.extend_from_slice(line.as_bytes());
            chunk.push(b'\n');
            self.emit_to_ring(&line);
            if chunk.len() >= size {
                self.send(std::mem::take(&mut chunk)).await;
            }
        }
        self.send(chunk).await;
    }

    async fn send(&self, chunk: Vec<u8>) {
        let subscribers = self.state.lock().subscribers.clone();
        for subscriber in subscribers {
            // One that has gone gets it in the replay.
            let _ = subscriber.send(chunk.clone()).await;
        }
    }

    /// Bytes for those that are subscribed now, as one chunk; the ring does not keep them.
    pub(crate) fn emit_raw(&self, bytes: &[u8]) {
        self.state.lock().publish(bytes);
    }

    /// Every request line so far: `GET /events?since=0 HTTP/1.1`.
    pub(crate) fn requests(&self) -> Vec<String> {
        self.state.lock().requests.clone()
    }

    /// How many requests for `path` (without its query) came so far.
    pub(crate) fn count(&self, path: &str) -> usize {
        self.requests().iter().filter(|line| line.split([' ', '?']).nth(1) == Some(path)).count()
    }

    /// How many connections came so far.
    pub(crate) fn connected(&self) -> usize {
        self.state.lock().connected
    }

    /// Open event streams.
    pub(crate) fn subscribers(&self) -> usize {
        self.state.lock().subscribers.iter().filter(|subscriber| !subscriber.is_closed()).count()
    }

    /// Waits until that many event streams are open.
    pub(crate) async fn wait_for_subscribers(&self, count: usize) {
        for _ in 0..2000 {
            if self.subscribers() == count {
                return;
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        panic!("{} instead of {count} subscribers after 10 s; requests: {:?}", self.subscribers(), self.requests());
    }
}

impl State {
    fn publish(&mut self, bytes: &[u8]) {
        self.subscribers.retain(|subscriber| match subscriber.try_send(bytes.to_vec()) {
            Ok(()) => true,
            Err(mpsc::error::TrySendError::Closed(_)) => false,
            Err(mpsc::error::TrySendError::Full(_)) => panic!("a subscriber of the fake daemon is {SUBSCRIBER_PIECES} pieces behind"),
        });
    }
}

fn serve<S: AsyncRead + AsyncWrite + Unpin + Send + 'static>(
    accepted: impl Future<Output = std::io::Result<S>> + Send + 'static,
    state: &Arc<Mutex<State>>,
) {
    let mut held = state.lock();
    held.connected += 1;
    let state = Arc::clone(state);
    // An error means that the client has gone.
    let task = tokio::spawn(async move {
        if let Ok(stream) = accepted.await {
            drop(converse(stream, &state).await);
        }
    });
    held.connections.retain(|connection| !connection.is_finished());
    held.connections.push(task.abort_handle());
}

/// Requests one after the other, as HTTP/1.1 keeps connections.
async fn converse(mut stream: impl AsyncRead + AsyncWrite + Unpin, state: &Mutex<State>) -> std::io::Result<()> {
    let mut buffer = Vec::new();
    loop {
        let end = loop {
            if let Some(end) = buffer.windows(4).position(|window| window == b"\r\n\r\n") {
                break end + 4;
            }
            if stream.read_buf(&mut buffer).await? == 0 {
                return Ok(());
            }
            // As Go's server, once it has found what it takes for the end of a line.
            if !buffer[0].is_ascii_uppercase() {
                return stream.write_all(b"HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n400 Bad Request").await;
            }
        };
        let head: Vec<u8> = buffer.drain(..end).collect();
        let line = String::from_utf8_lossy(&head).lines().next().unwrap_or_default().to_owned();
        state.lock().requests.push(line.clone());
        let mut hang = state.lock().hang.subscribe();
        let _ = hang.wait_for(|hang| !hang).await;
        let target = line.split(' ').nth(1).unwrap_or_default();
        let (path, query) = target.split_once('?').unwrap_or((target, ""));
        if path == "/events" && state.lock().events_failure.is_none() {
            return events(stream, query, state).await;
        }
        let large = state.lock().large(path);
        if let Some(large) = large {
            large.write(&mut stream).await?;
            continue;
        }
        let (status, body) = answer(path, &state.lock());
        let body = if line.starts_with("HEAD ") { String::new() } else { body };
        let api = state.lock().version.map_or("1.51", |(_, api)| api);
        let head = format!(
            "HTTP/1.1 {status} X\r\nContent-Type: application/json\r\nApi-Version: {api}\r\nContent-Length: {}\r\n\r\n",
            body.len()
        );
        stream.write_all((head + &body).as_bytes()).await?;
    }
}

fn answer(path: &str, state: &State) -> (u16, String) {
    let inspected = path.strip_prefix("/containers/").and_then(|rest| rest.strip_suffix("/json"));
    let containers = state.containers.as_deref();
    match (path, &state.events_failure) {
        ("/_ping", _) => (200, "OK".to_owned()),
        ("/version", _) => {
            let (engine, api) = state.version.unwrap_or(("28.0.0-fake", "1.51"));
            (200, serde_json::json!({ "Version": engine, "ApiVersion": api, "MinAPIVersion": "1.24" }).to_string())
        }
        ("/containers/json", _) => match containers {
            Some(containers) => {
                let list: Vec<_> = containers.iter().map(|(id, inspected)| summary(id, inspected)).collect();
                (200, serde_json::Value::from(list).to_string())
            }
            None => (403, r#"{"message":"forbidden"}"#.to_owned()),
        },
        ("/events", Some((status, message))) => (*status, serde_json::json!({ "message": message }).to_string()),
        _ => match containers.unwrap_or_default().iter().find(|(id, _)| Some(id.as_str()) == inspected) {
            Some((_, json)) => (200, json.to_string()),
            None => (404, r#"{"message":"page not found"}"#.to_owned()),
        },
    }
}

/// What the list shows of a container.
fn summary(id: &str, inspected: &serde_json::Value) -> serde_json::Value {
    let config = &inspected["Config"];
    let names: Vec<&str> = inspected["Name"].as_str().into_iter().collect();
    serde_json::json!({
        "Id": id, "Names": names, "State": inspected["State"]["Status"], "Image": config["Image"], "Labels": config["Labels"],
    })
}

/// Replays the ring if `since` is given, in order of arrival, and continues with what is published.
async fn events(mut stream: impl AsyncWrite + Unpin, query: &str, state: &Mutex<State>) -> std::io::Result<()> {
    let history = {
        let state = state.lock();
        state.libpod.clone().map(|history| (history, state.podman))
    };
    if let Some((history, faults)) = history {
        return podman::events(stream, query, history, faults, state).await;
    }
    let (sender, mut pieces) = mpsc::channel(SUBSCRIBER_PIECES);
    let ring: Vec<String> = {
        let mut state = state.lock();
        state.subscribers.push(sender);
        let replays = query.split('&').any(|pair| pair.starts_with("since="));
        if let Some(newest) = state.ring.back().filter(|_| state.twice).cloned()
            && let Some(subscriber) = state.subscribers.last()
        {
            let _ = subscriber.try_send((newest + "\n").into_bytes());
        }
        if replays { state.ring.iter().cloned().collect() } else { Vec::new() }
    };
    stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n").await?;
    for line in ring {
        write_chunk(&mut stream, format!("{line}\n").as_bytes()).await?;
    }
    faults::publish_until_end(&mut stream, &mut pieces, state).await?;
    stream.write_all(b"0\r\n\r\n").await
}

async fn write_chunk(stream: &mut (impl AsyncWrite + Unpin), bytes: &[u8]) -> std::io::Result<()> {
    stream.write_all(format!("{:x}\r\n", bytes.len()).as_bytes()).await?;
    stream.write_all(bytes).await?;
    stream.write_all(b"\r\n").await
}
