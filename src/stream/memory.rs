//! A hub in memory, for tests and models: what a test does to it, it does at once and always in the same way.
//! It keeps nothing on a disk, and no server or host uses it.
//!
//! No clock runs here. A message arrives a millisecond after the one before it, unless
//! [`MemoryStream::set_now`] says when. Every clone is another client of the same hub.
//! `tests/fleet/contract.rs` holds what it has in common with a real one.

mod faults;
mod stored;

use super::api::{Delivery, Ends, FleetStream, Message, Outgoing, StreamError};
use super::subject::Subject;
use crate::time::Timestamp;
use async_trait::async_trait;
pub use faults::Fault;
use faults::Faults;
use parking_lot::Mutex;
use std::sync::Arc;
pub use stored::Older;
use stored::Stored;
use tokio::sync::watch;

/// Bytes of head and payload that a message may have where a test says nothing else: what NATS takes unless
/// it is told otherwise.
const DEFAULT_MAX_BYTES: usize = 1 << 20;
/// When a stream is made where nobody says when, in nanoseconds since the Unix epoch.
const DEFAULT_CREATED: i64 = 1_800_000_000_000_000_000;

/// A hub in memory.
#[derive(Debug, Clone)]
pub struct MemoryStream {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    state: Mutex<State>,
    /// Counts what happened, so that whoever waits looks again.
    changes: watch::Sender<u64>,
}

#[derive(Debug)]
struct State {
    stored: Stored,
    faults: Faults,
    max_bytes: usize,
}

impl Default for MemoryStream {
    fn default() -> Self {
        Self::new()
    }
}

impl MemoryStream {
    /// An empty stream.
    pub fn new() -> Self {
        Self::created(Timestamp::from_nanos(DEFAULT_CREATED))
    }

    /// An empty stream that was made at `created`.
    pub fn created(created: Timestamp) -> Self {
        let state = State { stored: Stored::new(created), faults: Faults::default(), max_bytes: DEFAULT_MAX_BYTES };
        Self { shared: Arc::new(Shared { state: Mutex::new(state), changes: watch::Sender::new(0) }) }
    }

    fn change<T>(&self, change: impl FnOnce(&mut State) -> T) -> T {
        let out = change(&mut self.shared.state.lock());
        self.shared.changes.send_modify(|count| *count = count.wrapping_add(1));
        out
    }

    /// What a message may have from now on, in bytes of head and payload.
    pub fn set_max_bytes(&self, bytes: usize) {
        self.change(|state| state.max_bytes = bytes);
    }

    /// When the next message arrives; those after it follow at a millisecond each. It may be earlier than the
    /// last one, as where another node leads whose clock is late.
    pub fn set_now(&self, now: Timestamp) {
        self.change(|state| state.stored.now = now);
    }

    /// Removes all messages before `place`, as retention does.
    pub fn trim_before(&self, place: u64) {
        self.change(|state| state.stored.trim_before(place));
    }

    /// A copy of the stream as it is, for [`put_back`](Self::put_back).
    pub fn copy(&self) -> Older {
        self.shared.state.lock().stored.copy()
    }

    /// Puts the stream back to an older copy of it: it forgets what was stored since, uses its places again,
    /// and keeps `created`. Every delivery ends.
    pub fn put_back(&self, older: &Older) {
        self.change(|state| {
            state.stored.put_back(older);
            state.faults.end_deliveries();
        });
    }

    /// Deletes the stream and makes an empty one at `created`. Every delivery ends.
    pub fn make_again(&self, created: Timestamp) {
        self.change(|state| {
            state.stored = Stored::new(created);
            state.faults.end_deliveries();
        });
    }

    /// What becomes of the next publish that would succeed. Several are used up one after the other.
    pub fn fail_publish(&self, fault: Fault) {
        self.change(|state| state.faults.publishes.push_back(fault));
    }

    /// Every call fails with this from now on, and every delivery ends with it; `None` ends that.
    pub fn set_outage(&self, error: Option<StreamError>) {
        self.change(|state| {
            state.faults.outage = error;
            state.faults.end_deliveries();
        });
    }

    /// Calls do not return, and deliveries bring nothing, until this is set back: a hub that hangs. A publish
    /// stores nothing while it waits.
    pub fn set_hanging(&self, hangs: bool) {
        self.change(|state| state.faults.hangs = hangs);
    }

    /// Every delivery that runs ends with an error, after what it has brought.
    pub fn end_deliveries(&self) {
        self.change(|state| state.faults.end_deliveries());
    }

    /// The first delivery that comes to `place` ends with an error instead of bringing that message.
    pub fn end_delivery_at(&self, place: u64) {
        self.change(|state| state.faults.cuts.push(place));
    }

    /// [`newest`](FleetStream::newest) answers from a replica that has the messages up to `place` only;
    /// `None` has it catch up.
    pub fn set_replica_at(&self, place: Option<u64>) {
        self.change(|state| state.faults.replica = place);
    }

    /// What is kept, in order.
    pub fn messages(&self) -> Vec<Message> {
        self.shared.state.lock().stored.messages().cloned().collect()
    }

    /// Asks until the hub does not hang and `look` finds something.
    async fn wait<T>(&self, mut look: impl FnMut(&mut State) -> Option<T>) -> T {
        let mut changes = self.shared.changes.subscribe();
        loop {
            changes.borrow_and_update();
            if let Some(found) = Some(&mut *self.shared.state.lock()).filter(|state| !state.faults.hangs).and_then(&mut look) {
                return found;
            }
            // The sender lives as long as this does.
            let _ = changes.changed().await;
        }
    }

    /// One answer of a hub that is there.
    async fn ask<T>(&self, mut answer: impl FnMut(&mut State) -> Result<T, StreamError>) -> Result<T, StreamError> {
        self.wait(|state| Some(state.faults.outage.clone().map_or_else(|| answer(state), Err))).await
    }
}

#[async_trait]
impl FleetStream for MemoryStream {
    async fn newest(&self, subject: &Subject) -> Result<Option<Message>, StreamError> {
        self.ask(|state| Ok(state.stored.newest(subject, state.faults.replica.unwrap_or(u64::MAX)).cloned())).await
    }

    async fn publish(&self, message: Outgoing, expected: u64) -> Result<u64, StreamError> {
        let stored = self.ask(|state| state.publish(&message, expected)).await;
        self.change(|_| ());
        stored
    }

    async fn read_from(&self, place: u64) -> Result<Delivery, StreamError> {
        let generation = self
            .ask(|state| {
                let last = state.stored.last();
                if place > last.saturating_add(1) { Err(StreamError::ends_ahead_of(place, last)) } else { Ok(state.faults.generation) }
            })
            .await?;
        let reading = Some((self.clone(), place.max(1)));
        Ok(Box::pin(futures_util::stream::unfold(reading, move |reading| async move {
            let (hub, place) = reading?;
            let next = hub.wait(|state| state.next(place, generation)).await;
            let after = next.as_ref().ok().map(|message| (hub, message.place.saturating_add(1)));
            Some((next, after))
        })))
    }

    async fn ends(&self) -> Result<Ends, StreamError> {
        self.ask(|state| Ok(state.stored.ends())).await
    }

    async fn at(&self, place: u64) -> Result<Option<Message>, StreamError> {
        self.ask(|state| Ok(state.stored.from(place).filter(|message| message.place == place).cloned())).await
    }

    fn max_bytes(&self) -> usize {
        self.shared.state.lock().max_bytes
    }
}

impl State {
    fn publish(&mut self, message: &Outgoing, expected: u64) -> Result<u64, StreamError> {
        let bytes = message.head.len().saturating_add(message.payload.len());
        if bytes > self.max_bytes {
            return Err(StreamError::TooLarge { bytes, limit: self.max_bytes });
        }
        if self.stored.newest(&message.subject, u64::MAX).map_or(0, |newest| newest.place) != expected {
            return Err(StreamError::Conflict);
        }
        match self.faults.publishes.pop_front() {
            None => Ok(self.stored.push(message.clone())),
            Some(fault) => {
                if fault == Fault::StoredUnanswered {
                    self.stored.push(message.clone());
                }
                Err(fault.error())
            }
        }
    }

    /// What a delivery brings next, which is at `place` or after it; `None` while there is nothing.
    fn next(&mut self, place: u64, generation: u64) -> Option<Result<Message, StreamError>> {
        if generation != self.faults.generation {
            let cut = || StreamError::Unavailable("the delivery was cut".to_owned());
            return Some(Err(self.faults.outage.clone().unwrap_or_else(cut)));
        }
        let message = self.stored.from(place)?;
        match self.faults.cuts.iter().position(|&cut| cut == message.place) {
            Some(index) => {
                self.faults.cuts.swap_remove(index);
                Some(Err(StreamError::Unavailable("the delivery was cut".to_owned())))
            }
            None => Some(Ok(message.clone())),
        }
    }
}

#[cfg(test)]
mod tests;
