//! Where a new follower begins, and where a stopped one continues: by the epoch and the bases in the stream,
//! never by a clock.

use super::base::Base;
use super::epoch::Epoch;
use super::error::FollowError;
use super::fork::Judgement;
use super::state::State;
use crate::chain::{CHAIN_START, ChainValue};
use crate::cursor::{LogId, Sequence};
use crate::log::Follow;
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

    fn of(base: Base) -> Self {
        Self { state: base.state, fleet: base.fleet, chain: base.chain }
    }
}

/// Where a new follower begins: with the fleet, or with the oldest base behind which the stream is whole.
/// Where there is neither, a fleet begins.
pub(super) async fn beginning(hub: &dyn FleetStream, tenant: &str) -> Result<Start, Broken> {
    let (base_subject, epoch_subject) = (Subject::base(tenant)?, Subject::epoch(tenant)?);
    let ends = hub.ends().await?;
    let newest = hub.newest(&base_subject).await?.map(|message| Base::of_message(&message)).transpose()?;
    let epoch_message = hub.newest(&epoch_subject).await?;
    let epoch = epoch_message.as_ref().map(Epoch::of_message).transpose()?;
    let of_base = newest.as_ref().map(|base| base.fleet);
    if let Some(epoch) =
        epoch.filter(|epoch| epoch.before.is_none() && epoch.at + 1 >= ends.first && of_base.is_none_or(|it| it == epoch.fleet))
    {
        return Ok(Start { state: State::begin(tenant, epoch.at), fleet: epoch.fleet, chain: CHAIN_START });
    }
    let mut oldest = None;
    let mut next = newest;
    for _ in 0..MAX_BASES {
        let Some(base) = next.filter(|base| Some(base.fleet) == of_base && is_whole_behind(base, &ends)) else { break };
        next = before(hub, &base).await?;
        oldest = Some(base);
    }
    if let Some(base) = oldest {
        return Ok(Start::of(base));
    }
    let begun = Epoch::begin(ends.first.saturating_sub(1), None);
    hub.publish(begun.to_message(epoch_subject), epoch_message.map_or(0, |message| message.place)).await?;
    Ok(Start { state: State::begin(tenant, begun.at), fleet: begun.fleet, chain: CHAIN_START })
}

/// What is known at a place that is not after the record `next` of the log `fleet`.
pub(super) async fn going_on(hub: &dyn FleetStream, tenant: &str, fleet: LogId, next: Sequence) -> Result<Start, Broken> {
    let ends = hub.ends().await?;
    let mut base = hub.newest(&Subject::base(tenant)?).await?.map(|message| Base::of_message(&message)).transpose()?;
    for _ in 0..MAX_BASES {
        let Some(found) = base.take_if(|base| is_whole_behind(base, &ends)) else { break };
        if found.fleet == fleet && found.state.next <= next {
            return Ok(Start::of(found));
        }
        base = before(hub, &found).await?;
    }
    if let Some(epoch) = hub.newest(&Subject::epoch(tenant)?).await?.map(|message| Epoch::of_message(&message)).transpose()? {
        if epoch.fleet != fleet {
            return Err(FollowError::Epochs { fleet: epoch.fleet, at: epoch.at, own: fleet }.into());
        }
        if epoch.at + 1 >= ends.first {
            return Ok(Start { state: State::begin(tenant, epoch.at), fleet, chain: CHAIN_START });
        }
    }
    let judgement = if ends.first > 1 { Judgement::Trimmed } else { Judgement::Recreated };
    Err(FollowError::Forked { place: 0, judgement }.into())
}

/// Whether the stream has all messages after a base.
fn is_whole_behind(base: &Base, ends: &Ends) -> bool {
    base.state.place + 1 >= ends.first
}

/// The base before another one, if the stream still has it.
async fn before(hub: &dyn FleetStream, base: &Base) -> Result<Option<Base>, Broken> {
    let message: Option<Message> = match base.previous {
        0 => None,
        place => hub.at(place).await?,
    };
    Ok(message.map(|message| Base::of_message(&message)).transpose()?)
}
