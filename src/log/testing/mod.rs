//! What the tests of the log share, and the suite that every backend must pass.

pub(super) mod contract;
