//! Sources of Docker events: what comes in, before anything is decided about it. Nothing here knows the log,
//! and no source waits long for the recorder while a daemon's socket is open.
//!
//! A [`Source`] reads one Docker host and tells the recorder what it sees, in order, through a bounded queue
//! ([`queue()`]). moby drops events for a reader that is 100 ms late, and a stalled subscriber slows the
//! whole daemon: that is why it waits for a moment at most ([`queue()`]). What does not fit is counted and
//! told ([`Input::Overflow`]). Whether a reconnect was gapless is judged by the recorder.

pub mod demo;
pub mod docker;
pub mod endpoint;
pub mod lines;
mod queue;
mod status;

pub use queue::{Observations, QueueGauge, QueueReceiver, QueueSender, QueueStats, SourceSender, queue};
pub use status::{SourceState, SourceStatus, StatusHandle};

use crate::event::Event;
use crate::shutdown::Shutdown;
use crate::time::Timestamp;
use std::sync::Arc;

/// What a source tells the recorder, in order.
///
/// Per connection: `Connected`, then events, `ReplayEnd` at most once (a connection that ends within the
/// replay has none: its replay proves nothing), more events, `Disconnected`. Between `Disconnected` and the
/// next `Connected` there may be events as well, from a stream whose daemon answers nothing any more.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Input {
    /// The event stream of the daemon is open.
    Connected {
        /// Version of the Docker Engine, such as `20.10.24`; `unknown` where it would not say.
        engine: String,
        /// `start`, or why it had to connect again.
        reason: String,
        /// How many attempts it took.
        attempts: u64,
    },
    /// One message of the daemon.
    Event {
        /// The message.
        event: Event,
        /// When it was read from the socket.
        received: Timestamp,
    },
    /// A line that is not a Docker message, or is longer than [`lines::MAX_LINE_BYTES`].
    Malformed(Malformed),
    /// State seen by inspection; an event of the recorder's own with action `observed` or `baseline`
    /// (docs/records.md, "Records of the recorder").
    Observed {
        /// The complete recorder event. The time of an `observed` is when the inspection was *asked for*.
        event: Event,
        /// When the daemon's answer was read.
        received: Timestamp,
    },
    /// The part of the stream that the daemon replayed from its ring has been read: what follows is live.
    ReplayEnd {
        /// Lines received since `Connected`, malformed and lost ones included.
        replayed: u64,
        /// The earliest time that an event among them carries.
        first: Option<Timestamp>,
    },
    /// What the daemon keeps of earlier times could not be read, or not to its end: what follows is live. In
    /// place of `ReplayEnd`.
    ReplayLost {
        /// Why not.
        why: String,
    },
    /// The bounded queue was full.
    Overflow {
        /// How many events and malformed lines were lost.
        lost: u64,
        /// Time of receipt of the first that was lost.
        from: Timestamp,
        /// Time of receipt of the last that was lost.
        until: Timestamp,
    },
    /// The event stream is closed.
    Disconnected {
        /// Why, in words; `shutdown` when this process ends it.
        reason: String,
        /// What of the connection proves nothing.
        doubt: Option<Doubt>,
    },
}

/// A line that is not a Docker message, or is too long.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Malformed {
    /// When it was read from the socket.
    pub received: Timestamp,
    /// Length of the line, without its end.
    pub bytes: u64,
    /// CRC-32 of the line. With its length it tells whether it is one that came before; nothing of the line
    /// can be read from it.
    pub checksum: u32,
    /// What is wrong with it.
    pub why: String,
    /// How it begins: at most 200 characters, lossy, control characters escaped.
    pub sample: String,
    /// What is left of an event that is too long, marked as cut.
    pub cut: Option<Event>,
}

/// A run of lines among which the daemon may have dropped others.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Doubt {
    /// How many lines, counted back from the newest, prove nothing of what came before them.
    pub lines: u64,
    /// When the last line before them was received.
    pub since: Timestamp,
}

/// An input and where it comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tagged {
    /// Name of the Docker host.
    pub source: Arc<str>,
    /// What it tells.
    pub input: Input,
}

/// One Docker host, or something that behaves like one.
#[async_trait::async_trait]
pub trait Source: Send + 'static {
    /// Name of the Docker host; `source` of its records.
    fn name(&self) -> Arc<str>;

    /// Where it is, for people: `unix:///var/run/docker.sock`.
    fn endpoint(&self) -> String;

    /// Told before it runs: the time of the newest of its events that an earlier run recorded.
    fn resume_after(&mut self, _known: Option<Timestamp>) {}

    /// Reads until `shutdown` says so. Comes back within 200 ms of that, provided
    /// that the receiver is being read. Errors are told through `status`, and tried again for ever.
    async fn run(self: Box<Self>, sender: SourceSender, status: StatusHandle, shutdown: Shutdown);
}
