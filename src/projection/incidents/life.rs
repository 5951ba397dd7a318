//! The life of containers, event by event.

use super::bounds::{GRACE, LONG_PAUSE, MAX_FEW, MAX_RESTARTS, NEVER_STARTED, OOM_NEAR, REPLACED, SECOND};
use super::container::{At, Death, Kill, Run};
use super::incident::{Cause, Incident, Kind, Phase, Resolution, Severity};
use super::intent::is_fatal;
use super::state::{Around, Source};
use super::subject::{Change, Look, differences, is_labelled};
use super::timers::Timer;
use crate::event::EventView;

/// A container that ended longer ago than this is not taken for the one that a new container replaces.
const FORGOTTEN: i64 = 24 * 3600 * SECOND;

impl Source {
    pub(super) fn created(&mut self, id: &str, at: At) {
        let tags = &self.tags;
        let Some(container) = self.containers.get_mut(id) else { return };
        container.created = Some(at);
        container.image_id = container.attributes.get("image").and_then(|image| tags.get(image)).cloned();
        let subject = container.subject.clone();
        self.takes_place(id, &subject, at);
    }

    /// A container stands for a subject from now on: what changed by that.
    fn takes_place(&mut self, id: &str, name: &str, at: At) {
        let Some(subject) = self.subjects.get(name) else {
            self.subject(name).current = Some(id.to_owned());
            return;
        };
        let before = subject.current.as_ref().filter(|current| *current != id).and_then(|current| self.containers.get(current));
        let ran = before.is_some_and(|container| container.is_up());
        let look = before.map(|container| Look::of(container)).or_else(|| subject.last.clone()).filter(|look| look.id != id);
        let recent = look.as_ref().is_some_and(|look| look.ended.is_some_and(|ended| at.time.saturating_sub(ended.time) <= REPLACED));
        let key = subject.incident;
        let Some(container) = self.containers.get_mut(id) else { return };
        if let Some(look) = look.filter(|look| look.ended.is_none_or(|ended| at.time.saturating_sub(ended.time) < FORGOTTEN)) {
            let (differences, more) = differences(&look, container);
            let short = container.short();
            let swarm = container.attribute("com.docker.swarm.service.name").is_some();
            let what = if swarm { "replaced by swarm" } else { "recreate" };
            if (ran || recent) && container.run == Run::Created {
                container.replaces = Some(look.id.clone());
                self.timers.arm(Timer::NeverStarted(id.to_owned()), at.told.saturating_add(NEVER_STARTED));
            }
            let change = Change {
                at,
                before: Some(super::container::short_id(&look.id)),
                after: Some(short.clone()),
                differences: differences.clone(),
                more,
            };
            self.subject(name).changed(change);
            if let Some(key) = key {
                self.revive(key);
                self.change(key, |incident| {
                    incident.act(at, what, differences);
                    incident.see(at.seq);
                    incident.container(short);
                });
            }
        }
        self.subject(name).current = Some(id.to_owned());
    }

    pub(super) fn started(&mut self, id: &str, at: At) {
        self.judge(id, at.told);
        self.timers.disarm(&Timer::Refused(id.to_owned()));
        self.timers.disarm(&Timer::NeverStarted(id.to_owned()));
        self.timers.disarm(&Timer::Paused(id.to_owned()));
        let Some(container) = self.containers.get_mut(id) else { return };
        let subject = container.subject.clone();
        // It runs again, and no event told how it ended.
        let unseen = container.started.filter(|started| container.is_up() && at.time > started.time);
        if let Some(last) = container.clean_last.take() {
            if container.clean_waits.len() >= MAX_FEW {
                container.clean_waits.remove(0);
            }
            container.clean_waits.push(at.time.saturating_sub(last.time));
        }
        if container.starts > 0 {
            if container.restarts.len() >= MAX_RESTARTS {
                container.restarts.pop_front();
            }
            container.restarts.push_back(at.time);
        }
        container.started = Some(at);
        container.run = Run::Running;
        container.starts += 1;
        container.kills.clear();
        (container.signalled, container.stopped, container.oom, container.health, container.refused) = (None, None, None, None, None);
        (container.connected, container.ever_healthy, container.paused, container.error) = (false, false, None, None);
        container.unsure &= container.plugged.is_empty();
        if let Some(started) = unseen {
            self.unseen_death(id, started, at);
        }
        self.subject(&subject).current = Some(id.to_owned());
        self.back(&subject, at);
        if let Some(key) = self.current_key(&subject) {
            self.revive(key);
            self.stands_up(key, at, at.told);
        }
    }

    pub(super) fn killed(&mut self, id: &str, at: At, view: &EventView<'_>) {
        let signal = view.attribute("signal").and_then(|signal| signal.parse().ok()).unwrap_or(15);
        let Some(container) = self.containers.get_mut(id) else { return };
        let kill = Kill { at, signal };
        if container.kills.len() >= MAX_FEW {
            // The first one tells when it began, the newest what it came to.
            container.kills.remove(MAX_FEW / 2);
        }
        container.kills.push(kill);
        if !is_fatal(signal) {
            container.signalled = Some(kill);
        }
    }

    pub(super) fn stopped(&mut self, id: &str, at: At) {
        let Some(container) = self.containers.get_mut(id) else { return };
        container.stopped = Some(at);
        let waiting = container.run == Run::Dead && container.death.is_none();
        let subject = container.subject.clone();
        self.back(&subject, at);
        if waiting
            && self.is_current(id)
            && let Some(key) = self.open_key(&subject)
        {
            self.change(key, |incident| incident.act(at, "stop", Vec::new()));
            self.end_for_now(key, at, Resolution::Stopped);
        }
    }

    pub(super) fn restarted(&mut self, id: &str, at: At) {
        let subject = self.containers.get(id).map(|container| container.subject.clone()).unwrap_or_default();
        if let Some(key) = self.open_key(&subject) {
            self.change(key, |incident| incident.act(at, "restart", Vec::new()));
        }
    }

    pub(super) fn oom(&mut self, id: &str, at: At) {
        let Some(container) = self.containers.get_mut(id) else { return };
        container.oom = Some(at);
        let subject = container.subject.clone();
        // It may come after the death that it explains, and that may be judged by then.
        if container.death.is_none()
            && container.died.is_some_and(|died| (0..=OOM_NEAR).contains(&at.time.saturating_sub(died.time)))
            && let Some(key) = self.current_key(&subject)
            && self.incidents.get(&key).is_some_and(|incident| incident.failures().next_back().is_some_and(|last| !last.oom))
        {
            self.change(key, |incident| incident.was_oom(at));
            return;
        }
        self.timers.arm(Timer::Oom(id.to_owned()), at.told.saturating_add(GRACE));
    }

    pub(super) fn died(&mut self, id: &str, at: At, view: &EventView<'_>) {
        self.judge(id, at.told);
        let number = |key| view.attribute(key).and_then(|text| text.parse::<i64>().ok());
        // It left its network because it ended.
        self.surroundings.retain(|around| {
            around.what != Around::Network
                || around.container.as_deref() != Some(id)
                || !(-SECOND..GRACE).contains(&at.time.saturating_sub(around.at.time))
        });
        let Some(container) = self.containers.get_mut(id) else { return };
        container.code = number("exitCode");
        container.death = Some(Death { at, code: container.code, started: container.started, ran: number("execDuration") });
        container.died = Some(at);
        container.run = Run::Dead;
        container.health = None;
        let subject = container.subject.clone();
        self.timers.disarm(&Timer::Paused(id.to_owned()));
        self.timers.arm(Timer::Death(id.to_owned()), at.told.saturating_add(GRACE));
        // Until it is judged, nothing becomes well.
        if self.is_current(id)
            && let Some(key) = self.current_key(&subject)
        {
            self.hush(key);
        }
    }

    pub(super) fn destroyed(&mut self, id: &str, at: At) {
        for timer in [Timer::Refused, Timer::NeverStarted, Timer::Paused, Timer::Oom] {
            self.timers.disarm(&timer(id.to_owned()));
        }
        let Some(container) = self.containers.get_mut(id) else { return };
        container.run = Run::Gone;
        container.destroyed = Some(at);
        let (pending, subject, look) = (container.death.is_some(), container.subject.clone(), Look::of(container));
        let was_current = self.is_current(id);
        self.back(&subject, at);
        let of = self.subject(&subject);
        of.last = Some(look);
        if was_current {
            of.current = None;
            if let Some(key) = self.open_key(&subject) {
                self.change(key, |incident| incident.act(at, "remove", Vec::new()));
                self.end_for_now(key, at, Resolution::Removed);
            }
        } else if let Some(next) = of.current.clone()
            && self.containers.get(&next).is_some_and(|next| next.run == Run::Created && next.replaces.as_deref() == Some(id))
        {
            let timer = Timer::NeverStarted(next);
            if !self.timers.is_armed(&timer) {
                self.timers.arm(timer, at.told.saturating_add(NEVER_STARTED));
            }
        }
        if !pending {
            self.forget(id);
        }
    }

    /// A new name moves the subject, but not where labels tell it (Compose renames what it replaces).
    pub(super) fn renamed(&mut self, id: &str, at: At, view: &EventView<'_>) {
        let Some(container) = self.containers.get_mut(id) else { return };
        if is_labelled(container) {
            return;
        }
        let old = std::mem::replace(&mut container.subject, super::subject::key(|key| view.attribute(key), id));
        let (new, look) = (container.subject.clone(), Look::of(container));
        if old == new {
            return;
        }
        let of = self.subject(&old);
        if of.current.as_deref() == Some(id) {
            of.current = None;
            of.last = Some(look);
            if let Some(key) = self.open_key(&old) {
                self.end_for_now(key, at, Resolution::Removed);
            }
        }
        self.takes_place(id, &new, at);
    }

    pub(super) fn paused(&mut self, id: &str, at: At) {
        let Some(container) = self.containers.get_mut(id) else { return };
        container.run = Run::Paused;
        container.paused = Some(at);
        self.timers.arm(Timer::Paused(id.to_owned()), at.told.saturating_add(LONG_PAUSE));
    }

    pub(super) fn unpaused(&mut self, id: &str) {
        self.timers.disarm(&Timer::Paused(id.to_owned()));
        let Some(container) = self.containers.get_mut(id) else { return };
        container.run = Run::Running;
        container.paused = None;
    }

    pub(super) fn updated(&mut self, id: &str, at: At) {
        let Some(subject) = self.containers.get(id).map(|container| container.subject.clone()) else { return };
        let text = format!("limits or restart policy of {subject} updated");
        self.around(at, Around::Update, &subject, &text, None);
        if let Some(key) = self.open_key(&subject) {
            self.change(key, |incident| incident.act(at, "update", Vec::new()));
        }
    }

    pub(super) fn long_pause(&mut self, id: &str, now: i64) {
        let Some((subject, at)) = self.containers.get(id).and_then(|container| Some((container.subject.clone(), container.paused?))) else {
            return;
        };
        let title = format!("{subject} has been paused for an hour");
        self.notice((&subject, id), Kind::Paused, at, now, &title, Vec::new());
    }

    /// Something worth a line: it is over when it is told. With what came before it, which is a part of its
    /// evidence.
    pub(super) fn notice(
        &mut self,
        (subject, id): (&str, &str),
        kind: Kind,
        at: At,
        now: i64,
        title: &str,
        causes: Vec<Cause>,
    ) -> Option<super::incident::Key> {
        if self.containers.get(id).and_then(|container| container.attributes.get(super::death::LABEL)).is_some_and(|wish| wish == "off") {
            return None;
        }
        let key = self.free_key(at.seq, b'n', kind)?;
        let mut notice = Incident::new(key, subject, kind, at, now);
        notice.severity = Severity::Notice;
        notice.standing = super::incident::Standing::Closed;
        notice.end = Some(at.time);
        notice.title = Some(super::text::cut(title, super::bounds::MAX_TEXT));
        notice.container(super::container::short_id(id));
        causes.iter().filter_map(|cause| cause.at).for_each(|at| notice.see(at.seq));
        if !causes.is_empty() {
            notice.phases.push(Phase::told(kind, at, causes));
        }
        Some(self.open(notice))
    }
}
