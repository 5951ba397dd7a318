//! What is missing of a log.

use super::parts::Parts;
use crate::cursor::Sequence;
use crate::log::dir::manifest::Manifest;
use std::ops::RangeInclusive;

/// What is missing of a log, and where its next record goes.
#[derive(Debug)]
pub(super) struct Gaps {
    /// All of it, rising.
    pub(super) holes: Vec<(Sequence, Sequence)>,
    /// What of it no record tells of yet.
    pub(super) lost: Vec<RangeInclusive<Sequence>>,
    pub(super) next: Sequence,
}

impl Gaps {
    /// `may_have_seen`: the last sequence that readers may have seen.
    pub(super) fn find(parts: &Parts, manifest: &Manifest, may_have_seen: Sequence) -> Self {
        let end = parts.end();
        let cut = (end < may_have_seen).then(|| end + 1..=manifest.reserved.max(may_have_seen));
        let next = cut.as_ref().map_or(end, |lost| *lost.end()) + 1;
        let mut holes = missing(parts.runs(), manifest.trimmed.max(manifest.imported + 1));
        holes.extend(cut.map(RangeInclusive::into_inner));
        let lost = without(&holes, &manifest.holes);
        Self { holes, lost, next }
    }
}

/// The sequences from `from` on that `runs` (rising) leave out.
fn missing(runs: impl Iterator<Item = (Sequence, Sequence)>, from: Sequence) -> Vec<(Sequence, Sequence)> {
    let (mut holes, mut next) = (Vec::new(), from);
    for (first, last) in runs {
        if first > next {
            holes.push((next, first - 1));
        }
        next = next.max(last + 1);
    }
    holes
}

/// The parts of `holes` that `known` does not cover.
fn without(holes: &[(Sequence, Sequence)], known: &[(Sequence, Sequence)]) -> Vec<RangeInclusive<Sequence>> {
    let mut left = Vec::new();
    for (mut from, to) in holes.iter().copied() {
        for (known_from, known_to) in known.iter().copied() {
            if known_to < from || known_from > to {
                continue;
            }
            if known_from > from {
                left.push(from..=known_from - 1);
            }
            from = known_to + 1;
        }
        if from <= to {
            left.push(from..=to);
        }
    }
    left
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn holes_are_found_and_told_once() {
        assert_eq!(missing([(1, 4), (5, 9)].into_iter(), 1), []);
        assert_eq!(missing([(3, 4), (9, 9)].into_iter(), 1), [(1, 2), (5, 8)]);
        assert_eq!(missing([(3, 4)].into_iter(), 3), []);
        assert_eq!(without(&[(5, 8)], &[]), [5..=8]);
        assert_eq!(without(&[(5, 8)], &[(5, 8)]), []);
        assert_eq!(without(&[(1, 20)], &[(3, 4), (8, 9)]), [1..=2, 5..=7, 10..=20]);
        assert_eq!(without(&[(5, 8), (30, 31)], &[(1, 6)]), [7..=8, 30..=31]);
    }
}
