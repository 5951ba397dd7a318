//! Which events tell of a failure: a death that nobody asked for, a start that was refused, memory that ran
//! out.
//!
//! What an incident is, is decided elsewhere and later (`projection/incidents`); this only decides what is
//! worth an inspection, and one too many costs little.

use crate::event::Event;
use crate::time::Timestamp;
use quick_cache::sync::Cache;
use std::time::Duration;
use tokio::time::Instant;

/// Containers that are remembered.
const MAX_KNOWN: usize = 4096;
/// Bytes of an id that is remembered; Docker's have 64.
const MAX_ID_BYTES: usize = 256;
/// One container is looked at so often at most.
const AGAIN: Duration = Duration::from_secs(60);
/// A death so soon after a signal through the API was asked for: after SIGKILL, and after one that a program
/// may take its time for.
const ASKED_BY_KILL: Duration = Duration::from_secs(10);
const ASKED_BY_SIGNAL: Duration = Duration::from_secs(60);
const SIGKILL: u32 = 9;
/// SIGHUP, SIGUSR1, SIGUSR2, SIGCHLD, SIGWINCH: programs are told something by them.
const TELLING: [u32; 5] = [1, 10, 12, 17, 28];
/// The networks of a container that has died are disconnected within this time; later, it is a start that
/// was refused (Engine 28 does not connect them first).
const OWN_DISCONNECT: Duration = Duration::from_secs(2);

/// What there is to look at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Failure {
    /// The container.
    pub(super) id: String,
    pub(super) why: Why,
    pub(super) heard: Instant,
    /// Attributes of the event that told of it.
    pub(super) attributes: Vec<(String, String)>,
    /// The time of that event.
    pub(super) time: Option<Timestamp>,
}

/// How it failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Why {
    Died,
    Refused,
    Oom,
}

/// What is known of one container.
#[derive(Debug, Clone, Copy, Default)]
struct Known {
    phase: Phase,
    /// The last signal that ends programs, and when it was sent.
    signal: Option<(u32, Timestamp)>,
    looked: Option<Instant>,
}

#[derive(Debug, Clone, Copy, Default)]
enum Phase {
    #[default]
    Unknown,
    /// Made, or connected to a network for its next start.
    Starting,
    Running,
    Dead(Timestamp),
}

/// The containers of one host; outlives connections.
#[derive(Debug)]
pub(in crate::ingest::docker) struct Watch {
    known: Cache<String, Known>,
}

impl Default for Watch {
    fn default() -> Self {
        Self { known: Cache::new(MAX_KNOWN) }
    }
}

impl Watch {
    /// Takes an event into account, and says if it is to be looked at.
    pub(super) fn heard(&self, event: &Event, now: Instant) -> Option<Failure> {
        let fields = event.fields();
        let time = fields.time.unwrap_or(Timestamp::MIN);
        match (&*fields.kind, &*fields.action) {
            ("container", action) => self.container(event, action, &fields.actor_id, time, now),
            ("network", "connect") => {
                self.change(event.view().attribute("container")?, |known| {
                    if !matches!(known.phase, Phase::Running) {
                        known.phase = Phase::Starting;
                    }
                });
                None
            }
            ("network", "disconnect") => {
                let view = event.view();
                let id = view.attribute("container")?;
                let refused = match self.known.get(id)?.phase {
                    Phase::Starting => true,
                    Phase::Dead(since) => time.since(since) > OWN_DISCONNECT,
                    Phase::Unknown | Phase::Running => false,
                };
                refused.then(|| self.failure(id, Why::Refused, event, now)).flatten()
            }
            _ => None,
        }
    }

    fn container(&self, event: &Event, action: &str, id: &str, time: Timestamp, now: Instant) -> Option<Failure> {
        match action {
            "create" => self.change(id, |known| known.phase = Phase::Starting),
            "start" | "restart" => self.change(id, |known| (known.phase, known.signal) = (Phase::Running, None)),
            "kill" => {
                let signal = event.view().attribute("signal").and_then(|signal| signal.parse().ok()).unwrap_or(SIGKILL);
                if !TELLING.contains(&signal) {
                    self.change(id, |known| known.signal = Some((signal, time)));
                }
            }
            "destroy" | "remove" => {
                self.known.remove(id);
            }
            "oom" => return Some(failure(id, Why::Oom, event, now)),
            "die" | "died" => {
                let asked = self
                    .known
                    .get(id)
                    .and_then(|known| known.signal)
                    .is_some_and(|(signal, sent)| time.since(sent) <= if signal == SIGKILL { ASKED_BY_KILL } else { ASKED_BY_SIGNAL });
                self.change(id, |known| known.phase = Phase::Dead(time));
                let view = event.view();
                let failed = view.attribute("exitCode").or_else(|| view.attribute("containerExitCode")) != Some("0");
                return (failed && !asked).then(|| self.failure(id, Why::Died, event, now)).flatten();
            }
            _ => {}
        }
        None
    }

    fn failure(&self, id: &str, why: Why, event: &Event, now: Instant) -> Option<Failure> {
        self.claims(id, now).then(|| failure(id, why, event, now))
    }

    /// Whether it may be looked at now; it counts as looked at then.
    pub(super) fn claims(&self, id: &str, now: Instant) -> bool {
        let known = self.known.get(id).unwrap_or_default();
        let rested = known.looked.is_none_or(|last| now.saturating_duration_since(last) >= AGAIN);
        if rested {
            self.change(id, |known| known.looked = Some(now));
        }
        rested
    }

    fn change(&self, id: &str, change: impl FnOnce(&mut Known)) {
        if id.len() <= MAX_ID_BYTES {
            let mut known = self.known.get(id).unwrap_or_default();
            change(&mut known);
            self.known.insert(id.to_owned(), known);
        }
    }
}

fn failure(id: &str, why: Why, event: &Event, now: Instant) -> Failure {
    let attributes = event.view().attributes.iter().map(|(key, value)| (key.to_string(), value.to_string())).collect();
    Failure { id: id.to_owned(), why, heard: now, attributes, time: event.fields().time }
}

#[cfg(test)]
mod tests;
