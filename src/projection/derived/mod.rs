//! What is made from the log and stored beside it. For each stretch of 16,384 records: counts, the incidents
//! that were over by its end, and the state of the incidents' fold there. So a question about any time reads
//! a few files and one stretch. Nothing depends on these files: each is a function of the records, and made
//! again where it is missing or damaged, by a reader in the background and never by whoever asks.
//!
//! | file | what |
//! |---|---|
//! | `class`, `counts` | what is counted of a record, and by what |
//! | `sidecar` | a stretch in a file |
//! | `store` | where stretches are |
//! | `folded` | the fold, and the stretch that it is in |
//! | `judged` | classes of what a filter lets through |
//! | `known` | what is asked |
//! | `follow` | the reader that keeps it up |
//! | `recent` | the newest revisions of incidents |
//! | `list`, `at`, `charts`, `lanes`, `lifelines`, `marks`, `revisions` | answers |

mod at;
mod charts;
mod class;
mod counts;
mod folded;
mod follow;
mod judged;
mod known;
mod lanes;
mod lifelines;
mod list;
mod marks;
mod recent;
mod rest;
mod revisions;
mod sidecar;
mod span;
mod store;

pub use charts::{Facet, Facets, Histogram, MAX_BINS};
pub use class::CLASSES;
pub use counts::KEYS;
pub use known::{Asked, Known, Listed, Progress, Told};
pub use lanes::{Lane, Lifelines};
pub use recent::{Change, Place};
pub use revisions::{Follower, Portion};
pub use span::Span;

use crate::cursor::Sequence;

/// Version of what is stored, with [that of the fold](super::incidents::VERSION) in it.
pub const VERSION: u32 = super::incidents::VERSION * 100 + 3;

/// Records of one tally: what a histogram is not sure of at an edge.
pub(super) const TALLY: u64 = 64;
/// Records that are counted together by value.
pub(super) const LEAF: u64 = 2048;
/// Records of a stretch.
pub const STRETCH: u64 = 16_384;

/// The stretch that a record lies in.
fn stretch_of(seq: Sequence) -> u64 {
    seq.saturating_sub(1) / STRETCH
}

#[cfg(test)]
mod tests;
