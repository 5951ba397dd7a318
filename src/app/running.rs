//! What runs, and its end: tasks that are to last as long as the program, and an orderly stop in time. What a
//! task does is not known here.

use super::thread::RecordingThread;
use crate::log::{EventLog, ScratchDir};
use crate::shutdown::Stop;
use anyhow::Context as _;
use futures_util::FutureExt as _;
use std::future::Future;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::{Duration, Instant};
use tokio::runtime::Handle;
use tokio::task::JoinSet;

/// At least this is left for closing the log.
const CLOSE_TIMEOUT: Duration = Duration::from_millis(200);
/// From the signal to the end of the program (docs/api.md, "Command line"), less what the runtime takes to
/// end.
const STOP_TIMEOUT: Duration = Duration::from_millis(4300);

/// A program that records and serves, or only serves.
pub(super) struct Running {
    pub(super) stop: Stop,
    pub(super) tasks: Tasks,
    /// A task has ended so that the program begins again.
    pub(super) again: Arc<AtomicBool>,
    /// Of a log that is written to.
    pub(super) log: Option<Arc<dyn EventLog>>,
    pub(super) _thread: Option<RecordingThread>,
    pub(super) _scratch: Option<ScratchDir>,
}

impl Running {
    /// Stops everything, in time.
    pub(super) async fn end(mut self, began: Instant) -> anyhow::Result<()> {
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
pub(super) struct Tasks {
    set: JoinSet<String>,
    /// Those that have not ended.
    names: Vec<String>,
}

impl Tasks {
    /// Starts one on a runtime. Its panic is an end like any other.
    pub(super) fn start<T>(&mut self, name: impl Into<String>, runtime: &Handle, task: impl Future<Output = T> + Send + 'static) {
        let name = name.into();
        self.names.push(name.clone());
        let task = async move {
            let _ = AssertUnwindSafe(task).catch_unwind().await;
            name
        };
        self.set.spawn_on(task, runtime);
    }

    /// The next one that ends; `None` when none is left.
    pub(super) async fn ended(&mut self) -> Option<String> {
        let name = self.set.join_next().await?.unwrap_or_default();
        self.names.retain(|other| *other != name);
        Some(name)
    }
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
