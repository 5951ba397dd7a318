//! The clock of incidents. Time alone changes some of them: when nothing came that was waited for. Only then
//! a `tick` record is appended, so that what is told of incidents follows from the records alone, also after
//! a kill. Whether one is due, the fold says.

use super::SELF_SOURCE;
use crate::event::{Event, TICK};
use crate::ingest::Observations;
use crate::log::{EventLog, WriterState};
use crate::projection::Known;
use crate::shutdown::Shutdown;
use crate::time::received_now;
use std::sync::Arc;
use std::time::Duration;

/// The least time between two of these records, and between two looks whether one is due.
const PACE: Duration = Duration::from_millis(250);
/// The longest sleep where nothing is due: the fold may also be made again, without a new record.
const LONGEST: Duration = Duration::from_secs(60);
/// How long is waited for a record that was queued.
const STORED: Duration = Duration::from_secs(10);

/// Appends a record whenever time alone has changed an incident, until `shutdown` says so.
pub async fn run(known: Arc<Known>, log: Arc<dyn EventLog>, out: Observations, shutdown: Shutdown) {
    tokio::select! {
        biased;
        () = shutdown.stopping() => {}
        () = tick(&known, &log, &out) => {}
    }
}

async fn tick(known: &Known, log: &Arc<dyn EventLog>, out: &Observations) {
    loop {
        let (mut seen, now) = (known.newest(), received_now());
        let (mut changes, mut next) = known.due(now);
        if changes && seen.seq < log.bounds().head {
            // It may still gather.
            let _ = tokio::time::timeout(PACE, known.read_up_to(log.bounds().head)).await;
            seen = known.newest();
            (changes, next) = known.due(now);
        }
        // What is not read yet may say otherwise, and a log that takes no records would only queue these.
        let is_current = seen.seq >= log.bounds().head && *log.watch_writer().borrow() == WriterState::Ok;
        if changes && is_current {
            out.send(Event::recorder(TICK, SELF_SOURCE, &[], now), now).await;
            let _ = tokio::time::timeout(STORED, known.more_than(seen, None)).await;
            tokio::time::sleep(PACE).await;
            continue;
        }
        let wait = next.map_or(LONGEST, |next| next.since(now)).min(LONGEST);
        // One that is due and waits for the reader or the log is looked at again.
        let wait = if changes { PACE } else { wait };
        tokio::select! {
            () = tokio::time::sleep(wait) => {}
            () = known.more_than(seen, None) => tokio::time::sleep(PACE).await,
        }
    }
}
