//! What an answer tells of losses that it does not hold as records: lines of the recorder's `gap` records, within bounds.

use super::context::Context;
use crate::log::{EventLog, LogError};
use crate::projection::{Asked, Loss};
use bytes::Bytes;
use std::sync::Arc;

/// Bytes of the lines that one answer tells, besides its records. The newest are told, the others are counted.
const MAX_MISSED_BYTES: usize = 64 * 1024;

/// Losses that are told besides.
#[derive(Debug, Default)]
pub(super) struct Missed {
    /// Lines of `gap` records, rising by sequence.
    pub(super) lines: Vec<Bytes>,
    /// How many older ones are not told.
    pub(super) left_out: u64,
}

impl Context {
    /// The losses that are asked for and that `wanted` accepts.
    pub(super) async fn missed(&self, log: &Arc<dyn EventLog>, asked: &Asked, wanted: impl Fn(&Loss) -> bool) -> Result<Missed, LogError> {
        let met = self.losses.meeting(log, asked, wanted).await?;
        let mut missed = Missed { lines: Vec::new(), left_out: met.left_out };
        let (mut bytes, mut full) = (0, false);
        for loss in met.losses.iter().rev() {
            let line = if full { None } else { loss.line(&**log).await? };
            match line {
                Some(line) if bytes + line.len() <= MAX_MISSED_BYTES => {
                    bytes += line.len();
                    missed.lines.push(line);
                }
                // What retention has taken meanwhile is told as such.
                None if !full => {}
                _ => {
                    full = true;
                    missed.left_out += 1;
                }
            }
        }
        missed.lines.reverse();
        Ok(missed)
    }
}
