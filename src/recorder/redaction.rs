//! Secrets go first, so that nothing after this point ever holds one: not the memory of what is stored,
//! which is made from stored events after a restart, and not the log.

use super::Recorder;
use crate::event::Event;
use crate::ingest::{Input, Malformed};
use std::sync::atomic::Ordering::Relaxed;

impl Recorder {
    /// The input without its secrets.
    pub(super) fn without_secrets(&self, input: Input) -> Input {
        match input {
            Input::Event { event, received } => Input::Event { event: self.redacted(event), received },
            Input::Observed { event, received } => Input::Observed { event: self.redacted(event), received },
            Input::Malformed(Malformed { received, bytes, checksum, why, sample, cut }) => {
                // A parser's complaint may cite what it complains of.
                let [why, sample] = [why, sample].map(|text: String| match self.redactor.redact_sample(&text) {
                    Some(redacted) => {
                        self.stats.redacted.fetch_add(1, Relaxed);
                        redacted
                    }
                    None => text,
                });
                let cut = cut.map(|event| self.redacted(event));
                Input::Malformed(Malformed { received, bytes, checksum, why, sample, cut })
            }
            other => other,
        }
    }

    fn redacted(&self, event: Event) -> Event {
        let Some(redacted) = self.redactor.redact(&event) else { return event };
        self.stats.redacted.fetch_add(redacted.values, Relaxed);
        redacted.event
    }
}
