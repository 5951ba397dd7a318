//! Why a follower stops.

use super::base::BaseError;
use super::epoch::EpochError;
use super::fork::Judgement;
use crate::cursor::Sequence;
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
    /// The hub is the one that it was, and the log is not what comes out of the stream.
    #[error(
        "this server's log does not hold what the stream gives up to message {place}, though the hub lost nothing: its disk or memory may be at \
         fault; give it an empty --data-dir"
    )]
    Unlike {
        /// The message.
        place: u64,
    },
    /// The stream was trimmed, and nothing in it says how its fleet's log begins.
    #[error(
        "the hub has removed its messages before {first}, and no epoch and no base in the stream says how the fleet's log begins: start a server \
         that has the log and let it publish a base, or give this one the --data-dir of such a server; where there is none, delete the stream and \
         make it anew with `shipslog fleet init`: hosts send again what they have kept"
    )]
    NoBeginning {
        /// The oldest message that is kept.
        first: u64,
    },
    /// Another server has begun a fleet in this one's stream.
    #[error(
        "message {message} of the stream begins the fleet anew, though the hub holds what this server follows up to message {place}: look which \
         server published it; where that is right, restart this one, which then sets its log aside"
    )]
    Begun {
        /// The epoch.
        message: u64,
        /// The newest message that was folded.
        place: u64,
    },
    /// The log ends before the record after which its fleet goes on under another id, though all up to there
    /// was read.
    #[error("the fleet goes on under another id after record {last}, and this server's log ends with {head}; give it an empty --data-dir")]
    Short {
        /// The last record of the id.
        last: Sequence,
        /// The log's last record.
        head: Sequence,
    },
    /// Neither an epoch nor a base in the stream names the log's fleet.
    #[error("the stream does not tell of the fleet that this server's log is of: is --tenant right? If so, give it an empty --data-dir")]
    Unknown,
    /// The stream says how the fleet goes on, and that may be under another id: see [`FollowError::is_anew`].
    #[error("the fleet goes on otherwise than this server's log, which is opened anew")]
    Anew,
}

impl FollowError {
    /// Whether the follower has to be opened anew, which then goes on: what is on the disk is put in order by
    /// that.
    pub fn is_anew(&self) -> bool {
        matches!(self, Self::Anew)
    }
}

/// Whether somebody has to change something before the hub does what is asked.
pub(super) fn is_refusal(e: &StreamError) -> bool {
    !matches!(e, StreamError::Conflict | StreamError::Unanswered(_) | StreamError::Unavailable(_))
}

fn why(judgement: Judgement) -> &'static str {
    match judgement {
        Judgement::Same => "it is the same",
        Judgement::LostTail => "it lost messages that it had acknowledged, or was put back from an older copy",
        Judgement::Recreated => "its stream was made anew",
        Judgement::Trimmed => "it has removed messages that this server had not read yet; give it an empty --data-dir",
    }
}
