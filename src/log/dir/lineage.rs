//! Of which log each record is: of this one, or of the log that this one is a copy of.

use crate::cursor::{Cursor, LogId, Sequence};

/// Which log a record is of: a copy of a log continues under a name of its own, and keeps the names of what
/// it was.
#[derive(Debug, Clone)]
pub(in crate::log) struct Lineage {
    log: LogId,
    ancestors: Vec<(LogId, Sequence)>,
}

impl Lineage {
    /// `ancestors`: the logs whose copy `log` is, oldest first, each with the last sequence that both have.
    pub(in crate::log) fn new(log: LogId, ancestors: Vec<(LogId, Sequence)>) -> Self {
        Self { log, ancestors }
    }

    /// The log's id, and its ancestors with the last sequence of each.
    pub(in crate::log) fn parts(&self) -> (LogId, Vec<(LogId, Sequence)>) {
        (self.log, self.ancestors.clone())
    }

    /// The log that gave `seq` its record.
    pub(in crate::log) fn log_at(&self, seq: Sequence) -> LogId {
        self.ancestors.iter().find(|(_, fork)| seq <= *fork).map_or(self.log, |(log, _)| *log)
    }

    /// How many forks lie before a record.
    pub(in crate::log) fn forks_before(&self, seq: Sequence) -> u64 {
        self.ancestors.iter().filter(|(_, fork)| *fork < seq).count() as u64
    }

    /// The log that this one goes on from, with the last record that both have, where none comes after that
    /// up to `end`.
    pub(in crate::log) fn begins_after(&self, end: Sequence) -> Option<(LogId, Sequence)> {
        self.ancestors.last().copied().filter(|(_, fork)| (1..=*fork).contains(&end))
    }

    /// Whether a cursor names a place in this log: by its own name, or by an ancestor's up to the fork.
    pub(in crate::log) fn owns(&self, cursor: Cursor) -> bool {
        cursor.log == self.log.prefix() || self.ancestors.iter().any(|(log, fork)| cursor.log == log.prefix() && cursor.seq <= *fork)
    }

    /// Whether a segment that ends with `last` may be of this log.
    pub(in crate::log) fn wrote(&self, log: LogId, last: Sequence) -> bool {
        self.owns(log.cursor(last))
    }
}

#[cfg(test)]
mod tests {
    use crate::log::dir::manifest::Manifest;

    #[test]
    fn forks_keep_what_their_ancestors_had() {
        let mut manifest = Manifest::create();
        let first = manifest.log_id().unwrap();
        manifest.fork(10);
        let second = manifest.log_id().unwrap();
        // Copied again before anything was added, then cut short.
        for (fork, kept) in [(10, 10), (7, 7)] {
            manifest.fork(fork);
            let lineage = manifest.lineage().unwrap();
            assert!(lineage.wrote(first, kept) && lineage.owns(first.cursor(kept)) && !lineage.owns(first.cursor(kept + 1)));
            assert!(lineage.owns(second.cursor(kept)));
            assert_eq!((lineage.log_at(kept), lineage.log_at(kept + 1)), (first, manifest.log_id().unwrap()));
            assert_eq!((lineage.forks_before(kept), lineage.forks_before(kept + 1) > 0), (0, true));
        }
    }
}
