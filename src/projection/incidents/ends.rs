//! How incidents end: well for long enough, or stopped or removed and not made again.

use super::bounds::{REPLACED, WELL_MAX, WELL_MIN};
use super::container::{At, Health};
use super::incident::{Candidate, Incident, Key, Kind, Resolution, Severity, Standing};
use super::state::Source;
use super::timers::Timer;

impl Source {
    /// Something of it started, or its health check succeeds: it may be the end.
    pub(super) fn stands_up(&mut self, key: Key, at: At, from: i64) {
        self.timers.disarm(&Timer::Down(key));
        self.change(key, |incident| {
            if let Some(died) = incident.died.filter(|_| incident.candidate.is_none() && incident.deaths > 0) {
                incident.waited = at.time.saturating_sub(died.time).clamp(0, super::bounds::LADDER_LAST);
            }
            incident.candidate = Some(Candidate { at, from });
            incident.well_since.get_or_insert(at.time);
            (incident.down, incident.next_start) = (false, None);
            incident.see(at.seq);
        });
        self.arm_well(key);
    }

    /// It is not up, or not known to be: nothing becomes well by time.
    pub(super) fn hush(&mut self, key: Key) {
        self.timers.disarm(&Timer::Well(key));
        self.timers.disarm(&Timer::Recovering(key));
        if self.incidents.get(&key).is_some_and(|incident| incident.standing == Standing::Recovering) {
            self.change(key, |incident| incident.standing = Standing::Open);
        }
    }

    /// Sets the time at which it counts as well, if nothing happens until then.
    pub(super) fn arm_well(&mut self, key: Key) {
        let Some(incident) = self.incidents.get(&key) else { return };
        let candidate = incident.candidate.filter(|_| incident.unhealthy_since.is_none() && incident.is_open());
        let Some(candidate) = candidate else {
            self.hush(key);
            return;
        };
        let unknown = self.subjects.get(&incident.subject).is_some_and(|subject| {
            let current = subject.current.as_ref().and_then(|id| self.containers.get(id));
            subject.checked && current.is_none_or(|container| container.health != Some(Health::Healthy))
        });
        let usual = incident.longest.saturating_mul(2).clamp(WELL_MIN, WELL_MAX);
        // A check that says nothing any more may be gone: then time decides.
        let needed = if unknown { WELL_MAX } else { usual };
        let longest = incident.longest.min(needed);
        let by_health = incident.deaths == 0 && !unknown;
        self.timers.arm(Timer::Well(key), candidate.from.saturating_add(needed));
        if by_health {
            self.change(key, |incident| incident.standing = Standing::Recovering);
        } else {
            self.timers.arm(Timer::Recovering(key), candidate.from.saturating_add(longest));
        }
    }

    /// It has been well for long enough.
    pub(super) fn well(&mut self, key: Key) {
        let Some(incident) = self.incidents.get(&key) else { return };
        let (end, how) = match incident.candidate {
            Some(candidate) => (candidate.at, how(incident, candidate.at)),
            // A process inside was killed for memory, and none since.
            None if incident.child_ooms > 0 && incident.deaths == 0 => (
                At { time: incident.phases.last().map_or(incident.start, |phase| phase.last.time), told: 0, seq: incident.last },
                Resolution::Recovered,
            ),
            None => return,
        };
        self.close(key, end, how);
    }

    fn close(&mut self, key: Key, at: At, how: Resolution) {
        for timer in [Timer::Down, Timer::Well, Timer::Recovering, Timer::Final] {
            self.timers.disarm(&timer(key));
        }
        let Some(subject) = self.incidents.get(&key).map(|incident| incident.subject.clone()) else { return };
        if let Some(subject) = self.subjects.get_mut(&subject).filter(|subject| subject.incident == Some(key)) {
            subject.incident = None;
        }
        self.change(key, |incident| {
            incident.standing = Standing::Closed;
            incident.resolution = Some(how);
            incident.end = Some(at.time);
            incident.last = incident.last.max(at.seq);
            (incident.next_start, incident.provisional) = (None, None);
        });
    }

    /// Stopped or removed. It is over, unless it is made again soon and fails.
    pub(super) fn end_for_now(&mut self, key: Key, at: At, how: Resolution) {
        for timer in [Timer::Down, Timer::Well, Timer::Recovering] {
            self.timers.disarm(&timer(key));
        }
        let until = at.told.saturating_add(REPLACED);
        self.timers.arm(Timer::Final(key), until);
        self.change(key, |incident| {
            incident.standing = Standing::Closed;
            incident.resolution = Some(how);
            incident.end = Some(at.time);
            incident.provisional = Some(until);
            (incident.candidate, incident.next_start, incident.unhealthy_since) = (None, None, None);
            incident.see(at.seq);
        });
    }

    /// It was made again, or started: the story goes on.
    pub(super) fn revive(&mut self, key: Key) {
        if self.incidents.get(&key).is_none_or(|incident| incident.provisional.is_none()) {
            return;
        }
        self.timers.disarm(&Timer::Final(key));
        self.change(key, |incident| {
            if incident.provisional.take().is_some() {
                incident.standing = Standing::Open;
                (incident.resolution, incident.end) = (None, None);
            }
        });
    }

    pub(super) fn finalize(&mut self, key: Key) {
        let Some(subject) = self.incidents.get(&key).map(|incident| incident.subject.clone()) else { return };
        if let Some(subject) = self.subjects.get_mut(&subject).filter(|subject| subject.incident == Some(key)) {
            subject.incident = None;
        }
        if let Some(incident) = self.incidents.get_mut(&key) {
            incident.provisional = None;
        }
    }

    /// The daemon would have started it by now.
    pub(super) fn stays_down(&mut self, key: Key) {
        let Some(incident) = self.incidents.get(&key) else { return };
        let current = self.subjects.get(&incident.subject).and_then(|subject| subject.current.as_ref());
        let signalled = current.and_then(|id| self.containers.get(id)).and_then(|container| container.signalled);
        self.change(key, |incident| {
            if incident.kind != Kind::RestartLoop {
                incident.rise(incident.kind, Severity::Major);
            }
            (incident.down, incident.stayed_down, incident.next_start) = (true, true, None);
            if let Some(phase) = incident.phases.last_mut() {
                phase.down = true;
            }
            if let Some(kill) = signalled {
                let text = super::words::disarmed(kill.signal);
                let cause = super::incident::Cause::new(super::incident::CauseKind::Signal, Some(kill.at), &text);
                incident.caused(cause);
                incident.see(kill.at.seq);
            }
        });
        let subject = self.incidents.get(&key).map(|incident| incident.subject.clone()).unwrap_or_default();
        if super::subject::project(&subject).is_some_and(|project| self.is_all_down(project)) {
            self.change(key, |incident| incident.rise(incident.kind, Severity::Critical));
        }
    }
}

/// What made it well: what was done since it failed last.
fn how(incident: &Incident, end: At) -> Resolution {
    let failed = incident.phases.iter().map(|phase| phase.last).max_by_key(|last| last.time);
    let after = |time: i64| failed.is_none_or(|failed| time >= failed.time) && time <= end.time.saturating_add(super::bounds::ECHO);
    let done = |what: &str| incident.actions.iter().any(|action| action.what == what && after(action.at.time));
    if done("recreate") || done("service updated") {
        Resolution::Redeployed
    } else if done("restart") {
        Resolution::Restarted
    } else {
        Resolution::Recovered
    }
}
