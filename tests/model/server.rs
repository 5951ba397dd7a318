//! A server: the fold, and a log of which a crash leaves what was on the disk.

use crate::hub::Hub;
use crate::lines::TENANT;
use rand::RngExt as _;
use rand::rngs::StdRng;
use shipslog::cursor::LogId;
use shipslog::follow::{Note, State, step};
use shipslog::log::FleetRecord;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};

/// Messages that are taken at a time, at most.
const MOST: usize = 64;

/// A record of the fleet's log, to compare it by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Seen {
    hash: u64,
    /// The host's log and the sequence there.
    pub(crate) log: u32,
    pub(crate) seq: u64,
}

impl Seen {
    fn of(record: &FleetRecord, seq: u64) -> Self {
        let mut hasher = DefaultHasher::new();
        record.to_line(LogId::from_bytes([0xf1; 16]), seq).hash(&mut hasher);
        Self { hash: hasher.finish(), log: record.origin.id.log, seq: record.origin.id.seq }
    }
}

pub(crate) struct Server {
    pub(crate) up: bool,
    /// Rises with each crash.
    pub(crate) life: u64,
    node: Option<usize>,
    state: State,
    /// Where the fold is in `records`.
    at: usize,
    pub(crate) records: Vec<Seen>,
    /// So many are on the disk.
    pub(crate) durable: usize,
    /// The fold at a message that is on the disk.
    safe: (State, usize),
    /// The most that it has shown to anybody.
    pub(crate) shown: usize,
}

impl Server {
    pub(crate) fn new() -> Self {
        let state = State::begin(TENANT, 0);
        Self { up: true, life: 0, node: None, at: 0, records: Vec::new(), durable: 0, safe: (state.clone(), 0), shown: 0, state }
    }

    pub(crate) fn place(&self) -> u64 {
        self.state.place
    }

    pub(crate) fn leave_node(&mut self) {
        self.node = None;
    }

    /// Takes what its node has.
    pub(crate) fn pull(&mut self, hub: &Hub, random: &mut StdRng) -> Result<(), String> {
        if self.node.is_none_or(|node| !hub.nodes[node].up || hub.nodes[node].cut) {
            self.node = hub.any(random);
        }
        let Some(node) = self.node else { return Ok(()) };
        let from = usize::try_from(self.state.place).unwrap();
        let until = hub.nodes[node].has.min(from + random.random_range(1..=MOST));
        for message in hub.stored.get(from..until).unwrap_or_default() {
            let folded = step(&mut self.state, message).map_err(|error| error.to_string())?;
            match folded.notes.first() {
                None => {}
                Some(Note::Repeated(key, sequences)) => return Err(format!("{key:?} {sequences:?} is stored twice")),
                Some(note) => return Err(format!("the fold of message {} tells {note:?}", message.place)),
            }
            for record in &folded.records {
                let seen = Seen::of(record, self.at as u64 + 1);
                match self.records.get(self.at) {
                    Some(known) if *known != seen => return Err(format!("record {} is another one after a crash", self.at + 1)),
                    Some(_) => {}
                    None => self.records.push(seen),
                }
                self.at += 1;
            }
        }
        if random.random_ratio(1, 4) {
            self.sync(random);
        }
        Ok(())
    }

    /// Some of what was folded reaches the disk, perhaps half of a message.
    fn sync(&mut self, random: &mut StdRng) {
        self.durable = random.random_range(self.durable..=self.records.len());
        if self.durable == self.records.len() && self.at == self.durable {
            self.safe = (self.state.clone(), self.at);
        }
    }

    /// All of it does.
    pub(crate) fn flush(&mut self) {
        self.durable = self.records.len();
    }

    pub(crate) fn crash(&mut self) {
        self.records.truncate(self.durable);
        (self.state, self.at) = self.safe.clone();
        (self.up, self.node) = (false, None);
        self.life += 1;
    }
}
