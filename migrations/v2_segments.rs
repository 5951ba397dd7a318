//! Format 2: sealed segments beside the tip, and in `LOG` the holes that the log tells of.
//!
//! A tip of format 1 is a tip of format 2, and a log without segments has none: `LOG` gets the new number (and its new, empty field) when the
//! directory is opened, as the last thing, so there is nothing to do before. What a program of format 1 must not do is to open a
//! directory with segments, which the number sees to.

use crate::log::LogError;
use std::path::Path;

/// The format that this step makes.
pub(super) const FORMAT: u32 = 2;

/// Everything of format 1 means the same in format 2.
#[expect(clippy::unnecessary_wraps, reason = "every step has this signature; others can fail")]
pub(super) fn up(_dir: &Path) -> Result<(), LogError> {
    Ok(())
}
