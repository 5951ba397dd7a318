//! What the fold remembers.

use super::aside::Aside;
use super::bounds::{MAX_CONTAINERS, MAX_INCIDENTS, MAX_OPEN, MAX_SUBJECTS, SECOND};
use super::container::{At, Container, Run};
use super::incident::{Incident, Key, Kind, Standing};
use super::outage::Outage;
use super::subject::Subject;
use super::timers::{Timer, Timers};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet, VecDeque};

/// Raised with every change of what the fold concludes: a stored state of another version is folded anew.
pub const VERSION: u32 = 7;

/// All that is remembered of the records so far. Bounded; the same after the same records, however they were
/// cut into portions.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct State {
    pub(super) version: u32,
    /// The newest record that was read.
    pub(super) folded_to: u64,
    /// The latest time that it knows of; of a fleet that of the hub.
    pub(super) clock: i64,
    /// Records before the first one that was read are gone.
    pub(super) cut: bool,
    /// Records in between were left out of the export from which the log was made.
    pub(super) partial: bool,
    /// Records that are missing since the last one that was read.
    pub(super) lost: Option<Lost>,
    /// The same of hosts of a fleet, by name, since the last one of each.
    pub(super) lost_of: BTreeMap<String, Lost>,
    pub(super) sources: BTreeMap<String, Source>,
    /// Whether hosts that are new tell their revisions.
    #[serde(skip)]
    pub(super) telling: Aside,
}

/// What is remembered of one Docker host.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Source {
    pub(super) name: String,
    /// It belongs to a fleet: its clock is that of its host, and only records move it.
    pub(super) in_fleet: bool,
    /// Its own clock: what was received from it, and what time passed.
    pub(super) clock: i64,
    /// No timer runs before it.
    pub(super) hold: i64,
    /// Nobody listens, or it is not known yet what was missed.
    pub(super) blind: bool,
    /// Its daemon's major version, 0 where that is not known.
    pub(super) engine: u32,
    /// What was before the first record of it.
    pub(super) beginning: Beginning,
    /// When the first full look ended.
    /// As [`State::partial`].
    pub(super) partial: bool,
    pub(super) baseline: Option<i64>,
    /// The last full look.
    pub(super) looked: Option<At>,
    pub(super) timers: Timers,
    pub(super) containers: BTreeMap<String, Box<Container>>,
    pub(super) subjects: BTreeMap<String, Box<Subject>>,
    pub(super) incidents: BTreeMap<Key, Incident>,
    pub(super) surroundings: VecDeque<Surrounding>,
    pub(super) gaps: VecDeque<Gap>,
    pub(super) asked: VecDeque<AskedDeath>,
    pub(super) tags: BTreeMap<String, String>,
    pub(super) outage: Option<Outage>,
    /// The newest incident of the host itself.
    pub(super) host: Option<Key>,
    /// Troubles that found no room.
    pub(super) left_out: u64,
    /// Incidents that changed while the present record or timer was read.
    pub(super) touched: BTreeSet<Key>,
    #[serde(skip)]
    pub(super) aside: Aside,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Around {
    Network,
    NetworkGone,
    VolumeGone,
    VolumesPruned,
    VolumeMade,
    Update,
}

/// Something that changed around containers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Surrounding {
    pub(super) at: At,
    /// When it was undone.
    pub(super) until: Option<i64>,
    pub(super) what: Around,
    /// The network, the volume or the subject.
    pub(super) name: String,
    pub(super) text: String,
    /// The container that it happened to.
    pub(super) container: Option<String>,
}

/// A stretch of which events may be missing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Gap {
    pub(super) from: i64,
    pub(super) until: i64,
    pub(super) text: String,
}

/// A death that was asked for, while it may still turn out to be the daemon's own.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct AskedDeath {
    pub(super) container: String,
    pub(super) subject: String,
    pub(super) at: At,
    /// The first signal.
    pub(super) first: At,
    pub(super) notice: Option<Key>,
}

impl Default for State {
    fn default() -> Self {
        Self {
            version: VERSION,
            folded_to: 0,
            clock: i64::MIN,
            cut: false,
            partial: false,
            lost: None,
            lost_of: BTreeMap::new(),
            sources: BTreeMap::new(),
            telling: Aside::default(),
        }
    }
}

impl Source {
    pub(super) fn new(name: &str) -> Self {
        Self {
            name: name.to_owned(),
            in_fleet: false,
            clock: i64::MIN,
            hold: i64::MIN,
            blind: false,
            engine: 0,
            beginning: Beginning::Unknown,
            partial: false,
            baseline: None,
            looked: None,
            timers: Timers::default(),
            containers: BTreeMap::new(),
            subjects: BTreeMap::new(),
            incidents: BTreeMap::new(),
            surroundings: VecDeque::new(),
            gaps: VecDeque::new(),
            asked: VecDeque::new(),
            tags: BTreeMap::new(),
            outage: None,
            host: None,
            left_out: 0,
            touched: BTreeSet::new(),
            aside: Aside::default(),
        }
    }

    /// Lets time pass: what is due happens, each at its own time.
    pub(super) fn run_to(&mut self, now: i64) {
        if now > self.clock {
            self.clock = now;
        }
        if self.blind || now <= self.hold {
            return;
        }
        while let Some((deadline, timer)) = self.timers.pop(now) {
            self.aside.work += 1;
            self.fire(deadline.max(self.hold), timer);
            self.settle();
        }
    }

    fn fire(&mut self, now: i64, timer: Timer) {
        match timer {
            Timer::Death(id) => self.judge(&id, now),
            Timer::Oom(id) => self.oom_without_death(&id, now),
            Timer::Refused(id) => self.start_refused(&id, now),
            Timer::NeverStarted(id) => self.never_started(&id, now),
            Timer::Paused(id) => self.long_pause(&id, now),
            Timer::Down(key) => self.stays_down(key),
            Timer::Recovering(key) => self.change(key, |incident| {
                if incident.standing == Standing::Open {
                    incident.standing = Standing::Recovering;
                }
            }),
            Timer::Well(key) => self.well(key),
            Timer::Final(key) => self.finalize(key),
            Timer::Aftermath(last) => self.aftermath(now, last),
        }
    }

    /// Changes an incident, and notes that it changed.
    pub(super) fn change(&mut self, key: Key, change: impl FnOnce(&mut Incident)) {
        if let Some(incident) = self.incidents.get_mut(&key) {
            let before = incident.mark();
            change(incident);
            if incident.mark() != before {
                self.touched.insert(key);
            }
        }
    }

    /// The incident of a subject that can go on.
    pub(super) fn current(&self, subject: &str) -> Option<&Incident> {
        self.subjects.get(subject)?.incident.and_then(|key| self.incidents.get(&key))
    }

    pub(super) fn current_key(&self, subject: &str) -> Option<Key> {
        self.current(subject).map(|incident| incident.key)
    }

    /// Its incident, if that is not closed, not even for now.
    pub(super) fn open_key(&self, subject: &str) -> Option<Key> {
        self.current(subject).filter(|incident| incident.is_open()).map(|incident| incident.key)
    }

    pub(super) fn is_current(&self, id: &str) -> bool {
        let subject = self.containers.get(id).and_then(|container| self.subjects.get(&container.subject));
        subject.is_some_and(|subject| subject.current.as_deref() == Some(id))
    }

    pub(super) fn subject(&mut self, name: &str) -> &mut Subject {
        let clock = self.clock;
        if self.subjects.len() >= MAX_SUBJECTS && !self.subjects.contains_key(name) {
            self.aside.work += self.subjects.len() as u64;
            let rank = |subject: &Subject| (subject.incident.is_some(), subject.current.is_some(), subject.heard);
            let oldest = lowest(self.subjects.iter().map(|(name, subject)| (rank(subject), name.clone())), MAX_SUBJECTS);
            for name in oldest {
                self.subjects.remove(&name);
            }
        }
        if let Some(subject) = self.subjects.get_mut(name) {
            subject.heard = clock;
        }
        let subject = self.subjects.entry(name.to_owned()).or_default();
        subject.heard = clock;
        subject
    }

    /// Makes room for one more container.
    pub(super) fn make_room(&mut self) {
        if self.containers.len() < MAX_CONTAINERS {
            return;
        }
        self.aside.work += self.containers.len() as u64;
        let rank = |container: &Container| (container.run != Run::Gone, container.is_up(), container.heard);
        let oldest = lowest(self.containers.values().map(|container| (rank(container), container.id.clone())), MAX_CONTAINERS);
        for id in oldest {
            // Whom it stood for is as long ago, unless there is an incident of it.
            let of = self.containers.get(&id).map(|container| container.subject.clone()).unwrap_or_default();
            let stands = |subject: &Subject| subject.incident.is_none() && subject.current.as_deref().is_none_or(|current| current == id);
            if self.subjects.get(&of).is_some_and(|subject| stands(subject)) {
                self.subjects.remove(&of);
            }
            self.forget(&id);
        }
    }

    /// Forgets a container that is gone.
    pub(super) fn forget(&mut self, id: &str) {
        self.containers.remove(id);
        for timer in [Timer::Death, Timer::Oom, Timer::Refused, Timer::NeverStarted, Timer::Paused] {
            self.timers.disarm(&timer(id.to_owned()));
        }
    }

    /// A key that no other incident has. `None`: there is no room for one more.
    pub(super) fn free_key(&mut self, seq: u64, letter: u8, kind: Kind) -> Option<Key> {
        if self.incidents.len() >= MAX_OPEN {
            self.aside.work += self.incidents.len() as u64;
        }
        let open = || self.incidents.values().filter(|incident| incident.is_open()).count();
        if self.incidents.len() >= MAX_OPEN && kind > Kind::JobFailed && open() >= MAX_OPEN {
            self.left_out += 1;
            return None;
        }
        if self.incidents.len() >= MAX_INCIDENTS {
            // What may still go on only where nothing else can go.
            let closed = |settled: bool| {
                self.incidents.values().find(|incident| !incident.is_open() && (incident.provisional.is_none() || !settled))
            };
            if let Some(key) = closed(true).or_else(|| closed(false)).map(|incident| incident.key) {
                self.incidents.remove(&key);
            }
        }
        (letter..=b'z').chain(b'a'..letter).map(|letter| Key { seq, letter }).find(|key| !self.incidents.contains_key(key))
    }

    /// Puts in a new incident.
    pub(super) fn open(&mut self, mut incident: Incident) -> Key {
        let key = incident.key;
        for gap in &self.gaps {
            if incident.kind != Kind::Host && gap.meets(incident.start, incident.end.unwrap_or(self.clock)) {
                incident.qualify(&gap.text);
            }
        }
        if incident.kind != Kind::Host && self.baseline.is_none_or(|baseline| incident.start < baseline) {
            match self.beginning {
                Beginning::Unknown => {}
                Beginning::Recording => incident.qualify(BEFORE),
                Beginning::Cut => incident.qualify(BEFORE_KEPT),
            }
        }
        if self.partial {
            incident.qualify(LEFT_OUT);
        }
        self.incidents.insert(key, incident);
        self.touched.insert(key);
        key
    }
}

/// The lowest of all, a part of `max`: room is made for many at once, so that it costs little for each.
fn lowest<R: Ord>(all: impl Iterator<Item = (R, String)>, max: usize) -> Vec<String> {
    let mut all: Vec<(R, String)> = all.collect();
    all.sort_unstable();
    all.into_iter().take(max / 64 + 1).map(|(_, name)| name).collect()
}

/// Why an incident that began before the recording is not sure.
pub(super) const BEFORE: &str = "it may have begun before the recording";
/// Why one that began before the oldest record that is kept is not sure.
pub(super) const BEFORE_KEPT: &str = "it may have begun before the records that are kept";
/// Why nothing is sure in a log that was made of a part of another.
pub(super) const LEFT_OUT: &str = "events may be missing: the export from which this log was made left records out";

/// What was before the first record of a Docker host.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Beginning {
    /// Nothing tells.
    Unknown,
    /// Recording began there.
    Recording,
    /// Records that are gone.
    Cut,
}

/// Records that are missing in the log itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Lost {
    /// How many.
    pub(super) count: u64,
    /// When the one before them was received.
    pub(super) from: i64,
}

impl Gap {
    pub(super) fn meets(&self, start: i64, end: i64) -> bool {
        let near = super::bounds::NEAR_GAP;
        self.until >= start.saturating_sub(near) && self.from <= end.saturating_add(near)
    }

    /// Words for a gap that someone reads beside an incident.
    pub(super) fn text(reason: &str, from: i64, until: i64) -> String {
        format!("events may be missing: {reason}, {} s", until.saturating_sub(from).max(0) / SECOND)
    }
}
