//! Where in a frame something is, in a byte each.

/// What incidents are searched for, as `Action` has it. Positions of all actions would take more room than
/// the rest of the summaries.
const TELLING: [&str; 3] = ["die", "oom", "health_status: unhealthy"];
/// Lines that share a position.
const STEP: u32 = 4;
/// Where a filter's positions in a frame are more, they are most of it.
const MANY: usize = 48;
/// The last position: from there on, or somewhere.
const REST: u8 = u8::MAX;
/// Positions that are not known.
pub(super) const UNKNOWN: &[u8] = &[REST];

/// Where in a frame may be what passes a filter.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::log) enum Candidates {
    /// It holds nothing.
    Nowhere,
    Anywhere,
    At(Positions),
}

impl Candidates {
    /// With what is at positions as they are stored. Without a position, it may be anywhere.
    pub(super) fn and(self, stored: &[u8]) -> Self {
        if stored.is_empty() || stored.contains(&REST) {
            return Self::Anywhere;
        }
        let mut positions = match self {
            Self::Anywhere => return Self::Anywhere,
            Self::Nowhere => Positions::default(),
            Self::At(positions) => positions,
        };
        positions.extend(stored);
        if positions.0.len() > MANY { Self::Anywhere } else { Self::At(positions) }
    }
}

/// Whether a look at the positions `told` meets those that were `found`.
pub(super) fn cover(told: &[u8], found: &[u8]) -> bool {
    told.is_empty() || told.contains(&REST) || found.iter().all(|position| told.contains(position))
}

/// Whether positions of an action are told.
pub(super) fn is_telling(action: &str) -> bool {
    TELLING.contains(&action)
}

/// Positions in a frame, rising, each once.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(in crate::log) struct Positions(Vec<u8>);

impl Positions {
    /// Adds that of a line, the first of which is 0.
    pub(super) fn add(&mut self, line: u32) {
        self.extend(&[u8::try_from(line / STEP).unwrap_or(REST)]);
    }

    /// Adds positions as they are stored.
    pub(super) fn extend(&mut self, positions: &[u8]) {
        self.0.extend_from_slice(positions);
        self.0.sort_unstable();
        self.0.dedup();
    }

    /// As they are stored.
    pub(super) fn stored(&self) -> &[u8] {
        &self.0
    }

    /// The lines, of which the first is 0, that stand there.
    pub(in crate::log::segment) fn lines(&self) -> impl Iterator<Item = u32> {
        self.0.iter().flat_map(|position| (0..STEP).map(|line| u32::from(*position) * STEP + line))
    }

    /// How many lines from the first one on these are among.
    pub(in crate::log) fn end(&self) -> u32 {
        self.0.last().map_or(0, |last| (u32::from(*last) + 1) * STEP)
    }
}
