//! The state of containers as inspection shows it.
//!
//! A container that ended while the daemon was down (live-restore) has no event at all; only list and inspect show it.

use super::health::Probes;
use crate::event::Event;
use crate::ingest::Observations;
use crate::time::Timestamp;
use bollard::Docker;
use bollard::errors::Error;
use bollard::models::ContainerInspectResponse;
use bollard::query_parameters::{InspectContainerOptions, ListContainersOptionsBuilder};
use futures_util::stream::{self, StreamExt as _};
use parking_lot::Mutex;
use std::collections::{BTreeMap, HashMap, HashSet};
use std::hash::{BuildHasher as _, RandomState};
use std::sync::Arc;
use std::time::Duration;
use tokio::time::timeout;

/// Containers beyond this are not inspected.
pub const MAX_CONTAINERS: usize = 1000;
/// Inspections at a time: the daemon has other work.
const CONCURRENT: usize = 4;
/// For all of them together.
const OVERALL_TIMEOUT: Duration = Duration::from_secs(30);
/// How Go writes "never".
const ZERO_TIME: &str = "0001-01-01";

/// What one source observed last, by container id.
#[derive(Clone, Default)]
pub(super) struct Observer {
    hasher: RandomState,
    seen: Arc<Mutex<HashMap<String, u64>>>,
    /// What inspections tell of health checks.
    pub(super) probes: Probes,
}

/// What came of one round.
#[derive(Debug, Default)]
struct Round {
    told: usize,
    failed: usize,
    first_error: Option<String>,
}

impl Observer {
    /// Lists and inspects all containers and tells those that are not as they were observed last. Failures are logged
    /// and otherwise let be: a proxy in front of the socket may forbid it.
    pub(super) async fn observe(self, host: Arc<str>, docker: Docker, out: Observations) {
        match timeout(OVERALL_TIMEOUT, self.round(&docker, &out)).await {
            Ok(Ok(Round { told, failed: 0, .. })) => tracing::debug!(docker.host = %host, told, "containers observed"),
            Ok(Ok(Round { told, failed, first_error })) => {
                let error = first_error.unwrap_or_default();
                tracing::warn!(docker.host = %host, told, failed, error, "some containers could not be inspected");
            }
            Ok(Err(error)) => tracing::warn!(docker.host = %host, %error, "containers cannot be listed, so only events are recorded"),
            Err(_) => tracing::warn!(docker.host = %host, "inspecting the containers took too long and was given up"),
        }
    }

    async fn round(&self, docker: &Docker, out: &Observations) -> Result<Round, Error> {
        let all = ListContainersOptionsBuilder::default().all(true).build();
        let mut ids: Vec<String> = docker.list_containers(Some(all)).await?.into_iter().filter_map(|container| container.id).collect();
        if ids.len() > MAX_CONTAINERS {
            tracing::warn!(containers = ids.len(), inspected = MAX_CONTAINERS, "too many containers to inspect them all");
            ids.truncate(MAX_CONTAINERS);
        }
        let listed: HashSet<&String> = ids.iter().collect();
        self.seen.lock().retain(|id, _| listed.contains(id));
        drop(listed);

        let mut inspections = stream::iter(ids).map(|id| inspect(docker, id)).buffer_unordered(CONCURRENT);
        let mut round = Round::default();
        while let Some((id, asked, answer)) = inspections.next().await {
            match answer {
                Ok(container) => round.told += usize::from(self.tell(&id, asked, &container, out).await),
                // Gone since it was listed: there will be an event.
                Err(Error::DockerResponseServerError { status_code: 404, .. }) => {}
                Err(error) => {
                    round.failed += 1;
                    round.first_error.get_or_insert_with(|| error.to_string());
                }
            }
        }
        Ok(round)
    }

    async fn tell(&self, id: &str, asked: Timestamp, container: &ContainerInspectResponse, out: &Observations) -> bool {
        self.probes.learn(id, container);
        let attributes = attributes(container);
        let digest = self.hasher.hash_one(&attributes);
        if self.seen.lock().get(id) == Some(&digest) {
            return false;
        }
        let pairs: Vec<(&str, &str)> = attributes.iter().map(|(key, value)| (key.as_str(), value.as_str())).collect();
        let sent = out.send(Event::recorder("observed", id, &pairs, asked), Timestamp::now()).await;
        if sent {
            self.seen.lock().insert(id.to_owned(), digest);
        }
        sent
    }
}

/// The time is that of the question: what happened between it and the answer may or may not be in the answer, so the
/// state must not pass for newer than events of that moment.
async fn inspect(docker: &Docker, id: String) -> (String, Timestamp, Result<ContainerInspectResponse, Error>) {
    let asked = Timestamp::now();
    let answer = docker.inspect_container(&id, None::<InspectContainerOptions>).await;
    (id, asked, answer)
}

/// Labels and state in one map, as in Docker's own events; where a label has the name of a field, the field wins.
fn attributes(container: &ContainerInspectResponse) -> BTreeMap<String, String> {
    let config = container.config.as_ref();
    let state = container.state.as_ref();
    let mut attributes: BTreeMap<String, String> =
        config.and_then(|config| config.labels.clone()).map(|labels| labels.into_iter().collect()).unwrap_or_default();
    let moment = |text: Option<&String>| text.filter(|text| !text.is_empty() && !text.starts_with(ZERO_TIME)).cloned();
    let fields = [
        ("name", container.name.as_deref().map(|name| name.trim_start_matches('/').to_owned())),
        ("image", config.and_then(|config| config.image.clone())),
        ("state", state.and_then(|state| state.status).map(|status| status.to_string())),
        ("exitCode", state.and_then(|state| state.exit_code).map(|code| code.to_string())),
        ("startedAt", moment(state.and_then(|state| state.started_at.as_ref()))),
        ("finishedAt", moment(state.and_then(|state| state.finished_at.as_ref()))),
    ];
    for (key, value) in fields {
        match value {
            Some(value) => attributes.insert(key.to_owned(), value),
            None => attributes.remove(key),
        };
    }
    attributes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_win_over_labels_and_never_is_left_out() {
        let container: ContainerInspectResponse = serde_json::from_str(
            r#"{"Id":"c1","Name":"/web","Config":{"Image":"nginx:1","Labels":{"name":"x","b":"2","startedAt":"y"}},
                "State":{"Status":"exited","ExitCode":137,"StartedAt":"0001-01-01T00:00:00Z","FinishedAt":"2026-11-22T10:49:37.1Z"}}"#,
        )
        .unwrap();
        let expected = [
            ("b", "2"),
            ("exitCode", "137"),
            ("finishedAt", "2026-11-22T10:49:37.1Z"),
            ("image", "nginx:1"),
            ("name", "web"),
            ("state", "exited"),
        ];
        let attributes = attributes(&container);
        assert!(attributes.iter().map(|(k, v)| (k.as_str(), v.as_str())).eq(expected), "{attributes:?}");
    }
}
