//! The hub as its clients see it: one order, compare-and-set on each subject, an acknowledgement once a
//! quorum has a message. What was not acknowledged when a leader went may be stored or not.

use crate::lines::{BEGIN, TENANT};
use crate::setup::{Sabotage, Setup};
use rand::RngExt as _;
use rand::rngs::StdRng;
use shipslog::follow::Epoch;
use shipslog::stream::{Message, Outgoing, Subject};
use shipslog::time::Timestamp;
use std::collections::{HashMap, VecDeque};
use std::rc::Rc;

/// Whose request it is: a host, and which of its requests.
pub(crate) type Asked = (usize, u64);

/// What a node answers to a publish at once.
pub(crate) enum Answer {
    Unavailable,
    Conflict,
    /// It is answered when a quorum has it.
    Later,
    Stored(u64),
}

struct Pending {
    message: Rc<Message>,
    asked: Asked,
}

#[derive(Debug, Clone, Default)]
pub(crate) struct Node {
    pub(crate) up: bool,
    /// Cut off from the others and from clients.
    pub(crate) cut: bool,
    /// So many messages it has.
    pub(crate) has: usize,
    /// How wrong its clock is, in nanoseconds.
    pub(crate) skew: i64,
    /// What a write takes beyond the usual.
    pub(crate) slow: u64,
}

impl Node {
    fn is_sound(&self) -> bool {
        self.up && !self.cut
    }
}

pub(crate) struct Hub {
    /// What a quorum has; the place is the index and one.
    pub(crate) stored: Vec<Rc<Message>>,
    pending: VecDeque<Pending>,
    /// Places of each subject's messages, those that wait included.
    places: HashMap<Subject, Vec<u64>>,
    pub(crate) nodes: Vec<Node>,
    pub(crate) leader: Option<usize>,
    /// How often it has lost its tail.
    pub(crate) losses: u64,
    sabotage: Option<Sabotage>,
}

impl Hub {
    pub(crate) fn new(setup: &Setup) -> Self {
        let nodes = vec![Node { up: true, ..Node::default() }; setup.nodes];
        Self {
            stored: Vec::new(),
            pending: VecDeque::new(),
            places: HashMap::new(),
            nodes,
            leader: Some(0),
            losses: 0,
            sabotage: setup.sabotage,
        }
    }

    fn has_quorum(&self) -> bool {
        2 * self.nodes.iter().filter(|node| node.is_sound()).count() > self.nodes.len()
    }

    pub(crate) fn waits(&self) -> bool {
        !self.pending.is_empty()
    }

    /// A node that answers, if there is one.
    pub(crate) fn any(&self, random: &mut StdRng) -> Option<usize> {
        let sound: Vec<usize> = (0..self.nodes.len()).filter(|node| self.nodes[*node].is_sound()).collect();
        (!sound.is_empty()).then(|| sound[random.random_range(0..sound.len())])
    }

    pub(crate) fn publish(&mut self, node: usize, asked: Asked, message: Outgoing, expected: u64, now: u64) -> Answer {
        let Some(leader) = self.leader.filter(|_| self.nodes[node].is_sound()) else { return Answer::Unavailable };
        let places = self.places.entry(message.subject.clone()).or_default();
        if places.last().copied().unwrap_or(0) != expected && self.sabotage != Some(Sabotage::ComparesNothing) {
            return Answer::Conflict;
        }
        let place = (self.stored.len() + self.pending.len() + 1) as u64;
        places.push(place);
        let arrived = Timestamp::from_nanos(BEGIN + i64::try_from(now).unwrap() + self.nodes[leader].skew);
        let Outgoing { subject, head, payload } = message;
        self.pending.push_back(Pending { message: Rc::new(Message { place, arrived, subject, head, payload }), asked });
        if self.sabotage == Some(Sabotage::AcknowledgesEarly) { Answer::Stored(place) } else { Answer::Later }
    }

    /// What the next write to a quorum takes.
    pub(crate) fn write_takes(&self, random: &mut StdRng) -> u64 {
        let mut slow: Vec<u64> = self.nodes.iter().filter(|node| node.is_sound()).map(|node| node.slow).collect();
        slow.sort_unstable();
        random.random_range(200_000..3_000_000) + slow.get(self.nodes.len() / 2).copied().unwrap_or(0)
    }

    /// A quorum has the oldest message that waits.
    pub(crate) fn commit(&mut self) -> Option<(Asked, u64)> {
        let leader = self.leader.filter(|_| self.has_quorum())?;
        let Pending { message, asked } = self.pending.pop_front()?;
        let place = message.place;
        self.stored.push(message);
        self.nodes[leader].has = self.stored.len();
        Some((asked, place))
    }

    /// The leader is gone. Some of what waits was on a quorum already; the rest never was.
    pub(crate) fn lose_leader(&mut self, random: &mut StdRng) {
        self.leader = None;
        let kept = if self.sabotage == Some(Sabotage::AcknowledgesEarly) { 0 } else { random.random_range(0..=self.pending.len()) };
        for Pending { message, .. } in self.pending.drain(..kept) {
            self.stored.push(message);
        }
        for Pending { message, .. } in self.pending.drain(..).rev() {
            self.places.get_mut(&message.subject).unwrap().pop();
        }
    }

    /// Its stores are put back to an older copy: it forgets what came after the first `kept` messages, and
    /// what waits.
    pub(crate) fn lose_tail(&mut self, kept: usize) {
        (self.leader, self.losses) = (None, self.losses + 1);
        self.pending.clear();
        self.stored.truncate(kept);
        self.nodes.iter_mut().for_each(|node| node.has = node.has.min(kept));
        self.places.values_mut().for_each(|places| places.retain(|place| *place <= kept as u64));
    }

    /// Whether it has this message.
    pub(crate) fn has(&self, message: &Message) -> bool {
        let at = usize::try_from(message.place - 1).unwrap();
        self.stored.get(at).is_some_and(|stored| std::ptr::eq(Rc::as_ptr(stored), message))
    }

    /// The newest epoch that it has.
    pub(crate) fn newest_epoch(&self) -> Option<Epoch> {
        let place = self.places.get(&Subject::epoch(TENANT).unwrap())?.last()?;
        Some(Epoch::of_message(&self.stored[usize::try_from(place - 1).unwrap()]).unwrap())
    }

    /// Stores a server's message, if its leader has nothing else to do.
    pub(crate) fn tell(&mut self, message: Outgoing, now: u64) -> bool {
        let Some(leader) = self.leader.filter(|_| self.has_quorum() && self.pending.is_empty()) else { return false };
        let place = self.stored.len() as u64 + 1;
        self.places.entry(message.subject.clone()).or_default().push(place);
        let arrived = Timestamp::from_nanos(BEGIN + i64::try_from(now).unwrap() + self.nodes[leader].skew);
        let Outgoing { subject, head, payload } = message;
        self.stored.push(Rc::new(Message { place, arrived, subject, head, payload }));
        self.nodes[leader].has = self.stored.len();
        true
    }

    pub(crate) fn elect(&mut self, random: &mut StdRng) {
        if self.leader.is_none() && self.has_quorum() {
            self.leader = self.any(random);
            self.leader.iter().for_each(|leader| self.nodes[*leader].has = self.stored.len());
        }
    }

    pub(crate) fn catch_up(&mut self, node: usize, random: &mut StdRng) {
        if self.nodes[node].is_sound() && self.leader.is_some() {
            let lacks = self.stored.len() - self.nodes[node].has;
            self.nodes[node].has += if self.leader == Some(node) { lacks } else { random.random_range(0..=lacks) };
        }
    }

    /// The newest message of a subject that a node has, which may lag.
    pub(crate) fn newest(&self, node: usize, subject: &Subject) -> Option<Rc<Message>> {
        let has = self.nodes[node].has as u64;
        let place = self.places.get(subject)?.iter().rev().find(|place| **place <= has)?;
        Some(Rc::clone(&self.stored[usize::try_from(place - 1).unwrap()]))
    }
}
