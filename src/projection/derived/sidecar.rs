//! One stretch of records as it is stored.

use super::counts::{Leaf, Rollup, Tally};
use crate::cursor::Sequence;
use crate::projection::incidents::{Facts, Ids, Kind, Severity, Shown, Standing, State};
use crate::time::Timestamp;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use std::ops::RangeInclusive;
use zstd::zstd_safe::CParameter;

/// Bytes of one part, unpacked. What is longer is not stored, and never unpacked.
const MAX_PART_BYTES: usize = 64 * 1024 * 1024;
/// How hard zstd tries, and binary logarithms of the sizes of its tables: larger ones find little more, and
/// glibc keeps of what was freed in one piece.
const LEVEL: i32 = 5;
const HASH_LOG: u32 = 17;
const CHAIN_LOG: u32 = 16;

/// Tells states apart.
pub(super) type Digest = [u8; 16];

/// What is known of a stretch without its parts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Head {
    pub(super) number: u64,
    pub(super) first: Sequence,
    pub(super) last: Sequence,
    /// Earliest time of receipt.
    pub(super) received: i64,
    /// The latest time that the state knows of: everything up to here was received by then.
    pub(super) clock: i64,
    /// The state before the first record, and after the last one.
    pub(super) before: Digest,
    pub(super) after: Digest,
    /// Sequences that were missing when it was made.
    pub(super) missing: Vec<(Sequence, Sequence)>,
}

/// What an incident that is over is found by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Row {
    pub(super) seq: Sequence,
    pub(super) letter: u8,
    pub(super) start: i64,
    pub(super) end: Option<i64>,
    pub(super) kind: Kind,
    pub(super) severity: Severity,
    /// Another one took it in.
    pub(super) merged: bool,
}

/// An incident that is over, as it is told.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Closed {
    pub(super) json: String,
    /// What it can be found by: subjects and containers.
    pub(super) about: Vec<String>,
}

/// The parts of a stretch, each packed by itself.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Sidecar {
    pub(super) head: Head,
    tallies: Vec<u8>,
    rows: Vec<u8>,
    total: Vec<u8>,
    leaves: Vec<u8>,
    closed: Vec<u8>,
    state: Vec<u8>,
}

/// What goes into a sidecar.
pub(super) struct Parts<'a> {
    pub(super) head: Head,
    pub(super) tallies: &'a [Tally],
    pub(super) leaves: &'a [Leaf],
    pub(super) rows: &'a [Row],
    pub(super) closed: &'a [Closed],
    /// The state, and what gave the records their ids.
    pub(super) state: &'a [u8],
    pub(super) ids: &'a Ids,
}

impl Row {
    pub(super) fn of(shown: &Shown) -> Self {
        let number = shown.id.rsplit_once('-').map_or("", |(_, number)| number);
        let (digits, letter) = number.split_at_checked(number.len().saturating_sub(1)).unwrap_or_default();
        Self {
            seq: digits.parse().unwrap_or(0),
            letter: letter.bytes().next().unwrap_or(b'?'),
            start: shown.start.nanos(),
            end: shown.end.map(Timestamp::nanos),
            kind: shown.kind,
            severity: shown.severity,
            merged: shown.merged_into.is_some(),
        }
    }

    /// What it is chosen by.
    pub(super) fn facts(&self, state: Standing) -> Facts {
        Facts { start: Timestamp::from_nanos(self.start), end: self.end.map(Timestamp::from_nanos), kind: self.kind, state }
    }

    /// What they are in order of.
    pub(super) fn order(&self) -> (i64, Sequence, u8) {
        (self.start, self.seq, self.letter)
    }
}

impl Closed {
    pub(super) fn of(shown: &Shown) -> Option<Self> {
        let mut about: Vec<String> = shown.about().cloned().collect();
        about.sort_unstable();
        about.dedup();
        Some(Self { json: serde_json::to_string(shown).ok()?, about })
    }
}

impl Sidecar {
    /// As bytes for a file.
    pub(super) fn pack(parts: &Parts<'_>) -> Option<Vec<u8>> {
        let mut total = Rollup::default();
        parts.leaves.iter().for_each(|leaf| total.add(&leaf.rollup));
        let sidecar = Self {
            head: parts.head.clone(),
            tallies: pack(&parts.tallies)?,
            rows: pack(&parts.rows)?,
            total: pack(&total)?,
            leaves: pack(&parts.leaves)?,
            closed: pack(&parts.closed)?,
            state: pack(&(parts.ids.parts(), parts.state))?,
        };
        bincode::serialize(&sidecar).ok()
    }

    /// From a file's bytes, which a checksum has vouched for.
    pub(super) fn read(bytes: &[u8]) -> Option<Self> {
        use bincode::Options as _;
        let limited = bincode::options().with_fixint_encoding().with_limit(bytes.len() as u64);
        limited.deserialize(bytes).ok()
    }

    pub(super) fn tallies(&self) -> Option<Vec<Tally>> {
        unpack(&self.tallies)
    }

    pub(super) fn rows(&self) -> Option<Vec<Row>> {
        unpack(&self.rows)
    }

    pub(super) fn total(&self) -> Option<Rollup> {
        unpack(&self.total)
    }

    pub(super) fn leaves(&self) -> Option<Vec<Leaf>> {
        unpack(&self.leaves)
    }

    pub(super) fn closed(&self) -> Option<Vec<Closed>> {
        unpack(&self.closed)
    }

    pub(super) fn state(&self) -> Option<(State, Ids)> {
        let (ids, state): (Vec<(u32, Sequence)>, Vec<u8>) = unpack(&self.state)?;
        (digest(&state) == self.head.after).then_some(())?;
        Some((decode(&state)?, Ids::of_parts(&ids)))
    }
}

/// A state as bytes, and what tells it from others.
pub(super) fn encode(state: &State) -> (Vec<u8>, Digest) {
    let bytes = bincode::serialize(state).unwrap_or_default();
    let digest = digest(&bytes);
    (bytes, digest)
}

fn digest(bytes: &[u8]) -> Digest {
    let whole = Sha256::digest(bytes);
    whole.first_chunk().copied().unwrap_or_default()
}

fn decode<T: DeserializeOwned>(bytes: &[u8]) -> Option<T> {
    use bincode::Options as _;
    bincode::options().with_fixint_encoding().with_limit(MAX_PART_BYTES as u64).deserialize(bytes).ok()
}

fn pack<T: Serialize>(part: &T) -> Option<Vec<u8>> {
    let bytes = bincode::serialize(part).ok().filter(|bytes| bytes.len() <= MAX_PART_BYTES)?;
    let mut compressor = zstd::bulk::Compressor::new(LEVEL).ok()?;
    compressor.set_parameter(CParameter::HashLog(HASH_LOG)).ok()?;
    compressor.set_parameter(CParameter::ChainLog(CHAIN_LOG)).ok()?;
    compressor.compress(&bytes).ok()
}

fn unpack<T: DeserializeOwned>(packed: &[u8]) -> Option<T> {
    // The size that the frame names, if it is one that can be.
    let size = zstd::bulk::Decompressor::upper_bound(packed).filter(|size| *size <= MAX_PART_BYTES)?;
    decode(&zstd::bulk::decompress(packed, size).ok()?)
}

/// Whether all of `range` is among `missing`, which rises.
pub(super) fn covers(missing: &[RangeInclusive<Sequence>], range: &RangeInclusive<Sequence>) -> bool {
    let mut next = *range.start();
    for gap in missing.iter().filter(|gap| *gap.end() >= *range.start()) {
        if *gap.start() > next {
            break;
        }
        next = next.max(gap.end() + 1);
    }
    next > *range.end()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_part_that_is_too_long_is_neither_stored_nor_unpacked() {
        // A length comes before the text.
        let most = "x".repeat(MAX_PART_BYTES - 8);
        assert_eq!(unpack::<String>(&pack(&most).unwrap()), Some(most));
        assert_eq!(pack(&"x".repeat(MAX_PART_BYTES - 7)), None);
        // What a frame says of itself is not believed, nor is it read further than that.
        let length = bincode::serialize(&(MAX_PART_BYTES as u64 - 7)).unwrap();
        let long = [&length[..], &vec![b'x'; MAX_PART_BYTES - 7]].concat();
        assert_eq!(unpack::<String>(&zstd::bulk::compress(&long, LEVEL).unwrap()), None);
        let huge = bincode::serialize(&u64::MAX).unwrap();
        assert_eq!(unpack::<Vec<u8>>(&zstd::bulk::compress(&huge, LEVEL).unwrap()), None, "a length of all that there is");
        assert_eq!((unpack::<String>(b""), unpack::<String>(&[0; 40])), (None, None));
    }
}
