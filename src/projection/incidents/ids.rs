//! Ids of records: an import or a copy keeps those of the logs that it comes from.

use crate::cursor::{Cursor, LogId, Sequence};

/// Which log gave the records their ids, from which sequence on.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Ids(Vec<Cursor>);

impl From<LogId> for Ids {
    /// All of one log.
    fn from(log: LogId) -> Self {
        Self(vec![log.cursor(0)])
    }
}

impl Ids {
    /// From this record on, its log gave them. They come in order.
    pub fn note(&mut self, first: Cursor) {
        if self.0.last().is_none_or(|last| last.log != first.log) {
            self.0.push(first);
        }
    }

    /// As numbers, to be stored.
    pub fn parts(&self) -> Vec<(u32, Sequence)> {
        self.0.iter().map(|first| (first.log, first.seq)).collect()
    }

    /// From what was stored.
    pub fn of_parts(parts: &[(u32, Sequence)]) -> Self {
        Self(parts.iter().map(|(log, seq)| Cursor { log: *log, seq: *seq }).collect())
    }

    /// The id of a record.
    pub fn cursor(&self, seq: Sequence) -> String {
        let of = self.0.partition_point(|first| first.seq <= seq).saturating_sub(1);
        self.0.get(of).map_or_else(String::new, |first| Cursor { seq, ..*first }.to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_record_has_the_id_that_its_log_gave_it() {
        let (old, new) = (LogId::with_prefix(1), LogId::with_prefix(2));
        let mut ids = Ids::default();
        for seq in [1, 5, 10, 11] {
            ids.note(if seq < 10 { old.cursor(seq) } else { new.cursor(seq) });
        }
        for (seq, log) in [(1, old), (9, old), (10, new), (99, new)] {
            assert_eq!(ids.cursor(seq), log.cursor(seq).to_string());
        }
        assert_eq!(Ids::from(new).cursor(3), new.cursor(3).to_string());
    }
}
