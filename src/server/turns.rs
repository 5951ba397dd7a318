//! Whose turn it is to read the log's files: fair by address, cheap requests before expensive ones, a slice
//! at a time.
//!
//! A read of the log is bounded, and each takes a turn of its own: a request that has to look through
//! millions of records queues again after every slice, after those that have had less.

use super::asker::Party;
use parking_lot::Mutex;
use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::oneshot;

/// Turns at a time, for each processor: one may wait for the disk while another unpacks.
const PER_PROCESSOR: usize = 2;
/// A request that has read for longer than this is an expensive one. Those leave a turn free for the others.
const CHEAP: Duration = Duration::from_millis(50);
/// Of so many turns, one goes to the request that has waited longest, so that expensive ones end as well.
const OLDEST_EVERY: usize = 8;

/// The turns of a server.
#[derive(Debug)]
pub(super) struct Turns {
    state: Mutex<State>,
    most: usize,
}

#[derive(Debug, Default)]
struct State {
    running: usize,
    /// Turns of expensive requests.
    expensive: usize,
    granted: usize,
    tickets: u64,
    /// Clients that wait or have a turn; no others are kept.
    accounts: HashMap<Party, Account>,
    /// One for each request that waits, so there are no more than requests (the connections and streams have
    /// their bounds).
    waiting: Vec<Waiting>,
}

#[derive(Debug)]
struct Account {
    /// Time that its turns have taken, counted from where the least served one stood when it came.
    served: Duration,
    /// Requests that wait or have a turn.
    present: usize,
}

#[derive(Debug)]
struct Waiting {
    party: Party,
    used: Duration,
    ticket: u64,
    call: oneshot::Sender<Turn>,
}

/// A turn, given back when it is dropped.
#[derive(Debug)]
pub(super) struct Turn {
    turns: Arc<Turns>,
    party: Party,
    expensive: bool,
    began: Instant,
}

impl Default for Turns {
    fn default() -> Self {
        Self::new(PER_PROCESSOR * std::thread::available_parallelism().map_or(1, usize::from))
    }
}

impl Turns {
    fn new(most: usize) -> Self {
        Self { state: Mutex::default(), most }
    }

    /// Waits for a turn of a request that has `used` so much time before.
    pub(super) async fn take(self: &Arc<Self>, party: Party, used: Duration) -> Turn {
        loop {
            let (call, called) = oneshot::channel();
            let ticket = self.state.lock().queue(party, used, call);
            let _leave = Leave { turns: self, ticket };
            self.call_next();
            if let Ok(turn) = called.await {
                return turn;
            }
        }
    }

    /// Gives the free turns to those whose they are.
    fn call_next(self: &Arc<Self>) {
        loop {
            // The lock ends with the statement: a turn that nobody takes comes back at once.
            let Some(waiting) = self.state.lock().next(self.most) else { return };
            let turn = Turn { turns: Arc::clone(self), party: waiting.party, expensive: waiting.used >= CHEAP, began: Instant::now() };
            let _ = waiting.call.send(turn);
        }
    }
}

impl State {
    fn queue(&mut self, party: Party, used: Duration, call: oneshot::Sender<Turn>) -> u64 {
        self.tickets += 1;
        let least = self.accounts.values().map(|account| account.served).min().unwrap_or_default();
        self.accounts.entry(party).or_insert(Account { served: least, present: 0 }).present += 1;
        self.waiting.push(Waiting { party, used, ticket: self.tickets, call });
        self.tickets
    }

    /// Who is next, if there is a turn for it.
    fn next(&mut self, most: usize) -> Option<Waiting> {
        if self.running >= most {
            return None;
        }
        let expensive_too = self.expensive + 1 < most.max(2);
        let may = self.waiting.iter().enumerate().filter(|(_, waiting)| expensive_too || waiting.used < CHEAP);
        let served = |party: &Party| self.accounts.get(party).map(|account| account.served);
        let next = if (self.granted + 1).is_multiple_of(OLDEST_EVERY) {
            may.min_by_key(|(_, waiting)| waiting.ticket)
        } else {
            may.min_by_key(|(_, waiting)| (served(&waiting.party), waiting.used, waiting.ticket))
        };
        let waiting = self.waiting.swap_remove(next?.0);
        self.running += 1;
        self.expensive += usize::from(waiting.used >= CHEAP);
        self.granted += 1;
        Some(waiting)
    }

    fn leave(&mut self, party: Party, took: Duration) {
        if let Some(account) = self.accounts.get_mut(&party) {
            account.served += took;
            account.present -= 1;
            if account.present == 0 {
                self.accounts.remove(&party);
            }
        }
    }
}

impl Turn {
    /// For how long it has been held.
    pub(super) fn took(&self) -> Duration {
        self.began.elapsed()
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        {
            let mut state = self.turns.state.lock();
            state.running -= 1;
            state.expensive -= usize::from(self.expensive);
            state.leave(self.party, self.began.elapsed());
        }
        self.turns.call_next();
    }
}

/// A request that is given up does not stay in the queue.
struct Leave<'a> {
    turns: &'a Turns,
    ticket: u64,
}

impl Drop for Leave<'_> {
    fn drop(&mut self) {
        let mut state = self.turns.state.lock();
        if let Some(at) = state.waiting.iter().position(|waiting| waiting.ticket == self.ticket) {
            let waiting = state.waiting.swap_remove(at);
            state.leave(waiting.party, Duration::ZERO);
        }
    }
}

#[cfg(test)]
mod tests;
