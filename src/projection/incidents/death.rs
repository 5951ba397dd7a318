//! Deaths, judged after a grace: asked for, a job's end, the daemon's, clean, or a failure.

use super::bounds::{CLEAN_LOOP, GRACE, LADDER_LAST, LADDER_RESET, LADDER_SLACK, MAX_ASKED, OOM_NEAR, SECOND};
use super::container::{At, Container, Death, Run};
use super::incident::{Cause, CauseKind, Failure, Incident, Key, Kind, Resolution, Severity, Sign};
use super::intent::{forced_after, is_asked};
use super::state::{AskedDeath, Source};
use super::timers::Timer;

/// A container's label that says what is made of its failures: `off` for nothing, `notice` for a line that
/// nobody is told of.
pub(super) const LABEL: &str = "shipslog.incidents";

impl Source {
    /// Judges the death of a container that waits for it.
    pub(super) fn judge(&mut self, id: &str, now: i64) {
        self.timers.disarm(&Timer::Death(id.to_owned()));
        let Some(container) = self.containers.get_mut(id) else { return };
        let Some(death) = container.death.take() else { return };
        let container = container.clone();
        if !self.is_the_daemons(&container, &death) {
            if is_asked(&container, &death) {
                self.asked_for(&container, &death, now);
            } else if self.is_job(&container, &death) {
                self.job_ended(&container, &death, now);
            } else if death.code == Some(0) && oom_of(&container, &death).is_none() {
                self.clean_exit(&container, &death, now);
            } else {
                self.failed(&container, &death, now);
            }
        }
        if container.run == Run::Gone {
            self.forget(id);
        }
    }

    fn asked_for(&mut self, container: &Container, death: &Death, now: i64) {
        let subject = &container.subject;
        let mut notice = None;
        if let Some((asked, killed)) = forced_after(container, death) {
            let waited = killed.at.time.saturating_sub(asked.at.time);
            let title = format!("{subject} did not stop in time: SIGKILL {} s after it was told to stop", (waited + SECOND / 2) / SECOND);
            let signals =
                [asked, killed].map(|kill| Cause::new(CauseKind::Signal, Some(kill.at), &super::words::told_to_stop(kill.signal)));
            notice = self.notice((subject, &container.id), Kind::StopTimeout, death.at, now, &title, signals.into());
        }
        if self.asked.len() >= MAX_ASKED {
            self.asked.pop_front();
        }
        let first = container.kills.iter().map(|kill| kill.at).min().unwrap_or(death.at);
        self.asked.push_back(AskedDeath { container: container.id.clone(), subject: subject.clone(), at: death.at, first, notice });
        self.timers.disarm(&Timer::Oom(container.id.clone()));
        let Some(key) = self.open_key(subject) else { return };
        let current = self.is_current(&container.id);
        self.change(key, |incident| {
            incident.act(first, if container.stopped.is_some() { "stop" } else { "kill" }, Vec::new());
            if current {
                incident.unhealthy_since = None;
            }
        });
        if current && container.run == Run::Dead {
            self.end_for_now(key, death.at, Resolution::Stopped);
        } else {
            self.arm_well(key);
        }
    }

    /// A container that goes when it ends, or a one-off of Compose. A service of Compose is never one.
    fn is_job(&self, container: &Container, death: &Death) -> bool {
        let goes = container.destroyed.is_some_and(|gone| (-GRACE..GRACE).contains(&gone.time.saturating_sub(death.at.time)));
        let first = container.starts <= 1 && self.open_key(&container.subject).is_none();
        container.is_one_off() || (goes && first && !container.is_service())
    }

    fn job_ended(&mut self, container: &Container, death: &Death, now: i64) {
        self.timers.disarm(&Timer::Oom(container.id.clone()));
        let subject = &container.subject;
        if death.code != Some(0) {
            let how = if oom_of(container, death).is_some() {
                "ran out of memory".to_owned()
            } else {
                format!("ended with {}", code_text(death.code))
            };
            let title = format!("job {subject} {how} after {} s", death.up() / SECOND);
            let causes = if oom_of(container, death).is_some() {
                Cause::new(CauseKind::Oom, Some(death.at), &super::words::oom(container.memory))
            } else {
                let kind = if death.code.is_some() { CauseKind::ExitCode } else { CauseKind::Unknown };
                Cause::new(kind, Some(death.at), &super::words::exit(death.code))
            };
            self.notice((subject, &container.id), Kind::JobFailed, death.at, now, &title, vec![causes]);
        }
        // The next run takes nobody's place.
        let known = self.subject(subject);
        known.last = None;
        if container.run == Run::Gone && known.current.is_none() && known.incident.is_none() {
            self.subjects.remove(subject);
        }
    }

    fn clean_exit(&mut self, container: &Container, death: &Death, now: i64) {
        let id = &container.id;
        let open = self.open_key(&container.subject);
        let looping = open.and_then(|key| self.incidents.get(&key)).is_some_and(|incident| incident.kind == Kind::RestartLoop);
        let Some(known) = self.containers.get_mut(id) else { return };
        if death.up() >= LADDER_RESET {
            // The daemon begins anew, and so does this.
            (known.clean_exits, known.clean_first) = (0, None);
            known.clean_waits.clear();
        }
        known.clean_exits += 1;
        known.clean_last = Some(death.at);
        let first = *known.clean_first.get_or_insert(death.at);
        let grows = known.clean_exits >= CLEAN_LOOP && is_ladder(&known.clean_waits);
        if looping || (grows && open.is_none()) {
            let failure = Failure { at: death.at, code: Some(0), oom: false, up: death.up() };
            let before = if looping { 0 } else { u64::try_from(known.clean_exits).unwrap_or(1).saturating_sub(1) };
            if let Some(key) = self.fail(container, failure, first, Some(Kind::RestartLoop), now) {
                self.change(key, |incident| incident.add_clean(before));
            }
        } else if let Some(key) = open {
            self.arm_well(key);
        }
    }

    fn failed(&mut self, container: &Container, death: &Death, now: i64) {
        self.timers.disarm(&Timer::Oom(container.id.clone()));
        let oom = oom_of(container, death);
        let failure = Failure { at: death.at, code: death.code, oom: oom.is_some(), up: death.up() };
        let first = oom.filter(|oom| oom.time < death.at.time || oom.seq < death.at.seq).unwrap_or(death.at);
        self.fail(container, failure, first, None, now);
    }

    /// A failure: of the incident that goes on, or the first of a new one.
    pub(super) fn fail(&mut self, container: &Container, failure: Failure, first: At, kind: Option<Kind>, now: i64) -> Option<Key> {
        let subject = &container.subject;
        let key = match self.current_key(subject) {
            Some(key) => {
                self.revive(key);
                key
            }
            None => self.begin(container, kind.unwrap_or(Kind::Crash), first, now)?,
        };
        let sign = if failure.oom { Sign::Oom } else { Sign::Exit(failure.code) };
        self.phase(key, container, sign, first, failure.at, failure.up);
        let up_again = self.up_since(subject, &failure.at);
        self.change(key, |incident| {
            incident.see(first.seq);
            incident.see(failure.at.seq);
            incident.container(container.short());
            incident.count(failure);
            if let Some(phase) = incident.phases.last_mut() {
                phase.count(failure);
                if let Some(kind) = kind {
                    phase.kind = kind;
                }
            }
            incident.longest = incident.longest.max(failure.up);
            incident.short = if failure.up >= LADDER_RESET { 0 } else { incident.short.saturating_add(1) };
            incident.died = Some(failure.at);
            (incident.stayed_down, incident.well_since) = (false, None);
            (incident.candidate, incident.unhealthy_since, incident.down) = (None, None, false);
            if kind.is_some() {
                return;
            }
            incident.rise(Kind::Crash, Severity::Minor);
            if failure.oom {
                incident.rise(Kind::Oom, Severity::Major);
            }
            if incident.is_loop() {
                incident.rise(Kind::CrashLoop, Severity::Major);
            }
        });
        self.hush(key);
        if let Some(up) = up_again {
            self.stands_up(key, up, up.told);
        } else if container.run == Run::Gone && !self.has_current(subject) {
            self.end_for_now(key, container.destroyed.unwrap_or(failure.at), Resolution::Removed);
        } else if kind.is_none() {
            self.wait_for_start(key);
        }
        Some(key)
    }

    fn begin(&mut self, container: &Container, kind: Kind, at: At, now: i64) -> Option<Key> {
        let wish = container.attributes.get(LABEL).map(String::as_str);
        if wish == Some("off") {
            return None;
        }
        let key = self.free_key(at.seq, b'c', kind)?;
        self.subject(&container.subject).incident = Some(key);
        let mut incident = Incident::new(key, &container.subject, kind, at, now);
        if wish == Some("notice") {
            (incident.at_most, incident.severity) = (Severity::Notice, Severity::Notice);
        }
        Some(self.open(incident))
    }

    /// A new incident of a subject that has none.
    pub(super) fn begin_with(
        &mut self,
        container: &Container,
        kind: Kind,
        severity: Severity,
        sign: Sign,
        at: At,
        now: i64,
    ) -> Option<Key> {
        let key = self.begin(container, kind, at, now)?;
        let ran = container.started.map_or(0, |started| at.time.saturating_sub(started.time));
        self.phase(key, container, sign, at, at, ran);
        self.change(key, |incident| {
            incident.rise(kind, severity);
            incident.container(container.short());
            if let Some((at, error)) = &container.error {
                incident.caused(Cause::said(*at, error));
            }
        });
        Some(key)
    }

    /// Since when the subject's present container is up, if that began after a failure.
    fn up_since(&self, subject: &str, failure: &At) -> Option<At> {
        let current = self.subjects.get(subject)?.current.as_ref()?;
        let container = self.containers.get(current).filter(|container| container.is_up())?;
        container.started.filter(|started| started.time > failure.time || started.seq >= failure.seq)
    }

    fn has_current(&self, subject: &str) -> bool {
        self.subjects.get(subject).is_some_and(|subject| subject.current.is_some())
    }

    /// No start came when the daemon would have made one.
    fn wait_for_start(&mut self, key: Key) {
        let Some(incident) = self.incidents.get(&key) else { return };
        let Some(died) = incident.died else { return };
        // What began before the recording may have come far on the ladder; a gap swallows a step or two.
        let steps = if incident.qualified.is_empty() { incident.short } else { incident.short.saturating_add(2) };
        let unknown = incident.qualified.iter().any(|reason| reason == super::state::BEFORE);
        let longest = if unknown { LADDER_LAST } else { wait(steps).max(incident.waited.saturating_mul(2)).min(LADDER_LAST) };
        self.timers.arm(Timer::Down(key), died.told.saturating_add(longest).saturating_add(LADDER_SLACK));
        let sure = incident.waited > 0 && incident.short > 1 && incident.qualified.is_empty();
        let next = sure.then(|| died.time.saturating_add(wait(incident.short.saturating_sub(1))));
        self.change(key, |incident| incident.next_start = next);
    }
}

/// The daemon's wait after so many short runs in a row.
fn wait(short: u32) -> i64 {
    super::bounds::LADDER_FIRST.saturating_mul(1i64.checked_shl(short.min(20)).unwrap_or(1)).min(LADDER_LAST)
}

/// The `oom` that belongs to a death.
pub(super) fn oom_of(container: &Container, death: &Death) -> Option<At> {
    let begun = death.started.map_or(i64::MIN, |started| started.time.saturating_sub(SECOND));
    container.oom.filter(|oom| oom.time >= begun && (-OOM_NEAR..=OOM_NEAR).contains(&oom.time.saturating_sub(death.at.time)))
}

/// Whether waits grow as the daemon's do: over the last four of them at least by 1.3 each, and none falls.
fn is_ladder(waits: &[i64]) -> bool {
    let newest = waits.get(waits.len().saturating_sub(CLEAN_LOOP - 1)..).unwrap_or_default();
    let rises = newest.windows(2).all(|pair| matches!(pair, [before, after] if after.saturating_mul(20) >= before.saturating_mul(19)));
    let (Some(first), Some(last)) = (newest.first(), newest.last()) else { return false };
    // 1.3³ = 2.197.
    newest.len() == CLEAN_LOOP - 1
        && rises
        && last.saturating_mul(1000) >= first.saturating_mul(2197)
        && *last <= LADDER_LAST + 3 * LADDER_SLACK
}

pub(super) fn code_text(code: Option<i64>) -> String {
    code.map_or_else(|| "an unknown exit code".to_owned(), |code| format!("exit {code}"))
}
