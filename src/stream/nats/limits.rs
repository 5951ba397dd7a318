//! Bounds of what goes to NATS and of what comes from it.

use std::time::Duration;

/// Bytes of head and payload that a message may have, whatever more the server would take.
pub(super) const MAX_MESSAGE_BYTES: usize = 2 << 20;
/// Bytes that are kept free of a message for the names of headers, and for the header of ours that says which
/// message must be the newest.
pub(super) const HEADER_BYTES: usize = 256;
/// Bytes of a head; a longer one is none of ours.
pub(super) const MAX_HEAD_BYTES: usize = 4 << 10;
/// Bytes of an answer of the JetStream API. A message comes as base64 in one.
pub(super) const MAX_ANSWER_BYTES: usize = 4 << 20;
/// Bytes of a node's monitoring page, which tells of each stream.
pub(super) const MAX_PAGE_BYTES: usize = 16 << 20;
/// Characters of a server's error that are repeated.
pub(super) const MAX_ERROR_CHARS: usize = 300;
/// Refusals that wait for the calls that they are meant for.
pub(super) const MAX_REFUSALS: usize = 16;

/// Until one server has taken a connection, or has not.
pub(super) const CONNECT_WAIT: Duration = Duration::from_secs(2);
/// Until one of all servers has taken a connection.
pub(super) const CONNECT_ALL_WAIT: Duration = Duration::from_secs(10);
/// Between two servers that are tried.
pub(super) const RETRY_WAIT: Duration = Duration::from_millis(20);
/// Until a question is answered. A leader is elected within it, most often.
pub(super) const ANSWER_WAIT: Duration = Duration::from_secs(4);
/// Between signs of life of a connection on which nothing is said.
pub(super) const PING: Duration = Duration::from_secs(10);

/// Messages that one pull asks for.
pub(super) const PULL_MESSAGES: usize = 256;
/// Bytes that one pull asks for, which the server holds in memory. A message of the largest size fits.
pub(super) const PULL_BYTES: usize = 4 << 20;
/// How long one pull waits for messages.
pub(super) const PULL_WAIT: Duration = Duration::from_secs(30);
/// Between signs of life of a pull that waits.
pub(super) const HEARTBEAT: Duration = Duration::from_secs(1);
/// After so long without one, the pull is lost.
pub(super) const SILENCE: Duration = Duration::from_secs(4);
/// For so long without a pull, the server keeps what it knows of a reader.
pub(super) const READER_KEPT: Duration = Duration::from_secs(60);
/// How often a delivery begins before it has brought anything, at most.
pub(super) const MAX_STARTS: u32 = 8;
/// Between two such beginnings.
pub(super) const START_WAIT: Duration = Duration::from_millis(100);
