//! A stored message as it comes from NATS, in any of three shapes.

use super::limits::{MAX_HEAD_BYTES, MAX_MESSAGE_BYTES};
use crate::stream::api::{Ends, Message, StreamError};
use crate::time::Timestamp;
use async_nats::HeaderMap;
use async_nats::jetstream::message::StreamMessage;
use async_nats::jetstream::stream::{Info, RawMessage};
use bytes::Bytes;
use serde::Deserialize;

/// The one header of ours.
pub(super) const HEAD: &str = "Slog";

/// A message as the leader gives it.
#[derive(Debug, Deserialize)]
pub(super) struct Raw {
    pub(super) message: RawMessage,
}

/// A message in the stream that is none of ours.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Foreign {
    pub(super) place: u64,
    pub(super) why: String,
}

impl From<Foreign> for StreamError {
    fn from(Foreign { place, why }: Foreign) -> Self {
        Self::Unfit(format!("the message at {place} of the hub is none of shipslog's: {why}"))
    }
}

impl TryFrom<Raw> for Message {
    type Error = Foreign;

    fn try_from(Raw { message }: Raw) -> Result<Self, Foreign> {
        let place = message.sequence;
        let unread = |error: async_nats::Error| Foreign { place, why: error.to_string() };
        stored(StreamMessage::try_from(message).map_err(unread)?)
    }
}

pub(super) fn stored(message: StreamMessage) -> Result<Message, Foreign> {
    let nanos = message.time.unix_timestamp_nanos();
    self::message(message.sequence, nanos, &message.subject, Some(&message.headers), message.payload)
}

pub(super) fn message(place: u64, nanos: i128, subject: &str, headers: Option<&HeaderMap>, payload: Bytes) -> Result<Message, Foreign> {
    let foreign = |why: String| Foreign { place, why };
    let head = headers.and_then(|headers| headers.get(HEAD)).map_or("", async_nats::HeaderValue::as_str);
    if head.len() > MAX_HEAD_BYTES {
        return Err(foreign(format!("its head has {} bytes, over {MAX_HEAD_BYTES}", head.len())));
    }
    if payload.len() > MAX_MESSAGE_BYTES {
        return Err(foreign(format!("it has {} bytes, over {MAX_MESSAGE_BYTES}", payload.len())));
    }
    let subject = subject.parse().map_err(|error: crate::stream::SubjectError| foreign(super::answer::cut(&error.to_string())))?;
    Ok(Message { place, arrived: time(nanos), subject, head: head.to_owned(), payload })
}

pub(super) fn ends(info: &Info) -> Ends {
    let (state, last) = (&info.state, info.state.last_sequence);
    let first = if state.messages == 0 { last.saturating_add(1) } else { state.first_sequence };
    Ends { created: time(info.created.unix_timestamp_nanos()), first, last }
}

/// The nearest time that there is.
fn time(nanos: i128) -> Timestamp {
    let nearest = if nanos < 0 { i64::MIN } else { i64::MAX };
    Timestamp::from_nanos(i64::try_from(nanos).unwrap_or(nearest))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_of_others_and_without_measure_are_told_apart() {
        let headers = |head: &str| HeaderMap::from_iter([(HEAD.parse().unwrap(), head.parse().unwrap())]);
        let read = |subject: &str, head: &str, bytes: usize| message(7, 5, subject, Some(&headers(head)), vec![0; bytes].into());
        let ours = "slog.v1.acme.web.7f3c9a1e";
        let fits = read(ours, &"h".repeat(MAX_HEAD_BYTES), MAX_MESSAGE_BYTES).unwrap();
        assert_eq!((fits.place, fits.arrived), (7, Timestamp::from_nanos(5)));
        assert_eq!(message(7, i128::MAX, ours, None, Bytes::new()).unwrap().arrived, Timestamp::MAX);
        for foreign in
            [read(ours, &"h".repeat(MAX_HEAD_BYTES + 1), 0), read(ours, "", MAX_MESSAGE_BYTES + 1), read("slog.v1.acme.WEB.x", "", 0)]
        {
            assert_eq!(foreign.unwrap_err().place, 7);
        }
    }
}
