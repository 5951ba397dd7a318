//! Wiring: sources → queue → recorder → log → server, and an orderly stop.

use crate::config::ServeConfig;
use crate::export;
use crate::ingest::demo::{DemoOptions, DemoSource};
use crate::ingest::docker::DockerSource;
use crate::ingest::endpoint::DockerHost;
use crate::ingest::{self, Source, StatusHandle};
use crate::log::{EmbeddedLog, EventLog};
use crate::recorder::{Recorder, RecorderStats};
use crate::redact::Redactor;
use crate::retention;
use crate::server::{self, Access, Context, Listener, Tls};
use anyhow::Context as _;
use std::collections::HashMap;
use std::future::Future;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::runtime::Handle;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;
use tokio::task::JoinHandle;

/// Inputs that may wait between the sockets and the writer: minutes of a busy host.
const QUEUE_INPUTS: usize = 65_536;
/// Bytes that they may hold.
const QUEUE_BYTES: usize = 64 * 1024 * 1024;
/// Open files besides the connections: the log (one a segment), Docker, the runtime.
const SPARE_FILES: u64 = 1024;
/// How long the recorder may take to store what has queued when the program stops.
const STOP_TIMEOUT: Duration = Duration::from_secs(4);

/// Runs the recorder until SIGTERM or SIGINT.
///
/// # Errors
/// When the configuration, the data directory or the address cannot be used; the message says what to do.
pub async fn serve(mut config: ServeConfig) -> anyhow::Result<()> {
    config.max_connections = affordable_connections(config.max_connections);
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let listener = Listener::bind(&config.listen).with_context(|| {
        format!("cannot listen on {}; is another shipslog running? choose another address with --listen", config.listen)
    })?;
    let stop = async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
        tracing::info!("stopping");
    };
    run(config, listener, stop).await
}

/// Runs the recorder on a listener, until `stop` comes.
///
/// # Errors
/// As [`serve`].
pub async fn run(config: ServeConfig, listener: Listener, stop: impl Future<Output = ()>) -> anyhow::Result<()> {
    if let Some(path) = config.read_only.clone() {
        return read_only(&path, config, listener, stop).await;
    }
    let started = Instant::now();
    // Bad hosts, certificates and tokens are refused before anything is touched.
    sources(&config, false)?;
    let doors = Doors::load(&config)?;
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

    let (stop_sender, shutdown) = watch::channel(false);
    let runtime = RecordingThread::start()?;
    let (feed, inbox) = ingest::queue(QUEUE_INPUTS, QUEUE_BYTES);
    let mut statuses = Vec::new();
    for mut source in sources {
        let name = source.name();
        source.resume_after(known.get(&name).copied().flatten());
        let status = StatusHandle::new(&name, source.endpoint());
        statuses.push(status.clone());
        runtime.spawn(source.run(feed.for_source(name), status, shutdown.clone()));
    }
    // The recorder ends when the last source has let go of the queue.
    drop(feed);
    let recording = runtime.spawn(recorder.run(inbox));

    tokio::spawn(retention::run(Arc::clone(&log), config.retention, shutdown.clone()));
    let mut context = Context::new(Arc::clone(&log), shutdown);
    (context.sources, context.recorder, context.started) = (statuses, stats, started);
    announce(&listener, &doors)?;
    let serving = tokio::spawn(server::serve(listener, doors.guard(context, &config), doors.options(&config)));

    let mut recording = recording;
    let failed = tokio::select! {
        () = stop => false,
        _ = &mut recording => true,
    };
    stop_sender.send_replace(true);
    if !failed && tokio::time::timeout(STOP_TIMEOUT, recording).await.is_err() {
        tracing::error!("the recorder did not finish in time; what had queued is lost");
    }
    let _ = serving.await;
    anyhow::ensure!(!failed, "the recorder has ended unexpectedly; what it said before is on stderr");
    log.close().await.context("the log could not be marked as cleanly stopped; it is whole even so")
}

/// Sources and recorder have a thread of their own: whatever the server is busy with, Docker's socket is read at once.
struct RecordingThread(Option<tokio::runtime::Runtime>);

impl RecordingThread {
    fn start() -> std::io::Result<Self> {
        tokio::runtime::Builder::new_multi_thread().worker_threads(1).thread_name("recording").enable_all().build().map(Some).map(Self)
    }

    fn spawn<T: Send + 'static>(&self, task: impl Future<Output = T> + Send + 'static) -> JoinHandle<T> {
        // It is there until this is dropped.
        self.0.as_ref().map_or_else(Handle::current, |runtime| runtime.handle().clone()).spawn(task)
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
async fn read_only(path: &Path, config: ServeConfig, listener: Listener, stop: impl Future<Output = ()>) -> anyhow::Result<()> {
    let started = Instant::now();
    let doors = Doors::load(&config)?;
    let opening = path.to_owned();
    let (log, _made) = tokio::task::spawn_blocking(move || open_read_only(&opening)).await?.with_context(|| {
        format!("cannot serve {} read-only; it must be the --data-dir of a log, or a JSON Lines export", path.display())
    })?;
    let log: Arc<dyn EventLog> = Arc::new(log);
    let bounds = log.bounds();
    tracing::info!(store.id = %bounds.log, store.oldest = bounds.oldest, store.head = bounds.head, "the log is open for reading; nothing is recorded");
    let (stop_sender, shutdown) = watch::channel(false);
    let mut context = Context::new(log, shutdown);
    context.started = started;
    announce(&listener, &doors)?;
    let serving = tokio::spawn(server::serve(listener, doors.guard(context, &config), doors.options(&config)));
    stop.await;
    stop_sender.send_replace(true);
    let _ = serving.await;
    Ok(())
}

/// A directory as it is; an export by way of a log that goes when it is closed.
fn open_read_only(path: &Path) -> anyhow::Result<(EmbeddedLog, Option<Scratch>)> {
    if path.is_dir() {
        return Ok((EmbeddedLog::open_read_only(path)?, None));
    }
    let mut lines = export::decompress(std::fs::File::open(path)?)?;
    let scratch = Scratch(std::env::temp_dir().join(format!("shipslog-{}", uuid::Uuid::new_v4())));
    crate::log::import(&mut *lines, &scratch.0, &mut |_| {})?;
    Ok((EmbeddedLog::open_read_only(&scratch.0)?, Some(scratch)))
}

/// A directory that goes when it is dropped.
struct Scratch(PathBuf);

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// What the server lets in, from the files that say so.
struct Doors {
    tls: Option<Arc<Tls>>,
    access: Option<Arc<Access>>,
}

impl Doors {
    fn load(config: &ServeConfig) -> anyhow::Result<Self> {
        let tls = config.tls.as_ref().map(|(cert, key)| Tls::load(cert, key)).transpose().context("--tls-cert and --tls-key")?;
        let access = config.token_file.as_ref().map(|file| Access::load(file)).transpose().context("--token-file")?;
        Ok(Self { tls: tls.map(Arc::new), access: access.map(Arc::new) })
    }

    /// The server's state, with who may ask what.
    fn guard(&self, mut context: Context, config: &ServeConfig) -> Arc<Context> {
        context.allowed_hosts.clone_from(&config.allow_hosts);
        context.cors_origins.clone_from(&config.cors_origins);
        context.access.clone_from(&self.access);
        context.max_streams = config.max_connections as u64;
        Arc::new(context)
    }

    fn options(&self, config: &ServeConfig) -> server::Options {
        server::Options {
            max_connections: config.max_connections,
            max_connections_per_address: config.max_connections_per_address,
            direct_writes: config.direct_writes,
            tls: self.tls.clone(),
        }
    }
}

/// Each connection is an open file, and the log needs some to go on: the soft limit of many systems is 1,024. Where the hard one is too
/// low, connections are fewer, rather than that Docker or the log go without.
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
    Ok(hosts.into_iter().map(|host| Box::new(DockerSource::new(host)) as Box<dyn Source>).collect())
}

/// The first line on stdout (API.md 1), for people and for scripts that let the system choose the port.
fn announce(listener: &Listener, doors: &Doors) -> std::io::Result<()> {
    let scheme = if doors.tls.is_some() { "https" } else { "http" };
    let mut out = std::io::stdout().lock();
    match listener.address()? {
        server::Address::Tcp(address) => writeln!(out, "listening on {scheme}://{address}")?,
        path @ server::Address::Unix(_) => writeln!(out, "listening on {path}")?,
    }
    out.flush()
}
