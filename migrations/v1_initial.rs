//! Format 1, the first one: `LOG`, `watermark`, `lock` and one sled tip with blocks of format 1.
//!
//! A directory of format 1 is created whole by `EmbeddedLog::open`, so this step has nothing to change. It stands here so that the
//! chain has its first link: format 2 will add `v2_*.rs`, which holds frozen copies of format 1's types.

use crate::log::LogError;
use std::path::Path;

/// The format that this step makes.
pub(super) const FORMAT: u32 = 1;

/// Nothing comes before format 1.
#[expect(clippy::unnecessary_wraps, reason = "every step has this signature; later ones can fail")]
pub(super) fn up(_dir: &Path) -> Result<(), LogError> {
    Ok(())
}
