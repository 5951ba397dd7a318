//! Messages in the order of their places, by a pull consumer that this makes itself.
//!
//! The ordered consumer of the client forgets where it was to begin when it has to be made again before its
//! first message. So each place is compared here with the one that must come. A reader is made again on its
//! own only until the server has shown a sign of life; afterwards a loss is the end, so that whoever follows
//! compares what it has with the hub, which may have been put back meanwhile.

use super::answer::{self, api};
use super::limits::{HEARTBEAT, MAX_STARTS, PULL_BYTES, PULL_MESSAGES, PULL_WAIT, READER_KEPT, SILENCE, START_WAIT};
use super::link::{Link, Links, Refusals};
use super::wire;
use crate::stream::api::{Delivery, Message, StreamError};
use async_nats::{Request, StatusCode, Subscriber};
use bytes::Bytes;
use futures_util::{StreamExt as _, stream};
use serde::de::IgnoredAny;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::{sleep, timeout};

/// Said when a pull has brought what it asked for, and the server keeps no more ready.
const PULL_ENDS: [&str; 2] = ["Batch Completed", "Message Size Exceeds MaxBytes"];

pub(super) async fn start(links: Arc<Links>, place: u64) -> Result<Delivery, StreamError> {
    let reader = Reader::begin(&links, place).await?;
    let following = Following { links, expected: place, reader, doubted: None, starts: 0 };
    Ok(Box::pin(stream::unfold(Some(following), |following| async move {
        let mut following = following?;
        let next = following.next().await;
        let after = next.is_ok().then_some(following);
        Some((next, after))
    })))
}

struct Following {
    links: Arc<Links>,
    /// The place that must come next.
    expected: u64,
    reader: Reader,
    /// A later one that came in its stead. When it does so again, the hub has lost what was between.
    doubted: Option<u64>,
    /// How often a reader has begun since a message came.
    starts: u32,
}

impl Following {
    async fn next(&mut self) -> Result<Message, StreamError> {
        loop {
            let (place, nanos, message) = match self.reader.receive().await {
                Ok(came) => came,
                Err(lost) => {
                    if self.reader.is_alive || matches!(lost, StreamError::Refused(_)) {
                        return Err(lost);
                    }
                    self.begin_again(lost).await?;
                    continue;
                }
            };
            // A replica that lags may begin before what was asked for.
            if place < self.expected {
                continue;
            }
            if place > self.expected && !self.reader.may_begin_at(place) && self.doubted != Some(place) {
                self.doubted = Some(place);
                let hole = format!("it sent the message at {place} where the one at {} comes next", self.expected);
                self.begin_again(StreamError::Unavailable(hole)).await?;
                continue;
            }
            self.reader.has_brought = true;
            (self.expected, self.doubted, self.starts) = (place.saturating_add(1), None, 0);
            match wire::message(place, nanos, &message.subject, message.headers.as_ref(), message.payload) {
                Ok(message) => return Ok(message),
                // Every server passes over it, as all see the same.
                Err(wire::Foreign { place, why }) => {
                    tracing::warn!("the message at {place} of the hub is none of ours, and passed over: {why}");
                }
            }
        }
    }

    /// Another reader from the place on that must come next. `why` is the error where that does not help.
    async fn begin_again(&mut self, why: StreamError) -> Result<(), StreamError> {
        self.starts = self.starts.saturating_add(1);
        if self.starts > MAX_STARTS {
            return Err(why);
        }
        tracing::debug!("a reader of the hub begins again at {}: {why}", self.expected);
        sleep(START_WAIT).await;
        self.reader = Reader::begin(&self.links, self.expected).await?;
        Ok(())
    }
}

/// A consumer at the server, and what waits here for its messages.
struct Reader {
    links: Arc<Links>,
    link: Arc<Link>,
    subscription: Subscriber,
    refusals: Refusals,
    inbox: String,
    /// Where to ask for messages.
    asked_at: String,
    /// How many times it was asked.
    pulls: u64,
    /// Messages that the newest pull still brings; 0 when it has ended.
    wanted: usize,
    /// The first place that the stream could bring when this began.
    first: u64,
    /// The server has shown a sign of life.
    is_alive: bool,
    /// It has brought a message that was expected.
    has_brought: bool,
}

impl Reader {
    async fn begin(links: &Arc<Links>, place: u64) -> Result<Self, StreamError> {
        // The server takes any place, also one that it has not come to or has lost.
        let state = links.info().await?.ok_or_else(|| links.missing())?.state;
        if state.last_sequence.saturating_add(1) < place {
            return Err(StreamError::ends_ahead_of(place, state.last_sequence));
        }
        let first = state.first_sequence.max(place);
        let link = links.get().await?;
        let stream = &links.settings().stream;
        let inbox = link.client().new_inbox();
        // As random as the inbox is.
        let name = format!("slog-{}", inbox.rsplit('.').next().unwrap_or_default());
        // Ahead of the subscription, which may be refused.
        let refusals = link.refusals();
        let failed = |error: async_nats::SubscribeError| StreamError::Unavailable(answer::cut(&error.to_string()));
        let subscription = link.client().subscribe(format!("{inbox}.*")).await.map_err(failed)?;
        let config = serde_json::json!({
            "name": name,
            "deliver_policy": "by_start_sequence",
            "opt_start_seq": place,
            "ack_policy": "none",
            "replay_policy": "instant",
            "mem_storage": true,
            "num_replicas": 1,
            "max_batch": PULL_MESSAGES,
            "inactive_threshold": nanos(READER_KEPT),
        });
        let request = answer::json(&serde_json::json!({ "stream_name": stream, "config": config, "action": "create" }))?;
        let subject = format!("$JS.API.CONSUMER.CREATE.{stream}.{name}");
        let _: IgnoredAny = api(&links.ask(&subject, Request::new().payload(request)).await?)?;
        let asked_at = format!("$JS.API.CONSUMER.MSG.NEXT.{stream}.{name}");
        let links = Arc::clone(links);
        Ok(Self { links, link, subscription, refusals, inbox, asked_at, pulls: 0, wanted: 0, first, is_alive: false, has_brought: false })
    }

    /// Whether the message at `place` may be the first one: what was before it has been removed.
    fn may_begin_at(&self, place: u64) -> bool {
        !self.has_brought && place == self.first
    }

    /// The next message with its place and its time.
    async fn receive(&mut self) -> Result<(u64, i128, async_nats::Message), StreamError> {
        let lost = |why: &str| StreamError::Unavailable(format!("the delivery was cut: {why}"));
        loop {
            if self.wanted == 0 {
                self.pull().await?;
            }
            let came = tokio::select! {
                came = timeout(SILENCE, self.subscription.next()) => came,
                refused = self.refusals.of(&self.asked_at) => return Err(refused),
            };
            let Ok(Some(message)) = came else {
                self.links.forget(&self.link).await;
                return Err(lost("the hub shows no sign of life"));
            };
            let status = message.status.unwrap_or(StatusCode::OK);
            if status == StatusCode::OK {
                self.is_alive = true;
                self.wanted = self.wanted.saturating_sub(1);
                let (place, nanos) = numbers(message.reply.as_deref()).ok_or_else(|| lost("a message comes without its place"))?;
                return Ok((place, nanos, message));
            }
            // An earlier pull has ended, which is known.
            if message.subject.as_str() != self.reply() {
                continue;
            }
            let text = message.description.as_deref().unwrap_or_default();
            match status {
                StatusCode::IDLE_HEARTBEAT => self.is_alive = true,
                StatusCode::TIMEOUT | StatusCode::NOT_FOUND => self.wanted = 0,
                StatusCode::REQUEST_TERMINATED if PULL_ENDS.contains(&text) && self.wanted < PULL_MESSAGES => self.wanted = 0,
                status => return Err(lost(&answer::cut(&format!("{status} {text}")))),
            }
        }
    }

    /// Asks for more messages.
    async fn pull(&mut self) -> Result<(), StreamError> {
        self.pulls = self.pulls.wrapping_add(1);
        self.wanted = PULL_MESSAGES;
        let request = answer::json(&serde_json::json!({
            "batch": PULL_MESSAGES,
            "max_bytes": PULL_BYTES,
            "expires": nanos(PULL_WAIT),
            "idle_heartbeat": nanos(HEARTBEAT),
        }))?;
        self.publish(request).await
    }

    async fn publish(&self, request: Bytes) -> Result<(), StreamError> {
        let sent = self.link.client().publish_with_reply(self.asked_at.clone(), self.reply(), request).await;
        sent.map_err(|error| StreamError::Unavailable(answer::cut(&error.to_string())))
    }

    /// Where the newest pull is answered.
    fn reply(&self) -> String {
        format!("{}.{}", self.inbox, self.pulls)
    }
}

fn nanos(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

/// Place and time in the subject to which a message would be acknowledged:
/// `$JS.ACK.<stream>.<consumer>.<deliveries>.<place>.<number>.<time>.<more to come>`, in a newer form with
/// domain and account before the stream, and perhaps with something after the rest.
fn numbers(reply: Option<&str>) -> Option<(u64, i128)> {
    let parts: Vec<&str> = reply?.strip_prefix("$JS.ACK.")?.split('.').collect();
    let stream = match parts.len() {
        7 => 0,
        9.. => 2,
        _ => return None,
    };
    let part = |at: usize| parts.get(stream + at);
    Some((part(3)?.parse().ok()?, part(5)?.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn place_and_time_are_read_from_both_forms_of_an_acknowledgement() {
        let time = 1_800_000_000_123_456_789;
        for reply in [
            "$JS.ACK.SHIPSLOG.slog-x.1.42.7.1800000000123456789.5",
            "$JS.ACK._.hash.SHIPSLOG.slog-x.1.42.7.1800000000123456789.5",
            "$JS.ACK._.hash.SHIPSLOG.slog-x.1.42.7.1800000000123456789.5.random",
        ] {
            assert_eq!(numbers(Some(reply)), Some((42, time)), "{reply}");
        }
        for reply in [None, Some("_INBOX.x"), Some("$JS.ACK.SHIPSLOG.c.1.42.7"), Some("$JS.ACK.S.c.1.x.7.1.5")] {
            assert_eq!(numbers(reply), None, "{reply:?}");
        }
    }
}
