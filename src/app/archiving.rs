//! The archive of a server of a fleet: what a cold one begins with, and what is put there.

use super::running::Tasks;
use crate::archive::{Archive, Archiver, Fetch, Handle, Wanted};
use crate::follow::starting_point;
use crate::log::{EmbeddedLog, EventLog, FollowerLog, Limits};
use crate::retention::{self, Retention};
use crate::shutdown::Shutdown;
use crate::stream::FleetStream;
use anyhow::Context as _;
use std::path::Path;
use std::sync::Arc;
use tokio::runtime::Handle as Runtime;

/// Where segments go.
#[derive(Debug, Clone)]
pub struct Archiving {
    /// s3://BUCKET/PREFIX or file:///DIRECTORY.
    pub url: String,
    /// Of what speaks as S3 and is not Amazon's.
    pub endpoint: Option<String>,
}

impl Archiving {
    pub(super) fn archive(&self) -> anyhow::Result<Archive> {
        let environment: Vec<_> =
            std::env::vars_os().filter_map(|(name, value)| name.into_string().ok().zip(value.into_string().ok())).collect();
        Archive::at(&self.url, self.endpoint.as_deref(), &environment).with_context(|| format!("--archive {}", self.url))
    }
}

/// Begins the log of a server that has none with what the archive holds.
pub(super) async fn begin(
    archive: &Archive,
    hub: &dyn FleetStream,
    tenant: &str,
    data_dir: &Path,
    retention: Retention,
    shutdown: &Shutdown,
) -> anyhow::Result<()> {
    let dir = data_dir.to_owned();
    if tokio::task::spawn_blocking(move || FollowerLog::found(&dir)).await??.is_some() {
        return Ok(());
    }
    let wanted = Wanted { segment_records: Limits::default().tip_records, bytes: retention.bytes, age: retention.age };
    let mut fetch = Fetch::new(archive.clone(), data_dir, wanted);
    let mut before = None;
    // The stream may be trimmed while it fetches: what is gone from there by then comes from the archive.
    while let Some((follow, ids)) = starting_point(hub, tenant, shutdown).await? {
        let Some(assembly) = fetch.gather(&follow, &ids, shutdown).await.context("the archive")? else { return Ok(()) };
        if before.as_ref() == Some(&(follow, ids.clone())) {
            return Ok(assembly.finish(&follow, &ids, Limits::default()).await?);
        }
        before = Some((follow, ids));
    }
    Ok(())
}

/// Archives what is sealed, and starts the retention that waits for it.
pub(super) fn start(tasks: &mut Tasks, archive: Archive, log: Arc<EmbeddedLog>, retention: Retention, shutdown: &Shutdown) -> Handle {
    let archiver = Archiver::new(archive, Arc::clone(&log));
    let (handle, settled) = (archiver.handle(), archiver.settled());
    let until = shutdown.clone();
    tasks.start("archiver", &Runtime::current(), async move {
        archiver.run(until.clone()).await;
        until.stopping().await;
    });
    let (keeping, until) = (retention::run_archived(log as Arc<dyn EventLog>, retention, settled, shutdown.clone()), shutdown.clone());
    tasks.start("retention", &Runtime::current(), async move {
        keeping.await;
        until.stopping().await;
    });
    handle
}
