//! The payload of a parcel: one zstd frame, with zstd's own checksum, of whole lines.

use super::head::{Head, mark};
use crate::chain::{self, ChainValue};
use zstd::zstd_safe;
use zstd::zstd_safe::CParameter;

/// Bytes of a parcel's lines, at most: a full frame of a segment, which ends with the line that takes it to
/// 2 MiB, and the longest line (4 MiB).
pub const MAX_RAW_BYTES: usize = 8 * 1024 * 1024;
/// zstd's level. What a host sends live are few lines; what it has sealed is packed better already.
const LEVEL: i32 = 3;
/// In the fifth byte of a zstd frame (RFC 8878, 3.1.1.1.1): a checksum stands at the end.
const CHECKSUM_FLAG: u8 = 4;
const DESCRIPTOR_AT: usize = 4;

/// Why a payload is not what its head tells.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PayloadError {
    /// Lines that no parcel has.
    #[error("a message holds {0} bytes of lines, more than {MAX_RAW_BYTES}")]
    TooLarge(u64),
    /// Not one whole zstd frame with a checksum.
    #[error("a message is not one zstd frame with a checksum: {0}")]
    Frame(String),
    /// Another number of lines than the head tells.
    #[error("a message holds {found} lines, and its head tells {told}")]
    Lines {
        /// As it holds.
        found: usize,
        /// As its head tells.
        told: u32,
    },
    /// The lines do not give the chain's value: they, the head, or what was there before is altered.
    #[error("the lines of a message do not give the value of the hash chain in its head")]
    Chain,
    /// zstd could not pack lines.
    #[error("cannot pack lines: {0}")]
    Pack(String),
}

/// The lines of a parcel, checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unpacked {
    /// Each with its line end.
    pub lines: Vec<u8>,
    /// The chain's value after the last of them.
    pub chain: ChainValue,
}

/// Packs lines, each with its line end.
///
/// # Errors
/// When zstd cannot: there is no memory.
pub fn pack(lines: &[u8]) -> Result<Vec<u8>, PayloadError> {
    let failed = |e: std::io::Error| PayloadError::Pack(e.to_string());
    let mut compressor = zstd::bulk::Compressor::new(LEVEL).map_err(failed)?;
    compressor.set_parameter(CParameter::ChecksumFlag(true)).map_err(failed)?;
    compressor.compress(lines).map_err(failed)
}

/// The lines of a payload, each with its line end, as many as `head` tells. Where they lie in the chain is
/// not looked at.
///
/// # Errors
/// When the payload is something else.
pub fn unpack(head: &Head, payload: &[u8]) -> Result<Vec<u8>, PayloadError> {
    let no = |why: &str| PayloadError::Frame(why.to_owned());
    let size = zstd_safe::find_frame_compressed_size(payload).map_err(|code| no(zstd_safe::get_error_name(code)))?;
    if size != payload.len() {
        return Err(no("something follows it"));
    }
    if payload.get(DESCRIPTOR_AT).is_none_or(|descriptor| descriptor & CHECKSUM_FLAG == 0) {
        return Err(no("it has no checksum"));
    }
    let raw = zstd_safe::get_frame_content_size(payload).ok().flatten().ok_or_else(|| no("it does not tell its size"))?;
    let capacity = usize::try_from(raw).ok().filter(|raw| *raw <= MAX_RAW_BYTES).ok_or(PayloadError::TooLarge(raw))?;
    let lines = zstd::bulk::decompress(payload, capacity).map_err(|e| no(&e.to_string()))?;
    let found = memchr::memchr_iter(b'\n', &lines).count();
    if found != head.count as usize || !lines.ends_with(b"\n") {
        return Err(PayloadError::Lines { found, told: head.count });
    }
    Ok(lines)
}

/// As [`unpack`], for lines that follow upon `before` in the host's chain.
///
/// # Errors
/// As [`unpack`], and [`PayloadError::Chain`].
pub fn open(head: &Head, payload: &[u8], before: &ChainValue) -> Result<Unpacked, PayloadError> {
    let lines = unpack(head, payload)?;
    let chain = chain::after(before, &lines);
    if mark(&chain) == head.after { Ok(Unpacked { lines, chain }) } else { Err(PayloadError::Chain) }
}
