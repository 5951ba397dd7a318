//! One frame of a segment: a few hundred JSON lines as one zstd frame with a checksum of its own.

use crate::cursor::Sequence;
use crate::log::sift::{self, Sifted};
use crate::log::{Block, LogError, Scan};
use crate::time::Timestamp;
use std::cell::RefCell;
use zstd::zstd_safe::{self, CParameter, DCtx, DParameter};

/// Lines of a full frame. More compress better and make a single record dearer to read (README, "Measured").
pub(super) const LINES: u32 = 1024;
/// A frame ends with the line that takes it to this many bytes; a line is at most about 1 MiB.
pub(super) const RAW_BYTES: usize = 2 * 1024 * 1024;
/// More than any frame holds; a larger figure is damage.
pub(super) const MAX_RAW_BYTES: usize = 64 * 1024 * 1024;
/// Shorter matches are chance: the lines share long texts, and what they do not share is hexadecimal digits.
const MIN_MATCH: u32 = 6;
/// What an ordinary zstd frame begins with (RFC 8878, 3.1.1), as it lies in a file.
pub(super) const MAGIC: [u8; 4] = [0x28, 0xB5, 0x2F, 0xFD];

/// Where a frame lies and what it covers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::log) struct FrameMeta {
    pub(in crate::log) first: Sequence,
    pub(in crate::log) count: u32,
    pub(in crate::log) time: (Timestamp, Timestamp),
    pub(super) offset: u64,
    pub(super) packed: u32,
    pub(super) raw: u32,
    /// CRC-32 of the packed bytes: zstd's own checksum covers what a frame holds, not how it is written down.
    pub(super) crc: u32,
}

impl FrameMeta {
    /// Bytes that it takes in the file.
    pub(in crate::log) fn packed_bytes(&self) -> u32 {
        self.packed
    }

    /// Bytes of its lines.
    pub(in crate::log) fn raw_bytes(&self) -> usize {
        self.raw as usize
    }

    /// Sequence of the last record.
    pub(in crate::log) fn last(&self) -> Sequence {
        self.first + u64::from(self.count) - 1
    }
}

fn damaged(what: &str) -> LogError {
    LogError::Damaged(format!("a frame of a segment {what}"))
}

/// Packs lines at `level`.
pub(in crate::log) fn pack(lines: &[u8], level: i32) -> Result<Vec<u8>, LogError> {
    thread_local!(static COMPRESSOR: RefCell<Option<(i32, zstd::bulk::Compressor<'static>)>> = const { RefCell::new(None) });
    let failed = |e| LogError::Damaged(format!("cannot compress a frame: {e}"));
    COMPRESSOR.with_borrow_mut(|slot| {
        if slot.as_ref().is_none_or(|(of, _)| *of != level) {
            let mut compressor = zstd::bulk::Compressor::new(level).map_err(failed)?;
            compressor.set_parameter(CParameter::ChecksumFlag(true)).map_err(failed)?;
            compressor.set_parameter(CParameter::MinMatch(MIN_MATCH)).map_err(failed)?;
            *slot = Some((level, compressor));
        }
        let (_, compressor) = slot.as_mut().ok_or_else(|| damaged("has no compressor"))?;
        compressor.compress(lines).map_err(failed)
    })
}

/// Unpacks a frame that lies at the start of `bytes` and hands its lines to `read`, with the bytes that the frame takes. `checked`: the
/// packed bytes are known to be what was written, so that zstd's own checksum, a seventh of the time, need not be looked at.
pub(super) fn unpack<T>(bytes: &[u8], checked: bool, read: impl FnOnce(&[u8], usize) -> Result<T, LogError>) -> Result<T, LogError> {
    // Frames come one after the other on a thread that scans: one buffer serves them all.
    thread_local!(static SCRATCH: RefCell<(DCtx<'static>, Vec<u8>)> = RefCell::new((DCtx::create(), Vec::new())));
    let packed = zstd_safe::find_frame_compressed_size(bytes).map_err(|_| damaged("is cut off"))?;
    let raw = match zstd_safe::get_frame_content_size(bytes) {
        Ok(Some(raw)) if raw <= MAX_RAW_BYTES as u64 => usize::try_from(raw).map_err(|_| damaged("is too large"))?,
        _ => return Err(damaged("does not tell a sensible size")),
    };
    let frame = bytes.get(..packed).ok_or_else(|| damaged("is cut off"))?;
    SCRATCH.with_borrow_mut(|(context, scratch)| {
        context.set_parameter(DParameter::ForceIgnoreChecksum(checked)).map_err(|_| damaged("has no decompressor"))?;
        scratch.clear();
        scratch.reserve(raw);
        let unpacked = context.decompress(scratch, frame).map_err(|code| damaged(zstd_safe::get_error_name(code)))?;
        let result = if unpacked == raw { read(scratch, packed) } else { Err(damaged("is of another size than it tells")) };
        if scratch.capacity() > 4 * RAW_BYTES {
            *scratch = Vec::new();
        }
        result
    })
}

fn check(packed: &[u8], meta: &FrameMeta) -> Result<(), LogError> {
    if crc32fast::hash(packed) == meta.crc { Ok(()) } else { Err(damaged("has another checksum")) }
}

/// What is in a frame for a scan.
pub(super) fn sift(packed: &[u8], meta: &FrameMeta, scan: &Scan) -> Result<Sifted, LogError> {
    check(packed, meta)?;
    unpack(packed, true, |lines, _| sift::sift(lines, meta.first, meta.last(), scan))
}

/// The block of a frame, checked against what is known of it.
pub(super) fn block(packed: &[u8], meta: &FrameMeta) -> Result<Block, LogError> {
    check(packed, meta)?;
    let block = unpack(packed, true, |lines, _| Block::from_lines(meta.first, lines))?;
    if block.last() == meta.last() { Ok(block) } else { Err(damaged("has another number of lines")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_flip_and_truncation_is_noticed() {
        let lines: Vec<u8> = (1..200u64).flat_map(|n| crate::log::contract::line(n).into_bytes()).collect();
        let packed = pack(&lines, 3).unwrap();
        let meta = FrameMeta {
            first: 1,
            count: 199,
            time: (Timestamp::MIN, Timestamp::MAX),
            offset: 0,
            packed: u32::try_from(packed.len()).unwrap(),
            raw: u32::try_from(lines.len()).unwrap(),
            crc: crc32fast::hash(&packed),
        };
        assert_eq!(block(&packed, &meta).unwrap().sequences(), 1..=199);
        for at in 0..packed.len() {
            let mut bad = packed.clone();
            bad[at] ^= 1 << (at % 8);
            assert!(block(&bad, &meta).is_err(), "flip at {at}");
            // Without the CRC, as when the summaries are lost: never other lines.
            if let Ok(found) = unpack(&bad, false, |found, _| Ok(found.to_vec())) {
                assert_eq!(found, lines, "flip at {at}");
            }
            assert!(block(&packed[..at], &meta).is_err(), "cut at {at}");
        }
    }
}
