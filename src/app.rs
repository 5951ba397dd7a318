//! Wiring: of which parts each kind of program consists (a recorder, a server of a log that is only read, a
//! server of a fleet), from its start to an orderly stop. It only puts parts together: no record is made here
//! and no request answered, and settings come checked from `config`.

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
use crate::log::{EmbeddedLog, LogError};
use crate::server::Listener;
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
/// Wait before a log is opened anew; doubled where it was open for less than [`SHORT`],
const AGAIN: Duration = Duration::from_millis(200);
/// up to this.
const MAX_AGAIN: Duration = Duration::from_secs(10);
/// Nothing that a fleet does has a log opened anew so soon after the last time.
const SHORT: Duration = Duration::from_secs(60);

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
    let (mut again, mut wait) = (false, Duration::ZERO);
    loop {
        let opened = Instant::now();
        if run_once(config.clone(), following.clone(), listener.clone(), again, stop.as_mut()).await? == Ended::ForGood {
            return Ok(());
        }
        if following.is_none() {
            fork(&config).await?;
        }
        tracing::info!("the log is opened anew");
        again = true;
        wait = wait_before(wait, opened.elapsed());
        tokio::select! {
            () = tokio::time::sleep(wait) => {}
            () = &mut stop => return Ok(()),
        }
    }
}

/// The wait before a log is opened anew that was open for some time: `before` is the last one.
fn wait_before(before: Duration, open: Duration) -> Duration {
    if open < SHORT { (2 * before).clamp(AGAIN, MAX_AGAIN) } else { AGAIN }
}

/// Whether a program that has ended is to begin again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Ended {
    ForGood,
    ToBeginAgain,
}

/// Has the log of a recorder, which is closed, go on under another id when it is opened.
async fn fork(config: &ServeConfig) -> anyhow::Result<()> {
    match EmbeddedLog::fork_next(&config.data_dir).await {
        // Nor could it be opened then.
        Err(e @ LogError::InUse(_)) => Err(e.into()),
        Err(e) => {
            tracing::error!(error = %e, "the log cannot be given an id of its own; recording goes on, and nothing is forwarded");
            Ok(())
        }
        Ok(()) => Ok(()),
    }
}

async fn run_once(
    config: ServeConfig,
    following: Option<Following>,
    listener: Listener,
    again: bool,
    mut stop: Pin<&mut impl Future<Output = ()>>,
) -> anyhow::Result<Ended> {
    let cancelled = Arc::new(AtomicBool::new(false));
    let mut starting = Box::pin(start(config, following, listener, again, Arc::clone(&cancelled)));
    let mut running = tokio::select! {
        running = &mut starting => running?,
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

/// Everything up to the first request. `again`: the program has begun before.
async fn start(
    config: ServeConfig,
    following: Option<Following>,
    listener: Listener,
    again: bool,
    cancelled: Arc<AtomicBool>,
) -> anyhow::Result<Running> {
    if let Some(following) = following {
        return follow(Following { announced: again, ..following }, config, listener).await;
    }
    match config.read_only.clone() {
        Some(path) => read_only(&path, config, listener, cancelled).await,
        None => record(config, listener, again).await,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_log_that_is_opened_anew_again_and_again_waits_longer() {
        let mut wait = wait_before(Duration::ZERO, Duration::ZERO);
        assert_eq!(wait, AGAIN);
        for _ in 0..20 {
            let next = wait_before(wait, Duration::from_secs(1));
            assert!(next > wait || next == MAX_AGAIN);
            wait = next;
        }
        assert_eq!((wait, wait_before(wait, SHORT)), (MAX_AGAIN, AGAIN));
    }
}
