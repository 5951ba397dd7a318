//! The daemon and its host: a stream that ended, and what is known afterwards of why.

use super::bounds::{AFTERMATH, BURST, FIRST_LOOK, GRACE, LAST_DEATH, MAX_MEMBERS};
use super::container::{At, Container, Death, Run};
use super::incident::{Cause, CauseKind, Incident, Key, Kind, Resolution, Severity, Standing};
use super::intent::{is_asked, is_being_ended};
use super::outage::{Lost, Outage, Stage};
use super::state::Source;
use super::timers::Timer;
use std::collections::BTreeSet;

impl Source {
    pub(super) fn stream_ended(&mut self, at: At) {
        if self.outage.as_ref().is_some_and(|outage| outage.stage > Stage::Ended) {
            self.aftermath(at.told, true);
        }
        self.aside.work += self.containers.len() as u64;
        let up = || self.containers.values().filter(|container| container.is_up());
        let running = up().map(|container| container.id.clone()).collect();
        let stopping = up().all(|container| is_being_ended(container, at.time));
        self.outage.get_or_insert(Outage {
            at,
            back: None,
            stage: Stage::Ended,
            running,
            stopping,
            lost: Vec::new(),
            unseen: false,
            lived: false,
            host: None,
        });
    }

    /// The daemon was restarted while the recorder was away itself, as when both are on a host that lost its
    /// power.
    pub(super) fn restarted_unseen(&mut self, last: At) {
        self.stream_ended(last);
        if let Some(outage) = &mut self.outage {
            outage.unseen = true;
        }
    }

    pub(super) fn reconnected(&mut self, at: At) {
        if let Some(outage) = &mut self.outage {
            outage.back.get_or_insert(at);
        }
    }

    /// The verdict: the daemon forgot its events, so it is another one.
    pub(super) fn daemon_restarted(&mut self, at: At) {
        let Some(outage) = &mut self.outage else { return };
        outage.stage = Stage::Restarted;
        outage.back.get_or_insert(at);
        self.timers.arm(Timer::Aftermath(false), at.told.saturating_add(FIRST_LOOK));
        self.timers.arm(Timer::Aftermath(true), at.told.saturating_add(AFTERMATH + LAST_DEATH));
        self.adopt_burst();
    }

    /// What was told to stop just before the stream ended was stopped by the daemon, if it left nothing
    /// running. An earlier stop is not a part of that.
    fn adopt_burst(&mut self) {
        let Some(outage) = &mut self.outage else { return };
        let pending = |id: &String| self.containers.get(id).is_some_and(|container| container.death.is_some());
        if !outage.running.iter().all(pending) {
            return;
        }
        let mut asked: Vec<_> = self.asked.iter().filter(|asked| asked.at.time <= outage.at.time).collect();
        let firsts = self
            .containers
            .values()
            .filter(|container| container.death.is_some())
            .filter_map(|container| Some(container.kills.first()?.at));
        asked.sort_by_key(|asked| std::cmp::Reverse((asked.first.time, asked.first.seq)));
        let newest = asked.iter().map(|asked| asked.at.time).chain(self.containers.values().filter_map(|c| Some(c.death?.at.time))).max();
        if newest.is_none_or(|newest| outage.at.time.saturating_sub(newest) > LAST_DEATH) {
            return;
        }
        let mut edge = firsts.map(|first| first.time).min();
        let mut notices = Vec::new();
        for asked in asked {
            if edge.is_some_and(|edge| edge.saturating_sub(asked.first.time) > BURST) {
                break;
            }
            edge = Some(edge.map_or(asked.first.time, |edge| edge.min(asked.first.time)));
            let dead = self.containers.get(&asked.container).is_some_and(|container| container.run == Run::Dead);
            if dead && outage.lost.len() < MAX_MEMBERS && !outage.lost.iter().any(|lost| lost.container == asked.container) {
                let death = Death { at: asked.at, code: None, started: None, ran: None };
                outage.lost.push(Lost {
                    container: asked.container.clone(),
                    subject: asked.subject.clone(),
                    death,
                    code: None,
                    asked: true,
                    first: asked.first,
                    told: true,
                });
                notices.extend(asked.notice);
            }
        }
        // Told by the daemon's restart.
        let host = Key { seq: outage.at.seq, letter: b'h' };
        for notice in notices {
            self.change(notice, |notice| notice.merged_into = Some(host));
        }
    }

    /// Whether a death belongs to the daemon's end. If so, it is noted there.
    pub(super) fn is_the_daemons(&mut self, container: &Container, death: &Death) -> bool {
        let asked = is_asked(container, death);
        let first = container.kills.iter().map(|kill| kill.at).min().unwrap_or(death.at);
        self.note_lost(container, death, death.code, asked, first)
    }

    pub(super) fn lost_with_the_daemon(&mut self, container: &Container, death: &Death, code: Option<i64>) -> bool {
        self.note_lost(container, death, code, false, death.at)
    }

    fn note_lost(&mut self, container: &Container, death: &Death, code: Option<i64>, asked: bool, first: At) -> bool {
        let Some(outage) = self.outage.as_mut().filter(|outage| outage.stage > Stage::Ended && !outage.lived) else { return false };
        let before = death.started.is_none_or(|started| started.time <= outage.at.time);
        let near = death.at.time >= outage.at.time.saturating_sub(GRACE);
        let soon = outage.back.is_none_or(|back| death.at.told <= back.told.saturating_add(AFTERMATH));
        // A daemon that still ran others had done, or seen, what it told of before its end.
        let gone = container.destroyed.is_some_and(|gone| gone.time <= outage.at.time);
        // And one that ends a container and removes it has told it to stop: this one was done by itself.
        let done = !asked && gone && code == Some(0);
        let apart = done || !outage.stopping && death.at.time <= outage.at.time && (asked || gone || code == Some(0));
        if !before || !near || !soon || apart || container.is_one_off() {
            return false;
        }
        if outage.lost.len() < MAX_MEMBERS && !outage.lost.iter().any(|lost| lost.container == container.id) {
            let (container, subject) = (container.id.clone(), container.subject.clone());
            outage.lost.push(Lost { container, subject, death: *death, code, asked, first, told: false });
        }
        if outage.stage == Stage::Told {
            self.aftermath(death.at.told, false);
        }
        true
    }

    /// Everything was looked at after the reconnect.
    pub(super) fn first_look(&mut self, at: At) {
        if self.outage.as_ref().is_some_and(|outage| outage.stage == Stage::Restarted) && at.told > self.hold {
            self.timers.disarm(&Timer::Aftermath(false));
            self.aftermath(at.told, false);
        }
    }

    /// Tells what is known of a daemon's restart by now; `last`: and that is all.
    pub(super) fn aftermath(&mut self, now: i64, last: bool) {
        let Some(mut outage) = self.outage.take() else { return };
        if outage.stage == Stage::Ended {
            return;
        }
        outage.stage = Stage::Told;
        let stopped = outage.lost.iter().filter(|lost| lost.asked).count();
        let gone = outage.lost.len() - stopped;
        let late = outage.lost.iter().any(|lost| lost.asked && lost.death.at.time > outage.at.time);
        let is_lost = |id: &String| outage.lost.iter().any(|lost| lost.container == *id);
        let lived = outage.running.iter().any(|id| !is_lost(id) && self.lived_on(id, &outage.at));
        outage.lived |= lived && stopped == 0;
        let (severity, text) = if outage.lived {
            (Severity::Notice, super::words::LIVED.to_owned())
        } else if gone + stopped > 0 && outage.unseen {
            let down = last
                && outage.lost.iter().any(|lost| self.containers.get(&lost.container).is_some_and(|container| container.run == Run::Dead));
            (if down { Severity::Major } else { Severity::Minor }, super::words::restarted_unseen(gone + stopped))
        } else if gone > 0 {
            (Severity::Critical, super::words::went_away(gone + stopped))
        } else if stopped > 0 && late {
            (Severity::Critical, super::words::stopped_late(stopped))
        } else if stopped > 0 {
            (Severity::Minor, super::words::stopped_in_order(stopped))
        } else {
            (Severity::Notice, super::words::NOTHING_RAN.to_owned())
        };
        let key = self.host_incident(&mut outage, now);
        self.tell_host(key, &outage, severity, &text);
        if outage.lived {
            for lost in outage.lost.iter_mut().filter(|lost| !lost.told) {
                lost.told = true;
                self.died_meanwhile(lost);
            }
        }
        if last {
            self.timers.disarm(&Timer::Aftermath(false));
            self.timers.disarm(&Timer::Aftermath(true));
        } else {
            self.outage = Some(outage);
        }
    }

    /// The containers lived on, and this one did not.
    fn died_meanwhile(&mut self, lost: &Lost) {
        let Some(container) = self.containers.get(&lost.container).cloned() else { return };
        if lost.code == Some(0) || lost.asked {
            return;
        }
        self.inspected(&container, &lost.death, lost.code);
    }

    fn lived_on(&self, id: &str, end: &At) -> bool {
        self.containers
            .get(id)
            .is_some_and(|container| container.is_up() && container.started.is_some_and(|started| started.time <= end.time))
    }

    fn host_incident(&mut self, outage: &mut Outage, now: i64) -> Option<Key> {
        if outage.host.is_none() {
            let key = self.free_key(outage.at.seq, b'h', Kind::Host)?;
            let mut incident = Incident::new(key, &self.name, Kind::Host, outage.at, now);
            incident.severity = Severity::Notice;
            let key = self.open(incident);
            (outage.host, self.host) = (Some(key), Some(key));
        }
        outage.host
    }

    fn tell_host(&mut self, key: Option<Key>, outage: &Outage, severity: Severity, text: &str) {
        let Some(key) = key else { return };
        let lived = outage.lived;
        let affected: BTreeSet<String> = outage.lost.iter().filter(|_| !lived).map(|lost| lost.subject.clone()).collect();
        let mut downs = BTreeSet::new();
        let mut back = outage.back.map_or(outage.at, |back| back);
        for lost in outage.lost.iter().filter(|_| !lived) {
            match self.containers.get(&lost.container) {
                Some(container) if container.run == Run::Dead && self.is_current(&lost.container) => {
                    downs.insert(lost.subject.clone());
                }
                Some(container) if container.is_up() => back = container.started.map_or(back, |started| back.max(started)),
                _ => {}
            }
        }
        let start = outage.lost.iter().filter(|lost| lost.asked).map(|lost| lost.first.time).min();
        let start = start.map_or(outage.at.time, |first| first.min(outage.at.time));
        self.change(key, |host| {
            host.rise(Kind::Host, severity);
            if outage.unseen {
                host.qualify("nobody recorded when it happened");
            }
            host.start = start;
            host.title = Some(super::text::cut(text, super::bounds::MAX_TEXT));
            for record in outage.lost.iter().map(|lost| lost.death.at.seq).chain(outage.back.map(|back| back.seq)) {
                host.see(record);
            }
            (host.affected, host.downs) = (affected, downs);
            if let Some(phase) = host.phases.last_mut() {
                phase.causes.clear();
            } else {
                host.phases.push(super::incident::Phase::of_host(outage.at));
            }
            host.caused(Cause::new(CauseKind::Daemon, Some(outage.at), text));
            host.judge_host(back);
        });
    }

    /// A subject is up again, or nobody expects it to be.
    pub(super) fn back(&mut self, subject: &str, at: At) {
        let Some(key) = self.host.filter(|key| self.incidents.get(key).is_some_and(|host| host.downs.contains(subject))) else { return };
        self.change(key, |host| {
            if host.downs.remove(subject) {
                host.see(at.seq);
                host.judge_host(at);
            }
        });
    }
}

impl Incident {
    /// It is over when everything that it hit is up again.
    fn judge_host(&mut self, back: At) {
        if self.downs.is_empty() || self.severity == Severity::Notice {
            self.standing = Standing::Closed;
            self.resolution = Some(Resolution::Recovered);
            self.end = Some(back.time);
            self.down = false;
        } else {
            (self.standing, self.resolution, self.end, self.down) = (Standing::Open, None, None, true);
        }
    }
}

impl super::incident::Phase {
    fn of_host(at: At) -> Self {
        Self {
            signs: BTreeSet::new(),
            kind: Kind::Host,
            start: at.time,
            first: at.seq,
            last: at,
            longest: 0,
            down: false,
            causes: Vec::new(),
            deaths: 0,
            ooms: 0,
            unhealthy: 0,
            exits: std::collections::BTreeMap::new(),
            newest: std::collections::VecDeque::new(),
        }
    }
}
