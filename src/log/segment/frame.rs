//! One frame of a segment: a few hundred JSON lines as one zstd frame with a checksum of its own.

use super::summary::Candidates;
use crate::cursor::Sequence;
use crate::log::record::prefilter::{self, Prefiltered, SPARSE};
use crate::log::{Block, LogError, Scan};
use crate::time::Timestamp;
use std::cell::RefCell;
use zstd::zstd_safe::{self, CParameter, DCtx, DParameter, InBuffer, OutBuffer, ResetDirective};

/// Lines of a full frame. More compress better and make a single record dearer to read (docs/benchmarks.md,
/// "Stored history").
pub(super) const LINES: u32 = 768;
/// A frame ends with the line that takes it to this many bytes; a line is at most about 1 MiB.
pub(in crate::log) const RAW_BYTES: usize = 2 * 1024 * 1024;
/// More than any frame holds; a larger figure is damage.
pub(in crate::log) const MAX_RAW_BYTES: usize = 64 * 1024 * 1024;
/// Most bytes that it may take packed: somewhat more than unpacked, where nothing can be gained.
pub(super) const MAX_PACKED_BYTES: usize = MAX_RAW_BYTES + MAX_RAW_BYTES / 128;
/// Shorter matches are chance: the lines share long texts, and what they do not share is hexadecimal digits.
const MIN_MATCH: u32 = 6;
/// Binary logarithms of the sizes of zstd's tables, and of how far back it looks, in bytes. Left to itself
/// zstd takes tables for all of a frame, 6 to 11 MB. They find nothing more in lines so alike;
/// and of what was freed once in one piece glibc keeps twice as much from then on.
const HASH_LOG: u32 = 17;
const CHAIN_LOG: u32 = 17;
const WINDOW_LOG: u32 = 18;
/// Packed bytes that are given to zstd at a time where a frame is not unpacked as a whole: about half a block
/// of it.
const PACKED_STEP: usize = 2048;
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
    pub(in crate::log) fn raw_len(&self) -> usize {
        self.raw as usize
    }

    /// Bytes that are read and unpacked for what is in reach, about.
    pub(in crate::log) fn raw_bytes(&self, candidates: &Candidates) -> usize {
        let lines = match candidates {
            Candidates::Nowhere => return 0,
            Candidates::Anywhere => self.count,
            Candidates::At(positions) => positions.end().min(self.count),
        };
        let bytes = u64::from(self.raw) * u64::from(lines) / u64::from(self.count.max(1));
        // All that is packed is read and checked.
        usize::try_from(bytes + u64::from(self.packed)).unwrap_or(usize::MAX)
    }

    /// Sequence of the last record.
    pub(in crate::log) fn last(&self) -> Sequence {
        self.first + u64::from(self.count) - 1
    }
}

fn damaged(what: &str) -> LogError {
    LogError::Damaged(format!("a frame of a segment {what}"))
}

thread_local!(static COMPRESSOR: RefCell<Option<(i32, zstd::bulk::Compressor<'static>)>> = const { RefCell::new(None) });

/// Gives back what [`pack`] keeps for this thread's next frame: 1 to 2 MB, which nothing needs while nothing
/// is sealed.
pub(in crate::log) fn let_go_of_compressor() {
    COMPRESSOR.set(None);
}

/// A compressor with small tables.
pub(in crate::log::segment) fn compressor(level: i32) -> std::io::Result<zstd::bulk::Compressor<'static>> {
    let mut compressor = zstd::bulk::Compressor::new(level)?;
    compressor.set_parameter(CParameter::HashLog(HASH_LOG))?;
    compressor.set_parameter(CParameter::ChainLog(CHAIN_LOG))?;
    compressor.set_parameter(CParameter::WindowLog(WINDOW_LOG))?;
    Ok(compressor)
}

/// Packs lines at `level`.
pub(in crate::log) fn pack(lines: &[u8], level: i32) -> Result<Vec<u8>, LogError> {
    let failed = |e| LogError::Internal(format!("cannot compress a frame: {e}"));
    COMPRESSOR.with_borrow_mut(|slot| {
        if slot.as_ref().is_none_or(|(of, _)| *of != level) {
            let mut compressor = compressor(level).map_err(failed)?;
            compressor.set_parameter(CParameter::ChecksumFlag(true)).map_err(failed)?;
            compressor.set_parameter(CParameter::MinMatch(MIN_MATCH)).map_err(failed)?;
            *slot = Some((level, compressor));
        }
        let (_, compressor) = slot.as_mut().ok_or_else(|| damaged("has no compressor"))?;
        compressor.compress(lines).map_err(failed)
    })
}

/// Unpacks a frame that lies at the start of `bytes` and hands its lines to `read`, with the bytes that the
/// frame takes. `checked`: the packed bytes are known to be what was written, so that zstd's own checksum, a
/// seventh of the time, need not be looked at.
pub(super) fn unpack<T>(bytes: &[u8], checked: bool, read: impl FnOnce(&[u8], usize) -> Result<T, LogError>) -> Result<T, LogError> {
    let packed = zstd_safe::find_frame_compressed_size(bytes).map_err(|_| damaged("is cut off"))?;
    let raw = match zstd_safe::get_frame_content_size(bytes) {
        Ok(Some(raw)) if raw <= MAX_RAW_BYTES as u64 => usize::try_from(raw).map_err(|_| damaged("is too large"))?,
        _ => return Err(damaged("does not tell a sensible size")),
    };
    let frame = bytes.get(..packed).ok_or_else(|| damaged("is cut off"))?;
    with_scratch(raw, |context, scratch| {
        context.set_parameter(DParameter::ForceIgnoreChecksum(checked)).map_err(failed)?;
        let unpacked = context.decompress(scratch, frame).map_err(failed)?;
        if unpacked == raw { read(scratch, packed) } else { Err(damaged("is of another size than it tells")) }
    })
}

/// Whether what `bytes` begins with continues after them.
pub(super) fn is_cut_off(bytes: &[u8]) -> bool {
    zstd_safe::find_frame_compressed_size(bytes).is_err_and(|code| zstd_safe::get_error_name(code) == "Src size is incorrect")
}

/// What it took at most to find out that `bytes` do not begin with a frame of ours.
pub(super) fn claimed_bytes(bytes: &[u8]) -> u64 {
    let raw = zstd_safe::get_frame_content_size(bytes).ok().flatten().filter(|raw| *raw <= MAX_RAW_BYTES as u64);
    bytes.len() as u64 + raw.unwrap_or(0)
}

fn failed(code: usize) -> LogError {
    damaged(zstd_safe::get_error_name(code))
}

/// Hands a decompressor and an empty buffer with room for `raw` bytes to `work`.
fn with_scratch<T>(raw: usize, work: impl FnOnce(&mut DCtx<'static>, &mut Vec<u8>) -> Result<T, LogError>) -> Result<T, LogError> {
    // Frames come one after the other on a thread that scans: one buffer serves them all.
    thread_local!(static SCRATCH: RefCell<(DCtx<'static>, Vec<u8>)> = RefCell::new((DCtx::create(), Vec::new())));
    SCRATCH.with_borrow_mut(|(context, scratch)| {
        context.reset(ResetDirective::SessionAndParameters).map_err(failed)?;
        scratch.clear();
        scratch.reserve(raw);
        let result = work(context, scratch);
        if scratch.capacity() > 4 * RAW_BYTES {
            *scratch = Vec::new();
        }
        result
    })
}

fn check(packed: &[u8], meta: &FrameMeta) -> Result<(), LogError> {
    if crc32fast::hash(packed) == meta.crc { Ok(()) } else { Err(damaged("has another checksum")) }
}

/// What is in a frame for a scan, where its summary says that this may be.
pub(super) fn prefilter(packed: &[u8], meta: &FrameMeta, candidates: &Candidates, scan: &Scan) -> Result<Prefiltered, LogError> {
    check(packed, meta)?;
    match candidates {
        Candidates::At(positions) if positions.lines().count() * SPARSE < meta.count as usize => {
            unpack_lines(packed, meta, positions.end().min(meta.count), |lines, ends| {
                let lines = positions
                    .lines()
                    .map_while(|line| line_at(lines, ends, line))
                    .map(|(line, bytes)| (meta.first + Sequence::from(line), bytes));
                prefilter::pick(lines, scan).map(Prefiltered::Few)
            })
        }
        _ => unpack(packed, true, |lines, _| prefilter::prefilter(lines, meta.first, meta.last(), scan)),
    }
}

/// A line with its end; `ends` tells where lines end.
fn line_at<'a>(lines: &'a [u8], ends: &[usize], line: u32) -> Option<(u32, &'a [u8])> {
    let at = line as usize;
    let start = at.checked_sub(1).map_or(Some(0), |before| ends.get(before).copied())?;
    lines.get(start..*ends.get(at)?).map(|bytes| (line, bytes))
}

/// Unpacks a frame, known to be what was written, as far as it takes for its first `lines` lines, and hands
/// these to `read` with where each ends.
fn unpack_lines<T>(
    packed: &[u8],
    meta: &FrameMeta,
    lines: u32,
    read: impl FnOnce(&[u8], &[usize]) -> Result<T, LogError>,
) -> Result<T, LogError> {
    if meta.raw as usize > MAX_RAW_BYTES {
        return Err(damaged("does not have a sensible size"));
    }
    with_scratch(meta.raw as usize, |context, scratch| {
        context.set_parameter(DParameter::ForceIgnoreChecksum(true)).map_err(failed)?;
        // Unpacked to where it is read, in which there is room for the whole frame; else zstd has a buffer of
        // its own and copies.
        context.set_parameter(DParameter::StableOutBuffer(true)).map_err(failed)?;
        let mut out = OutBuffer::around(scratch);
        // Lines are much alike, so that they end about here.
        let share = u64::from(meta.packed) * u64::from(lines) / u64::from(meta.count.max(1));
        let (mut given, mut taken) = (usize::try_from(share).map_or(packed.len(), |share| share.min(packed.len())), 0);
        let mut ends = Vec::with_capacity(lines as usize);
        let mut looked = 0;
        'unpacked: loop {
            let mut input = InBuffer::around(packed.get(taken..given).unwrap_or_default());
            let more = context.decompress_stream(&mut out, &mut input).map_err(failed)?;
            taken += input.pos();
            for end in memchr::memchr_iter(b'\n', out.as_slice().get(looked..).unwrap_or_default()) {
                ends.push(looked + end + 1);
                if ends.len() == lines as usize {
                    break 'unpacked;
                }
            }
            if more == 0 || taken == packed.len() {
                return Err(damaged("has another number of lines"));
            }
            looked = out.pos();
            given = (given + PACKED_STEP).min(packed.len());
        }
        read(out.as_slice(), &ends)
    })
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
        let lines: Vec<u8> = (1..200u64).flat_map(|n| crate::log::testing::contract::line(n).into_bytes()).collect();
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
