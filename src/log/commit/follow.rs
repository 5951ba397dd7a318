//! What is different in a follower's log: its records have their sequences before they come, and its segments
//! are the same on every follower, whatever came together and whenever it was stopped.
//!
//! A segment ends with each multiple of [`Limits::tip_records`](crate::log::Limits), and so do tip and block;
//! and it ends where the log goes on under another id.
//! A tip may end sooner; a segment is made of all tips that hold its records, once a record of the next one
//! is committed. So the newest record is always in a tip, whose blocks tell its place.

use super::Writer;
use super::batch::Batch;
use super::rotate::MAX_TIPS;
use crate::cursor::Sequence;
use crate::log::tip::Tip;
use crate::log::{FleetRecord, Followed, LogError};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Tips that hold records of one segment, at most; the last of them grows.
const MAX_SEGMENT_TIPS: usize = MAX_TIPS / 2;
/// How long an append waits for a tip that is being made.
const PATIENCE: Duration = Duration::from_secs(5);

impl Writer {
    /// Appends records, the first of which is the next one of the stream.
    pub(super) fn append_at(&mut self, first: Sequence, records: Vec<FleetRecord>) -> Result<Followed, LogError> {
        self.check_poison()?;
        let next = self.tail.next;
        if first != next {
            return Err(LogError::NotNext { next, given: first });
        }
        let mut latest = self.tail.last_received;
        for record in &records {
            if record.received < latest {
                let (received, id) = (record.received, record.origin.id);
                return Err(LogError::Refused(format!("{id} came at {received}, and a record before it at {latest}: arrivals never fall")));
            }
            latest = record.received;
        }
        let batch = Arc::new(Batch::followed(records, first, self.limits.tip_records));
        self.commit_all(&batch).map_err(|e| match e {
            LogError::Full { why, .. } => LogError::Full { why, stored: usize::try_from(self.tail.next - next).unwrap_or(usize::MAX) },
            e => e,
        })?;
        Ok(Followed { sequences: first..=self.tail.next - 1, chain: self.tail.chain })
    }

    /// Which segment a record belongs to, counted from the first one.
    fn segment_of(&self, seq: Sequence) -> u64 {
        seq.saturating_sub(1) / self.limits.tip_records.max(1) + self.catalog.lineage.forks_before(seq)
    }

    /// Goes on in a new tip where the next record begins a segment.
    pub(super) fn enter_segment(&mut self) -> Result<(), LogError> {
        let next = self.tail.next;
        if self.catalog.follower && self.tail.fill.records > 0 && self.segment_of(next) != self.segment_of(next - 1) {
            let tip = self.wait_for_tip()?;
            self.continue_in(tip);
        }
        Ok(())
    }

    /// The next tip. While too many wait to be sealed, that takes until one of them has been: a follower that
    /// catches up may be no faster than that.
    fn wait_for_tip(&mut self) -> Result<Arc<Tip>, LogError> {
        let mut until = None;
        loop {
            let tips = self.catalog.tips();
            // Those whose segment is not complete are sealed only when this goes on.
            let sealing = tips.saturating_sub(self.full_tips.len() + 1);
            if tips < MAX_TIPS || sealing == 0 {
                self.sealer.prepare(self.tail.next);
                if let Some(tip) = self.sealer.prepared() {
                    return Ok(tip);
                }
                if Instant::now() >= *until.get_or_insert_with(|| Instant::now() + PATIENCE) {
                    return Err(self.full("the next tip cannot be made".to_owned()));
                }
            } else if self.sealer.is_failing() {
                return Err(self.full("tips cannot be sealed".to_owned()));
            }
            std::thread::sleep(Duration::from_millis(1));
        }
    }

    /// After each commit: seals what is complete, makes the next tip ready ahead, and goes on in it where the
    /// one in use is too large to wait for the end of its segment.
    pub(super) fn rotate_follower(&mut self) {
        self.seal_complete();
        let (records, bytes, limits) = (self.tail.fill.records, self.tail.fill.bytes, self.limits);
        let left = limits.tip_records - (self.tail.next - 1) % limits.tip_records.max(1);
        let large = |share: u64| bytes >= limits.tip_bytes / 8 * share && self.full_tips.len() + 1 < MAX_SEGMENT_TIPS;
        if records == 0 || self.catalog.tips() >= MAX_TIPS {
            return;
        }
        if large(7) || left <= limits.tip_records / 8 {
            self.sealer.prepare(self.tail.next);
        }
        if large(8)
            && let Some(tip) = self.sealer.prepared()
        {
            self.continue_in(tip);
        }
    }

    /// Seals the tips of each segment that has all its records, which it has once a later one has any. The
    /// tip in use may hold none: a start may come right after the one before it became too large.
    pub(super) fn seal_complete(&mut self) {
        let current = self.segment_of(self.tail.next - 1);
        let mut complete: Vec<(u64, Arc<Tip>)> = Vec::new();
        while let Some(tip) = self.full_tips.front() {
            // One without records goes with those before it.
            let last = self.catalog.last_of(tip).map(|last| self.segment_of(last));
            let segment = last.unwrap_or_else(|| complete.last().map_or(0, |(segment, _)| *segment));
            if segment >= current {
                break;
            }
            complete.extend(self.full_tips.pop_front().map(|tip| (segment, tip)));
        }
        for tips in complete.chunk_by(|(a, _), (b, _)| a == b) {
            self.sealer.seal(tips.iter().map(|(_, tip)| Arc::clone(tip)).collect());
        }
    }
}
