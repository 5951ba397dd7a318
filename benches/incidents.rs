//! How fast incidents are folded from records that are in memory, on one core.
//!
//! `cargo bench --bench incidents`
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::print_stdout, clippy::indexing_slicing, reason = "a bench")]

mod support;

use serde::Deserialize;
use serde_json::value::RawValue;
use shipslog::cursor::LogId;
use shipslog::event::{Event, Marks, Noise, Record};
use shipslog::projection::incidents::{State, step, view};
use shipslog::time::Timestamp;
use std::hint::black_box;
use std::path::Path;
use std::time::Instant;
use support::{RUNS, median, messages};

#[derive(Deserialize)]
struct Line<'a> {
    time: &'a str,
    received: &'a str,
    source: &'a str,
    noise: Option<&'a str>,
    #[serde(borrow)]
    event: &'a RawValue,
}

/// A recording of the tests, again and again, each time a day later.
fn recorded(name: &str, at_least: usize) -> Vec<Record> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/incidents").join(format!("{name}.jsonl.zst"));
    let text = String::from_utf8(zstd::decode_all(&*std::fs::read(path).unwrap()).unwrap()).unwrap();
    let day = 86_400_000_000_000;
    let parse = |text: &str| Timestamp::from_text(text.as_bytes()).unwrap().nanos();
    let once: Vec<(i64, i64, String, Event)> = text
        .lines()
        .map(|line| {
            let line: Line<'_> = serde_json::from_str(line).unwrap();
            let noise = line.noise.map(|noise| noise.parse::<Noise>().unwrap());
            let event = Event::from_line(line.event.get().as_bytes()).unwrap().with_marks(Marks { noise, ..Marks::default() });
            (parse(line.time), parse(line.received), line.source.to_owned(), event)
        })
        .collect();
    let mut records = Vec::new();
    for round in 0.. {
        if records.len() >= at_least {
            break;
        }
        for (time, received, source, event) in &once {
            let (time, received) = (Timestamp::from_nanos(time + round * day), Timestamp::from_nanos(received + round * day));
            records.push(Record { seq: records.len() as u64 + 1, time, received, source: source.as_str().into(), event: event.clone() });
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
    println!("records/s on one core, median of {RUNS}; then the state, and one view");
    for (name, records) in
        [("day-a", recorded("day-a", 500_000)), ("chaos1-c", recorded("chaos1-c", 200_000)), ("demo host", demo(500_000))]
    {
        let (mut rates, mut last) = (Vec::new(), State::default());
        for _ in 0..RUNS {
            let (began, mut state) = (Instant::now(), State::default());
            for record in &records {
                step(&mut state, record);
            }
            #[expect(clippy::cast_precision_loss, reason = "far below 2^52")]
            rates.push(records.len() as f64 / began.elapsed().as_secs_f64());
            last = state;
        }
        let began = Instant::now();
        let shown = black_box(view(&last, &LogId::random().into(), records.last().unwrap().received));
        let took = began.elapsed();
        let bytes = bincode::serialized_size(&last).unwrap();
        println!("{name:>10} | {:>10.0} | {bytes:>9} B | {:>6} incidents in {took:?}", median(rates), shown.incidents.len());
    }
}
