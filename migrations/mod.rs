//! Steps of the on-disk format, one file each. See README.md in this folder for the rules.

mod v1_initial;
mod v2_segments;
mod v3_journal;
mod v4_noise;
mod v5_chain;
mod v6_marks;

use crate::log::LogError;
use std::path::Path;

/// One step: takes a log directory from the format before it to its own. Restartable at any point.
type Step = fn(&Path) -> Result<(), LogError>;

/// All steps in order. The first one made format 1.
const STEPS: [(u32, Step); 6] = [
    (v1_initial::FORMAT, v1_initial::up),
    (v2_segments::FORMAT, v2_segments::up),
    (v3_journal::FORMAT, v3_journal::up),
    (v4_noise::FORMAT, v4_noise::up),
    (v5_chain::FORMAT, v5_chain::up),
    (v6_marks::FORMAT, v6_marks::up),
];

/// Brings the directory `dir` from `format` to the newest one, step by step.
///
/// # Errors
/// The error of the step that failed; the directory is then as that step left it, and the step can be run again.
pub fn upgrade(dir: &Path, format: u32) -> Result<(), LogError> {
    for (to, step) in STEPS {
        if to > format {
            tracing::info!(store.format = to, "upgrading the log's directory");
            step(dir)?;
        }
    }
    Ok(())
}
