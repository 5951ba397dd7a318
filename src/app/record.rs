//! A program that records: sources → queue → recorder → log → server. Whatever makes records (sources, hooks,
//! the clock of incidents) puts them into the queue; only the recorder writes them to the log.

use super::again::Kept;
use super::forwarding::forwarder;
use super::running::{Running, Tasks};
use super::serving::announce;
use super::thread::RecordingThread;
use crate::config::ServeConfig;
use crate::forward::Ended;
use crate::hooks::{AsOf, Hooks};
use crate::ingest::demo::{DemoOptions, DemoSource};
use crate::ingest::docker::DockerSource;
use crate::ingest::endpoint::DockerHost;
use crate::ingest::{self, Source, StatusHandle};
use crate::log::{DerivedFiles, EmbeddedLog, EventLog};
use crate::projection::DERIVED_VERSION;
use crate::recorder::{Recorder, RecorderStats, SELF_SOURCE, ticks};
use crate::redact::Redactor;
use crate::retention;
use crate::server::{self, Context, Listener, Recording};
use crate::shutdown::Stop;
use anyhow::Context as _;
use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::Instant;
use tokio::runtime::Handle;
use tokio::time::sleep_until;

/// Inputs that may wait between the sockets and the writer: minutes of a busy host.
const QUEUE_INPUTS: usize = 65_536;
/// Bytes that they may hold.
const QUEUE_BYTES: usize = 64 * 1024 * 1024;

/// Opens the log and records.
pub(super) async fn record(config: ServeConfig, listener: Listener, kept: &mut Kept) -> anyhow::Result<Running> {
    let started = Instant::now();
    // Bad hosts, certificates and tokens are refused before anything is touched.
    sources(&config, false)?;
    let (admission, options) = kept.admission(&config)?;
    let data_dir = config.data_dir.clone();
    let (log, recovery) = tokio::task::spawn_blocking(move || EmbeddedLog::open(&data_dir))
        .await?
        .with_context(|| format!("cannot open the log in {}", config.data_dir.display()))?;
    let log: Arc<dyn EventLog> = Arc::new(log);
    let sources = sources(&config, log.bounds().head == 0)?;
    let stats = Arc::new(RecorderStats::default());
    let recorder = Recorder::start(Arc::clone(&log), &recovery, Arc::clone(&stats))
        .await?
        .redacting(Redactor::new(config.redaction.clone()))
        .dropping_noise(config.drop_noise);
    let bounds = log.bounds();
    let known: HashMap<Arc<str>, _> = sources.iter().map(|source| (source.name(), recorder.newest(&source.name()))).collect();
    tracing::info!(store.id = %bounds.log, store.oldest = bounds.oldest, store.head = bounds.head, store.clean = recovery.clean, "the log is open");

    let stop = Stop::new();
    let shutdown = stop.shutdown();
    let (mut tasks, thread) = (Tasks::default(), RecordingThread::start()?);
    let (sender, receiver) = ingest::queue(QUEUE_INPUTS, QUEUE_BYTES);
    let mut statuses = Vec::new();
    for mut source in sources {
        let name = source.name();
        source.resume_after(known.get(&name).copied().flatten());
        let status = StatusHandle::new(&name, source.endpoint());
        statuses.push(status.clone());
        let task = source.run(sender.for_source(Arc::clone(&name)), status, shutdown.clone());
        tasks.start(format!("source {name}"), &thread.handle(), task);
    }
    let ticks = sender.for_source(SELF_SOURCE.into()).observations();
    let notes = (!config.hooks.is_empty()).then(|| sender.for_source(SELF_SOURCE.into()).observations());
    // The recorder ends when the last source has let go of the queue.
    drop(sender);
    tasks.start("recorder", &thread.handle(), recorder.run(receiver));
    let (keeping, until) = (retention::run(Arc::clone(&log), config.retention, shutdown.clone()), shutdown.clone());
    let until_stopped = shutdown.clone();
    tasks.start("retention", &Handle::current(), async move {
        keeping.await;
        // Where everything is kept it has nothing to do.
        until.stopping().await;
    });
    let forwarding = config.forwarding.as_ref().map(|settings| {
        let since = kept.since(settings.since, log.bounds().head);
        forwarder(settings, since, &log)
    });
    let forwarding = forwarding.transpose()?;
    let (forwarder, forward) = forwarding.unzip();
    let to_fork = Arc::new(AtomicBool::new(false));
    if let Some(forwarder) = forwarder {
        let (until, forks) = (shutdown.clone(), Arc::clone(&to_fork));
        // Once: two that give way to each other would do so for ever.
        let (forwarder, after) = (forwarder.forking(!kept.forked), kept.fork_after);
        // Beside the server, not beside the recorder: that has a thread of its own.
        tasks.start("forwarder", &Handle::current(), async move {
            if forwarder.run(until.clone()).await == Ended::ToFork {
                tokio::select! {
                    () = async { if let Some(after) = after { sleep_until(after).await } } => forks.store(true, Relaxed),
                    () = until.stopping() => {}
                }
            }
        });
    }
    let recording = Recording { sources: statuses, recorder: stats, as_of: None, forward, fleet: None };
    let files = DerivedFiles::new(&config.data_dir, bounds.log, DERIVED_VERSION);
    let context =
        Arc::new(Context::new(Arc::clone(&log), recording, admission, started, shutdown).deriving(files).leading_to(config.links));
    if !kept.begun {
        announce(&listener, &options)?;
    }
    tasks.start("reader for incidents", &Handle::current(), context.follow());
    let ticking = ticks::run(context.known(), Arc::clone(&log), ticks, until_stopped.clone());
    tasks.start("clock of incidents", &Handle::current(), ticking);
    if let Some(out) = notes {
        let hooks = Hooks { hooks: config.hooks, mutes: config.mutes, known: context.known(), log: Arc::clone(&log), out };
        tasks.start("hooks", &Handle::current(), hooks.run(Arc::clone(&context) as Arc<dyn AsOf>, until_stopped));
    }
    tasks.start("server", &Handle::current(), server::serve(listener, context, options));
    Ok(Running { stop, tasks, again: to_fork, log: Some(log), _thread: Some(thread), _scratch: None })
}

/// What is to be recorded. `fresh`: nothing has been recorded here before.
fn sources(config: &ServeConfig, fresh: bool) -> anyhow::Result<Vec<Box<dyn Source>>> {
    if config.demo {
        let defaults = DemoOptions::default();
        let history = if fresh { defaults.history } else { 0 };
        return Ok(vec![Box::new(DemoSource::new(DemoOptions { history, ..defaults }))]);
    }
    let hosts = DockerHost::resolve(&config.docker_hosts, &|name| std::env::var_os(name))?;
    Ok(hosts.into_iter().map(|host| Box::new(DockerSource::new(host).with_last_words(config.last_words)) as Box<dyn Source>).collect())
}
