//! What stands beside an incident's timeline: what its containers printed last, and who was told of it.

use super::model::{LastWords, MAX_LAST_WORDS, MAX_LAST_WORDS_BYTES, MAX_NOTIFIED, MAX_PRINTED_CHARS, Notified};
use super::safe::plain;
use crate::event::{EventView, LAST_WORDS, NOTIFIED, Record};
use crate::projection::incidents::{Shown, subject_of};
use crate::text::printable;
use crate::time::Timestamp;
use std::ops::RangeInclusive;
use std::time::Duration;

/// What a filter has for these records.
pub(super) const READ: &str = r#"{"type":["recorder"],"event":["last-words","notified"]}"#;
/// The end of an incident is known some minutes later at most, and a hook tries for a day to tell it.
const TOLD_WITHIN: Duration = Duration::from_secs(25 * 3600);

/// Beside one incident.
#[derive(Debug, Clone, Default)]
pub(super) struct Beside {
    pub(super) last_words: Vec<LastWords>,
    pub(super) last_words_more: u64,
    pub(super) notified: Vec<Notified>,
}

/// The time in which records may belong to these incidents.
pub(super) fn time<'a>(incidents: impl Iterator<Item = &'a Shown>, as_of: Timestamp) -> RangeInclusive<Timestamp> {
    let (mut from, mut to) = (Timestamp::MAX, Timestamp::MIN);
    for incident in incidents {
        from = from.min(incident.start);
        to = to.max(incident.end.unwrap_or(as_of).max(incident.known));
    }
    from..=to.checked_add(TOLD_WITHIN).unwrap_or(Timestamp::MAX)
}

impl Beside {
    /// Takes a record that belongs to the incident. `share`: bytes of output for each death.
    pub(super) fn read(&mut self, incident: &Shown, id: &str, record: &Record, share: usize) {
        if !record.event.is_own() {
            return;
        }
        let view = record.event.view();
        match view.action.as_deref() {
            Some(NOTIFIED) if view.attribute("incident") == Some(incident.id.as_str()) => self.notified(id, record.time, &view),
            Some(LAST_WORDS) if incident.source == *record.source => self.last_words(incident, id, &view, share),
            _ => {}
        }
    }

    fn notified(&mut self, id: &str, time: Timestamp, view: &EventView<'_>) {
        let said = |key: &str| view.attribute(key).map(plain).unwrap_or_default();
        if self.notified.len() >= MAX_NOTIFIED {
            // The first and the newest ones tell most.
            self.notified.remove(MAX_NOTIFIED / 2);
        }
        let (hook, occasion, severity, status) = (said("hook"), said("occasion"), said("severity"), said("status"));
        self.notified.push(Notified { record: id.to_owned(), time, hook, occasion, severity, status });
    }

    fn last_words(&mut self, incident: &Shown, id: &str, view: &EventView<'_>, share: usize) {
        let container: String = view.actor_id.as_deref().unwrap_or_default().chars().take(12).collect();
        let subject = subject_of(|key| view.attribute(key), view.actor_id.as_deref().unwrap_or_default());
        let is_of = incident.subject == subject || incident.subjects.iter().any(|part| part.key == subject);
        let died = view.attribute("died").and_then(|time| Timestamp::from_text(time.as_bytes()));
        // A failure is judged later, so that words of one that began the incident are not before its start.
        let within = died.is_none_or(|died| died >= incident.start && incident.end.is_none_or(|end| died <= end));
        if !(is_of || incident.containers.contains(&container)) || !within {
            return;
        }
        if self.last_words.len() >= MAX_LAST_WORDS {
            self.last_words.remove(1);
            self.last_words_more += 1;
        }
        let (lines, more) = lines(view.attribute("text").unwrap_or_default(), share);
        let left_out = view.attribute("left_out").and_then(|count| count.parse().ok()).unwrap_or(0) + more;
        let why = view.attribute("why").map(plain);
        self.last_words.push(LastWords { record: id.to_owned(), subject: plain(&subject), container, died, lines, left_out, why });
    }
}

/// The last lines that fit, and how many do not.
fn lines(text: &str, share: usize) -> (Vec<String>, u64) {
    let (mut lines, mut bytes, mut more) = (Vec::new(), 0, 0);
    for line in text.lines().rev() {
        let line = printable(line, MAX_PRINTED_CHARS);
        bytes += line.len() + 1;
        if bytes > share && !lines.is_empty() {
            more += 1;
            continue;
        }
        lines.push(line);
    }
    lines.reverse();
    (lines, more)
}

/// Bytes of output for each death, where a report has so many incidents.
pub(super) fn share(incidents: usize) -> usize {
    (MAX_LAST_WORDS_BYTES / (incidents.max(1) * MAX_LAST_WORDS)).clamp(1024, 16 * 1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_lines_are_kept_and_the_others_counted() {
        assert_eq!(lines("a\nbb\nccc", 100), (vec!["a".to_owned(), "bb".to_owned(), "ccc".to_owned()], 0));
        assert_eq!(lines("a\nbb\nccc", 8), (vec!["bb".to_owned(), "ccc".to_owned()], 1));
        // One line at least, and nothing that acts on a terminal.
        assert_eq!(lines("a\n\u{1b}[31mlong", 2), (vec!["\\u{1b}[31mlong".to_owned()], 1));
        assert_eq!(lines(&"x".repeat(10_000), 1).0[0].chars().count(), MAX_PRINTED_CHARS);
        assert_eq!((share(0), share(1), share(10), share(10_000)), (16 << 10, 16 << 10, 16 << 10, 1024));
    }
}
