//! The follower at work: reads the stream, folds it, appends to its log, and publishes bases.

mod loss;

use super::agreed::Own;
use super::epoch::Fate;
use super::error::{FollowError, is_refusal};
use super::find::{self, Broken, Start};
use super::fork::Judgement;
use super::hosts::hosts;
use super::parting::{Parting, judge_log};
use super::reading::Reading;
use super::settings::Settings;
use super::settle::{blocking, settle};
use super::state::State;
use super::status::Status;
use super::witness::Witness;
use crate::cursor::{LogId, Sequence};
use crate::log::{EmbeddedLog, Follow, FollowerLog, Ids, LogError, Recovery, Resume};
use crate::shutdown::Shutdown;
use crate::stream::{FleetStream, StreamError, Subject};
use crate::time::Timestamp;
use loss::Look;
use parking_lot::RwLock;
use std::convert::Infallible;
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;
use tokio::time::sleep;

/// Wait before a hub that failed is tried again.
const TRY_AGAIN: Duration = Duration::from_millis(500);
/// The same where it refused: somebody has to give a right, or renew a certificate.
const TRY_REFUSED: Duration = Duration::from_secs(5);
/// Wait before a disk that did not take the log under its new id is tried again: clients are cut by that.
const PAUSE: Duration = Duration::from_secs(60);

/// What others see of a follower; cheap to clone.
#[derive(Clone)]
pub struct Handle {
    hub: Arc<dyn FleetStream>,
    state: Arc<RwLock<State>>,
    status: watch::Receiver<Status>,
}

impl fmt::Debug for Handle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Handle").field("status", &*self.status.borrow()).finish_non_exhaustive()
    }
}

impl Handle {
    /// How far it is.
    pub fn status(&self) -> Status {
        self.status.borrow().clone()
    }

    /// Tells of each change of the status.
    pub fn watch(&self) -> watch::Receiver<Status> {
        self.status.clone()
    }

    /// The data of `/api/v1/hosts`, as JSON. Empty until the hub has answered for the first time.
    pub fn hosts_json(&self, as_of: Timestamp, silent_after: Duration, wanted: impl Fn(&str) -> bool) -> String {
        let state = self.state.read();
        let mut hosts = hosts(&state, as_of, silent_after);
        hosts.retain(|host| wanted(host.host));
        serde_json::to_string(&hosts).unwrap_or_default()
    }

    /// Waits until everything that the hub holds now is folded: only then does a cursor that is ahead of this
    /// server name nothing. `false` when the follower has stopped before that. It may take for ever; give
    /// it a limit.
    ///
    /// # Errors
    /// When the hub does not tell what it holds.
    pub async fn reach_end(&self) -> Result<bool, StreamError> {
        let last = self.hub.ends().await?.last;
        let mut status = self.status.clone();
        let reached = status.wait_for(|status| status.folded >= last || status.stopped.is_some()).await;
        Ok(reached.is_ok_and(|status| status.folded >= last))
    }
}

/// A follower whose log is open.
pub struct Follower {
    log: FollowerLog,
    follow: Follow,
    resume: Resume,
    recovery: Recovery,
    data_dir: PathBuf,
    settings: Settings,
    begun: Option<Start>,
    /// Why nothing is followed, though the log can be read.
    pub(super) failed: Option<FollowError>,
    /// What was done to the log before it was opened.
    told: Option<String>,
    status: watch::Sender<Status>,
    witness: Witness,
    handle: Handle,
}

impl Follower {
    /// Opens the log of a follower. One that is there is opened whether or not the hub answers; a new one
    /// waits for it. `None` when work ends meanwhile.
    ///
    /// # Errors
    /// When the log cannot be opened, or the hub refuses what is needed.
    pub async fn open(
        hub: Arc<dyn FleetStream>,
        data_dir: &Path,
        settings: &Settings,
        shutdown: &Shutdown,
    ) -> Result<Option<Self>, FollowError> {
        Subject::base(&settings.tenant)?;
        if settings.again {
            FollowerLog::released(data_dir).await?;
        }
        let (told, failed) = match settle(&*hub, data_dir, settings).await {
            Ok(told) => (told, None),
            Err(e) => (None, Some(e)),
        };
        let dir = data_dir.to_owned();
        let (follow, begun) = match blocking(move || FollowerLog::found(&dir)).await? {
            Some(follow) => (follow, None),
            None => match begin(&*hub, &settings.tenant, shutdown).await? {
                Some((start, ancestors)) => {
                    let (dir, follow) = (data_dir.to_owned(), start.follow());
                    blocking(move || FollowerLog::make(&dir, &follow, &ancestors)).await?;
                    (follow, Some(start))
                }
                None => return Ok(None),
            },
        };
        let (dir, limits) = (data_dir.to_owned(), settings.limits);
        let (log, resume, recovery) = blocking(move || FollowerLog::open_with(&dir, &follow, limits)).await?;
        let (status, receiver) = watch::channel(Status::default());
        let state = Arc::new(RwLock::new(begun.as_ref().map_or_else(|| State::begin(&settings.tenant, 0), |start| start.state.clone())));
        let handle = Handle { hub, state, status: receiver };
        Ok(Some(Self {
            log,
            follow,
            resume,
            recovery,
            data_dir: data_dir.to_owned(),
            settings: settings.clone(),
            begun,
            failed,
            told,
            status,
            witness: Witness::default(),
            handle,
        }))
    }

    /// The log, for readers and retention.
    pub fn log(&self) -> Arc<EmbeddedLog> {
        self.log.log()
    }

    /// The ids that its records have.
    pub fn ids(&self) -> Ids {
        FollowerLog::ids_of(&self.log)
    }

    /// What was found when the log was opened.
    pub fn recovery(&self) -> &Recovery {
        &self.recovery
    }

    /// What was done to the log before it was opened, since the fleet goes on under another id.
    pub fn told(&self) -> Option<&str> {
        self.told.as_deref()
    }

    /// What others see of it.
    pub fn handle(&self) -> Handle {
        self.handle.clone()
    }

    /// Follows until work ends.
    ///
    /// # Errors
    /// When it must not go on: then its log stays as it is, can be read, and is no longer ready. After
    /// [`FollowError::Anew`] it is to be closed, and opened again.
    pub async fn run(mut self, shutdown: &Shutdown) -> Result<(), FollowError> {
        let (hub, begun) = (Arc::clone(&self.handle.hub), self.begun.take());
        let failed = self.failed.take();
        let follow = async {
            match failed.as_ref().map(|failed| (failed, passes(failed))) {
                Some((_, Some(why))) => Err(self.pause(why).await),
                Some((failed, None)) => Err(failed.clone()),
                None => self.follow(&*hub, begun).await,
            }
        };
        let done = tokio::select! {
            done = follow => done,
            () = self.witness.watch(&*hub, &self.status) => Ok(()),
            () = shutdown.stopping() => Ok(()),
        };
        if let Err(e) = &done
            && !e.is_anew()
        {
            tracing::error!("the fleet's stream is not followed any more: {e}");
            self.status.send_modify(|status| status.stopped = Some(e.to_string()));
        }
        done
    }

    async fn follow(&self, hub: &dyn FleetStream, mut begun: Option<Start>) -> Result<(), FollowError> {
        let mut way = Way { below: u64::MAX, is_judged: false, failed: None };
        loop {
            let start = match begun.take() {
                Some(start) => start,
                None => self.start(hub, &mut way).await?,
            };
            *self.handle.state.write() = start.state.clone();
            let Err(e) = self.read(hub, &start).await;
            // Either the log is wrong, or the base that another server published: an earlier one may tell.
            if !matches!(e, FollowError::Unlike { .. }) {
                return Err(e);
            }
            tracing::warn!("what the stream gives after message {} is not what this log holds: {e}", start.state.place);
            (way.below, way.failed) = (start.state.place, Some(e));
        }
    }

    async fn read(&self, hub: &dyn FleetStream, start: &Start) -> Result<Infallible, FollowError> {
        let (state, ids) = (Arc::clone(&self.handle.state), FollowerLog::ids_of(&self.log));
        let own = Own { log: &self.log, follow: &self.follow, ids: &ids };
        let mut reading = Reading::new(own, &self.settings, start, self.resume, state, &self.status);
        loop {
            let Err(broken) = reading.read(hub).await;
            reading.flush_all().await?;
            self.deal_with(hub, broken, &mut reading).await?;
        }
    }

    /// What the fold begins with.
    async fn start(&self, hub: &dyn FleetStream, way: &mut Way) -> Result<Start, FollowError> {
        loop {
            let broken = match self.going_on(hub, way).await {
                Ok(start) => return Ok(start),
                Err(broken) => broken,
            };
            match (broken, &way.failed) {
                (Broken::Stop(FollowError::Forked { judgement, .. }), _) if judgement != Judgement::Trimmed => {
                    match self.lost(hub, Look::Start(way)).await? {
                        Parting::Told => return Err(FollowError::Anew),
                        Parting::NothingLost => way.is_judged = true,
                        Parting::Found => {}
                    }
                }
                // There is no other one.
                (Broken::Stop(FollowError::Forked { .. } | FollowError::Unknown | FollowError::Unlike { .. }), Some(failed)) => {
                    return Err(failed.clone());
                }
                (broken, _) => later(&self.status, broken).await?,
            }
        }
    }

    /// Where a log that is there goes on.
    async fn going_on(&self, hub: &dyn FleetStream, way: &Way) -> Result<Start, Broken> {
        if !way.is_judged {
            match judge_log(hub, &self.log, &self.resume).await? {
                Judgement::Same => {}
                judgement => return Err(FollowError::Forked { place: self.resume.place.unwrap_or(0), judgement }.into()),
            }
        }
        let (tenant, ids) = (&self.settings.tenant, FollowerLog::ids_of(&self.log));
        let epoch = find::newest_epoch(hub, tenant).await?.map(|(_, epoch)| epoch);
        match epoch.as_ref().map(|epoch| epoch.fate(&ids)) {
            Some(Fate::Foreign) => return Err(FollowError::Anew.into()),
            Some(Fate::Lost) => return Err(FollowError::Forked { place: 0, judgement: Judgement::LostTail }.into()),
            Some(Fate::Own | Fate::Apart { .. }) | None => {}
        }
        let own = Own { log: &self.log, follow: &self.follow, ids: &ids };
        match find::going_on(hub, tenant, own, epoch.as_ref(), self.resume.next, way.below).await {
            // Nothing of it was ever stored.
            Err(Broken::Stop(FollowError::Unknown)) if self.resume.received.is_none() => {
                Err(FollowError::Forked { place: 0, judgement: Judgement::Recreated }.into())
            }
            found => found,
        }
    }

    /// Waits until what the disk did not take may be tried again. What is here is served meanwhile.
    async fn pause(&self, why: &LogError) -> FollowError {
        tracing::warn!("the fleet's log is not put in order yet, it is tried again: {why}");
        self.status
            .send_modify(|status| status.paused = Some(format!("the fleet goes on otherwise, and this server waits for its disk: {why}")));
        loop {
            sleep(PAUSE).await;
            let dir = self.data_dir.clone();
            if blocking(move || Ok(FollowerLog::has_room(&dir))).await.unwrap_or(true) {
                return FollowError::Anew;
            }
        }
    }
}

/// Whether a log may be put in order when it is tried again, as it is.
fn passes(e: &FollowError) -> Option<&LogError> {
    match e {
        FollowError::Log(e) if e.is_full() || matches!(e, LogError::InUse(_)) => Some(e),
        _ => None,
    }
}

/// What is known of where the fold may begin.
#[derive(Debug)]
struct Way {
    /// Only before this place: from there on the bases did not fit the log.
    below: u64,
    /// The stream has every record of the log, whatever stands at the newest one's place.
    is_judged: bool,
    /// Why the fold is not to go on, if there is nowhere else to begin.
    failed: Option<FollowError>,
}

async fn later(status: &watch::Sender<Status>, broken: Broken) -> Result<(), FollowError> {
    match broken {
        Broken::Stop(e) => Err(e),
        Broken::Later(e) => {
            let refused = is_refusal(&e).then(|| e.to_string());
            if refused.is_some() && status.borrow().refused != refused {
                tracing::error!("the fleet's hub does not let this server follow, it is tried again: {e}");
            } else {
                tracing::debug!("the hub: {e}");
            }
            let wait = if refused.is_some() { TRY_REFUSED } else { TRY_AGAIN };
            status.send_modify(|status| (status.answers, status.refused) = (false, refused));
            sleep(wait).await;
            Ok(())
        }
    }
}

/// A start, and the ids that the log had before.
type Beginning = (Start, Vec<(LogId, Sequence)>);

/// Where a new log begins; `None` when work ends before the hub answers.
pub(super) async fn begin(hub: &dyn FleetStream, tenant: &str, shutdown: &Shutdown) -> Result<Option<Beginning>, FollowError> {
    loop {
        let found = tokio::select! {
            found = find::beginning(hub, tenant) => found,
            () = shutdown.stopping() => return Ok(None),
        };
        match found {
            Ok(start) => return Ok(Some(start)),
            Err(Broken::Stop(e)) => return Err(e),
            // There is nothing to serve yet, and whoever starts it is there to be told.
            Err(Broken::Later(e)) if is_refusal(&e) => return Err(FollowError::Hub(e)),
            Err(Broken::Later(e)) => {
                tracing::info!("waiting for the fleet's hub: {e}");
                tokio::select! {
                    () = sleep(TRY_AGAIN) => {}
                    () = shutdown.stopping() => return Ok(None),
                }
            }
        }
    }
}
