//! A program that serves a log or an export of somebody else, and records nothing.

use super::foreign::{self, Foreign};
use super::running::{Running, Tasks};
use super::serving::{admission, announce};
use crate::config::ServeConfig;
use crate::log::{DerivedFiles, EventLog, ScratchDir};
use crate::projection::DERIVED_VERSION;
use crate::server::{self, Context, Listener, Recording};
use crate::shutdown::Stop;
use anyhow::Context as _;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Instant;
use tokio::runtime::Handle;

/// Serves a log or an export that is not ours, and records nothing.
pub(super) async fn read_only(path: &Path, config: ServeConfig, listener: Listener, cancelled: Arc<AtomicBool>) -> anyhow::Result<Running> {
    let started = Instant::now();
    let (admission, options) = admission(&config)?;
    let opening = path.to_owned();
    let Foreign { log, as_of, scratch } =
        tokio::task::spawn_blocking(move || foreign::open(&opening, &cancelled)).await?.with_context(|| {
            format!("cannot serve {} read-only; it must be the --data-dir of a log, or a JSON Lines export", path.display())
        })?;
    let log: Arc<dyn EventLog> = Arc::new(log);
    let bounds = log.bounds();
    tracing::info!(store.id = %bounds.log, store.oldest = bounds.oldest, store.head = bounds.head, "the log is open for reading; nothing is recorded");
    let stop = Stop::new();
    // Nothing is written beside somebody else's log.
    let scratch = scratch.map_or_else(ScratchDir::new, Ok).context("there is no place for what is derived from the log")?;
    let files = DerivedFiles::new(scratch.path(), bounds.log, DERIVED_VERSION);
    let recording = Recording { as_of, ..Recording::default() };
    let context = Context::new(log, recording, admission, started, stop.shutdown()).deriving(files).leading_to(config.links);
    let context = Arc::new(context);
    announce(&listener, &options)?;
    let mut tasks = Tasks::default();
    tasks.start("reader for incidents", &Handle::current(), context.follow());
    tasks.start("server", &Handle::current(), server::serve(listener, context, options));
    Ok(Running { stop, tasks, again: Arc::default(), log: None, _thread: None, _scratch: Some(scratch) })
}
