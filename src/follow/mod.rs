//! A server of a fleet: it follows the hub's stream and folds what the hosts forward into one log of its own,
//! which is the same on every server, line by line. So nothing that decides may look at a clock, a setting or
//! a version.
//!
//! That is the fold ([`step`]), the bases with which servers compare what they have ([`Base`]), whether the
//! hub is still the one it was ([`judge`]), and what is shown of each host ([`hosts()`]). [`Follower`] alone
//! reads the hub and writes the log.

mod agreed;
mod base;
mod differing;
mod epoch;
mod error;
mod find;
mod fold;
mod fork;
mod hosts;
mod own;
mod parting;
mod proof;
mod reading;
mod settings;
mod settle;
mod start;
mod state;
mod status;
mod task;
mod tell;
#[cfg(test)]
mod testing;
#[cfg(test)]
mod tests;
mod witness;

pub use base::{BASE_EVERY, BASE_SPAN, Base, BaseError, MAX_BASE_BYTES, compare};
pub use epoch::{Earlier, Epoch, EpochError};
pub use error::FollowError;
pub use fold::{Misplaced, Note, Step, step};
pub use fork::{Had, Judgement, judge};
pub use hosts::{AncestorView, CATCHING_UP, CONFLICT_SHOWN, GapView, HostState, HostView, SILENT_AFTER, hosts};
pub use own::is_own_gap;
pub use proof::Proof;
pub use settings::{BATCH_RECORDS, LOSS_AFTER, Settings};
pub use start::starting_point;
pub use state::{FOLD, GAPS_KEPT, Gap, HostLog, Key, MAX_HOST_LOGS, MAX_SOURCE_BYTES, MAX_SOURCES, State};
pub use status::{MAX_LAG, Status};
pub use task::{Follower, Handle};
