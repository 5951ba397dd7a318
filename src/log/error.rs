//! What can go wrong with a log.

use super::fleet::Follow;
use super::limits::MAX_RECORD_BYTES;
use crate::cursor::{LogId, Sequence};
use std::path::PathBuf;
use std::sync::Arc;

/// What can go wrong with a log.
#[derive(Debug, Clone, thiserror::Error)]
pub enum LogError {
    /// An operation on a file failed.
    #[error("{doing} {path}: {source}")]
    Io {
        /// What was being done, as in "cannot create".
        doing: &'static str,
        /// To which file.
        path: PathBuf,
        /// Why it failed.
        source: Arc<std::io::Error>,
    },
    /// A record is larger than a log keeps, see [`MAX_RECORD_BYTES`]. Nothing of the batch was stored, and
    /// the log takes others as before.
    #[error("the record at place {index} of its batch takes {bytes} bytes, more than {MAX_RECORD_BYTES}")]
    TooLarge {
        /// Place of the first such record in the batch, from 0.
        index: usize,
        /// What its line takes, at most.
        bytes: usize,
    },
    /// Another process has this log open.
    #[error("{0} is in use by another shipslog; stop that one, or give this one its own --data-dir")]
    InUse(PathBuf),
    /// Written by a newer shipslog.
    #[error("{path} has format {found}, this shipslog reads up to {known}; run the newer shipslog that wrote it")]
    NewerFormat {
        /// The file that says so.
        path: PathBuf,
        /// Its format.
        found: u32,
        /// The newest format this program knows.
        known: u32,
    },
    /// Written before the first release.
    #[error(
        "{path} has format {found}, which no release wrote, this shipslog reads {oldest} and newer; export it with the program that wrote it, and import that"
    )]
    OlderFormat {
        /// The file that says so.
        path: PathBuf,
        /// Its format.
        found: u32,
        /// The oldest format this program knows.
        oldest: u32,
    },
    /// A follower's log holds the records of its stream, and a recorder's own would come between.
    #[error("{path} holds what a follower has of the fleet {log}; nothing can be recorded there: give the recorder its own --data-dir")]
    IsFollower {
        /// The log's directory.
        path: PathBuf,
        /// The fleet's id.
        log: LogId,
    },
    /// A follower cannot continue what a recorder began.
    #[error("{path} holds the log of a recorder; a follower of a fleet needs a --data-dir of its own")]
    NotFollower {
        /// The log's directory.
        path: PathBuf,
    },
    /// A follower's log is of another fleet, or begins elsewhere.
    #[error(
        "{path} follows the fleet {} from the record {} on (chain before it {:.8}), not {} from {} on (chain {:.8}); give the follower another --data-dir",
        .found.log, .found.first, hex::encode(.found.chain), .wanted.log, .wanted.first, hex::encode(.wanted.chain)
    )]
    OtherFollow {
        /// The log's directory.
        path: PathBuf,
        /// What it follows.
        found: Box<Follow>,
        /// What it was to follow.
        wanted: Box<Follow>,
    },
    /// A follower was given other records than the next ones. Nothing was stored. With `given` below `next`
    /// it has the first of them already; above it, records are missing in between.
    #[error("the next record of the log is {next}, and the records given begin with {given}")]
    NotNext {
        /// What comes next.
        next: Sequence,
        /// What came.
        given: Sequence,
    },
    /// What was to be imported cannot be, or not there.
    #[error("{0}")]
    Refused(String),
    /// Stored bytes are not what was written; the text says which, and how it shows.
    #[error("damaged: {0}")]
    Damaged(String),
    /// A fault of the program, which says nothing of what is stored: a panic, a helper that is gone, a value
    /// that cannot be encoded.
    #[error("a fault of shipslog: {0}")]
    Internal(String),
    /// The disk is full, see [`WriterState::Full`](super::WriterState::Full). Can be tried again when that
    /// state has passed.
    #[error("the disk is full: {why}")]
    Full {
        /// How full.
        why: String,
        /// So many records of the batch, its first ones, have been stored even so.
        stored: usize,
    },
    /// The writer has stopped, see [`WriterState::Poisoned`](super::WriterState::Poisoned).
    #[error("the log takes no more records until restart: {0}")]
    Poisoned(String),
    /// The log has been closed.
    #[error("the log is closed")]
    Closed,
}

impl LogError {
    /// Whether a file is not there.
    pub(crate) fn is_not_found(&self) -> bool {
        matches!(self, Self::Io { source, .. } if source.kind() == std::io::ErrorKind::NotFound)
    }

    /// Whether it is for want of space.
    pub(crate) fn is_full(&self) -> bool {
        use std::io::ErrorKind::{FileTooLarge, QuotaExceeded, StorageFull};
        match self {
            Self::Full { .. } => true,
            Self::Io { source, .. } => matches!(source.kind(), StorageFull | QuotaExceeded | FileTooLarge),
            _ => false,
        }
    }
}
