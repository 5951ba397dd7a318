//! Records as they come become a block: its stored form, its wire form, its link in the chain.

use super::block::{Block, BlockBuilder, BlockRecord};
use super::chain::{self, ChainValue};
use super::codec::{Compressed, Encoder, Header, StoredRecord};
use super::kept::MAX_VALUE_BYTES;
use super::{LogError, NewRecord};
use crate::cursor::{LogId, Sequence};
use crate::event::{Fields, Noise};
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

/// What a record takes besides its message and the name of its host, about.
const ENVELOPE: usize = 256;

/// Packs the first of `records`, at least one and as many as a block takes, behind `before`.
pub(super) fn pack(records: &[NewRecord], log: LogId, before: State) -> Result<Packed, LogError> {
    let mut bytes = 0;
    let mut received = before.received;
    let mut taken = Vec::with_capacity(records.len().min(MAX_BLOCK_RECORDS));
    for record in records.iter().take(MAX_BLOCK_RECORDS) {
        let fields = record.event.fields();
        received = received.max(record.received);
        bytes += record.event.as_json().len() + record.source.len() + ENVELOPE;
        taken.push(Taken { record, time: fields.time.unwrap_or(received), received, fields });
        if bytes >= MAX_BLOCK_BYTES {
            break;
        }
    }
    // One after the other: on two cores a second thread for one of the two made a block of 64 take 200 µs instead of 146.
    let (block, chain) = lay_out(&taken, log, before, bytes);
    let compressed = compress(&taken, bytes)?;
    let (header, value) = compressed.finish(before.next, (before.chain, chain), MAX_VALUE_BYTES)?;
    Ok(Packed { header, value, block, received })
}

/// A record of the block and what is stored beside its message.
struct Taken<'a> {
    record: &'a NewRecord,
    time: Timestamp,
    received: Timestamp,
    fields: Fields<'a>,
}

/// The wire form, and the chain's value behind it.
fn lay_out(taken: &[Taken<'_>], log: LogId, before: State, bytes: usize) -> (Block, ChainValue) {
    let mut builder = BlockBuilder::new(log, before.next, bytes);
    let chain = taken.iter().fold(before.chain, |chain, Taken { record, time, received, .. }| {
        let json = record.event.as_json();
        let line =
            builder.push(&BlockRecord { time: *time, received: *received, source: &record.source, noise: record.event.noise(), json });
        chain::next(&chain, line.as_bytes())
    });
    (builder.finish(), chain)
}

/// The stored form.
fn compress(taken: &[Taken<'_>], bytes: usize) -> Result<Compressed, LogError> {
    let mut encoder = Encoder::with_capacity(bytes);
    for Taken { record, time, received, fields } in taken {
        encoder.push(&StoredRecord {
            time: time.nanos(),
            received: received.nanos(),
            source: &record.source,
            kind: &fields.kind,
            action: &fields.action,
            actor_id: &fields.actor_id,
            json: record.event.as_json(),
            noise: Noise::code(record.event.noise()),
        })?;
    }
    encoder.compress()
}
