//! Views of the log that are folded from its records: pure functions of what is recorded, bounded in memory.

mod losses;

pub use losses::{FIRST_CONTACT, Loss, Losses, MAX_MET, Met};
