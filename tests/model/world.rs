//! Everything that happens, in the order of its time.

use crate::end::follows;
use crate::host::Host;
use crate::hub::{Answer, Hub};
use crate::lines::subject;
use crate::readers;
use crate::server::{Seen, Server};
use crate::setup::{MS, SECOND, Setup};
use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng as _};
use shipslog::cursor::LogId;
use shipslog::forward::machine::{Action, Event, Machine, Trouble};
use shipslog::stream::Outgoing;
use std::collections::{BTreeMap, HashMap, HashSet};

/// For so long a client waits for an answer.
const ANSWER: u64 = 10 * SECOND;
/// After the last fault, everything must be everywhere within so long.
const PATIENCE: u64 = 3600 * SECOND;
/// Bytes that the hub takes in one message.
const MAX_BYTES: usize = 1 << 20;

#[derive(Debug)]
pub(crate) enum Job {
    Record(usize),
    /// The answer to a host's request comes.
    Tell(usize, u64, Event),
    /// A host's request comes to a node.
    Reach(usize, u64, usize, Request),
    StartHost(usize),
    RejoinHost(usize),
    Commit,
    Elect,
    CatchUp(usize),
    StartNode(usize),
    RejoinNode(usize),
    Quicken(usize),
    Pull(usize, u64),
    StartServer(usize),
    Read(usize),
    Fault,
    Look,
}

#[derive(Debug)]
pub(crate) enum Request {
    Connect,
    Newest,
    Publish(Outgoing, u64),
}

/// What happened in a schedule.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub(crate) struct Told {
    pub(crate) records: u64,
    pub(crate) messages: u64,
    pub(crate) acknowledged: u64,
    pub(crate) faults: u64,
    /// Tails that the hub lost, and ids that the fleet's log got by that.
    pub(crate) losses: u64,
    pub(crate) ids: u64,
    pub(crate) steps: u64,
    /// Of the records of the fleet, in order.
    pub(crate) digest: u64,
}

impl Told {
    pub(crate) fn add(&mut self, other: &Self) {
        self.records += other.records;
        self.messages += other.messages;
        self.acknowledged += other.acknowledged;
        self.faults += other.faults;
        self.losses += other.losses;
        self.ids += other.ids;
        self.steps += other.steps;
    }
}

pub(crate) struct World<'a> {
    pub(crate) setup: &'a Setup,
    pub(crate) random: StdRng,
    pub(crate) now: u64,
    pub(crate) jobs: BTreeMap<(u64, u64), Job>,
    pub(crate) hosts: Vec<Host>,
    pub(crate) hub: Hub,
    pub(crate) commits: bool,
    pub(crate) servers: Vec<Server>,
    pub(crate) cursors: Vec<usize>,
    /// The fleet's log, as the first server that came so far has it.
    pub(crate) log: Vec<Seen>,
    /// The next record of each host in it.
    pub(crate) next: Vec<u64>,
    /// By the id under which any server had it: what was a record.
    pub(crate) given: HashMap<(LogId, usize), Vec<Seen>>,
    /// Of these, what the hub lost before it lost something else, and nobody had told between.
    pub(crate) untold: HashSet<(LogId, usize)>,
    pub(crate) told: Told,
}

/// Runs a schedule to its end.
///
/// # Errors
/// The promise that was broken.
pub(crate) fn run(setup: &Setup) -> Result<Told, String> {
    let mut world = World::new(setup);
    while let Some(((now, _), job)) = world.jobs.pop_first() {
        world.now = now;
        world.told.steps += 1;
        if world.perform(job)? {
            return world.end();
        }
        if now > setup.time + PATIENCE {
            return Err(format!("not done an hour after the last fault: {}", world.unfinished()));
        }
    }
    Err("nothing happens any more".to_owned())
}

impl<'a> World<'a> {
    fn new(setup: &'a Setup) -> Self {
        let mut world = Self {
            setup,
            random: StdRng::seed_from_u64(setup.seed),
            now: 0,
            jobs: BTreeMap::new(),
            hosts: (0..setup.hosts).map(Host::new).collect(),
            hub: Hub::new(setup),
            commits: false,
            servers: (0..setup.servers).map(|_| Server::new(setup)).collect(),
            cursors: vec![0; setup.readers],
            log: Vec::new(),
            next: vec![1; setup.hosts],
            given: HashMap::new(),
            untold: HashSet::new(),
            told: Told::default(),
        };
        for host in 0..setup.hosts {
            world.soon(SECOND, Job::StartHost(host));
            for _ in 0..world.random.random_range(1..=setup.records) {
                world.soon(setup.time, Job::Record(host));
            }
        }
        (0..setup.nodes).for_each(|node| world.soon(50 * MS, Job::CatchUp(node)));
        (0..setup.servers).for_each(|server| world.soon(SECOND, Job::Pull(server, 0)));
        (0..setup.readers).for_each(|reader| world.soon(SECOND, Job::Read(reader)));
        world.soon(setup.fault_every, Job::Fault);
        if setup.loses {
            // With its next record a host hears of what was lost.
            (0..setup.hosts).for_each(|host| world.later(setup.time, Job::Record(host)));
        }
        world.later(setup.time, Job::Look);
        world
    }

    pub(crate) fn later(&mut self, wait: u64, job: Job) {
        let order = self.told.steps << 20 | self.jobs.len() as u64;
        let mut at = (self.now + wait, order);
        while self.jobs.contains_key(&at) {
            at.1 += 1;
        }
        self.jobs.insert(at, job);
    }

    pub(crate) fn soon(&mut self, within: u64, job: Job) {
        let wait = self.random.random_range(0..within);
        self.later(wait, job);
    }

    /// How long something is on its way; nothing if it is lost.
    fn way(&mut self) -> Option<u64> {
        if self.random.random_ratio(self.setup.lost, 1000) {
            return None;
        }
        let late = self.random.random_ratio(self.setup.late, 1000);
        // Places come again after a loss: what outlives its connection may be stored where it is not meant.
        let latest = if self.setup.loses { ANSWER } else { 20 * SECOND };
        Some(if late { self.random.random_range(SECOND..latest) } else { self.random.random_range(100_000..30 * MS) })
    }

    /// Whether all is done.
    fn perform(&mut self, job: Job) -> Result<bool, String> {
        match job {
            Job::Record(host) => {
                self.hosts[host].record();
                if std::mem::take(&mut self.hosts[host].awaits_head) {
                    self.step(host, Event::Moved);
                }
            }
            Job::Tell(host, request, event) => {
                if self.hosts[host].request == request {
                    self.step(host, event);
                }
            }
            Job::Reach(host, request, node, asked) => self.reach(host, request, node, asked),
            Job::StartHost(host) => self.start_host(host),
            Job::RejoinHost(host) => self.hosts[host].cut = false,
            Job::Commit => self.commit(),
            Job::Elect => {
                self.hub.elect(&mut self.random);
                if self.hub.leader.is_none() {
                    self.soon(SECOND, Job::Elect);
                }
            }
            Job::CatchUp(node) => {
                self.hub.catch_up(node, &mut self.random);
                self.soon(100 * MS, Job::CatchUp(node));
            }
            Job::StartNode(node) => self.hub.nodes[node].up = true,
            Job::RejoinNode(node) => self.hub.nodes[node].cut = false,
            Job::Quicken(node) => self.hub.nodes[node].slow = 0,
            Job::Pull(server, life) => self.pull(server, life)?,
            Job::StartServer(server) => {
                self.servers[server].up = true;
                let life = self.servers[server].life;
                self.soon(SECOND, Job::Pull(server, life));
            }
            Job::Read(reader) => {
                readers::read(&mut self.cursors[reader], &mut self.servers, &mut self.random, self.setup.sabotage)?;
                self.soon(500 * MS, Job::Read(reader));
            }
            Job::Fault => self.fault(),
            Job::Look => {
                self.later(SECOND, Job::Look);
                return Ok(self.is_done());
            }
        }
        Ok(false)
    }

    // The hosts.

    fn start_host(&mut self, host: usize) {
        if self.hosts[host].machine.is_none() {
            let mut machine = Machine::new(0);
            let action = machine.connect();
            self.hosts[host].machine = Some(machine);
            self.act(host, &action);
        }
    }

    fn step(&mut self, host: usize, event: Event) {
        if let Event::Acknowledged(place) = &event {
            // The hub may have lost it while the answer was on its way.
            let stored = usize::try_from(*place - 1).ok().and_then(|at| self.hub.stored.get(at));
            if self.hub.losses == 0
                || stored.is_some_and(|stored| stored.head == self.hosts[host].outgoing().head && stored.subject == subject(host))
            {
                self.hosts[host].was_acknowledged(*place);
            }
            self.told.acknowledged += 1;
        }
        let head = self.hosts[host].head();
        let Some(machine) = &mut self.hosts[host].machine else { return };
        let action = machine.next(event, head);
        self.act(host, &action);
    }

    fn act(&mut self, host: usize, action: &Action) {
        self.hosts[host].request += 1;
        let request = self.hosts[host].request;
        match *action {
            Action::Connect => self.ask(host, Request::Connect),
            Action::ReadPlace => self.ask(host, Request::Newest),
            Action::Publish { expected } => {
                let outgoing = self.hosts[host].outgoing();
                self.ask(host, Request::Publish(outgoing, expected));
            }
            Action::Cut { after, target_bytes, .. } => {
                let piece = self.hosts[host].cut(after, target_bytes);
                self.soon(2 * MS, Job::Tell(host, request, Event::Cut(piece)));
            }
            Action::Wait { least, jitter } => {
                let (least, jitter) = (u64::try_from(least.as_nanos()).unwrap(), u64::try_from(jitter.as_nanos()).unwrap());
                let wait = least + self.random.random_range(0..=jitter);
                self.later(wait, Job::Tell(host, request, Event::Elapsed));
            }
            Action::AwaitHead => self.hosts[host].awaits_head = true,
            Action::Fork => panic!("host {host}: its log has no clone, and the hub has lost nothing"),
        }
    }

    fn ask(&mut self, host: usize, asked: Request) {
        let request = self.hosts[host].request;
        let lost = Trouble::Unanswered("no answer".to_owned());
        self.later(ANSWER, Job::Tell(host, request, Event::Failed(lost)));
        let node = self.hub.any(&mut self.random);
        match node.filter(|_| !self.hosts[host].cut) {
            Some(node) => {
                if let Some(wait) = self.way() {
                    self.later(wait, Job::Reach(host, request, node, asked));
                }
            }
            // A refused connection is known sooner than one that nobody answers.
            None if self.random.random_ratio(1, 2) => self.soon(SECOND, Job::Tell(host, request, Event::Failed(away()))),
            None => {}
        }
    }

    fn reach(&mut self, host: usize, request: u64, node: usize, asked: Request) {
        let is_sound = self.hub.nodes[node].up && !self.hub.nodes[node].cut;
        let event = match asked {
            _ if !is_sound => return,
            Request::Connect => Event::Connected(MAX_BYTES),
            Request::Newest => match self.hub.newest(node, &subject(host)) {
                Some(newest) => Event::Place(self.hosts[host].seen(&newest)),
                None => Event::Nowhere(None),
            },
            Request::Publish(outgoing, expected) => match self.hub.publish(node, (host, request), outgoing, expected, self.now) {
                Answer::Unavailable => Event::Failed(away()),
                Answer::Conflict => Event::Failed(Trouble::Conflict),
                Answer::Stored(place) => {
                    self.begin_commits();
                    Event::Acknowledged(place)
                }
                Answer::Later => return self.begin_commits(),
            },
        };
        self.answer(host, request, event);
    }

    fn answer(&mut self, host: usize, request: u64, event: Event) {
        if !self.hosts[host].cut
            && let Some(wait) = self.way()
        {
            self.later(wait, Job::Tell(host, request, event));
        }
    }

    // The hub.

    fn begin_commits(&mut self) {
        if !std::mem::replace(&mut self.commits, true) {
            let takes = self.hub.write_takes(&mut self.random);
            self.later(takes, Job::Commit);
        }
    }

    fn commit(&mut self) {
        self.commits = false;
        match self.hub.commit() {
            Some(((host, request), place)) => self.answer(host, request, Event::Acknowledged(place)),
            None if self.hub.waits() => {
                self.commits = true;
                return self.soon(SECOND, Job::Commit);
            }
            None => {}
        }
        if self.hub.waits() {
            self.begin_commits();
        }
    }

    // The servers.

    fn pull(&mut self, server: usize, life: u64) -> Result<(), String> {
        if self.servers[server].life != life || !self.servers[server].up {
            return Ok(());
        }
        let before = self.servers[server].durable;
        self.servers[server].pull(&mut self.hub, &mut self.random, self.now).map_err(|broken| format!("server {server}: {broken}"))?;
        self.compare(server, before)?;
        if self.random.random_ratio(1, 50) {
            self.servers[server].leave_node();
        }
        self.soon(300 * MS, Job::Pull(server, life));
        Ok(())
    }

    /// What a server has is what every other has, and of each host everything once and in order.
    fn compare(&mut self, server: usize, from: usize) -> Result<(), String> {
        if self.setup.loses {
            // Which of them stay, only the end shows.
            for (id, at, seen) in self.servers[server].given() {
                let known = self.given.entry((id, at)).or_default();
                if !known.contains(&seen) {
                    known.push(seen);
                }
            }
            return Ok(());
        }
        let records = &self.servers[server].records;
        for (at, seen) in records.iter().enumerate().skip(from) {
            match self.log.get(at) {
                Some(known) if known == seen => {}
                Some(known) => return Err(format!("record {} is {known:?} on one server and {seen:?} on server {server}", at + 1)),
                None => {
                    follows(&mut self.next, seen, at)?;
                    self.log.push(*seen);
                }
            }
        }
        Ok(())
    }
}

fn away() -> Trouble {
    Trouble::Unavailable("no node leads".to_owned())
}
