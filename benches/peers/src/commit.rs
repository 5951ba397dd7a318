//! Durable commits, by store.

use crate::peers::{Commit, OURS, STORES, Store};
use crate::scratch;
use crate::support::{RUNS, cpu, median, messages, ms, quantile, records};
use shipslog::event::Event;
use std::thread::sleep;
use std::time::{Duration, Instant};

/// Time spent in commits, each run.
const RUN: Duration = Duration::from_millis(1500);
/// A pause in which the process uses less than a hundredth of it is quiet.
const PAUSE: Duration = Duration::from_millis(200);

pub(crate) fn run() {
    let events = messages(20_480);
    let bytes: usize = events.iter().map(|e| e.as_json().len()).sum();
    println!("durable commits: {} messages of {} B on average; medians of {RUNS} alternating runs", events.len(), bytes / events.len());
    let wanted: Vec<String> = std::env::args().skip(2).collect();
    let stores: Vec<_> =
        STORES.iter().filter(|(name, _)| *name == OURS || wanted.is_empty() || wanted.iter().any(|w| name.contains(w.as_str()))).collect();
    for size in [64, 1] {
        table(&stores, &events, size);
    }
}

fn table(stores: &[&Store], events: &[Event], size: usize) {
    let mut results: Vec<_> = stores.iter().map(|_| (Vec::new(), Vec::new())).collect();
    for _ in 0..RUNS {
        for ((_, open), (rates, p50s)) in stores.iter().zip(&mut results) {
            let dir = scratch();
            let (rate, p50) = measure(events, size, open(dir.path()));
            rates.push(rate);
            p50s.push(ms(p50));
            settle();
        }
    }
    let medians: Vec<_> = results.into_iter().map(|(rates, p50s)| (median(rates), median(p50s))).collect();
    let ours = stores.iter().zip(&medians).find(|((name, _), _)| *name == OURS).map_or(f64::NAN, |(_, (rate, _))| *rate);
    println!("\n{:>20} | events/s | p50 ms | shipslog / it", format!("{size} a commit"));
    for ((name, _), (rate, p50)) in stores.iter().zip(medians) {
        println!("{name:>20} | {rate:>8.0} | {p50:>6.3} | {:.2}", ours / rate);
    }
}

/// Commits batches until that has taken [`RUN`]; events/s and the median commit.
fn measure(events: &[Event], size: usize, mut commit: Commit) -> (f64, Duration) {
    let (mut times, mut sum) = (Vec::new(), Duration::ZERO);
    for batch in events.chunks(size).cycle() {
        if sum > RUN {
            break;
        }
        let records = records(batch);
        let began = Instant::now();
        commit(records);
        let time = began.elapsed();
        times.push(time);
        sum += time;
    }
    ((times.len() * size) as f64 / sum.as_secs_f64(), quantile(&mut times, 0.5))
}

/// Waits until nothing goes on in the background any more (sealing, compaction), which the next store would
/// have to bear.
fn settle() {
    loop {
        let before = cpu();
        sleep(PAUSE);
        if cpu().abs_diff(before) < PAUSE / 100 {
            break;
        }
    }
}
