//! Views of the log that are folded from its records: pure functions of what is recorded, bounded in memory.

mod by_source;
pub mod incidents;
mod known_incidents;
mod losses;

pub use by_source::BySource;
pub use known_incidents::{KnownIncidents, known_at};
pub use losses::{Asked, FIRST_CONTACT, Loss, Losses, MAX_KNOWN, MAX_MET, Met};
