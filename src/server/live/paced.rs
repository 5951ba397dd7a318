//! The pace of a replay: records go out as they had come in, so many times as fast.

use crate::cursor::Sequence;
use crate::event::Event;
use crate::log::Block;
use crate::reader::Selection;
use crate::time::Timestamp;
use std::time::Duration;
use tokio::time::Instant;

/// What falls due within this time goes out together: one timer for all of it.
const BEAT: Duration = Duration::from_millis(10);
/// Records given at once, about; a stream joins several to a chunk.
const PIECE_BYTES: usize = 16 * 1024;

/// Most time between two records that is waited for. More is a clock that was set while the recorder was
/// stopped, whose `start` the filter keeps away, or so long a silence that nobody watches it.
const LONGEST: Duration = Duration::from_secs(24 * 3600);
/// The same where a run of the recorder starts or its clock was set: how long nothing was recorded is not
/// known to the second.
const LONGEST_STOP: Duration = Duration::from_secs(60);

/// Holds records back until they are due. The first one is due at once; each other one when the time between
/// its receipt and that of the one before it, divided by the speed, has passed. A receipt that falls is due
/// at once: the clock was set.
#[derive(Debug)]
pub(super) struct Pacer {
    speed: f64,
    /// When the newest record given was due, and when the recorder had received it.
    latest: Option<(Instant, Timestamp)>,
    held: Option<Selection>,
}

/// How long to wait between two records for a recorder that received them so.
fn pause(block: &Block, seq: Sequence, before: Timestamp) -> Duration {
    let pause = block.received(seq).since(before).min(LONGEST);
    if pause > LONGEST_STOP && sets_clock(block, seq) { LONGEST_STOP } else { pause }
}

/// Whether at this record the recorder's clock may be another one than before.
fn sets_clock(block: &Block, seq: Sequence) -> bool {
    let event = block.record(seq).map(|record| record.event).filter(Event::is_own);
    event.is_some_and(|event| ["start", "clock"].contains(&&*event.fields().action))
}

/// What a pacer has to say.
#[derive(Debug)]
pub(super) enum Turn {
    /// These are to be sent now.
    Due(Selection),
    /// Nothing before this.
    Later(Instant),
    /// It holds nothing.
    Idle,
}

impl Pacer {
    /// `speed`: at least 1 and finite.
    pub(super) fn new(speed: f64) -> Self {
        Self { speed, latest: None, held: None }
    }

    /// Takes the next records. Only when [`Turn::Idle`].
    pub(super) fn hold(&mut self, selection: Selection) {
        self.held = Some(selection);
    }

    /// The record before the first one held: nothing up to there is kept back.
    pub(super) fn position(&self) -> Option<Sequence> {
        self.held.as_ref().and_then(Selection::first).map(|first| first - 1)
    }

    /// What is to be done now.
    pub(super) fn turn(&mut self, now: Instant) -> Turn {
        let Some(held) = &mut self.held else { return Turn::Idle };
        let Some(first) = held.first() else {
            self.held = None;
            return Turn::Idle;
        };
        let mut latest = *self.latest.get_or_insert_with(|| (now, held.block.received(first)));
        let due = |seq, (due, received)| due + pause(&held.block, seq, received).div_f64(self.speed);
        let first_due = due(first, latest);
        if first_due > now {
            return Turn::Later(first_due.max(now + BEAT));
        }
        let (mut bytes, mut last) = (0, first);
        for seq in held.sequences() {
            let seq_due = due(seq, latest);
            if bytes >= PIECE_BYTES || seq_due > now {
                break;
            }
            bytes += held.block.sse_frame_bytes(seq);
            last = seq;
            latest = (seq_due, held.block.received(seq));
        }
        self.latest = Some(latest);
        let given = held.take_through(last);
        if held.runs.is_empty() {
            self.held = None;
        }
        Turn::Due(given)
    }
}
