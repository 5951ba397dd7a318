//! What tests of the follower share: hosts that forward, in every way in which that can go wrong.

use super::{Base, State, Step, step};
use crate::chain::{self, CHAIN_START, ChainValue};
use crate::cursor::{LogId, Sequence};
use crate::event::{Event, Record};
use crate::parcel::{Head, Missing, Reason, mark, pack};
use crate::stream::{Message, Outgoing, Subject};
use crate::time::Timestamp;
use proptest::prelude::*;

pub(super) const TENANT: &str = "acme";
/// Of the first message's arrival.
pub(super) const START: i64 = 1_800_000_000_000_000_000;
const MINUTE: i64 = 60_000_000_000;

pub(super) fn fleet() -> LogId {
    LogId::from_bytes([0xf1; 16])
}

pub(super) fn at(nanos: i64) -> Timestamp {
    Timestamp::from_nanos(START + nanos)
}

/// A host and its log.
#[derive(Debug, Clone)]
pub(super) struct Host {
    name: &'static str,
    log: u32,
    /// What it forwards next, and the chain's value before it.
    next: Sequence,
    chain: ChainValue,
    /// First and number of the records in the newest message, and the chain's value before them.
    newest: (Sequence, u64, ChainValue),
}

impl Host {
    pub(super) fn new(name: &'static str, log: u32) -> Self {
        Self { name, log, next: 1, chain: CHAIN_START, newest: (1, 0, CHAIN_START) }
    }

    pub(super) fn all() -> [Self; 3] {
        [Self::new("web-17", 0x7f3c_9a1e), Self::new("db", 0x0000_00db), Self::new("ci-a", 0xc100_000a)]
    }

    pub(super) fn subject(&self) -> Subject {
        Subject::host(TENANT, self.name, &format!("{:08x}", self.log)).unwrap()
    }

    /// The host's line of a record.
    pub(super) fn line(&self, seq: Sequence) -> String {
        let source = match seq % 5 {
            0 => "shipslog",
            1 if self.name == "db" => "db",
            2 if self.name == "db" => "second \"host\"",
            _ => "local",
        };
        let nanos = START + i64::try_from(seq * 250_000_000).unwrap();
        let json =
            format!(r#"{{"Type":"container","Action":"die","Actor":{{"ID":"{}-{seq}","Attributes":{{}}}},"timeNano":{nanos}}}"#, self.name);
        let event = Event::from_line(json.as_bytes()).unwrap();
        let (time, received) = (Timestamp::from_nanos(nanos), Timestamp::from_nanos(nanos + 840_000));
        Record { seq, time, received, source: source.into(), event }.to_line(LogId::with_prefix(self.log))
    }

    fn lines(&self, first: Sequence, count: u64) -> Vec<u8> {
        (first..first + count).flat_map(|seq| format!("{}\n", self.line(seq)).into_bytes()).collect()
    }

    /// A message of `count` records from the next one on.
    pub(super) fn send(&mut self, count: u64) -> (Head, Vec<u8>) {
        let first = self.next;
        self.newest = (first, count, self.chain);
        let (head, lines) = self.message(first, count, self.chain);
        self.chain = chain::after(&self.chain, &lines);
        self.next = first + count;
        (head, lines)
    }

    fn message(&self, first: Sequence, count: u64, chain: ChainValue) -> (Head, Vec<u8>) {
        let lines = self.lines(first, count);
        let after = mark(&chain::after(&chain, &lines));
        let before = (first == 1).then_some(chain);
        (Head { first, count: u32::try_from(count).unwrap(), after, before, gaps: Vec::new() }, lines)
    }

    /// The newest message again, with `more` records that are new.
    fn again(&mut self, more: u64) -> (Head, Vec<u8>) {
        let (first, count, chain) = self.newest;
        let (head, lines) = self.message(first, count + more, chain);
        self.chain = chain::after(&chain, &lines);
        self.next = first + count + more;
        (head, lines)
    }

    /// Leaves records out.
    pub(super) fn skip(&mut self, count: u64) {
        self.chain = chain::after(&self.chain, &self.lines(self.next, count));
        self.next += count;
    }

    pub(super) fn outgoing(&self, (head, lines): &(Head, Vec<u8>)) -> Outgoing {
        Outgoing { subject: self.subject(), head: head.to_string(), payload: pack(lines).unwrap().into() }
    }
}

/// What a host does.
#[derive(Debug, Clone, Copy)]
pub(super) enum Act {
    Send,
    Repeat,
    ToldHole(Reason),
    Hole { before: bool },
    Payload,
    Chain,
    Head,
    Conflict,
    Tenant,
}

/// One message: which host does what with how many records, and how many minutes later.
pub(super) type Deed = (usize, Act, u64, i64);

pub(super) fn deeds(most: usize) -> impl Strategy<Value = Vec<Deed>> {
    let act = prop_oneof![
        12 => Just(Act::Send),
        3 => Just(Act::Repeat),
        1 => Just(Act::ToldHole(Reason::Retention)),
        1 => Just(Act::ToldHole(Reason::Large)),
        1 => any::<bool>().prop_map(|before| Act::Hole { before }),
        1 => Just(Act::Payload),
        1 => Just(Act::Chain),
        1 => Just(Act::Head),
        1 => Just(Act::Conflict),
        1 => Just(Act::Tenant),
    ];
    prop::collection::vec((0..3usize, act, 1..6u64, -2..40i64), 1..most)
}

/// The messages that come of it, each with its time of arrival.
pub(super) fn play(deeds: &[Deed]) -> Vec<(Timestamp, Outgoing)> {
    let (mut hosts, mut minutes) = (Host::all(), 0);
    let play = |(host, act, count, later): &Deed| {
        minutes += later;
        let host = &mut hosts[*host];
        (at(minutes * MINUTE), perform(host, *act, *count))
    };
    deeds.iter().map(play).collect()
}

fn perform(host: &mut Host, act: Act, count: u64) -> Outgoing {
    match act {
        Act::Send => {}
        Act::Repeat if host.newest.1 == 0 => {}
        Act::Repeat => {
            let message = host.again(count - 1);
            return host.outgoing(&message);
        }
        Act::ToldHole(reason) => {
            // It reaches into what was sent before, as one does that was made with an old place.
            let (from, to) = (host.next.saturating_sub(1).max(1), host.next + count - 1);
            host.skip(count);
            let before = host.chain;
            let (head, lines) = host.send(count);
            let head = Head { before: Some(before), gaps: vec![Missing { from, to, reason }], ..head };
            return host.outgoing(&(head, lines));
        }
        Act::Hole { before } => {
            host.skip(count);
            let chain = host.chain;
            let (head, lines) = host.send(1);
            return host.outgoing(&(Head { before: before.then_some(chain), ..head }, lines));
        }
        Act::Payload => {
            let message = host.send(count);
            let mut out = host.outgoing(&message);
            let mut payload = out.payload.to_vec();
            let middle = payload.len() / 2;
            payload[middle] ^= 1;
            out.payload = payload.into();
            return out;
        }
        Act::Chain => {
            let (head, lines) = host.send(count);
            return host.outgoing(&(Head { after: [7; 16], ..head }, lines));
        }
        Act::Head => return Outgoing { head: "2 of another form".to_owned(), ..perform(host, Act::Send, count) },
        Act::Conflict => {
            // A clone of the host, which has another history and goes on with it.
            host.chain = [count.try_into().unwrap(); 32];
            let before = host.chain;
            let (head, lines) = host.send(count);
            return host.outgoing(&(Head { before: Some(before), ..head }, lines));
        }
        Act::Tenant => {
            let (subject, mut clone) = (Subject::host("other", host.name, "00000001").unwrap(), host.clone());
            return Outgoing { subject, ..perform(&mut clone, Act::Send, count) };
        }
    }
    let message = host.send(count);
    host.outgoing(&message)
}

pub(super) fn message(place: u64, arrived: Timestamp, out: Outgoing) -> Message {
    Message { place, arrived, subject: out.subject, head: out.head, payload: out.payload }
}

pub(super) fn messages(deeds: &[Deed]) -> Vec<Message> {
    (1..).zip(play(deeds)).map(|(place, (arrived, out))| message(place, arrived, out)).collect()
}

/// What a fold has made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Folded {
    fleet: LogId,
    pub(super) state: State,
    pub(super) chain: ChainValue,
    pub(super) lines: Vec<String>,
    /// Bases that were due.
    pub(super) bases: Vec<Base>,
}

impl Folded {
    pub(super) fn begin() -> Self {
        Self { fleet: fleet(), state: State::begin(TENANT, 0), chain: CHAIN_START, lines: Vec::new(), bases: Vec::new() }
    }

    /// Takes the next message.
    pub(super) fn take(&mut self, message: &Message) -> Step {
        let first = self.state.next;
        let step = step(&mut self.state, message).unwrap();
        for (seq, record) in (first..).zip(&step.records) {
            let line = record.to_line(self.fleet, seq);
            self.chain = chain::next(&self.chain, line.as_bytes());
            self.lines.push(line);
        }
        if step.base_due {
            let previous = self.bases.last().map_or(0, |base| base.state.place);
            self.bases.push(Base { state: self.state.clone(), fleet: self.fleet, chain: self.chain, previous });
        }
        step
    }

    pub(super) fn of(messages: &[Message]) -> Self {
        Self::named(fleet(), messages)
    }

    /// Under another id.
    pub(super) fn named(fleet: LogId, messages: &[Message]) -> Self {
        let mut folded = Self { fleet, ..Self::begin() };
        for message in messages {
            folded.take(message);
        }
        folded
    }
}
