//! A follower's log: the records of a whole fleet, in the order and under the sequences that its stream gives
//! them, so that every follower holds the same.

use super::commit::batch;
use super::commit::request::Request;
use super::dir::manifest::Manifest;
use super::recover::finish_fork;
use super::{EmbeddedLog, FleetRecord, Follow, Followed, Limits, LogError, Recovery, Resume};
use crate::cursor::Sequence;
use std::path::Path;
use std::sync::Arc;
use tokio::sync::oneshot;

/// A follower's log. It takes records of its stream only.
#[derive(Debug, Clone)]
pub struct FollowerLog(Arc<EmbeddedLog>);

impl FollowerLog {
    /// Opens or creates the log of a follower in `data_dir`.
    ///
    /// # Errors
    /// [`LogError::NotFollower`] and [`LogError::OtherFollow`] when there is another log than this one; else
    /// as [`EmbeddedLog::open`].
    pub fn open(data_dir: &Path, follow: &Follow) -> Result<(Self, Resume, Recovery), LogError> {
        Self::open_with(data_dir, follow, Limits::default())
    }

    /// As [`FollowerLog::open`], with other limits. Followers with other limits cut other segments.
    ///
    /// # Errors
    /// As [`FollowerLog::open`].
    pub fn open_with(data_dir: &Path, follow: &Follow, limits: Limits) -> Result<(Self, Resume, Recovery), LogError> {
        let (log, resume, recovery) = EmbeddedLog::open_follower(data_dir, follow, limits)?;
        Ok((Self(Arc::new(log)), resume, recovery))
    }

    /// What the log in `data_dir` follows; `None` when there is no log. A fork that a kill interrupted is
    /// finished first.
    ///
    /// # Errors
    /// [`LogError::NotFollower`] for the log of a recorder; a `LOG` that cannot be read.
    pub fn found(data_dir: &Path) -> Result<Option<Follow>, LogError> {
        let dir = data_dir.join("log");
        finish_fork(data_dir)?;
        match Manifest::read(&dir)? {
            Some(manifest) => manifest.follow()?.map(Some).ok_or(LogError::NotFollower { path: dir }),
            None => Ok(None),
        }
    }

    /// Appends records, the first of which is to get the sequence `first`. When this returns they are durable
    /// and, at once, visible to readers.
    ///
    /// # Errors
    /// [`LogError::NotNext`] when the next record is another one, and [`LogError::Refused`] when the time of
    /// receipt falls: nothing is stored then. Otherwise as [`EventLog::append`](super::EventLog::append).
    pub async fn append_at(&self, first: Sequence, records: Vec<FleetRecord>) -> Result<Followed, LogError> {
        batch::check_fleet_sizes(&records)?;
        let (reply, answer) = oneshot::channel();
        self.0.ask(Request::AppendAt(first, records, reply), answer).await
    }

    /// For readers, retention and everything else that asks nothing of where records come from.
    pub fn log(&self) -> Arc<EmbeddedLog> {
        Arc::clone(&self.0)
    }
}
