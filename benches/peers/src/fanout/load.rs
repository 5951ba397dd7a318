//! Publishing to a crowd, and what came of it.

use super::crowd::Crowd;
use super::event::event;
use super::machine::{Cpu, nanos};
use super::server::Server;
use std::time::{Duration, Instant};

/// Events that nobody measures, so that everything is in place.
const WARM: u64 = 20;
/// A stall this long is an error.
const PATIENCE: Duration = Duration::from_mins(1);
const WAIT: Duration = Duration::from_millis(100);

pub(super) struct Outcome {
    /// Deliveries a second.
    pub(super) rate: f64,
    /// Processor seconds of the server for a million deliveries.
    pub(super) cpu: f64,
    /// How much of a core the clients took: near 1 they are what is measured.
    pub(super) clients: f64,
    /// In milliseconds.
    pub(super) p50: f64,
    pub(super) p99: f64,
}

struct Load<'a> {
    server: &'a mut Server,
    crowd: Crowd,
    /// Events, so far.
    published: u64,
}

impl<'a> Load<'a> {
    fn start(server: &'a mut Server, clients: usize) -> Self {
        let crowd = Crowd::connect(server, clients);
        let mut load = Self { server, crowd, published: 0 };
        for _ in 0..WARM {
            load.publish();
            load.drain();
        }
        load
    }

    fn publish(&mut self) {
        self.server.publish(&event(self.published));
        self.published += 1;
    }

    fn step(&mut self, wait: Duration) {
        if self.crowd.step(wait) {
            self.server.take_answers();
        }
    }

    fn outstanding(&self) -> u64 {
        self.published * self.crowd.len() - self.crowd.deliveries
    }

    /// Waits until everybody has everything. More than that would be a repeat, which the clients look for.
    fn drain(&mut self) {
        let (mut before, mut progress) = (self.outstanding(), Instant::now());
        while before > 0 || !self.server.can_publish() {
            self.step(WAIT);
            if self.outstanding() < before {
                (before, progress) = (self.outstanding(), Instant::now());
            }
            assert!(progress.elapsed() < PATIENCE, "{}: {before} deliveries are missing", self.server.name);
        }
    }
}

/// As fast as it goes with so many events outstanding.
pub(super) fn saturate(server: &mut Server, clients: usize, window: u64, time: Duration) -> Outcome {
    let mut load = Load::start(server, clients);
    let own = [std::process::id()];
    let (began, cpu, clients, before) = (Instant::now(), load.server.cpu(), Cpu::now(&own), load.crowd.deliveries);
    while began.elapsed() < time {
        while load.server.can_publish() && load.outstanding() <= (window - 1) * load.crowd.len() {
            load.publish();
        }
        load.step(WAIT);
    }
    let (time, cpu, deliveries) = (began.elapsed(), load.server.cpu().since(&cpu), load.crowd.deliveries - before);
    let clients = Cpu::now(&own).since(&clients).as_secs_f64() / time.as_secs_f64();
    load.drain();
    drop(load);
    server.settle();
    let deliveries = deliveries as f64;
    Outcome { rate: deliveries / time.as_secs_f64(), cpu: cpu.as_secs_f64() / deliveries * 1e6, clients, p50: f64::NAN, p99: f64::NAN }
}

/// At a steady rate, whether they can follow or not.
pub(super) fn pace(server: &mut Server, clients: usize, rate: u64, time: Duration) -> Outcome {
    pace_among(server, clients, rate, time, |_| ())
}

/// The same when others have come after them.
pub(super) fn pace_among<T>(server: &mut Server, clients: usize, rate: u64, time: Duration, others: impl FnOnce(&Server) -> T) -> Outcome {
    let mut load = Load::start(server, clients);
    let others = others(load.server);
    let count = rate * time.as_secs();
    let period = 1_000_000_000 / rate;
    load.crowd.delays = Some(Vec::with_capacity(usize::try_from(count).unwrap() * clients));
    let own = [std::process::id()];
    let (began, cpu, clients) = (nanos(), load.server.cpu(), Cpu::now(&own));
    for turn in 0..count {
        let due = began + turn * period;
        loop {
            let now = nanos();
            if now >= due {
                break;
            }
            load.step(Duration::from_nanos(due - now));
        }
        load.publish();
    }
    load.drain();
    let (time, cpu) = (nanos() - began, load.server.cpu().since(&cpu));
    let clients = Cpu::now(&own).since(&clients).as_secs_f64() / time as f64 * 1e9;
    let mut delays = load.crowd.delays.take().unwrap_or_default();
    drop((load, others));
    server.settle();
    delays.sort_unstable();
    let at = |share: usize| delays[delays.len() * share / 100] as f64 / 1e6;
    let deliveries = delays.len() as f64;
    Outcome { rate: deliveries / time as f64 * 1e9, cpu: cpu.as_secs_f64() / deliveries * 1e6, clients, p50: at(50), p99: at(99) }
}
