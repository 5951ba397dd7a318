//! What a fleet's log proves of one log of one host: its lines are restored and the host's own hash chain is
//! run over them. It reads no log and no hub; whoever does hands it record after record.

use crate::chain::{self, CHAIN_START, ChainValue};
use crate::cursor::Sequence;
use std::ops::RangeInclusive;

/// Missing stretches that are named; more are counted.
const MAX_MISSING: usize = 100;

/// The records of one log of a host, as they come in a fleet's log.
#[derive(Debug, Clone)]
pub struct Proof {
    /// A record of the host, and the value of its chain after that one.
    known: (Sequence, ChainValue),
    /// The next record of the host; `None` before the first.
    next: Option<Sequence>,
    chain: Option<ChainValue>,
    /// The first record that is here.
    pub first: Sequence,
    /// Records that are here.
    pub records: u64,
    /// Records of the host between these that are not here.
    pub missing: Vec<RangeInclusive<Sequence>>,
    /// Stretches that are missing besides.
    pub missing_more: u64,
    /// The first record after the newest stretch that is missing.
    after_missing: Option<Sequence>,
    /// Records that came after a later one, or twice: there are none in a log that is whole.
    pub misplaced: u64,
}

impl Proof {
    /// From the host's first record on, or from one after which the value of its chain is known.
    pub fn new(known: Option<(Sequence, ChainValue)>) -> Self {
        Self {
            known: known.unwrap_or((0, CHAIN_START)),
            next: None,
            chain: None,
            first: 0,
            records: 0,
            missing: Vec::new(),
            missing_more: 0,
            after_missing: None,
            misplaced: 0,
        }
    }

    /// Takes the next record: its sequence at the host and its line there, without the line's end.
    pub fn take(&mut self, seq: Sequence, line: &[u8]) {
        let next = self.next.unwrap_or(seq);
        if seq < next {
            self.misplaced += 1;
            self.chain = None;
            return;
        }
        if next < seq {
            if self.missing.len() < MAX_MISSING {
                self.missing.push(next..=seq - 1);
            } else {
                self.missing_more += 1;
            }
            self.after_missing = Some(seq);
            self.chain = None;
        }
        if self.records == 0 {
            self.first = seq;
        }
        let (known, value) = self.known;
        let before = if known.checked_add(1) == Some(seq) { Some(value) } else { self.chain };
        self.chain = before.map(|before| chain::next(&before, line));
        self.records += 1;
        self.next = seq.checked_add(1);
    }

    /// The newest record that is here, 0 for none.
    pub fn last(&self) -> Sequence {
        self.next.map_or(0, |next| next - 1)
    }

    /// The value of the host's chain after the newest record, if every line since the known one is here.
    pub fn chain(&self) -> Option<ChainValue> {
        self.chain.filter(|_| self.misplaced == 0)
    }

    /// Where a value of the chain would have to be known so that there is one after the newest record.
    pub fn needed(&self) -> Sequence {
        self.after_missing.unwrap_or(self.first).saturating_sub(1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn after(last: Sequence) -> ChainValue {
        (1..=last).fold(CHAIN_START, |chain, seq| chain::next(&chain, seq.to_string().as_bytes()))
    }

    fn of(known: Option<(Sequence, ChainValue)>, all: impl IntoIterator<Item = Sequence>) -> Proof {
        let mut proof = Proof::new(known);
        all.into_iter().for_each(|seq| proof.take(seq, seq.to_string().as_bytes()));
        proof
    }

    #[test]
    fn whole_lines_give_the_chain_of_the_host() {
        let proof = of(None, 1..=9);
        assert_eq!((proof.first, proof.last(), proof.records, proof.chain()), (1, 9, 9, Some(after(9))));
        let mut other = of(None, 1..=8);
        other.take(9, b"8");
        assert!(other.chain().is_some_and(|chain| chain != after(9)), "an altered line gives another value");
    }

    #[test]
    fn where_lines_are_missing_a_value_of_the_host_is_needed() {
        let all = || (5..=7).chain(10..=12);
        let proof = of(None, all());
        assert_eq!((proof.chain(), proof.needed(), &proof.missing[..]), (None, 9, &[8..=9][..]));
        assert_eq!(of(Some((4, after(4))), all()).chain(), None, "what is missing lies after it");
        assert_eq!(of(Some((9, after(9))), all()).chain(), Some(after(12)));
        assert_eq!(of(Some((11, after(11))), all()).chain(), Some(after(12)));
        assert_eq!(of(None, 5..=7).needed(), 4);
        let holes = of(None, (1..=2 * MAX_MISSING as u64 + 5).step_by(2));
        assert_eq!((holes.missing.len(), holes.missing_more), (MAX_MISSING, 2));
        let last = 2 * MAX_MISSING as u64 + 5;
        assert_eq!((holes.last(), holes.needed()), (last, last - 1), "the newest stretch, though it is not named");
    }

    #[test]
    fn nothing_is_proven_of_records_that_do_not_rise() {
        let proof = of(None, [1, 2, 2, 3]);
        assert_eq!((proof.misplaced, proof.chain(), proof.records), (1, None, 3));
        assert_eq!((of(None, []).last(), of(None, []).chain()), (0, None));
    }
}
