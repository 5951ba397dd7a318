//! Which execs are probes of a health check.
//!
//! moby runs a probe as an exec and tells it as one: `exec_create`, `exec_start` and `exec_die`, without a
//! word of who wanted it. So a probe is recognised by its command line, which is that of the container's
//! `Config.Healthcheck` (moby `daemon/health.go`, `cmdProbe.run`), and its `exec_die`, which has none, by its
//! `execID`. Where a daemon says `execType` (moby PR 53682), that counts instead. An exec that somebody runs
//! with the very command line of the probe cannot be told apart.
//!
//! Reading never waits for an inspection: what comes before a container is known goes unmarked, at most its
//! first probes.

use super::engine::Engine;
use super::lists::Fields;
use crate::event::{Event, Noise};
use futures_util::StreamExt as _;
use quick_cache::sync::Cache;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::mpsc;
use tokio::time::timeout;
use tokio_stream::wrappers::ReceiverStream;
use tokio_util::task::AbortOnDropHandle;

/// Containers whose probe is remembered.
const MAX_KNOWN: usize = 4096;
/// Bytes of an id that is remembered; Docker's have 64.
const MAX_ID_BYTES: usize = 256;
/// Bytes of a probe's command line that is remembered: an exec with a longer one goes unmarked.
const MAX_COMMAND_BYTES: usize = 16 << 10;
/// Probes under way, whose `exec_die` is still to come.
const MAX_PROBES: usize = 4096;
/// Containers that wait to be inspected; of more, the next exec asks again.
const MAX_ASKED: usize = 64;
/// Inspections at a time.
const CONCURRENT: usize = 2;
const ANSWER_TIMEOUT: Duration = Duration::from_secs(5);
/// Attributes of Docker's.
const EXEC_ID: &str = "execID";
const EXEC_TYPE: &str = "execType";
/// A probe, in `execType`.
const HEALTHCHECK: &str = "healthcheck";
/// What `Test` begins with when it is a line for the shell, and when it is a command.
const CMD_SHELL: &str = "CMD-SHELL";
const CMD: &str = "CMD";
const DEFAULT_SHELL: [&str; 2] = ["/bin/sh", "-c"];

/// What is known of a container.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Probe {
    /// It was asked for.
    Asked,
    /// There is none.
    None,
    /// Its command line, as the events show it.
    Command(Arc<str>),
}

/// The probes of one host's containers; outlives connections.
#[derive(Debug, Clone)]
pub(super) struct Probes {
    containers: Arc<Cache<String, Probe>>,
    /// `execID`s of probes.
    execs: Arc<Cache<String, ()>>,
}

impl Default for Probes {
    fn default() -> Self {
        Self { containers: Arc::new(Cache::new(MAX_KNOWN)), execs: Arc::new(Cache::new(MAX_PROBES)) }
    }
}

impl Probes {
    /// Takes note of what an inspection shows.
    pub(super) fn learn(&self, id: &str, container: &Fields<'_>) {
        let command = command(container).filter(|command| command.len() <= MAX_COMMAND_BYTES);
        self.containers.insert(id.to_owned(), command.map_or(Probe::None, |command| Probe::Command(command.into())));
    }

    /// Marks events, and has containers inspected that it does not know; without a daemon to ask, it knows
    /// what others have learnt.
    pub(super) fn marker(&self, engine: Option<Engine>) -> Marker {
        let (ask, asked) = mpsc::channel(MAX_ASKED);
        let probes = self.clone();
        let asking = engine.map(|engine| AbortOnDropHandle::new(tokio::spawn(probes.inspect(engine, asked))));
        Marker { probes: self.clone(), ask, _asking: asking }
    }

    async fn inspect(self, engine: Engine, asked: mpsc::Receiver<String>) {
        let (probes, engine) = (&self, &engine);
        let look = |id: String| async move {
            match timeout(ANSWER_TIMEOUT, engine.inspect(&id)).await {
                Ok(Ok(answer)) => probes.learn(&id, &Fields::of(&answer).unwrap_or_default()),
                // Gone already, and its id does not come again.
                Ok(Err(error)) if error.is_not_found() => probes.containers.insert(id, Probe::None),
                // A proxy may forbid it; asking again for every probe would be noise of another kind.
                Ok(Err(error)) => tracing::debug!(%error, "a container's health check is not known, so its probes are not marked"),
                Err(_) => {
                    probes.containers.remove(&id);
                }
            }
        };
        ReceiverStream::new(asked).for_each_concurrent(CONCURRENT, look).await;
    }
}

/// Marks the events of one connection.
pub(super) struct Marker {
    probes: Probes,
    ask: mpsc::Sender<String>,
    _asking: Option<AbortOnDropHandle<()>>,
}

impl Marker {
    /// The event, marked if it is noise. Looks at the message as the daemon sent it, so it must come before
    /// secrets are taken out.
    pub(super) fn mark(&self, event: Event) -> Event {
        let noise = self.noise(&event);
        if noise.is_some() { event.marked(noise) } else { event }
    }

    fn noise(&self, event: &Event) -> Option<Noise> {
        let fields = event.fields();
        if fields.kind != "container" || !fields.action.starts_with("exec_") {
            return None;
        }
        let view = event.view();
        if view.attribute(EXEC_TYPE).is_some() {
            return by_exec_type(event);
        }
        let exec = view.attribute(EXEC_ID).filter(|exec| exec.len() <= MAX_ID_BYTES)?;
        let known = match fields.action.split_once(": ") {
            // Without a command it can only be known from before.
            None => self.probes.execs.get(exec).is_some(),
            Some((_, command)) => self.is_probe(&fields.actor_id, command),
        };
        if known && fields.action != "exec_die" {
            self.probes.execs.insert(exec.to_owned(), ());
        }
        known.then_some(Noise::HealthCheck)
    }

    fn is_probe(&self, container: &str, command: &str) -> bool {
        if container.len() > MAX_ID_BYTES {
            return false;
        }
        match self.probes.containers.get(container) {
            Some(Probe::Command(probe)) => *probe == *command,
            Some(Probe::None | Probe::Asked) => false,
            None => {
                if self.ask.try_send(container.to_owned()).is_ok() {
                    self.probes.containers.insert(container.to_owned(), Probe::Asked);
                }
                false
            }
        }
    }
}

/// What a daemon says itself of an exec.
pub(in crate::ingest) fn by_exec_type(event: &Event) -> Option<Noise> {
    let is_exec = event.fields().action.starts_with("exec_");
    (is_exec && event.view().attribute(EXEC_TYPE) == Some(HEALTHCHECK)).then_some(Noise::HealthCheck)
}

/// The command line of a container's probe, as the events show it: the command and its arguments with blanks
/// in between, and one after a command without any.
fn command(container: &Fields<'_>) -> Option<String> {
    let config = container.object("Config");
    let test = config.object("Healthcheck").texts("Test");
    let (kind, test) = test.split_first()?;
    let own_shell = config.texts("Shell");
    let shell = if own_shell.is_empty() { DEFAULT_SHELL.to_vec() } else { own_shell.iter().map(String::as_str).collect() };
    let words: Vec<&str> = match kind.as_str() {
        CMD_SHELL => shell.into_iter().chain(test.iter().map(String::as_str)).collect(),
        CMD => test.iter().map(String::as_str).collect(),
        _ => return None,
    };
    let (first, arguments) = words.split_first()?;
    Some(format!("{first} {}", arguments.join(" ")))
}

#[cfg(test)]
mod tests;
