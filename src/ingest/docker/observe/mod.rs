//! State seen by inspection, for what no event tells.
//!
//! A container that ended while the daemon was down (live-restore) has no event at all; only list and inspect show it. So after each connect,
//! and from time to time, what the daemon shows is compared with what the events imply ([`Model`]), and what differs is told. From
//! time to time everything is told, as a baseline that state at any later time can be folded from.

mod model;
mod snapshot;

use super::Timing;
use super::health::Probes;
use crate::event::Event;
use crate::ingest::Observations;
use crate::time::{Timestamp, received_now};
use bollard::Docker;
use bollard::errors::Error;
use bollard::query_parameters::{
    InspectContainerOptions, ListContainersOptionsBuilder, ListImagesOptions, ListNetworksOptions, ListVolumesOptions,
};
use futures_util::stream::{self, StreamExt as _};
use model::Model;
use parking_lot::Mutex;
use snapshot::{Kind, Snapshot};
use std::collections::HashSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::Duration;
use tokio::sync::Notify;
use tokio::time::{Instant, sleep, timeout};

/// Containers beyond this are not inspected; what the list shows of them is told.
pub const MAX_CONTAINERS: usize = 1000;
/// Inspections at a time: the daemon has other work.
const CONCURRENT: usize = 4;
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

    /// Events were lost on their way to the log, or may not have come: what was taken into account is not what the log implies.
    pub(super) fn distrust(&self) {
        self.0.baseline_due.store(true, Relaxed);
    }

    /// Looks at once and then from time to time, for ever. Failures are logged and otherwise let be: a proxy in front of the socket may
    /// forbid it.
    pub(super) async fn run(self, docker: Docker, out: Observations) {
        let mut depth = Depth::Inspect;
        // What a proxy forbids it forbids each time.
        let mut warned = false;
        loop {
            if self.baseline_is_due() {
                depth = Depth::Baseline;
            }
            match timeout(OVERALL_TIMEOUT, self.look(&docker, &out, depth)).await {
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

    /// Comes back when containers have changed and no event has told, although the stream is open: what is between us and the daemon, or
    /// the daemon itself, may have forgotten the stream, and nothing else would ever tell.
    pub(super) async fn deaf(&self) {
        self.0.deaf.notified().await;
    }

    fn baseline_is_due(&self) -> bool {
        let old = self.0.last_baseline.lock().is_none_or(|last| last.elapsed() >= self.0.baseline_every);
        self.0.baseline_due.load(Relaxed) || old
    }

    /// One look. Gives how many records were told.
    async fn look(&self, docker: &Docker, out: &Observations, depth: Depth) -> Result<usize, Error> {
        // Before anything is looked at: what is lost from here on asks for another one.
        let due = (depth == Depth::Baseline).then(|| Due::take(&self.0.baseline_due));
        let seen = self.see(docker, depth).await?;
        let mut told = match due {
            Some(due) => self.tell_baseline(&seen, due, out).await,
            None => 0,
        };
        let suspects = self.differences(&seen);
        if suspects.is_empty() {
            return Ok(told);
        }
        // Twice, some time apart, or an event on its way would pass for one that never came.
        sleep(self.0.grace).await;
        let seen = self.see(docker, depth).await?;
        for (key, was) in self.differences(&seen).into_iter().filter(|(key, _)| suspects.iter().any(|(suspect, _)| suspect == key)) {
            let snapshot = seen.things.iter().find(|thing| (thing.kind, thing.id.as_str()) == (key.0, key.1.as_str()));
            told += usize::from(match snapshot {
                Some(listed) if depth == Depth::Glance => match self.inspect(docker, listed.clone()).await {
                    Some(snapshot) => self.tell(&snapshot, "difference", Some(&was), out).await,
                    None => false,
                },
                Some(snapshot) => self.tell(snapshot, "difference", Some(&was), out).await,
                None => self.tell_gone(&key, out).await,
            });
        }
        if depth == Depth::Glance && told > 0 {
            self.0.deaf.notify_one();
        }
        Ok(told)
    }

    /// What is not as the events imply: its key, and what was believed.
    fn differences(&self, seen: &Seen) -> Vec<((Kind, String), String)> {
        let model = self.0.model.lock();
        let changed = seen.things.iter().filter_map(|thing| Some(((thing.kind, thing.id.clone()), model.differs(thing)?)));
        let gone = seen.kinds.iter().flat_map(|kind| model.missing(*kind, &seen.things)).map(|key| (key, String::new()));
        changed.chain(gone).collect()
    }

    async fn tell_baseline(&self, seen: &Seen, due: Due<'_>, out: &Observations) -> usize {
        for thing in &seen.things {
            if !self.tell(thing, "baseline", None, out).await {
                return 0;
            }
        }
        // What is not in it is not there; the kinds that could not be listed are not named.
        let counts: Vec<(&str, String)> = seen.kinds.iter().map(|kind| (plural(*kind), seen.count(*kind).to_string())).collect();
        let from = seen.asked.to_string();
        let mut attributes: Vec<(&str, &str)> = counts.iter().map(|(kind, count)| (*kind, count.as_str())).collect();
        attributes.push(("from", &from));
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

    async fn tell_gone(&self, key: &(Kind, String), out: &Observations) -> bool {
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

    /// What there is now. Fails only if containers cannot be listed; the rest is seen where it may be.
    async fn see(&self, docker: &Docker, depth: Depth) -> Result<Seen, Error> {
        let asked = Timestamp::now();
        let all = ListContainersOptionsBuilder::default().all(true).build();
        let listed: Vec<Snapshot> =
            docker.list_containers(Some(all)).await?.into_iter().filter_map(|container| Snapshot::listed(asked, container)).collect();
        let mut seen = Seen { asked, things: Vec::with_capacity(listed.len()), kinds: HashSet::from([Kind::Container]) };
        if depth == Depth::Glance {
            seen.things = listed;
        } else {
            let mut listed = listed.into_iter();
            let first: Vec<Snapshot> = listed.by_ref().take(MAX_CONTAINERS).collect();
            let mut inspections = stream::iter(first).map(|container| self.inspect(docker, container)).buffer_unordered(CONCURRENT);
            while let Some(inspected) = inspections.next().await {
                seen.things.extend(inspected);
            }
            drop(inspections);
            seen.things.extend(listed);
            self.see_the_rest(docker, &mut seen).await;
        }
        Ok(seen)
    }

    /// A listed container, inspected; as the list shows it where that fails. `None` if it has gone meanwhile: there will be an event.
    async fn inspect(&self, docker: &Docker, listed: Snapshot) -> Option<Snapshot> {
        let asked = Timestamp::now();
        match docker.inspect_container(&listed.id, None::<InspectContainerOptions>).await {
            Ok(container) => {
                self.0.probes.learn(&listed.id, &container);
                Some(Snapshot::container(&listed.id, asked, container))
            }
            Err(Error::DockerResponseServerError { status_code: 404, .. }) => None,
            Err(error) => {
                tracing::debug!(container = %listed.id, %error, "cannot be inspected");
                Some(listed)
            }
        }
    }

    async fn see_the_rest(&self, docker: &Docker, seen: &mut Seen) {
        let asked = Timestamp::now();
        let networks = docker.list_networks(None::<ListNetworksOptions>).await;
        let networks = networks.map(|list| list.into_iter().filter_map(|network| Snapshot::network(asked, network)).collect());
        self.add(seen, Kind::Network, networks);
        let asked = Timestamp::now();
        let volumes = docker.list_volumes(None::<ListVolumesOptions>).await;
        let volumes =
            volumes.map(|list| list.volumes.unwrap_or_default().into_iter().map(|volume| Snapshot::volume(asked, volume)).collect());
        self.add(seen, Kind::Volume, volumes);
        let asked = Timestamp::now();
        let images = docker.list_images(None::<ListImagesOptions>).await;
        self.add(seen, Kind::Image, images.map(|list| list.into_iter().map(|image| Snapshot::image(asked, image)).collect()));
    }

    fn add(&self, seen: &mut Seen, kind: Kind, listed: Result<Vec<Snapshot>, Error>) {
        match listed {
            Ok(things) => {
                seen.kinds.insert(kind);
                seen.things.extend(things);
            }
            Err(error) => tracing::debug!(docker.host = %self.0.host, %error, kind = kind.as_str(), "cannot be listed"),
        }
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

/// What one look saw.
struct Seen {
    asked: Timestamp,
    things: Vec<Snapshot>,
    /// What could be listed.
    kinds: HashSet<Kind>,
}

impl Seen {
    fn count(&self, kind: Kind) -> usize {
        self.things.iter().filter(|thing| thing.kind == kind).count()
    }
}

fn plural(kind: Kind) -> &'static str {
    match kind {
        Kind::Container => "containers",
        Kind::Network => "networks",
        Kind::Volume => "volumes",
        Kind::Image => "images",
    }
}
