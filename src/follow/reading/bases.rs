//! Bases: other servers' are compared with one's own, and one's own are published.

use super::Reading;
use crate::follow::base::{BASE_EVERY, Base, BaseError, compare};
use crate::follow::differing::Known;
use crate::follow::error::is_refusal;
use crate::follow::find::{Broken, root};
use crate::follow::settings::ANSWER_WITHIN;
use crate::stream::{FleetStream, Message, StreamError, Subject};
use std::collections::BTreeSet;
use tokio::time::timeout;

/// Bases of one's own that are kept to be compared, the newest.
const OWN_BASES: usize = 8;
/// Messages of bases that are known to be one's own, the newest.
const OWN_MESSAGES: usize = 4096;

/// Remembers a message of one's own, and forgets the oldest where there are too many.
fn remember(published: &mut BTreeSet<u64>, place: u64) {
    published.insert(place);
    while published.len() > OWN_MESSAGES {
        published.pop_first();
    }
}

impl Reading<'_> {
    /// Compares another server's base with one's own of the same place.
    pub(super) async fn compare(&mut self, hub: &dyn FleetStream, message: &Message) -> Result<(), Broken> {
        let base = Base::of_message(message)?;
        let place = base.state.place;
        self.newest_base = (message.place, place);
        // Of a server that had not heard yet under which id the fleet goes on.
        if base.fleet != self.id_at(place) {
            return Ok(());
        }
        let differs = match self.own.get(&place) {
            Some(own) => compare(place, own, &base.to_text()).err(),
            // All that were due since the oldest one kept are kept.
            None if self.own.first_key_value().is_some_and(|(oldest, _)| *oldest < place) => {
                Some(BaseError::Differs { place, what: "no base was due there".to_owned() })
            }
            None => None,
        };
        let Some(differs) = differs else { return Ok(()) };
        self.flush_all().await?;
        tracing::error!("{differs}; the stream is folded again to see which of the two is wrong");
        let (ends, epoch) = (hub.ends().await?, self.epoch.as_ref().map(|(_, epoch)| epoch));
        let root = root(&self.settings.tenant, self.own_log.ids, epoch, &ends);
        let known = Known { log: self.own_log, texts: &self.own, published: &self.published, began: self.began, root };
        known.judge(hub, &base, differs.clone()).await?;
        let told =
            format!("{differs}; what is here is what the stream gives: look after the server that published message {}", message.place);
        tracing::error!("{told}");
        self.status.send_modify(|status| status.differing = Some(told));
        Ok(())
    }

    /// Keeps one's own base, and publishes it where it is the newest and the first of its place.
    pub(super) async fn own_base(&mut self, hub: &dyn FleetStream) -> Result<(), Broken> {
        let (previous, newest_place) = self.newest_base;
        let place = self.place();
        let base = Base { state: self.state.read().clone(), fleet: self.id_at(place), chain: self.chain, previous };
        self.own.insert(place, base.to_text());
        while self.own.len() > OWN_BASES {
            self.own.pop_first();
        }
        let last = self.status.borrow().hub_last.unwrap_or(u64::MAX);
        // What does not come out as the log has it yet may be of a base that is wrong.
        let is_stored = self.next >= self.stored.0;
        if !is_stored || last.saturating_sub(place) >= BASE_EVERY || place <= newest_place {
            return Ok(());
        }
        let message = match base.to_message(Subject::base(&self.settings.tenant)?, hub.max_bytes()) {
            Ok(message) => message,
            Err(e) => {
                self.tell_unpublished(place, &format!("{e} (max_payload of the hub's nodes)"));
                return Ok(());
            }
        };
        // Another server's is as good: what was not stored here is not missed.
        match timeout(ANSWER_WITHIN, hub.publish(message, previous)).await {
            Ok(Ok(stored)) => {
                self.newest_base = (stored, place);
                remember(&mut self.published, stored);
                self.status.send_modify(|status| status.unpublished = None);
            }
            Ok(Err(StreamError::Conflict)) => self.status.send_modify(|status| status.unpublished = None),
            Ok(Err(e)) if is_refusal(&e) => self.tell_unpublished(place, &e.to_string()),
            Ok(Err(e)) => tracing::debug!("a base was not published: {e}"),
            Err(_) => tracing::debug!("a base was not published in time"),
        }
        Ok(())
    }

    /// Without bases a server that comes late has nothing to begin with.
    fn tell_unpublished(&self, place: u64, why: &str) {
        tracing::warn!("no base is published after message {place}: {why}");
        let told = format!("this server cannot publish what others begin with (a base): {why}");
        self.status.send_modify(|status| status.unpublished = Some(told));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_of_ones_own_messages_are_remembered_and_no_more() {
        let (mut published, last) = (BTreeSet::new(), 3 * OWN_MESSAGES as u64);
        (1..=last).for_each(|place| remember(&mut published, place));
        assert_eq!(published.len(), OWN_MESSAGES);
        assert_eq!((published.first(), published.last()), (Some(&(last - OWN_MESSAGES as u64 + 1)), Some(&last)));
    }
}
