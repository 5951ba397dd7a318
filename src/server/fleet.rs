//! What a server of a fleet shows of how it follows the hub; following itself is `follow`.

use super::ends::Ends;
use crate::archive::{self, Archived};
use crate::filter::Hosts;
use crate::follow::{Handle, MAX_LAG, Status};
use crate::stream::{FleetStream, StreamError};
use crate::time::Timestamp;
use serde::Serialize;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;
use tokio::time::Instant;

/// How old the hub's newest answer may be, and by how much its clock may differ from this server's, where it
/// is said up to when everything is here.
pub(super) const SETTLED: Duration = Duration::from_secs(5);

/// What a server of a fleet knows besides its log.
#[derive(Debug, Clone)]
pub struct Fleet {
    follower: Handle,
    ends: Arc<Ends>,
    /// A host that has sent nothing for so long is silent.
    silent_after: Duration,
    /// What the hub does not keep of what a fleet is promised.
    faults: Vec<String>,
    /// How it archives, where it does.
    archive: Option<archive::Handle>,
    /// What was done to the log when it was opened.
    told: Option<String>,
}

/// How it follows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum FollowState {
    /// It has what the hub has, but for the newest messages.
    Live,
    /// It lags, and the hub answers.
    CatchingUp,
    /// The hub does not answer.
    Unavailable,
    /// The hub refuses this server something; it is tried again.
    Refused,
    /// It follows no more, until somebody has looked.
    Stopped,
}

/// How a server follows the hub, as it is shown.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub(super) struct Followed {
    pub(super) state: FollowState,
    /// Why readers should not be sent here.
    pub(super) error: Option<String>,
    /// What else somebody has to look at.
    pub(super) warning: Option<String>,
    /// The newest message of the hub that is folded.
    pub(super) folded: u64,
    /// The newest message that the hub has, when it last answered.
    pub(super) hub_last: Option<u64>,
    /// Since when it lacks the oldest message that it knows of, in seconds.
    pub(super) lag_seconds: u64,
}

impl Fleet {
    /// What follows is `follower`, of this hub, which has these faults.
    pub fn new(follower: Handle, hub: Arc<dyn FleetStream>, silent_after: Duration, faults: Vec<String>) -> Self {
        Self { follower, ends: Arc::new(Ends::of(hub)), silent_after, faults, archive: None, told: None }
    }

    /// The same with an archive.
    #[must_use]
    pub fn archived(self, archive: Option<archive::Handle>) -> Self {
        Self { archive, ..self }
    }

    /// How it archives, where it does.
    pub(super) fn archive(&self) -> Option<Archived> {
        self.archive.as_ref().map(|archive| archive.get(Instant::now()))
    }

    /// The same, of a log to which something was done when it was opened, which readers are told.
    #[must_use]
    pub fn telling(self, told: Option<&str>) -> Self {
        Self { told: told.map(str::to_owned), ..self }
    }

    pub(super) fn followed(&self) -> Followed {
        Followed::of(&self.follower.status(), Instant::now(), &self.faults, self.told.as_deref())
    }

    /// The data of `/api/v1/hosts`, as JSON, of these hosts.
    pub(super) fn hosts(&self, hosts: Option<&Hosts>) -> String {
        self.follower.hosts_json(Timestamp::now(), self.silent_after, |host| hosts.is_none_or(|hosts| hosts.have_part_of(host)))
    }

    /// Tells of each change of how far it is.
    pub(super) fn watch(&self) -> watch::Receiver<Status> {
        self.follower.watch()
    }

    /// Waits until everything that the hub holds now is here; `false` when the follower has stopped before
    /// that. It may take for ever.
    pub(super) async fn reach_end(&self) -> Result<bool, StreamError> {
        let last = self.ends.last().await?;
        let mut status = self.follower.watch();
        let reached = status.wait_for(|status| status.folded >= last || status.stopped.is_some()).await;
        Ok(reached.is_ok_and(|status| status.folded >= last))
    }

    /// Whether all that the hub held when it was last asked is here.
    pub(super) fn has_all(&self) -> bool {
        let status = self.follower.status();
        status.answers && status.stopped.is_none() && status.hub_last.is_some_and(|last| last <= status.folded)
    }
}

/// What is told in the place of texts that may name any host.
const NOT_TOLD: &str = "the fleet is not followed as it should be; whoever may be told of all hosts is told why";

impl Followed {
    /// The same for whoever may be told of some hosts only.
    pub(super) fn narrowed(self) -> Self {
        let told = |text: Option<String>| text.map(|_| NOT_TOLD.to_owned());
        Self { error: told(self.error), warning: told(self.warning), ..self }
    }

    fn of(status: &Status, now: Instant, faults: &[String], told: Option<&str>) -> Self {
        let lag = status.lag(now);
        let state = match status {
            Status { stopped: Some(_), .. } => FollowState::Stopped,
            Status { refused: Some(_), .. } => FollowState::Refused,
            Status { answers: false, .. } => FollowState::Unavailable,
            _ if lag > MAX_LAG => FollowState::CatchingUp,
            _ => FollowState::Live,
        };
        let error = match state {
            FollowState::Stopped => status.stopped.as_ref().map(|why| format!("the fleet is not followed any more: {why}")),
            FollowState::Refused => status.refused.as_ref().map(|why| format!("the fleet's hub does not let this server follow: {why}")),
            FollowState::CatchingUp => Some(format!("this server lags the fleet's hub by {} s; it is catching up", lag.as_secs())),
            FollowState::Live | FollowState::Unavailable => None,
        };
        let mut warnings = Vec::new();
        if state == FollowState::Unavailable {
            warnings.push("the fleet's hub does not answer: what came before is served, and nothing new comes".to_owned());
        }
        if !faults.is_empty() {
            warnings.push(format!("the hub does not keep what a fleet is promised: {}", faults.join("; ")));
        }
        warnings.extend(status.warnings().cloned());
        warnings.extend(told.map(str::to_owned));
        let warning = (!warnings.is_empty()).then(|| warnings.join("; "));
        Self { state, error, warning, folded: status.folded, hub_last: status.hub_last, lag_seconds: lag.as_secs() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_dead_hub_is_a_warning_and_a_stop_is_an_error() {
        let (now, faults) = (Instant::now(), ["its tail is short".to_owned()]);
        let view = |status: &Status, faults: &[String]| {
            let Followed { state, error, warning, .. } = Followed::of(status, now, faults, None);
            (state, error.is_some(), warning)
        };
        assert_eq!(view(&Status::current(true, None), &[]), (FollowState::Live, false, None));
        let (state, error, warning) = view(&Status::current(true, None), &faults);
        assert!(state == FollowState::Live && !error && warning.is_some_and(|why| why.contains("short")));
        let (state, error, warning) = view(&Status::current(false, None), &[]);
        assert!(state == FollowState::Unavailable && !error && warning.is_some());
        let mut warned = Status::current(true, None);
        warned.unpublished = Some("it is too large".to_owned());
        assert_eq!(view(&warned, &[]), (FollowState::Live, false, Some("it is too large".to_owned())));
        let mut refused = Status::current(false, None);
        refused.refused = Some("no right".to_owned());
        assert_eq!(view(&refused, &[]), (FollowState::Refused, true, None));
        assert_eq!(view(&Status::current(true, Some("a base differs")), &[]), (FollowState::Stopped, true, None));
    }
}
