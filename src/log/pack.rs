//! Records as they come are cut into blocks, and each block gets its stored form. Its wire form and its link in the chain are made beside
//! that (beside.rs).

use super::codec::{Compressed, Encoder, StoredRecord};
use super::{LogError, NewRecord};
use crate::event::Noise;
use crate::time::Timestamp;
use std::ops::Range;

/// Most records in a block, which is what one commit makes: of two blocks a crash might leave the second alone.
pub(super) const MAX_BLOCK_RECORDS: usize = 512;
/// A block ends with the record that takes it to this many bytes; one record is at most about 1 MiB.
pub(super) const MAX_BLOCK_BYTES: usize = 1024 * 1024;

/// What a record takes besides its message and the name of its host, about.
const ENVELOPE: usize = 256;

/// Records that are to be committed, cut into blocks.
#[derive(Debug)]
pub(super) struct Batch {
    records: Vec<NewRecord>,
    /// When each was received. It never falls, whatever the clock does.
    received: Vec<Timestamp>,
    blocks: Vec<Cut>,
}

/// The records of one block.
#[derive(Debug, Clone)]
pub(super) struct Cut {
    pub(super) records: Range<usize>,
    /// About what they take as lines.
    pub(super) bytes: usize,
}

impl Batch {
    /// Cuts `records`, none of which is said to be received before `last_received`.
    pub(super) fn new(records: Vec<NewRecord>, last_received: Timestamp) -> Self {
        let mut batch = Self { received: Vec::with_capacity(records.len()), blocks: Vec::new(), records };
        let (mut latest, mut cut) = (last_received, Cut { records: 0..0, bytes: 0 });
        for record in &batch.records {
            latest = latest.max(record.received);
            batch.received.push(latest);
            cut.bytes += record.event.as_json().len() + record.source.len() + ENVELOPE;
            cut.records.end += 1;
            if cut.records.len() >= MAX_BLOCK_RECORDS || cut.bytes >= MAX_BLOCK_BYTES {
                let end = cut.records.end;
                batch.blocks.push(std::mem::replace(&mut cut, Cut { records: end..end, bytes: 0 }));
            }
        }
        if !cut.records.is_empty() {
            batch.blocks.push(cut);
        }
        batch
    }

    /// Where its blocks are.
    pub(super) fn cuts(&self) -> &[Cut] {
        &self.blocks
    }

    /// The records of a block, and when each was received.
    pub(super) fn records(&self, cut: &Cut) -> impl Iterator<Item = (&NewRecord, Timestamp)> {
        let part = cut.records.clone();
        let records = self.records.get(part.clone()).unwrap_or_default();
        records.iter().zip(self.received.get(part).unwrap_or_default().iter().copied())
    }

    /// The packed form of a block, which needs nothing of the chain.
    pub(super) fn compress(&self, cut: &Cut) -> Result<Compressed, LogError> {
        let mut encoder = Encoder::with_capacity(cut.bytes);
        for (record, received) in self.records(cut) {
            let (fields, marks) = (record.event.fields(), record.event.marks());
            encoder.push(&StoredRecord {
                time: fields.time.unwrap_or(received).nanos(),
                received: received.nanos(),
                source: &record.source,
                kind: &fields.kind,
                action: &fields.action,
                actor_id: &fields.actor_id,
                json: record.event.as_json(),
                noise: Noise::code(marks.noise),
                cut: marks.cut.unwrap_or(0),
                foreign: marks.foreign,
            })?;
        }
        encoder.compress()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::log::contract::records;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn every_record_is_in_one_block_in_order(count in 0u64..1500) {
            let batch = Batch::new(records(1..=count), Timestamp::MIN);
            let all: Vec<usize> = batch.blocks.iter().flat_map(|cut| cut.records.clone()).collect();
            prop_assert!(all.into_iter().eq(0..usize::try_from(count).unwrap()));
            prop_assert!(batch.blocks.iter().all(|cut| (1..=MAX_BLOCK_RECORDS).contains(&cut.records.len())));
        }
    }

    #[test]
    fn the_time_of_receipt_never_falls() {
        let mut new = records(1..=3);
        for (record, nanos) in new.iter_mut().zip([7, 3, 9]) {
            record.received = Timestamp::from_nanos(nanos);
        }
        let batch = Batch::new(new, Timestamp::from_nanos(8));
        let received: Vec<_> = batch.records(&batch.blocks[0]).map(|(_, received)| received.nanos()).collect();
        assert_eq!(received, [8, 8, 9]);
    }
}
