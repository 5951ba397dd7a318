//! What is known of a log, kept up to date while records come. A question waits until the reader in the
//! background (`follow.rs`) has come to the head, and never brings this up to date itself.

use super::folded::{Folded, Stretch};
use super::recent::Replay;
use super::rest::{GATHER, Waiting};
use super::sidecar::Sidecar;
use super::store::Store;
use crate::cursor::Sequence;
use crate::log::{Bounds, DerivedFiles, EventLog, LogError};
use crate::projection::incidents::{self, Ids, Severity, View};
use crate::time::Timestamp;
use parking_lot::{Mutex, RwLock};
use serde::Serialize;
use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed};
use tokio::sync::{Notify, Semaphore, watch};
use tokio::time::Duration;

pub use super::list::{Asked, Listed, Told};

/// How often a question is asked again whose stretches were lost, each time after they were made again.
const TRIES: usize = 3;

/// What has been found in one log so far.
pub struct Known {
    pub(super) log: Arc<dyn EventLog>,
    pub(super) store: Store,
    /// `None` until the head is reached for the first time.
    pub(super) folded: RwLock<Option<Folded>>,
    /// There is something to do though the log has not moved.
    pub(super) work: Notify,
    lost: AtomicBool,
    /// Questions whose stretches were lost. What is made for them stays in memory until they are answered.
    anew: AtomicUsize,
    /// Answers that are looked for at a time: each may hold parts of stretches.
    turns: Semaphore,
    pub(super) standing: watch::Sender<Standing>,
    /// Those who follow revisions.
    pub(super) followers: Arc<AtomicUsize>,
    pub(super) waiting: Waiting,
    /// How long records gather.
    pub(super) gathers: Duration,
    /// Folds of earlier records that are made at a time.
    pub(super) replaying: Semaphore,
    pub(super) replays: Mutex<VecDeque<Replay>>,
    progress: Mutex<Progress>,
}

impl std::fmt::Debug for Known {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Known").field("standing", &self.standing).finish_non_exhaustive()
    }
}

/// How far the answers are.
#[derive(Debug, Clone, Default)]
pub(super) struct Standing {
    pub(super) ready: bool,
    pub(super) through: Sequence,
    /// Rises each time when what is answered from is made anew.
    pub(super) generation: u64,
    /// Rises each time when incidents that go on are others than before, since records are gone.
    pub(super) retold: u64,
    pub(super) error: Option<LogError>,
}

/// How far what is derived has come.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Progress {
    /// Questions are answered at once.
    pub ready: bool,
    /// Up to here the log is folded again; the head where it is not being folded again.
    pub folded_to: Sequence,
    /// The head, which it is to reach.
    pub head: Sequence,
    /// Stretches that are over.
    pub stretches: usize,
}

/// A question whose stretches were lost, until it is answered.
struct AskedAnew<'a>(&'a Known);

impl<'a> AskedAnew<'a> {
    fn of(known: &'a Known) -> Self {
        known.anew.fetch_add(1, Relaxed);
        Self(known)
    }
}

impl Drop for AskedAnew<'_> {
    fn drop(&mut self) {
        self.0.anew.fetch_sub(1, Relaxed);
        self.0.work.notify_one();
    }
}

/// What was to be read is not there any more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Lost;

impl Known {
    /// Of a log, beside which `files` lie where something may be written.
    pub fn new(log: Arc<dyn EventLog>, files: Option<DerivedFiles>) -> Self {
        Self {
            log,
            store: Store::new(files),
            folded: RwLock::new(None),
            work: Notify::new(),
            lost: AtomicBool::new(false),
            anew: AtomicUsize::new(0),
            turns: Semaphore::new(2 * std::thread::available_parallelism().map_or(1, usize::from)),
            standing: watch::Sender::new(Standing::default()),
            followers: Arc::default(),
            waiting: Waiting::default(),
            gathers: GATHER,
            replaying: Semaphore::new(std::thread::available_parallelism().map_or(1, usize::from)),
            replays: Mutex::default(),
            progress: Mutex::default(),
        }
    }

    /// How far it is.
    pub fn progress(&self) -> Progress {
        *self.progress.lock()
    }

    /// Open incidents by severity, from the least on; nothing before they are known.
    pub fn open(&self, as_of: Timestamp) -> Option<Vec<(Severity, usize)>> {
        let folded = self.folded.read();
        let view = self.view(folded.as_ref()?, as_of);
        let open: Vec<Severity> =
            view.incidents.iter().filter(|one| one.state != incidents::Standing::Closed).map(|one| one.severity).collect();
        let all = [Severity::Minor, Severity::Major, Severity::Critical];
        Some(all.map(|severity| (severity, open.iter().filter(|one| **one == severity).count())).into())
    }

    /// Whether time alone changes an incident by now, if nothing else is received until then, and when it may
    /// do so next.
    pub fn due(&self, now: Timestamp) -> (bool, Option<Timestamp>) {
        let folded = self.folded.read();
        let Some(state) = folded.as_ref().map(|folded| &folded.state) else { return (false, None) };
        let due = state.next_due();
        if due.is_none_or(|due| due > now.nanos()) {
            return (false, due.map(Timestamp::from_nanos));
        }
        let mut later = state.clone();
        drop(folded);
        incidents::advance(&mut later, now);
        (later.revisions() > 0, later.next_due().map(Timestamp::from_nanos))
    }

    pub(super) fn view(&self, folded: &Folded, as_of: Timestamp) -> View {
        let mut view = incidents::view(&folded.state, &folded.ids, as_of);
        let oldest = self.log.bounds().oldest;
        if folded.oldest < oldest {
            // Retention has been here since, and the fold is being made anew.
            for list in [&mut view.incidents, &mut view.notices, &mut view.merged] {
                list.retain(|one| super::sidecar::Row::of(one).seq >= oldest);
            }
        }
        view
    }

    /// Answers from what is there, once everything up to `head` is in it.
    ///
    /// # Errors
    /// When the log cannot be read.
    pub(super) async fn answer<T: Send + 'static>(
        self: &Arc<Self>,
        head: Sequence,
        answer: impl Fn(&Self) -> Result<T, Lost> + Send + Sync + 'static,
    ) -> Result<T, LogError> {
        let (answer, mut asked_anew) = (Arc::new(answer), None);
        for _ in 0..TRIES {
            let generation = self.ready(head).await?;
            let (this, answer) = (Arc::clone(self), Arc::clone(&answer));
            let turn = self.turns.acquire().await;
            let answered = tokio::task::spawn_blocking(move || answer(&this)).await;
            drop(turn);
            match answered.map_err(|e| LogError::Internal(format!("an answer panicked: {e}")))? {
                Ok(answer) => return Ok(answer),
                Err(Lost) => {
                    asked_anew.get_or_insert_with(|| AskedAnew::of(self));
                    self.lost.store(true, Relaxed);
                    self.work.notify_one();
                    let mut standing = self.standing.subscribe();
                    let anew = standing.wait_for(|now| now.generation > generation || now.error.is_some());
                    let _ = anew.await;
                }
            }
        }
        Err(LogError::Refused("what is derived from the log goes away while it is read".to_owned()))
    }

    /// Waits until everything up to `head` is known.
    pub(super) async fn ready(&self, head: Sequence) -> Result<u64, LogError> {
        let mut standing = self.standing.subscribe();
        let is_there = |now: &Standing| now.error.is_some() || (now.ready && now.through >= head);
        let _waits = (!is_there(&standing.borrow())).then(|| self.waiting.one());
        let now = standing.wait_for(is_there).await;
        let now = now.map_err(|_| LogError::Closed)?;
        match &now.error {
            Some(error) if !now.ready => Err(error.clone()),
            _ => Ok(now.generation),
        }
    }

    /// Changes when something new stands beside an incident: what was printed last, who was told.
    pub fn beside(&self) -> Sequence {
        self.folded.read().as_ref().map_or(0, |folded| folded.beside)
    }

    /// What gave the records their ids.
    pub(super) fn ids(&self) -> Ids {
        self.folded.read().as_ref().map(|folded| folded.ids.clone()).unwrap_or_default()
    }

    /// A stretch as it is stored.
    pub(super) fn stored(&self, stretch: &Stretch) -> Result<Sidecar, Lost> {
        let stored = self.store.get(stretch.head.number);
        stored.filter(|stored| stored.head == stretch.head).ok_or(Lost)
    }

    /// Whether somebody waits for what is made anew.
    pub(super) fn is_asked_anew(&self) -> bool {
        self.anew.load(Relaxed) > 0
    }

    // What the follower tells.

    pub(super) fn is_lost(&self) -> bool {
        self.lost.load(Relaxed)
    }

    pub(super) fn failed(&self, error: &LogError) {
        self.standing.send_modify(|standing| standing.error = Some(error.clone()));
    }

    pub(super) fn began(&self, bounds: Bounds) {
        self.lost.store(false, Relaxed);
        let mut progress = self.progress.lock();
        let ready = progress.ready;
        *progress = Progress { ready, folded_to: bounds.oldest.saturating_sub(1), head: bounds.head, stretches: progress.stretches };
    }

    pub(super) fn went(&self, through: Sequence) {
        let head = self.log.bounds().head;
        let mut progress = self.progress.lock();
        (progress.folded_to, progress.head) = (through, head);
    }

    pub(super) fn publish(&self, folded: Folded) {
        let through = folded.through;
        let before = self.folded.write().replace(folded);
        let differs = before.is_some_and(|before| {
            let folded = self.folded.read();
            folded.as_ref().is_some_and(|folded| before.through != through || before.state.open() != folded.state.open())
        });
        self.lost.store(false, Relaxed);
        self.standing.send_modify(|standing| {
            let generation = standing.generation + 1;
            let retold = standing.retold + u64::from(differs);
            *standing = Standing { ready: true, through, generation, retold, error: None };
        });
        self.caught_up();
    }

    pub(super) fn reached(&self) {
        let through = self.through();
        self.standing.send_modify(|standing| (standing.through, standing.error) = (through, None));
    }

    /// Nothing is being made anew.
    pub(super) fn caught_up(&self) {
        let folded = self.folded.read();
        let Some(folded) = folded.as_ref() else { return };
        let head = self.log.bounds().head;
        *self.progress.lock() = Progress { ready: true, folded_to: folded.through, head, stretches: folded.stretches.len() };
    }
}
