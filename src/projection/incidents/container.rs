//! What is known of one container.

use super::bounds::{MAX_FEW, MAX_LABELS, MAX_TEXT};
use super::labels::Labels;
use super::text::cut;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeSet, VecDeque};

/// When and where something was told.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(super) struct At {
    /// The event's own time.
    pub(super) time: i64,
    /// When it was received: what timers count from.
    pub(super) told: i64,
    pub(super) seq: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Run {
    Created,
    Running,
    Paused,
    Dead,
    Gone,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Health {
    Healthy,
    Unhealthy,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Kill {
    pub(super) at: At,
    pub(super) signal: u32,
}

/// A death that is not judged yet.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Death {
    pub(super) at: At,
    /// `None`: not known.
    pub(super) code: Option<i64>,
    pub(super) started: Option<At>,
    /// Seconds that the daemon says it ran.
    pub(super) ran: Option<i64>,
}

impl Death {
    /// How long it ran, as far as that is known.
    pub(super) fn up(&self) -> i64 {
        match (self.started, self.ran) {
            (Some(started), _) => self.at.time.saturating_sub(started.time).max(0),
            (None, Some(ran)) => ran.saturating_mul(super::bounds::SECOND).max(0),
            (None, None) => 0,
        }
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Container {
    pub(super) id: String,
    pub(super) subject: String,
    pub(super) attributes: Labels,
    pub(super) image_id: Option<String>,
    pub(super) run: Run,
    pub(super) heard: i64,
    pub(super) created: Option<At>,
    pub(super) started: Option<At>,
    pub(super) destroyed: Option<At>,
    pub(super) kills: Vec<Kill>,
    /// A signal through the API that is not fatal by itself, since the last start.
    pub(super) signalled: Option<Kill>,
    pub(super) stopped: Option<At>,
    pub(super) oom: Option<At>,
    pub(super) health: Option<Health>,
    pub(super) ever_healthy: bool,
    pub(super) starts: u64,
    pub(super) death: Option<Death>,
    /// When it died last.
    pub(super) died: Option<At>,
    /// A `network disconnect` that may be a start that failed.
    pub(super) refused: Option<At>,
    /// Why the Engine could not start it, as an inspection tells.
    pub(super) error: Option<(At, String)>,
    /// Bytes of memory that it may use, as an inspection tells.
    pub(super) memory: Option<u64>,
    /// A `network connect` since which nothing started.
    pub(super) connected: bool,
    /// Networks (ids) that it was connected to since its last start.
    pub(super) plugged: BTreeSet<String>,
    /// Its networks are not all known: it was running before the recording.
    pub(super) unsure: bool,
    /// Networks by name, volumes that it ever used.
    pub(super) networks: BTreeSet<String>,
    pub(super) volumes: BTreeSet<String>,
    /// Waits before its last starts after clean exits, and the first of those exits.
    pub(super) clean_waits: Vec<i64>,
    pub(super) clean_first: Option<At>,
    pub(super) clean_last: Option<At>,
    pub(super) clean_exits: usize,
    /// What it took the place of when it was made, where that ran then or had just been stopped.
    pub(super) replaces: Option<String>,
    pub(super) paused: Option<At>,
    /// The last record that told how it is, and not only that it is there.
    pub(super) told: Option<u64>,
    /// The code that it ended with last.
    pub(super) code: Option<i64>,
    /// When it ended, as an inspection tells of one that was not known before.
    pub(super) finished: Option<i64>,
    /// When it was started again, the last times.
    pub(super) restarts: VecDeque<i64>,
}

impl Container {
    pub(super) fn new(id: &str, subject: String) -> Self {
        Self {
            id: cut(id, MAX_TEXT),
            subject,
            attributes: Labels::default(),
            image_id: None,
            run: Run::Created,
            heard: i64::MIN,
            created: None,
            started: None,
            destroyed: None,
            kills: Vec::new(),
            signalled: None,
            stopped: None,
            oom: None,
            health: None,
            ever_healthy: false,
            starts: 0,
            death: None,
            died: None,
            refused: None,
            error: None,
            memory: None,
            connected: false,
            plugged: BTreeSet::new(),
            unsure: false,
            networks: BTreeSet::new(),
            volumes: BTreeSet::new(),
            clean_waits: Vec::new(),
            clean_first: None,
            clean_last: None,
            clean_exits: 0,
            replaces: None,
            paused: None,
            told: None,
            code: None,
            finished: None,
            restarts: VecDeque::new(),
        }
    }

    pub(super) fn short(&self) -> String {
        short_id(&self.id)
    }

    pub(super) fn attribute(&self, key: &str) -> Option<&str> {
        self.attributes.get(key).map(String::as_str)
    }

    pub(super) fn is_one_off(&self) -> bool {
        self.attribute(ONE_OFF) == Some("True")
    }

    /// Whether it is a service of Compose, which is never a job.
    pub(super) fn is_service(&self) -> bool {
        self.attribute(ONE_OFF) == Some("False")
    }

    pub(super) fn is_up(&self) -> bool {
        matches!(self.run, Run::Running | Run::Paused)
    }

    /// Takes over what an event says of it, within the bound of bytes.
    pub(super) fn describe<'a>(&mut self, attributes: impl Iterator<Item = (&'a str, &'a str)>) {
        let mut next = 0;
        for (key, value) in attributes {
            // Most of what events say is known, so that is looked up first.
            if self.attributes.get_from(&mut next, key).is_some_and(|known| known == value) || !is_lasting(key) {
                continue;
            }
            let used: usize = self.attributes.iter().map(|(key, value)| key.len() + value.len()).sum();
            let value = cut(value, MAX_TEXT);
            if key.len() <= MAX_TEXT && used + key.len() + value.len() <= MAX_LABELS {
                self.attributes.insert(key.to_owned(), value);
            }
        }
    }
}

pub(super) const ONE_OFF: &str = "com.docker.compose.oneoff";

/// How ids are shown: their first 12 characters.
pub(super) fn short_id(id: &str) -> String {
    id.chars().take(12).collect()
}

/// Adds to a small set, up to its bound.
pub(super) fn add_few(set: &mut BTreeSet<String>, text: &str) {
    if set.len() < MAX_FEW && text.len() <= MAX_TEXT && !set.contains(text) {
        set.insert(text.to_owned());
    }
}

/// Whether an attribute says what the container is, and not what just happened to it.
fn is_lasting(key: &str) -> bool {
    !matches!(
        key,
        "exitCode"
            | "signal"
            | "execID"
            | "execDuration"
            | "oldName"
            | "comment"
            | "kind"
            | "state"
            | "observation"
            | "startedAt"
            | "finishedAt"
            | "was"
            | "health"
            | "network"
            | "networks"
            | "container"
            | "error"
            | "oomKilled"
            | "restartCount"
            | "restartPolicy"
            | "memory"
            | "imageID"
            | "imageRef"
            | "healthLog"
            | "stopSignal"
            | "probe"
            | "probeExitCode"
            | "mounts"
    )
}
