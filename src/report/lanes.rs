//! The states of containers over time, folded from their events.

use super::acts::{Act, Fact, Seen};
use super::model::{Lane, MAX_LANES, MAX_MARKS, MAX_SPANS, Mark, Run, Span};
use crate::time::Timestamp;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

/// The daemon starts a container again after so long at most, and a busy machine adds some seconds.
const LONGEST_WAIT: Duration = Duration::from_secs(75);
/// Containers that are counted and not followed, at most.
const MAX_COUNTED: usize = 10_000;

/// Where and when a record was.
pub(super) struct Place<'a> {
    pub(super) id: &'a str,
    pub(super) source: &'a str,
    pub(super) time: Timestamp,
    /// Whether an incident of the report is about it.
    pub(super) hit: bool,
    /// Whether it is one of an incident's failures.
    pub(super) failure: bool,
}

/// What was known of a container when a record came.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Before {
    pub(super) started: Option<Timestamp>,
    pub(super) ended: Option<Timestamp>,
}

#[derive(Debug)]
struct Followed {
    lane: Lane,
    before: Before,
    /// Somebody stopped it since its last start.
    stopped: bool,
}

/// All containers that are followed.
#[derive(Debug)]
pub(super) struct Lanes {
    /// Nothing earlier was read.
    begin: Timestamp,
    of: BTreeMap<(String, String), Followed>,
    more: BTreeSet<(String, String)>,
}

impl Lanes {
    pub(super) fn new(begin: Timestamp) -> Self {
        Self { begin, of: BTreeMap::new(), more: BTreeSet::new() }
    }

    /// Reads one record of a container; what was known of it before.
    pub(super) fn read(&mut self, place: &Place<'_>, fact: &Fact) -> Before {
        if self.begin == Timestamp::MIN {
            self.begin = place.time;
        }
        let key = (place.source.to_owned(), fact.container.clone());
        if !self.of.contains_key(&key) && !self.make_room(place.hit) {
            if self.more.len() < MAX_COUNTED {
                self.more.insert(key);
            }
            return Before::default();
        }
        // It may have been told of before an incident was about it.
        self.more.remove(&key);
        let begin = self.begin;
        let followed = self.of.entry(key).or_insert_with_key(|(source, container)| Followed {
            lane: Lane {
                source: source.clone(),
                subject: fact.subject.clone(),
                container: container.clone(),
                hit: false,
                spans: Vec::new(),
                marks: Vec::new(),
                more_marks: 0,
            },
            before: Before::default(),
            stopped: false,
        });
        followed.read(place, fact, begin)
    }

    /// Whether one more can be followed; one that no incident is about gives way to one that is hit.
    fn make_room(&mut self, hit: bool) -> bool {
        if self.of.len() < MAX_LANES {
            return true;
        }
        let quiet = self.of.iter().find(|(_, followed)| !followed.lane.hit).map(|(key, _)| key.clone());
        match quiet.filter(|_| hit) {
            Some(quiet) => {
                self.of.remove(&quiet);
                self.more.insert(quiet);
                true
            }
            None => false,
        }
    }

    /// That a container waits for its next start, at the end.
    pub(super) fn waits(&mut self, source: &str, container: &str) {
        let followed = self.of.get_mut(&(source.to_owned(), container.to_owned()));
        if let Some(last) = followed.and_then(|followed| followed.lane.spans.last_mut())
            && last.run == Run::Exited
            && last.to.is_none()
        {
            last.run = Run::Restarting;
        }
    }

    /// All of them, those that are hit first, and how many more there are.
    pub(super) fn finish(self) -> (Vec<Lane>, u64) {
        let mut lanes: Vec<Lane> = self.of.into_values().map(|followed| followed.lane).filter(|lane| !lane.spans.is_empty()).collect();
        let begin = |lane: &Lane| lane.spans.first().map(|span| span.from);
        lanes.sort_by(|a, b| {
            (!a.hit, &a.source, &a.subject, begin(a), &a.container).cmp(&(!b.hit, &b.source, &b.subject, begin(b), &b.container))
        });
        (lanes, self.more.len() as u64)
    }
}

impl Followed {
    fn read(&mut self, place: &Place<'_>, fact: &Fact, begin: Timestamp) -> Before {
        let before = self.before;
        self.lane.hit |= place.hit;
        if fact.act == Act::Rename {
            self.lane.subject.clone_from(&fact.subject);
        }
        if self.lane.spans.is_empty()
            && let Some(run) = implied(fact.act)
        {
            self.lane.spans.push(Span { from: begin.min(place.time), to: None, run, inferred: true });
        }
        match fact.act {
            Act::Create | Act::Seen(Seen::Created) => self.turn(Run::Created, place.time),
            Act::Start => {
                self.wait_ended(place.time);
                self.turn(Run::Running, place.time);
                self.before.started = Some(place.time);
                self.stopped = false;
            }
            Act::Unpause => self.turn(Run::Running, place.time),
            Act::Healthy if self.now() != Some(Run::Paused) => self.turn(Run::Running, place.time),
            Act::Seen(Seen::Running) if !matches!(self.now(), Some(Run::Paused | Run::Unhealthy)) => self.turn(Run::Running, place.time),
            Act::Unhealthy if self.now() == Some(Run::Running) => self.turn(Run::Unhealthy, place.time),
            Act::Pause | Act::Seen(Seen::Paused) => self.turn(Run::Paused, place.time),
            Act::Die | Act::Seen(Seen::Exited) => {
                self.turn(Run::Exited, place.time);
                self.before.ended = Some(place.time);
                self.before.started = None;
            }
            Act::Destroy | Act::Seen(Seen::Gone) => self.end(place.time),
            Act::Stop => self.stopped = true,
            _ => {}
        }
        self.mark(place, fact);
        before
    }

    fn now(&self) -> Option<Run> {
        self.lane.spans.last().filter(|span| span.to.is_none()).map(|span| span.run)
    }

    /// It is in another state from now on. Times may fall; states follow each other all the same.
    fn turn(&mut self, run: Run, time: Timestamp) {
        if self.now() == Some(run) {
            return;
        }
        if self.lane.spans.len() >= MAX_SPANS {
            if let Some(last) = self.lane.spans.last_mut() {
                (last.run, last.to) = (Run::Changing, None);
            }
            return;
        }
        let from = self.lane.spans.last().map_or(time, |last| time.max(last.to.unwrap_or(last.from)));
        self.end(from);
        self.lane.spans.push(Span { from, to: None, run, inferred: false });
    }

    fn end(&mut self, time: Timestamp) {
        if let Some(last) = self.lane.spans.last_mut()
            && last.to.is_none()
        {
            last.to = Some(time.max(last.from));
        }
    }

    /// What looked like an end was a wait, if nobody stopped it and it was no longer than the daemon waits.
    fn wait_ended(&mut self, time: Timestamp) {
        if let Some(last) = self.lane.spans.last_mut()
            && last.run == Run::Exited
            && last.to.is_none()
            && !self.stopped
            && time.since(last.from) <= LONGEST_WAIT
        {
            last.run = Run::Restarting;
        }
    }

    fn mark(&mut self, place: &Place<'_>, fact: &Fact) {
        let told = match fact.act {
            Act::Die | Act::Seen(Seen::Exited) => place.failure,
            // Of others, such as jobs, it is nothing new.
            Act::Create => place.hit,
            Act::Oom | Act::Unhealthy | Act::Update | Act::Stop | Act::Restart => true,
            _ => false,
        };
        if !told {
            return;
        }
        if self.lane.marks.len() >= MAX_MARKS {
            self.lane.more_marks += 1;
            return;
        }
        let (what, text) = (fact.what(place.failure), fact.text.clone());
        self.lane.marks.push(Mark { time: place.time, record: place.id.to_owned(), what, text });
    }
}

/// What a container must have been before its first record that was read.
fn implied(act: Act) -> Option<Run> {
    match act {
        Act::Die | Act::Kill | Act::Oom | Act::Pause | Act::Healthy | Act::Unhealthy => Some(Run::Running),
        Act::Unpause => Some(Run::Paused),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn containers_that_are_not_followed_are_counted_up_to_a_bound() {
        let time = Timestamp::from_nanos(1_700_000_000_000_000_000);
        let place = Place { id: "7f3c9a1e-1", source: "local", time, hit: false, failure: false };
        let mut lanes = Lanes::new(time);
        for n in 0..MAX_LANES + MAX_COUNTED + 10 {
            let (container, subject) = (format!("{n:012}"), "web".to_owned());
            let fact = Fact { act: Act::Start, container, subject, text: "started".to_owned(), repeats: false };
            lanes.read(&place, &fact);
        }
        let (followed, more) = lanes.finish();
        assert_eq!((followed.len(), more), (MAX_LANES, MAX_COUNTED as u64));
    }
}
