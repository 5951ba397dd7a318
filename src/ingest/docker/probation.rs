//! Whether a new event stream is worth its connection. A daemon that ends each stream at once (Podman without
//! an events logger, some proxies) is asked less and less often, and the log is told of no connection to it.

use super::error::IngestError;
use super::wire::EventStream;
use crate::event::Event;
use crate::ingest::lines::{Line, LineSplitter};
use crate::text::printable;
use crate::time::Timestamp;
use bytes::Bytes;
use std::collections::VecDeque;
use std::time::Duration;
use tokio::time::{Instant, timeout_at};

/// Bytes that are held until a stream counts; one that has more to say counts at once.
pub(super) const MAX_HELD_BYTES: usize = 4 << 20;
/// Characters of what a daemon said in place of events.
const MAX_SAID_CHARS: usize = 300;

/// Reads from a stream until it has lived for `probation`, or has brought an event that is newer than
/// `newest`. What was read is given back, in order: it is to be read again. A stream that ends before brought
/// nothing: what it replayed comes again with the next one.
pub(super) async fn prove(
    stream: &mut EventStream,
    probation: Duration,
    newest: Option<Timestamp>,
) -> Result<VecDeque<Bytes>, IngestError> {
    let (mut held, mut bytes_held) = (VecDeque::new(), 0);
    let (mut splitter, mut said) = (LineSplitter::default(), None);
    let until = Instant::now() + probation;
    while let Ok(next) = timeout_at(until, stream.next()).await {
        let bytes = match next {
            Ok(bytes) => bytes,
            // What stands in place of an event may have no line end.
            Err(IngestError::Ended) => {
                splitter.finish(|line| said = said.take().or_else(|| message(&line)));
                return Err(IngestError::Restless { said });
            }
            Err(error) => return Err(error),
        };
        let mut is_news = false;
        splitter.push(&bytes, |line| {
            is_news |= is_newer(&line, newest);
            said = said.take().or_else(|| message(&line));
        });
        bytes_held += bytes.len();
        held.push_back(bytes);
        if is_news || bytes_held >= MAX_HELD_BYTES {
            break;
        }
    }
    Ok(held)
}

fn event(line: &Line<'_>) -> Option<Event> {
    match line {
        Line::Event(event) => Some(event.clone()),
        Line::TooLong { cut, .. } => cut.clone(),
        Line::Malformed { .. } => None,
    }
}

fn is_newer(line: &Line<'_>, newest: Option<Timestamp>) -> bool {
    event(line).is_some_and(|event| event.fields().time.is_some_and(|time| Some(time) > newest))
}

/// What a daemon says where an event should stand: `{"message": …}`, as after HTTP 500.
fn message(line: &Line<'_>) -> Option<String> {
    let event = event(line).filter(|event| event.fields().action.is_empty())?;
    let object: serde_json::Value = serde_json::from_str(event.as_json()).ok()?;
    let said = ["message", "cause", "error"].into_iter().find_map(|key| object.get(key)?.as_str())?;
    Some(printable(said.trim(), MAX_SAID_CHARS))
}
