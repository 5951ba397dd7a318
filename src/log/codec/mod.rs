//! The stored form of a block, format 2: a fixed header, then zstd of bincode records.
//!
//! ```text
//! offset  0 format u8 · flags u8 · parts u16 · count u32 · first sequence u64
//! offset 16 min, max event time i64 · min, max received time i64      (nanoseconds since the Unix epoch)
//! offset 48 raw length u32 · packed length u32
//! offset 56 chain value before · after                               (32 bytes each, see chain.rs)
//! offset 120 crc32 u32 over everything before it and the packed bytes behind it
//! offset 124 packed: zstd level 1 of `count` bincode (varint) records
//! ```
//! All integers are big-endian, so that stored bytes mean the same on every machine. Format 1, which is still read, has no `noise` in its records.

mod decode;

pub(super) use decode::{decode, sift};

use super::LogError;
use super::chain::ChainValue;
use crate::cursor::{MAX_SEQUENCE, Sequence};
use crate::time::Timestamp;
use bincode::Options;
use serde::{Deserialize, Serialize};
use std::cell::RefCell;

/// Format number in the first byte of each block that is written.
pub(super) const BLOCK_FORMAT: u8 = 2;
/// Of blocks that a log of format 3 or older wrote.
pub(super) const BLOCK_FORMAT_WITHOUT_NOISE: u8 = 1;
/// Bytes before the packed records.
pub(super) const HEADER_BYTES: usize = 124;
/// Most bytes that a block's records may take unpacked. The writer stays far below (`pack::MAX_BLOCK_BYTES` and one
/// line more); a larger figure in a header is damage.
pub(super) const MAX_RAW_BYTES: usize = 64 * 1024 * 1024;
/// Higher levels gain less than 8% on blocks of this size (measured for the design, storage report 4).
const ZSTD_LEVEL: i32 = 1;

/// What a block's header says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Header {
    pub(super) format: u8,
    pub(super) parts: u16,
    pub(super) count: u32,
    pub(super) first: Sequence,
    pub(super) time: (Timestamp, Timestamp),
    pub(super) received: (Timestamp, Timestamp),
    pub(super) raw_bytes: u32,
    pub(super) packed_bytes: u32,
    pub(super) chain_before: ChainValue,
    pub(super) chain_after: ChainValue,
    pub(super) crc: u32,
}

/// One record as format 2 stores it. `action` and `actor_id` stand beside the message so that later filters need not
/// parse it.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct StoredRecord<'a> {
    pub(super) time: i64,
    pub(super) received: i64,
    pub(super) source: &'a str,
    pub(super) kind: &'a str,
    pub(super) action: &'a str,
    pub(super) actor_id: &'a str,
    pub(super) json: &'a str,
    /// [`Noise::code`].
    pub(super) noise: u8,
}

/// One record as format 1 stored it.
#[derive(Serialize, Deserialize)]
struct StoredRecord1<'a> {
    time: i64,
    received: i64,
    source: &'a str,
    kind: &'a str,
    action: &'a str,
    actor_id: &'a str,
    json: &'a str,
}

impl<'a> From<StoredRecord1<'a>> for StoredRecord<'a> {
    fn from(old: StoredRecord1<'a>) -> Self {
        let StoredRecord1 { time, received, source, kind, action, actor_id, json } = old;
        Self { time, received, source, kind, action, actor_id, json, noise: 0 }
    }
}

fn bincode() -> impl Options {
    bincode::DefaultOptions::new().with_limit(MAX_RAW_BYTES as u64).allow_trailing_bytes()
}

fn damaged(what: &str) -> LogError {
    LogError::Damaged(what.to_owned())
}

/// Collects records into the stored form.
#[derive(Debug, Default)]
pub(super) struct Encoder {
    raw: Vec<u8>,
    count: u32,
    time: Option<(Timestamp, Timestamp)>,
    received: Option<(Timestamp, Timestamp)>,
}

fn widen(range: &mut Option<(Timestamp, Timestamp)>, time: Timestamp) {
    *range = Some(range.map_or((time, time), |(min, max)| (min.min(time), max.max(time))));
}

/// One compressor serves the writer's thread: making one takes as long as a small block.
fn compress(raw: &[u8]) -> Result<Vec<u8>, LogError> {
    thread_local!(static COMPRESSOR: RefCell<Option<zstd::bulk::Compressor<'static>>> = const { RefCell::new(None) });
    let failed = |e| LogError::Damaged(format!("cannot compress a block: {e}"));
    COMPRESSOR.with_borrow_mut(|slot| {
        let compressor = match slot {
            Some(compressor) => compressor,
            None => slot.insert(zstd::bulk::Compressor::new(ZSTD_LEVEL).map_err(failed)?),
        };
        compressor.compress(raw).map_err(failed)
    })
}

impl Encoder {
    pub(super) fn push(&mut self, record: &StoredRecord<'_>) -> Result<(), LogError> {
        // With a limit it would be measured before it is written; the writer bounds what it gives.
        bincode()
            .with_no_limit()
            .serialize_into(&mut self.raw, record)
            .map_err(|e| LogError::Damaged(format!("cannot encode a record: {e}")))?;
        self.count += 1;
        widen(&mut self.time, Timestamp::from_nanos(record.time));
        widen(&mut self.received, Timestamp::from_nanos(record.received));
        Ok(())
    }

    /// With room for so many bytes of records.
    pub(super) fn with_capacity(bytes: usize) -> Self {
        Self { raw: Vec::with_capacity(bytes), ..Self::default() }
    }

    /// The longest part of the work, which needs nothing of the chain.
    pub(super) fn compress(self) -> Result<Compressed, LogError> {
        let packed = compress(&self.raw)?;
        Ok(Compressed { raw: self, packed })
    }
}

/// Records in their stored form, without the header.
#[derive(Debug)]
pub(super) struct Compressed {
    raw: Encoder,
    packed: Vec<u8>,
}

impl Compressed {
    /// The header and the whole value, not yet cut into parts of `part_bytes`.
    pub(super) fn finish(self, first: Sequence, chain: (ChainValue, ChainValue), part_bytes: usize) -> Result<(Header, Vec<u8>), LogError> {
        let Self { raw, packed } = self;
        let length = |n: usize| u32::try_from(n).map_err(|_| damaged("a block of over 4 GiB"));
        let parts = (HEADER_BYTES + packed.len()).div_ceil(part_bytes.max(1));
        let mut header = Header {
            format: BLOCK_FORMAT,
            parts: u16::try_from(parts).map_err(|_| damaged("a block of over 65535 parts"))?,
            count: raw.count,
            first,
            time: raw.time.unwrap_or_default(),
            received: raw.received.unwrap_or_default(),
            raw_bytes: length(raw.raw.len())?,
            packed_bytes: length(packed.len())?,
            chain_before: chain.0,
            chain_after: chain.1,
            crc: 0,
        };
        let mut value = Vec::with_capacity(HEADER_BYTES + packed.len());
        header.write(&mut value);
        let mut crc = crc32fast::Hasher::new();
        crc.update(&value);
        crc.update(&packed);
        header.crc = crc.finalize();
        value.extend_from_slice(&header.crc.to_be_bytes());
        value.extend_from_slice(&packed);
        Ok((header, value))
    }
}

impl Header {
    /// Sequence of the last record.
    pub(super) fn last(&self) -> Sequence {
        self.first + u64::from(self.count) - 1
    }

    /// Everything but the checksum.
    fn write(&self, out: &mut Vec<u8>) {
        out.push(self.format);
        out.push(0);
        out.extend_from_slice(&self.parts.to_be_bytes());
        out.extend_from_slice(&self.count.to_be_bytes());
        out.extend_from_slice(&self.first.to_be_bytes());
        for time in [self.time.0, self.time.1, self.received.0, self.received.1] {
            out.extend_from_slice(&time.nanos().to_be_bytes());
        }
        out.extend_from_slice(&self.raw_bytes.to_be_bytes());
        out.extend_from_slice(&self.packed_bytes.to_be_bytes());
        out.extend_from_slice(&self.chain_before);
        out.extend_from_slice(&self.chain_after);
    }

    /// Reads a header; the checksum is not looked at yet.
    pub(super) fn read(value: &[u8]) -> Result<Self, LogError> {
        let mut rest = value;
        let [format] = take(&mut rest)?;
        if ![BLOCK_FORMAT, BLOCK_FORMAT_WITHOUT_NOISE].contains(&format) {
            return Err(damaged("a block of unknown format"));
        }
        let [_flags] = take(&mut rest)?;
        let header = Self {
            format,
            parts: u16::from_be_bytes(take(&mut rest)?),
            count: u32::from_be_bytes(take(&mut rest)?),
            first: u64::from_be_bytes(take(&mut rest)?),
            time: (take_time(&mut rest)?, take_time(&mut rest)?),
            received: (take_time(&mut rest)?, take_time(&mut rest)?),
            raw_bytes: u32::from_be_bytes(take(&mut rest)?),
            packed_bytes: u32::from_be_bytes(take(&mut rest)?),
            chain_before: take(&mut rest)?,
            chain_after: take(&mut rest)?,
            crc: u32::from_be_bytes(take(&mut rest)?),
        };
        // A record takes more than a byte.
        let counted = header.count > 0 && header.count <= header.raw_bytes;
        if header.parts == 0 || !counted || header.raw_bytes as usize > MAX_RAW_BYTES || header.first > MAX_SEQUENCE {
            return Err(damaged("a block's header makes no sense"));
        }
        Ok(header)
    }
}

fn take<const N: usize>(rest: &mut &[u8]) -> Result<[u8; N], LogError> {
    let (head, tail) = rest.split_first_chunk::<N>().ok_or_else(|| damaged("a block shorter than its header"))?;
    *rest = tail;
    Ok(*head)
}

fn take_time(rest: &mut &[u8]) -> Result<Timestamp, LogError> {
    take(rest).map(|b| Timestamp::from_nanos(i64::from_be_bytes(b)))
}

/// Checks a whole value (all parts joined) against its checksum and gives its header and packed bytes.
pub(super) fn check(value: &[u8]) -> Result<(Header, &[u8]), LogError> {
    let header = Header::read(value)?;
    let (head, packed) = value.split_at_checked(HEADER_BYTES).ok_or_else(|| damaged("a block shorter than its header"))?;
    if packed.len() != header.packed_bytes as usize {
        return Err(damaged("a block of another length than its header says"));
    }
    let mut crc = crc32fast::Hasher::new();
    crc.update(head.get(..HEADER_BYTES - 4).unwrap_or_default());
    crc.update(packed);
    if crc.finalize() != header.crc {
        return Err(damaged("a block's checksum does not fit"));
    }
    Ok((header, packed))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cursor::LogId;
    use crate::event::Noise;
    use crate::log::Block;
    use crate::log::chain::CHAIN_START;
    use proptest::prelude::*;

    fn noise(text: &str) -> Option<Noise> {
        text.len().is_multiple_of(2).then_some(Noise::HealthCheck)
    }

    fn encode(records: &[(i64, i64, String)], first: Sequence) -> (Header, Vec<u8>) {
        let mut encoder = Encoder::default();
        for (time, received, text) in records {
            let json = serde_json::json!({ "x": text }).to_string();
            let record = StoredRecord {
                time: *time,
                received: *received,
                source: "local",
                kind: text,
                action: "a",
                actor_id: "i",
                json: &json,
                noise: Noise::code(noise(text)),
            };
            encoder.push(&record).unwrap();
        }
        encoder.compress().unwrap().finish(first, (CHAIN_START, [7; 32]), 24 * 1024).unwrap()
    }

    proptest! {
        #[test]
        fn round_trips(records in prop::collection::vec((any::<i64>(), any::<i64>(), ".{0,40}"), 1..20), first in 1u64..1 << 50) {
            let (header, value) = encode(&records, first);
            prop_assert_eq!(&Header::read(&value).unwrap(), &header);
            prop_assert_eq!(header.time.0.nanos(), records.iter().map(|r| r.0).min().unwrap());
            prop_assert_eq!(header.received.1.nanos(), records.iter().map(|r| r.1).max().unwrap());
            let log = LogId::random();
            let block = decode(&value, log).unwrap();
            prop_assert_eq!(block.sequences(), header.first..=header.last());
            for (seq, (time, received, text)) in (first..).zip(&records) {
                prop_assert_eq!(block.json(seq), serde_json::json!({ "x": text }).to_string());
                prop_assert_eq!(block.time(seq).nanos(), *time);
                prop_assert_eq!(block.received(seq).nanos(), *received);
                prop_assert_eq!(block.source(seq), "local");
                prop_assert_eq!(block.noise(seq), noise(text));
                let line = block.record(seq).unwrap().to_line(log);
                prop_assert_eq!(block.line(seq, false), line.clone());
                prop_assert_eq!(block.frames(seq, seq), format!("id: {}\ndata: {line}\n\n", log.cursor(seq)));
            }
        }

        #[test]
        fn any_flipped_bit_is_noticed(bit in 0usize..4000, records in prop::collection::vec((0i64..9, 0i64..9, ".{0,40}"), 1..5)) {
            let (_, mut value) = encode(&records, 5);
            let bit = bit % (value.len() * 8);
            value[bit / 8] ^= 1 << (bit % 8);
            prop_assert!(decode(&value, LogId::random()).is_err());
        }

        #[test]
        fn garbage_never_panics(value in prop::collection::vec(any::<u8>(), 0..400)) {
            let _ = decode(&value, LogId::random());
        }
    }

    #[test]
    fn blocks_without_marks_are_read() {
        let mut raw = Vec::new();
        for json in [r#"{"a":1}"#, r#"{"b":2}"#] {
            let record = StoredRecord1 { time: 1, received: 2, source: "local", kind: "k", action: "a", actor_id: "i", json };
            bincode().serialize_into(&mut raw, &record).unwrap();
        }
        let encoder = Encoder { raw, count: 2, ..Encoder::default() };
        let (_, mut value) = encoder.compress().unwrap().finish(7, (CHAIN_START, [7; 32]), 24 * 1024).unwrap();
        assert!(decode(&value, LogId::random()).is_err(), "its records are shorter than format 2 says");
        value[0] = BLOCK_FORMAT_WITHOUT_NOISE;
        let mut crc = crc32fast::Hasher::new();
        crc.update(&value[..HEADER_BYTES - 4]);
        crc.update(&value[HEADER_BYTES..]);
        value[HEADER_BYTES - 4..HEADER_BYTES].copy_from_slice(&crc.finalize().to_be_bytes());
        let block = decode(&value, LogId::random()).unwrap();
        assert_eq!((block.sequences(), block.json(8), block.noise(8)), (7..=8, r#"{"b":2}"#, None));
    }

    /// As somebody would make it up who can also make a checksum.
    #[test]
    fn no_count_and_no_sequence_is_believed_unseen() {
        let (_, value) = encode(&[(1, 2, "x".repeat(100))], 1);
        for (at, bytes) in [(4, &[0xff; 4][..]), (8, &[0xff; 8])] {
            let mut bad = value.clone();
            bad[at..at + bytes.len()].copy_from_slice(bytes);
            let mut crc = crc32fast::Hasher::new();
            crc.update(&bad[..HEADER_BYTES - 4]);
            crc.update(&bad[HEADER_BYTES..]);
            bad[HEADER_BYTES - 4..HEADER_BYTES].copy_from_slice(&crc.finalize().to_be_bytes());
            assert!(decode(&bad, LogId::random()).unwrap_err().to_string().contains("makes no sense"));
        }
        let line = crate::log::contract::line(1).replacen("-1\"", &format!("-{}\"", Sequence::MAX), 1);
        assert!(Block::from_lines(Sequence::MAX, format!("{line}\n").as_bytes()).is_err());
    }

    #[test]
    fn every_truncation_is_noticed() {
        let (_, value) = encode(&[(1, 2, "x".repeat(100))], 1);
        for end in 0..value.len() {
            assert!(check(&value[..end]).is_err());
        }
    }
}
