//! When new records are read at once, and when they may gather first. Each piece costs the same however few
//! records are in it, so while many come and nobody asks, the processor is left to recording.

use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use tokio::sync::Notify;
use tokio::time::Duration;

/// How long records gather at most that nobody waits for. What a busy log keeps in memory must hold them.
pub(super) const GATHER: Duration = Duration::from_millis(50);

/// Those who wait until the newest records are read.
#[derive(Debug, Default)]
pub(super) struct Waiting {
    count: AtomicUsize,
    came: Notify,
}

/// One of them, until it is dropped.
#[derive(Debug)]
pub(super) struct Waits<'a>(&'a Waiting);

impl Waiting {
    pub(super) fn one(&self) -> Waits<'_> {
        self.count.fetch_add(1, Relaxed);
        self.came.notify_one();
        Waits(self)
    }

    pub(super) fn is_anybody(&self) -> bool {
        self.count.load(Relaxed) > 0
    }

    /// Ends a rest.
    pub(super) fn wake(&self) {
        self.came.notify_one();
    }

    /// Until somebody comes.
    pub(super) async fn came(&self) {
        self.came.notified().await;
    }
}

impl Drop for Waits<'_> {
    fn drop(&mut self) {
        self.0.count.fetch_sub(1, Relaxed);
    }
}
