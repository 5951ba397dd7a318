//! What a follower is told, and how long it waits for the hub.

use crate::log::Limits;
use std::time::Duration;

/// How long an answer of the hub may take.
pub(super) const ANSWER_WITHIN: Duration = Duration::from_secs(5);
/// For so long a hub must say that it lacks what it had, until that is believed. A node that leads no more
/// takes itself for the leader until it has heard of nobody for 10 s (nats-server's lost quorum), and an
/// election takes up to 9 s.
pub const LOSS_AFTER: Duration = Duration::from_secs(12);

/// What a follower is told. Nothing of it has a part in what its log holds, but for the limits, which must be
/// the same on every server.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Whose fleet it is.
    pub tenant: String,
    /// Of its log.
    pub limits: Limits,
    /// Records that are appended together, if so many are there; what one message holds comes on top.
    pub batch_records: usize,
    /// See [`LOSS_AFTER`].
    pub loss_after: Duration,
    /// The log was open in this program just now: what still has it open lets go of it soon, and is waited
    /// for.
    pub again: bool,
}

/// Records that are appended together where nothing else is said.
pub const BATCH_RECORDS: usize = 8192;

impl Settings {
    /// For a tenant, with everything else as usual.
    pub fn of(tenant: &str) -> Self {
        Self { tenant: tenant.to_owned(), limits: Limits::default(), batch_records: BATCH_RECORDS, loss_after: LOSS_AFTER, again: false }
    }
}
