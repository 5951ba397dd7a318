//! Up to where the hub holds messages: asked once for everybody who wants to know at the same time, and not
//! often. Whoever sends cursors that nobody has must not reach the hub with each of them.

use crate::stream::{FleetStream, StreamError};
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use tokio::sync::Mutex;
use tokio::time::{Instant, sleep_until};

/// From one question to the next, at least.
const BETWEEN: Duration = Duration::from_millis(100);

/// What the hub holds, for everybody who asks.
pub(super) struct Ends {
    hub: Arc<dyn FleetStream>,
    /// Questions that were begun.
    begun: AtomicU64,
    answer: Mutex<Option<Answer>>,
}

#[derive(Debug)]
struct Answer {
    /// Of which question.
    number: u64,
    asked: Instant,
    last: Result<u64, StreamError>,
}

impl fmt::Debug for Ends {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Ends").field("begun", &self.begun).finish_non_exhaustive()
    }
}

impl Ends {
    /// Of this hub.
    pub(super) fn of(hub: Arc<dyn FleetStream>) -> Self {
        Self { hub, begun: AtomicU64::new(0), answer: Mutex::new(None) }
    }

    /// The place of the newest message that the hub holds, asked for after this was called.
    pub(super) async fn last(&self) -> Result<u64, StreamError> {
        let before = self.begun.load(Ordering::Acquire);
        let mut answer = self.answer.lock().await;
        match &*answer {
            // An earlier question may have been answered before that was stored which the asker has seen at
            // another server.
            Some(known) if known.number > before => return known.last.clone(),
            Some(known) => sleep_until(known.asked + BETWEEN).await,
            None => {}
        }
        let number = self.begun.fetch_add(1, Ordering::AcqRel) + 1;
        let asked = Instant::now();
        let last = self.hub.ends().await.map(|ends| ends.last);
        *answer = Some(Answer { number, asked, last: last.clone() });
        last
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stream::memory::MemoryStream;

    #[tokio::test(start_paused = true)]
    async fn whoever_asks_again_and_again_reaches_the_hub_ten_times_a_second() {
        let ends = Arc::new(Ends::of(Arc::new(MemoryStream::new())));
        let asker = Arc::clone(&ends);
        let asking = tokio::spawn(async move {
            for _ in 0..1000 {
                asker.last().await.unwrap();
            }
        });
        // By a clock that jumps.
        tokio::time::sleep(10 * BETWEEN).await;
        let begun = ends.begun.load(Ordering::Acquire);
        assert!((5..=11).contains(&begun) && !asking.is_finished(), "{begun}");
    }
}
