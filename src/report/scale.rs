//! Times as places in a drawing.

use crate::time::Timestamp;

/// From times to tenths of a unit.
pub(super) struct Scale {
    from: i128,
    length: i128,
    /// Where it begins and ends.
    within: (i64, i64),
}

impl Scale {
    pub(super) fn new(from: i64, to: i64, within: (i64, i64)) -> Self {
        let from = i128::from(from);
        Self { from, length: (i128::from(to) - from).max(1), within }
    }

    pub(super) fn left(&self) -> i64 {
        self.within.0
    }

    pub(super) fn right(&self) -> i64 {
        self.within.1
    }

    pub(super) fn x(&self, time: Timestamp) -> i64 {
        let at = (i128::from(time.nanos()) - self.from).clamp(0, self.length);
        self.left() + i64::try_from(at * i128::from(self.right() - self.left()) / self.length).unwrap_or(0)
    }

    pub(super) fn time(&self, part: i64, of: i64) -> Timestamp {
        let nanos = self.from + self.length * i128::from(part) / i128::from(of);
        Timestamp::from_nanos(i64::try_from(nanos).unwrap_or(0))
    }
}

/// Tenths as a number with one decimal.
pub(super) fn tenths(of: i64) -> String {
    format!("{}.{}", of / 10, of % 10)
}
