//! What a schedule is made of.

use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng as _};

/// One millisecond, in nanoseconds, as which all time is counted here.
pub(crate) const MS: u64 = 1_000_000;
pub(crate) const SECOND: u64 = 1000 * MS;

/// What is built wrongly on purpose, so that the model is seen to find it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Sabotage {
    /// The hub acknowledges before a quorum has it.
    AcknowledgesEarly,
    /// The hub does not look which message is the newest.
    ComparesNothing,
    /// A server shows records before they are on its disk.
    ShowsEarly,
    /// A server does not heed how the fleet goes on, where another one has told it.
    MissesEpochs,
}

/// A fleet, and what befalls it.
#[derive(Debug, Clone)]
pub(crate) struct Setup {
    pub(crate) seed: u64,
    pub(crate) hosts: usize,
    /// Records that each host makes, at most.
    pub(crate) records: u64,
    /// For so long it makes them.
    pub(crate) time: u64,
    pub(crate) nodes: usize,
    pub(crate) servers: usize,
    pub(crate) readers: usize,
    /// Between two faults, on average.
    pub(crate) fault_every: u64,
    /// Of a thousand messages on the way so many are lost, and so many held back for seconds.
    pub(crate) lost: u32,
    pub(crate) late: u32,
    /// The hub may lose messages that it had acknowledged.
    pub(crate) loses: bool,
    pub(crate) sabotage: Option<Sabotage>,
}

impl Setup {
    pub(crate) fn small(seed: u64) -> Self {
        let random = &mut StdRng::seed_from_u64(seed);
        Self {
            seed,
            hosts: random.random_range(1..=50),
            records: random.random_range(1..=60),
            time: random.random_range(1..=40) * SECOND,
            nodes: [3, 3, 5][random.random_range(0..3)],
            servers: random.random_range(1..=3),
            readers: random.random_range(1..=4),
            fault_every: random.random_range(300..5000) * MS,
            lost: random.random_range(0..60),
            late: random.random_range(0..60),
            loses: false,
            sabotage: None,
        }
    }

    /// As small, with a hub that is put back to an older copy now and then.
    pub(crate) fn losing(seed: u64) -> Self {
        Self { loses: true, ..Self::small(seed) }
    }

    pub(crate) fn large(seed: u64, hosts: usize) -> Self {
        Self {
            seed: seed + 1_000_000,
            hosts,
            records: 6,
            time: 30 * SECOND,
            nodes: 5,
            servers: 20,
            readers: 50,
            fault_every: 1500 * MS,
            lost: 10,
            late: 10,
            loses: false,
            sabotage: None,
        }
    }
}
