//! What an archive can make a server hold, and how long it is waited for.

use std::time::Duration;

/// Bytes of a segment that is put or fetched: it is in memory as a whole while it is put.
pub const MAX_OBJECT_BYTES: u64 = 256 * 1024 * 1024;
/// Objects of one fleet that are listed.
pub const MAX_LISTED: usize = 1 << 20;
/// Bytes of one page of a list.
pub(super) const MAX_PAGE_BYTES: usize = 8 * 1024 * 1024;
/// Bytes of an answer that says what went wrong.
pub(super) const MAX_ERROR_BYTES: usize = 64 * 1024;
/// Characters of an error that are told.
pub(super) const MAX_ERROR_CHARS: usize = 300;
/// How long an answer may take in which there is little.
pub(super) const ANSWER_WITHIN: Duration = Duration::from_secs(30);
/// How long a whole segment may be on its way.
pub(super) const WHOLE_WITHIN: Duration = Duration::from_secs(600);
