//! Records as they come are cut into blocks, and each block gets its stored form. Its wire form and its link
//! in the chain are made beside that (helper.rs).

use crate::cursor::Sequence;
use crate::event::{Noise, Origin};
use crate::log::record::line::is_start;
use crate::log::tip::codec::{self, Compressed, Encoder, StoredOrigin, StoredRecord};
use crate::log::{FleetRecord, LogError, MAX_RECORD_BYTES, NewRecord};
use crate::time::Timestamp;
use std::ops::Range;

/// Most records in a block, which is what one commit makes: of two blocks a crash might leave the second
/// alone.
pub(in crate::log) const MAX_BLOCK_RECORDS: usize = 512;
/// A block ends with the record that takes it to this many bytes.
pub(in crate::log) const MAX_BLOCK_BYTES: usize = 1024 * 1024;

/// What a record takes besides its message and the name of its host, at most.
const ENVELOPE: usize = 256;
/// Bytes of a character in a JSON string, at most, for each byte that it has.
const ESCAPED: usize = 6;

/// Most bytes of a record of a fleet as a line: whatever a host has stored, and the host's name twice.
const MAX_FLEET_RECORD_BYTES: usize = 2 * MAX_RECORD_BYTES;

// A block holds the message, parts of it once more, and what the envelope takes.
const _: () = assert!(MAX_BLOCK_BYTES + 2 * MAX_FLEET_RECORD_BYTES < codec::MAX_RAW_BYTES);

/// What a record takes as a line, at most.
fn line_bytes(record: &NewRecord) -> usize {
    record.event.as_json().len() + ESCAPED * record.source.len() + ENVELOPE
}

/// Refuses records that could not be read again.
pub(in crate::log) fn check_sizes(records: &[NewRecord]) -> Result<(), LogError> {
    let large = records.iter().map(line_bytes).enumerate().find(|(_, bytes)| *bytes > MAX_RECORD_BYTES);
    large.map_or(Ok(()), |(index, bytes)| Err(LogError::TooLarge { index, bytes }))
}

/// As [`check_sizes`], for records of a fleet.
pub(in crate::log) fn check_fleet_sizes(records: &[FleetRecord]) -> Result<(), LogError> {
    let bytes = |record: &FleetRecord| {
        let names = record.source.len() + record.origin.source.as_ref().map_or(0, |source| source.len());
        record.event.as_json().len() + ESCAPED * names + 2 * ENVELOPE
    };
    let large = records.iter().map(bytes).enumerate().find(|(_, bytes)| *bytes > MAX_FLEET_RECORD_BYTES);
    large.map_or(Ok(()), |(index, bytes)| Err(LogError::TooLarge { index, bytes }))
}

/// Records that are to be committed, cut into blocks.
#[derive(Debug)]
pub(in crate::log) struct Batch {
    records: Vec<NewRecord>,
    /// When each was received. It falls only where a run of the recorder starts.
    received: Vec<Timestamp>,
    /// In a follower's: of each record its origin, and its place in the stream.
    followed: Vec<(Origin, u64)>,
    blocks: Vec<BlockRange>,
}

/// One record of a batch.
#[derive(Debug, Clone, Copy)]
pub(in crate::log) struct BatchRecord<'a> {
    pub(in crate::log) record: &'a NewRecord,
    /// Its own time.
    pub(in crate::log) time: Timestamp,
    pub(in crate::log) received: Timestamp,
    pub(in crate::log) followed: Option<&'a (Origin, u64)>,
}

/// The records of one block.
#[derive(Debug, Clone)]
pub(in crate::log) struct BlockRange {
    pub(in crate::log) records: Range<usize>,
    /// About what they take as lines.
    pub(in crate::log) bytes: usize,
}

impl Batch {
    /// Cuts `records`, none of which is said to be received before `last_received`, up to a `start`.
    pub(in crate::log) fn new(records: Vec<NewRecord>, last_received: Timestamp) -> Self {
        let mut batch = Self { received: Vec::with_capacity(records.len()), followed: Vec::new(), blocks: Vec::new(), records };
        let mut latest = last_received;
        for record in &batch.records {
            latest = if is_start(&record.event) { record.received } else { latest.max(record.received) };
            batch.received.push(latest);
        }
        batch.cut(|_| false);
        batch
    }

    /// Cuts records of a fleet, the first of which gets the sequence `first`. A block ends with each multiple
    /// of `segment_records`, as segments do.
    pub(in crate::log) fn followed(records: Vec<FleetRecord>, first: Sequence, segment_records: u64) -> Self {
        let received = records.iter().map(|record| record.received).collect();
        let split = |FleetRecord { source, received, event, origin, place }| (NewRecord { source, received, event }, (origin, place));
        let (records, followed) = records.into_iter().map(split).unzip();
        let mut batch = Self { received, followed, blocks: Vec::new(), records };
        batch.cut(|end| (first - 1 + end as u64).is_multiple_of(segment_records));
        batch
    }

    /// `ends_at`: whether a block ends with the records up to this index, whatever it holds.
    fn cut(&mut self, ends_at: impl Fn(usize) -> bool) {
        let mut block = BlockRange { records: 0..0, bytes: 0 };
        for record in &self.records {
            block.bytes += record.event.as_json().len() + record.source.len() + ENVELOPE;
            block.records.end += 1;
            let end = block.records.end;
            if block.records.len() >= MAX_BLOCK_RECORDS || block.bytes >= MAX_BLOCK_BYTES || ends_at(end) {
                self.blocks.push(std::mem::replace(&mut block, BlockRange { records: end..end, bytes: 0 }));
            }
        }
        if !block.records.is_empty() {
            self.blocks.push(block);
        }
    }

    /// Where its blocks are.
    pub(in crate::log) fn blocks(&self) -> &[BlockRange] {
        &self.blocks
    }

    /// The records of a block.
    pub(in crate::log) fn records(&self, block: &BlockRange) -> impl Iterator<Item = BatchRecord<'_>> {
        block.records.clone().filter_map(|at| {
            let (record, received, followed) = (self.records.get(at)?, *self.received.get(at)?, self.followed.get(at));
            let time = followed.map_or_else(|| record.event.fields().time.unwrap_or(received), |(origin, _)| origin.time);
            Some(BatchRecord { record, time, received, followed })
        })
    }

    /// When its last record was received.
    pub(in crate::log) fn last_received(&self, block: &BlockRange) -> Option<Timestamp> {
        self.received.get(block.records.clone())?.last().copied()
    }

    /// The packed form of a block, which needs nothing of the chain.
    pub(in crate::log) fn compress(&self, block: &BlockRange) -> Result<Compressed, LogError> {
        let mut encoder = Encoder::with_capacity(block.bytes);
        for BatchRecord { record, time, received, followed } in self.records(block) {
            let (fields, marks) = (record.event.fields(), record.event.marks());
            let stored = StoredRecord {
                time: time.nanos(),
                received: received.nanos(),
                source: &record.source,
                kind: &fields.kind,
                action: &fields.action,
                actor_id: &fields.actor_id,
                json: record.event.as_json(),
                noise: Noise::code(marks.noise),
                cut: marks.cut.unwrap_or(0),
                foreign: marks.foreign,
            };
            match followed {
                Some((origin, place)) => encoder.push_followed(&stored, &StoredOrigin::from(origin), *place)?,
                None => encoder.push(&stored)?,
            }
        }
        encoder.compress()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::{Event, Marks};
    use crate::log::testing::contract::records;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn every_record_is_in_one_block_in_order(count in 0u64..1500) {
            let batch = Batch::new(records(1..=count), Timestamp::MIN);
            let all: Vec<usize> = batch.blocks.iter().flat_map(|block| block.records.clone()).collect();
            prop_assert!(all.into_iter().eq(0..usize::try_from(count).unwrap()));
            prop_assert!(batch.blocks.iter().all(|block| (1..=MAX_BLOCK_RECORDS).contains(&block.records.len())));
        }
    }

    #[test]
    fn the_time_of_receipt_never_falls() {
        let mut new = records(1..=3);
        for (record, nanos) in new.iter_mut().zip([7, 3, 9]) {
            record.received = Timestamp::from_nanos(nanos);
        }
        let batch = Batch::new(new, Timestamp::from_nanos(8));
        let received: Vec<_> = batch.records(&batch.blocks[0]).map(|record| record.received.nanos()).collect();
        assert_eq!(received, [8, 8, 9]);
    }

    #[test]
    fn the_time_of_receipt_may_fall_at_a_start_of_ours_only() {
        let at = |nanos, event: &Event| NewRecord { source: "x".into(), received: Timestamp::from_nanos(nanos), event: event.clone() };
        let own = |action| Event::recorder(action, "x", &[], Timestamp::MIN);
        let (start, stop, container) = (own("start"), own("stop"), records(1..=1).remove(0).event);
        let foreign = start.clone().with_marks(Marks { foreign: true, ..Marks::default() });
        let new = vec![at(3, &stop), at(4, &start), at(2, &container), at(6, &container), at(1, &foreign), at(5, &start)];
        let batch = Batch::new(new, Timestamp::from_nanos(9));
        assert_eq!(batch.received.iter().map(|received| received.nanos()).collect::<Vec<_>>(), [9, 4, 4, 6, 6, 5]);
        assert_eq!(batch.last_received(&batch.blocks[0]), Some(Timestamp::from_nanos(5)));
    }

    #[test]
    fn what_a_record_may_take_is_what_its_line_takes() {
        let source: std::sync::Arc<str> = "h\u{1}\u{1f}\"".into();
        let event = |bytes: usize| Event::from_line(format!(r#"{{"x":"{}"}}"#, "y".repeat(bytes - 8)).as_bytes()).unwrap();
        let marks = Marks { noise: Some(Noise::HealthCheck), cut: Some(u64::MAX), foreign: true };
        let new =
            |bytes| NewRecord { source: std::sync::Arc::clone(&source), received: Timestamp::MAX, event: event(bytes).with_marks(marks) };
        let most = MAX_RECORD_BYTES - ENVELOPE - ESCAPED * source.len();
        assert!(check_sizes(&[new(most)]).is_ok());
        let refused = check_sizes(&[new(9), new(most + 1), new(most + 2)]);
        assert!(matches!(refused, Err(LogError::TooLarge { index: 1, bytes }) if bytes == MAX_RECORD_BYTES + 1), "{refused:?}");
        let NewRecord { source, received, event } = new(most);
        let record = crate::event::Record { seq: crate::cursor::MAX_SEQUENCE, time: Timestamp::MIN, received, source, event };
        let line = record.to_line(crate::log::testing::contract::log_id());
        assert!(line.len() <= MAX_RECORD_BYTES && line.len() + ENVELOPE > MAX_RECORD_BYTES, "{}", line.len());
    }
}
