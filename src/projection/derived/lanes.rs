//! Lifelines: what each subject's containers were doing, as spans and marks to draw.

use super::class::{Class, Classifier};
use super::marks::Marks;
use crate::cursor::Sequence;
use crate::event::{EventView, RecordView};
use crate::projection::incidents::{Ids, Inventory, subject_of};
use crate::time::Timestamp;
use serde::Serialize;
use std::collections::{BTreeMap, HashMap, HashSet};
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::ops::RangeInclusive;
use std::sync::Arc;

/// Lanes of an answer, the worst first; the others are counted.
const MAX_LANES: usize = 200;
/// Lanes that are followed at all.
const MAX_FOLLOWED: usize = 5000;
/// Lanes that are counted besides.
const MAX_COUNTED: usize = 100_000;
/// Spans of all lanes. Beyond it short ones melt whatever the width.
const MAX_SPANS: usize = 100_000;
/// Containers that a lane names.
const MAX_NAMED: usize = 16;
/// Longer than so long, in nanoseconds, no daemon waits before a restart: what is down for longer stays down.
const LONGEST_WAIT: i64 = 65_000_000_000;
/// So much longer, in nanoseconds, than twice the wait before it a wait may be told.
const WAIT_SLACK: i64 = 2_000_000_000;
/// After so long a run, in nanoseconds, the daemon's waits begin anew.
const RUN: i64 = 10_000_000_000;

/// From, until (`None`: it went on after the range), what it was doing, and how many have melted into it.
type Drawn = (Timestamp, Option<Timestamp>, &'static str, u64);

/// One subject, or a Docker host.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Lane {
    /// The subject, or the host's name.
    pub key: String,
    /// The Docker host.
    pub source: String,
    /// The project of Compose.
    pub project: Option<String>,
    /// `service`, `job` or `host`.
    pub role: &'static str,
    /// Ids, 12 characters.
    pub containers: Vec<String>,
    /// What it was doing, by beginning.
    pub spans: Vec<Drawn>,
    /// What happened.
    pub marks: Marks,
    /// Marks that found no room.
    pub folded: u64,
    #[serde(skip)]
    failures: u64,
    #[serde(skip)]
    starts: u64,
    #[serde(skip)]
    destroyed: u64,
}

/// All that were there in a range.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Lifelines {
    /// The worst first.
    pub lanes: Vec<Lane>,
    /// How many there are besides.
    pub more: usize,
    /// Where the lanes begin, if the range holds too much to be read: what came before it is not drawn.
    pub read_from: Option<Timestamp>,
    /// Where reading ended early: what came after it is not drawn.
    pub ended_after: Option<Sequence>,
}

/// What a container is doing.
#[derive(Debug, Clone, Copy)]
struct Doing {
    lane: usize,
    state: &'static str,
    since: i64,
    /// How long the daemon's last wait before a restart was, in nanoseconds.
    waited: i64,
}

pub(super) struct Drawing {
    time: RangeInclusive<i64>,
    /// What is shorter melts into its neighbour.
    shortest: i64,
    lanes: Vec<Lane>,
    by_key: BTreeMap<(String, String), usize>,
    containers: HashMap<(Arc<str>, String), Doing>,
    spans: usize,
    /// Hashes of the names of lanes that are not followed.
    left_out: HashSet<u64>,
    classifier: Classifier,
}

impl Lane {
    fn new(source: &str, key: &str, project: Option<&str>, role: &'static str, nearest: i64) -> Self {
        Self {
            key: key.to_owned(),
            source: source.to_owned(),
            project: project.map(str::to_owned),
            role,
            containers: Vec::new(),
            spans: Vec::new(),
            marks: Marks::new(nearest),
            folded: 0,
            failures: 0,
            starts: 0,
            destroyed: 0,
        }
    }

    fn name(&mut self, id: &str) {
        let short: String = id.chars().take(12).collect();
        if self.containers.len() < MAX_NAMED && !self.containers.contains(&short) {
            self.containers.push(short);
        }
    }

    /// Draws a span; whether it took room.
    fn draw(&mut self, from: i64, until: i64, state: &'static str, shortest: i64) -> bool {
        if until <= from {
            return false;
        }
        let (begin, end) = (Timestamp::from_nanos(from), Timestamp::from_nanos(until));
        if let Some(last) = self.spans.last_mut() {
            let short = |span: &Drawn| span.2 == "looping" || ended(span) - span.0.nanos() < shortest;
            if last.2 == state && ended(last) >= from && last.3 == 0 {
                last.1 = last.1.max(Some(end));
                return false;
            }
            // What follows at once, and is a part of a loop, or of too much to be drawn.
            let looping = |state: &str| matches!(state, "running" | "restarting" | "looping") || shortest == i64::MAX;
            let follows = begin >= last.0 && from.saturating_sub(ended(last)) < shortest;
            if until - from < shortest && short(last) && follows && looping(state) && looping(last.2) {
                *last = (last.0, last.1.max(Some(end)), "looping", last.3.max(1) + 1);
                return false;
            }
        }
        self.spans.push((begin, Some(end), state, 0));
        true
    }
}

impl Doing {
    /// Nothing that the daemon starts again waits for longer than this.
    fn longest_wait(&self) -> i64 {
        (self.waited / 4 * 10 + WAIT_SLACK).min(LONGEST_WAIT)
    }

    /// The last wait of its container when it turns to something else.
    fn waited_until(&self, time: i64) -> i64 {
        let lasted = time.saturating_sub(self.since);
        match self.state {
            "restarting" => lasted,
            "running" if lasted >= RUN => 0,
            _ => self.waited,
        }
    }
}

/// When a span ended, in nanoseconds.
fn ended(span: &Drawn) -> i64 {
    span.1.map_or(i64::MAX, Timestamp::nanos)
}

impl Drawing {
    /// Draws a part of a range, which is so many points wide.
    pub(super) fn new(part: &RangeInclusive<Timestamp>, range: &RangeInclusive<Timestamp>, width: u32) -> Self {
        Self {
            time: part.start().nanos()..=part.end().nanos(),
            shortest: range.end().nanos().saturating_sub(range.start().nanos()) / i64::from(width.max(1)),
            lanes: Vec::new(),
            by_key: BTreeMap::new(),
            containers: HashMap::new(),
            spans: 0,
            left_out: HashSet::new(),
            classifier: Classifier::default(),
        }
    }

    /// What was there when the range begins.
    pub(super) fn begin(&mut self, before: &Inventory) {
        for one in &before.containers {
            let Some(lane) = self.lane(&one.source, &one.key, one.key.split_once('/').map(|(project, _)| project), "service") else {
                continue;
            };
            let state = match (one.state, one.health) {
                ("running", Some("unhealthy")) => "unhealthy",
                // What broke and is not waiting.
                ("exited", _) if one.incident.is_some() => "down",
                (state, _) => state,
            };
            if let Some(lane) = self.lanes.get_mut(lane) {
                lane.name(&one.id);
            }
            self.containers
                .insert((one.source.as_str().into(), one.id.clone()), Doing { lane, state, since: *self.time.start(), waited: 0 });
        }
    }

    fn lane(&mut self, source: &str, key: &str, project: Option<&str>, role: &'static str) -> Option<usize> {
        let by = (source.to_owned(), format!("{role} {key}"));
        if let Some(lane) = self.by_key.get(&by) {
            return Some(*lane);
        }
        if self.lanes.len() >= MAX_FOLLOWED {
            if self.left_out.len() < MAX_COUNTED {
                let mut hasher = DefaultHasher::new();
                by.hash(&mut hasher);
                self.left_out.insert(hasher.finish());
            }
            return None;
        }
        self.lanes.push(Lane::new(source, key, project, role, self.shortest));
        self.by_key.insert(by, self.lanes.len() - 1);
        Some(self.lanes.len() - 1)
    }

    pub(super) fn read(&mut self, record: &RecordView<'_>, ids: &Ids) {
        let class = self.classifier.read(record).class;
        let view = &record.event;
        let id = || ids.cursor(record.seq);
        let action = view.action.as_deref().unwrap_or_default();
        let (action, detail) = action.split_once(": ").unwrap_or((action, view.health.as_deref().unwrap_or("")));
        if record.is_own() && action != "observed" {
            if matches!(action, "connect" | "disconnect" | "gap") {
                self.host(record, action, id());
            }
            return;
        }
        let Some(container) = view.actor_id.as_deref().filter(|id| !id.is_empty()) else { return };
        if record.is_own() && view.attribute("kind").is_some_and(|kind| kind != "container") {
            return;
        }
        let state = match action {
            "create" => Some("created"),
            "start" | "unpause" => Some("running"),
            "pause" => Some("paused"),
            "die" if class == Some(Class::Failure) => Some("restarting"),
            "die" | "stop" => Some("exited"),
            "health_status" if detail == "unhealthy" => Some("unhealthy"),
            "health_status" if detail == "healthy" => Some("running"),
            "observed" => match view.attribute("state") {
                Some("running") => Some("running"),
                Some("paused") => Some("paused"),
                Some("created") => Some("created"),
                Some("restarting") => Some("restarting"),
                Some("exited" | "dead") => Some("exited"),
                _ => None,
            },
            _ => None,
        };
        let lane = self.turn(record, container, state, action == "destroy");
        let Some(lane) = lane.and_then(|lane| self.lanes.get_mut(lane)) else { return };
        match (action, class) {
            ("die", Some(Class::Failure)) => {
                lane.failures += 1;
                lane.marks.add(record.time, "die", id(), view.attribute("exitCode").map(|code| format!("exit {code}")));
            }
            ("die", _) => lane.marks.add(record.time, "stop", id(), view.attribute("exitCode").map(|code| format!("exit {code}"))),
            ("oom", _) => {
                lane.failures += 1;
                lane.marks.add(record.time, "oom", id(), None);
            }
            ("health_status", _) => lane.marks.add(record.time, "health", id(), Some(detail.to_owned())),
            ("create", _) => lane.marks.add(record.time, "create", id(), view.attribute("image").map(str::to_owned)),
            ("start", _) => lane.starts += 1,
            ("pause", _) => lane.marks.add(record.time, "pause", id(), None),
            ("destroy", _) => {
                lane.destroyed += 1;
                lane.marks.add(record.time, "destroy", id(), None);
            }
            _ => {}
        }
    }

    /// A container does something else from now on, or nothing any more.
    fn turn(&mut self, record: &RecordView<'_>, id: &str, state: Option<&'static str>, gone: bool) -> Option<usize> {
        let view = &record.event;
        let short: String = id.chars().take(12).collect();
        let key = (Arc::from(&*record.source), short);
        let time = record.time.nanos().clamp(*self.time.start(), *self.time.end());
        let known = self.containers.get(&key).copied();
        let lane = match known {
            Some(doing) => doing.lane,
            None => {
                let subject = subject_of(|key| view.attribute(key), id);
                let project = view.attribute("com.docker.compose.project");
                let lane = self.lane(&record.source, &subject, project, "service")?;
                let one_off = view.attribute("com.docker.compose.oneoff") == Some("True");
                if let Some(lane) = self.lanes.get_mut(lane) {
                    lane.name(id);
                    lane.role = if one_off { "job" } else { lane.role };
                }
                lane
            }
        };
        let now = state.filter(|state| known.is_none_or(|doing| doing.state != *state && !is_part(doing.state, state, view)));
        if let Some(doing) = known.filter(|_| gone || now.is_some()) {
            self.draw(&doing, time);
        }
        if gone {
            self.containers.remove(&key);
        } else if let Some(state) = now {
            let waited = known.map_or(0, |doing| doing.waited_until(time));
            self.containers.insert(key, Doing { lane, state, since: time, waited });
        }
        Some(lane)
    }

    fn draw(&mut self, doing: &Doing, until: i64) {
        let Doing { lane, since, state, .. } = *doing;
        let state = if state == "restarting" && until.saturating_sub(since) > doing.longest_wait() { "down" } else { state };
        let shortest = if self.spans < MAX_SPANS { self.shortest } else { i64::MAX };
        if let Some(lane) = self.lanes.get_mut(lane) {
            self.spans += usize::from(lane.draw(since, until, state, shortest));
        }
    }

    /// The recorder's own: whether it heard of the host.
    fn host(&mut self, record: &RecordView<'_>, action: &str, id: String) {
        let Some(lane) = self.lane(&record.source, &record.source, None, "host") else { return };
        let view = &record.event;
        let key = (Arc::from(&*record.source), String::new());
        let time = record.time.nanos();
        let begin = *self.time.start();
        // Where a connection is the first that is heard of it, nobody had listened.
        let since = if action == "connect" { time } else { begin };
        let doing = self.containers.get(&key).copied().unwrap_or(Doing { lane, state: "running", since, waited: 0 });
        let state = match action {
            "connect" => "running",
            "disconnect" => "unknown",
            _ => doing.state,
        };
        self.draw(&doing, time);
        self.containers.insert(key, Doing { lane, state, since: time, waited: 0 });
        let what = match action {
            "connect" => "connect",
            "disconnect" => "disconnect",
            "gap" => "gap",
            _ => return,
        };
        if let Some(lane) = self.lanes.get_mut(lane) {
            lane.marks.add(record.time, what, id, view.attribute("reason").map(str::to_owned));
        }
    }

    pub(super) fn end(mut self) -> Lifelines {
        let until = *self.time.end();
        for (_, doing) in std::mem::take(&mut self.containers) {
            self.draw(&doing, until);
        }
        let mut lanes = self.lanes;
        for lane in &mut lanes {
            lane.spans.sort_by_key(|span| (span.0, span.1));
            lane.folded = lane.marks.folded;
            // What goes on is the same a moment later.
            for span in lane.spans.iter_mut().filter(|span| ended(span) >= until) {
                span.1 = None;
            }
            // Each of its containers ran once, and went.
            if lane.role == "service" && lane.project.is_none() && lane.starts > 0 && lane.destroyed >= lane.starts {
                lane.role = "job";
            }
        }
        lanes.sort_by(|a, b| {
            let rank = |lane: &Lane| (lane.role != "host", std::cmp::Reverse(lane.failures), lane.role);
            (rank(a), &a.source, &a.key).cmp(&(rank(b), &b.source, &b.key))
        });
        let more = self.left_out.len() + lanes.len().saturating_sub(MAX_LANES);
        lanes.truncate(MAX_LANES);
        Lifelines { lanes, more, ..Lifelines::default() }
    }
}

/// A `stop` after a death, and `healthy` of what was never unhealthy, change nothing.
fn is_part(was: &str, now: &str, view: &EventView<'_>) -> bool {
    let action = view.action.as_deref().unwrap_or_default();
    (action == "stop" && was == "created") || (action.starts_with("health_status") && now == "running" && was != "unhealthy")
}

#[cfg(test)]
mod tests;
