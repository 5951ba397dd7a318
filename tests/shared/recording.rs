//! Recordings of real Engines (tests/fixtures/incidents/README.md), as records.

use serde::Deserialize;
use serde_json::value::RawValue;
use shipslog::cursor::LogId;
use shipslog::event::{Event, Marks, Noise, Record};
use shipslog::time::Timestamp;
use std::path::{Path, PathBuf};

/// One line of an export.
#[derive(Deserialize)]
struct Line<'a> {
    id: &'a str,
    seq: u64,
    time: &'a str,
    received: &'a str,
    source: &'a str,
    noise: Option<&'a str>,
    #[serde(borrow)]
    event: &'a RawValue,
}

/// Where recordings and their labels lie.
pub(crate) fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/incidents")
}

/// The log that was recorded, and its records.
pub(crate) fn read(name: &str) -> (LogId, Vec<Record>) {
    let packed = std::fs::read(folder().join(format!("{name}.jsonl.zst"))).unwrap();
    let text = String::from_utf8(zstd::decode_all(&packed[..]).unwrap()).unwrap();
    let time = |text: &str| Timestamp::from_text(text.as_bytes()).unwrap();
    let mut log = 0;
    let records = text.lines().map(|line| {
        let line: Line<'_> = serde_json::from_str(line).unwrap();
        log = u32::from_str_radix(&line.id[..8], 16).unwrap();
        let noise = line.noise.map(|noise| noise.parse::<Noise>().unwrap());
        let event = Event::from_line(line.event.get().as_bytes()).unwrap().with_marks(Marks { noise, ..Marks::default() });
        Record { seq: line.seq, time: time(line.time), received: time(line.received), source: line.source.into(), event }
    });
    let records = records.collect();
    (LogId::with_prefix(log), records)
}
