//! The seam of the hub: what every engine does for the rest of the program.

use super::subject::Subject;
use crate::time::Timestamp;
use async_trait::async_trait;
use bytes::Bytes;
use tokio_stream::Stream;

/// A message on its way to the hub.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outgoing {
    /// Under which it is stored.
    pub subject: Subject,
    /// One line of text that goes before the payload, without control characters.
    pub head: String,
    /// What is in it.
    pub payload: Bytes,
}

/// A message as the hub has stored it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    /// Its place in the stream, from 1 on; never used twice while the stream exists.
    pub place: u64,
    /// When the hub stored it, by the clock of the node that led then: it may fall.
    pub arrived: Timestamp,
    /// Under which it is stored.
    pub subject: Subject,
    /// One line of text that goes before the payload.
    pub head: String,
    /// What is in it.
    pub payload: Bytes,
}

/// What a stream holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ends {
    /// When the stream was made. One that was put back from an older copy keeps it.
    pub created: Timestamp,
    /// Place of the oldest message that is kept; `last` + 1 when there is none.
    pub first: u64,
    /// Place of the newest message; 0 before the first.
    pub last: u64,
}

/// Messages in the order of their places, from one place on and without an end. The first one lies after the
/// place asked for when the stream has removed what was there.
pub type Delivery = std::pin::Pin<Box<dyn Stream<Item = Result<Message, StreamError>> + Send>>;

/// Why a hub did not do what it was asked.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum StreamError {
    /// The newest message of the subject is another than expected: somebody else has published, or the hub
    /// has lost some.
    #[error("the hub holds another last message of this host than expected")]
    Conflict,
    /// It is not known whether the message was stored: ask for the newest one of the subject.
    #[error("the hub did not answer in time: {0}")]
    Unanswered(String),
    /// Nothing was stored; the same may be tried again.
    #[error("the hub cannot take anything now: {0}")]
    Unavailable(String),
    /// The key may not do this; asking again changes nothing.
    #[error("the hub refuses this: {0}")]
    Refused(String),
    /// The message is larger than what the hub takes.
    #[error("the message has {bytes} bytes, and the hub takes {limit} at most")]
    TooLarge {
        /// Bytes of head and payload.
        bytes: usize,
        /// Bytes that the hub takes.
        limit: usize,
    },
    /// The engine, its version or the stream's settings do not hold what a fleet is promised.
    #[error("{0}")]
    Unfit(String),
}

impl StreamError {
    /// Somebody reads on from a place that the stream has not come to: it has lost what was there.
    pub(super) fn ends_ahead_of(place: u64, last: u64) -> Self {
        Self::Unavailable(format!("its last message stands at {last}, and {place} was asked for: it may have lost its newest messages"))
    }
}

/// One ordered stream of messages of many subjects, stored durably, with any number of writers and readers.
#[async_trait]
pub trait FleetStream: Send + Sync + 'static {
    /// The newest message of `subject`, if one is kept. It may come from a replica that lags, which does no
    /// harm where the next message is published by it: [`FleetStream::publish`] compares.
    ///
    /// # Errors
    /// As the hub says; never [`StreamError::Conflict`].
    async fn newest(&self, subject: &Subject) -> Result<Option<Message>, StreamError>;

    /// Stores a message if the newest of its subject stands at `expected` (0 for none), and returns its place
    /// once a quorum has it on disk. One writer of a subject waits for this before it publishes the next.
    ///
    /// # Errors
    /// [`StreamError::Conflict`] when another message is the newest; nothing is stored. After
    /// [`StreamError::Unanswered`] it may have been stored.
    async fn publish(&self, message: Outgoing, expected: u64) -> Result<u64, StreamError>;

    /// Messages of every subject from `place` on, also those to come.
    ///
    /// # Errors
    /// As the hub says; [`StreamError::Unavailable`] also where the stream ends more than one place before
    /// `place`. Afterwards a delivery ends with its first error; go on from the place after the last message.
    async fn read_from(&self, place: u64) -> Result<Delivery, StreamError>;

    /// What the stream holds, by the node that leads it.
    ///
    /// # Errors
    /// As the hub says.
    async fn ends(&self) -> Result<Ends, StreamError>;

    /// The message at `place`, if it is kept, by the node that leads the stream.
    ///
    /// # Errors
    /// As the hub says.
    async fn at(&self, place: u64) -> Result<Option<Message>, StreamError>;

    /// Bytes of head and payload that a message may have.
    fn max_bytes(&self) -> usize;
}
