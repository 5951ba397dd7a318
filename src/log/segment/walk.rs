//! A segment without its index: what its frames hold, found by walking them.

use super::frame::{self, FrameMeta};
use super::{IndexData, index};
use crate::cursor::{Cursor, LogId, MAX_SEQUENCE, Sequence};
use crate::log::LogError;
use crate::log::dir::durable::io;
use crate::log::dir::files::{next_data, read_up_to};
use crate::log::record::chain::{self, CHAIN_START, ChainValue};
use crate::log::record::line::Line;
use crate::time::Timestamp;
use std::fs::File;
use std::path::Path;

/// The times of a frame's lines.
#[derive(Debug, Default)]
struct Seen {
    first: Sequence,
    log: u32,
    count: u32,
    time: Option<(Timestamp, Timestamp)>,
    received: Option<(Timestamp, Timestamp)>,
}

/// What is looked at of a file at a time, unless a frame is longer; bytes.
const PIECE_BYTES: usize = 256 * 1024;
/// Bytes of frames that turn out to be none, packed and unpacked, at most, that one walk takes. Damage costs
/// a frame a time; somebody else's file may look like the begin of a frame everywhere.
const MAX_FUTILE_BYTES: u64 = 4 * 1024 * 1024 * 1024;

/// Makes the index again. A frame that cannot be read is a hole; the next one is found by its magic number.
pub(super) fn rebuild(file: &File, path: &Path, bytes: u64) -> Result<IndexData, LogError> {
    rebuild_within(MAX_FUTILE_BYTES, file, path, bytes)
}

/// With another bound than [`MAX_FUTILE_BYTES`].
pub(super) fn rebuild_within(max_futile: u64, file: &File, path: &Path, bytes: u64) -> Result<IndexData, LogError> {
    let mut walk = Walk::default();
    let (mut at, mut piece, mut wanted, mut futile) = (0, Vec::new(), PIECE_BYTES, 0);
    // A frame does not begin with zeros, so none begins in a hole of the file.
    while let Some((from, _)) = next_data(file, at, bytes) {
        at = from;
        let most = bytes - at;
        piece.resize(usize::try_from(most).map_or(wanted, |most| most.min(wanted)), 0);
        let read = read_up_to(file, &mut piece, at).map_err(io("cannot read", path))?;
        if read == 0 {
            break;
        }
        piece.truncate(read);
        if let Some(skipped) = index::skippable(&piece).filter(|skipped| *skipped <= most) {
            at += skipped;
            continue;
        }
        let begins = piece.starts_with(&frame::MAGIC);
        if begins && frame::is_cut_off(&piece) && piece.len() as u64 != most && wanted < frame::MAX_PACKED_BYTES {
            wanted = (4 * wanted).min(frame::MAX_PACKED_BYTES);
            futile += piece.len() as u64;
            continue;
        }
        wanted = PIECE_BYTES;
        if begins && let Some(packed) = walk.take(&piece, at) {
            at += packed as u64;
            continue;
        }
        futile += if begins { frame::claimed_bytes(&piece) } else { 0 };
        if futile > max_futile {
            tracing::error!(path = %path.display(), "too much of the segment looks like frames and is none; what follows is not read");
            break;
        }
        // A magic number may begin in one piece and end in the next.
        let search = piece.get(1..).unwrap_or_default();
        let beyond = search.len().saturating_sub(frame::MAGIC.len() - 1);
        at += 1 + memchr::memmem::find(search, &frame::MAGIC).unwrap_or(beyond) as u64;
    }
    walk.end().ok_or_else(|| LogError::Damaged(format!("{} holds no frame that can be read", path.display())))
}

/// What has been found so far.
#[derive(Default)]
struct Walk {
    frames: Vec<FrameMeta>,
    chain_after: Vec<ChainValue>,
    received: Option<(Timestamp, Timestamp)>,
    log: Option<u32>,
}

impl Walk {
    /// Takes the frame with which `bytes` begins, if that is one of ours that follows; how long it is.
    fn take(&mut self, bytes: &[u8], at: u64) -> Option<usize> {
        let mut chain = self.chain_after.last().copied().unwrap_or(CHAIN_START);
        let (seen, packed, raw) = frame::unpack(bytes, false, |lines, packed| Ok((look(lines, &mut chain)?, packed, lines.len()))).ok()?;
        let next = self.frames.last().map_or(0, |frame| frame.last() + 1);
        if seen.first < next || self.log.is_some_and(|log| log != seen.log) {
            return None;
        }
        self.log = Some(seen.log);
        self.received = merge(self.received, seen.received);
        self.frames.push(FrameMeta {
            first: seen.first,
            count: seen.count,
            time: seen.time.unwrap_or_default(),
            offset: at,
            packed: u32::try_from(packed).ok()?,
            raw: u32::try_from(raw).ok()?,
            crc: crc32fast::hash(bytes.get(..packed).unwrap_or_default()),
        });
        self.chain_after.push(chain);
        Some(packed)
    }

    /// Only the first 8 digits of a log's id stand in its lines.
    fn end(self) -> Option<IndexData> {
        Some(IndexData {
            log: LogId::with_prefix(self.log?),
            received: self.received.unwrap_or_default(),
            chain_before: CHAIN_START,
            fast_packed: false,
            frames: self.frames,
            chain_after: self.chain_after,
        })
    }
}

fn merge(a: Option<(Timestamp, Timestamp)>, b: Option<(Timestamp, Timestamp)>) -> Option<(Timestamp, Timestamp)> {
    match (a, b) {
        (Some(a), Some(b)) => Some((a.0.min(b.0), a.1.max(b.1))),
        (a, b) => a.or(b),
    }
}

/// Looks at every line: only consecutive records of one log make a frame of ours.
fn look(lines: &[u8], chain: &mut chain::ChainValue) -> Result<Seen, LogError> {
    let strange = || LogError::Damaged("a frame holds something else than consecutive records".to_owned());
    let mut seen = Seen::default();
    let mut value = *chain;
    for line in lines.split_inclusive(|b| *b == b'\n') {
        let line = line.strip_suffix(b"\n").ok_or_else(strange)?;
        if seen.count == 0 {
            let text = line.get(7..).and_then(|rest| rest.get(..memchr::memchr(b'"', rest)?)).ok_or_else(strange)?;
            let cursor: Cursor = std::str::from_utf8(text).ok().and_then(|text| text.parse().ok()).ok_or_else(strange)?;
            if cursor.seq > MAX_SEQUENCE {
                return Err(strange());
            }
            (seen.first, seen.log) = (cursor.seq, cursor.log);
        }
        let seq = seen.first.checked_add(u64::from(seen.count)).ok_or_else(strange)?;
        let parts = Line::of(line, seq);
        if parts.cursor() != (Cursor { log: seen.log, seq }).to_string().as_bytes() {
            return Err(strange());
        }
        seen.time = merge(seen.time, Some((parts.time(), parts.time())));
        seen.received = merge(seen.received, Some((parts.received(), parts.received())));
        value = chain::next(&value, line);
        seen.count += 1;
    }
    if seen.count == 0 {
        return Err(strange());
    }
    *chain = value;
    Ok(seen)
}
