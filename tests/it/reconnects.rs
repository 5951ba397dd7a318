//! Very many clients that are cut off and come back while events pour in and the server is killed: what each
//! has read, joined, is the log.
//!
//! `SHIPSLOG_RECONNECTS` sets the number of connections (10,000), `SHIPSLOG_SEED` repeats a run.

use crate::fake_daemon::FakeDaemon;
use crate::support::{Ship, assert_dense, assert_holes_are_told, docker_line, environment, wait_for};
use crate::wire::{Frame, Wire, own_address};
use parking_lot::RwLock;
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use std::net::Ipv4Addr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use tempfile::TempDir;
use tokio::task::JoinSet;

const CLIENTS: usize = 100;
/// A connection is cut after so many bytes, at most: half of them let a client keep up with the events.
const CUT_BYTES: usize = 200_000;

/// What anyone has read, by sequence, from the first record on.
#[derive(Default)]
struct Shared(RwLock<Vec<Option<Box<str>>>>);

impl Shared {
    /// The first client says what the record is; all others must have read the same.
    fn add(&self, seq: u64, line: &str) {
        let at = usize::try_from(seq).unwrap() - 1;
        if let Some(Some(known)) = self.0.read().get(at) {
            assert!(**known == *line, "record {seq} is {known} to one and {line} to another");
            return;
        }
        let mut lines = self.0.write();
        if lines.len() <= at {
            lines.resize(at + 1, None);
        }
        let known = lines[at].get_or_insert_with(|| line.into());
        assert!(**known == *line, "record {seq} is {known} to one and {line} to another");
    }
}

/// One client: the cursor of the last whole frame is all that it takes from one connection to the next.
struct Client {
    from: Ipv4Addr,
    url: String,
    random: StdRng,
    shared: Arc<Shared>,
    cursor: Option<String>,
    /// Sequence of the last record.
    last: u64,
}

impl Client {
    fn take(&mut self, frame: &Frame<'_>) {
        let Some(id) = frame.id else { return };
        match frame.event {
            None => {
                assert_eq!(frame.seq(), self.last + 1, "dense, and nothing twice");
                let data = frame.data.unwrap();
                assert!(data.starts_with(&format!(r#"{{"id":"{id}","seq":{},"#, frame.seq())), "{data}");
                self.shared.add(frame.seq(), data);
                self.last = frame.seq();
            }
            Some("hello" | "caught-up") => assert_eq!(frame.seq(), self.last, "{frame:?}"),
            Some(_) => panic!("nothing else is due: {frame:?}"),
        }
        if self.cursor.as_deref() != Some(id) {
            self.cursor = Some(id.to_owned());
        }
    }

    /// Connects, waiting for a server that is away, and continues after what it has.
    async fn connect(&mut self, left: usize) -> Wire {
        for _ in 0..3000 {
            let by_header = self.random.random_bool(0.5);
            let path = match &self.cursor {
                Some(cursor) if !by_header => format!("/api/v1/stream?last_event_id={cursor}"),
                _ => "/api/v1/stream?since=oldest".to_owned(),
            };
            let header = self.cursor.as_deref().filter(|_| by_header).map(str::as_bytes);
            match Wire::open(&self.url, self.from, &path, header, left).await {
                Ok(wire) => return wire,
                Err(_) => tokio::time::sleep(Duration::from_millis(10)).await,
            }
        }
        panic!("the server does not come back");
    }

    /// Reads until `left` bytes are over, the server dies, or it has the record `head`.
    async fn read(&mut self, left: usize, head: u64) {
        let mut wire = self.connect(left).await;
        while self.last < head && wire.read(|frame| self.take(frame)).await {}
    }

    /// So many connections, each cut anywhere: in the middle of a frame as likely as not.
    async fn live(mut self, connections: u64) -> Self {
        for _ in 0..connections {
            let most = if self.random.random_bool(0.25) { 1000 } else { CUT_BYTES };
            let left = self.random.random_range(0..most);
            self.read(left, u64::MAX).await;
        }
        self
    }

    /// The rest, up to the record `head`.
    async fn finish(mut self, head: u64) -> u64 {
        while self.last < head {
            self.read(usize::MAX, head).await;
        }
        self.last
    }
}

/// 1,000 events a second until it is told to stop; how many they were.
async fn pour(daemon: Arc<FakeDaemon>, stop: Arc<AtomicBool>) -> u64 {
    let mut pace = tokio::time::interval(Duration::from_millis(10));
    let mut sent = 0;
    while !stop.load(Ordering::Relaxed) {
        pace.tick().await;
        for _ in 0..10 {
            daemon.emit(&docker_line("container", "start", sent));
            sent += 1;
        }
    }
    sent
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_client_joins_together_is_the_log() {
    let each = environment("SHIPSLOG_RECONNECTS", 10_000).div_ceil(CLIENTS as u64);
    let seed = environment("SHIPSLOG_SEED", rand::random());
    eprintln!("{CLIENTS} clients, {each} connections each, SHIPSLOG_SEED={seed}");
    let mut random = StdRng::seed_from_u64(seed);
    let dir = TempDir::new().unwrap();
    let daemon = Arc::new(FakeDaemon::unix().await);
    let mut ship = Ship::start(dir.path(), &daemon.url());
    daemon.wait_for_subscribers(1).await;
    let stop = Arc::new(AtomicBool::new(false));
    let pouring = tokio::spawn(pour(Arc::clone(&daemon), Arc::clone(&stop)));
    let shared = Arc::new(Shared::default());
    let mut living = JoinSet::new();
    for number in 0..CLIENTS {
        let client = Client {
            from: own_address(number),
            url: ship.url.clone(),
            random: StdRng::seed_from_u64(random.random()),
            shared: Arc::clone(&shared),
            cursor: None,
            last: 0,
        };
        living.spawn(client.live(each));
    }
    let (mut kills, mut clients) = (0, Vec::new());
    while clients.len() < CLIENTS {
        let next_kill = tokio::time::sleep(Duration::from_millis(random.random_range(200..2500)));
        tokio::pin!(next_kill);
        loop {
            tokio::select! {
                Some(client) = living.join_next() => clients.push(client.unwrap_or_else(|e| panic!("SHIPSLOG_SEED={seed}: {e}"))),
                () = &mut next_kill => break,
                else => break,
            }
        }
        ship.kill();
        ship.restart();
        kills += 1;
    }
    stop.store(true, Ordering::Relaxed);
    let sent = pouring.await.unwrap();
    // The ring still holds it, so it comes whatever the last kill did.
    let last = format!("job-{}", sent - 1);
    let head = wait_for("the last event", async || {
        let newest = ship.json(&format!(r#"/api/v1/events?order=desc&limit=1&filters={{"container":["{last}"]}}"#)).await;
        newest["records"][0]["seq"].as_u64()
    })
    .await;

    let mut finishing = JoinSet::new();
    for client in clients {
        finishing.spawn(client.finish(head));
    }
    for last in finishing.join_all().await {
        assert!(last >= head, "SHIPSLOG_SEED={seed}");
    }
    let log = ship.export("").await;
    assert_dense(&log);
    assert_holes_are_told(&log, sent);
    let read = shared.0.read();
    assert!(read.len() as u64 >= head);
    for (line, (seq, stored)) in read.iter().zip(&log) {
        assert_eq!(line.as_deref(), Some(stored.as_str()), "record {seq}, SHIPSLOG_SEED={seed}");
    }
    eprintln!("{} connections, {kills} kills, {sent} events, {head} records, each read by all", each * CLIENTS as u64);
}
