//! The demo host: a clock, a fleet, and what happens next. Pure: the same seed gives the same lines.

use super::fleet::{Container, SERVICES, hex};
use super::message::Message;
use super::story::{STORIES, Story};
use crate::time::Timestamp;
use rand::rngs::SmallRng;
use rand::{RngExt as _, SeedableRng as _};
use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

/// How fast time passes on the host; 1 is life-like.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Pace {
    /// Factor on the time from one story to the next.
    pub between_stories: f64,
    /// Factor on the time from one step of a story to the next.
    pub within_stories: f64,
}

impl Pace {
    /// Everything `rate` times as fast as in life.
    pub fn rate(rate: f64) -> Self {
        let factor = 1.0 / if rate.is_finite() { rate.clamp(0.001, 100_000.0) } else { 1.0 };
        Self { between_stories: factor, within_stories: factor }
    }
}

/// What is due at some time.
#[derive(Debug)]
enum Due {
    Emit(Message),
    Begin(Story),
}

/// A host that never was. An endless iterator of the time that passes before a message, and the message's
/// line.
#[derive(Debug)]
pub struct DemoHost {
    pub(super) rng: SmallRng,
    pub(super) fleet: Vec<Container>,
    /// When the host's clock began.
    base: Timestamp,
    /// Nanoseconds since then.
    pub(super) now: u64,
    pace: Pace,
    agenda: BTreeMap<(u64, u64), Due>,
    planned: u64,
}

impl DemoHost {
    /// A host whose clock starts at `start`.
    pub fn new(seed: u64, start: Timestamp, pace: Pace) -> Self {
        let mut rng = SmallRng::seed_from_u64(seed);
        let mut networks: HashMap<&str, String> = HashMap::new();
        let fleet = SERVICES.iter().map(|service| {
            let network = networks.entry(service.project).or_insert_with(|| hex(&mut rng, 64)).clone();
            Container::new(service, &network, &mut rng)
        });
        let fleet: Vec<Container> = fleet.collect();
        let mut host = Self { rng, fleet, base: start, now: 0, pace, agenda: BTreeMap::new(), planned: 0 };
        for (story, _) in STORIES {
            host.plan(story);
        }
        for (index, container) in SERVICES.iter().enumerate() {
            if container.health.is_some() {
                host.plan(Story::Probe(index));
            }
        }
        host
    }

    /// A host that has had `count` messages within about `span` up to `until`, and continues from there at
    /// `pace`.
    pub fn with_history(seed: u64, until: Timestamp, span: Duration, count: usize, pace: Pace) -> (Vec<String>, Self) {
        if count == 0 {
            return (Vec::new(), Self::new(seed, until, pace));
        }
        // How long so many messages take follows from the seed, so it is found by trying.
        let mut between_stories = 50.0;
        let mut took = Duration::ZERO;
        for _ in 0..4 {
            let mut trial = Self::new(seed, until, Pace { between_stories, within_stories: 1.0 });
            took = trial.by_ref().take(count).map(|(delay, _)| delay).sum();
            if took <= span && took >= span.mul_f64(0.7) {
                break;
            }
            between_stories *= span.mul_f64(0.85).as_secs_f64() / took.as_secs_f64().max(0.001);
        }
        let start = until.checked_sub(took).unwrap_or(until);
        let mut host = Self::new(seed, start, Pace { between_stories, within_stories: 1.0 });
        let lines = host.by_ref().take(count).map(|(_, line)| line).collect();
        host.set_pace(pace);
        (lines, host)
    }

    /// The host's clock.
    pub fn clock(&self) -> Timestamp {
        self.at(self.now)
    }

    /// Puts the clock forward, as after a laptop's sleep: nothing happened meanwhile.
    pub fn put_forward(&mut self, by: Duration) {
        let nanos = i64::try_from(by.as_nanos()).unwrap_or(i64::MAX);
        self.base = Timestamp::from_nanos(self.base.nanos().saturating_add(nanos));
    }

    /// Continues at another pace.
    pub fn set_pace(&mut self, pace: Pace) {
        let (now, old) = (self.now, self.pace);
        for ((at, n), due) in std::mem::take(&mut self.agenda) {
            let factor = match due {
                Due::Emit(_) => pace.within_stories / old.within_stories,
                Due::Begin(_) => pace.between_stories / old.between_stories,
            };
            let wait = Duration::from_nanos(at.saturating_sub(now)).mul_f64(factor);
            self.agenda.insert((now + nanos(wait), n), due);
        }
        self.pace = pace;
    }

    fn at(&self, nanos: u64) -> Timestamp {
        Timestamp::from_nanos(self.base.nanos().saturating_add(i64::try_from(nanos).unwrap_or(i64::MAX)))
    }

    /// When, on the host's clock, something happens that takes `wait` in life.
    pub(super) fn later(&self, wait: Duration) -> u64 {
        self.now + nanos(wait.mul_f64(self.pace.within_stories))
    }

    fn plan(&mut self, story: Story) {
        let wait = story.every().mul_f64(self.rng.random_range(0.3..1.7) * self.pace.between_stories);
        self.put(self.now + nanos(wait), Due::Begin(story));
    }

    fn put(&mut self, at: u64, due: Due) {
        self.planned += 1;
        self.agenda.insert((at, self.planned), due);
    }

    /// Has `message` happen `wait` from now.
    pub(super) fn emit(&mut self, wait: Duration, message: Message) {
        self.put(self.later(wait), Due::Emit(message));
    }
}

impl Iterator for DemoHost {
    type Item = (Duration, String);

    fn next(&mut self) -> Option<Self::Item> {
        let before = self.now;
        loop {
            // Every story plans its next telling, so there is always something due.
            let ((at, _), due) = self.agenda.pop_first()?;
            self.now = at;
            match due {
                Due::Emit(message) => return Some((Duration::from_nanos(at - before), message.line(self.clock()))),
                Due::Begin(story) => {
                    self.plan(story);
                    self.tell(story);
                }
            }
        }
    }
}

fn nanos(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX / 4)
}

#[cfg(test)]
mod tests;
