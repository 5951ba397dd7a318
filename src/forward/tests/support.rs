//! A log, a forwarder of it, a hub in memory, and the reader at the other end.

use crate::chain::{self, CHAIN_START, ChainValue};
use crate::event::Event;
use crate::forward::{Connect, Ended, ForwardState, ForwardStatus, Forwarded, Forwarder, Identity, Since};
use crate::log::{EmbeddedLog, EventLog, Limits, NewRecord, Piece, Scan};
use crate::parcel::{self, Head, Missing};
use crate::shutdown::Stop;
use crate::stream::memory::MemoryStream;
use crate::stream::{FleetStream, Message, Outgoing, StreamError, Subject};
use crate::time::Timestamp;
use async_trait::async_trait;
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use tokio::task::JoinHandle;

/// Longest that a test waits, by the clock of the test, which jumps.
const PATIENCE: Duration = Duration::from_secs(3600);

/// A way to a hub in memory.
pub(super) struct Memory(pub(super) MemoryStream);

#[async_trait]
impl Connect for Memory {
    async fn connect(&self) -> Result<Box<dyn FleetStream>, StreamError> {
        self.0.ends().await?;
        Ok(Box::new(self.0.clone()))
    }
}

pub(super) fn open(dir: &Path, tip_records: u64) -> Arc<EmbeddedLog> {
    let limits = Limits { tip_records, ..Limits::default() };
    Arc::new(EmbeddedLog::open_with(dir, limits).unwrap().0)
}

/// A record with this text in it.
pub(super) fn record(text: &str) -> NewRecord {
    let now = Timestamp::now();
    let json = format!(
        r#"{{"Type":"container","Action":"start","Actor":{{"ID":"c1","Attributes":{{"n":"{text}"}}}},"timeNano":{}}}"#,
        now.nanos()
    );
    NewRecord { source: "local".into(), received: Timestamp::MAX, event: Event::from_line(json.as_bytes()).unwrap() }
}

pub(super) async fn append(log: &EmbeddedLog, count: usize) {
    log.append((0..count).map(|n| record(&n.to_string())).collect()).await.unwrap();
}

pub(super) fn identity() -> Identity {
    Identity { tenant: "acme".to_owned(), host: "web-17".to_owned() }
}

pub(super) fn subject(log: &EmbeddedLog) -> Subject {
    identity().subject(log.bounds().log).unwrap()
}

/// A forwarder that runs.
pub(super) struct Forwarding {
    pub(super) status: ForwardStatus,
    log: Arc<EmbeddedLog>,
    task: JoinHandle<Ended>,
    _stop: Stop,
}

impl Forwarding {
    pub(super) fn start(log: &Arc<EmbeddedLog>, hub: &MemoryStream, since: Since) -> Self {
        Self::start_as(log, hub, since, false)
    }

    /// One that ends where the log has to fork.
    pub(super) fn forking(log: &Arc<EmbeddedLog>, hub: &MemoryStream, since: Since) -> Self {
        Self::start_as(log, hub, since, true)
    }

    fn start_as(log: &Arc<EmbeddedLog>, hub: &MemoryStream, since: Since, may_fork: bool) -> Self {
        let (status, stop) = (ForwardStatus::default(), Stop::new());
        let forwarder =
            Forwarder::new(Arc::clone(log) as Arc<dyn EventLog>, Box::new(Memory(hub.clone())), &identity(), since, status.clone())
                .unwrap();
        let task = tokio::spawn(forwarder.forking(may_fork).run(stop.shutdown()));
        Self { status, log: Arc::clone(log), task, _stop: stop }
    }

    /// Ends it wherever it is, as a kill does.
    pub(super) async fn kill(self) {
        self.task.abort();
        let _ = self.task.await;
    }

    /// Whether it has ended since the log has to fork.
    pub(super) fn is_to_fork(&self) -> bool {
        self.task.is_finished()
    }

    pub(super) fn now(&self) -> Forwarded {
        self.status.get(self.log.bounds().head, Timestamp::now())
    }

    /// Waits until forwarding is as `is` says.
    pub(super) async fn until(&self, is: impl Fn(&Forwarded) -> bool) -> Forwarded {
        let waiting = async {
            loop {
                let now = self.now();
                if is(&now) {
                    return now;
                }
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        };
        tokio::time::timeout(PATIENCE, waiting).await.unwrap_or_else(|_| panic!("it is still {:?}", self.now()))
    }

    /// Waits until the hub has everything.
    pub(super) async fn until_live(&self) -> Forwarded {
        self.until(|now| now.state == ForwardState::Live && now.behind_records == 0).await
    }
}

/// What the reader at the other end has of a host's log.
#[derive(Debug, Default)]
pub(super) struct Folded {
    pub(super) next: u64,
    pub(super) lines: BTreeMap<u64, String>,
    pub(super) gaps: Vec<Missing>,
    /// Records that came again.
    pub(super) again: u64,
    chain: ChainValue,
    values: BTreeMap<u64, ChainValue>,
}

/// Takes messages in order, and looks at everything that a reader can look at.
pub(super) fn fold(messages: &[Message]) -> Folded {
    let mut folded = Folded { next: 1, chain: CHAIN_START, values: BTreeMap::from([(0, CHAIN_START)]), ..Folded::default() };
    for message in messages {
        let head: Head = message.head.parse().unwrap();
        if head.first > folded.next {
            assert_eq!(head.gaps.last().map(|gap| gap.to), Some(head.first - 1), "a hole that nothing tells of: {}", message.head);
            assert!(head.gaps[0].from <= folded.next);
            folded.gaps.extend(head.gaps.iter().copied());
            folded.chain = head.before.unwrap();
            folded.values.insert(head.first - 1, folded.chain);
            folded.next = head.first;
        }
        let before = folded.values[&(head.first - 1)];
        assert!(head.before.is_none_or(|told| told == before), "another chain: {}", message.head);
        let unpacked = parcel::open(&head, &message.payload, &before).unwrap();
        let mut value = before;
        for (seq, line) in (head.first..).zip(unpacked.lines.split_inclusive(|byte| *byte == b'\n')) {
            value = chain::after(&value, line);
            if seq < folded.next {
                assert_eq!(folded.values[&seq], value);
                folded.again += 1;
                continue;
            }
            folded.lines.insert(seq, String::from_utf8(line.to_vec()).unwrap());
            folded.values.insert(seq, value);
            (folded.chain, folded.next) = (value, seq + 1);
        }
    }
    folded
}

/// The lines of a log after `after`.
pub(super) async fn lines(log: &EmbeddedLog, after: u64) -> BTreeMap<u64, String> {
    let (mut lines, mut at) = (BTreeMap::new(), after);
    while at < log.bounds().head {
        let chunk = log.read_after(at, &Scan::default()).await.unwrap();
        for piece in chunk.pieces {
            if let Piece::Block(block) = piece {
                let line = |seq| (seq, String::from_utf8(block.line(seq, true).to_vec()).unwrap());
                lines.extend(block.sequences().filter(|seq| *seq > at).map(line));
            }
        }
        at = chunk.through;
    }
    lines
}

/// A message as somebody else might publish it for this log: records up to `last` of another chain.
pub(super) fn foreign(log: &EmbeddedLog, last: u64) -> Outgoing {
    let line = b"{}\n";
    let head = Head { first: last, count: 1, after: parcel::mark(&chain::after(&[9; 32], line)), before: Some([9; 32]), gaps: Vec::new() };
    Outgoing { subject: subject(log), head: head.to_string(), payload: parcel::pack(line).unwrap().into() }
}

/// Waits until everything but what a tip holds is sealed.
pub(super) async fn sealed(log: &EmbeddedLog, until: u64) {
    log.watch_sealed().unwrap().wait_for(|sealed| *sealed >= until).await.unwrap();
}
