//! A segment without its index: what its frames hold, found by walking them.

use super::frame::{self, FrameMeta};
use super::{IndexData, index, read_exact};
use crate::cursor::{Cursor, LogId, MAX_SEQUENCE, Sequence};
use crate::log::LogError;
use crate::log::chain::{self, CHAIN_START};
use crate::log::line::Line;
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

/// Makes the index again. A frame that cannot be read is a hole; the next one is found by its magic number.
pub(super) fn rebuild(file: &File, path: &Path, bytes: u64) -> Result<IndexData, LogError> {
    let nothing = || LogError::Damaged(format!("{} holds no frame that can be read", path.display()));
    let bytes = read_exact(file, path, 0, usize::try_from(bytes).map_err(|_| nothing())?)?;
    let mut frames: Vec<FrameMeta> = Vec::new();
    let (mut chain_after, mut chain) = (Vec::new(), CHAIN_START);
    let (mut received, mut log) = (None, None);
    let mut at = 0;
    while let Some(rest) = bytes.get(at..).filter(|rest| !rest.is_empty()) {
        if let Some(skipped) = index::skippable(rest).and_then(|n| usize::try_from(n).ok()).filter(|n| *n <= rest.len()) {
            at += skipped;
            continue;
        }
        let found = frame::unpack(rest, false, |lines, packed| {
            let seen = look(lines, &mut chain)?;
            Ok((seen, packed, lines.len()))
        });
        let next = frames.last().map_or(0, |frame| frame.last() + 1);
        match found {
            Ok((seen, packed, raw)) if seen.first >= next && log.is_none_or(|log| log == seen.log) => {
                log = Some(seen.log);
                received = merge(received, seen.received);
                frames.push(FrameMeta {
                    first: seen.first,
                    count: seen.count,
                    time: seen.time.unwrap_or_default(),
                    offset: at as u64,
                    packed: u32::try_from(packed).unwrap_or(u32::MAX),
                    raw: u32::try_from(raw).unwrap_or(u32::MAX),
                    crc: crc32fast::hash(rest.get(..packed).unwrap_or_default()),
                });
                chain_after.push(chain);
                at += packed;
            }
            _ => {
                let search = rest.get(1..).unwrap_or_default();
                at += 1 + memchr::memmem::find(search, &frame::MAGIC).unwrap_or(search.len());
            }
        }
    }
    if frames.is_empty() {
        return Err(nothing());
    }
    // Only the first 8 digits of a log's id stand in its lines.
    Ok(IndexData {
        log: LogId::with_prefix(log.unwrap_or_default()),
        received: received.unwrap_or_default(),
        chain_before: CHAIN_START,
        hasty: false,
        frames,
        chain_after,
    })
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
