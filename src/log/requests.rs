//! What the writer is asked to do.

use super::{LogError, NewRecord};
use crate::cursor::Sequence;
use std::ops::RangeInclusive;
use std::time::{Duration, Instant};
use tokio::sync::{mpsc, oneshot};

/// Appends that may wait for the writer.
pub(super) const QUEUE: usize = 256;
/// How long the writer looks for the next request before it sleeps.
const SPIN: Duration = Duration::from_micros(50);

/// Answer to an append.
pub(super) type Appended = Result<RangeInclusive<Sequence>, LogError>;

/// What the writer is asked to do.
#[derive(Debug)]
pub(super) enum Request {
    Append(Vec<NewRecord>, oneshot::Sender<Appended>),
    Trim(Sequence, oneshot::Sender<Result<Sequence, LogError>>),
    Close(oneshot::Sender<Result<(), LogError>>),
    /// To see what comes of it.
    #[cfg(test)]
    Panic,
}

/// Whoever waits for a commit often brings the next one at once, sooner than a thread falls asleep and is woken.
pub(super) fn poll_briefly(requests: &mut mpsc::Receiver<Request>) -> Option<Request> {
    let began = Instant::now();
    while began.elapsed() < SPIN {
        if let Ok(request) = requests.try_recv() {
            return Some(request);
        }
        std::hint::spin_loop();
    }
    None
}
