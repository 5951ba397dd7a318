//! What the fold noticed in a message, in words for the program's log. Nothing depends on these words: what
//! is missing of a host is also a record (`own.rs`).

use super::fold::Note;
use super::state::Key;

/// Tells whoever runs the server what a message showed.
pub(super) fn tell(place: u64, note: &Note) {
    let of = |key: &Key| format!("{} ({})", key.host, key.log);
    match note {
        Note::Repeated(key, records) => {
            tracing::debug!("message {place} repeats the records {} to {} of {}", records.start(), records.end(), of(key));
        }
        Note::Unchecked(key, records) => {
            tracing::debug!("records {} to {} of {} cannot be checked", records.start(), records.end(), of(key));
        }
        Note::Gap(key, gap) => {
            let (first, last) = (gap.sequences.start(), gap.sequences.end());
            tracing::warn!("the records {first} to {last} of {} are missing: {}", of(key), gap.reason);
        }
        Note::Damage(key, why) => tracing::warn!("message {place} of {} is damaged: {why}", of(key)),
        Note::Conflict(key) => tracing::warn!("two hosts forward the log of {}: message {place} does not continue it", of(key)),
        Note::TooMany(key) => tracing::warn!("the fleet has too many logs; message {place} of {} is not stored", of(key)),
        Note::Foreign => tracing::debug!("message {place} is of another tenant"),
    }
}
