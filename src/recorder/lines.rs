//! Lines that are no events, or too long to be kept whole.

use super::Recorder;
use super::continuity::LineId;
use super::memory::{LINE_BYTES, LINE_CHECKSUM};
use crate::ingest::Malformed;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;

impl Recorder {
    /// Tells of a line once, however often it is replayed. Of an event that is too long there are two things:
    /// what is left of it, and the gap.
    pub(super) async fn take_malformed(&mut self, source: &Arc<str>, line: Malformed) {
        let Malformed { received, bytes, checksum, why, sample, cut } = line;
        let mut time = received;
        // What is left of an event is known again as any other event is.
        let id = match cut {
            Some(event) => {
                time = event.fields().time.unwrap_or(received);
                if !self.take_event(source, event, received).await {
                    return;
                }
                None
            }
            None => Some(LineId { bytes, checksum }),
        };
        if id.is_some_and(|id| !self.continuity(source).is_new_line(id)) {
            self.stats.duplicates.fetch_add(1, Relaxed);
            return;
        }
        self.stats.malformed.fetch_add(1, Relaxed);
        let (time, bytes, checksum) = (time.to_string(), bytes.to_string(), format!("{checksum:08x}"));
        let mut attributes = vec![
            ("reason", "malformed"),
            ("from", &*time),
            ("until", &*time),
            ("lost", "1"),
            ("why", &*why),
            (LINE_BYTES, &*bytes),
            ("sample", &*sample),
        ];
        if id.is_some() {
            attributes.push((LINE_CHECKSUM, &*checksum));
        }
        self.own(source, "gap", &attributes);
    }
}
