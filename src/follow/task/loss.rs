//! A hub that seems to lack what it had: for how long that must hold before it is believed, and what follows.

use super::{Follower, Way, later};
use crate::follow::agreed::Own;
use crate::follow::epoch::Fate;
use crate::follow::error::FollowError;
use crate::follow::find::{Broken, newest_epoch};
use crate::follow::fork::Judgement;
use crate::follow::parting::{Parting, Plan, judge_log, plan};
use crate::follow::reading::{Reading, Refolded};
use crate::log::{EventLog as _, FollowerLog};
use crate::stream::{FleetStream, Subject};
use std::time::Duration;
use tokio::time::{Instant, sleep};

/// How often it is looked whether the hub still lacks it.
const LOOK_EVERY: Duration = Duration::from_millis(500);

/// Where it shows that the hub lacks something.
pub(super) enum Look<'a, 'b> {
    /// Before anything is read.
    Start(&'a Way),
    /// At the place up to which is folded.
    Reading(&'a mut Reading<'b>),
    /// In what the stream gave where the log's newest record is to come.
    Refold(Refolded),
}

impl Look<'_, '_> {
    /// Whether the hub still lacks it.
    async fn is_lost(&mut self, follower: &Follower, hub: &dyn FleetStream) -> Result<bool, Broken> {
        let found = match self {
            Self::Start(way) => follower.going_on(hub, way).await.map(drop),
            Self::Reading(reading) => reading.is_held(hub).await,
            Self::Refold(Refolded::Newest { place, arrived, .. }) => {
                let message = hub.at(*place).await?;
                return Ok(message.is_some_and(|message| message.arrived == *arrived));
            }
            Self::Refold(Refolded::Short { last }) => return Ok(hub.ends().await?.last <= *last),
        };
        match found {
            Ok(()) => Ok(matches!(self, Self::Reading(_)) && follower.has_fallen(hub).await?),
            Err(Broken::Stop(FollowError::Forked { judgement, .. })) if judgement != Judgement::Trimmed => Ok(true),
            Err(broken) => Err(broken),
        }
    }
}

impl Follower {
    /// Makes the stream say how the fleet goes on, unless another server has done so: when the hub has said
    /// for longer than an election takes that it lacks what it had, and says so once more.
    pub(super) async fn lost(&self, hub: &dyn FleetStream, look: Look<'_, '_>) -> Result<Parting, FollowError> {
        let parting = self.part_in_time(hub, look).await?;
        if parting == Parting::Found {
            // A node that is stuck may say again at once what another one has just denied.
            sleep(LOOK_EVERY.min(self.settings.loss_after)).await;
            self.witness.forget();
            self.status.send_modify(|status| status.fallen = false);
        }
        Ok(parting)
    }

    async fn part_in_time(&self, hub: &dyn FleetStream, mut look: Look<'_, '_>) -> Result<Parting, FollowError> {
        let mut since = None;
        loop {
            match look.is_lost(self, hub).await {
                Ok(false) => return Ok(Parting::Found),
                Ok(true) if since.get_or_insert_with(Instant::now).elapsed() >= self.settings.loss_after => {
                    match self.part(hub, &mut look).await {
                        Ok(parting) => return Ok(parting),
                        Err(broken) => later(&self.status, broken).await?,
                    }
                }
                Ok(true) => {
                    tracing::debug!("the hub lacks what this server follows; whether that is so is looked at again");
                    sleep(LOOK_EVERY.min(self.settings.loss_after)).await;
                }
                Err(broken) => {
                    since = None;
                    later(&self.status, broken).await?;
                }
            }
        }
    }

    async fn part(&self, hub: &dyn FleetStream, look: &mut Look<'_, '_>) -> Result<Parting, Broken> {
        let (ids, tenant) = (FollowerLog::ids_of(&self.log), &self.settings.tenant);
        let has_fallen = self.status.borrow().fallen;
        let (epoch, expected) = match plan(hub, tenant, Own { log: &self.log, follow: &self.follow, ids: &ids }, has_fallen).await? {
            Plan::Done(parting) => return Ok(parting),
            Plan::Publish { epoch, expected } => (epoch, expected),
        };
        // All of the stream may have been read since.
        if !look.is_lost(self, hub).await? {
            return Ok(Parting::Found);
        }
        hub.publish(epoch.to_message(Subject::epoch(tenant)?), expected).await?;
        tracing::warn!("the fleet goes on as {} after message {}", epoch.fleet, epoch.at());
        Ok(Parting::Told)
    }

    /// Waits until it can be tried again; where the hub has lost something, makes the stream say how the
    /// fleet goes on.
    pub(super) async fn deal_with(&self, hub: &dyn FleetStream, broken: Broken, reading: &mut Reading<'_>) -> Result<(), FollowError> {
        match broken {
            Broken::Stop(FollowError::Forked { judgement, .. }) if judgement != Judgement::Trimmed => {
                match self.lost(hub, Look::Reading(reading)).await? {
                    // Where nothing recorded is lost, the fold begins anew with what the stream has now.
                    Parting::Told | Parting::NothingLost => Err(FollowError::Anew),
                    Parting::Found => Ok(()),
                }
            }
            Broken::Stop(FollowError::Unlike { place }) => {
                let is_replaced = loop {
                    match self.is_replaced(hub, reading).await {
                        Ok(is_replaced) => break is_replaced,
                        Err(broken) => later(&self.status, broken).await?,
                    }
                };
                if !is_replaced {
                    return Err(FollowError::Unlike { place });
                }
                // What was folded so far is worth nothing.
                match self.lost(hub, Look::Refold(reading.refolded())).await? {
                    Parting::Told | Parting::Found => Err(FollowError::Anew),
                    Parting::NothingLost => Err(FollowError::Unlike { place }),
                }
            }
            broken => later(&self.status, broken).await,
        }
    }

    /// Where the stream does not give what the log holds: whether the hub has another message in the place of
    /// the log's newest one, or none. Otherwise the log is wrong, or the base that the fold began with.
    async fn is_replaced(&self, hub: &dyn FleetStream, reading: &Reading<'_>) -> Result<bool, Broken> {
        if judge_log(hub, &self.log, &self.resume).await? == Judgement::LostTail {
            return Ok(true);
        }
        match reading.refolded() {
            // The same block that was sent again arrived at another time.
            Refolded::Newest { received, .. } => Ok(self.resume.received != Some(received)),
            // Where the place is not known, a log that goes on where the stream ends tells of a missing end.
            Refolded::Short { .. } if self.resume.place.is_none_or(|place| place == 0) => {
                let (next, chain) = reading.end();
                let around = self.log.log().chain_around(next - 1).await?;
                Ok(next == 1 || around.is_some_and(|(_, after)| after == chain))
            }
            Refolded::Short { .. } => Ok(false),
        }
    }

    /// Whether the hub lacks a message that it had when it was asked, and that was not folded yet.
    async fn has_fallen(&self, hub: &dyn FleetStream) -> Result<bool, Broken> {
        let (ids, folded) = (FollowerLog::ids_of(&self.log), self.status.borrow().folded);
        let epoch = newest_epoch(hub, &self.settings.tenant).await?;
        Ok(epoch.is_some_and(|(_, epoch)| epoch.fate(&ids) == Fate::Lost) || self.witness.is_lost(hub, folded).await?)
    }
}
