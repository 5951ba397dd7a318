//! Wiring: of which parts each kind of program consists (a recorder, a server of a log that is only read, a
//! server of a fleet), from its start to an orderly stop. It only puts parts together: no record is made here
//! and no request answered, and settings come checked from `config`.

mod again;
mod archiving;
mod following;
mod foreign;
mod forwarding;
mod read_only;
mod record;
mod running;
mod serving;
mod signals;
mod thread;

use crate::config::ServeConfig;
use crate::server::Listener;
use again::Kept;
use anyhow::Context as _;
pub use archiving::Archiving;
pub use following::Following;
use following::follow;
use read_only::read_only;
use record::record;
use running::Running;
use serving::affordable_connections;
use signals::stop_signal;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::{Duration, Instant};

/// How long a start may still take to come to its end when the signal to stop comes in the middle of it.
const START_TIMEOUT: Duration = Duration::from_secs(2);
/// Runs the recorder until SIGTERM, SIGINT or SIGHUP.
///
/// # Errors
/// When the configuration, the data directory or the address cannot be used; the message says what to do.
pub async fn serve(config: ServeConfig) -> anyhow::Result<()> {
    serve_as(config, None).await
}

/// Runs a server of a fleet until SIGTERM, SIGINT or SIGHUP.
///
/// # Errors
/// As [`serve`], and when the hub refuses what a server needs.
pub async fn serve_fleet(config: ServeConfig, following: Following) -> anyhow::Result<()> {
    serve_as(config, Some(following)).await
}

async fn serve_as(mut config: ServeConfig, following: Option<Following>) -> anyhow::Result<()> {
    // First: from here on a signal is an orderly stop.
    let stop = stop_signal()?;
    config.max_connections = affordable_connections(config.max_connections);
    let listener = Listener::bind(&config.listen).with_context(|| {
        format!("cannot listen on {}; is another shipslog running? choose another address with --listen", config.listen)
    })?;
    run_as(config, following, listener, stop).await
}

/// Runs the recorder on a listener, until `stop` comes.
///
/// # Errors
/// As [`serve`].
pub async fn run(config: ServeConfig, listener: Listener, stop: impl Future<Output = ()>) -> anyhow::Result<()> {
    run_as(config, None, listener, stop).await
}

async fn run_as(
    config: ServeConfig,
    following: Option<Following>,
    listener: Listener,
    stop: impl Future<Output = ()>,
) -> anyhow::Result<()> {
    tokio::pin!(stop);
    // A log that goes on under another id is closed, put in order and opened anew: that of a server, since
    // its fleet's does, that of a recorder, since another one forwards a copy of it. Whoever connects
    // meanwhile waits.
    let (mut kept, records) = (Kept::default(), following.is_none());
    loop {
        let opened = Instant::now();
        let forks = match run_once(config.clone(), following.clone(), listener.clone(), &mut kept, stop.as_mut()).await? {
            Ended::ForGood => return Ok(()),
            Ended::ToBeginAgain => records,
            // What has recorded goes on with it as soon as it can.
            Ended::NotBegun(e) if records && kept.begun => {
                tracing::error!(error = format!("{e:#}"), "the log cannot be opened anew, and nothing is recorded; it is tried again");
                false
            }
            Ended::NotBegun(e) => return Err(e),
        };
        if !kept.begin_again(forks.then_some(&config.data_dir), opened.elapsed(), stop.as_mut()).await {
            return Ok(());
        }
        tracing::info!("the log is opened anew");
    }
}

/// Whether a program that has ended is to begin again.
#[derive(Debug)]
enum Ended {
    ForGood,
    ToBeginAgain,
    /// It could not begin.
    NotBegun(anyhow::Error),
}

async fn run_once(
    config: ServeConfig,
    following: Option<Following>,
    listener: Listener,
    kept: &mut Kept,
    mut stop: Pin<&mut impl Future<Output = ()>>,
) -> anyhow::Result<Ended> {
    let cancelled = Arc::new(AtomicBool::new(false));
    let mut starting = Box::pin(start(config, following, listener, kept, Arc::clone(&cancelled)));
    let mut running = tokio::select! {
        running = &mut starting => match running {
            Ok(running) => running,
            Err(e) => return Ok(Ended::NotBegun(e)),
        },
        () = &mut stop => {
            let began = Instant::now();
            cancelled.store(true, Relaxed);
            match tokio::time::timeout(START_TIMEOUT, starting).await {
                Ok(Ok(running)) => running.end(began).await?,
                Ok(Err(e)) => tracing::info!(error = format!("{e:#}"), "stopped while starting"),
                Err(_) => tracing::warn!("stopped while starting; what was begun is given up"),
            }
            return Ok(Ended::ForGood);
        }
    };
    let failed = tokio::select! {
        () = stop => None,
        name = running.tasks.ended() => name,
    };
    let again = running.again.load(Relaxed);
    let ended = running.end(Instant::now()).await;
    match failed {
        Some(_) if again => {
            // What was not closed in order is recovered when it is opened anew.
            if let Err(e) = ended {
                tracing::warn!(error = format!("{e:#}"), "the log was not closed in order");
            }
            Ok(Ended::ToBeginAgain)
        }
        Some(name) => Err(anyhow::anyhow!("the {name} has ended unexpectedly; what it said before is on stderr")),
        None => ended.map(|()| Ended::ForGood),
    }
}

/// Everything up to the first request.
async fn start(
    config: ServeConfig,
    following: Option<Following>,
    listener: Listener,
    kept: &mut Kept,
    cancelled: Arc<AtomicBool>,
) -> anyhow::Result<Running> {
    if let Some(following) = following {
        return follow(following, config, listener, kept).await;
    }
    match config.read_only.clone() {
        Some(path) => read_only(&path, config, listener, cancelled).await,
        None => record(config, listener, kept).await,
    }
}
