//! What is done to a server's log before it is opened, where its fleet goes on otherwise.

use super::epoch::Fate;
use super::error::FollowError;
use super::find::{Broken, newest_epoch};
use super::settings::{ANSWER_WITHIN, Settings};
use crate::log::{FollowerLog, Fork, Forked, LogError};
use crate::stream::FleetStream;
use std::path::{Path, PathBuf};
use tokio::time::timeout;

/// Has a log that is there go on as the stream says, if the hub answers. What was done is told in words.
///
/// # Errors
/// When the disk does not take it. The log is as it was then.
pub(super) async fn settle(hub: &dyn FleetStream, data_dir: &Path, settings: &Settings) -> Result<Option<String>, FollowError> {
    let dir = data_dir.to_owned();
    let Some(ids) = blocking(move || FollowerLog::ids(&dir)).await? else { return Ok(None) };
    let epoch = match timeout(ANSWER_WITHIN, newest_epoch(hub, &settings.tenant)).await {
        Ok(Ok(Some((_, epoch)))) => epoch,
        // Whatever is wrong, it is told when the hub is followed.
        Ok(Ok(None) | Err(Broken::Later(_) | Broken::Stop(_))) | Err(_) => return Ok(None),
    };
    let last = match epoch.fate(&ids) {
        Fate::Own | Fate::Lost => return Ok(None),
        Fate::Foreign => None,
        Fate::Apart { last, .. } => Some(last),
    };
    let forked = match last {
        Some(last) => FollowerLog::fork(data_dir, Fork { last, log: epoch.id_after(last) }, settings.limits).await?,
        None => Forked::Gone,
    };
    let (old, last) = (ids.log, last.unwrap_or(0));
    let told = match forked {
        Forked::Behind => return Ok(None),
        Forked::Renamed => format!("the fleet's log goes on as {} after record {last}: its hub lost what it had acknowledged", epoch.fleet),
        Forked::SetAside(aside) => format!(
            "the fleet's hub lost what it had acknowledged: the log goes on as {} after record {last}, and what this server held as {old} \
             lies in {}",
            epoch.fleet,
            aside.display()
        ),
        Forked::Gone => {
            let aside = set_aside(data_dir).await?;
            format!(
                "the fleet's hub holds nothing of what this server held: it begins anew as {}, and what it held as {old} lies in {}",
                epoch.fleet,
                aside.display()
            )
        }
    };
    tracing::warn!("{told}");
    Ok(Some(told))
}

async fn set_aside(data_dir: &Path) -> Result<PathBuf, LogError> {
    let dir = data_dir.to_owned();
    blocking(move || FollowerLog::set_aside(&dir)).await
}

/// Does something that waits for the disk.
pub(super) async fn blocking<T: Send + 'static>(work: impl FnOnce() -> Result<T, LogError> + Send + 'static) -> Result<T, LogError> {
    tokio::task::spawn_blocking(work).await.map_err(|e| LogError::Internal(e.to_string()))?
}
