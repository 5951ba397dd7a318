//! Steps of the on-disk format, one file each. A step knows its own two formats and nothing of later ones,
//! and one that was released never changes again. README.md in this folder has the rules.

mod v6_marks;
mod v7_followers;

use crate::log::LogError;
use std::path::Path;

/// One step: takes a log directory from the format before it to its own. Restartable at any point.
type Step = fn(&Path) -> Result<(), LogError>;

/// The oldest format that is read. Formats 1 to 4 were those of development; no release wrote them.
pub const OLDEST: u32 = 5;

/// All steps in order.
const STEPS: [(u32, Step); 2] = [(v6_marks::FORMAT, v6_marks::up), (v7_followers::FORMAT, v7_followers::up)];

/// Brings the directory `dir` from `format` to the newest one, step by step.
///
/// # Errors
/// The error of the step that failed; the directory is then as that step left it, and the step can be run
/// again.
pub fn upgrade(dir: &Path, format: u32) -> Result<(), LogError> {
    for (to, step) in STEPS {
        if to > format {
            tracing::info!(store.format = to, "upgrading the log's directory");
            step(dir)?;
        }
    }
    Ok(())
}
