//! How large the parts of a log may become, and how long they are left as they are.

use std::time::Duration;

/// Most bytes of one record as a line, its envelope included. Larger ones are refused before anything of
/// their batch is stored: what is stored can be read, sealed, exported and imported. A message has at most
/// [`MAX_EVENT_BYTES`](crate::event::MAX_EVENT_BYTES) when it comes; redaction can make it somewhat longer.
pub const MAX_RECORD_BYTES: usize = 4 * 1024 * 1024;

/// When a tip is full, and how segments are kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Records in a tip. In a follower's log: in a segment, which ends with each multiple of it.
    pub tip_records: u64,
    /// Stored bytes in a tip.
    pub tip_bytes: u64,
    /// Age of a tip's oldest record.
    pub tip_age: Duration,
    /// Bytes up to which neighbouring segments are merged.
    pub segment_bytes: u64,
    /// Time that a merged segment may span.
    pub segment_span: Duration,
    /// Quiet time after which segments are merged.
    pub merge_after: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            tip_records: 65_536,
            tip_bytes: 16 * 1024 * 1024,
            tip_age: Duration::from_secs(24 * 3600),
            segment_bytes: 64 * 1024 * 1024,
            segment_span: Duration::from_secs(7 * 24 * 3600),
            merge_after: Duration::from_secs(2),
        }
    }
}
