//! From the stored form of a block back to its records.

use super::{BLOCK_FORMAT_NOISE_ONLY, Header, StoredOrigin, StoredRecord, StoredRecord3, bincode, check, damaged};
use crate::cursor::{LogId, Sequence};
use crate::event::RecordParts;
use crate::log::record::block::{Block, BlockBuilder};
use crate::log::{LogError, Scan};
use crate::time::Timestamp;
use bincode::Options;
use serde::{Deserialize, Serialize};
use std::cell::RefCell;
use zstd::zstd_safe;

/// Turns a whole value back into a block.
pub(in crate::log) fn decode(value: &[u8], log: LogId) -> Result<Block, LogError> {
    let mut builder = None;
    read(value, |header, _, record| {
        let bytes = header.raw_bytes as usize;
        let capacity = bytes + (header.count as usize * 192).min(4 * bytes);
        builder.get_or_insert_with(|| BlockBuilder::new(log, header.first, capacity)).push(record);
    })?;
    builder.map(BlockBuilder::finish).ok_or_else(|| damaged("a block without records"))
}

/// The records of a whole value that may be wanted, as blocks of neighbours that rise.
pub(in crate::log) fn prefilter(value: &[u8], log: LogId, scan: &Scan) -> Result<Vec<Block>, LogError> {
    let (mut blocks, mut run) = (Vec::new(), None);
    read(value, |_, seq, record| {
        if scan.time.contains(&record.time) && scan.filter.may_match_text(record.json.as_bytes()) {
            run.get_or_insert_with(|| BlockBuilder::new(log, seq, 2 * record.json.len())).push(record);
        } else {
            blocks.extend(run.take().map(BlockBuilder::finish));
        }
    })?;
    blocks.extend(run.map(BlockBuilder::finish));
    Ok(blocks)
}

/// Hands over each record of a whole value.
fn read(value: &[u8], mut give: impl FnMut(&Header, Sequence, &RecordParts<'_>)) -> Result<(), LogError> {
    // Making a decompressor takes as long as a small block.
    thread_local!(static DECOMPRESSOR: RefCell<zstd_safe::DCtx<'static>> = RefCell::new(zstd_safe::DCtx::create()));
    let (header, packed) = check(value)?;
    let mut raw = Vec::with_capacity(header.raw_bytes as usize);
    let failed = |code| LogError::Damaged(format!("a block does not decompress: {}", zstd_safe::get_error_name(code)));
    DECOMPRESSOR.with_borrow_mut(|context| context.decompress(&mut raw, packed)).map_err(failed)?;
    let mut rest = raw.as_slice();
    for seq in header.first..=header.last() {
        let record: StoredRecord<'_> = match header.format {
            BLOCK_FORMAT_NOISE_ONLY => read_record::<StoredRecord3<'_>>(&mut rest)?.into(),
            _ => read_record(&mut rest)?,
        };
        let origin = header.place.map(|_| read_record::<StoredOrigin<'_>>(&mut rest)).transpose()?;
        let record = RecordParts {
            time: Timestamp::from_nanos(record.time),
            received: Timestamp::from_nanos(record.received),
            source: record.source,
            origin: origin.map(Into::into),
            marks: record.marks()?,
            json: record.json,
        };
        give(&header, seq, &record);
    }
    if rest.is_empty() { Ok(()) } else { Err(damaged("a block holds more than its header says")) }
}

/// bincode borrows only from slices and does not say how much it read; its size does.
fn read_record<'a, T: Serialize + Deserialize<'a>>(rest: &mut &'a [u8]) -> Result<T, LogError> {
    let decode = |e| LogError::Damaged(format!("a record does not decode: {e}"));
    let record: T = bincode().deserialize(rest).map_err(decode)?;
    let used = bincode().serialized_size(&record).map_err(decode)?;
    *rest = usize::try_from(used).ok().and_then(|n| rest.get(n..)).ok_or_else(|| damaged("a record longer than its block"))?;
    Ok(record)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::filter::Filter;
    use crate::log::record::chain::CHAIN_START;
    use crate::log::tip::codec::Encoder;
    use proptest::prelude::*;
    use std::sync::Arc;

    proptest! {
        #[test]
        fn prefilters_what_looking_at_every_record_finds(
            names in prop::collection::vec("(web|web-1|db|a\\\\web|c\"d)", 1..30),
            name in "(web|web-1|a|c\")",
            (from, to) in (-1i64..30, 0i64..40),
        ) {
            let mut encoder = Encoder::default();
            for (time, name) in (0..).zip(&names) {
                let json = serde_json::json!({"Type": "container", "Action": "die", "Actor": {"Attributes": {"name": name}}}).to_string();
                let record = StoredRecord { time, received: 1, source: "local", kind: "", action: "", actor_id: "", json: &json, noise: 0, cut: 0, foreign: false };
                encoder.push(&record).unwrap();
            }
            let (header, value) = encoder.compress().unwrap().finish(7, CHAIN_START, 24 * 1024).unwrap();
            let filter = Filter::from_params(Some(&serde_json::json!({"container": [name]}).to_string()), None).unwrap();
            let scan = Scan { filter: Arc::new(filter), time: Timestamp::from_nanos(from)..=Timestamp::from_nanos(to), ..Scan::default() };
            let log = LogId::with_prefix(1);
            let whole = decode(&value, log).unwrap();
            let passes = |block: &Block, seq: &Sequence| block.matches(*seq, &scan.filter) && scan.time.contains(&block.time(*seq));
            let frames = |block: &Block, seq| block.sse_frames(seq, seq);
            let naive: Vec<_> = (header.first..=header.last()).filter(|seq| passes(&whole, seq)).map(|seq| frames(&whole, seq)).collect();
            let blocks = prefilter(&value, log, &scan).unwrap();
            prop_assert!(blocks.is_sorted_by(|a, b| a.last() + 1 < b.first()));
            let found = blocks.iter().flat_map(|block| block.sequences().filter(|seq| passes(block, seq)).map(|seq| frames(block, seq)));
            prop_assert_eq!(found.collect::<Vec<_>>(), naive);
        }
    }
}
