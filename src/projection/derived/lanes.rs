//! Lifelines: what each subject's containers were doing, as spans and marks to draw.

use super::charts::{Span, read};
use super::class::{Class, Classifier};
use super::known::Known;
use crate::cursor::Sequence;
use crate::event::{EventView, Record};
use crate::filter::Filter;
use crate::log::{EventLog, LogError};
use crate::projection::incidents::{Ids, Inventory, subject_of};
use crate::time::Timestamp;
use serde::Serialize;
use std::collections::{BTreeMap, HashMap};
use std::ops::RangeInclusive;
use std::sync::Arc;

/// Lanes of an answer, the worst first; the others are counted.
const MAX_LANES: usize = 200;
/// Lanes that are followed at all.
const MAX_FOLLOWED: usize = 5000;
/// Spans of all lanes. Beyond it short ones melt whatever the width.
const MAX_SPANS: usize = 100_000;
/// Marks of one lane; the others are counted.
const MAX_MARKS: usize = 200;
/// Containers that a lane names.
const MAX_NAMED: usize = 16;
/// Longer than so long, in nanoseconds, no daemon waits before a restart: what is down for longer has ended.
const LONGEST_WAIT: i64 = 65_000_000_000;
/// What tells of lives.
const LIVES: &str = r#"{"type":["container","recorder"],"event":["create","start","die","kill","stop","pause","unpause","oom","health_status","destroy","rename","connect","disconnect","gap","observed"]}"#;

/// From, until, what it was doing, and how many spans have melted into it.
type Drawn = (Timestamp, Timestamp, &'static str, u64);
/// When, what, the record, and details.
type Mark = (Timestamp, &'static str, String, Option<String>);

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
    pub marks: Vec<Mark>,
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
    /// Where reading ended early: what came after it is not drawn.
    pub ended_after: Option<Sequence>,
}

/// What a container is doing.
#[derive(Debug, Clone, Copy)]
struct Doing {
    lane: usize,
    state: &'static str,
    since: i64,
}

struct Drawing {
    time: RangeInclusive<i64>,
    /// What is shorter melts into its neighbour.
    shortest: i64,
    lanes: Vec<Lane>,
    by_key: BTreeMap<(String, String), usize>,
    containers: HashMap<(Arc<str>, String), Doing>,
    spans: usize,
    left_out: usize,
    classifier: Classifier,
}

impl Known {
    /// What was there in a range of time, drawn so many points wide.
    ///
    /// # Errors
    /// When the log cannot be read.
    pub async fn lifelines(
        self: &Arc<Self>,
        log: &Arc<dyn EventLog>,
        time: RangeInclusive<Timestamp>,
        width: u32,
    ) -> Result<Lifelines, LogError> {
        let before = self.state_at(log, *time.start()).await?;
        let mut drawing = Drawing::new(&time, width);
        drawing.begin(&before);
        let ids = self.ids();
        let filter = Filter::from_params(Some(LIVES), None).map_err(|e| LogError::Refused(e.to_string()))?;
        let span = Span { time, filter: Arc::new(filter) };
        let ended_after = read(log, &span, |record| drawing.read(record, &ids)).await?;
        Ok(Lifelines { ended_after, ..drawing.end() })
    }
}

impl Lane {
    fn new(source: &str, key: &str, project: Option<&str>, role: &'static str) -> Self {
        Self {
            key: key.to_owned(),
            source: source.to_owned(),
            project: project.map(str::to_owned),
            role,
            containers: Vec::new(),
            spans: Vec::new(),
            marks: Vec::new(),
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

    fn mark(&mut self, time: Timestamp, what: &'static str, record: String, detail: Option<String>) {
        if self.marks.len() < MAX_MARKS {
            self.marks.push((time, what, record, detail));
        } else {
            self.folded += 1;
        }
    }

    /// Draws a span; whether it took room.
    fn draw(&mut self, from: i64, until: i64, state: &'static str, shortest: i64) -> bool {
        if until <= from {
            return false;
        }
        let state = if state == "restarting" && until - from > LONGEST_WAIT { "exited" } else { state };
        let (begin, end) = (Timestamp::from_nanos(from), Timestamp::from_nanos(until));
        if let Some(last) = self.spans.last_mut() {
            let short = |span: &Drawn| span.2 == "looping" || span.1.nanos() - span.0.nanos() < shortest;
            if last.2 == state && last.1 >= begin && last.3 == 0 {
                last.1 = last.1.max(end);
                return false;
            }
            // What follows at once, and is a part of a loop, or of too much to be drawn.
            let looping = |state: &str| matches!(state, "running" | "restarting" | "looping") || shortest == i64::MAX;
            let follows = begin >= last.0 && from.saturating_sub(last.1.nanos()) < shortest;
            if until - from < shortest && short(last) && follows && looping(state) && looping(last.2) {
                *last = (last.0, last.1.max(end), "looping", last.3.max(1) + 1);
                return false;
            }
        }
        self.spans.push((begin, end, state, 0));
        true
    }
}

impl Drawing {
    fn new(time: &RangeInclusive<Timestamp>, width: u32) -> Self {
        let (from, until) = (time.start().nanos(), time.end().nanos());
        Self {
            time: from..=until,
            shortest: until.saturating_sub(from) / i64::from(width.max(1)),
            lanes: Vec::new(),
            by_key: BTreeMap::new(),
            containers: HashMap::new(),
            spans: 0,
            left_out: 0,
            classifier: Classifier::default(),
        }
    }

    /// What was there when the range begins.
    fn begin(&mut self, before: &Inventory) {
        for one in &before.containers {
            let Some(lane) = self.lane(&one.source, &one.key, one.key.split_once('/').map(|(project, _)| project), "service") else {
                continue;
            };
            let state = if one.health == Some("unhealthy") { "unhealthy" } else { one.state };
            if let Some(lane) = self.lanes.get_mut(lane) {
                lane.name(&one.id);
            }
            self.containers.insert((one.source.as_str().into(), one.id.clone()), Doing { lane, state, since: *self.time.start() });
        }
    }

    fn lane(&mut self, source: &str, key: &str, project: Option<&str>, role: &'static str) -> Option<usize> {
        let by = (source.to_owned(), format!("{role} {key}"));
        if let Some(lane) = self.by_key.get(&by) {
            return Some(*lane);
        }
        if self.lanes.len() >= MAX_FOLLOWED {
            self.left_out += 1;
            return None;
        }
        self.lanes.push(Lane::new(source, key, project, role));
        self.by_key.insert(by, self.lanes.len() - 1);
        Some(self.lanes.len() - 1)
    }

    fn read(&mut self, record: &Record, ids: &Ids) {
        let class = self.classifier.read(record).class;
        let view = record.event.view();
        let id = || ids.cursor(record.seq);
        let action = view.action.as_deref().unwrap_or_default();
        let (action, detail) = action.split_once(": ").unwrap_or((action, ""));
        if record.event.is_own() && action != "observed" {
            if matches!(action, "connect" | "disconnect" | "gap") {
                self.host(record, action, &view, id());
            }
            return;
        }
        let Some(container) = view.actor_id.as_deref().filter(|id| !id.is_empty()) else { return };
        if record.event.is_own() && view.attribute("kind").is_some_and(|kind| kind != "container") {
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
        let lane = self.turn(record, container, &view, state, action == "destroy");
        let Some(lane) = lane.and_then(|lane| self.lanes.get_mut(lane)) else { return };
        match (action, class) {
            ("die", Some(Class::Failure)) => {
                lane.failures += 1;
                lane.mark(record.time, "die", id(), view.attribute("exitCode").map(|code| format!("exit {code}")));
            }
            ("die", _) => lane.mark(record.time, "stop", id(), view.attribute("exitCode").map(|code| format!("exit {code}"))),
            ("oom", _) => {
                lane.failures += 1;
                lane.mark(record.time, "oom", id(), None);
            }
            ("health_status", _) => lane.mark(record.time, "health", id(), Some(detail.to_owned())),
            ("create", _) => lane.mark(record.time, "create", id(), view.attribute("image").map(str::to_owned)),
            ("start", _) => lane.starts += 1,
            ("pause", _) => lane.mark(record.time, "pause", id(), None),
            ("destroy", _) => {
                lane.destroyed += 1;
                lane.mark(record.time, "destroy", id(), None);
            }
            _ => {}
        }
    }

    /// A container does something else from now on, or nothing any more.
    fn turn(&mut self, record: &Record, id: &str, view: &EventView<'_>, state: Option<&'static str>, gone: bool) -> Option<usize> {
        let short: String = id.chars().take(12).collect();
        let key = (Arc::clone(&record.source), short);
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
            self.draw(lane, doing.since, time, doing.state);
        }
        if gone {
            self.containers.remove(&key);
        } else if let Some(state) = now {
            self.containers.insert(key, Doing { lane, state, since: time });
        }
        Some(lane)
    }

    fn draw(&mut self, lane: usize, from: i64, until: i64, state: &'static str) {
        let shortest = if self.spans < MAX_SPANS { self.shortest } else { i64::MAX };
        if let Some(lane) = self.lanes.get_mut(lane) {
            self.spans += usize::from(lane.draw(from, until, state, shortest));
        }
    }

    /// The recorder's own: whether it heard of the host.
    fn host(&mut self, record: &Record, action: &str, view: &EventView<'_>, id: String) {
        let Some(lane) = self.lane(&record.source, &record.source, None, "host") else { return };
        let key = (Arc::clone(&record.source), String::new());
        let time = record.time.nanos();
        let begin = *self.time.start();
        let doing = self.containers.get(&key).copied().unwrap_or(Doing { lane, state: "running", since: begin });
        let state = match action {
            "connect" => "running",
            "disconnect" => "unknown",
            _ => doing.state,
        };
        self.draw(lane, doing.since, time, doing.state);
        self.containers.insert(key, Doing { lane, state, since: time });
        let what = match action {
            "connect" => "connect",
            "disconnect" => "disconnect",
            "gap" => "gap",
            _ => return,
        };
        if let Some(lane) = self.lanes.get_mut(lane) {
            lane.mark(record.time, what, id, view.attribute("reason").map(str::to_owned));
        }
    }

    fn end(mut self) -> Lifelines {
        let until = *self.time.end();
        for (_, doing) in std::mem::take(&mut self.containers) {
            self.draw(doing.lane, doing.since, until, doing.state);
        }
        let mut lanes = self.lanes;
        for lane in &mut lanes {
            lane.spans.sort_by_key(|span| (span.0, span.1));
            // Each of its containers ran once, and went.
            if lane.role == "service" && lane.project.is_none() && lane.starts > 0 && lane.destroyed >= lane.starts {
                lane.role = "job";
            }
        }
        lanes.sort_by(|a, b| {
            let rank = |lane: &Lane| (lane.role != "host", std::cmp::Reverse(lane.failures), lane.role);
            (rank(a), &a.source, &a.key).cmp(&(rank(b), &b.source, &b.key))
        });
        let more = self.left_out + lanes.len().saturating_sub(MAX_LANES);
        lanes.truncate(MAX_LANES);
        Lifelines { lanes, more, ended_after: None }
    }
}

/// A `stop` after a death, and `healthy` of what was never unhealthy, change nothing.
fn is_part(was: &str, now: &str, view: &EventView<'_>) -> bool {
    let action = view.action.as_deref().unwrap_or_default();
    (action == "stop" && was == "created") || (action.starts_with("health_status") && now == "running" && was != "unhealthy")
}
