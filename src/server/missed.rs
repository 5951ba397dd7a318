//! What an answer tells of losses that it does not hold as records: lines of the recorder's `gap` records,
//! within bounds.

use super::context::Context;
use crate::log::{EventLog, LogError};
use crate::projection::{Asked, Loss};
use bytes::Bytes;
use std::sync::Arc;

/// Bytes of the lines that one answer tells, besides its records. The newest are told, the others are
/// counted.
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::Event;
    use crate::log::{EmbeddedLog, NewRecord};
    use crate::shutdown::Stop;
    use crate::time::Timestamp;

    /// Whatever the number and the size of the records, an answer holds so much of them, and says how many it
    /// leaves out.
    #[tokio::test]
    async fn what_is_told_besides_is_bounded_and_the_rest_is_counted() {
        for (count, bytes) in [(3, 10), (150, 10), (90, 900), (150, 900), (5, 3_000), (40, 3_000), (2, 100_000)] {
            let dir = tempfile::TempDir::new().unwrap();
            let log: Arc<dyn EventLog> = Arc::new(EmbeddedLog::open(dir.path()).unwrap().0);
            let gap = |_| {
                let event =
                    Event::recorder("gap", "a", &[("reason", "malformed"), ("sample", &"x".repeat(bytes))], Timestamp::from_nanos(5));
                NewRecord { source: "a".into(), received: Timestamp::from_nanos(5), event }
            };
            log.append((0..count).map(gap).collect()).await.unwrap();
            let context = Context::open(Arc::clone(&log), Stop::new().shutdown());
            let missed = context.missed(&log, &Asked::at(Timestamp::MIN..=Timestamp::MAX), |_| true).await.unwrap();
            let told: usize = missed.lines.iter().map(Bytes::len).sum();
            assert!(told <= MAX_MISSED_BYTES && missed.lines.len() <= crate::projection::MAX_MET, "{count} of {bytes} bytes: {told}");
            assert_eq!(missed.lines.len() as u64 + missed.left_out, count, "{count} of {bytes} bytes");
            assert!(missed.left_out == 0 || told + bytes + 400 > MAX_MISSED_BYTES || missed.lines.len() == crate::projection::MAX_MET);
            // The newest, in the order of the log.
            let seqs: Vec<u64> = missed
                .lines
                .iter()
                .map(|line| serde_json::from_slice::<serde_json::Value>(line).unwrap()["seq"].as_u64().unwrap())
                .collect();
            assert_eq!(seqs, (missed.left_out + 1..=count).collect::<Vec<_>>());
        }
    }
}
