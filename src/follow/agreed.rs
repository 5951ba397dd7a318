//! A server's own log, and whether a base in the stream fits it.

use super::base::Base;
use crate::log::{EventLog as _, Follow, FollowerLog, Ids, LogError};

/// A log, where it begins, and the ids of its records.
#[derive(Debug, Clone, Copy)]
pub(super) struct Own<'a> {
    pub(super) log: &'a FollowerLog,
    pub(super) follow: &'a Follow,
    pub(super) ids: &'a Ids,
}

/// Whether the hash chain of a log has the value that a base tells. What retention has removed nobody can
/// compare any more: there the base counts if it names the log's id.
pub(super) async fn agrees(own: Own<'_>, base: &Base) -> Result<bool, LogError> {
    let (log, last) = (own.log.log(), base.state.next - 1);
    if base.state.next == own.follow.first {
        return Ok(base.chain == own.follow.chain);
    }
    let bounds = log.bounds();
    if last > bounds.head {
        return Ok(false);
    }
    match log.chain_around(last).await? {
        Some((_, after)) => Ok(after == base.chain),
        None => Ok(last < bounds.oldest && own.ids.all().any(|(id, end)| id == base.fleet && last <= end)),
    }
}
