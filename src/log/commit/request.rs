//! What the writer is asked to do.

use crate::cursor::Sequence;
use crate::log::{FleetRecord, Followed, LogError, NewRecord};
use std::ops::RangeInclusive;
use std::sync::LazyLock;
use std::time::{Duration, Instant};
use tokio::sync::{mpsc, oneshot};

/// Appends that may wait for the writer.
pub(in crate::log) const QUEUE: usize = 256;
/// How long the writer looks for the next request before it sleeps.
const SPIN: Duration = Duration::from_micros(50);

/// Answer to an append.
pub(in crate::log) type Appended = Result<RangeInclusive<Sequence>, LogError>;

/// What the writer is asked to do.
#[derive(Debug)]
pub(in crate::log) enum Request {
    Append(Vec<NewRecord>, oneshot::Sender<Appended>),
    /// Of a follower: the sequence that the first record is to get.
    AppendAt(Sequence, Vec<FleetRecord>, oneshot::Sender<Result<Followed, LogError>>),
    Trim(Sequence, oneshot::Sender<Result<Sequence, LogError>>),
    Close(oneshot::Sender<Result<(), LogError>>),
    /// To see what comes of it.
    #[cfg(test)]
    Panic,
}

/// Whether there is only one processor: the caller that a commit has woken runs when its writer stands back,
/// and not before.
fn alone() -> bool {
    static ALONE: LazyLock<bool> = LazyLock::new(|| std::thread::available_parallelism().is_ok_and(|n| n.get() == 1));
    *ALONE
}

/// Lets those run who were told of a commit, if there is no other processor for them.
pub(in crate::log) fn stand_back() {
    if alone() {
        std::thread::yield_now();
    }
}

/// A caller that waits for a commit often brings the next one at once, sooner than a thread falls asleep and
/// is woken.
pub(in crate::log) fn poll_briefly(requests: &mut mpsc::Receiver<Request>) -> Option<Request> {
    if alone() {
        return None;
    }
    let began = Instant::now();
    while began.elapsed() < SPIN {
        if let Ok(request) = requests.try_recv() {
            return Some(request);
        }
        std::hint::spin_loop();
    }
    None
}
