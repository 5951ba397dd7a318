//! Health checks.

use super::bounds::{FLAPS, UNHEALTHY_RUN};
use super::container::{At, Health};
use super::incident::{Kind, Severity, Sign};
use super::intent::is_being_ended;
use super::state::Source;

impl Source {
    pub(super) fn health(&mut self, id: &str, at: At, status: &str) {
        let Some(container) = self.containers.get_mut(id) else { return };
        let subject = container.subject.clone();
        match status {
            // A probe that dies with what it looks at says so, too.
            "unhealthy" if is_being_ended(container, at.time) || !container.is_up() => {}
            "unhealthy" => {
                container.health = Some(Health::Unhealthy);
                self.subject(&subject).checked = true;
                self.unhealthy(id, &subject, at);
            }
            "healthy" => {
                (container.health, container.ever_healthy) = (Some(Health::Healthy), true);
                self.subject(&subject).checked = true;
                self.healthy(id, &subject, at);
            }
            _ => {}
        }
    }

    fn unhealthy(&mut self, id: &str, subject: &str, at: At) {
        let Some(container) = self.containers.get(id).cloned() else { return };
        let key = match self.current_key(subject) {
            Some(key) => {
                self.revive(key);
                self.phase(key, &container, Sign::Unhealthy, at, at, 0);
                key
            }
            None => match self.begin_with(&container, Kind::Unhealthy, Severity::Minor, Sign::Unhealthy, at, at.told) {
                Some(key) => key,
                None => return,
            },
        };
        self.hush(key);
        self.change(key, |incident| {
            incident.unhealthy += 1;
            (incident.stayed_down, incident.well_since) = (false, None);
            (incident.unhealthy_since, incident.candidate) = (Some(at), None);
            incident.see(at.seq);
            incident.container(container.short());
            incident.longest = incident.longest.max(UNHEALTHY_RUN);
            if let Some(phase) = incident.phases.last_mut() {
                phase.unhealthy += 1;
            }
            if incident.flap(at.time) >= FLAPS {
                incident.rise(Kind::Unhealthy, Severity::Major);
            }
        });
    }

    fn healthy(&mut self, id: &str, subject: &str, at: At) {
        let Some(key) = self.open_key(subject).filter(|_| self.is_current(id)) else { return };
        let Some(incident) = self.incidents.get(&key) else { return };
        let was_ill = incident.unhealthy_since.is_some();
        let only_ill = incident.deaths == 0 && incident.unhealthy > 0;
        if was_ill || (only_ill && incident.candidate.is_some_and(|candidate| candidate.at.time < at.time)) {
            self.change(key, |incident| incident.unhealthy_since = None);
            self.stands_up(key, at, at.told);
        } else {
            self.arm_well(key);
        }
    }
}
