//! The stored form of a block, format 5: a fixed header, then zstd of bincode records. It works on bytes in
//! memory and believes none of them before their checksum.
//!
//! ```text
//! offset  0 format u8 · flags u8 · parts u16 · count u32 · first sequence u64
//! offset 16 min, max event time i64 · min, max received time i64      (nanoseconds since the Unix epoch)
//! offset 48 raw length u32 · packed length u32
//! offset 56 chain value before                                       (32 bytes, see chain.rs)
//! offset 88 place in the fleet's stream u64 · 24 zero bytes
//! offset 120 crc32 u32 over everything before it and the packed bytes after it
//! offset 124 packed: zstd level 1 of `count` bincode (varint) records
//! ```
//! All integers are big-endian, so that stored bytes mean the same on every machine. With the flag 1 it is a
//! block of a follower: it has a place, and each record is followed by its origin. Formats 4, which has no
//! flags, and 3, which knows no mark but `noise` either, are still read. The chain value after a block is not
//! known yet when the block is written, since hashing continues while the disk syncs. The next block has it,
//! or it follows from the records.

mod decode;

pub(in crate::log) use decode::{decode, prefilter};

use crate::cursor::{Cursor, MAX_SEQUENCE, Sequence};
use crate::event::{Marks, Noise, Origin, OriginParts};
use crate::log::LogError;
use crate::log::record::chain::ChainValue;
use crate::time::Timestamp;
use bincode::Options;
use serde::{Deserialize, Serialize};
use std::cell::RefCell;

/// Format number in the first byte of each block that is written.
pub(in crate::log) const BLOCK_FORMAT: u8 = 5;
/// Of blocks that a log of format 6 wrote.
const BLOCK_FORMAT_WITHOUT_FLAGS: u8 = 4;
/// Of blocks that a log of format 5 wrote.
const BLOCK_FORMAT_NOISE_ONLY: u8 = 3;
/// Flag of a follower's block.
const FOLLOWED: u8 = 1;
/// Bytes of zeros in a header.
const RESERVED_BYTES: usize = 24;
/// Bytes before the packed records.
pub(in crate::log) const HEADER_BYTES: usize = 124;
/// Most bytes that a block's records may take unpacked. The writer stays far below (`batch::MAX_BLOCK_BYTES`
/// and one line more); a larger figure in a header is damage.
pub(in crate::log) const MAX_RAW_BYTES: usize = 64 * 1024 * 1024;
/// Most bytes that they may take packed: somewhat more than unpacked, where nothing can be gained.
const MAX_PACKED_BYTES: usize = MAX_RAW_BYTES + MAX_RAW_BYTES / 128;
/// Most records in a block. The writer has never put more than 512 into one.
const MAX_RECORDS: u32 = 4096;
/// Higher levels gain less than 8% on blocks of this size (measured for the design, storage report 4).
const ZSTD_LEVEL: i32 = 1;

/// What a block's header says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::log) struct Header {
    pub(in crate::log) format: u8,
    pub(in crate::log) parts: u16,
    pub(in crate::log) count: u32,
    pub(in crate::log) first: Sequence,
    pub(in crate::log) time: (Timestamp, Timestamp),
    pub(in crate::log) received: (Timestamp, Timestamp),
    pub(in crate::log) raw_bytes: u32,
    pub(in crate::log) packed_bytes: u32,
    pub(in crate::log) chain_before: ChainValue,
    /// Of a follower's block: the place of its last record.
    pub(in crate::log) place: Option<u64>,
    pub(in crate::log) crc: u32,
}

/// One record as formats 4 and 5 store it. `action` and `actor_id` stand beside the message so that later
/// filters need not parse it.
#[derive(Debug, Serialize, Deserialize)]
pub(in crate::log) struct StoredRecord<'a> {
    pub(in crate::log) time: i64,
    pub(in crate::log) received: i64,
    pub(in crate::log) source: &'a str,
    pub(in crate::log) kind: &'a str,
    pub(in crate::log) action: &'a str,
    pub(in crate::log) actor_id: &'a str,
    pub(in crate::log) json: &'a str,
    /// [`crate::event::Noise::code`].
    pub(in crate::log) noise: u8,
    /// Bytes of a message of which a part was kept; 0 for one that was kept whole.
    pub(in crate::log) cut: u64,
    pub(in crate::log) foreign: bool,
}

/// What stands after a record in a follower's block.
#[derive(Debug, Serialize, Deserialize)]
pub(in crate::log) struct StoredOrigin<'a> {
    log: u32,
    seq: u64,
    received: i64,
    source: Option<&'a str>,
}

impl<'a> From<&'a Origin> for StoredOrigin<'a> {
    /// The own time stands in the record.
    fn from(origin: &'a Origin) -> Self {
        Self { log: origin.id.log, seq: origin.id.seq, received: origin.received.nanos(), source: origin.source.as_deref() }
    }
}

impl<'a> From<StoredOrigin<'a>> for OriginParts<'a> {
    fn from(StoredOrigin { log, seq, received, source }: StoredOrigin<'a>) -> Self {
        Self { id: Cursor { log, seq }, received: Timestamp::from_nanos(received), source }
    }
}

impl StoredRecord<'_> {
    fn marks(&self) -> Result<Marks, LogError> {
        let noise = Noise::from_code(self.noise).map_err(|_| damaged("a record with a mark that does not exist"))?;
        Ok(Marks { noise, cut: Some(self.cut).filter(|bytes| *bytes != 0), foreign: self.foreign })
    }
}

/// One record as format 3 stored it.
#[derive(Serialize, Deserialize)]
struct StoredRecord3<'a> {
    time: i64,
    received: i64,
    source: &'a str,
    kind: &'a str,
    action: &'a str,
    actor_id: &'a str,
    json: &'a str,
    noise: u8,
}

impl<'a> From<StoredRecord3<'a>> for StoredRecord<'a> {
    fn from(old: StoredRecord3<'a>) -> Self {
        let StoredRecord3 { time, received, source, kind, action, actor_id, json, noise } = old;
        Self { time, received, source, kind, action, actor_id, json, noise, cut: 0, foreign: false }
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
pub(in crate::log) struct Encoder {
    raw: Vec<u8>,
    count: u32,
    place: Option<u64>,
    time: Option<(Timestamp, Timestamp)>,
    received: Option<(Timestamp, Timestamp)>,
}

fn widen(range: &mut Option<(Timestamp, Timestamp)>, time: Timestamp) {
    *range = Some(range.map_or((time, time), |(min, max)| (min.min(time), max.max(time))));
}

fn serialize(raw: &mut Vec<u8>, part: &impl Serialize) -> Result<(), LogError> {
    // With a limit it would be measured before it is written; the writer bounds what it gives.
    let written = bincode().with_no_limit().serialize_into(raw, part);
    written.map_err(|e| LogError::Internal(format!("cannot encode a record: {e}")))
}

/// One compressor serves the writer's thread: making one takes as long as a small block.
fn compress(raw: &[u8]) -> Result<Vec<u8>, LogError> {
    thread_local!(static COMPRESSOR: RefCell<Option<zstd::bulk::Compressor<'static>>> = const { RefCell::new(None) });
    let failed = |e| LogError::Internal(format!("cannot compress a block: {e}"));
    COMPRESSOR.with_borrow_mut(|slot| {
        let compressor = match slot {
            Some(compressor) => compressor,
            None => slot.insert(zstd::bulk::Compressor::new(ZSTD_LEVEL).map_err(failed)?),
        };
        compressor.compress(raw).map_err(failed)
    })
}

impl Encoder {
    pub(in crate::log) fn push(&mut self, record: &StoredRecord<'_>) -> Result<(), LogError> {
        serialize(&mut self.raw, record)?;
        self.count += 1;
        widen(&mut self.time, Timestamp::from_nanos(record.time));
        widen(&mut self.received, Timestamp::from_nanos(record.received));
        Ok(())
    }

    /// Adds a record of a fleet, which lies at `place` in the stream. A block holds either such records or
    /// others.
    pub(in crate::log) fn push_followed(
        &mut self,
        record: &StoredRecord<'_>,
        origin: &StoredOrigin<'_>,
        place: u64,
    ) -> Result<(), LogError> {
        self.push(record)?;
        self.place = Some(place);
        serialize(&mut self.raw, origin)
    }

    /// With room for so many bytes of records.
    pub(in crate::log) fn with_capacity(bytes: usize) -> Self {
        Self { raw: Vec::with_capacity(bytes), ..Self::default() }
    }

    /// The longest part of the work, which needs nothing of the chain.
    pub(in crate::log) fn compress(self) -> Result<Compressed, LogError> {
        let packed = compress(&self.raw)?;
        Ok(Compressed { raw: self, packed })
    }
}

/// Records in their stored form, without the header.
#[derive(Debug)]
pub(in crate::log) struct Compressed {
    raw: Encoder,
    packed: Vec<u8>,
}

impl Compressed {
    /// The header and the whole value, not yet cut into parts of `part_bytes`.
    pub(in crate::log) fn finish(
        self,
        first: Sequence,
        chain_before: ChainValue,
        part_bytes: usize,
    ) -> Result<(Header, Vec<u8>), LogError> {
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
            chain_before,
            place: raw.place,
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
    pub(in crate::log) fn last(&self) -> Sequence {
        self.first + u64::from(self.count) - 1
    }

    /// Everything but the checksum.
    fn write(&self, out: &mut Vec<u8>) {
        out.push(self.format);
        out.push(if self.place.is_some() { FOLLOWED } else { 0 });
        out.extend_from_slice(&self.parts.to_be_bytes());
        out.extend_from_slice(&self.count.to_be_bytes());
        out.extend_from_slice(&self.first.to_be_bytes());
        for time in [self.time.0, self.time.1, self.received.0, self.received.1] {
            out.extend_from_slice(&time.nanos().to_be_bytes());
        }
        out.extend_from_slice(&self.raw_bytes.to_be_bytes());
        out.extend_from_slice(&self.packed_bytes.to_be_bytes());
        out.extend_from_slice(&self.chain_before);
        out.extend_from_slice(&self.place.unwrap_or(0).to_be_bytes());
        out.extend_from_slice(&[0; RESERVED_BYTES]);
    }

    /// Reads a header; the checksum is not looked at yet.
    pub(in crate::log) fn read(value: &[u8]) -> Result<Self, LogError> {
        let mut rest = value;
        let [format, flags] = take(&mut rest)?;
        if !begins_block(format, flags) {
            return Err(damaged("a block of unknown format"));
        }
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
            place: {
                let place = u64::from_be_bytes(take(&mut rest)?);
                (flags == FOLLOWED).then_some(place)
            },
            crc: {
                let _reserved: [u8; RESERVED_BYTES] = take(&mut rest)?;
                u32::from_be_bytes(take(&mut rest)?)
            },
        };
        // A record takes more than a byte.
        let counted = header.count > 0 && header.count <= header.raw_bytes.min(MAX_RECORDS);
        if header.parts == 0 || !counted || header.first > MAX_SEQUENCE {
            return Err(damaged("a block's header makes no sense"));
        }
        if header.raw_bytes as usize > MAX_RAW_BYTES || header.packed_bytes as usize > MAX_PACKED_BYTES {
            let (mib, most) = (header.raw_bytes.max(header.packed_bytes) >> 20, MAX_RAW_BYTES >> 20);
            return Err(LogError::Damaged(format!("a block of {mib} MiB, and no more than {most} MiB are read")));
        }
        Ok(header)
    }
}

/// Whether a block may begin with these two bytes.
pub(in crate::log) const fn begins_block(format: u8, flags: u8) -> bool {
    match format {
        BLOCK_FORMAT => flags & !FOLLOWED == 0,
        BLOCK_FORMAT_WITHOUT_FLAGS | BLOCK_FORMAT_NOISE_ONLY => flags == 0,
        _ => false,
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
pub(in crate::log) fn check(value: &[u8]) -> Result<(Header, &[u8]), LogError> {
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
mod tests;
