//! A log with a fleet's records in it.

use crate::fleet::Fleet;
use shipslog::log::{EmbeddedLog, EventLog};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

const BATCH: u64 = 256;

/// Stores so many records and waits until all but the newest are sealed.
pub(crate) async fn filled(dir: &Path, count: u64, fleet: &mut Fleet) -> Arc<dyn EventLog> {
    let (log, _) = EmbeddedLog::open(dir).unwrap();
    for batch in batches(count, BATCH) {
        log.append(fleet.batch(batch)).await.unwrap();
    }
    let tips = || {
        let entries = std::fs::read_dir(dir.join("log")).unwrap().map(|entry| entry.unwrap().file_name());
        entries.filter(|name| name.to_string_lossy().starts_with("tip-")).count()
    };
    while tips() > 1 {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    Arc::new(log)
}

/// `count` in pieces of at most `size`.
pub(crate) fn batches(count: u64, size: u64) -> impl Iterator<Item = usize> {
    (0..count.div_ceil(size)).map(move |n| usize::try_from(size.min(count - n * size)).unwrap())
}
