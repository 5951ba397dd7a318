//! From frames to items, with a check that nothing is missing and nothing comes twice. No I/O here.

use super::sse::Frame;
use crate::cursor::{Cursor, Sequence};
use serde::Deserialize;
use serde_json::value::RawValue;
use std::collections::VecDeque;
use std::time::Duration;

/// What a live stream yields.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StreamItem {
    /// Connected; the stream continues after `after`.
    Hello {
        /// The log's id.
        log: String,
        /// The oldest sequence kept.
        oldest: Sequence,
        /// The newest sequence.
        head: Sequence,
        /// The sequence that the stream starts after.
        after: Sequence,
    },
    /// A record: its id and its line of JSON, verbatim.
    Record {
        /// The cursor.
        id: String,
        /// The line, without its end.
        line: String,
    },
    /// These sequences are gone, says the server.
    Gap {
        /// First one gone.
        from: Sequence,
        /// Last one gone.
        to: Sequence,
        /// `retention` or `damage`.
        reason: String,
    },
    /// The position was not of this log; the stream continues from the oldest record, so that records may
    /// come again.
    Reset {
        /// `foreign-log`, `future`, `malformed`; `unannounced` if the server changed logs without a word.
        reason: String,
        /// The oldest sequence kept, where the stream continues.
        oldest: Sequence,
    },
    /// The recorder may have missed events of this time, and the filter hides its record that says so.
    Incomplete {
        /// The line of that record.
        record: String,
    },
    /// The replay has reached the head.
    CaughtUp {
        /// The newest sequence.
        head: Sequence,
    },
    /// Nothing matched up to here.
    Checkpoint {
        /// The sequence.
        seq: Sequence,
    },
    /// Everything up to the time that was asked for has come; nothing follows.
    End {
        /// All sequences up to this one were looked at.
        seq: Sequence,
    },
    /// These sequences did not come, and the server did not say why.
    Lost {
        /// First one missing.
        from: Sequence,
        /// Last one missing.
        to: Sequence,
    },
    /// The connection is gone, or could not be made; the next attempt comes after `wait`.
    Reconnecting {
        /// What happened.
        error: String,
        /// The wait.
        wait: Duration,
    },
}

/// Reason of a reset that the server did not announce.
const UNANNOUNCED: &str = "unannounced";

/// The fields of all control frames; each frame has some of them.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Control {
    log: String,
    oldest: Sequence,
    head: Sequence,
    from: Sequence,
    to: Sequence,
    reason: String,
    /// Of whom the token reads, if not of all Docker hosts.
    hosts: Option<Vec<String>>,
}

/// What `incomplete` carries; its `from` is a time.
#[derive(Debug, Deserialize)]
struct Reported {
    record: Option<Box<RawValue>>,
}

/// Where in the log the stream stands.
#[derive(Debug)]
pub(super) struct Continuity {
    /// Everything up to here was delivered, or its absence reported.
    last: Option<Cursor>,
    /// Without a filter every sequence must come.
    dense: bool,
    /// `hello` named another log than the one followed; a `reset` has to follow.
    foreign: Option<Sequence>,
    /// The log that `hello` named, as cursors do. A copy of a log continues under a name of its own: its
    /// cursors follow those of its ancestor without a word, as its sequences do.
    named: Option<u32>,
}

impl Continuity {
    pub(super) fn new(last: Option<Cursor>, dense: bool) -> Self {
        Self { last, dense, foreign: None, named: None }
    }

    /// The stream leaves records out.
    pub(super) fn leave_out(&mut self) {
        self.dense = false;
    }

    /// The cursor to resume by.
    pub(super) fn position(&self) -> Option<Cursor> {
        self.last
    }

    /// Takes the next frame. A frame that cannot be understood is an error in words.
    pub(super) fn take(&mut self, frame: Frame, out: &mut VecDeque<StreamItem>) -> Result<(), String> {
        let at: Option<Cursor> = frame.id.as_deref().and_then(|id| id.parse().ok());
        if frame.event.is_empty() || frame.event == "message" {
            self.unannounced(out);
            self.record(frame, at, out);
            return Ok(());
        }
        let parse = || serde_json::from_str::<Control>(&frame.data).map_err(|e| format!("the {} frame is damaged: {e}", frame.event));
        match frame.event.as_str() {
            "hello" => {
                let Control { log, oldest, head, hosts, .. } = parse()?;
                if hosts.is_some() {
                    self.leave_out();
                }
                let at = at.ok_or_else(|| "the hello frame has no cursor as its id".to_owned())?;
                self.named = log.get(..8).and_then(|prefix| u32::from_str_radix(prefix, 16).ok());
                out.push_back(StreamItem::Hello { log, oldest, head, after: at.seq });
                self.hello(at, oldest, out);
            }
            "gap" => {
                let Control { from, to, reason, .. } = parse()?;
                // What lies between the position and the gap's start is not part of what the server owns up
                // to.
                if let Some(last) = self.last.filter(|_| self.dense) {
                    lost(last.seq, from.saturating_sub(1), out);
                }
                out.push_back(StreamItem::Gap { from, to, reason });
                self.last = self.last.map(|last| Cursor { seq: last.seq.max(to), ..last });
                self.reach(at, out);
            }
            "reset" => {
                let Control { reason, oldest, .. } = parse()?;
                self.foreign = None;
                out.push_back(StreamItem::Reset { reason, oldest });
                self.last = at.or(self.last).map(|cursor| Cursor { seq: oldest.saturating_sub(1), ..cursor });
            }
            "caught-up" => {
                let Control { head, .. } = parse()?;
                self.unannounced(out);
                self.reach(at, out);
                out.push_back(StreamItem::CaughtUp { head });
            }
            "checkpoint" => {
                self.unannounced(out);
                self.reach(at, out);
                out.push_back(StreamItem::Checkpoint { seq: at.map_or(0, |at| at.seq) });
            }
            "end" => {
                self.unannounced(out);
                self.reach(at, out);
                out.push_back(StreamItem::End { seq: at.map_or(0, |at| at.seq) });
            }
            // The record may lie anywhere in the log, so that the frame is not taken for progress.
            "incomplete" => {
                let record = serde_json::from_str::<Reported>(&frame.data).ok().and_then(|reported| reported.record);
                out.extend(record.map(|record| StreamItem::Incomplete { record: record.get().to_owned() }));
            }
            // A frame of a newer version of the contract: its id counts, the rest is for newer clients.
            _ => self.reach(at, out),
        }
        Ok(())
    }

    fn record(&mut self, frame: Frame, at: Option<Cursor>, out: &mut VecDeque<StreamItem>) {
        if let Some(at) = at {
            match self.last {
                Some(last) if !self.goes_on(last, at) => {
                    out.push_back(StreamItem::Reset { reason: UNANNOUNCED.to_owned(), oldest: at.seq });
                }
                Some(last) if at.seq <= last.seq => return,
                Some(last) if self.dense => lost(last.seq, at.seq - 1, out),
                _ => {}
            }
            self.last = Some(at);
        }
        out.push_back(StreamItem::Record { id: frame.id.unwrap_or_default(), line: frame.data });
    }

    /// The stream must continue exactly where the last one ended. After that, something is lost, filter or
    /// not. Before it, records come again and are dropped, unless a `reset` says that they count.
    fn hello(&mut self, at: Cursor, oldest: Sequence, out: &mut VecDeque<StreamItem>) {
        match self.last {
            Some(last) if last.log == at.log => lost(last.seq, at.seq, out),
            // A server that does not know a cursor says so with a reset, and does not begin just after it.
            Some(last) if last.seq == at.seq && at.seq > 0 => {}
            Some(_) => self.foreign = Some(oldest),
            None => {}
        }
        self.last = Some(match self.last {
            Some(last) if last.log == at.log && last.seq > at.seq => last,
            _ => at,
        });
    }

    /// A control frame's id is a position to resume by, so everything before it must have come.
    fn reach(&mut self, at: Option<Cursor>, out: &mut VecDeque<StreamItem>) {
        let Some(at) = at else { return };
        match self.last.filter(|last| self.goes_on(*last, at)) {
            Some(last) if at.seq <= last.seq => return,
            Some(last) if self.dense => lost(last.seq, at.seq, out),
            _ => {}
        }
        self.last = Some(at);
    }

    /// Whether `at` is of the same log as `last`, or of one that continues after it.
    fn goes_on(&self, last: Cursor, at: Cursor) -> bool {
        // Within a connection, which began with `hello`, another name is that of an ancestor, or of the log
        // after its ancestor's records.
        last.log == at.log || (self.named.is_some() && at.seq > last.seq && self.foreign.is_none())
    }

    fn unannounced(&mut self, out: &mut VecDeque<StreamItem>) {
        if let Some(oldest) = self.foreign.take() {
            out.push_back(StreamItem::Reset { reason: UNANNOUNCED.to_owned(), oldest });
        }
    }
}

/// Reports what lies after `last`, up to and with `to`, if anything does.
fn lost(last: Sequence, to: Sequence, out: &mut VecDeque<StreamItem>) {
    if last < to {
        out.push_back(StreamItem::Lost { from: last + 1, to });
    }
}

#[cfg(test)]
mod tests;
