//! What a forwarder does next, as a function of what has happened: no clock, no chance, no I/O.
//!
//! Each action is answered with one event, which gives the next action.

use super::status::ForwardState;
pub use super::steps::{Action, Event, OnHub, Piece, Seen};
pub use super::trouble::Trouble;
use crate::chain::ChainValue;
use crate::cursor::Sequence;
use crate::parcel::{MAX_LINES, Reason, mark};
use std::time::Duration;

/// What comes within so long of a record goes with it in one message: a health check is three records.
pub const LINGER: Duration = Duration::from_millis(250);
/// The shortest wait after a failure.
const SHORTEST_WAIT: Duration = Duration::from_millis(100);
/// The first jitter; it doubles with each failure in a row.
const FIRST_JITTER: Duration = Duration::from_millis(250);
/// The longest one: a thousand hosts that lost their hub come back within this time.
const LONGEST_JITTER: Duration = Duration::from_secs(5);
/// How long until it is tried again where somebody has to change something first.
const PATIENCE: Duration = Duration::from_secs(60);
/// A publish that the hub cannot take is tried so often on one connection.
const TRIES: u32 = 8;
/// A slow network has parcels of this size at least, in bytes of payload; 64 kbit/s carry it in 4 s.
const SMALLEST_TARGET: usize = 32 * 1024;
/// A hub that takes less than this, in bytes a message, takes no event.
const LEAST_BYTES: usize = 4096;

/// What the hub has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
struct Position {
    place: u64,
    last: Sequence,
    chain: Option<ChainValue>,
}

/// What the machine waits for the end of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    Connecting,
    Placing,
    Cutting,
    Publishing,
}

/// The state of a forwarder.
#[derive(Debug)]
#[expect(clippy::struct_excessive_bools, reason = "each is known or done by itself")]
pub struct Machine {
    /// Where it begins when the hub has nothing.
    start: Sequence,
    /// Records up to here are left out when the hub has nothing, and why.
    skipped: (Sequence, Reason),
    phase: Phase,
    position: Position,
    /// The newest record that the hub has acknowledged or was seen to have, whatever it lost since.
    reached: Sequence,
    max_bytes: usize,
    /// Times that parcels are to be smaller by half: a slow network had not carried one in time.
    halvings: u32,
    /// The hub has been asked what it has.
    is_known: bool,
    pending: Option<Piece>,
    failures: u32,
    /// Refusals in a row to store after what was read as the newest message.
    conflicts: u32,
    lingered: bool,
    hurries: bool,
    /// A log of which another one is published under the same id gets an id of its own.
    may_fork: bool,
    state: ForwardState,
    error: Option<String>,
}

impl Machine {
    /// Before the first connection. `start`: records up to here are not forwarded when the hub has nothing.
    pub fn new(start: Sequence) -> Self {
        Self {
            start,
            skipped: (start, Reason::Since),
            phase: Phase::Connecting,
            position: Position::default(),
            reached: 0,
            max_bytes: 0,
            halvings: 0,
            is_known: false,
            pending: None,
            failures: 0,
            conflicts: 0,
            lingered: false,
            hurries: false,
            may_fork: false,
            state: ForwardState::Connecting,
            error: None,
        }
    }

    /// Whether it asks for a fork where another recorder publishes for this log.
    #[must_use]
    pub fn forking(self, may_fork: bool) -> Self {
        Self { may_fork, ..self }
    }

    /// How it is, and what is wrong.
    pub fn state(&self) -> (ForwardState, Option<&str>) {
        (self.state, self.error.as_deref())
    }

    /// The last record that the hub has; nothing while it has not been asked.
    pub fn acknowledged(&self) -> Option<Sequence> {
        self.is_known.then_some(self.position.last)
    }

    /// The newest record that the hub ever had.
    pub fn reached(&self) -> Sequence {
        self.reached
    }

    /// What is to be done after `event`, when the log goes up to `head`.
    pub fn next(&mut self, event: Event, head: Sequence) -> Action {
        match event {
            Event::Connected(max_bytes) => {
                self.max_bytes = max_bytes;
                self.read_place()
            }
            Event::Nowhere(_) if self.may_lag(0) => self.ask_later(),
            Event::Nowhere(of_ancestor) => {
                self.is_known = true;
                self.skipped = self.begin(of_ancestor);
                self.position = Position { place: 0, last: self.skipped.0, chain: None };
                self.go_on(head)
            }
            Event::Place(seen) => self.judge(&seen, head),
            Event::Cut(Some(piece)) => {
                self.pending = Some(piece);
                self.publish()
            }
            // Only what cannot be forwarded follows; a later parcel tells of it.
            Event::Cut(None) => Action::AwaitHead,
            Event::Acknowledged(place) => self.acknowledge(place, head),
            Event::Elapsed => match (self.phase, &self.pending) {
                (Phase::Connecting, _) => self.connect(),
                (Phase::Placing, _) => self.read_place(),
                (Phase::Publishing, Some(_)) => self.publish(),
                (Phase::Publishing | Phase::Cutting, _) => self.go_on(head),
            },
            Event::Moved => self.go_on(head),
            Event::Failed(trouble) => self.fail(trouble, head),
        }
    }

    /// What is left out where the hub has nothing of this log. A copy goes on where its ancestor would; where
    /// another recorder has gone on with that, the hub may have more of what both had than is proven.
    fn begin(&self, of_ancestor: Option<OnHub>) -> (Sequence, Reason) {
        let goes_on = of_ancestor.filter(|on_hub| on_hub.is_newest || on_hub.last >= self.start);
        goes_on.map_or((self.start, Reason::Since), |on_hub| (on_hub.last, Reason::Ancestor))
    }

    /// Forgets the connection and makes another.
    pub fn connect(&mut self) -> Action {
        (self.phase, self.pending) = (Phase::Connecting, None);
        Action::Connect
    }

    fn read_place(&mut self) -> Action {
        (self.phase, self.pending) = (Phase::Placing, None);
        Action::ReadPlace
    }

    fn publish(&mut self) -> Action {
        self.phase = Phase::Publishing;
        Action::Publish { expected: self.position.place }
    }

    /// Whether the newest message is one of this log, from which it can go on.
    fn judge(&mut self, seen: &Seen, head: Sequence) -> Action {
        let Some(newest) = &seen.head else {
            return self
                .conflict("the newest message that the hub has of this log is of a form that this shipslog does not know".to_owned());
        };
        let last = newest.last();
        if last > seen.ends {
            let ends = seen.ends;
            return self.part(format!("the hub has records of this log up to {last}, and the log ends with {ends}: it was put back from an older copy, or another recorder runs with a copy of it"));
        }
        if seen.chain.is_some_and(|chain| mark(&chain) != newest.after) {
            return self.part(format!("the hub has another record {last} of this log: another recorder runs with a copy of it"));
        }
        if self.may_lag(seen.place) {
            return self.ask_later();
        }
        self.position = Position { place: seen.place, last, chain: seen.chain };
        (self.reached, self.is_known) = (self.reached.max(last), true);
        self.go_on(head)
    }

    /// Whether a replica that lags may have answered: what follows this place was refused more than once, and
    /// it is no newer one. Two replicas may answer in turn.
    fn may_lag(&self, place: u64) -> bool {
        self.conflicts > 1 && place <= self.position.place
    }

    /// After a wait, of which the answer is believed once more.
    fn ask_later(&mut self) -> Action {
        (self.phase, self.conflicts) = (Phase::Placing, 1);
        self.wait_longer()
    }

    fn acknowledge(&mut self, place: u64, head: Sequence) -> Action {
        if let Some(piece) = self.pending.take() {
            self.position = Position { place, last: piece.last, chain: Some(piece.chain) };
            self.reached = self.reached.max(piece.last);
            self.hurries = piece.is_full;
        }
        (self.failures, self.conflicts, self.lingered) = (0, 0, false);
        self.halvings = self.halvings.saturating_sub(1);
        self.go_on(head)
    }

    /// The next parcel, at once where there is enough for a full one.
    fn go_on(&mut self, head: Sequence) -> Action {
        self.phase = Phase::Cutting;
        let behind = head.saturating_sub(self.position.last);
        // After a failure only an acknowledgement shows that it is over.
        if self.failures == 0 || behind == 0 {
            self.error = None;
            self.state = if behind < u64::from(MAX_LINES) { ForwardState::Live } else { ForwardState::CatchingUp };
        }
        if behind == 0 {
            (self.lingered, self.hurries) = (false, false);
            return Action::AwaitHead;
        }
        if !self.hurries && !self.lingered && behind < u64::from(MAX_LINES) {
            self.lingered = true;
            return Action::Wait { least: LINGER, jitter: Duration::ZERO };
        }
        self.lingered = true;
        let Position { place, last: after, chain } = self.position;
        Action::Cut {
            after,
            chain,
            skipped: if place == 0 { self.skipped.0 } else { 0 },
            because: self.skipped.1,
            max_bytes: self.max_bytes,
            target_bytes: self.target_bytes(),
        }
    }

    /// Half of what the hub takes, or less where that has taken too long.
    fn target_bytes(&self) -> usize {
        let half = self.max_bytes / 2;
        (half >> self.halvings).max(SMALLEST_TARGET).min(half)
    }

    fn fail(&mut self, trouble: Trouble, head: Sequence) -> Action {
        match trouble {
            Trouble::Conflict => {
                self.conflicts += 1;
                self.read_place()
            }
            Trouble::TooLarge(limit) => {
                self.pending = None;
                self.max_bytes = if limit < self.max_bytes { limit } else { self.max_bytes / 2 };
                if self.max_bytes < LEAST_BYTES {
                    return self.stop(ForwardState::Refused, format!("the hub takes messages of {} bytes at most", self.max_bytes));
                }
                self.hurries = true;
                self.go_on(head)
            }
            Trouble::Refused(why) => self.stop(ForwardState::Refused, why),
            Trouble::Unanswered(why) => {
                self.unavailable(why);
                if self.phase == Phase::Publishing && self.target_bytes() > SMALLEST_TARGET {
                    self.halvings += 1;
                }
                (self.phase, self.pending) = (Phase::Connecting, None);
                self.wait_longer()
            }
            Trouble::Log(why) => {
                self.unavailable(why);
                self.phase = Phase::Placing;
                self.wait_longer()
            }
            Trouble::Unavailable(why) => {
                self.unavailable(why);
                if self.failures % TRIES == TRIES - 1 {
                    (self.phase, self.pending) = (Phase::Connecting, None);
                }
                self.wait_longer()
            }
        }
    }

    fn unavailable(&mut self, why: String) {
        (self.state, self.error) = (ForwardState::Unavailable, Some(why));
    }

    fn wait_longer(&mut self) -> Action {
        let jitter = FIRST_JITTER.saturating_mul(1 << self.failures.min(10)).min(LONGEST_JITTER);
        self.failures += 1;
        Action::Wait { least: SHORTEST_WAIT, jitter }
    }

    /// The hub has another history of this log, and will never take what is here under its id.
    fn part(&mut self, why: String) -> Action {
        if !self.may_fork {
            return self
                .conflict(format!("{why}; this log has been given another id once since the program began, so this waits for a restart"));
        }
        self.conflict(why);
        Action::Fork
    }

    /// Another recorder publishes for this log. Nothing is published until the hub says otherwise: two who go
    /// on regardless would do so for ever.
    fn conflict(&mut self, why: String) -> Action {
        (self.state, self.error, self.failures) = (ForwardState::Conflict, Some(why), self.failures.max(1));
        (self.phase, self.pending) = (Phase::Placing, None);
        Action::Wait { least: PATIENCE, jitter: LONGEST_JITTER }
    }

    fn stop(&mut self, state: ForwardState, why: String) -> Action {
        (self.state, self.error, self.failures) = (state, Some(why), self.failures.max(1));
        (self.phase, self.pending) = (Phase::Connecting, None);
        Action::Wait { least: PATIENCE, jitter: LONGEST_JITTER }
    }
}
