//! Why a follower stops.

use super::base::BaseError;
use super::epoch::EpochError;
use super::fork::Judgement;
use crate::cursor::LogId;
use crate::log::LogError;
use crate::stream::{StreamError, SubjectError};

/// Why a follower stops. What it has can be read even so; it takes nothing more until somebody has looked.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum FollowError {
    /// Its own log.
    #[error(transparent)]
    Log(#[from] LogError),
    /// Another server holds something else, or published a base that cannot be read: an alarm.
    #[error(transparent)]
    Base(#[from] BaseError),
    /// A message that tells an epoch and cannot be read.
    #[error(transparent)]
    Epoch(#[from] EpochError),
    /// The name of the tenant.
    #[error(transparent)]
    Subject(#[from] SubjectError),
    /// The hub refuses what a server must do, at the beginning of its log.
    #[error(transparent)]
    Hub(StreamError),
    /// The hub does not hold any more what this log goes on with, or holds something else.
    #[error("the hub is not what this server followed after message {place}: {}", why(*.judgement))]
    Forked {
        /// The newest message that was folded.
        place: u64,
        /// How the hub is.
        judgement: Judgement,
    },
    /// A message in the stream says that the fleet goes on under another id.
    #[error("the fleet goes on as {fleet} from message {at} on, and this server follows {own}; give it an empty --data-dir")]
    Epochs {
        /// The id from there on.
        fleet: LogId,
        /// The last message that both have.
        at: u64,
        /// The id of this server's log.
        own: LogId,
    },
}

fn why(judgement: Judgement) -> &'static str {
    match judgement {
        Judgement::Same => "it is the same",
        Judgement::LostTail => "it lost messages that it had acknowledged, or was put back from an older copy",
        Judgement::Recreated => "its stream was made anew",
        Judgement::Trimmed => "it has removed messages that this server had not read yet; give it an empty --data-dir",
    }
}
