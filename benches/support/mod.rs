//! What the benches share: events, medians, and a table that tells what machine it was measured on.
#![allow(dead_code, reason = "each bench uses another part")]

use shipslog::event::Event;
use shipslog::ingest::demo::{DemoHost, Pace};
use shipslog::log::NewRecord;
use shipslog::time::Timestamp;
use std::time::Duration;

/// As in the program.
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

/// Runs of each candidate; they alternate, so that a drift of the machine meets both.
pub(crate) const RUNS: usize = 5;

/// `count` messages of the synthetic host, as Docker writes them.
pub(crate) fn messages(count: usize) -> Vec<Event> {
    let host = DemoHost::new(7, Timestamp::now(), Pace::rate(1.0));
    host.take(count).map(|(_, line)| Event::from_line(line.as_bytes()).expect("the generator makes events")).collect()
}

/// The same as records on their way into a log.
pub(crate) fn records(events: &[Event]) -> Vec<NewRecord> {
    events.iter().map(|event| NewRecord { source: "bench".into(), received: Timestamp::now(), event: event.clone() }).collect()
}

/// The middle value.
pub(crate) fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
}

/// The value below which `share` of all lie.
pub(crate) fn quantile(values: &mut [Duration], share: f64) -> Duration {
    values.sort_unstable();
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, clippy::cast_precision_loss, reason = "an index")]
    let at = ((values.len() as f64 * share) as usize).min(values.len().saturating_sub(1));
    values.get(at).copied().unwrap_or_default()
}

/// Milliseconds, for printing.
pub(crate) fn ms(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1e3
}

/// Processor time of this process so far.
pub(crate) fn cpu() -> Duration {
    let tasks = std::fs::read_dir("/proc/self/task").into_iter().flatten().flatten();
    let threads = tasks.filter_map(|t| std::fs::read_to_string(t.path().join("schedstat")).ok());
    let nanos = threads.filter_map(|s| s.split(' ').next()?.parse::<u64>().ok()).sum();
    Duration::from_nanos(nanos)
}
