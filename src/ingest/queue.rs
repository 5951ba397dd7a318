//! The bounded queue between sources and the recorder. Where it is full it keeps a source from its socket for
//! 250 ms at most, once until there is room again; what does not fit after that is lost and counted.
//!
//! Two limits: places (inputs) and bytes. Both are taken when an input is offered and given back when the
//! recorder has taken it off. A source calls [`SourceSender::reserve`] before it connects; from then on
//! events are offered, and the few control inputs of a connection have their places already.

use super::{Input, Malformed, Tagged};
use crate::event::Event;
use crate::time::{Timestamp, received_now};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;
use tokio::sync::Semaphore;
use tokio::sync::mpsc::{self, OwnedPermit, Receiver, Sender};
use tokio::time::timeout;

/// Places that [`SourceSender::reserve`] holds: `Connected`, `ReplayEnd` and `Disconnected`, and an
/// `Overflow` that may have to go in front of each of them; of the first, when an old stream was read on
/// meanwhile.
const CONTROL_PLACES: usize = 6;
/// A queue of fewer places could be filled by reserved ones alone.
const MIN_PLACES: usize = 20;
/// How long a full queue may keep a source from its socket. moby itself holds 1,024 events for a subscriber
/// before it makes any wait: as many as 4,000 events/s bring in this time.
const ROOM_WAIT: Duration = Duration::from_millis(250);
/// What an input costs besides its text.
const INPUT_OVERHEAD_BYTES: usize = 128;

/// A queue of at most `max_inputs` inputs (at least 20; about 10 more per source is wise, since a source
/// holds 6 places back) that hold at most `max_bytes` of text between them. One input larger than that passes
/// alone.
pub fn queue(max_inputs: usize, max_bytes: usize) -> (QueueSender, QueueReceiver) {
    let places = max_inputs.clamp(MIN_PLACES, Semaphore::MAX_PERMITS);
    let max_bytes = u32::try_from(max_bytes.min(Semaphore::MAX_PERMITS)).unwrap_or(u32::MAX).max(1);
    let (sender, receiver) = mpsc::channel(places);
    let shared = Arc::new(Shared {
        bytes: Semaphore::new(max_bytes as usize),
        max_bytes,
        resume_places: (places / 8).clamp(2, 1024),
        resume_bytes: max_bytes / 8,
        offered: AtomicU64::new(0),
        lost: AtomicU64::new(0),
        queued: AtomicU64::new(0),
    });
    (QueueSender { sender, shared: Arc::clone(&shared) }, QueueReceiver { receiver, shared, taken: Vec::new() })
}

#[derive(Debug)]
struct Shared {
    bytes: Semaphore,
    max_bytes: u32,
    /// After an overflow, this many places must be free before it counts as over. Otherwise a recorder that
    /// takes inputs one by one would get an overflow report for every second one.
    resume_places: usize,
    /// And this many bytes, for the same reason.
    resume_bytes: u32,
    offered: AtomicU64,
    lost: AtomicU64,
    queued: AtomicU64,
}

impl Shared {
    /// Bytes that `input` counts for. Control inputs are few and short: they count as places only.
    fn cost(&self, input: &Input) -> u32 {
        let text = match input {
            Input::Event { event, .. } | Input::Observed { event, .. } => event.as_json().len(),
            Input::Malformed(line) => line.why.len() + line.sample.len() + line.cut.as_ref().map_or(0, |cut| cut.as_json().len()),
            Input::Connected { .. }
            | Input::ReplayEnd { .. }
            | Input::ReplayLost { .. }
            | Input::Overflow { .. }
            | Input::Disconnected { .. } => return 0,
        };
        u32::try_from(text + INPUT_OVERHEAD_BYTES).unwrap_or(u32::MAX).min(self.max_bytes)
    }
}

#[derive(Debug)]
struct Queued {
    tagged: Tagged,
    cost: u32,
}

/// Counters of a queue, for `/metrics`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
pub struct QueueStats {
    /// Events and malformed lines offered since the start.
    pub offered: u64,
    /// How many of them were lost because the queue was full.
    pub lost: u64,
    /// Inputs that wait now.
    pub queued: u64,
    /// Bytes that they hold.
    pub queued_bytes: u64,
}

/// The end of the queue that sources put inputs in.
#[derive(Debug, Clone)]
pub struct QueueSender {
    sender: Sender<Queued>,
    shared: Arc<Shared>,
}

impl QueueSender {
    /// The way into the queue of the source `name`.
    pub fn for_source(&self, name: Arc<str>) -> SourceSender {
        SourceSender { queue: self.clone(), source: name, lost: None, reserved: Vec::with_capacity(CONTROL_PLACES) }
    }

    /// The counters now.
    pub fn stats(&self) -> QueueStats {
        stats(&self.shared)
    }

    fn queued(&self, source: &Arc<str>, input: Input, cost: u32) -> Queued {
        self.shared.queued.fetch_add(1, Relaxed);
        Queued { tagged: Tagged { source: Arc::clone(source), input }, cost }
    }

    /// Waits for room. False if the receiver is gone.
    async fn send(&self, source: &Arc<str>, input: Input) -> bool {
        let cost = self.shared.cost(&input);
        // The semaphore is never closed. Places are waited for last, for they are what others wait for as
        // well.
        let Ok(bytes) = self.shared.bytes.acquire_many(cost).await else { return false };
        let Ok(place) = self.sender.reserve().await else { return false };
        bytes.forget();
        place.send(self.queued(source, input, cost));
        true
    }
}

/// The counters of a queue, for as long as anybody asks.
#[derive(Debug, Clone)]
pub struct QueueGauge(Arc<Shared>);

impl QueueGauge {
    /// The counters now.
    pub fn get(&self) -> QueueStats {
        stats(&self.0)
    }
}

fn stats(shared: &Shared) -> QueueStats {
    QueueStats {
        offered: shared.offered.load(Relaxed),
        lost: shared.lost.load(Relaxed),
        queued: shared.queued.load(Relaxed),
        queued_bytes: u64::from(shared.max_bytes).saturating_sub(shared.bytes.available_permits() as u64),
    }
}

/// Inputs lost and not yet told of.
#[derive(Debug, Clone, Copy)]
struct Lost {
    count: u64,
    from: Timestamp,
    until: Timestamp,
}

impl From<Lost> for Input {
    fn from(lost: Lost) -> Self {
        Self::Overflow { lost: lost.count, from: lost.from, until: lost.until }
    }
}

/// One source's way into the queue.
#[derive(Debug)]
pub struct SourceSender {
    queue: QueueSender,
    source: Arc<str>,
    lost: Option<Lost>,
    reserved: Vec<OwnedPermit<Queued>>,
}

impl SourceSender {
    /// Waits until there are places for all control inputs of one connection. Call it before connecting.
    /// False if the receiver is gone.
    pub async fn reserve(&mut self) -> bool {
        while self.reserved.len() < CONTROL_PLACES {
            let Ok(place) = self.queue.sender.clone().reserve_owned().await else { return false };
            self.reserved.push(place);
        }
        true
    }

    /// As [`reserve`](Self::reserve), without waiting: `Some(false)` if the receiver is gone, `None` if
    /// there is no room yet.
    pub fn try_reserve(&mut self) -> Option<bool> {
        while self.reserved.len() < CONTROL_PLACES {
            match self.queue.sender.clone().try_reserve_owned() {
                Ok(place) => self.reserved.push(place),
                Err(mpsc::error::TrySendError::Full(_)) => return None,
                Err(mpsc::error::TrySendError::Closed(_)) => return Some(false),
            }
        }
        Some(true)
    }

    /// If there is no room for so many lines of so many bytes, waits a moment for some: a recorder that is
    /// only slower than a burst gets all of it. There is one such moment at most until the queue has room
    /// again: a recorder that stands still slows nobody down.
    pub async fn make_room(&mut self, lines: usize, bytes: usize) {
        let QueueSender { sender, shared } = &self.queue;
        let bytes = u32::try_from(bytes + lines * INPUT_OVERHEAD_BYTES).unwrap_or(u32::MAX).min(shared.max_bytes);
        let lines = lines.min(sender.max_capacity() / 2);
        if self.lost.is_some() || (sender.capacity() > lines && shared.bytes.available_permits() > bytes as usize) {
            return;
        }
        let room = async {
            drop(shared.bytes.acquire_many(bytes).await);
            drop(sender.reserve_many(lines).await);
        };
        let _ = timeout(ROOM_WAIT, room).await;
    }

    /// Puts an event or a malformed line in the queue, or counts it as lost. Never waits.
    pub fn offer(&mut self, input: Input) {
        self.queue.shared.offered.fetch_add(1, Relaxed);
        let at = match &input {
            Input::Event { received, .. } | Input::Malformed(Malformed { received, .. }) => *received,
            _ => received_now(),
        };
        if self.try_put(input).is_none() {
            self.queue.shared.lost.fetch_add(1, Relaxed);
            let lost = self.lost.get_or_insert(Lost { count: 0, from: at, until: at });
            lost.count += 1;
            lost.until = at;
        }
    }

    fn try_put(&mut self, input: Input) -> Option<()> {
        let QueueSender { sender, shared } = &self.queue;
        let cost = shared.cost(&input);
        let more = if self.lost.is_some() { shared.resume_bytes.min(shared.max_bytes - cost) } else { 0 };
        let mut bytes = shared.bytes.try_acquire_many(cost + more).ok()?;
        if let Some(lost) = self.lost {
            let mut places = sender.try_reserve_many(shared.resume_places).ok()?;
            let (for_overflow, for_input) = (places.next()?, places.next()?);
            for_overflow.send(self.queue.queued(&self.source, lost.into(), 0));
            self.lost = None;
            for_input.send(self.queue.queued(&self.source, input, cost));
        } else {
            sender.try_reserve().ok()?.send(self.queue.queued(&self.source, input, cost));
        }
        drop(bytes.split(more as usize));
        bytes.forget();
        Some(())
    }

    /// Waits for room, then puts an input in the queue, after what was lost before it. Not for use while a
    /// daemon's socket is open. False if the receiver is gone.
    pub async fn send(&mut self, input: Input) -> bool {
        if let Some(lost) = self.lost {
            if !self.queue.send(&self.source, lost.into()).await {
                return false;
            }
            self.lost = None;
        }
        self.queue.send(&self.source, input).await
    }

    /// Whether something was lost that the recorder has not been told of.
    pub fn overflowed(&self) -> bool {
        self.lost.is_some()
    }

    /// Waits until the queue has space again, then tells what was lost. May be dropped and called again at
    /// any time.
    pub async fn flush_overflow(&mut self) {
        let Some(lost) = self.lost else { return };
        let Ok(_bytes) = self.queue.shared.bytes.acquire_many(self.queue.shared.resume_bytes).await else { return };
        let Ok(mut places) = self.queue.sender.reserve_many(self.queue.shared.resume_places).await else { return };
        if let Some(place) = places.next() {
            place.send(self.queue.queued(&self.source, lost.into(), 0));
            self.lost = None;
        }
    }

    /// Puts a control input in the queue at once, in a place that [`reserve`](Self::reserve) holds, after
    /// what was lost before it. False if no place is left.
    pub fn send_reserved(&mut self, input: Input) -> bool {
        if let Some(lost) = self.lost {
            let Some(place) = self.reserved.pop() else { return false };
            place.send(self.queue.queued(&self.source, lost.into(), 0));
            self.lost = None;
        }
        let Some(place) = self.reserved.pop() else { return false };
        place.send(self.queue.queued(&self.source, input, 0));
        true
    }

    /// For what is observed beside the event stream; may be used from another task.
    pub fn observations(&self) -> Observations {
        Observations { queue: self.queue.clone(), source: Arc::clone(&self.source) }
    }
}

/// Puts observed states in the queue, waiting for room.
#[derive(Debug, Clone)]
pub struct Observations {
    queue: QueueSender,
    source: Arc<str>,
}

impl Observations {
    /// Puts one observed state in the queue. False if the receiver is gone.
    pub async fn send(&self, event: Event, received: Timestamp) -> bool {
        self.queue.send(&self.source, Input::Observed { event, received }).await
    }

    /// Returns when the receiver is gone: there is nobody left to tell.
    pub async fn closed(&self) {
        self.queue.sender.closed().await;
    }
}

/// The end of the queue that the recorder reads.
#[derive(Debug)]
pub struct QueueReceiver {
    receiver: Receiver<Queued>,
    shared: Arc<Shared>,
    taken: Vec<Queued>,
}

impl QueueReceiver {
    /// Waits for inputs and appends at most `max` of them to `out`. Returns how many; 0 when all senders are
    /// gone. Nothing is lost if it is dropped while it waits.
    pub async fn recv_many(&mut self, out: &mut Vec<Tagged>, max: usize) -> usize {
        let count = self.receiver.recv_many(&mut self.taken, max.max(1)).await;
        let bytes: usize = self.taken.iter().map(|queued| queued.cost as usize).sum();
        out.extend(self.taken.drain(..).map(|queued| queued.tagged));
        self.shared.bytes.add_permits(bytes);
        self.shared.queued.fetch_sub(count as u64, Relaxed);
        count
    }

    /// The counters now.
    pub fn stats(&self) -> QueueStats {
        stats(&self.shared)
    }

    /// The counters, for others to read.
    pub fn gauge(&self) -> QueueGauge {
        QueueGauge(Arc::clone(&self.shared))
    }
}

#[cfg(test)]
mod tests;
