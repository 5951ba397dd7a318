//! What a question about the log's course is about, and how long may be read for it.

use crate::filter::{Filter, Hosts};
use crate::time::Timestamp;
use std::ops::RangeInclusive;
use std::sync::Arc;
use tokio::time::Duration;

/// How long the log is read for an answer under a filter. What was not reached by then is left out, and said.
pub(super) const MAX_READING: Duration = Duration::from_secs(5);

/// What is counted.
#[derive(Debug, Clone)]
pub struct Span {
    /// By the records' own time.
    pub time: RangeInclusive<Timestamp>,
    /// Those that pass.
    pub filter: Arc<Filter>,
}

impl Span {
    /// The same, of these Docker hosts only.
    pub(super) fn within(&self, hosts: Option<&Hosts>) -> Self {
        Self { time: self.time.clone(), filter: Arc::new(Filter::clone(&self.filter).within_any(hosts)) }
    }
}
