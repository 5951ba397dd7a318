//! The newest message of the hub, where this server has not read it yet: it tells that the hub has lost
//! messages which others may have read.

use super::fork::{Had, Judgement, judge};
use super::settings::ANSWER_WITHIN;
use super::status::Status;
use crate::stream::{Ends, FleetStream, StreamError};
use parking_lot::Mutex;
use std::time::Duration;
use tokio::sync::watch;
use tokio::time::{Instant, sleep, timeout};

/// How often the hub is asked for the end of its stream.
const ASK_EVERY: Duration = Duration::from_secs(1);

/// The newest message that was seen and not folded.
#[derive(Debug, Default)]
pub(super) struct Witness(Mutex<Option<Had>>);

impl Witness {
    /// Whether the hub has the message no more, or another one in its place.
    pub(super) async fn is_lost(&self, hub: &dyn FleetStream, folded: u64) -> Result<bool, StreamError> {
        self.is_gone(hub, &hub.ends().await?, folded).await
    }

    /// Begins with what the hub has now.
    pub(super) fn forget(&self) {
        *self.0.lock() = None;
    }

    async fn is_gone(&self, hub: &dyn FleetStream, ends: &Ends, folded: u64) -> Result<bool, StreamError> {
        // What is folded is known better.
        let had = self.0.lock().clone().filter(|had| had.place > folded);
        let Some(had) = had else { return Ok(false) };
        if !(ends.first..=ends.last).contains(&had.place) {
            return Ok(matches!(judge(&had, ends, None), Judgement::LostTail | Judgement::Recreated));
        }
        match hub.at(had.place).await {
            Ok(Some(message)) => Ok(judge(&had, ends, Some(&message)) != Judgement::Same),
            Ok(None) | Err(StreamError::Unfit(_)) => Ok(true),
            Err(e) => Err(e),
        }
    }

    /// Looks at the end of the stream: what it is, and whether the one that was seen before is gone.
    pub(super) async fn look(&self, hub: &dyn FleetStream, folded: u64) -> Result<(Ends, bool), StreamError> {
        let ends = hub.ends().await?;
        if self.is_gone(hub, &ends, folded).await? {
            return Ok((ends, true));
        }
        // One that cannot be read says nothing, and what was seen before is still to be there.
        if ends.last > folded
            && let Ok(Some(message)) = hub.at(ends.last).await
        {
            *self.0.lock() = Some(Had::of(ends.created, &message));
        }
        Ok((ends, false))
    }

    /// Keeps in the status what the hub holds. Never ends.
    pub(super) async fn watch(&self, hub: &dyn FleetStream, status: &watch::Sender<Status>) {
        loop {
            let folded = status.borrow().folded;
            let answer = timeout(ANSWER_WITHIN, self.look(hub, folded)).await;
            status.send_modify(|status| match answer {
                Ok(Ok((ends, is_gone))) => {
                    status.saw_end(Instant::now(), ends.last);
                    status.fallen |= is_gone;
                }
                _ => status.answers = false,
            });
            sleep(ASK_EVERY).await;
        }
    }
}
