//! The sequences of a page, packed: a page that waits to be taken holds a byte or two for each of its
//! records.

use crate::cursor::Sequence;

/// Sequences that rise or fall.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Positions {
    first: Sequence,
    last: Sequence,
    count: usize,
    /// From each to the next, in groups of seven bits, the lowest first.
    steps: Vec<u8>,
}

impl Positions {
    /// Adds one. All must lie on the same side of the one before them.
    pub(super) fn push(&mut self, seq: Sequence) {
        if self.count == 0 {
            self.first = seq;
        } else {
            let mut step = seq.abs_diff(self.last);
            while step >= 0x80 {
                self.steps.push(low_bits(step) | 0x80);
                step >>= 7;
            }
            self.steps.push(low_bits(step));
        }
        self.last = seq;
        self.count += 1;
    }

    pub(super) fn len(&self) -> usize {
        self.count
    }

    pub(super) fn is_empty(&self) -> bool {
        self.count == 0
    }

    pub(super) fn first(&self) -> Option<Sequence> {
        (self.count > 0).then_some(self.first)
    }

    pub(super) fn last(&self) -> Option<Sequence> {
        (self.count > 0).then_some(self.last)
    }

    /// Bytes that no other positions have.
    pub(super) fn packed(&self) -> Vec<u8> {
        [&self.first.to_be_bytes()[..], &self.last.to_be_bytes(), &self.steps].concat()
    }

    /// The same from the other end.
    pub(super) fn reversed(self) -> Self {
        let mut all: Vec<_> = self.walk().collect();
        let mut reversed = Self::default();
        while let Some(seq) = all.pop() {
            reversed.push(seq);
        }
        reversed
    }

    /// One after the other.
    pub(super) fn walk(self) -> Walk {
        Walk { next: self.first(), at: 0, positions: self }
    }
}

fn low_bits(step: u64) -> u8 {
    u8::try_from(step & 0x7f).unwrap_or_default()
}

/// A way through [`Positions`].
#[derive(Debug)]
pub(super) struct Walk {
    positions: Positions,
    next: Option<Sequence>,
    at: usize,
}

impl Walk {
    /// The next one, which stays.
    pub(super) fn peek(&self) -> Option<Sequence> {
        self.next
    }
}

impl Iterator for Walk {
    type Item = Sequence;

    fn next(&mut self) -> Option<Sequence> {
        let now = self.next?;
        let (mut step, mut shift) = (0u64, 0);
        self.next = None;
        while let Some(byte) = self.positions.steps.get(self.at) {
            self.at += 1;
            step |= u64::from(byte & 0x7f) << shift;
            shift += 7;
            if byte & 0x80 == 0 {
                let falls = self.positions.last < self.positions.first;
                self.next = if falls { now.checked_sub(step) } else { now.checked_add(step) };
                break;
            }
        }
        Some(now)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn come_out_as_they_went_in(mut all: std::collections::BTreeSet<Sequence>, falls: bool) {
            let mut expected: Vec<_> = std::mem::take(&mut all).into_iter().collect();
            if falls {
                expected.reverse();
            }
            let mut positions = Positions::default();
            for seq in &expected {
                positions.push(*seq);
            }
            prop_assert_eq!(positions.len(), expected.len());
            prop_assert_eq!((positions.first(), positions.last()), (expected.first().copied(), expected.last().copied()));
            prop_assert_eq!(positions.clone().walk().collect::<Vec<_>>(), expected.clone());
            expected.reverse();
            prop_assert_eq!(positions.reversed().walk().collect::<Vec<_>>(), expected);
        }
    }

    #[test]
    fn ten_thousand_take_little() {
        let mut positions = Positions::default();
        for n in 1..=10_000 {
            positions.push(n * 100_000);
        }
        assert!(positions.steps.len() < 32 * 1024, "{}", positions.steps.len());
    }
}
