//! One look: the lists, and the containers one by one, within bounds of number and memory. What is left out
//! of it is counted and told.

use super::snapshot::{Kind, Snapshot};
use super::{Depth, Observer};
use crate::ingest::docker::ask::{AskError, Extent};
use crate::ingest::docker::engine::Engine;
use crate::ingest::docker::lists::{Entry, Fields, Shape};
use crate::text::printable;
use crate::time::Timestamp;
use futures_util::stream::{self, StreamExt as _};
use parking_lot::Mutex;
use std::collections::BTreeMap;
use tokio::time::Instant;

/// Containers beyond this are not inspected; what the list shows of them is told.
pub const MAX_CONTAINERS: usize = 1000;
/// Entries that are kept of a list; others are counted.
pub const MAX_LISTED: usize = 20_000;
/// Bytes that the things of one look may take in memory; others are counted.
const MAX_KEPT_BYTES: usize = 64 << 20;
/// Bytes of answers to inspections that one look reads; further containers are told as the list shows them.
const MAX_INSPECTED_BYTES: usize = 256 << 20;
/// What an inspection that is longer than may be read counts as.
const TOO_LARGE_BYTES: usize = 16 << 20;
/// Inspections at a time: the daemon has other work.
const CONCURRENT: usize = 4;
/// Characters of what is wrong with an entry.
const MAX_WHY_CHARS: usize = 200;

/// What one look saw.
pub(super) struct Seen {
    pub(super) asked: Timestamp,
    pub(super) things: Vec<Snapshot>,
    /// By what could be listed.
    lists: BTreeMap<&'static str, Listed>,
    /// Containers that are told as the list shows them, since inspecting them failed or would be too much.
    not_inspected: u64,
    /// Answers were longer than is read.
    is_too_large: bool,
    /// Bytes that things may still take.
    room: usize,
}

/// What became of one list.
#[derive(Debug, Default, PartialEq, Eq)]
struct Listed {
    kept: u64,
    left_out: u64,
    unreadable: u64,
    /// What is wrong with the first that was unreadable.
    why: Option<String>,
    /// It was read no further than its bound.
    is_cut: bool,
}

impl Seen {
    /// Whether everything of a kind is in it.
    pub(super) fn is_whole(&self, kind: Kind) -> bool {
        self.lists.get(kind.plural()).is_some_and(|list| list.left_out == 0 && list.unreadable == 0 && !list.is_cut)
    }

    /// The attributes of a `baseline`. What is not in it is not there, where nothing was left out; the kinds
    /// that could not be listed are not named.
    pub(super) fn counts(&self) -> Vec<(String, String)> {
        let mut counts: Vec<(String, String)> = self.lists.iter().map(|(kind, list)| ((*kind).to_owned(), list.kept.to_string())).collect();
        for (kind, list) in &self.lists {
            let told = [("left_out", list.left_out), ("unreadable", list.unreadable), ("cut", u64::from(list.is_cut))];
            counts.extend(told.into_iter().filter(|(_, count)| *count > 0).map(|(what, count)| match what {
                "cut" => (format!("{kind}_cut"), "true".to_owned()),
                what => (format!("{kind}_{what}"), count.to_string()),
            }));
        }
        if self.not_inspected > 0 {
            counts.push(("not_inspected".to_owned(), self.not_inspected.to_string()));
        }
        if let Some((kind, why)) = self.lists.iter().find_map(|(kind, list)| Some((kind, list.why.as_deref()?))) {
            counts.push(("unreadable".to_owned(), format!("{kind}: {why}")));
        }
        counts
    }

    /// What of it is not as it should be: that something is, and for people how much.
    fn lacks(&self) -> (String, String) {
        let lacks: Vec<_> = self.counts().into_iter().filter(|(key, _)| key.contains('_') || key == "unreadable").collect();
        let keys: Vec<&str> = lacks.iter().map(|(key, _)| key.as_str()).collect();
        let counts: Vec<String> = lacks.iter().map(|(key, value)| format!("{key}={value}")).collect();
        (keys.join(" "), counts.join(", "))
    }

    fn keep(&mut self, kind: Kind, listed: &mut Listed, entry: Entry<'_>) {
        let Entry::Whole(bytes) = entry else {
            listed.left_out += 1;
            self.is_too_large = true;
            return;
        };
        if listed.kept >= MAX_LISTED as u64 || self.room == 0 {
            listed.left_out += 1;
            self.is_too_large = true;
            return;
        }
        let text = String::from_utf8_lossy(bytes);
        let read = Fields::of(&text).map_err(|error| error.to_string());
        match read.and_then(|fields| Snapshot::listed(kind, self.asked, &fields).map_err(str::to_owned)) {
            Ok(thing) if thing.bytes() <= self.room => {
                self.room -= thing.bytes();
                self.things.push(thing);
                listed.kept += 1;
            }
            // Smaller ones may still find a place, but which ones would be told hung on chance.
            Ok(_) => {
                self.room = 0;
                listed.left_out += 1;
                self.is_too_large = true;
            }
            Err(why) => {
                listed.unreadable += 1;
                listed.why.get_or_insert_with(|| printable(&why, MAX_WHY_CHARS));
            }
        }
    }
}

impl Observer {
    /// What there is now. Fails only if containers cannot be listed; the rest is seen where it may be.
    pub(super) async fn see(&self, engine: &Engine, depth: Depth) -> Result<Seen, AskError> {
        let mut seen = Seen {
            asked: Timestamp::now(),
            things: Vec::new(),
            lists: BTreeMap::new(),
            not_inspected: 0,
            is_too_large: false,
            room: MAX_KEPT_BYTES,
        };
        self.list(engine, Kind::Container, &mut seen).await?;
        if depth != Depth::Glance {
            self.inspect_all(engine, &mut seen).await;
            for kind in [Kind::Network, Kind::Volume, Kind::Image] {
                if let Err(error) = self.list(engine, kind, &mut seen).await {
                    tracing::debug!(docker.host = %self.0.host, %error, kind = kind.as_str(), "cannot be listed");
                }
            }
        }
        if seen.is_too_large {
            self.0.pace.lock().was_too_large(Instant::now(), self.0.glance_every);
        }
        self.say_once(seen.lacks());
        Ok(seen)
    }

    async fn list(&self, engine: &Engine, kind: Kind, seen: &mut Seen) -> Result<(), AskError> {
        let asked = std::mem::replace(&mut seen.asked, Timestamp::now());
        let (path, shape) = match kind {
            Kind::Container => ("/containers/json?all=true", Shape::List),
            Kind::Network => ("/networks", Shape::List),
            Kind::Volume => ("/volumes", Shape::Member("Volumes")),
            Kind::Image => ("/images/json", Shape::List),
        };
        let mut listed = Listed::default();
        let extent = engine.list(path, shape, &mut |entry| seen.keep(kind, &mut listed, entry)).await;
        seen.asked = asked;
        match extent {
            Ok(extent) => {
                listed.is_cut = extent == Extent::Cut;
                seen.is_too_large |= listed.is_cut;
                seen.lists.insert(kind.plural(), listed);
                Ok(())
            }
            Err(error) => {
                // Half a list is none.
                seen.things.retain(|thing| thing.kind != kind);
                Err(error)
            }
        }
    }

    /// Replaces what the list shows of containers by what inspecting them shows.
    async fn inspect_all(&self, engine: &Engine, seen: &mut Seen) {
        let listed = std::mem::take(&mut seen.things);
        let count = listed.len();
        let mut listed = listed.into_iter();
        let first: Vec<Snapshot> = listed.by_ref().take(MAX_CONTAINERS).collect();
        let (left, lost) = (Mutex::new(MAX_INSPECTED_BYTES), Mutex::new((0u64, false)));
        let look = |container: Snapshot| {
            let (left, lost) = (&left, &lost);
            async move {
                if *left.lock() == 0 {
                    lost.lock().0 += 1;
                    return Some(container);
                }
                let asked = Timestamp::now();
                let answer = engine.inspect(&container.id).await;
                let bytes = answer.as_ref().map_or(0, String::len);
                match self.inspected(&container, asked, answer) {
                    Ok(found) => {
                        let mut left = left.lock();
                        *left = left.saturating_sub(bytes);
                        found
                    }
                    Err(error) => {
                        let mut lost = lost.lock();
                        lost.0 += 1;
                        if error.is_too_large() {
                            lost.1 = true;
                            let mut left = left.lock();
                            *left = left.saturating_sub(TOO_LARGE_BYTES);
                        }
                        Some(container)
                    }
                }
            }
        };
        let mut gone = 0;
        let mut inspections = stream::iter(first).map(look).buffer_unordered(CONCURRENT);
        let mut things = Vec::with_capacity(count);
        while let Some(inspected) = inspections.next().await {
            gone += u64::from(inspected.is_none());
            things.extend(inspected);
        }
        drop(inspections);
        seen.not_inspected = lost.lock().0 + listed.len() as u64;
        seen.is_too_large |= lost.lock().1;
        things.extend(listed);
        seen.things = things;
        if let Some(list) = seen.lists.get_mut(Kind::Container.plural()) {
            list.kept -= gone.min(list.kept);
        }
        let taken: usize = seen.things.iter().map(Snapshot::bytes).sum();
        seen.room = seen.room.min(MAX_KEPT_BYTES.saturating_sub(taken));
    }

    /// A listed container, inspected; as the list shows it where that fails. `None` if it has gone meanwhile:
    /// there will be an event.
    pub(super) async fn inspect(&self, engine: &Engine, listed: Snapshot) -> Option<Snapshot> {
        let asked = Timestamp::now();
        self.inspected(&listed, asked, engine.inspect(&listed.id).await).unwrap_or(Some(listed))
    }

    fn inspected(&self, listed: &Snapshot, asked: Timestamp, answer: Result<String, AskError>) -> Result<Option<Snapshot>, AskError> {
        let read = answer.and_then(|text| {
            let unreadable = |error: serde_json::Error| AskError::Unreadable { path: "/containers/ID/json", why: error.to_string() };
            let container = Fields::of(&text).map_err(unreadable)?;
            self.0.probes.learn(&listed.id, &container);
            let seen = Snapshot::container(&listed.id, asked, &container);
            // Labels of any number pass for no larger a thing than the list showed.
            let is_small = seen.bytes() <= listed.bytes().saturating_mul(2).max(MAX_KEPT_BYTES / MAX_CONTAINERS);
            Ok(if is_small { seen } else { listed.clone() })
        });
        match read {
            Err(error) if error.is_not_found() => Ok(None),
            Err(error) => {
                tracing::debug!(container = %printable(&listed.id, MAX_WHY_CHARS), %error, "cannot be inspected");
                Err(error)
            }
            Ok(seen) => Ok(Some(seen)),
        }
    }

    /// One line about what could not be seen, until it is something else.
    fn say_once(&self, (lacks, counts): (String, String)) {
        let mut said = self.0.said.lock();
        if *said != lacks {
            if !lacks.is_empty() {
                tracing::warn!(docker.host = %self.0.host, %counts, "not everything that the daemon lists could be looked at");
            }
            *said = lacks;
        }
    }
}
