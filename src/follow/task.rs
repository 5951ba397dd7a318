//! The follower at work: reads the stream, folds it, appends to its log, and publishes bases.

use super::epoch::Fate;
use super::error::FollowError;
use super::find::{self, Broken, Start};
use super::fork::Judgement;
use super::hosts::hosts;
use super::parting::{Own, Parting, judge_log, part};
use super::reading::Reading;
use super::settings::{ANSWER_WITHIN, Settings};
use super::settle::{blocking, settle};
use super::state::State;
use super::status::Status;
use crate::cursor::{LogId, Sequence};
use crate::log::{EmbeddedLog, Follow, FollowerLog, Ids, Recovery, Resume};
use crate::shutdown::Shutdown;
use crate::stream::{FleetStream, StreamError, Subject};
use crate::time::Timestamp;
use parking_lot::RwLock;
use std::fmt;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;
use tokio::time::{Instant, sleep, timeout};

/// How often the hub is asked for the end of its stream.
const ASK_EVERY: Duration = Duration::from_secs(1);
/// Wait before a hub that failed is tried again.
const TRY_AGAIN: Duration = Duration::from_millis(500);
/// The same where it refused: somebody has to give a right, or renew a certificate.
const TRY_REFUSED: Duration = Duration::from_secs(5);

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
    settings: Settings,
    begun: Option<Start>,
    /// Why nothing is followed, though the log can be read.
    failed: Option<FollowError>,
    /// What was done to the log before it was opened.
    told: Option<String>,
    status: watch::Sender<Status>,
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
        Ok(Some(Self { log, follow, resume, recovery, settings: settings.clone(), begun, failed, told, status, handle }))
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
        let done = match self.failed.take() {
            Some(failed) => Err(failed),
            None => tokio::select! {
                done = self.follow(&*hub, begun) => done,
                () = watch_end(&*hub, &self.status) => Ok(()),
                () = shutdown.stopping() => Ok(()),
            },
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
        let start = loop {
            let found = match begun.take() {
                Some(start) => Ok(start),
                None => self.going_on(hub).await,
            };
            match found {
                Ok(start) => break start,
                Err(broken) => self.deal_with(hub, broken).await?,
            }
        };
        *self.handle.state.write() = start.state.clone();
        let state = Arc::clone(&self.handle.state);
        let mut reading = Reading::new(&self.log, &self.settings, &start, self.resume, state, &self.status);
        loop {
            let Err(broken) = reading.read(hub).await;
            reading.flush_all().await?;
            self.deal_with(hub, broken).await?;
        }
    }

    /// Where a log that is there goes on.
    async fn going_on(&self, hub: &dyn FleetStream) -> Result<Start, Broken> {
        match judge_log(hub, &self.log, &self.resume).await? {
            Judgement::LostTail if self.part(hub).await? == Parting::Told => return Err(FollowError::Anew.into()),
            Judgement::Same | Judgement::LostTail => {}
            judgement => return Err(FollowError::Forked { place: self.resume.place.unwrap_or(0), judgement }.into()),
        }
        let (tenant, ids) = (&self.settings.tenant, FollowerLog::ids_of(&self.log));
        let epoch = find::newest_epoch(hub, tenant).await?.map(|(_, epoch)| epoch);
        match epoch.as_ref().map(|epoch| epoch.fate(&ids)) {
            Some(Fate::Foreign) => Err(FollowError::Anew.into()),
            Some(Fate::Lost) => Err(FollowError::Forked { place: 0, judgement: Judgement::LostTail }.into()),
            _ => match find::going_on(hub, tenant, &ids, epoch.as_ref(), self.resume.next).await {
                // Nothing of it was ever stored.
                Err(Broken::Stop(FollowError::Unknown)) if self.resume.received.is_none() => {
                    Err(FollowError::Forked { place: 0, judgement: Judgement::Recreated }.into())
                }
                found => found,
            },
        }
    }

    /// Waits until it can be tried again; where the hub has lost something, makes the stream say how the
    /// fleet goes on.
    async fn deal_with(&self, hub: &dyn FleetStream, broken: Broken) -> Result<(), FollowError> {
        let is_lost = match &broken {
            Broken::Stop(FollowError::Forked { judgement, .. }) => *judgement != Judgement::Trimmed,
            // Has the hub lost something, or this server?
            Broken::Stop(FollowError::Unlike { .. }) => match judge_log(hub, &self.log, &self.resume).await {
                Ok(judgement) => judgement == Judgement::LostTail,
                Err(broken) => return later(&self.status, broken).await,
            },
            _ => false,
        };
        if !is_lost {
            return later(&self.status, broken).await;
        }
        match self.part(hub).await {
            // Where nothing recorded is lost, the fold begins anew with what the stream has now.
            Ok(Parting::Told | Parting::NothingLost) => Err(FollowError::Anew),
            Err(broken) => later(&self.status, broken).await,
        }
    }

    async fn part(&self, hub: &dyn FleetStream) -> Result<Parting, Broken> {
        let ids = FollowerLog::ids_of(&self.log);
        part(hub, &self.settings.tenant, Own { log: &self.log, follow: &self.follow, ids: &ids }).await
    }
}

/// Whether somebody has to change something before the hub does what is asked.
fn is_refusal(e: &StreamError) -> bool {
    !matches!(e, StreamError::Conflict | StreamError::Unanswered(_) | StreamError::Unavailable(_))
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

/// Keeps in the status what the hub holds. Never ends.
async fn watch_end(hub: &dyn FleetStream, status: &watch::Sender<Status>) {
    loop {
        let answer = timeout(ANSWER_WITHIN, hub.ends()).await;
        status.send_modify(|status| match answer {
            Ok(Ok(ends)) => status.saw_end(Instant::now(), ends.last),
            _ => status.answers = false,
        });
        sleep(ASK_EVERY).await;
    }
}
