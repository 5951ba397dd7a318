//! What the files of a log's directory are called.

use crate::cursor::Sequence;

/// How files end that are not whole yet.
pub(in crate::log) const UNFINISHED: &str = ".unfinished";
/// How a segment's file ends.
pub(in crate::log) const SEGMENT: &str = ".jsonl.zst";
/// What a tip's directory is called: this, and a number in 20 digits that rises from tip to tip and tells
/// about where it begins.
pub(in crate::log) const TIP: &str = "tip-";
/// A directory that is being removed has this name, so that a kill in the middle leaves nothing that looks
/// like a tip.
pub(in crate::log) const REMOVED: &str = "removed-";

/// Name of the segment that begins with `first`.
pub(in crate::log) fn segment(first: Sequence) -> String {
    format!("{first:020}{SEGMENT}")
}

/// Name of the tip for records from `first` on.
pub(in crate::log) fn tip(first: Sequence) -> String {
    format!("{TIP}{first:020}")
}
