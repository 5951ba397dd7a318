//! What list and inspect show of one thing, as the attributes of an `observed` record (docs/records.md).

use crate::event::shortened;
use crate::ingest::docker::lists::Fields;
use crate::time::Timestamp;
use std::collections::BTreeMap;

/// Bytes of an id, or of a volume's name; Docker's ids have 64, and file systems do not take longer names.
pub(super) const MAX_ID_BYTES: usize = 512;
/// What an attribute costs in memory beside its text.
const ATTRIBUTE_BYTES: usize = 128;
/// How Go writes "never".
const ZERO_TIME: &str = "0001-01-01";

/// Attributes whose names no label can take, not even where the attribute itself is absent.
const FIELDS: [&str; 17] = [
    "state",
    "exitCode",
    "startedAt",
    "finishedAt",
    "observation",
    "was",
    "error",
    "oomKilled",
    "restartCount",
    "restartPolicy",
    "memory",
    "stopSignal",
    "health",
    "probe",
    "probeExitCode",
    "networks",
    "mounts",
];

/// What a thing is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Kind {
    Container,
    Network,
    Volume,
    Image,
}

impl Kind {
    pub(super) const ALL: [Self; 4] = [Self::Container, Self::Network, Self::Volume, Self::Image];

    /// As Docker's `Type` has it.
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Container => "container",
            Self::Network => "network",
            Self::Volume => "volume",
            Self::Image => "image",
        }
    }

    /// As the attributes of a `baseline` have it.
    pub(super) fn plural(self) -> &'static str {
        match self {
            Self::Container => "containers",
            Self::Network => "networks",
            Self::Volume => "volumes",
            Self::Image => "images",
        }
    }

    pub(super) fn of_events(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == text)
    }
}

/// A state of a container, in one byte: there is one for each thing that is kept in mind.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum State {
    Created,
    Running,
    Paused,
    Exited,
}

impl State {
    /// As events and records call it.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Created => "created",
            Self::Running => "running",
            Self::Paused => "paused",
            Self::Exited => "exited",
        }
    }
}

/// One thing as it was seen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::ingest::docker) struct Snapshot {
    pub(super) kind: Kind,
    pub(super) id: String,
    /// When it was asked for. What happened between that and the answer may or may not be in the answer, so
    /// that the state must not pass for newer than events of that moment.
    pub(super) asked: Timestamp,
    /// Labels and state in one map, as in Docker's own events; where a label has the name of a field, the
    /// field wins.
    attributes: BTreeMap<String, String>,
}

impl Snapshot {
    pub(in crate::ingest::docker) fn set(&mut self, key: &str, value: Option<String>) {
        match value {
            Some(value) => self.attributes.insert(key.to_owned(), value),
            None => self.attributes.remove(key),
        };
    }

    pub(super) fn with(mut self, key: &str, value: Option<String>) -> Self {
        self.set(key, value);
        self
    }

    pub(super) fn labelled(kind: Kind, id: &str, asked: Timestamp, labels: impl IntoIterator<Item = (String, String)>) -> Self {
        let plain = Self { kind, id: id.to_owned(), asked, attributes: labels.into_iter().collect() };
        // A label must not pass for a field that is not there.
        FIELDS.into_iter().fold(plain, |snapshot, key| snapshot.with(key, None)).with("kind", Some(kind.as_str().to_owned()))
    }

    /// From inspecting.
    pub(in crate::ingest::docker) fn container(id: &str, asked: Timestamp, container: &Fields<'_>) -> Self {
        let (config, state) = (container.object("Config"), container.object("State"));
        let moment = |key: &str| state.text(key).filter(|text| !text.starts_with(ZERO_TIME));
        Self::labelled(Kind::Container, id, asked, config.pairs("Labels"))
            .with("name", container.text("Name").map(|name| name.trim_start_matches('/').to_owned()))
            .with("image", config.text("Image"))
            .with("state", state_of(container))
            .with("exitCode", state.text("ExitCode"))
            .with("startedAt", moment("StartedAt"))
            .with("finishedAt", moment("FinishedAt"))
            .explained(container)
    }

    /// An entry of a list.
    ///
    /// # Errors
    /// What it lacks.
    pub(super) fn listed(kind: Kind, asked: Timestamp, entry: &Fields<'_>) -> Result<Self, &'static str> {
        let id = entry.text(if kind == Kind::Volume { "Name" } else { "Id" }).ok_or(match kind {
            Kind::Volume => "it has no Name",
            _ => "it has no Id",
        })?;
        if id.len() > MAX_ID_BYTES {
            return Err("its id is longer than any of Docker's");
        }
        let snapshot = Self::labelled(kind, &id, asked, entry.pairs("Labels"));
        Ok(match kind {
            // It has neither exit code nor times.
            Kind::Container => {
                // Links give a container more names, with more slashes in them.
                let names = entry.texts("Names").into_iter().chain(entry.text("Name"));
                let name = names.map(|name| name.trim_start_matches('/').to_owned()).find(|name| !name.contains('/') && !name.is_empty());
                let name = name.map(|name| shortened(&name, MAX_ID_BYTES).into_owned());
                snapshot.with("name", name).with("image", entry.text("Image")).with("state", state_of(entry))
            }
            Kind::Network => {
                snapshot.with("name", entry.text("Name")).with("driver", entry.text("Driver")).with("scope", entry.text("Scope"))
            }
            Kind::Volume => snapshot.with("name", Some(id)).with("driver", entry.text("Driver")),
            Kind::Image => {
                let tags: Vec<String> = entry.texts("RepoTags").into_iter().filter(|tag| tag != "<none>:<none>").collect();
                snapshot.with("name", tags.first().cloned()).with("tags", (tags.len() > 1).then(|| tags.join(",")))
            }
        })
    }

    /// Memory that it takes, about.
    pub(super) fn bytes(&self) -> usize {
        let texts = self.attributes.iter().map(|(key, value)| key.len() + value.len() + ATTRIBUTE_BYTES);
        texts.sum::<usize>() + self.id.len() + ATTRIBUTE_BYTES
    }

    pub(super) fn attribute(&self, key: &str) -> Option<&str> {
        self.attributes.get(key).map(String::as_str)
    }

    /// All attributes, sorted.
    pub(in crate::ingest::docker) fn attributes(&self) -> Vec<(&str, &str)> {
        self.attributes.iter().map(|(key, value)| (key.as_str(), value.as_str())).collect()
    }

    /// A container's state, as events tell states: one that is about to be started again, or is half removed,
    /// has exited.
    pub(super) fn state(&self) -> Option<State> {
        Some(match self.attribute("state")?.to_ascii_lowercase().as_str() {
            "created" | "initialized" | "configured" => State::Created,
            "running" | "stopping" => State::Running,
            "paused" => State::Paused,
            "exited" | "restarting" | "removing" | "dead" | "stopped" => State::Exited,
            _ => return None,
        })
    }

    /// When a container was started last.
    pub(super) fn started(&self) -> Option<Timestamp> {
        Timestamp::parse(self.attribute("startedAt")?, Timestamp::MIN).ok()
    }
}

/// A container's state as the daemon calls it. Lists have it as a text, inspections as an object; where there
/// is none, `Status` of a list (`Up 3 minutes`) and the truth values of an inspection tell.
fn state_of(container: &Fields<'_>) -> Option<String> {
    let inside = container.object("State");
    let named = container.text("State").or_else(|| inside.text("Status"));
    let told = || {
        let status = container.text("Status")?;
        Some(match status.split([' ', '(']).next()? {
            "Up" if status.ends_with("(Paused)") => "paused",
            "Up" => "running",
            "Exited" => "exited",
            "Created" => "created",
            _ => return None,
        })
    };
    let flagged = || ["Paused", "Restarting", "Running", "Dead"].into_iter().find(|flag| inside.is(flag));
    named.or_else(|| told().map(str::to_owned)).or_else(|| flagged().map(str::to_ascii_lowercase))
}

#[cfg(test)]
mod tests;
