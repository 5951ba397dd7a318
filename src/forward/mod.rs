//! Forwarding a log to the hub of a fleet: one more reader of the log. It writes nothing to the log, and the
//! recorder never waits for it.
//!
//! The log is the queue, and the hub the memory: what the hub has of this host is read from the newest
//! message of the host's own subject. One parcel is in flight at a time, published on the condition that this
//! message is still the newest, so nothing is stored twice whatever is lost on the way. `machine` decides,
//! without clock, chance or I/O; `drive` does what it says; `cut` makes parcels of what the log holds;
//! `ancestor` finds where a copy of a log begins; `burst` tells when the processors are the recorder's.

mod ancestor;
mod burst;
mod cut;
mod drive;
pub mod machine;
mod status;
mod steps;
mod trouble;

pub use drive::{Connect, Ended, Forwarder};
pub use status::{ForwardState, ForwardStatus, Forwarded};

use crate::cursor::{LogId, Sequence};
use crate::stream::{Subject, SubjectError};

/// Where forwarding begins when the hub has nothing of this log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Since {
    /// With the oldest record that is kept.
    Oldest,
    /// With what is recorded from now on.
    Now,
    /// With what follows this record: where it was [`Since::Now`] when the program began, and the log has
    /// been opened anew.
    After(Sequence),
}

/// Under which name a log is forwarded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    /// Whose fleet it is.
    pub tenant: String,
    /// The name with which the host was enrolled.
    pub host: String,
}

impl Identity {
    /// The subject of a log.
    ///
    /// # Errors
    /// When a name cannot stand in a subject.
    pub fn subject(&self, log: LogId) -> Result<Subject, SubjectError> {
        Subject::host(&self.tenant, &self.host, &format!("{:08x}", log.prefix()))
    }
}

#[cfg(test)]
mod tests;
