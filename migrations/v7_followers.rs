//! Format 7: blocks have flags (format 5 of codec), by which a follower's block tells its place in the
//! fleet's stream and each record its origin. The lines of a fleet hold origins, in segments too, and `LOG`
//! says of a follower's log where it begins.
//!
//! What format 6 has written is read as it is: none of it is a follower's. What a program of format 6 must
//! not do is to read such a line, in which it would not find the message, or to record into a follower's
//! log: the number in `LOG` sees to that.

use crate::log::LogError;
use std::path::Path;

/// The format that this step makes.
pub(super) const FORMAT: u32 = 7;

/// Everything of format 6 means the same in format 7.
#[expect(clippy::unnecessary_wraps, reason = "every step has this signature; others can fail")]
pub(super) fn up(_dir: &Path) -> Result<(), LogError> {
    Ok(())
}
