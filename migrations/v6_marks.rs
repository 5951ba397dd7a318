//! Format 6: beside `noise`, records may be marked as `cut` and `foreign`, in blocks (format 4 of codec) and
//! in the lines of segments.
//!
//! What format 5 has written is read as it is: none of it has these marks. What a program of format 5 must
//! not do is to read a marked line, in which it would not find the message: the number in `LOG` sees to that.

use crate::log::LogError;
use std::path::Path;

/// The format that this step makes.
pub(super) const FORMAT: u32 = 6;

/// Everything of format 5 means the same in format 6.
#[expect(clippy::unnecessary_wraps, reason = "every step has this signature; others can fail")]
pub(super) fn up(_dir: &Path) -> Result<(), LogError> {
    Ok(())
}
