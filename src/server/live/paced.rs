//! The pace of a replay: records go out as they had come in, so many times as fast.

use crate::cursor::Sequence;
use crate::reader::Selection;
use crate::time::Timestamp;
use std::time::Duration;
use tokio::time::Instant;

/// What falls due within this time goes out together: one timer for all of it.
const BEAT: Duration = Duration::from_millis(10);
/// Records given at once, about; a stream joins several to a chunk.
const PIECE_BYTES: usize = 16 * 1024;

/// Holds records back until they are due. The first one is due at once; each other one when the time between their receipts, divided
/// by the speed, has passed.
#[derive(Debug)]
pub(super) struct Pacer {
    speed: f64,
    /// When the first record was given, and when the recorder had received it.
    began: Option<(Instant, Timestamp)>,
    held: Option<Selection>,
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
        Self { speed, began: None, held: None }
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
        let (began, received) = *self.began.get_or_insert_with(|| (now, held.block.received(first)));
        let due = |seq| began + held.block.received(seq).since(received).div_f64(self.speed);
        let first_due = due(first);
        if first_due > now {
            return Turn::Later(first_due.max(now + BEAT));
        }
        let (mut bytes, mut last) = (0, first);
        for seq in held.sequences() {
            if bytes >= PIECE_BYTES || due(seq) > now {
                break;
            }
            bytes += held.block.frame_bytes(seq);
            last = seq;
        }
        let given = held.take_through(last);
        if held.runs.is_empty() {
            self.held = None;
        }
        Turn::Due(given)
    }
}
