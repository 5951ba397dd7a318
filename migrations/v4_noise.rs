//! Format 4: records may be marked as noise, in blocks (format 2 of codec.rs) and in the lines of segments.
//!
//! What format 3 has written is read as it is: none of it is marked. What a program of format 3 must not do is to read what is marked, whose
//! lines have a member that it does not know: the number in `LOG` sees to that.

use crate::log::LogError;
use std::path::Path;

/// The format that this step makes.
pub(super) const FORMAT: u32 = 4;

/// Everything of format 3 means the same in format 4.
#[expect(clippy::unnecessary_wraps, reason = "every step has this signature; others can fail")]
pub(super) fn up(_dir: &Path) -> Result<(), LogError> {
    Ok(())
}
