//! What a live client is sent, in order, whatever the transport.

use super::control::Control;
use super::paced::{Pacer, Turn};
use crate::cursor::{LogId, Sequence};
use crate::log::{EventLog, LogError};
use crate::reader::{Reader, Selection, StartAt, Step, Want};
use crate::server::missed::Missed;
use crate::server::net::Standing;
use crate::shutdown::Shutdown;
use crate::time::Timestamp;
use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;

/// Silence after which a sign of life is due.
pub(super) const KEEP_ALIVE: Duration = Duration::from_secs(15);
/// Least time between checkpoints, and between the last record and one.
pub(super) const CHECKPOINT_EVERY: Duration = Duration::from_secs(5);

/// One thing to send.
#[derive(Debug)]
pub(super) enum Item {
    Control(Control),
    Records(Selection),
    /// Nothing has been sent for [`KEEP_ALIVE`].
    Quiet,
}

/// What a step gave.
#[derive(Debug)]
pub(super) enum Ready {
    Item(Item),
    /// Nothing wanted so far; there is more to look at.
    Nothing,
    /// Nothing more until the head moves.
    AtHead,
    /// The next record is not due before this.
    Later(Instant),
    /// The stream is over.
    End,
}

/// A live client's place in the log. All methods can be dropped while they wait; nothing is lost by it.
#[derive(Debug)]
pub(super) struct Feed {
    pub(super) log: LogId,
    reader: Reader,
    waiting: VecDeque<Control>,
    caught_up: bool,
    /// While a replay is paced.
    pacer: Option<Pacer>,
    /// The stream ends when this has passed and everything has been sent.
    until: Option<Timestamp>,
    /// [`Control::End`] has been said.
    over: bool,
    /// The highest sequence that the client can resume with.
    told: Sequence,
    spoke: Instant,
    shutdown: Shutdown,
}

impl Feed {
    pub(super) async fn open(log: Arc<dyn EventLog>, start: StartAt, want: Want, shutdown: Shutdown) -> Result<Self, LogError> {
        let start = start.resolve(&*log).await?;
        let bounds = log.bounds();
        let after = start.after;
        let reset = start.reset.as_ref().map(|reset| reset.reason);
        let mut waiting =
            VecDeque::from([Control::Hello { oldest: bounds.oldest, head: bounds.head, after, reset, hosts: log.hosts().cloned() }]);
        if let Some(reset) = start.reset {
            waiting.push_back(Control::Reset { reset, oldest: bounds.oldest, head: bounds.head, after });
        }
        let reader = Reader::new(log, after, want);
        Ok(Self {
            log: bounds.log,
            reader,
            waiting,
            caught_up: false,
            pacer: None,
            until: None,
            over: false,
            told: after,
            spoke: Instant::now(),
            shutdown,
        })
    }

    /// Replays so many times as fast as the records had come in, up to the present.
    pub(super) fn paced(mut self, speed: Option<f64>) -> Self {
        self.pacer = speed.map(Pacer::new);
        self
    }

    /// Ends when this time has passed and everything has been sent. Which records are of that time is the
    /// reader's to know.
    pub(super) fn until(mut self, until: Option<Timestamp>) -> Self {
        self.until = until;
        self
    }

    /// Tells at the start of losses whose records it does not come to.
    pub(super) fn telling(mut self, missed: Missed) -> Self {
        let Missed { lines, mut left_out } = missed;
        let at = self.told;
        let told = |record| Control::Incomplete { at, record, left_out: std::mem::take(&mut left_out) };
        self.waiting.extend(lines.into_iter().map(told));
        self
    }

    /// Whether it has come to the end that the client wanted.
    pub(super) fn is_over(&self) -> bool {
        self.over
    }

    /// The next item, waiting for it if need be; `None` at the end, and when the server shuts down or the log
    /// cannot be read.
    pub(super) async fn next(&mut self) -> Option<Item> {
        loop {
            let (at_head, next) = match self.ready().await {
                Ready::Item(item) => return Some(item),
                Ready::End => return None,
                Ready::Nothing => continue,
                Ready::AtHead => (true, self.end()),
                Ready::Later(due) => (false, Some(due)),
            };
            let silence = if self.position() > self.told { CHECKPOINT_EVERY } else { KEEP_ALIVE };
            let sign_of_life = self.spoke + silence;
            if Instant::now() >= sign_of_life {
                return Some(self.overdue());
            }
            tokio::select! {
                moved = self.reader.wait(), if at_head => if !moved { return None },
                () = self.shutdown.stopping() => return None,
                () = tokio::time::sleep_until(next.map_or(sign_of_life, |next| next.min(sign_of_life))) => {}
            }
        }
    }

    /// One step, without waiting for the head to move or for a record to fall due.
    pub(super) async fn ready(&mut self) -> Ready {
        if self.shutdown.is_stopping() || self.over {
            return Ready::End;
        }
        if let Some(control) = self.waiting.pop_front() {
            return Ready::Item(self.say(control));
        }
        if let Some(ready) = self.held() {
            return ready;
        }
        // Looked at before the log is: what that time still brought cannot come in between.
        let past = self.until.is_some_and(|until| until < Timestamp::now());
        match self.reader.next().await {
            Ok(Some(Step::Records(selection))) => match &mut self.pacer {
                Some(pacer) => {
                    pacer.hold(selection);
                    self.reader.let_go();
                    self.held().unwrap_or(Ready::Nothing)
                }
                None => Ready::Item(self.give(selection)),
            },
            Ok(Some(Step::Gap(range, reason))) => Ready::Item(self.say(Control::Gap { from: *range.start(), to: *range.end(), reason })),
            Ok(Some(Step::Nothing)) if self.spoke.elapsed() >= CHECKPOINT_EVERY => Ready::Item(self.overdue()),
            Ok(Some(Step::Nothing)) => Ready::Nothing,
            Ok(None) if past => {
                self.over = true;
                Ready::Item(self.say(Control::End { seq: self.reader.position() }))
            }
            Ok(None) if !self.caught_up => {
                self.caught_up = true;
                // From here on the present sets the pace.
                self.pacer = None;
                Ready::Item(self.say(Control::CaughtUp { head: self.reader.position() }))
            }
            Ok(None) => Ready::AtHead,
            Err(e) => {
                tracing::error!(error = %e, "a stream ends because the log cannot be read");
                Ready::End
            }
        }
    }

    /// What was read ahead is read again when it is wanted; to be called before a client is left to take what
    /// it has been given.
    pub(super) fn let_go(&mut self) {
        self.reader.let_go();
    }

    /// Where the client stands, for somebody else to continue from.
    pub(super) fn standing(&self) -> Standing {
        Standing { position: self.position(), told: self.told, spoke: self.spoke, filter: Arc::clone(self.reader.filter()) }
    }

    /// Continues where somebody else left the client.
    pub(super) fn resume(&mut self, standing: &Standing) {
        self.reader.go_on_after(standing.position);
        (self.told, self.spoke) = (standing.told, standing.spoke);
    }

    /// The last thing that a client is told when the server stops.
    pub(super) fn farewell(&self, retry_ms: u32) -> Control {
        Control::Closing { seq: self.told, retry_ms }
    }

    /// Returns when the server is to stop.
    pub(super) async fn stopping(&self) {
        self.shutdown.stopping().await;
    }

    /// Everything up to here has been sent or was not wanted.
    pub(super) fn position(&self) -> Sequence {
        self.pacer.as_ref().and_then(Pacer::position).unwrap_or(self.reader.position())
    }

    /// What the pacer has to give.
    fn held(&mut self) -> Option<Ready> {
        match self.pacer.as_mut()?.turn(Instant::now()) {
            Turn::Due(selection) => Some(Ready::Item(self.give(selection))),
            Turn::Later(due) => Some(Ready::Later(due)),
            Turn::Idle => None,
        }
    }

    /// When the time that the client named will have passed.
    fn end(&self) -> Option<Instant> {
        let left = self.until?.since(Timestamp::now()) + Duration::from_millis(1);
        Some(Instant::now() + left)
    }

    fn give(&mut self, selection: Selection) -> Item {
        self.told = selection.last();
        self.spoke = Instant::now();
        Item::Records(selection)
    }

    fn say(&mut self, control: Control) -> Item {
        self.told = control.position();
        self.spoke = Instant::now();
        Item::Control(control)
    }

    /// A checkpoint if there is something to say, else a sign of life.
    fn overdue(&mut self) -> Item {
        if self.position() > self.told {
            return self.say(Control::Checkpoint { seq: self.position() });
        }
        self.spoke = Instant::now();
        Item::Quiet
    }
}
