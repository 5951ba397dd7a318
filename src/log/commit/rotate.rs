//! From one tip to the next.

use super::Writer;
use crate::log::LogError;
use crate::log::tip::{Fill, Tip};
use crate::time::Timestamp;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// How long a commit waits for the next tip when the one in use is far too large.
const BACKPRESSURE: Duration = Duration::from_millis(200);
/// Tips that may be there at a time; while there are so many, the one in use grows past its limits.
pub(super) const MAX_TIPS: usize = 8;

impl Writer {
    /// A tip in which a write failed takes nothing more, but can be read and sealed.
    pub(super) fn replace_tip(&mut self) -> Result<(), LogError> {
        let until = Instant::now() + BACKPRESSURE;
        loop {
            self.sealer.prepare(self.tail.next);
            if let Some(tip) = self.sealer.prepared() {
                self.continue_in(tip);
                self.tip_failed = false;
                return Ok(());
            }
            if Instant::now() >= until {
                return Err(self.full("another tip is being made ready".to_owned()));
            }
            std::thread::sleep(Duration::from_millis(1));
        }
    }

    /// Goes on in a new tip when the one in use is full. It is made ready ahead by the sealer, so that no
    /// commit waits for it.
    pub(super) fn rotate(&mut self) {
        if self.catalog.follower {
            return self.rotate_follower();
        }
        let Fill { records, bytes, since, began } = self.tail.fill;
        let age = since.map_or(0, |since| Timestamp::now().nanos().saturating_sub(since.nanos()));
        // By the clocks that its records tell of, or by the steady one, should they all have been ahead.
        let old = u128::try_from(age).is_ok_and(|age| age >= self.limits.tip_age.as_nanos())
            || began.is_some_and(|began| began.elapsed() >= self.limits.tip_age);
        let full = |share: u64| old || records >= self.limits.tip_records / 8 * share || bytes >= self.limits.tip_bytes / 8 * share;
        if records == 0 || !full(7) {
            return;
        }
        // A tip of twice its size waits a little each time: the sealer cannot keep up, and a tip is not to
        // grow for ever.
        let patience = (full(16) && !self.sealer.is_failing()).then(|| Instant::now() + BACKPRESSURE);
        loop {
            if self.catalog.tips() < MAX_TIPS {
                self.sealer.prepare(self.tail.next);
                if full(8)
                    && let Some(tip) = self.sealer.prepared()
                {
                    return self.continue_in(tip);
                }
            }
            if patience.is_none_or(|until| Instant::now() >= until) {
                return;
            }
            std::thread::sleep(Duration::from_millis(1));
        }
    }

    pub(super) fn continue_in(&mut self, tip: Arc<Tip>) {
        self.settle();
        self.catalog.add_tip(Arc::clone(&tip));
        if let Some(full) = self.tail.tip.replace(tip) {
            if self.catalog.follower {
                self.full_tips.push_back(full);
            } else {
                self.sealer.seal(vec![full]);
            }
        }
        self.tail.fill = Fill::default();
    }
}
