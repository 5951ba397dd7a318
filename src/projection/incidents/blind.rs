//! What the recorder says of itself: when nobody listened, what may be missing, and what it saw by looking.

use super::bounds::{MAX_GAPS, MAX_TEXT, REPLAY};
use super::container::{At, Death, Run};
use super::incident::{Cause, CauseKind, Failure, Key, Kind, Severity, Sign};
use super::state::{Beginning, Gap, LEFT_OUT, Lost, Source, State};
use super::text::cut;
use super::timers::Timer;
use crate::event::EventView;
use crate::log::GapReason;
use crate::time::Timestamp;

/// What the daemon says of a container whose exit code it lost.
const LOST_CODE: i64 = 255;
const FIRST_CONTACT: &str = "first-contact";

fn time_of(text: Option<&str>) -> Option<i64> {
    let text = text?;
    let plain = Timestamp::from_text(text.as_bytes());
    plain.or_else(|| Timestamp::parse(text, Timestamp::from_nanos(0)).ok()).map(Timestamp::nanos).filter(|nanos| *nanos > 0)
}

impl State {
    /// Records that would come next are missing in the log.
    pub(super) fn miss(&mut self, count: u64, why: GapReason) {
        if why != GapReason::Export {
            let lost = self.lost.get_or_insert(Lost { count: 0, from: self.clock });
            lost.count = lost.count.saturating_add(count);
            self.all_lost(count);
        } else if !std::mem::replace(&mut self.partial, true) {
            self.sources.values_mut().for_each(Source::is_partial);
        }
    }
}

impl Source {
    /// A filter may have left out anything, anywhere.
    pub(super) fn is_partial(&mut self) {
        self.partial = true;
        self.aside.work += self.incidents.len() as u64;
        for key in self.incidents.keys().copied().collect::<Vec<_>>() {
            self.change(key, |incident| incident.qualify(LEFT_OUT));
        }
        self.settle();
    }

    pub(super) fn recorder(&mut self, at: At, view: &EventView<'_>) {
        match view.action.as_deref() {
            Some("connect") => {
                let digits = view.attribute("engine").map(|engine| engine.split(|c: char| !c.is_ascii_digit()).next().unwrap_or_default());
                self.engine = digits.and_then(|digits| digits.parse().ok()).unwrap_or(self.engine);
                self.reconnected(at);
            }
            Some("disconnect") => {
                // The recorder's own end says nothing of the host.
                if view.attribute("reason") != Some("shutdown") {
                    self.stream_ended(at);
                }
                self.blind = true;
            }
            Some("resumed") => {
                self.outage = None;
                self.sees_again(at, view);
            }
            Some("gap") => self.gap(at, view),
            Some("baseline") => {
                self.baseline.get_or_insert(at.time);
                self.looked = Some(at);
                self.first_look(at);
            }
            Some("observed") if view.attribute("kind").is_none_or(|kind| kind == "container") => self.observed(at, view),
            _ => {}
        }
    }

    /// What was replayed carries one time of receipt and old times of its own: no timer runs until it is
    /// read.
    fn sees_again(&mut self, at: At, view: &EventView<'_>) {
        self.blind = false;
        if view.attribute("replayed").is_some_and(|count| count != "0") {
            self.hold = at.told.saturating_add(REPLAY);
        }
    }

    fn gap(&mut self, at: At, view: &EventView<'_>) {
        let reason = view.attribute("reason").unwrap_or("unknown");
        let was_blind = self.blind;
        self.sees_again(at, view);
        if reason == FIRST_CONTACT {
            self.beginning = Beginning::Recording;
            self.outage = None;
            return;
        }
        if reason == "daemon-restart" {
            if self.outage.is_none() && was_blind {
                self.restarted_unseen(At { time: time_of(view.attribute("from")).unwrap_or(at.time).min(at.time), ..at });
            }
            self.daemon_restarted(at);
        } else if was_blind {
            self.outage = None;
        }
        let until = time_of(view.attribute("until")).unwrap_or(at.time);
        let from = time_of(view.attribute("from")).unwrap_or(until).min(until);
        self.may_miss(Gap { from, until, text: Gap::text(&cut(reason, MAX_TEXT / 2), from, until) }, at);
    }

    /// Records of the log are gone: what they told of this host, nobody knows. No timer fires in that time.
    pub(super) fn lost(&mut self, lost: Lost, at: At) {
        self.clock = self.clock.max(at.told);
        self.hold = self.hold.max(at.told);
        let count = if lost.count == 0 { String::new() } else { format!("{} ", lost.count) };
        let text = format!("events may be missing: {count}records of the log are lost");
        self.may_miss(Gap { from: lost.from.min(at.told), until: at.told, text }, at);
    }

    /// What meets a time of which events may be missing is not sure.
    fn may_miss(&mut self, gap: Gap, at: At) {
        self.aside.work += self.incidents.len() as u64;
        let met: Vec<Key> = self
            .incidents
            .values()
            .filter(|i| i.kind != Kind::Host && gap.meets(i.start, i.end.unwrap_or(at.time)))
            .map(|i| i.key)
            .collect();
        for key in met {
            self.change(key, |incident| incident.qualify(&gap.text));
            self.count_anew(key, at);
        }
        if self.gaps.len() >= MAX_GAPS {
            self.gaps.pop_front();
        }
        self.gaps.push_back(gap);
    }

    /// It may have died unseen: being well counts from now, and so does waiting for a start.
    fn count_anew(&mut self, key: Key, at: At) {
        let Some(incident) = self.incidents.get_mut(&key).filter(|incident| incident.is_open()) else { return };
        if let Some(candidate) = &mut incident.candidate {
            candidate.from = candidate.from.max(at.told);
            incident.well_since = Some(at.time);
            self.arm_well(key);
        } else if self.timers.is_armed(&Timer::Down(key)) {
            self.timers.arm(Timer::Down(key), at.told.saturating_add(super::bounds::LADDER_LAST + super::bounds::LADDER_SLACK));
        }
    }

    fn observed(&mut self, at: At, view: &EventView<'_>) {
        let Some(id) = view.actor_id.as_deref().filter(|id| !id.is_empty() && id.len() <= MAX_TEXT) else { return };
        let observation = view.attribute("observation").unwrap_or_default();
        if observation == "gone" {
            if self.containers.contains_key(id) {
                self.destroyed(id, at);
            }
            return;
        }
        let known = self.containers.contains_key(id);
        let Some(container) = self.know(id, view) else { return };
        container.told = view.attribute("state").map(|_| at.seq).or(container.told);
        let (was, subject) = (container.run, container.subject.clone());
        self.learn(id, &subject, at, view);
        if known && observation != "difference" {
            return;
        }
        if self.subject(&subject).current.is_none() {
            self.subject(&subject).current = Some(id.to_owned());
        }
        let began = time_of(view.attribute("startedAt"));
        let Some(container) = self.containers.get_mut(id) else { return };
        if let Some(ended) = time_of(view.attribute("finishedAt")).filter(|_| !known) {
            container.code = view.attribute("exitCode").and_then(|code| code.parse().ok());
            container.finished = Some(ended);
        }
        match view.attribute("state").unwrap_or_default() {
            state @ ("running" | "paused") => {
                container.unsure = container.plugged.is_empty();
                container.run = if state == "running" { Run::Running } else { Run::Paused };
                container.starts = container.starts.max(1);
                let anew = known && !matches!(was, Run::Running | Run::Paused);
                if anew || container.started.is_none() {
                    container.started = Some(At { time: began.unwrap_or(at.time).min(at.time), ..at });
                }
                if anew && let Some(key) = self.open_key(&subject) {
                    self.back(&subject, at);
                    self.stands_up(key, at, at.told);
                }
            }
            "restarting" => {
                container.run = Run::Dead;
                let container = container.clone();
                if self.open_key(&subject).is_none() {
                    let key = self.begin_with(&container, Kind::Crash, Severity::Minor, Sign::Exit(None), at, at.told);
                    if let Some(key) = key {
                        self.change(key, |incident| incident.qualify("it was failing when it was first looked at"));
                    }
                }
            }
            "exited" | "dead" if known && matches!(was, Run::Running | Run::Paused) => {
                let code = view.attribute("exitCode").and_then(|code| code.parse().ok());
                let ended = time_of(view.attribute("finishedAt")).unwrap_or(at.time);
                self.ended_unseen(id, At { time: ended, ..at }, code);
            }
            "exited" | "dead" => container.run = Run::Dead,
            _ => {}
        }
    }

    /// What an inspection says besides the state.
    fn learn(&mut self, id: &str, subject: &str, at: At, view: &EventView<'_>) {
        if let Some(health) = view.attribute("health") {
            let healthy = match health {
                "healthy" => Some(super::container::Health::Healthy),
                "unhealthy" => Some(super::container::Health::Unhealthy),
                _ => None,
            };
            if let Some(container) = self.containers.get_mut(id).filter(|container| container.health.is_none()) {
                container.health = healthy;
            }
        }
        let error = view.attribute("error").filter(|error| !error.is_empty());
        if let Some(container) = self.containers.get_mut(id) {
            container.memory = view.attribute("memory").and_then(|bytes| bytes.parse().ok()).or(container.memory);
            // It is asked at once, and a failure is judged a moment later: what an inspection tells of one is
            // there before its incident.
            if view.attribute("observation") == Some("failure") {
                container.error = error.map(|error| (at, cut(error, MAX_TEXT)));
                if view.attribute("oomKilled") == Some("true") && container.death.is_some() {
                    container.oom.get_or_insert(at);
                }
            }
        }
        let Some(key) = self.current_key(subject) else { return };
        if let Some(error) = error {
            self.change(key, |incident| incident.caused(Cause::said(at, error)));
        }
        let near = |incident: &super::incident::Incident| {
            incident.died.is_some_and(|died| at.time.saturating_sub(died.time) <= super::bounds::MINUTE)
        };
        if view.attribute("oomKilled") == Some("true") && self.incidents.get(&key).is_some_and(near) {
            self.change(key, |incident| incident.was_oom(at));
        }
    }

    /// It ended while nobody listened.
    fn ended_unseen(&mut self, id: &str, at: At, code: Option<i64>) {
        let Some(container) = self.containers.get_mut(id) else { return };
        container.run = Run::Dead;
        container.died = Some(at);
        container.code = code;
        let death = Death { at, code: code.filter(|code| *code != LOST_CODE), started: container.started, ran: None };
        let container = container.clone();
        if self.lost_with_the_daemon(&container, &death, code) {
            return;
        }
        if code != Some(0) {
            self.inspected(&container, &death, code);
        }
    }

    /// A failure that only an inspection tells.
    pub(super) fn inspected(&mut self, container: &super::container::Container, death: &Death, code: Option<i64>) {
        // When it ended is not known well enough to say how long it ran.
        let failure = Failure { at: death.at, code: death.code, oom: false, up: 0 };
        let Some(key) = self.fail(container, failure, death.at, None, death.at.told) else { return };
        let lost = code == Some(LOST_CODE);
        self.change(key, |incident| {
            incident.qualify(if code.is_some() {
                "seen by inspection: nobody listened when it ended"
            } else {
                "no event told how it ended"
            });
            if lost {
                incident.caused(Cause::new(CauseKind::Unknown, Some(death.at), super::words::LOST_CODE));
            }
        });
    }

    /// It runs anew, and no event told how it ended.
    pub(super) fn unseen_death(&mut self, id: &str, started: At, at: At) {
        let Some(container) = self.containers.get(id).cloned() else { return };
        let death = Death { at, code: None, started: Some(started), ran: None };
        if self.lost_with_the_daemon(&container, &death, None) {
            return;
        }
        if let Some(key) = self.open_key(&container.subject) {
            self.change(key, |incident| incident.qualify("it started without an event of its end: at least one death is not counted"));
        }
    }
}
