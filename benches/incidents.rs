//! How fast incidents are folded from records that are in memory, by the processor's time: other work on the
//! machine does not count. Beside it the floor: how fast their messages are taken apart, which most of it
//! needs.
//!
//! `cargo bench --bench incidents`
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::print_stdout, clippy::indexing_slicing, reason = "a bench")]

#[path = "../tests/shared/recording.rs"]
mod recording;
mod support;

use shipslog::cursor::LogId;
use shipslog::event::{Event, Record};
use shipslog::projection::incidents::{State, step, view};
use shipslog::time::Timestamp;
use std::hint::black_box;
use std::time::{Duration, Instant};
use support::{RUNS, cpu, median, messages};

/// A recording of the tests, again and again, each time a day later.
fn recorded(name: &str, at_least: usize) -> Vec<Record> {
    let (_, once) = recording::read(name);
    let day = 86_400_000_000_000;
    let mut records = Vec::new();
    for round in 0.. {
        if records.len() >= at_least {
            break;
        }
        for record in &once {
            let later = |time: Timestamp| Timestamp::from_nanos(time.nanos() + round * day);
            let (seq, time, received) = (records.len() as u64 + 1, later(record.time), later(record.received));
            records.push(Record { seq, time, received, ..record.clone() });
        }
    }
    records
}

/// What the synthetic host of the demo does.
fn demo(count: usize) -> Vec<Record> {
    let now = Timestamp::now();
    let record = |(place, event): (usize, Event)| {
        let time = event.fields().time.unwrap_or(now);
        Record { seq: place as u64 + 1, time, received: time, source: "demo".into(), event }
    };
    messages(count).into_iter().enumerate().map(record).collect()
}

fn main() {
    println!("records/s on one core, median of {RUNS}, and messages taken apart; then the state, and one view");
    for (name, records) in
        [("day-a", recorded("day-a", 500_000)), ("chaos1-c", recorded("chaos1-c", 200_000)), ("demo host", demo(500_000))]
    {
        #[expect(clippy::cast_precision_loss, reason = "far below 2^52")]
        let rate = |began: Duration| records.len() as f64 / cpu().saturating_sub(began).as_secs_f64();
        let (mut rates, mut floors, mut last) = (Vec::new(), Vec::new(), State::default());
        for _ in 0..RUNS {
            let (began, mut state) = (cpu(), State::default());
            for record in &records {
                step(&mut state, record);
            }
            rates.push(rate(began));
            last = state;
            let began = cpu();
            for record in &records {
                black_box(record.view());
            }
            floors.push(rate(began));
        }
        let began = Instant::now();
        let shown = black_box(view(&last, &LogId::random().into(), records.last().unwrap().received));
        let took = began.elapsed();
        let bytes = bincode::serialized_size(&last).unwrap();
        let (rate, floor) = (median(rates), median(floors));
        println!("{name:>10} | {rate:>10.0} | {floor:>10.0} | {bytes:>9} B | {:>6} incidents in {took:?}", shown.incidents.len());
    }
}
