//! Wiring: sources → queue → recorder → log → server, and an orderly stop.

mod foreign;

use crate::config::ServeConfig;
use crate::hooks::{AsOf, Hooks};
use crate::ingest::demo::{DemoOptions, DemoSource};
use crate::ingest::docker::DockerSource;
use crate::ingest::endpoint::DockerHost;
use crate::ingest::{self, Source, StatusHandle};
use crate::log::{DerivedFiles, EmbeddedLog, EventLog, ScratchDir};
use crate::projection::DERIVED_VERSION;
use crate::recorder::{Recorder, RecorderStats, SELF_SOURCE};
use crate::redact::Redactor;
use crate::retention;
use crate::server::{self, Access, Admission, Context, Listener, Recording, Tls};
use crate::shutdown::Stop;
use anyhow::Context as _;
use foreign::Foreign;
use futures_util::FutureExt as _;
use std::collections::HashMap;
use std::future::Future;
use std::panic::AssertUnwindSafe;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::{Duration, Instant};
use tokio::runtime::Handle;
use tokio::signal::unix::{SignalKind, signal};
use tokio::task::JoinSet;

/// Inputs that may wait between the sockets and the writer: minutes of a busy host.
const QUEUE_INPUTS: usize = 65_536;
/// Bytes that they may hold.
const QUEUE_BYTES: usize = 64 * 1024 * 1024;
/// Open files besides the connections: the log (one a segment), Docker, the runtime.
const SPARE_FILES: u64 = 1024;
/// At least this is left for closing the log.
const CLOSE_TIMEOUT: Duration = Duration::from_millis(200);
/// From the signal to the end of the program (docs/api.md, "Command line"), less what the runtime takes to
/// end.
const STOP_TIMEOUT: Duration = Duration::from_millis(4300);
/// Of that, what a start that has been overtaken by the signal may take to come to its end.
const START_TIMEOUT: Duration = Duration::from_secs(2);

/// Runs the recorder until SIGTERM, SIGINT or SIGHUP.
///
/// # Errors
/// When the configuration, the data directory or the address cannot be used; the message says what to do.
pub async fn serve(mut config: ServeConfig) -> anyhow::Result<()> {
    // First: from here on a signal is an orderly stop.
    let stop = stop_signal()?;
    config.max_connections = affordable_connections(config.max_connections);
    let listener = Listener::bind(&config.listen).with_context(|| {
        format!("cannot listen on {}; is another shipslog running? choose another address with --listen", config.listen)
    })?;
    run(config, listener, stop).await
}

/// Returns when the program is to stop.
fn stop_signal() -> std::io::Result<impl Future<Output = ()>> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    // A terminal that closes ends the program, but not one that was started with nohup. Tokens and
    // certificates are read again by themselves.
    let mut hangup = if ignores_hangup() { None } else { Some(signal(SignalKind::hangup())?) };
    Ok(async move {
        let hung_up = async {
            match &mut hangup {
                Some(hangup) => hangup.recv().await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
            _ = hung_up => {}
        }
        tracing::info!("stopping");
    })
}

/// Whether the program was started so that it ignores SIGHUP (bit 0 of the mask, proc(5)).
fn ignores_hangup() -> bool {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:")).and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok());
    mask.is_some_and(|mask| mask & 1 != 0)
}

/// Runs the recorder on a listener, until `stop` comes.
///
/// # Errors
/// As [`serve`].
pub async fn run(config: ServeConfig, listener: Listener, stop: impl Future<Output = ()>) -> anyhow::Result<()> {
    let cancelled = Arc::new(AtomicBool::new(false));
    let starting = start(config, listener, Arc::clone(&cancelled));
    tokio::pin!(starting, stop);
    let mut running = tokio::select! {
        running = &mut starting => running?,
        () = &mut stop => {
            let began = Instant::now();
            cancelled.store(true, Relaxed);
            return match tokio::time::timeout(START_TIMEOUT, starting).await {
                Ok(Ok(running)) => running.end(began).await,
                Ok(Err(e)) => {
                    tracing::info!(error = format!("{e:#}"), "stopped while starting");
                    Ok(())
                }
                Err(_) => {
                    tracing::warn!("stopped while starting; what was begun is given up");
                    Ok(())
                }
            };
        }
    };
    let failed = tokio::select! {
        () = stop => None,
        name = running.tasks.ended() => name,
    };
    let ended = running.end(Instant::now()).await;
    match failed {
        Some(name) => Err(anyhow::anyhow!("the {name} has ended unexpectedly; what it said before is on stderr")),
        None => ended,
    }
}

/// Everything up to the first request.
async fn start(config: ServeConfig, listener: Listener, cancelled: Arc<AtomicBool>) -> anyhow::Result<Running> {
    match config.read_only.clone() {
        Some(path) => read_only(&path, config, listener, cancelled).await,
        None => record(config, listener).await,
    }
}

/// A program that records and serves, or only serves.
struct Running {
    stop: Stop,
    tasks: Tasks,
    /// Of a log that is written to.
    log: Option<Arc<dyn EventLog>>,
    _thread: Option<RecordingThread>,
    _scratch: Option<ScratchDir>,
}

impl Running {
    /// Stops everything, in time.
    async fn end(mut self, began: Instant) -> anyhow::Result<()> {
        let deadline = tokio::time::Instant::from_std(began + STOP_TIMEOUT);
        self.stop.stop();
        let ended = async { while self.tasks.ended().await.is_some() {} };
        if tokio::time::timeout_at(deadline, ended).await.is_err() {
            let late = self.tasks.names.join(", ");
            tracing::error!(app.late = late, "not everything finished in time; what had queued for the recorder is lost");
        }
        let Some(log) = &self.log else { return Ok(()) };
        let closed = tokio::time::timeout_at(deadline.max(tokio::time::Instant::now() + CLOSE_TIMEOUT), log.close()).await;
        closed
            .context("the log was not closed in time; it is whole even so")?
            .context("the log could not be marked as cleanly stopped; it is whole even so")
    }
}

/// Tasks without which the program is not what it says it is: none ends before the program does.
#[derive(Default)]
struct Tasks {
    set: JoinSet<String>,
    /// Those that have not ended.
    names: Vec<String>,
}

impl Tasks {
    /// Starts one on a runtime. Its panic is an end like any other.
    fn start<T>(&mut self, name: impl Into<String>, runtime: &Handle, task: impl Future<Output = T> + Send + 'static) {
        let name = name.into();
        self.names.push(name.clone());
        let task = async move {
            let _ = AssertUnwindSafe(task).catch_unwind().await;
            name
        };
        self.set.spawn_on(task, runtime);
    }

    /// The next one that ends; `None` when none is left.
    async fn ended(&mut self) -> Option<String> {
        let name = self.set.join_next().await?.unwrap_or_default();
        self.names.retain(|other| *other != name);
        Some(name)
    }
}

/// Opens the log and records.
async fn record(config: ServeConfig, listener: Listener) -> anyhow::Result<Running> {
    let started = Instant::now();
    // Bad hosts, certificates and tokens are refused before anything is touched.
    sources(&config, false)?;
    let (admission, options) = admission(&config)?;
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
    let recording = Recording { sources: statuses, recorder: stats, as_of: None };
    let files = DerivedFiles::new(&config.data_dir, bounds.log, DERIVED_VERSION);
    let context = Arc::new(Context::new(Arc::clone(&log), recording, admission, started, shutdown).deriving(files));
    announce(&listener, &options)?;
    tasks.start("reader for incidents", &Handle::current(), context.follow());
    if let Some(out) = notes {
        let hooks = Hooks { hooks: config.hooks, mutes: config.mutes, known: context.known(), log: Arc::clone(&log), out };
        tasks.start("hooks", &Handle::current(), hooks.run(Arc::clone(&context) as Arc<dyn AsOf>, until_stopped));
    }
    tasks.start("server", &Handle::current(), server::serve(listener, context, options));
    Ok(Running { stop, tasks, log: Some(log), _thread: Some(thread), _scratch: None })
}

/// Sources and recorder have a thread of their own: whatever the server is busy with, Docker's socket is read
/// at once.
struct RecordingThread(Option<tokio::runtime::Runtime>);

impl RecordingThread {
    fn start() -> std::io::Result<Self> {
        tokio::runtime::Builder::new_multi_thread().worker_threads(1).thread_name("recording").enable_all().build().map(Some).map(Self)
    }

    fn handle(&self) -> Handle {
        // It is there until this is dropped.
        self.0.as_ref().map_or_else(Handle::current, |runtime| runtime.handle().clone())
    }
}

impl Drop for RecordingThread {
    fn drop(&mut self) {
        // Waiting for it is not allowed among tasks; the recorder has ended or been given up by then.
        if let Some(runtime) = self.0.take() {
            runtime.shutdown_background();
        }
    }
}

/// Serves a log or an export that is not ours, and records nothing.
async fn read_only(path: &Path, config: ServeConfig, listener: Listener, cancelled: Arc<AtomicBool>) -> anyhow::Result<Running> {
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
    let context =
        Arc::new(Context::new(log, Recording { as_of, ..Recording::default() }, admission, started, stop.shutdown()).deriving(files));
    announce(&listener, &options)?;
    let mut tasks = Tasks::default();
    tasks.start("reader for incidents", &Handle::current(), context.follow());
    tasks.start("server", &Handle::current(), server::serve(listener, context, options));
    Ok(Running { stop, tasks, log: None, _thread: None, _scratch: Some(scratch) })
}

/// Whom the server admits and how it serves them, from the configuration and the files that it names.
fn admission(config: &ServeConfig) -> anyhow::Result<(Admission, server::Options)> {
    let tls = config.tls.as_ref().map(|(cert, key)| Tls::load(cert, key)).transpose().context("--tls-cert and --tls-key")?;
    let access = config.token_file.as_ref().map(|file| Access::load(file)).transpose().context("--token-file")?;
    let admission = Admission {
        allowed_hosts: config.allow_hosts.clone(),
        cors_origins: config.cors_origins.clone(),
        trusted_proxies: config.trusted_proxies.clone(),
        access: access.map(Arc::new),
        max_streams: config.max_connections as u64,
    };
    let options = server::Options {
        max_connections: config.max_connections,
        max_connections_per_address: config.max_connections_per_address,
        direct_writes: config.direct_writes,
        tls: tls.map(Arc::new),
    };
    Ok((admission, options))
}

/// Each connection is an open file, and the log needs some, too: the soft limit of many systems is 1,024.
/// Where the hard one is too low, connections are fewer, rather than that Docker or the log go without.
fn affordable_connections(wanted: usize) -> usize {
    let needed = wanted as u64 + SPARE_FILES;
    match rlimit::increase_nofile_limit(needed) {
        Ok(limit) if limit < needed => {
            let affordable = limit - SPARE_FILES.min(limit / 2);
            tracing::warn!(
                limit.files = limit,
                limit.needed = needed,
                server.max_connections = affordable,
                "too few open files are allowed for --max-connections, so there will be fewer; raise the hard limit (systemd: LimitNOFILE=)"
            );
            usize::try_from(affordable).unwrap_or(wanted).max(1)
        }
        Ok(_) => wanted,
        Err(e) => {
            tracing::warn!(error = %e, "cannot raise the limit of open files");
            wanted
        }
    }
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

/// The first line on stdout (docs/api.md, "Command line"), for people and for scripts that let the system
/// choose the port.
fn announce(listener: &Listener, options: &server::Options) -> std::io::Result<()> {
    let scheme = if options.tls.is_some() { "https" } else { "http" };
    let line = match listener.address()? {
        server::Address::Tcp(address) => format!("listening on {scheme}://{address}"),
        path @ server::Address::Unix(_) => format!("listening on {path}"),
    };
    if !crate::console::print_line(line)? {
        tracing::warn!("nobody reads stdout, where the address is told");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_task_that_panics_or_ends_is_named() {
        let mut tasks = Tasks::default();
        tasks.start("server", &Handle::current(), async { panic!("as a test") });
        tasks.start("recorder", &Handle::current(), std::future::pending::<()>());
        assert_eq!(tasks.ended().await.as_deref(), Some("server"));
        assert_eq!(tasks.names, ["recorder"]);
    }
}
