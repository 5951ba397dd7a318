//! What is known of a daemon's end and of what ended with it.

use super::container::{At, Death};
use super::kinds::Key;
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;

/// How much is known of an outage.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(super) enum Stage {
    /// The stream ended.
    Ended,
    /// The verdict says that the daemon is another one.
    Restarted,
    /// It was told once.
    Told,
}

/// From the end of a daemon's stream until it is known what that was.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Outage {
    /// The end of the stream.
    pub(super) at: At,
    pub(super) back: Option<At>,
    /// How far the story is.
    pub(super) stage: Stage,
    /// Containers that were up at the end of the stream.
    pub(super) running: BTreeSet<String>,
    /// All of these had been told to stop.
    pub(super) stopping: bool,
    pub(super) lost: Vec<Lost>,
    /// Nobody recorded when it ended, so nobody knows in which order.
    pub(super) unseen: bool,
    /// The containers lived on: who ended is no part of it.
    pub(super) lived: bool,
    pub(super) host: Option<Key>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Lost {
    pub(super) container: String,
    pub(super) subject: String,
    pub(super) death: Death,
    /// What an inspection said.
    pub(super) code: Option<i64>,
    pub(super) asked: bool,
    pub(super) first: At,
    pub(super) told: bool,
}
