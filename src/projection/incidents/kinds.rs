//! The words that incidents are sorted by.

use serde::{Deserialize, Serialize};

/// The record that an incident begins with, and the letter that tells apart those that begin with one record.
/// Fixed at birth.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Key {
    /// The first record.
    pub seq: u64,
    /// `c` for a subject's own, `m` for many at once, `h` for the host, `n` for a notice; later ones where
    /// that is taken.
    pub letter: u8,
}

/// The symptom. Of one incident it only ever rises.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// A notice: a container was paused for long.
    Paused,
    /// A notice: a stop that the program did not obey.
    StopTimeout,
    /// A notice: a job ended with an error.
    JobFailed,
    /// A health check failed.
    Unhealthy,
    /// It ends with success and is started again and again.
    RestartLoop,
    /// It ended though nobody asked for it.
    Crash,
    /// Memory ran out.
    Oom,
    /// It could not be started.
    StartFailed,
    /// It crashed at least three times in a row.
    CrashLoop,
    /// Several subjects of one project, one after the other.
    Cascade,
    /// Many subjects at once.
    Mass,
    /// The daemon or the whole host.
    Host,
}

/// How bad it is. Of one incident it only ever rises.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// Worth a line, and counted nowhere.
    Notice,
    /// It mended itself.
    Minor,
    /// It did not.
    Major,
    /// Several subjects are hit.
    Critical,
}

/// Whether it goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Standing {
    /// It fails.
    Open,
    /// It is up for longer than it ever was in this incident, and not long enough yet.
    Recovering,
    /// It is over.
    Closed,
}

/// What ended it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Resolution {
    /// It became well by itself or by its restart policy.
    Recovered,
    /// It became well after a restart or a start through the API.
    Restarted,
    /// It became well after it was made again.
    Redeployed,
    /// It was stopped.
    Stopped,
    /// It was removed.
    Removed,
}

/// What a cause or an action is. Clients ignore those that they do not know.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum CauseKind {
    /// It was made again shortly before, or its swarm service was updated.
    Deploy,
    /// It was made shortly before, nothing is known to have been in its place, and it never ran well.
    Created,
    /// Memory ran out.
    Oom,
    /// A signal ended it, or one that was sent had taken its restart policy away.
    Signal,
    /// It ended by itself with this code.
    ExitCode,
    /// Its health check failed.
    Health,
    /// A network changed shortly before.
    Network,
    /// A volume changed shortly before.
    Volume,
    /// Limits or restart policy were changed shortly before.
    Update,
    /// The daemon restarted or went away.
    Daemon,
    /// What it depends on failed.
    Dependency,
    /// The start was refused, or never happened.
    StartFailed,
    /// Nothing that events tell.
    Unknown,
}

/// What ties one subject's trouble to another's, besides time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Link {
    /// It says that it depends on it.
    Depends,
    /// A network that somebody made.
    Network,
    /// The same project, or nothing.
    Project,
}

/// Replicas of a service.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Replicas {
    /// Those that are not up.
    pub down: usize,
    /// All that are known.
    pub of: usize,
}
