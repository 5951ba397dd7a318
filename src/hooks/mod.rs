//! Hooks tell others of incidents: one POST when an incident begins, when it becomes worse, while it goes on,
//! and when it is over (docs/hooks.md). They must not hold recording up, follow redirects, tell anyone whom
//! the configuration file does not name, or tell of what began before the hook was set up.
//!
//! What is to be told follows from two things: the incidents as they are, and what was told before. The log
//! itself remembers the latter, in a `notified` record after each message that was taken. So a restart tells
//! nothing twice and forgets nothing.

mod message;
mod mute;
mod plan;
mod post;
mod rehearsal;
mod told;

pub use message::Form;
pub use mute::{Daily, Mute};
pub use plan::{Occasion, Seen};
pub use post::is_safe;
pub use rehearsal::{Rehearsal, Unsent};

use crate::event::{Event, NOTIFIED};
use crate::ingest::Observations;
use crate::log::{EventLog, LogError};
use crate::projection::incidents::Severity;
use crate::projection::{AskedIncidents as Asked, Known, Told as Answered};
use crate::shutdown::Shutdown;
use crate::time::{Timestamp, received_now};
use post::{Poster, Sent};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use told::Memory;

/// What was over longer ago than this is not told any more: nobody can do anything about it.
const TOO_OLD: Duration = Duration::from_secs(24 * 3600);
/// Incidents that are looked at in one look, the newest.
const MAX_SEEN: usize = 1000;
/// The longest time between two looks, since incidents also change as time passes, and the shortest.
const LOOK: Duration = Duration::from_secs(2);
const PACE: Duration = Duration::from_secs(1);
/// After which what was told before is read again, where it could not be.
const AGAIN: Duration = Duration::from_secs(60);

/// Whom to tell, of what.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hook {
    /// Its name, by which the log remembers what it was told.
    pub name: String,
    /// Where to.
    pub url: String,
    /// How.
    pub form: Form,
    /// At least so bad.
    pub severity: Severity,
    /// About these subjects only, where any are named; a `*` at the end stands for anything.
    pub subjects: Vec<String>,
    /// A file of headers, one a line, such as one with a token.
    pub header_file: Option<PathBuf>,
}

/// All that hooks need.
pub struct Hooks {
    /// Whom to tell.
    pub hooks: Vec<Hook>,
    /// When not to.
    pub mutes: Vec<Mute>,
    /// What is known of incidents.
    pub known: Arc<Known>,
    /// Where it is remembered what was told.
    pub log: Arc<dyn EventLog>,
    /// How that gets there.
    pub out: Observations,
}

/// The time up to which everything received is in the log.
#[async_trait::async_trait]
pub trait AsOf: Send + Sync {
    /// That time.
    async fn as_of(&self) -> Result<Timestamp, LogError>;
}

impl Hooks {
    /// Tells until `shutdown` says so. One hook that cannot be reached holds no other up.
    pub async fn run(self, as_of: Arc<dyn AsOf>, shutdown: Shutdown) {
        let mut tasks = tokio::task::JoinSet::new();
        for hook in self.hooks {
            let (known, log) = (Arc::clone(&self.known), Arc::clone(&self.log));
            let teller = Teller {
                poster: Poster::new(),
                memory: Memory::default(),
                hook,
                mutes: self.mutes.clone(),
                known,
                log,
                out: self.out.clone(),
                as_of: Arc::clone(&as_of),
            };
            tasks.spawn(teller.run(shutdown.clone()));
        }
        // The queue's end waits for whoever can still put something in it.
        drop(self.out);
        while tasks.join_next().await.is_some() {}
        shutdown.stopping().await;
    }
}

/// What is to be done about an incident.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Decision {
    Tell(Occasion),
    /// Nothing now; something at this time, if nothing changes.
    Later(Option<Timestamp>),
    /// Nothing, as long as a mute covers it.
    Muted,
    /// It is not this hook's to be told.
    Never,
}

/// The same for what is sent and for what would be.
fn decide(hook: &Hook, memory: &Memory, mutes: &[Mute], seen: &Seen, as_of: Timestamp) -> Decision {
    if !plan::is_about(&hook.subjects, seen) || seen.severity < hook.severity {
        return Decision::Never;
    }
    let told = memory.of(&seen.id);
    // A daemon's ring, an import and a copy bring what was never this hook's to be told.
    let is_past = memory.since().is_some_and(|since| seen.start < since);
    if told.is_none() && (is_past || seen.end.is_some_and(|end| as_of.since(end) > TOO_OLD)) {
        return Decision::Never;
    }
    if mutes.iter().any(|mute| mute.covers(seen, seen.end.unwrap_or(as_of))) {
        return Decision::Muted;
    }
    plan::due(seen, told, as_of).map_or_else(Decision::Later, Decision::Tell)
}

/// Tells one hook.
struct Teller {
    hook: Hook,
    mutes: Vec<Mute>,
    known: Arc<Known>,
    log: Arc<dyn EventLog>,
    out: Observations,
    as_of: Arc<dyn AsOf>,
    memory: Memory,
    poster: Poster,
}

impl Teller {
    async fn run(mut self, shutdown: Shutdown) {
        tokio::select! {
            biased;
            () = shutdown.stopping() => {}
            () = self.tell() => {}
        }
    }

    async fn tell(&mut self) {
        while let Err(error) = self.remember().await {
            tracing::warn!(hook = self.hook.name, %error, "what was told before cannot be read; it is tried again");
            tokio::time::sleep(AGAIN).await;
        }
        let mut head = self.log.watch_head();
        loop {
            let seen_head = *head.borrow_and_update();
            let next = match self.look().await {
                Ok(next) => next,
                Err(error) => {
                    tracing::warn!(hook = self.hook.name, %error, "incidents cannot be read; it is tried again");
                    None
                }
            };
            // What comes at once is looked at once.
            tokio::time::sleep(PACE).await;
            let wait = next.map_or(LOOK, |next| next.since(Timestamp::now())).min(LOOK);
            tokio::select! {
                () = tokio::time::sleep(wait) => {}
                moved = async { head.wait_for(|head| *head > seen_head).await.is_ok() } => if !moved {
                    std::future::pending::<()>().await;
                },
            }
        }
    }

    /// Reads what was told, and marks from where on this log is told of.
    async fn remember(&mut self) -> Result<(), LogError> {
        self.memory = Memory::read(&self.log, &self.hook.name).await?;
        if self.memory.since().is_none() {
            let now = Timestamp::now();
            self.memory.begin(now);
            self.record(&[("status", "begins"), ("since", &now.to_string())]).await;
        }
        Ok(())
    }

    async fn record(&self, attributes: &[(&str, &str)]) {
        let (log, fold) = (self.log.bounds().log.to_string(), crate::projection::incidents::VERSION.to_string());
        let mut all = vec![("hook", self.hook.name.as_str())];
        all.extend_from_slice(attributes);
        all.extend([("log", log.as_str()), ("fold", fold.as_str())]);
        self.out.send(Event::recorder(NOTIFIED, &self.hook.name, &all, Timestamp::now()), received_now()).await;
    }

    /// Tells what is due; when something else will be.
    async fn look(&mut self) -> Result<Option<Timestamp>, LogError> {
        let as_of = self.as_of.as_of().await?;
        let mut next: Option<Timestamp> = None;
        for seen in self.seen(as_of).await? {
            match decide(&self.hook, &self.memory, &self.mutes, &seen, as_of) {
                Decision::Tell(occasion) => self.deliver(&seen, occasion).await,
                Decision::Later(at) => next = [next, at].into_iter().flatten().min(),
                // Looked at again when the window may be over.
                Decision::Muted | Decision::Never => {}
            }
        }
        Ok(next)
    }

    /// Incidents that this hook may be told of, the oldest first: those of the last day, and those that it
    /// believes to go on.
    async fn seen(&mut self, as_of: Timestamp) -> Result<Vec<Seen>, LogError> {
        let asked = Asked {
            range: as_of.checked_sub(TOO_OLD).unwrap_or(as_of)..=as_of,
            state: None,
            severity: self.hook.severity,
            kind: None,
            subject: None,
            newest_first: true,
            limit: MAX_SEEN,
            after: None,
        };
        let listed = self.known.list(&self.log, asked, as_of).await?;
        let mut seen: Vec<Seen> = listed.incidents.iter().rev().filter_map(|json| Seen::of(json)).collect();
        let open: Vec<String> = self.memory.open().map(str::to_owned).collect();
        for id in open {
            if seen.iter().any(|one| one.id == id) {
                continue;
            }
            match self.known.one(&self.log, id.clone(), as_of).await? {
                Answered::Incident(json) => seen.extend(Seen::of(&json)),
                // Nobody can tell its end any more, and asking for it at each look would go on for ever.
                Answered::Gone | Answered::Unknown => self.memory.forget(&id),
            }
        }
        Ok(seen)
    }

    async fn deliver(&mut self, seen: &Seen, occasion: Occasion) {
        let before = self.memory.of(&seen.id).map(|told| told.severity);
        let id = format!("{}.{}", seen.id, seen.revision);
        let message = message::of(&self.hook, seen, occasion, (before, Timestamp::now()), &id);
        let sent = self.poster.deliver(&self.hook, &message).await;
        // Before it is stored: what was sent is not sent again by this process, whatever the disk says.
        self.memory.tell(seen, occasion);
        let status = match &sent {
            Sent::Taken(status) => status.to_string(),
            Sent::GivenUp => "failed".to_owned(),
        };
        let (revision, severity) = (seen.revision.to_string(), plan::name(seen.severity));
        self.record(&[
            ("incident", &seen.id),
            ("revision", &revision),
            ("occasion", &occasion.to_string()),
            ("severity", &severity),
            ("status", &status),
        ])
        .await;
    }
}

#[cfg(test)]
mod tests;
