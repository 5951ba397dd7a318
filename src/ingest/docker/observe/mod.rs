//! State seen by inspection, for what no event tells: a container that ended while the daemon was down
//! (live-restore) has no event at all. Nothing waits for a look, and where a proxy forbids it, events are
//! recorded all the same.
//!
//! After each connect, and from time to time, what list and inspect show is compared with what the events
//! imply ([`Model`]), and each difference is recorded. Less often everything that is there is recorded, as a
//! baseline: from it and the records after it, the state at any later time can be worked out.

mod explained;
mod look;
mod model;
mod pace;
mod snapshot;

use super::Timing;
use super::ask::AskError;
use super::engine::Engine;
use super::health::Probes;
use crate::event::Event;
use crate::ingest::Observations;
use crate::time::{Timestamp, received_now};
use look::Seen;
pub use look::{MAX_CONTAINERS, MAX_LISTED};
use model::{Key, Model};
use pace::Pace;
use parking_lot::Mutex;
use snapshot::Kind;
pub(super) use snapshot::Snapshot;
use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::Duration;
use tokio::sync::Notify;
use tokio::time::{Instant, sleep, timeout};

/// For one look.
const OVERALL_TIMEOUT: Duration = Duration::from_secs(30);

/// How closely to look.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Depth {
    /// Everything, and all of it is told.
    Baseline,
    /// Everything, and what differs is told.
    Inspect,
    /// The lists, and what differs is inspected and told.
    Glance,
}

/// Looks at one Docker host.
#[derive(Clone)]
pub(super) struct Observer(Arc<Shared>);

struct Shared {
    host: Arc<str>,
    glance_every: Duration,
    baseline_every: Duration,
    /// Events on their way get so long before a difference counts.
    grace: Duration,
    model: Mutex<Model>,
    /// What inspections tell of health checks.
    probes: Probes,
    /// The next look tells everything: nothing was told yet, or events were lost on the way to the log.
    baseline_due: AtomicBool,
    /// Something has changed without an event, although the stream is open.
    deaf: Notify,
    last_baseline: Mutex<Option<Instant>>,
    pace: Mutex<Pace>,
    /// What was said last of parts that could not be seen, so that it is said once.
    said: Mutex<String>,
}

impl Observer {
    pub(super) fn new(host: Arc<str>, timing: &Timing) -> Self {
        Self(Arc::new(Shared {
            host,
            glance_every: timing.glance_every,
            baseline_every: timing.baseline_every,
            grace: timing.observation_grace,
            model: Mutex::default(),
            probes: Probes::default(),
            baseline_due: AtomicBool::new(true),
            deaf: Notify::new(),
            last_baseline: Mutex::new(None),
            pace: Mutex::new(Pace::new(timing.look_again)),
            said: Mutex::default(),
        }))
    }

    /// The probes of this host's containers.
    pub(super) fn probes(&self) -> &Probes {
        &self.0.probes
    }

    /// Takes an event into account that is on its way to the log.
    pub(super) fn heard(&self, event: &Event) {
        self.0.model.lock().heard(event);
    }

    /// Events were lost on their way to the log, or may not have come: what was taken into account is not
    /// what the log implies.
    pub(super) fn distrust(&self) {
        self.0.baseline_due.store(true, Relaxed);
    }

    /// Looks at once and then from time to time, for ever; but not at once where a look of an earlier
    /// connection was a short time ago. `is_flapping`: the stream before this one was not worth its
    /// connection. Failures are logged and otherwise let be: a proxy in front of the socket may forbid it.
    pub(super) async fn run(self, engine: Engine, out: Observations, is_flapping: bool) {
        let mut depth = Depth::Inspect;
        // What a proxy forbids it forbids each time.
        let mut warned = false;
        let wait = self.0.pace.lock().before_look(Instant::now(), is_flapping);
        sleep(wait).await;
        loop {
            if self.baseline_is_due() {
                depth = Depth::Baseline;
            }
            self.0.pace.lock().looks(Instant::now());
            match timeout(OVERALL_TIMEOUT, self.look(&engine, &out, depth)).await {
                Ok(Ok(told)) => tracing::debug!(docker.host = %self.0.host, ?depth, told, "state observed"),
                Ok(Err(error)) if warned => tracing::debug!(docker.host = %self.0.host, %error, "the state of containers cannot be seen"),
                Ok(Err(error)) => {
                    warned = true;
                    tracing::warn!(docker.host = %self.0.host, %error, "the state of containers cannot be seen, so only events are recorded");
                }
                Err(_) => tracing::warn!(docker.host = %self.0.host, "looking at the state of containers took too long and was given up"),
            }
            depth = Depth::Glance;
            sleep(self.0.glance_every).await;
        }
    }

    /// Comes back when containers have changed and no event has told, although the stream is open: what is
    /// between us and the daemon, or the daemon itself, may have forgotten the stream, and nothing else would
    /// ever tell.
    pub(super) async fn deaf(&self) {
        self.0.deaf.notified().await;
    }

    fn baseline_is_due(&self) -> bool {
        let old = self.0.last_baseline.lock().is_none_or(|last| last.elapsed() >= self.0.baseline_every);
        self.0.baseline_due.load(Relaxed) || old
    }

    /// One look. Gives how many records were told.
    async fn look(&self, engine: &Engine, out: &Observations, depth: Depth) -> Result<usize, AskError> {
        // Before anything is looked at: what is lost from here on asks for another one.
        let due = (depth == Depth::Baseline).then(|| Due::take(&self.0.baseline_due));
        let seen = self.see(engine, depth).await?;
        let mut told = match due {
            Some(due) => self.tell_baseline(&seen, due, out).await,
            None => 0,
        };
        let suspects = self.differences(&seen);
        if suspects.is_empty() {
            return Ok(told);
        }
        // One list of everything in memory is enough.
        drop(seen);
        // Twice, some time apart, or an event on its way would pass for one that never came.
        sleep(self.0.grace).await;
        let seen = self.see(engine, depth).await?;
        let things: HashMap<(Kind, &str), &Snapshot> = seen.things.iter().map(|thing| ((thing.kind, thing.id.as_str()), thing)).collect();
        let mut told_of_whole = false;
        for (key, was) in self.differences(&seen).into_iter().filter(|(key, _)| suspects.contains_key(key)) {
            let is_told = match things.get(&(key.0, &*key.1)) {
                Some(listed) if depth == Depth::Glance => match self.inspect(engine, (*listed).clone()).await {
                    Some(snapshot) => self.tell(&snapshot, "difference", Some(&was), out).await,
                    None => false,
                },
                Some(snapshot) => self.tell(snapshot, "difference", Some(&was), out).await,
                None => self.tell_gone(&key, out).await,
            };
            told += usize::from(is_told);
            // What a list that is not whole begins with may be other things each time.
            told_of_whole |= is_told && seen.is_whole(key.0);
        }
        if depth == Depth::Glance && told_of_whole {
            self.0.deaf.notify_one();
        }
        Ok(told)
    }

    /// What is not as the events imply: its key, and what was believed.
    fn differences(&self, seen: &Seen) -> HashMap<Key, String> {
        let model = self.0.model.lock();
        let changed = seen.things.iter().filter_map(|thing| Some(((thing.kind, Box::from(thing.id.as_str())), model.differs(thing)?)));
        let whole = Kind::ALL.into_iter().filter(|kind| seen.is_whole(*kind));
        let gone = whole.flat_map(|kind| model.missing(kind, &seen.things)).map(|key| (key, String::new()));
        changed.chain(gone).collect()
    }

    async fn tell_baseline(&self, seen: &Seen, due: Due<'_>, out: &Observations) -> usize {
        for thing in &seen.things {
            if !self.tell(thing, "baseline", None, out).await {
                return 0;
            }
        }
        let mut counts = seen.counts();
        counts.push(("from".to_owned(), seen.asked.to_string()));
        let attributes: Vec<(&str, &str)> = counts.iter().map(|(key, value)| (key.as_str(), value.as_str())).collect();
        let now = Timestamp::now();
        let told = out.send(Event::recorder("baseline", &self.0.host, &attributes, now), now).await;
        *self.0.last_baseline.lock() = Some(Instant::now());
        due.done();
        seen.things.len() + usize::from(told)
    }

    async fn tell(&self, thing: &Snapshot, observation: &str, was: Option<&str>, out: &Observations) -> bool {
        let mut told = thing.clone();
        told.set("observation", Some(observation.to_owned()));
        told.set("was", was.map(str::to_owned));
        let sent = out.send(Event::recorder("observed", &thing.id, &told.attributes(), thing.asked), received_now()).await;
        if sent {
            self.0.model.lock().saw(thing);
        }
        sent
    }

    async fn tell_gone(&self, key: &Key, out: &Observations) -> bool {
        let Some((name, was)) = self.0.model.lock().believed(key) else { return false };
        let mut attributes = vec![("kind", key.0.as_str()), ("observation", "gone"), ("state", "removed"), ("was", was)];
        attributes.extend(name.as_deref().map(|name| ("name", name)));
        let now = Timestamp::now();
        let sent = out.send(Event::recorder("observed", &key.1, &attributes, now), now).await;
        if sent {
            self.0.model.lock().forget(key);
        }
        sent
    }
}

/// A baseline under way: due again if it comes to no end.
struct Due<'a>(Option<&'a AtomicBool>);

impl<'a> Due<'a> {
    fn take(due: &'a AtomicBool) -> Self {
        due.store(false, Relaxed);
        Self(Some(due))
    }

    fn done(mut self) {
        self.0 = None;
    }
}

impl Drop for Due<'_> {
    fn drop(&mut self) {
        if let Some(due) = self.0 {
            due.store(true, Relaxed);
        }
    }
}

/// The reader of list entries, for the fuzz target in `fuzz/`; not part of any other build.
#[cfg(fuzzing)]
pub(super) mod fuzzing {
    use super::super::lists::Fields;
    use super::snapshot::{Kind, Snapshot};
    use crate::time::Timestamp;

    /// What can be read of an entry, as each kind of thing and as an inspection.
    pub(in crate::ingest::docker) fn shown(fields: &Fields<'_>) -> String {
        let listed = Kind::ALL.map(|kind| Snapshot::listed(kind, Timestamp::MIN, fields));
        let inspected = Snapshot::container("c", Timestamp::MIN, fields);
        format!("{listed:?} {inspected:?} {:?} {:?}", inspected.state(), inspected.started())
    }
}
