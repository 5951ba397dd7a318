//! What a live client is sent, in order, whatever the transport.

use super::control::Control;
use super::direct::Standing;
use crate::cursor::{LogId, Sequence};
use crate::log::{EventLog, LogError};
use crate::reader::{Reader, Selection, StartAt, Step, Want};
use crate::server::context::stopping;
use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;
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
    /// The highest sequence that the client can resume with.
    told: Sequence,
    spoke: Instant,
    shutdown: watch::Receiver<bool>,
}

impl Feed {
    pub(super) async fn open(
        log: Arc<dyn EventLog>,
        start: StartAt,
        want: Want,
        shutdown: watch::Receiver<bool>,
    ) -> Result<Self, LogError> {
        let start = start.resolve(&*log).await?;
        let bounds = log.bounds();
        let after = start.after;
        let reset = start.reset.as_ref().map(|reset| reset.reason);
        let mut waiting = VecDeque::from([Control::Hello { oldest: bounds.oldest, head: bounds.head, after, reset }]);
        if let Some(reset) = start.reset {
            waiting.push_back(Control::Reset { reset, oldest: bounds.oldest, head: bounds.head, after });
        }
        let reader = Reader::new(log, after, want);
        Ok(Self { log: bounds.log, reader, waiting, caught_up: false, told: after, spoke: Instant::now(), shutdown })
    }

    /// The next item, waiting for it if need be; `None` when the server shuts down or the log cannot be read.
    pub(super) async fn next(&mut self) -> Option<Item> {
        loop {
            match self.ready().await {
                Ready::Item(item) => return Some(item),
                Ready::End => return None,
                Ready::Nothing => continue,
                Ready::AtHead => {}
            }
            let due = if self.reader.position() > self.told { CHECKPOINT_EVERY } else { KEEP_ALIVE };
            let due = self.spoke + due;
            if Instant::now() >= due {
                return Some(self.overdue());
            }
            tokio::select! {
                moved = self.reader.wait() => if !moved { return None },
                () = stopping(&mut self.shutdown) => return None,
                () = tokio::time::sleep_until(due) => {}
            }
        }
    }

    /// One step, without waiting for the head to move.
    pub(super) async fn ready(&mut self) -> Ready {
        if *self.shutdown.borrow() {
            return Ready::End;
        }
        if let Some(control) = self.waiting.pop_front() {
            return Ready::Item(self.say(control));
        }
        match self.reader.next().await {
            Ok(Some(Step::Records(selection))) => {
                self.told = selection.last();
                self.spoke = Instant::now();
                Ready::Item(Item::Records(selection))
            }
            Ok(Some(Step::Gap(range, reason))) => Ready::Item(self.say(Control::Gap { from: *range.start(), to: *range.end(), reason })),
            Ok(Some(Step::Nothing)) if self.spoke.elapsed() >= CHECKPOINT_EVERY => Ready::Item(self.overdue()),
            Ok(Some(Step::Nothing)) => Ready::Nothing,
            Ok(None) if !self.caught_up => {
                self.caught_up = true;
                Ready::Item(self.say(Control::CaughtUp { head: self.reader.position() }))
            }
            Ok(None) => Ready::AtHead,
            Err(e) => {
                tracing::error!(error = %e, "a stream ends because the log cannot be read");
                Ready::End
            }
        }
    }

    /// Where the client stands, for somebody else to go on from.
    pub(super) fn standing(&self) -> Standing {
        Standing { position: self.reader.position(), told: self.told, spoke: self.spoke, filter: Arc::clone(self.reader.filter()) }
    }

    /// Goes on from where somebody else left the client.
    pub(super) fn resume(&mut self, standing: &Standing) {
        self.reader.go_on_after(standing.position);
        (self.told, self.spoke) = (standing.told, standing.spoke);
    }

    /// Comes back when the server is to stop.
    pub(super) async fn stopping(&mut self) {
        stopping(&mut self.shutdown).await;
    }

    fn say(&mut self, control: Control) -> Item {
        self.told = control.position();
        self.spoke = Instant::now();
        Item::Control(control)
    }

    /// A checkpoint if there is something to say, else a sign of life.
    fn overdue(&mut self) -> Item {
        if self.reader.position() > self.told {
            return self.say(Control::Checkpoint { seq: self.reader.position() });
        }
        self.spoke = Instant::now();
        Item::Quiet
    }
}
