//! A server: the fold, and a log of which a crash leaves what was on the disk. How it goes on after the hub
//! has lost something is in `parting.rs`.

use crate::hub::Hub;
use crate::lines::TENANT;
use crate::setup::{Sabotage, Setup};
use rand::RngExt as _;
use rand::rngs::StdRng;
use shipslog::cursor::LogId;
use shipslog::follow::{Earlier, Note, State, step};
use shipslog::log::FleetRecord;
use shipslog::stream::{Message, Subject};
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::rc::Rc;

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
    /// Whether its hub may lose messages; only then is the rest kept.
    loses: bool,
    sabotage: Option<Sabotage>,
    /// The messages that are folded, and how many records there are after each.
    pub(super) messages: Vec<(Rc<Message>, usize)>,
    /// The newest message that the hub was seen to have, until a crash.
    pub(super) witness: Option<Rc<Message>>,
    /// The ids of the log, the last of which has no end yet.
    pub(crate) ids: Vec<Earlier>,
    /// So many records were compared.
    compared: usize,
}

impl Server {
    pub(crate) fn new(setup: &Setup) -> Self {
        let state = State::begin(TENANT, 0);
        Self {
            up: true,
            life: 0,
            node: None,
            at: 0,
            records: Vec::new(),
            durable: 0,
            safe: (state.clone(), 0),
            shown: 0,
            loses: setup.loses,
            sabotage: setup.sabotage,
            messages: Vec::new(),
            witness: None,
            ids: vec![newest(LogId::from_bytes([0xf1; 16]))],
            compared: 0,
            state,
        }
    }

    /// The id of a record, and of the one to come.
    pub(crate) fn id_at(&self, at: usize) -> LogId {
        self.ids.iter().find(|id| (at as u64) < id.last).unwrap().fleet
    }

    /// What has come to its disk since this was asked last: the id, the place in the log, and the record.
    pub(crate) fn given(&mut self) -> Vec<(LogId, usize, Seen)> {
        let new = self.compared.min(self.durable)..self.durable;
        self.compared = new.end;
        new.map(|at| (self.id_at(at), at, self.records[at])).collect()
    }

    /// Keeps the first `kept` messages, and folds these again.
    pub(super) fn go_back(&mut self, kept: usize) -> Result<(), String> {
        self.messages.truncate(kept);
        self.state = State::begin(TENANT, 0);
        for (message, _) in &self.messages {
            step(&mut self.state, message).map_err(|error| error.to_string())?;
        }
        self.at = self.messages.last().map_or(0, |(_, records)| *records);
        self.records.truncate(self.at);
        (self.durable, self.safe) = (self.at, (self.state.clone(), self.at));
        (self.shown, self.compared) = (self.shown.min(self.at), self.compared.min(self.at));
        Ok(())
    }

    pub(crate) fn place(&self) -> u64 {
        self.state.place
    }

    pub(crate) fn leave_node(&mut self) {
        self.node = None;
    }

    /// Takes what its node has.
    pub(crate) fn pull(&mut self, hub: &mut Hub, random: &mut StdRng, now: u64) -> Result<(), String> {
        if self.loses && self.lacks(hub) {
            // It takes a while until that is believed.
            return if random.random_ratio(1, 4) { self.part(hub, random, now) } else { Ok(()) };
        }
        if self.node.is_none_or(|node| !hub.nodes[node].up || hub.nodes[node].cut) {
            self.node = hub.any(random);
        }
        let Some(node) = self.node else { return Ok(()) };
        if self.loses {
            self.witness = hub.stored.last().cloned();
        }
        let from = usize::try_from(self.state.place).unwrap();
        let until = hub.nodes[node].has.min(from + random.random_range(1..=MOST));
        for message in hub.stored.get(from..until).unwrap_or_default() {
            if matches!(message.subject, Subject::Epoch { .. }) && self.sabotage != Some(Sabotage::MissesEpochs) {
                // Only the newest one counts.
                let newest = hub.newest_epoch().filter(|epoch| !self.ids.iter().any(|id| id.fleet == epoch.fleet));
                if let Some(epoch) = newest {
                    return self.go_on(hub, &epoch);
                }
            }
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
            if self.loses {
                self.messages.push((Rc::clone(message), self.at));
            }
        }
        if random.random_ratio(1, 4) {
            self.sync(random);
        }
        Ok(())
    }

    /// Some of what was folded reaches the disk, perhaps half of a message.
    fn sync(&mut self, random: &mut StdRng) {
        // One that may have to go back to a message keeps whole messages.
        let least = if self.loses { self.records.len() } else { self.durable };
        self.durable = random.random_range(least..=self.records.len());
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
        self.messages.truncate(usize::try_from(self.state.place).unwrap());
        (self.up, self.node, self.witness) = (false, None, None);
        self.life += 1;
    }
}

/// An id that has no end yet.
pub(super) fn newest(fleet: LogId) -> Earlier {
    Earlier { fleet, at: u64::MAX, last: u64::MAX }
}
