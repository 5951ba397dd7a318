//! What list and inspect show of one thing, as the attributes of an `observed` record (API.md 2).

use crate::time::Timestamp;
use bollard::models::{ContainerInspectResponse, ContainerSummary, ImageSummary, Network, Volume};
use std::collections::BTreeMap;

/// How Go writes "never".
const ZERO_TIME: &str = "0001-01-01";

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

    pub(super) fn of_events(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == text)
    }
}

/// One thing as it was seen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Snapshot {
    pub(super) kind: Kind,
    pub(super) id: String,
    /// When it was asked for. What happened between that and the answer may or may not be in the answer, so that the state must not pass
    /// for newer than events of that moment.
    pub(super) asked: Timestamp,
    /// Labels and state in one map, as in Docker's own events; where a label has the name of a field, the field wins.
    attributes: BTreeMap<String, String>,
}

impl Snapshot {
    pub(super) fn set(&mut self, key: &str, value: Option<String>) {
        match value {
            Some(value) => self.attributes.insert(key.to_owned(), value),
            None => self.attributes.remove(key),
        };
    }

    fn with(mut self, key: &str, value: Option<String>) -> Self {
        self.set(key, value);
        self
    }

    pub(super) fn labelled(kind: Kind, id: &str, asked: Timestamp, labels: impl IntoIterator<Item = (String, String)>) -> Self {
        let plain = Self { kind, id: id.to_owned(), asked, attributes: labels.into_iter().collect() };
        // A label must not pass for a field that is not there.
        let fields = ["state", "exitCode", "startedAt", "finishedAt", "observation", "was"];
        fields.into_iter().fold(plain, |snapshot, key| snapshot.with(key, None)).with("kind", Some(kind.as_str().to_owned()))
    }

    /// From inspecting.
    pub(super) fn container(id: &str, asked: Timestamp, container: ContainerInspectResponse) -> Self {
        let (config, state) = (container.config.unwrap_or_default(), container.state.unwrap_or_default());
        let moment = |text: Option<String>| text.filter(|text| !text.is_empty() && !text.starts_with(ZERO_TIME));
        Self::labelled(Kind::Container, id, asked, config.labels.unwrap_or_default())
            .with("name", container.name.map(|name| name.trim_start_matches('/').to_owned()))
            .with("image", config.image)
            .with("state", state.status.map(|status| status.to_string()))
            .with("exitCode", state.exit_code.map(|code| code.to_string()))
            .with("startedAt", moment(state.started_at))
            .with("finishedAt", moment(state.finished_at))
    }

    /// From the list, which has neither exit code nor times.
    pub(super) fn listed(asked: Timestamp, container: ContainerSummary) -> Option<Self> {
        // Links give a container more names, with more slashes in them.
        let names = container.names.unwrap_or_default();
        let name = names.iter().map(|name| name.trim_start_matches('/')).find(|name| !name.contains('/')).map(str::to_owned);
        let snapshot = Self::labelled(Kind::Container, &container.id?, asked, container.labels.unwrap_or_default());
        Some(snapshot.with("name", name).with("image", container.image).with("state", container.state.map(|state| state.to_string())))
    }

    pub(super) fn network(asked: Timestamp, network: Network) -> Option<Self> {
        let snapshot = Self::labelled(Kind::Network, &network.id?, asked, network.labels.unwrap_or_default());
        Some(snapshot.with("name", network.name).with("driver", network.driver).with("scope", network.scope))
    }

    pub(super) fn volume(asked: Timestamp, volume: Volume) -> Self {
        let snapshot = Self::labelled(Kind::Volume, &volume.name, asked, volume.labels);
        snapshot.with("name", Some(volume.name)).with("driver", Some(volume.driver))
    }

    pub(super) fn image(asked: Timestamp, image: ImageSummary) -> Self {
        let tags: Vec<String> = image.repo_tags.into_iter().filter(|tag| tag != "<none>:<none>").collect();
        let snapshot = Self::labelled(Kind::Image, &image.id, asked, image.labels);
        snapshot.with("name", tags.first().cloned()).with("tags", (tags.len() > 1).then(|| tags.join(",")))
    }

    pub(super) fn attribute(&self, key: &str) -> Option<&str> {
        self.attributes.get(key).map(String::as_str)
    }

    /// All attributes, sorted.
    pub(super) fn attributes(&self) -> Vec<(&str, &str)> {
        self.attributes.iter().map(|(key, value)| (key.as_str(), value.as_str())).collect()
    }

    /// A container's state, as events tell states: one that is about to be started again, or is half removed, has exited.
    pub(super) fn state(&self) -> Option<&'static str> {
        Some(match self.attribute("state")? {
            "created" | "initialized" | "configured" => "created",
            "running" | "stopping" => "running",
            "paused" => "paused",
            "exited" | "restarting" | "removing" | "dead" | "stopped" => "exited",
            _ => return None,
        })
    }

    /// When a container was started last.
    pub(super) fn started(&self) -> Option<Timestamp> {
        Timestamp::parse(self.attribute("startedAt")?, Timestamp::MIN).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_win_over_labels_and_never_is_left_out() {
        let container: ContainerInspectResponse = serde_json::from_str(
            r#"{"Id":"c1","Name":"/web","Config":{"Image":"nginx:1","Labels":{"name":"x","b":"2","startedAt":"y","was":"z"}},
                "State":{"Status":"exited","ExitCode":137,"StartedAt":"0001-01-01T00:00:00Z","FinishedAt":"2026-11-22T10:49:37.1Z"}}"#,
        )
        .unwrap();
        let expected = [
            ("b", "2"),
            ("exitCode", "137"),
            ("finishedAt", "2026-11-22T10:49:37.1Z"),
            ("image", "nginx:1"),
            ("kind", "container"),
            ("name", "web"),
            ("state", "exited"),
        ];
        let seen = Snapshot::container("c1", Timestamp::now(), container);
        assert_eq!(seen.attributes(), expected);
        assert_eq!((seen.state(), seen.started()), (Some("exited"), None));
    }

    #[test]
    fn lists_tell_names_and_states() {
        let listed = |json| Snapshot::listed(Timestamp::now(), serde_json::from_str(json).unwrap());
        let seen = listed(r#"{"Id":"c1","Names":["/other/link","/web"],"State":"running","Image":"nginx:1","Labels":{"a":"b"}}"#).unwrap();
        assert_eq!(seen.attributes(), [("a", "b"), ("image", "nginx:1"), ("kind", "container"), ("name", "web"), ("state", "running")]);
        assert_eq!(listed("{}"), None);
    }
}
