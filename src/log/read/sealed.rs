//! What a forwarder asks of a log besides its records: where a record lies in the hash chain, and sealed
//! frames one at a time.

use super::catalog::Catalog;
use crate::cursor::Sequence;
use crate::log::record::chain::{self, ChainValue};
use crate::log::tip::codec;
use crate::log::{Block, LogError};
use crate::time::Timestamp;
use bytes::Bytes;

/// One frame of a segment, as it lies there: consecutive lines, each with its line end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SealedFrame {
    /// Sequence of the first record.
    pub first: Sequence,
    /// How many there are.
    pub count: u32,
    /// The earliest own time of its records.
    pub time: Timestamp,
    /// The hash chain's value before the first record.
    pub chain_before: ChainValue,
    /// The value after the last one.
    pub chain_after: ChainValue,
    /// Bytes of its lines.
    pub raw_bytes: usize,
    /// One zstd frame.
    pub bytes: Bytes,
}

/// What is damaged is not there.
fn whole<T>(found: Result<T, LogError>) -> Result<Option<T>, LogError> {
    match found {
        Ok(found) => Ok(Some(found)),
        Err(LogError::Damaged(_)) => Ok(None),
        Err(e) => Err(e),
    }
}

/// The chain's values before and after the record `seq` of a block that has `before` before it.
fn around(block: &Block, before: ChainValue, seq: Sequence) -> Option<(ChainValue, ChainValue)> {
    let earlier = block.sequences().take_while(|earlier| *earlier < seq);
    let before = earlier.fold(before, |chain, earlier| chain::next(&chain, &block.line(earlier, false)));
    block.sequences().contains(&seq).then(|| (before, chain::next(&before, &block.line(seq, false))))
}

impl Catalog {
    /// The chain's values before and after a record, where that and what leads to it can be read.
    pub(in crate::log) fn chain_around(&self, seq: Sequence) -> Result<Option<(ChainValue, ChainValue)>, LogError> {
        let (segment, tip) = {
            let state = self.state.read();
            let at = state.segments.partition_point(|segment| segment.last() < seq);
            let mut entries = state.tips.iter().flat_map(|part| part.index.after(seq.saturating_sub(1)).map(|entry| (&part.tip, *entry)));
            let tip = entries.next().map(|(tip, entry)| (std::sync::Arc::clone(tip), entry));
            (state.segments.get(at).cloned(), tip)
        };
        if let Some(segment) = segment {
            let Some(index) = whole(self.caches.index(&segment))? else { return Ok(None) };
            let at = index.frames.partition_point(|frame| frame.last() < seq);
            let before = at.checked_sub(1).map_or(Some(index.chain_before), |before| index.chain_after.get(before).copied());
            let (Some(frame), Some(before)) = (index.frames.get(at).filter(|frame| frame.first <= seq), before) else { return Ok(None) };
            let block = whole(self.caches.frame_block(&segment, frame))?;
            return Ok(block.and_then(|block| around(&block, before, seq)));
        }
        let Some((tip, entry)) = tip.filter(|(_, entry)| entry.first <= seq) else { return Ok(None) };
        let read = || {
            let value = tip.get(entry.first, entry.parts)?;
            let (header, _) = codec::check(&value)?;
            Ok((codec::decode(&value, self.log_of(&tip, entry.first))?, header.chain_before))
        };
        Ok(whole(read())?.and_then(|(block, before)| around(&block, before, seq)))
    }

    /// The frame that begins right after `after`, where one does and is whole.
    pub(in crate::log) fn sealed_after(&self, after: Sequence) -> Result<Option<SealedFrame>, LogError> {
        let segments = self.segments();
        let at = segments.partition_point(|segment| segment.last() <= after);
        let Some(segment) = segments.get(at) else { return Ok(None) };
        let at = segment.frames().partition_point(|frame| frame.last() <= after);
        let Some(frame) = segment.frames().get(at).filter(|frame| frame.first == after + 1) else { return Ok(None) };
        let Some(index) = whole(self.caches.index(segment))? else { return Ok(None) };
        let chain_before = at.checked_sub(1).map_or(Some(index.chain_before), |before| index.chain_after.get(before).copied());
        let (Some(chain_before), Some(chain_after)) = (chain_before, index.chain_after.get(at).copied()) else { return Ok(None) };
        let bytes = whole(segment.packed(std::slice::from_ref(frame)))?;
        Ok(bytes.map(|bytes| SealedFrame {
            first: frame.first,
            count: frame.count,
            time: frame.time.0,
            chain_before,
            chain_after,
            raw_bytes: frame.raw_len(),
            bytes: bytes.into(),
        }))
    }
}

#[cfg(test)]
mod tests {
    use crate::chain::{self, CHAIN_START, ChainValue};
    use crate::log::testing::contract::records;
    use crate::log::{EmbeddedLog, EventLog as _, Limits, Piece, Scan};
    use std::collections::BTreeMap;

    /// Every value of the chain, by hashing what is read.
    async fn hashed(log: &EmbeddedLog) -> BTreeMap<u64, ChainValue> {
        let (mut values, mut chain, mut at) = (BTreeMap::from([(0, CHAIN_START)]), CHAIN_START, 0);
        while at < log.bounds().head {
            let chunk = log.read_after(at, &Scan::default()).await.unwrap();
            for piece in chunk.pieces {
                let Piece::Block(block) = piece else { panic!("a gap") };
                for seq in block.sequences().filter(|seq| *seq > at) {
                    chain = chain::next(&chain, &block.line(seq, false));
                    values.insert(seq, chain);
                }
            }
            at = chunk.through;
        }
        values
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn the_chain_is_known_at_every_record_and_frames_lie_in_it() {
        let dir = tempfile::tempdir().unwrap();
        let limits = Limits { tip_records: 1000, ..Limits::default() };
        let (log, _) = EmbeddedLog::open_with(dir.path(), limits).unwrap();
        for from in (1..=2900).step_by(100) {
            log.append(records(from..=from + 99)).await.unwrap();
        }
        log.watch_sealed().unwrap().wait_for(|sealed| *sealed >= 2000).await.unwrap();
        let sealed = *log.watch_sealed().unwrap().borrow();
        let values = hashed(&log).await;
        for seq in [1, 2, 767, 768, 769, 1000, 1001, sealed, sealed + 1, 2899, 2900] {
            assert_eq!(log.chain_around(seq).await.unwrap(), Some((values[&(seq - 1)], values[&seq])), "{seq}");
        }
        for seq in [0, 2901, u64::MAX] {
            assert_eq!(log.chain_around(seq).await.unwrap(), None, "{seq}");
        }
        let mut at = 0;
        while let Some(frame) = log.sealed_after(at).await.unwrap() {
            let lines = zstd::bulk::decompress(&frame.bytes, frame.raw_bytes).unwrap();
            assert_eq!((frame.first, lines.len()), (at + 1, frame.raw_bytes));
            assert_eq!(chain::after(&frame.chain_before, &lines), frame.chain_after);
            at += u64::from(frame.count);
            assert_eq!(frame.chain_after, values[&at]);
        }
        assert_eq!(at, sealed);
        assert_eq!(log.sealed_after(1).await.unwrap(), None, "no frame begins with record 2");
    }
}
