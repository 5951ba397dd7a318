//! The recorder's counters.

use crate::event::Event;
use crate::ingest::{QueueGauge, QueueStats};
use parking_lot::Mutex;
use std::collections::BTreeMap;
use std::sync::OnceLock;
use std::sync::atomic::AtomicU64;

/// Pairs of type and action counted apart; whatever comes after them is counted together, since Docker's
/// actions hold command lines and newer daemons may have any number of them.
const MAX_ACTIONS: usize = 200;

/// Counts since start.
#[derive(Debug, Default)]
pub struct RecorderStats {
    /// Events read from Docker, repeated ones included.
    pub received: AtomicU64,
    /// Records stored durably, the recorder's own included.
    pub stored: AtomicU64,
    /// Events that were stored already.
    pub duplicates: AtomicU64,
    /// Lines that were no events.
    pub malformed: AtomicU64,
    /// Values that were redacted, those of events that were stored already included.
    pub redacted: AtomicU64,
    /// Events that were noise and not stored for that.
    pub dropped_noise: AtomicU64,
    /// Records that could not be stored.
    pub lost: AtomicU64,
    /// Read when somebody asks: while the disk stands still, so does the recorder.
    queue: OnceLock<QueueGauge>,
    actions: Mutex<BTreeMap<(String, String), u64>>,
}

impl RecorderStats {
    /// Counts an event under its type and action.
    pub(super) fn count_action(&self, event: &Event) {
        let fields = event.fields();
        // `exec_create: /bin/sh -c …` counts as `exec_create`.
        let action = fields.action.split(':').next().unwrap_or("").to_owned();
        let key = (fields.kind.into_owned(), action);
        let mut actions = self.actions.lock();
        let key = if actions.len() >= MAX_ACTIONS && !actions.contains_key(&key) { ("other".to_owned(), "other".to_owned()) } else { key };
        *actions.entry(key).or_default() += 1;
    }

    pub(super) fn watch_queue(&self, queue: QueueGauge) {
        // The first one stays; a recorder has one.
        let _ = self.queue.set(queue);
    }

    fn queue(&self) -> Option<QueueStats> {
        self.queue.get().map(QueueGauge::get)
    }

    /// Inputs that wait.
    pub fn queued(&self) -> u64 {
        self.queue().map_or(0, |q| q.queued)
    }

    /// Events lost because the queue was full.
    pub fn overflowed(&self) -> u64 {
        self.queue().map_or(0, |q| q.lost)
    }

    /// Counts by type and action.
    pub fn by_action(&self) -> Vec<((String, String), u64)> {
        self.actions.lock().iter().map(|(key, count)| (key.clone(), *count)).collect()
    }
}
