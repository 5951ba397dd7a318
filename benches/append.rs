//! Durable commits: the log against a raw append file with `fdatasync`, the same messages, alternating.
//!
//! `cargo bench --bench append`
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::print_stdout, clippy::indexing_slicing, reason = "a bench")]

mod support;

use shipslog::event::Event;
use shipslog::log::{EmbeddedLog, EventLog};
use std::fs::File;
use std::io::Write;
use std::time::{Duration, Instant};
use support::{RUNS, median, messages, ms, quantile, records};

const RUN: Duration = Duration::from_millis(1500);

/// Commits batches for [`RUN`]; events/s and the median commit.
fn measure(batches: &[&[Event]], mut commit: impl FnMut(&[Event])) -> (f64, Duration) {
    let (began, mut times, mut events) = (Instant::now(), Vec::new(), 0);
    for batch in batches.iter().cycle() {
        let start = Instant::now();
        commit(batch);
        times.push(start.elapsed());
        events += batch.len();
        if began.elapsed() > RUN {
            break;
        }
    }
    #[expect(clippy::cast_precision_loss, reason = "a rate")]
    let rate = events as f64 / began.elapsed().as_secs_f64();
    (rate, quantile(&mut times, 0.5))
}

fn main() {
    let events = messages(20_480);
    let bytes: usize = events.iter().map(|e| e.as_json().len()).sum();
    println!("{} synthetic messages, {} B on average; medians of {RUNS} alternating runs of {RUN:?}", events.len(), bytes / events.len());
    println!("events a commit | raw file: events/s, p50 ms | log: events/s, p50 ms | log / raw");
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    for size in [1, 16, 64, 256] {
        let batches: Vec<&[Event]> = events.chunks(size).collect();
        let (mut raw, mut log, mut ratios) = ((Vec::new(), Vec::new()), (Vec::new(), Vec::new()), Vec::new());
        for _ in 0..RUNS {
            let dir = tempfile::TempDir::new_in("target").unwrap();
            let mut file = File::create(dir.path().join("raw")).unwrap();
            let (raw_rate, raw_p50) = measure(&batches, |batch| {
                let mut buffer = Vec::new();
                for event in batch {
                    buffer.extend_from_slice(event.as_json().as_bytes());
                    buffer.push(b'\n');
                }
                file.write_all(&buffer).unwrap();
                file.sync_data().unwrap();
            });
            let (opened, _) = EmbeddedLog::open(dir.path()).unwrap();
            let (log_rate, log_p50) = measure(&batches, |batch| {
                runtime.block_on(opened.append(records(batch))).unwrap();
            });
            runtime.block_on(opened.close()).unwrap();
            raw.0.push(raw_rate);
            raw.1.push(ms(raw_p50));
            log.0.push(log_rate);
            log.1.push(ms(log_p50));
            ratios.push(log_rate / raw_rate);
        }
        println!(
            "{size:>15} | {:>9.0}, {:>6.2} | {:>9.0}, {:>6.2} | {:.2}",
            median(raw.0),
            median(raw.1),
            median(log.0),
            median(log.1),
            median(ratios)
        );
    }
}
