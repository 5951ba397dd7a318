//! Where a new follower begins, and where a stopped one continues: by the epoch and the bases in the stream,
//! never by a clock.

use super::agreed::{Own, agrees};
use super::base::Base;
use super::epoch::Epoch;
use super::error::FollowError;
use super::fork::Judgement;
use super::state::State;
use crate::chain::{CHAIN_START, ChainValue};
use crate::cursor::{LogId, Sequence};
use crate::log::{Follow, Ids};
use crate::stream::{Ends, FleetStream, Message, StreamError, Subject};

/// Bases that are looked at, one after the other, from the newest back: more than a stream of years holds.
const MAX_BASES: usize = 1 << 20;

/// Why a step towards the hub failed.
#[derive(Debug)]
pub(super) enum Broken {
    /// It may succeed later.
    Later(StreamError),
    /// It never will.
    Stop(FollowError),
}

impl From<StreamError> for Broken {
    fn from(e: StreamError) -> Self {
        Self::Later(e)
    }
}

impl<E: Into<FollowError>> From<E> for Broken {
    fn from(e: E) -> Self {
        Self::Stop(e.into())
    }
}

/// What is known at some place, with the fleet's log and the value of its chain there.
#[derive(Debug, Clone)]
pub(super) struct Start {
    pub(super) state: State,
    pub(super) fleet: LogId,
    pub(super) chain: ChainValue,
}

impl Start {
    /// As the beginning of a log.
    pub(super) fn follow(&self) -> Follow {
        Follow { log: self.fleet, first: self.state.next, chain: self.chain }
    }

    pub(super) fn of(base: Base) -> Self {
        Self { state: base.state, fleet: base.fleet, chain: base.chain }
    }
}

/// The newest base.
pub(super) async fn newest_base(hub: &dyn FleetStream, tenant: &str) -> Result<Option<Base>, Broken> {
    Ok(hub.newest(&Subject::base(tenant)?).await?.map(|message| Base::of_message(&message)).transpose()?)
}

/// The newest epoch, and its place.
pub(super) async fn newest_epoch(hub: &dyn FleetStream, tenant: &str) -> Result<Option<(u64, Epoch)>, Broken> {
    let message = hub.newest(&Subject::epoch(tenant)?).await?;
    Ok(message.map(|message| Epoch::of_message(&message).map(|epoch| (message.place, epoch))).transpose()?)
}

/// Where a new follower begins: with the fleet, or with the oldest base behind which the stream is whole.
/// Where there is neither, a fleet begins. With the ids that the log had before, and where each ended.
pub(super) async fn beginning(hub: &dyn FleetStream, tenant: &str) -> Result<(Start, Vec<(LogId, Sequence)>), Broken> {
    let ends = hub.ends().await?;
    let newest = newest_base(hub, tenant).await?;
    let known = newest_epoch(hub, tenant).await?;
    let (place, epoch) = known.map_or((0, None), |(place, epoch)| (place, Some(epoch)));
    if let Some(epoch) = epoch.as_ref().filter(|epoch| epoch.began + 1 >= ends.first) {
        let start = Start { state: State::begin(tenant, epoch.began), fleet: epoch.root(), chain: CHAIN_START };
        return Ok((start, Vec::new()));
    }
    let of_newest = newest.as_ref().map(|base| base.fleet);
    let is_of_fleet = |base: &Base| epoch.as_ref().map_or(of_newest, |epoch| Some(epoch.id_at(base.state.place))) == Some(base.fleet);
    let (mut oldest, mut next) = (None, newest);
    for _ in 0..MAX_BASES {
        let Some(base) = next.filter(|base| is_whole_behind(base, &ends)) else { break };
        next = before(hub, &base).await?;
        if is_of_fleet(&base) {
            oldest = Some(base);
        }
    }
    if let Some(base) = oldest {
        let ancestors = epoch.map_or_else(Vec::new, |epoch| epoch.ancestors_of(base.fleet));
        return Ok((Start::of(base), ancestors));
    }
    // What was there may have been a fleet's, whose servers go on with it.
    if ends.first > 1 {
        return Err(FollowError::NoBeginning { first: ends.first }.into());
    }
    let begun = Epoch::begin(0);
    hub.publish(begun.to_message(Subject::epoch(tenant)?), place).await?;
    Ok((Start { state: State::begin(tenant, begun.began), fleet: begun.fleet, chain: CHAIN_START }, Vec::new()))
}

/// What is known at a place before `below` that is not after the record `next` of a log, and fits it.
pub(super) async fn going_on(
    hub: &dyn FleetStream,
    tenant: &str,
    own: Own<'_>,
    epoch: Option<&Epoch>,
    next: Sequence,
    below: u64,
) -> Result<Start, Broken> {
    let (ends, ids) = (hub.ends().await?, own.ids);
    let is_ours = |base: &Base| {
        let as_told = epoch.is_none_or(|epoch| epoch.id_at(base.state.place) == base.fleet);
        as_told
            && base.state.place < below
            && base.state.next <= next
            && ids.all().any(|(id, last)| id == base.fleet && base.state.next - 1 <= last)
    };
    let (mut base, mut unlike) = (newest_base(hub, tenant).await?, None);
    for _ in 0..MAX_BASES {
        let Some(found) = base.take_if(|base| is_whole_behind(base, &ends)) else { break };
        if is_ours(&found) {
            if agrees(own, &found).await? {
                return Ok(Start::of(found));
            }
            unlike = Some(FollowError::Unlike { place: found.state.place });
        }
        base = before(hub, &found).await?;
    }
    if let Some(start) = root(tenant, ids, epoch, &ends).filter(|start| start.state.place < below) {
        return Ok(start);
    }
    if let Some(unlike) = unlike {
        return Err(unlike.into());
    }
    let trimmed = FollowError::Forked { place: 0, judgement: Judgement::Trimmed };
    Err(if ends.first > 1 { trimmed } else { FollowError::Unknown }.into())
}

/// Where the fleet of a log with these ids began, if the stream has all since then.
pub(super) fn root(tenant: &str, ids: &Ids, epoch: Option<&Epoch>, ends: &Ends) -> Option<Start> {
    let epoch = epoch.filter(|epoch| epoch.began + 1 >= ends.first && ids.all().any(|(id, _)| id == epoch.root()))?;
    Some(Start { state: State::begin(tenant, epoch.began), fleet: epoch.root(), chain: CHAIN_START })
}

/// Whether the stream has all messages after a base.
pub(super) fn is_whole_behind(base: &Base, ends: &Ends) -> bool {
    base.state.place + 1 >= ends.first
}

/// The base before another one, if the stream still has it.
pub(super) async fn before(hub: &dyn FleetStream, base: &Base) -> Result<Option<Base>, Broken> {
    let message: Option<Message> = match base.previous {
        0 => None,
        place => hub.at(place).await?,
    };
    Ok(message.map(|message| Base::of_message(&message)).transpose()?)
}
