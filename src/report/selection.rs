//! Which incidents are wanted.

use crate::projection::incidents::{Kind, Severity, Shown, Standing};
use crate::time::Timestamp;
use std::ops::RangeInclusive;

/// Which incidents are wanted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Selection {
    /// Those that overlap this time.
    pub range: RangeInclusive<Timestamp>,
    /// At least so bad.
    pub severity: Severity,
    /// In this state; `open` also takes those that recover and are not over yet.
    pub state: Option<Standing>,
    /// Of this kind.
    pub kind: Option<Kind>,
    /// About this subject or container.
    pub subject: Option<String>,
}

impl Default for Selection {
    fn default() -> Self {
        Self { range: Timestamp::MIN..=Timestamp::MAX, severity: Severity::Minor, state: None, kind: None, subject: None }
    }
}

impl Selection {
    /// Whether an incident is wanted, as it stands at `as_of`.
    pub fn wants(&self, incident: &Shown, as_of: Timestamp) -> bool {
        incident.severity >= self.severity && self.is_about(incident, as_of)
    }

    /// The same, however bad it is.
    pub fn is_about(&self, incident: &Shown, as_of: Timestamp) -> bool {
        incident.facts().fit(&self.range, self.state, self.kind, as_of)
            && self.subject.as_ref().is_none_or(|subject| incident.about().any(|about| about == subject))
    }
}
