//! Records as they come become a block: its stored form, its wire form, its link in the chain.

use super::block::{Block, BlockBuilder, BlockRecord};
use super::chain::{self, ChainValue};
use super::codec::{Encoder, Header, StoredRecord};
use super::kept::MAX_VALUE_BYTES;
use super::{LogError, NewRecord};
use crate::cursor::{LogId, Sequence};
use crate::time::Timestamp;

/// Most records in a block.
pub(super) const MAX_BLOCK_RECORDS: usize = 512;
/// A block ends with the record that takes it to this many bytes; one record is at most about 1 MiB.
pub(super) const MAX_BLOCK_BYTES: usize = 1024 * 1024;

/// Where a log stands.
#[derive(Debug, Clone, Copy)]
pub(super) struct State {
    pub(super) next: Sequence,
    pub(super) chain: ChainValue,
    /// Of the newest record; it never falls.
    pub(super) received: Timestamp,
}

/// A block, ready to be stored and to be shown.
#[derive(Debug)]
pub(super) struct Packed {
    pub(super) header: Header,
    /// The stored form.
    pub(super) value: Vec<u8>,
    /// The wire form.
    pub(super) block: Block,
    /// When the last record was received.
    pub(super) received: Timestamp,
}

/// Packs the first of `records`, at least one and as many as a block takes, behind `before`.
pub(super) fn pack(records: &[NewRecord], log: LogId, before: State) -> Result<Packed, LogError> {
    let mut encoder = Encoder::default();
    let mut builder = BlockBuilder::new(log, before.next, 64 * 1024);
    let State { mut chain, mut received, .. } = before;
    for record in records.iter().take(MAX_BLOCK_RECORDS) {
        let fields = record.event.fields();
        received = received.max(record.received);
        let time = fields.time.unwrap_or(received);
        let json = record.event.as_json();
        encoder.push(&StoredRecord {
            time: time.nanos(),
            received: received.nanos(),
            source: &record.source,
            kind: &fields.kind,
            action: &fields.action,
            actor_id: &fields.actor_id,
            json,
        })?;
        let line = builder.push(&BlockRecord { time, received, source: &record.source, json });
        chain = chain::next(&chain, line.as_bytes());
        if builder.bytes().max(encoder.raw_bytes()) >= MAX_BLOCK_BYTES {
            break;
        }
    }
    let (header, value) = encoder.finish(before.next, (before.chain, chain), MAX_VALUE_BYTES)?;
    Ok(Packed { header, value, block: builder.finish(), received })
}
