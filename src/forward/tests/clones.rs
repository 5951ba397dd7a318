//! Two recorders with copies of one log, which the file `LOG` did not notice, at one hub.

use super::support::*;
use crate::cursor::LogId;
use crate::follow::{Base, Key, State, step};
use crate::forward::{ForwardState, Since};
use crate::log::{EmbeddedLog, EventLog as _, copy_unnoticed, host_line};
use crate::stream::memory::MemoryStream;
use crate::stream::{FleetStream as _, Subject};
use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng as _};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;
use tempfile::TempDir;
use tokio::time::sleep;

/// Random lives of two clones.
const LIVES: u64 = 12;

/// A recorder that forwards, and has its log fork when it is to.
struct Host {
    dir: TempDir,
    log: Arc<EmbeddedLog>,
    forwarding: Forwarding,
    forks: u32,
    since: Since,
}

impl Host {
    fn start(dir: TempDir, hub: &MemoryStream) -> Self {
        Self::start_since(dir, hub, Since::Oldest)
    }

    fn start_since(dir: TempDir, hub: &MemoryStream, since: Since) -> Self {
        let log = open(dir.path(), 300);
        let since = if since == Since::Now { Since::After(log.bounds().head) } else { since };
        let forwarding = Forwarding::forking(&log, hub, since);
        Self { dir, log, forwarding, forks: 0, since }
    }

    /// Ends it; its directory, and how often it has forked.
    async fn end(self) -> (TempDir, u32) {
        let Self { dir, log, forwarding, mut forks, .. } = self;
        let is_to_fork = forwarding.is_to_fork();
        forwarding.kill().await;
        log.close().await.unwrap();
        drop(log);
        // Its threads let go of the directory.
        std::fs::File::open(dir.path().join("log/lock")).unwrap().lock().unwrap();
        if is_to_fork {
            EmbeddedLog::fork_next(dir.path()).await.unwrap();
            forks += 1;
        }
        (dir, forks)
    }

    /// What the program does where its forwarder ends, and what a restart does.
    async fn again(self, hub: &MemoryStream) -> Self {
        let since = self.since;
        let (dir, forks) = self.end().await;
        Self { forks, ..Self::start_since(dir, hub, since) }
    }

    /// A copy of its directory, which shows that it is one to nobody.
    async fn copied(self, hub: &MemoryStream) -> (Self, TempDir) {
        let (dir, forks) = self.end().await;
        let copy = tempfile::tempdir().unwrap();
        copy_unnoticed(dir.path(), copy.path());
        (Self { forks, ..Self::start(dir, hub) }, copy)
    }

    /// Goes on until the hub has everything under some id.
    async fn settled(mut self, hub: &MemoryStream) -> Self {
        for _ in 0..4 {
            let now = self.forwarding.until(|now| now.behind_records == 0 || now.state == ForwardState::Conflict).await;
            if now.state != ForwardState::Conflict {
                return self;
            }
            self = self.again(hub).await;
        }
        panic!("it forks and forks");
    }

    fn id(&self) -> LogId {
        self.log.bounds().log
    }
}

/// What a server makes of all messages: its state, and how often it has each line of a host.
fn served(hub: &MemoryStream) -> (State, BTreeMap<String, u32>) {
    let (mut state, mut lines) = (State::begin("acme", 0), BTreeMap::new());
    for message in hub.messages() {
        let first = state.next;
        let step = step(&mut state, &message).unwrap();
        for (seq, record) in (first..).zip(step.records) {
            let line = host_line(record.to_line(LogId::from_bytes([1; 16]), seq).as_bytes()).unwrap();
            *lines.entry(String::from_utf8(line).unwrap()).or_insert(0) += 1;
        }
    }
    (state, lines)
}

fn key(log: LogId) -> Key {
    Key { host: "web-17".to_owned(), log: format!("{:08x}", log.prefix()) }
}

/// A server has every line of both, and nothing twice but what both had before they parted; which of them has
/// another id.
async fn both_are_there(hub: &MemoryStream, hosts: [&Host; 2], common: u64) {
    let (state, there) = served(hub);
    let all = [lines(&hosts[0].log, 0).await, lines(&hosts[1].log, 0).await];
    let mut wanted: Vec<&String> = all.iter().flat_map(BTreeMap::values).collect();
    wanted.sort_unstable();
    wanted.dedup();
    assert!(wanted.iter().all(|line| there.contains_key(line.trim_end())), "something is missing");
    assert_eq!(there.len(), wanted.len(), "nothing else is there");
    let twice = all[0].iter().filter(|(seq, line)| **seq > common && there[line.trim_end()] > 1).count();
    assert_eq!(twice, 0, "what only one of them has is there once");
    for host in hosts {
        let log = &state.logs[&key(host.id())];
        assert_eq!((log.next, log.lost, log.conflict), (host.log.bounds().head + 1, 0, None));
    }
    assert_ne!(hosts[0].id(), hosts[1].id());
}

#[tokio::test(start_paused = true)]
async fn of_two_clones_one_keeps_the_id_and_the_other_takes_a_new_one() {
    for has_base in [false, true] {
        let hub = MemoryStream::new();
        let first = Host::start(tempfile::tempdir().unwrap(), &hub);
        append(&first.log, 400).await;
        first.forwarding.until_live().await;
        if has_base {
            let base = Base { state: served(&hub).0, fleet: LogId::from_bytes([1; 16]), chain: [0; 32], previous: 0 };
            hub.publish(base.to_message(Subject::base("acme").unwrap(), 1 << 20).unwrap(), 0).await.unwrap();
        }
        let old = first.id();
        let (first, copy) = first.copied(&hub).await;
        append(&first.log, 5).await;
        first.forwarding.until_live().await;
        let second = Host::start(copy, &hub);
        append(&second.log, 9).await;
        let now = second.forwarding.until(|now| now.state == ForwardState::Conflict).await;
        assert!(now.error.as_deref().is_some_and(|why| why.contains("a copy of it")), "{now:?}");
        append(&second.log, 2).await;
        let second = second.settled(&hub).await;
        append(&second.log, 1).await;
        append(&first.log, 1).await;
        let (first, second) = (first.settled(&hub).await, second.settled(&hub).await);
        assert_eq!((first.forks, first.id(), second.forks), (0, old, 1));
        assert!(second.log.owns(old.cursor(411)) && !second.log.owns(old.cursor(412)), "cursors from before the fork are good");
        both_are_there(&hub, [&first, &second], 400).await;
        let twice = served(&hub).1.values().filter(|times| **times > 1).count();
        assert_eq!(twice, if has_base { 0 } else { 400 }, "what a base proves to be there is not sent again");
    }
}

#[tokio::test(start_paused = true)]
async fn a_log_that_was_put_back_forks_and_the_hub_keeps_what_it_had() {
    let hub = MemoryStream::new();
    let host = Host::start(tempfile::tempdir().unwrap(), &hub);
    append(&host.log, 20).await;
    host.forwarding.until_live().await;
    let (host, older) = host.copied(&hub).await;
    append(&host.log, 30).await;
    let before = host.settled(&hub).await;
    before.forwarding.kill().await;
    let again = Host::start(older, &hub);
    append(&again.log, 3).await;
    let now = again.forwarding.until(|now| now.state == ForwardState::Conflict).await;
    assert!(now.error.as_deref().is_some_and(|why| why.contains("put back from an older copy")), "{now:?}");
    let again = again.settled(&hub).await;
    let before = Host { forwarding: Forwarding::forking(&before.log, &hub, Since::Oldest), ..before };
    both_are_there(&hub, [&before, &again], 20).await;
}

#[tokio::test(start_paused = true)]
async fn a_copy_that_noticed_itself_sends_nothing_that_its_ancestor_has_on_the_hub() {
    let hub = MemoryStream::new();
    let first = Host::start(tempfile::tempdir().unwrap(), &hub);
    append(&first.log, 700).await;
    first.forwarding.until_live().await;
    let old = first.id();
    let (dir, _) = first.end().await;
    EmbeddedLog::fork_next(dir.path()).await.unwrap();
    let copy = Host::start(dir, &hub);
    assert_eq!(copy.log.ancestors(), [(old, 700)]);
    append(&copy.log, 3).await;
    let now = copy.forwarding.until_live().await;
    assert_eq!((now.records, now.missing), (3, 0));
    let (state, there) = served(&hub);
    assert!(there.len() == 703 && there.values().all(|times| *times == 1));
    assert_eq!((state.logs[&key(old)].next, state.logs[&key(copy.id())].next), (701, 704));
    assert_eq!(state.logs[&key(copy.id())].lost, 0);
}

#[tokio::test(start_paused = true)]
async fn a_copy_that_forwards_from_now_on_goes_on_where_its_ancestor_ended() {
    let hub = MemoryStream::new();
    let first = Host::start(tempfile::tempdir().unwrap(), &hub);
    append(&first.log, 700).await;
    first.forwarding.until_live().await;
    // These were to be forwarded, and the hub does not have them.
    hub.set_outage(Some(crate::stream::StreamError::Unavailable("no node leads".to_owned())));
    append(&first.log, 10).await;
    let (dir, _) = first.end().await;
    EmbeddedLog::fork_next(dir.path()).await.unwrap();
    hub.set_outage(None);
    let copy = Host::start_since(dir, &hub, Since::Now);
    append(&copy.log, 3).await;
    let now = copy.forwarding.until_live().await;
    assert_eq!((now.records, now.missing), (13, 0));
    let (state, there) = served(&hub);
    assert!(there.len() == 713 && there.values().all(|times| *times == 1));
    assert_eq!(state.logs[&key(copy.id())].lost, 0);
}

#[tokio::test(start_paused = true)]
async fn a_clone_that_forwards_from_now_on_sends_nothing_from_before_and_tells_that() {
    // Where the newest base is, of 400 records that both have. More is on the hub than an older one proves.
    for (based, lost) in [(None, 400), (Some(100), 400), (Some(400), 0)] {
        let hub = MemoryStream::new();
        let first = Host::start(tempfile::tempdir().unwrap(), &hub);
        let old = first.id();
        for part in [100, 300] {
            append(&first.log, part).await;
            first.forwarding.until_live().await;
            if based == Some(first.log.bounds().head) {
                let base = Base { state: served(&hub).0, fleet: LogId::from_bytes([1; 16]), chain: [0; 32], previous: 0 };
                hub.publish(base.to_message(Subject::base("acme").unwrap(), 1 << 20).unwrap(), 0).await.unwrap();
            }
        }
        let (first, copy) = first.copied(&hub).await;
        append(&first.log, 20).await;
        first.forwarding.until_live().await;
        let second = Host::start_since(copy, &hub, Since::Now);
        append(&second.log, 9).await;
        // What it records while it is closed and opened anew is not from before.
        let second = second.settled(&hub).await;
        append(&second.log, 2).await;
        let second = second.settled(&hub).await;
        assert!(second.forks == 1 && second.id() != old, "{based:?}");
        let (state, there) = served(&hub);
        assert!(there.values().all(|times| *times == 1), "{based:?}: nothing twice");
        for log in [&first.log, &second.log] {
            assert!(lines(log, 0).await.values().all(|line| there.contains_key(line.trim_end())), "{based:?}: nothing is missing");
        }
        let log = &state.logs[&key(second.id())];
        assert_eq!((log.next, log.lost), (second.log.bounds().head + 1, lost), "{based:?}");
        let told: Vec<_> = log.gaps.iter().map(|gap| (gap.sequences.clone(), gap.reason.as_str())).collect();
        assert_eq!(told, if lost == 0 { Vec::new() } else { vec![(1..=400, "since")] }, "{based:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn of_a_copy_of_copies_the_newest_ancestors_are_asked_for() {
    // What the hub has is of the oldest: the eighth from the newest, and the ninth. Each copy has one record.
    for (forks, sent) in [(8, 8), (9, 29)] {
        let hub = MemoryStream::new();
        let first = Host::start(tempfile::tempdir().unwrap(), &hub);
        append(&first.log, 20).await;
        first.forwarding.until_live().await;
        let (dir, _) = first.end().await;
        for _ in 1..forks {
            EmbeddedLog::fork_next(dir.path()).await.unwrap();
            let log = open(dir.path(), 300);
            append(&log, 1).await;
            log.close().await.unwrap();
        }
        EmbeddedLog::fork_next(dir.path()).await.unwrap();
        let copy = Host::start(dir, &hub);
        append(&copy.log, 1).await;
        let now = copy.forwarding.until_live().await;
        assert_eq!((copy.log.ancestors().len(), now.records, now.missing), (forks, sent, 0));
    }
}

/// One random life of two clones and their hub.
async fn life(seed: u64) {
    let mut random = StdRng::seed_from_u64(seed);
    let hub = MemoryStream::new();
    let first = Host::start(tempfile::tempdir().unwrap(), &hub);
    append(&first.log, random.random_range(1..900)).await;
    if random.random_bool(0.7) {
        first.forwarding.until_live().await;
    }
    let (first, copy) = first.copied(&hub).await;
    let common = first.log.bounds().head;
    let mut hosts = vec![first, Host::start(copy, &hub)];
    for _ in 0..20 {
        let mut host = hosts.remove(random.random_range(0..hosts.len()));
        match random.random_range(0..6) {
            0..=2 => append(&host.log, random.random_range(1..300)).await,
            3 => host = host.again(&hub).await,
            4 => hub.set_outage(Some(crate::stream::StreamError::Unavailable("no node leads".to_owned()))),
            _ => hub.set_outage(None),
        }
        if host.forwarding.is_to_fork() {
            host = host.again(&hub).await;
        }
        hosts.push(host);
        sleep(Duration::from_millis(random.random_range(0..3000))).await;
    }
    hub.set_outage(None);
    let mut settled = Vec::new();
    for host in hosts {
        append(&host.log, 1).await;
        settled.push(host.settled(&hub).await);
    }
    let forks: u32 = settled.iter().map(|host| host.forks).sum();
    assert_eq!(forks, 1, "seed {seed}");
    let [one, other] = [&settled[0], &settled[1]];
    both_are_there(&hub, [one, other], common).await;
}

#[tokio::test(start_paused = true)]
async fn whatever_two_clones_do_both_are_there_whole_and_one_has_forked() {
    for seed in 0..LIVES {
        life(seed).await;
    }
}
