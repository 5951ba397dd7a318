//! A host: a log that nothing hurts, and the forwarder's machine, which forgets everything in a crash.

use crate::lines::{line, subject};
use bytes::Bytes;
use shipslog::chain::{self, CHAIN_START, ChainValue};
use shipslog::forward::machine::{Machine, Piece, Seen};
use shipslog::parcel::{Head, MAX_LINES, mark, pack};
use shipslog::stream::{Message, Outgoing};

pub(crate) struct Host {
    index: usize,
    /// The chain's value after each record; the first is that before them all.
    chains: Vec<ChainValue>,
    /// `None` while it is down.
    pub(crate) machine: Option<Machine>,
    /// Which request it waits for the answer of; an answer to another one comes too late.
    pub(crate) request: u64,
    pub(crate) awaits_head: bool,
    /// Cut off from the hub.
    pub(crate) cut: bool,
    parcel: Option<(Head, Bytes, Piece)>,
    /// Place and head of what was acknowledged.
    pub(crate) acknowledged: Vec<(u64, String)>,
}

impl Host {
    pub(crate) fn new(index: usize) -> Self {
        Self {
            index,
            chains: vec![CHAIN_START],
            machine: None,
            request: 0,
            awaits_head: false,
            cut: false,
            parcel: None,
            acknowledged: Vec::new(),
        }
    }

    pub(crate) fn head(&self) -> u64 {
        self.chains.len() as u64 - 1
    }

    pub(crate) fn record(&mut self) {
        let seq = self.head() + 1;
        let before = self.chains.last().unwrap();
        let after = chain::after(before, line(self.index, seq).as_bytes());
        self.chains.push(after);
    }

    /// Whatever was asked or is on its way, nobody waits for it any more.
    pub(crate) fn crash(&mut self) {
        (self.machine, self.awaits_head, self.parcel) = (None, false, None);
        self.request += 1;
    }

    pub(crate) fn is_done(&self) -> bool {
        self.machine.as_ref().is_some_and(|machine| machine.acknowledged() == Some(self.head()))
    }

    /// The newest message, beside this log.
    pub(crate) fn seen(&self, newest: &Message) -> Seen {
        let head: Head = newest.head.parse().unwrap();
        let chain = usize::try_from(head.last()).ok().and_then(|last| self.chains.get(last)).copied();
        Seen { place: newest.place, head: Some(head), ends: self.head(), chain }
    }

    /// A parcel of what follows `after`, of so many bytes at most.
    pub(crate) fn cut(&mut self, after: u64, target_bytes: usize) -> Option<Piece> {
        let (mut lines, mut count) = (String::new(), 0);
        while after + u64::from(count) < self.head() && count < MAX_LINES {
            let line = line(self.index, after + u64::from(count) + 1);
            if count > 0 && lines.len() + line.len() > target_bytes {
                break;
            }
            lines += &line;
            count += 1;
        }
        if count == 0 {
            return None;
        }
        let last = after + u64::from(count);
        let chain = self.chains[usize::try_from(last).unwrap()];
        let head = Head { first: after + 1, count, after: mark(&chain), before: (after == 0).then_some(CHAIN_START), gaps: Vec::new() };
        let piece = Piece { last, chain, is_full: count == MAX_LINES };
        self.parcel = Some((head, pack(lines.as_bytes()).unwrap().into(), piece));
        Some(piece)
    }

    pub(crate) fn outgoing(&self) -> Outgoing {
        let (head, payload, _) = self.parcel.as_ref().unwrap();
        Outgoing { subject: subject(self.index), head: head.to_string(), payload: payload.clone() }
    }

    pub(crate) fn was_acknowledged(&mut self, place: u64) {
        let (head, ..) = self.parcel.as_ref().unwrap();
        self.acknowledged.push((place, head.to_string()));
    }
}
