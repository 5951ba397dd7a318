//! A server of a fleet: hub → follower → log → server. It records no Docker host and forwards nothing.

use super::again::Kept;
use super::archiving::{self, Archiving};
use super::running::{Running, Tasks};
use super::serving::announce;
use crate::config::ServeConfig;
use crate::follow::{Follower, Settings};
use crate::log::{DerivedFiles, EventLog, FollowerLog};
use crate::projection::DERIVED_VERSION;
use crate::retention;
use crate::server::{self, Context, Fleet, Listener, Recording};
use crate::shutdown::Stop;
use crate::stream::StreamError;
use crate::stream::nats::{NatsSettings, NatsStream, Shape};
use anyhow::Context as _;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::{Duration, Instant};
use tokio::runtime::Handle;
use tokio::time::timeout;

/// How long the start waits for the hub to say whether it holds what a fleet is promised. One that is dead
/// must not keep history from being served.
const LOOK: Duration = Duration::from_secs(5);

/// Which fleet is followed, and where its hub is.
#[derive(Debug, Clone)]
pub struct Following {
    /// The hub, and as whom it is asked.
    pub hub: NatsSettings,
    /// Whose fleet it is.
    pub tenant: String,
    /// A host that has sent nothing for so long is silent.
    pub silent_after: Duration,
    /// Where sealed segments go, and where a server without a log takes them from.
    pub archive: Option<Archiving>,
}

/// Follows the hub and serves what it has.
pub(super) async fn follow(following: Following, config: ServeConfig, listener: Listener, kept: &mut Kept) -> anyhow::Result<Running> {
    let started = Instant::now();
    let Following { hub, tenant, silent_after, archive } = following;
    let archive = archive.map(|archiving| archiving.archive()).transpose()?;
    let (admission, options) = kept.admission(&config)?;
    let servers = hub.urls.join(", ");
    let hub = NatsStream::to(hub).context("--nats")?;
    let faults = looked_at(&hub, &tenant).await.with_context(|| format!("the hub at {servers}"))?;
    let stop = Stop::new();
    let shutdown = stop.shutdown();
    let hub = Arc::new(hub);
    if let Some(archive) = &archive {
        Box::pin(archiving::begin(archive, &*hub, &tenant, &config.data_dir, config.retention, &shutdown)).await?;
    }
    let settings = Settings { again: kept.begun, ..Settings::of(&tenant) };
    let follower = Follower::open(Arc::clone(&hub) as _, &config.data_dir, &settings, &shutdown)
        .await
        .with_context(|| format!("cannot follow the hub at {servers} into {}", config.data_dir.display()))?
        .context("stopped while the hub was waited for")?;
    let clean = follower.recovery().clean;
    let embedded = follower.log();
    let log: Arc<dyn EventLog> = embedded.clone();
    let bounds = log.bounds();
    tracing::info!(store.id = %bounds.log, store.oldest = bounds.oldest, store.head = bounds.head, store.clean = clean, "the fleet's log is open");
    tell_aside(&config.data_dir).await?;
    let (followed, told) = (follower.handle(), follower.told().map(str::to_owned));
    let (mut tasks, again) = (Tasks::default(), Arc::new(AtomicBool::new(false)));
    let (until, begins_again) = (shutdown.clone(), Arc::clone(&again));
    tasks.start("follower", &Handle::current(), async move {
        let done = follower.run(&until).await;
        if done.is_err_and(|e| e.is_anew()) {
            begins_again.store(true, Relaxed);
            return;
        }
        // It has told why it stops; what it has is served on.
        until.stopping().await;
    });
    let archived = match archive {
        Some(archive) => Some(archiving::start(&mut tasks, archive, embedded, config.retention, &shutdown)),
        None => {
            let (keeping, until) = (retention::run(Arc::clone(&log), config.retention, shutdown.clone()), shutdown.clone());
            tasks.start("retention", &Handle::current(), async move {
                keeping.await;
                until.stopping().await;
            });
            None
        }
    };
    let fleet = Fleet::new(followed, hub, silent_after, faults).archived(archived).telling(told.as_deref());
    let recording = Recording { fleet: Some(fleet), ..Recording::default() };
    let files = DerivedFiles::new(&config.data_dir, bounds.log, DERIVED_VERSION);
    let context = Context::new(Arc::clone(&log), recording, admission, started, shutdown).deriving(files).leading_to(config.links);
    let context = Arc::new(context);
    if !kept.begun {
        announce(&listener, &options)?;
    }
    tasks.start("reader for incidents", &Handle::current(), context.follow());
    tasks.start("server", &Handle::current(), server::serve(listener, context, options));
    Ok(Running { stop, tasks, again, log: Some(log), _thread: None, _scratch: None })
}

/// Says what was set aside takes: no retention removes it.
async fn tell_aside(data_dir: &Path) -> anyhow::Result<()> {
    let dir = data_dir.to_owned();
    let bytes = tokio::task::spawn_blocking(move || FollowerLog::aside_bytes(&dir)).await?;
    if bytes > 0 {
        let place = data_dir.join("log.before-*");
        tracing::warn!(
            "what was set aside in {} takes {bytes} bytes beside the log, which --retain-bytes does not count: remove it when nobody needs it",
            place.display()
        );
    }
    Ok(())
}

/// What the hub does not keep of what a fleet is promised, as far as it answers.
async fn looked_at(hub: &NatsStream, tenant: &str) -> Result<Vec<String>, StreamError> {
    let shape = Shape { tenant: tenant.to_owned(), replicas: 0, max_age: Duration::ZERO, max_bytes: None };
    let look = async {
        hub.check(&shape).await?;
        hub.faults(&shape).await
    };
    match timeout(LOOK, look).await {
        Ok(Err(StreamError::Unavailable(why) | StreamError::Unanswered(why))) => {
            tracing::warn!("the hub does not answer, what is here is served: {why}");
            Ok(Vec::new())
        }
        Ok(answer) => answer,
        Err(_) => {
            tracing::warn!("the hub does not answer within {} s, what is here is served", LOOK.as_secs());
            Ok(Vec::new())
        }
    }
}
