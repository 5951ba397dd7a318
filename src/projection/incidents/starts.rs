//! Starts that never were: refused by the runtime, or not even tried. Docker has no event for either.

use super::bounds::{CHANGED, WELL_MAX};
use super::container::Run;
use super::incident::{Cause, CauseKind, Kind, Severity, Sign};
use super::state::Source;
use super::timers::Timer;

impl Source {
    /// A container left its network again without having started.
    pub(super) fn start_refused(&mut self, id: &str, now: i64) {
        self.judge(id, now);
        let Some(container) = self.containers.get_mut(id) else { return };
        let Some(at) = container.refused.take().filter(|_| matches!(container.run, Run::Created | Run::Dead)) else { return };
        let container = container.clone();
        if let Some(key) = self.current_key(&container.subject) {
            self.revive(key);
            self.hush(key);
            self.timers.disarm(&Timer::Down(key));
            self.change(key, |incident| {
                incident.see(at.seq);
                incident.container(container.short());
                incident.rise(if incident.deaths == 0 { Kind::StartFailed } else { incident.kind }, Severity::Major);
                (incident.down, incident.candidate, incident.next_start) = (true, None, None);
            });
            let again = self.incidents.get(&key).is_some_and(|incident| incident.deaths > 0 && container.run == Run::Dead);
            if again {
                let cause = Cause::new(CauseKind::StartFailed, Some(at), super::words::GAVE_UP);
                self.change(key, |incident| incident.caused(cause));
            } else {
                let first = container.created.unwrap_or(at);
                self.phase(key, &container, Sign::Refused, first, at, 0);
            }
            return;
        }
        // Of one that was just made, the trouble began with it.
        let made = container.created.filter(|made| container.starts == 0 && at.time.saturating_sub(made.time) <= CHANGED);
        if let Some(key) = self.begin_with(&container, Kind::StartFailed, Severity::Major, Sign::Refused, made.unwrap_or(at), now) {
            self.change(key, |incident| {
                incident.see(at.seq);
                incident.down = true;
            });
        }
    }

    /// A container that took another's place was left as it was made.
    pub(super) fn never_started(&mut self, id: &str, now: i64) {
        let Some(container) = self.containers.get(id).cloned() else { return };
        let replaced = container.replaces.as_ref().is_some_and(|old| self.containers.get(old).is_none_or(|old| old.run == Run::Gone));
        let waits = container.run == Run::Created && container.starts == 0 && replaced && self.is_current(id);
        let Some(made) = container.created.filter(|_| waits && self.outage.is_none()) else { return };
        let failed = self.failed_dependency(&container);
        let text =
            failed.as_ref().map_or_else(|| super::words::LEFT.to_owned(), |name| format!("not started: it waits for {name}, which failed"));
        let mut cause = Cause::new(if failed.is_some() { CauseKind::Dependency } else { CauseKind::StartFailed }, Some(made), &text);
        cause.subject = failed;
        let key = match self.current_key(&container.subject) {
            Some(key) => {
                self.revive(key);
                Some(key)
            }
            None => self.begin_with(&container, Kind::StartFailed, Severity::Major, Sign::Refused, made, now),
        };
        if let Some(key) = key {
            self.change(key, |incident| {
                incident.rise(if incident.deaths == 0 { Kind::StartFailed } else { incident.kind }, Severity::Major);
                incident.down = true;
                if let Some(phase) = incident.phases.last_mut() {
                    phase.causes.retain(|known| known.kind != CauseKind::StartFailed);
                }
                incident.caused(cause);
            });
        }
    }

    /// Memory ran out, and the container lives on: a process inside was killed.
    pub(super) fn oom_without_death(&mut self, id: &str, now: i64) {
        let Some(container) = self.containers.get(id).cloned() else { return };
        let Some(at) = container.oom.filter(|_| container.death.is_none() && container.is_up()) else { return };
        let key = match self.current_key(&container.subject) {
            Some(key) => key,
            None => {
                let Some(key) = self.begin_with(&container, Kind::Oom, Severity::Minor, Sign::Oom, at, now) else { return };
                self.change(key, |incident| {
                    if let Some(phase) = incident.phases.last_mut() {
                        phase.causes.retain(|cause| cause.kind != CauseKind::Oom);
                    }
                    incident.caused(Cause::new(CauseKind::Oom, Some(at), super::words::OOM_INSIDE));
                });
                key
            }
        };
        self.change(key, |incident| {
            incident.child_ooms += 1;
            incident.see(at.seq);
            if let Some(phase) = incident.phases.last_mut() {
                phase.last = at;
            }
        });
        let alone = self.incidents.get(&key).is_some_and(|incident| incident.deaths == 0 && incident.unhealthy == 0);
        if alone {
            self.timers.arm(Timer::Well(key), at.told.saturating_add(WELL_MAX));
        }
    }
}
