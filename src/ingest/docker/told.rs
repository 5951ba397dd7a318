//! Which failures of a host stand in the program's log already: each kind is told once, until all has been
//! well for a while. Kinds count and not words, since a daemon words the same failure differently each time;
//! and all kinds so far are remembered, since two failures may alternate for ever.

use super::error::IngestError;
use std::collections::BTreeSet;

/// Kinds of failures that are told apart; further ones are only counted.
const MAX_KINDS: usize = 16;

#[derive(Debug, Default)]
pub(super) struct Told {
    kinds: BTreeSet<String>,
    /// Failures that were not told.
    pub(super) untold: u64,
}

impl Told {
    /// Whether to tell a failure; if not, it is counted.
    pub(super) fn is_news(&mut self, error: &IngestError) -> bool {
        let is_news = self.kinds.len() < MAX_KINDS && self.kinds.insert(error.kind());
        self.untold += u64::from(!is_news);
        is_news
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn failures_that_take_turns_are_told_once_each() {
        let mut told = Told::default();
        let status = |status, message: &str| IngestError::Status { status, message: message.to_owned() };
        assert!(told.is_news(&IngestError::Ended));
        assert!(told.is_news(&status(500, "request 1")) && !told.is_news(&status(500, "request 2")));
        assert!(!told.is_news(&IngestError::Ended) && told.is_news(&status(503, "x")));
        assert_eq!(told.untold, 2);
        for code in 0..1000 {
            let _ = told.is_news(&status(code, "x"));
        }
        assert_eq!(told.kinds.len(), MAX_KINDS);
    }
}
