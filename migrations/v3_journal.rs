//! Format 3: each tip has a journal, which makes its blocks durable; sled keeps them for readers.
//!
//! A tip of format 2 has none. It is read as it is, recording goes on in a new tip, and sealing makes a segment of it; so there is
//! nothing to do here. What a program of format 2 must not do is to open a tip of format 3, of which sled may lack the newest blocks: the
//! number in `LOG` sees to that.

use crate::log::LogError;
use std::path::Path;

/// The format that this step makes.
pub(super) const FORMAT: u32 = 3;

/// Everything of format 2 means the same in format 3.
#[expect(clippy::unnecessary_wraps, reason = "every step has this signature; others can fail")]
pub(super) fn up(_dir: &Path) -> Result<(), LogError> {
    Ok(())
}
