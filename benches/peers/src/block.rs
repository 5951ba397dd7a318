//! What a store is given to keep: a block such as shipslog makes itself, so that only the stores differ.

use bincode::Options;
use serde::Serialize;
use sha2::{Digest, Sha256};
use shipslog::cursor::{LogId, Sequence};
use shipslog::event::write_line;
use shipslog::log::NewRecord;

/// The fields of `StoredRecord` in shipslog's `log/tip/codec/mod.rs`, and its compression.
#[derive(Serialize)]
struct StoredRecord<'a> {
    time: i64,
    received: i64,
    source: &'a str,
    kind: &'a str,
    action: &'a str,
    actor_id: &'a str,
    json: &'a str,
}

const ZSTD_LEVEL: i32 = 1;

/// The hash chain over the lines, which shipslog extends with each record and no other store has.
struct Chain {
    log: LogId,
    value: [u8; 32],
    line: String,
}

/// Makes one block after the other.
pub(crate) struct Blocks {
    next: Sequence,
    chain: Option<Chain>,
}

impl Blocks {
    pub(crate) fn new(chained: bool) -> Self {
        let chain = chained.then(|| Chain { log: LogId::random(), value: [0; 32], line: String::new() });
        Self { next: 1, chain }
    }

    /// The first sequence and the block of these records.
    pub(crate) fn next(&mut self, records: &[NewRecord]) -> (Sequence, Vec<u8>) {
        let (first, mut raw) = (self.next, Vec::new());
        for record in records {
            let (view, json) = (record.event.view(), record.event.as_json());
            let time = view.time.unwrap_or(record.received);
            let stored = StoredRecord {
                time: time.nanos(),
                received: record.received.nanos(),
                source: &record.source,
                kind: view.kind.as_deref().unwrap_or(""),
                action: view.action.as_deref().unwrap_or(""),
                actor_id: view.actor_id.as_deref().unwrap_or(""),
                json,
            };
            bincode::DefaultOptions::new().serialize_into(&mut raw, &stored).unwrap();
            if let Some(Chain { log, value, line }) = &mut self.chain {
                line.clear();
                write_line(line, *log, self.next, time, record.received, &record.source, json);
                line.push('\n');
                *value = Sha256::new().chain_update(*value).chain_update(line).finalize().into();
            }
            self.next += 1;
        }
        let mut block = zstd::bulk::compress(&raw, ZSTD_LEVEL).unwrap();
        if let Some(chain) = &self.chain {
            block.extend_from_slice(&chain.value);
        }
        (first, block)
    }
}
