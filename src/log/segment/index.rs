//! What stands after the frames of a segment: its index with the summaries, and the seek table of the zstd
//! seekable format. Both lie in skippable frames, which every zstd decoder passes over (RFC 8878, 3.1.2).
//!
//! ```text
//! index   offset  0 "shipslog" · form u8 · fast packed u8 · 2 zero bytes · frames u32 · log id (16 bytes)
//!         offset 32 first sequence u64 · min, max received time i64
//!         offset 56 chain value before the first line · frames a chunk of summaries u32 · chunks u32
//!         offset 96 each frame: first sequence u64 · lines, packed bytes, raw bytes, CRC-32 of the packed
//!                   bytes u32 · min, max event time i64 · chain value after its last line
//!         then each chunk: length, CRC-32 u32 · CRC-32 u32 of all that · the chunks (summary/mod.rs)
//! ```
//! In form 1 the chunks tell no positions (summary/positions.rs). These integers are big-endian; those that
//! zstd defines are little-endian.

use super::frame::{self, FrameMeta};
use super::summary::CHUNK_FRAMES;
use crate::cursor::{LogId, MAX_SEQUENCE, Sequence};
use crate::log::LogError;
use crate::log::record::chain::ChainValue;
use crate::time::Timestamp;

const MAGIC: &[u8; 8] = b"shipslog";
/// The form that is written, and the one before it.
const FORM: u8 = 2;
const FORM_WITHOUT_POSITIONS: u8 = 1;
/// Skippable frames with these magic numbers: ours, and that of the seekable format.
const INDEX_FRAME: u32 = 0x184D_2A51;
const SEEK_FRAME: u32 = 0x184D_2A5E;
/// Ends a file in the seekable format.
const SEEKABLE: u32 = 0x8F92_EAB1;
/// Bytes before a skippable frame's content.
const FRAME_HEAD: usize = 8;
/// Bytes of the seek table's footer and of one of its entries.
pub(super) const FOOTER: usize = 9;
const ENTRY: usize = 8;
/// More frames than any segment has: one of 64 MiB has some 2,000.
const MAX_FRAMES: u32 = 1 << 18;
/// Longest index with its summaries, in bytes. That of a segment of 64 MiB takes about 1 MiB.
pub(super) const MAX_BYTES: u32 = 64 * 1024 * 1024;
/// Bytes of the index about each frame, and about each chunk.
const ABOUT_FRAME: usize = 72;
const ABOUT_CHUNK: usize = 8;

/// Where a chunk of summaries lies.
#[derive(Debug, Clone, Copy)]
pub(super) struct ChunkPlace {
    pub(super) offset: u64,
    pub(super) bytes: u32,
    pub(super) crc: u32,
    /// Whether they tell positions.
    pub(super) has_positions: bool,
}

/// The index of a segment, as it is stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::log) struct IndexData {
    pub(in crate::log) log: LogId,
    pub(in crate::log) received: (Timestamp, Timestamp),
    pub(in crate::log) chain_before: ChainValue,
    /// Some of it takes more room than it would have to: it is to be packed again when there is time.
    pub(in crate::log) fast_packed: bool,
    pub(in crate::log) frames: Vec<FrameMeta>,
    /// The value after the last line of each frame.
    pub(in crate::log) chain_after: Vec<ChainValue>,
}

fn damaged(what: &str) -> LogError {
    LogError::Damaged(format!("the index of a segment {what}"))
}

/// Integers as zstd writes them.
mod zstd_int {
    #![expect(clippy::little_endian_bytes, reason = "zstd's format is little-endian")]

    pub(super) fn put(out: &mut Vec<u8>, value: u32) {
        out.extend_from_slice(&value.to_le_bytes());
    }

    pub(super) fn get(bytes: &[u8], at: usize) -> Option<u32> {
        bytes.get(at..at + 4)?.try_into().ok().map(u32::from_le_bytes)
    }
}

fn take<const N: usize>(rest: &mut &[u8]) -> Result<[u8; N], LogError> {
    let (head, tail) = rest.split_first_chunk::<N>().ok_or_else(|| damaged("is cut off"))?;
    *rest = tail;
    Ok(*head)
}

fn take_u32(rest: &mut &[u8]) -> Result<u32, LogError> {
    take(rest).map(u32::from_be_bytes)
}

fn take_time(rest: &mut &[u8]) -> Result<Timestamp, LogError> {
    take(rest).map(|b| Timestamp::from_nanos(i64::from_be_bytes(b)))
}

fn length(bytes: usize) -> Result<u32, LogError> {
    u32::try_from(bytes).map_err(|_| damaged("is over 4 GiB"))
}

impl IndexData {
    /// Sequence of the first record.
    pub(in crate::log) fn first(&self) -> Sequence {
        self.frames.first().map_or(1, |frame| frame.first)
    }

    /// Both skippable frames.
    pub(super) fn write(&self, chunks: &[Vec<u8>]) -> Result<Vec<u8>, LogError> {
        let mut body = Vec::with_capacity(128 + 64 * self.frames.len() + chunks.iter().map(|c| c.len() + 8).sum::<usize>());
        body.extend_from_slice(MAGIC);
        body.extend_from_slice(&[FORM, u8::from(self.fast_packed), 0, 0]);
        body.extend_from_slice(&length(self.frames.len())?.to_be_bytes());
        body.extend_from_slice(&self.log.to_bytes());
        body.extend_from_slice(&self.first().to_be_bytes());
        body.extend_from_slice(&self.received.0.nanos().to_be_bytes());
        body.extend_from_slice(&self.received.1.nanos().to_be_bytes());
        body.extend_from_slice(&self.chain_before);
        body.extend_from_slice(&length(CHUNK_FRAMES)?.to_be_bytes());
        body.extend_from_slice(&length(chunks.len())?.to_be_bytes());
        for (frame, chain) in self.frames.iter().zip(&self.chain_after) {
            body.extend_from_slice(&frame.first.to_be_bytes());
            for value in [frame.count, frame.packed, frame.raw, frame.crc] {
                body.extend_from_slice(&value.to_be_bytes());
            }
            body.extend_from_slice(&frame.time.0.nanos().to_be_bytes());
            body.extend_from_slice(&frame.time.1.nanos().to_be_bytes());
            body.extend_from_slice(chain);
        }
        for chunk in chunks {
            body.extend_from_slice(&length(chunk.len())?.to_be_bytes());
            body.extend_from_slice(&crc32fast::hash(chunk).to_be_bytes());
        }
        body.extend_from_slice(&crc32fast::hash(&body).to_be_bytes());
        for chunk in chunks {
            body.extend_from_slice(chunk);
        }

        let mut out = Vec::with_capacity(body.len() + ENTRY * (self.frames.len() + 3));
        zstd_int::put(&mut out, INDEX_FRAME);
        zstd_int::put(&mut out, length(body.len())?);
        out.append(&mut body);
        let index_bytes = length(out.len())?;
        zstd_int::put(&mut out, SEEK_FRAME);
        zstd_int::put(&mut out, length(ENTRY * (self.frames.len() + 1) + FOOTER)?);
        for (packed, raw) in self.frames.iter().map(|frame| (frame.packed, frame.raw)).chain([(index_bytes, 0)]) {
            zstd_int::put(&mut out, packed);
            zstd_int::put(&mut out, raw);
        }
        zstd_int::put(&mut out, length(self.frames.len() + 1)?);
        out.push(0);
        zstd_int::put(&mut out, SEEKABLE);
        Ok(out)
    }

    /// Reads the content of the index's frame, up to the summaries: the index, and where in it the chunks of
    /// summaries lie.
    pub(super) fn read(body: &[u8]) -> Result<(Self, Vec<ChunkPlace>), LogError> {
        let mut rest = body;
        if take::<8>(&mut rest)? != *MAGIC {
            return Err(damaged("has an unknown form"));
        }
        let [form @ (FORM | FORM_WITHOUT_POSITIONS), fast_packed, _, _] = take::<4>(&mut rest)? else {
            return Err(damaged("has an unknown form"));
        };
        let count = take_u32(&mut rest)?;
        // The checksum comes after all this: no more is believed than what is there can tell.
        if count == 0 || count > MAX_FRAMES || count as usize > rest.len() / ABOUT_FRAME {
            return Err(damaged("makes no sense"));
        }
        let log = LogId::from_bytes(take(&mut rest)?);
        let mut next = u64::from_be_bytes(take(&mut rest)?);
        let received = (take_time(&mut rest)?, take_time(&mut rest)?);
        let chain_before = take(&mut rest)?;
        let (chunk_frames, chunk_count) = (take_u32(&mut rest)? as usize, take_u32(&mut rest)? as usize);
        let (mut frames, mut chain_after, mut offset) = (Vec::with_capacity(count as usize), Vec::with_capacity(count as usize), 0);
        for _ in 0..count {
            let first = u64::from_be_bytes(take(&mut rest)?);
            let (count, packed, raw, crc) = (take_u32(&mut rest)?, take_u32(&mut rest)?, take_u32(&mut rest)?, take_u32(&mut rest)?);
            let time = (take_time(&mut rest)?, take_time(&mut rest)?);
            chain_after.push(take(&mut rest)?);
            frames.push(FrameMeta { first, count, time, offset, packed, raw, crc });
            let sizes = count <= raw && raw as usize <= frame::MAX_RAW_BYTES && packed as usize <= frame::MAX_PACKED_BYTES;
            if first < next || count == 0 || first > MAX_SEQUENCE || !sizes {
                return Err(damaged("makes no sense"));
            }
            next = first.checked_add(u64::from(count)).ok_or_else(|| damaged("makes no sense"))?;
            offset += u64::from(packed);
        }
        if chunk_frames != CHUNK_FRAMES || chunk_count != frames.len().div_ceil(CHUNK_FRAMES) {
            return Err(damaged("makes no sense"));
        }
        if chunk_count > rest.len() / ABOUT_CHUNK {
            return Err(damaged("is cut off"));
        }
        let lengths = (0..chunk_count).map(|_| Ok((take_u32(&mut rest)?, take_u32(&mut rest)?))).collect::<Result<Vec<_>, LogError>>()?;
        let fixed = body.len() - rest.len();
        if crc32fast::hash(body.get(..fixed).unwrap_or_default()) != take_u32(&mut rest)? {
            return Err(damaged("has another checksum"));
        }
        let mut at = (body.len() - rest.len()) as u64;
        let place = |(bytes, crc): (u32, u32)| {
            let place = ChunkPlace { offset: at, bytes, crc, has_positions: form != FORM_WITHOUT_POSITIONS };
            at += u64::from(bytes);
            place
        };
        Ok((
            Self { log, received, chain_before, fast_packed: fast_packed != 0, frames, chain_after },
            lengths.into_iter().map(place).collect(),
        ))
    }
}

/// How many bytes at the end of a file its seek table takes, judged by the footer.
pub(super) fn seek_table_bytes(footer: &[u8]) -> Result<usize, LogError> {
    match (zstd_int::get(footer, 0), footer.get(4), zstd_int::get(footer, 5)) {
        (Some(frames), Some(0), Some(SEEKABLE)) if (2..=MAX_FRAMES).contains(&frames) => Ok(FRAME_HEAD + ENTRY * frames as usize + FOOTER),
        _ => Err(damaged("is not where it should be: the file does not end with a seek table")),
    }
}

/// Packed bytes of each frame of a file, the index's own last, as its seek table tells.
pub(super) fn read_seek_table(table: &[u8]) -> Result<Vec<u32>, LogError> {
    let content = table.len().checked_sub(FRAME_HEAD).ok_or_else(|| damaged("is cut off"))?;
    if zstd_int::get(table, 0) != Some(SEEK_FRAME) || zstd_int::get(table, 4) != u32::try_from(content).ok() {
        return Err(damaged("lies after a seek table that makes no sense"));
    }
    let entries = content.saturating_sub(FOOTER) / ENTRY;
    (0..entries).map(|at| zstd_int::get(table, FRAME_HEAD + ENTRY * at).ok_or_else(|| damaged("is cut off"))).collect()
}

/// The content of the index's frame.
pub(super) fn index_content(frame: &[u8]) -> Result<&[u8], LogError> {
    match (zstd_int::get(frame, 0), zstd_int::get(frame, 4), frame.get(FRAME_HEAD..)) {
        (Some(INDEX_FRAME), Some(bytes), Some(content)) if content.len() == bytes as usize => Ok(content),
        _ => Err(damaged("is not where it should be")),
    }
}

/// Bytes of the skippable frame that begins here, if one does.
pub(super) fn skippable(bytes: &[u8]) -> Option<u64> {
    let magic = zstd_int::get(bytes, 0)?;
    (magic & 0xFFFF_FFF0 == 0x184D_2A50).then_some(())?;
    Some(FRAME_HEAD as u64 + u64::from(zstd_int::get(bytes, 4)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As the head of an index that somebody made up.
    #[test]
    fn no_more_frames_are_believed_than_any_segment_has() {
        let footer =
            |frames: u32| [&frames.to_be_bytes().into_iter().rev().collect::<Vec<u8>>()[..], &[0, 0xB1, 0xEA, 0x92, 0x8F]].concat();
        assert_eq!(seek_table_bytes(&footer(MAX_FRAMES)).unwrap(), FRAME_HEAD + ENTRY * MAX_FRAMES as usize + FOOTER);
        for frames in [0, 1, MAX_FRAMES + 1, u32::MAX] {
            assert!(seek_table_bytes(&footer(frames)).is_err(), "{frames}");
        }
        // Whatever it tells of them makes sense; only what comes after is missing.
        let index = |frames: u32| {
            let mut body = [&MAGIC[..], &[FORM, 0, 0, 0], &frames.to_be_bytes(), &[0; 16 + 8 + 16 + 32]].concat();
            for number in [CHUNK_FRAMES, (frames as usize).div_ceil(CHUNK_FRAMES)] {
                body.extend(length(number).unwrap().to_be_bytes());
            }
            for first in 1..=u64::from(frames) {
                body.extend(first.to_be_bytes());
                body.extend([1u32, 1, 1, 0].iter().flat_map(|number| number.to_be_bytes()));
                body.extend([0; 16 + 32]);
            }
            IndexData::read(&body).unwrap_err().to_string()
        };
        assert!(index(MAX_FRAMES).contains("is cut off"));
        assert!(index(MAX_FRAMES + 1).contains("makes no sense"));
    }
}
