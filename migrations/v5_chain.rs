//! Format 5: blocks of a tip (format 3 of codec.rs) no longer tell the hash chain's value after them.
//!
//! What format 4 has written is read as it is. What a program of format 4 must not do is to continue after such a block, whose value it would
//! take for zeros: the number in `LOG` sees to that.

use crate::log::LogError;
use std::path::Path;

/// The format that this step makes.
pub(super) const FORMAT: u32 = 5;

/// Everything of format 4 means the same in format 5.
#[expect(clippy::unnecessary_wraps, reason = "every step has this signature; others can fail")]
pub(super) fn up(_dir: &Path) -> Result<(), LogError> {
    Ok(())
}
