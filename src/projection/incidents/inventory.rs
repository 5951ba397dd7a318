//! Which containers there are and how each of them is, as far as that was told: the state at a time.

use super::bounds::{MINUTE, SECOND};
use super::container::{Container, Health, Run, short_id};
use super::ids::Ids;
use super::incident::Key;
use super::state::{Source, State};
use crate::filter::Hosts;
use crate::time::Timestamp;
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet};

const HOUR: i64 = 60 * MINUTE;

/// The state of all Docker hosts at a time.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Inventory {
    /// The time.
    pub at: Timestamp,
    /// The newest record that was read for it.
    pub folded_to: u64,
    /// The last full look before; of several hosts the one that is longest ago, and none where one of them
    /// had none.
    pub baseline: Option<Baseline>,
    /// Whether something may be missing.
    pub confidence: super::shown::Confidence,
    /// What may be missing, and why.
    pub qualified: Vec<String>,
    /// Containers, by host and subject.
    pub containers: Vec<Standing>,
    /// Networks of which containers were told to be connected, with these.
    pub networks: Vec<Used>,
    /// Volumes of which containers were told to use them, with these.
    pub volumes: Vec<Used>,
    /// Hosts without a full look until then.
    #[serde(skip)]
    pub without_baseline: BTreeSet<String>,
}

/// A full look at a Docker host.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Baseline {
    /// The record.
    pub record: String,
    /// When.
    pub time: Timestamp,
    /// Seconds before the time that is asked for.
    pub age_s: i64,
}

/// A container.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Standing {
    /// Its subject.
    pub key: String,
    /// The Docker host.
    pub source: String,
    /// The first 12 characters of its id.
    pub id: String,
    /// Its name.
    pub name: Option<String>,
    /// Its image.
    pub image: Option<String>,
    /// The image's id, where that was told.
    pub image_id: Option<String>,
    /// `created`, `running`, `paused`, `restarting`, `exited` or `unknown`.
    pub state: &'static str,
    /// Since when it is so; the last time that something told so.
    pub since: Option<Timestamp>,
    /// The code that it ended with, where it is not running.
    pub exit: Option<i64>,
    /// What the last health check said.
    pub health: Option<&'static str>,
    /// Starts after the first one, in the hour before.
    pub restarts_1h: usize,
    /// It ended, nobody asked for that, and its restart policy, if it has one, may start it again.
    pub may_restart: bool,
    /// When the daemon starts it again, as far as its waits tell.
    pub next_start: Option<Timestamp>,
    /// Networks by name.
    pub networks: BTreeSet<String>,
    /// The incident that goes on.
    pub incident: Option<String>,
}

/// What containers use.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Used {
    /// Its name.
    pub name: String,
    /// The Docker host.
    pub source: String,
    /// Ids, 12 characters.
    pub containers: Vec<String>,
}

impl Standing {
    /// One of which is known that it is there, and nothing more.
    pub fn unknown(source: &str, id: &str, key: &str, name: Option<&str>, image: Option<&str>) -> Self {
        Self {
            key: key.to_owned(),
            source: source.to_owned(),
            id: short_id(id),
            name: name.map(str::to_owned),
            image: image.map(str::to_owned),
            image_id: None,
            state: "unknown",
            since: None,
            exit: None,
            health: None,
            restarts_1h: 0,
            may_restart: false,
            next_start: None,
            networks: BTreeSet::new(),
            incident: None,
        }
    }

    fn of(source: &Source, container: &Container, ids: &Ids, at: i64) -> Self {
        let open = source.open_key(&container.subject).and_then(|key| source.incidents.get(&key));
        let of_it = open.filter(|_| source.is_current(&container.id));
        let next = of_it.and_then(|incident| incident.next_start).filter(|next| *next > at);
        let waits = container.run == Run::Dead && container.stopped.is_none() && next.is_some();
        let may_restart = container.run == Run::Dead && container.stopped.is_none() && of_it.is_some_and(|incident| !incident.down);
        let (state, since) = match container.run {
            _ if container.told.is_none() => ("unknown", None),
            Run::Created => ("created", container.created),
            Run::Running => ("running", container.started),
            Run::Paused => ("paused", container.paused.or(container.started)),
            Run::Dead if waits => ("restarting", container.died),
            Run::Dead | Run::Gone => ("exited", container.died),
        };
        let since = since.map(|since| since.time).or(container.finished.filter(|_| state == "exited"));
        let id = |key: Key| format!("{}{}", ids.cursor(key.seq), char::from(key.letter));
        let health = container.health.filter(|_| container.is_up()).map(|health| match health {
            Health::Healthy => "healthy",
            Health::Unhealthy => "unhealthy",
        });
        Self {
            image_id: container.image_id.clone(),
            state,
            since: since.map(Timestamp::from_nanos),
            exit: container.code.filter(|_| matches!(container.run, Run::Dead | Run::Gone)),
            health,
            restarts_1h: container.restarts.iter().filter(|time| (at.saturating_sub(HOUR)..=at).contains(*time)).count(),
            may_restart,
            next_start: next.filter(|_| waits).map(Timestamp::from_nanos),
            networks: container.networks.clone(),
            incident: of_it.map(|incident| id(incident.merged_into.unwrap_or(incident.key))),
            ..Self::unknown(&source.name, &container.id, &container.subject, container.attribute("name"), container.attribute("image"))
        }
    }
}

impl Inventory {
    /// Whether it has none of a Docker host with this id.
    pub fn is_new(&self, source: &str, id: &str) -> bool {
        let id = short_id(id);
        !self.containers.iter().any(|one| one.source == source && one.id == id)
    }
}

impl State {
    /// How everything is at a time up to which it has been read.
    pub fn inventory(&self, ids: &Ids, at: Timestamp) -> Inventory {
        self.inventory_of(ids, at, None)
    }

    /// The same, of these Docker hosts only.
    pub fn inventory_of(&self, ids: &Ids, at: Timestamp, hosts: Option<&Hosts>) -> Inventory {
        let sources = || self.sources.values().filter(move |source| hosts.is_none_or(|hosts| hosts.have(&source.name)));
        let lost_of = self.lost_of.keys().any(|host| hosts.is_none_or(|hosts| hosts.have_part_of(host)));
        let nanos = at.nanos();
        let (mut containers, mut qualified) = (Vec::new(), Vec::new());
        let mut without_baseline = BTreeSet::new();
        let mut used: [BTreeMap<(String, String), Vec<String>>; 2] = [BTreeMap::new(), BTreeMap::new()];
        for source in sources() {
            let name = &source.name;
            match source.looked {
                None => {
                    without_baseline.insert(name.clone());
                    qualified.push(format!("{name}: no full look at its containers before that time"));
                }
                Some(looked) => {
                    let since = source.gaps.iter().filter(|gap| gap.until >= looked.time);
                    qualified.extend(since.map(|gap| format!("{name}: {}", gap.text)));
                }
            }
            if source.blind {
                qualified.push(format!("{name}: nobody listened at that time"));
            }
            if source.partial {
                qualified.push(format!("{name}: {}", super::state::LEFT_OUT));
            }
            for container in source.containers.values().filter(|container| container.run != Run::Gone) {
                let standing = Standing::of(source, container, ids, nanos);
                for (all, names) in used.iter_mut().zip([&container.networks, &container.volumes]) {
                    for thing in names {
                        all.entry((name.clone(), thing.clone())).or_default().push(standing.id.clone());
                    }
                }
                containers.push(standing);
            }
        }
        if self.lost.is_some() || lost_of {
            qualified.push("records of the log are lost before that time".to_owned());
        }
        containers.sort_by(|a, b| (&a.source, &a.key, &a.id).cmp(&(&b.source, &b.key, &b.id)));
        qualified.dedup();
        let oldest = sources().filter_map(|source| source.looked).min_by_key(|looked| looked.time);
        let baseline = oldest.filter(|_| without_baseline.is_empty()).map(|looked| Baseline {
            record: ids.cursor(looked.seq),
            time: Timestamp::from_nanos(looked.time),
            age_s: nanos.saturating_sub(looked.time).max(0) / SECOND,
        });
        if sources().next().is_none() {
            qualified.push("nothing is recorded before that time".to_owned());
        }
        let [networks, volumes] =
            used.map(|all| all.into_iter().map(|((source, name), containers)| Used { name, source, containers }).collect::<Vec<_>>());
        let confidence = super::shown::Confidence::of(&qualified);
        Inventory { at, folded_to: self.folded_to, baseline, confidence, qualified, containers, networks, volumes, without_baseline }
    }
}
