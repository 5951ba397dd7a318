//! What a reader keeps readable while it goes through it slowly, whatever is removed meanwhile.

use super::catalog::Catalog;
use crate::cursor::Sequence;
use crate::log::segment::Segment;
use crate::log::{Chunk, LogError, Scan};
use std::ops::RangeInclusive;
use std::sync::Arc;

/// Segments that stay readable for as long as this is there: the system keeps a removed file while it is
/// open.
#[derive(Debug, Clone, Default)]
pub struct Held(Vec<Arc<Segment>>);

impl Catalog {
    /// Holds the segments in which something of `range` lies. What is in a tip is newer than what retention
    /// removes.
    pub(in crate::log) fn hold(&self, range: &RangeInclusive<Sequence>) -> Held {
        let meets = |segment: &&Arc<Segment>| segment.first() <= *range.end() && segment.last() >= *range.start();
        Held(self.segments().iter().filter(meets).cloned().collect())
    }

    /// As [`Catalog::read_after`], from what is held where that has what comes after `after`.
    pub(in crate::log) fn read_held(&self, held: &Held, after: Sequence, scan: &Scan) -> Result<Chunk, LogError> {
        let from = held.0.partition_point(|segment| segment.last() <= after);
        match held.0.get(from..) {
            Some(rest @ [segment, ..]) if segment.first() <= after + 1 => self.read_segments(rest, after, scan),
            _ => self.read_after(after, scan),
        }
    }

    /// Reads upwards in segments that end after `after`.
    pub(in crate::log) fn read_segments(&self, segments: &[Arc<Segment>], after: Sequence, scan: &Scan) -> Result<Chunk, LogError> {
        let frames = segments.iter().flat_map(|segment| {
            let from = segment.frames().partition_point(|frame| frame.last() <= after);
            (from..segment.frames().len()).map(move |at| (segment, at))
        });
        self.read_frames(frames, after, scan, true)
    }
}
