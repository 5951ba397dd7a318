//! Subjects: what an incident is about. A subject outlives the container that stands for it.

use super::bounds::{MAX_CHANGES, MAX_DIFFERENCES, MAX_TEXT};
use super::container::{At, Container, ONE_OFF, short_id};
use super::labels::Labels;
use super::text::cut;
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;

/// One difference between a container and the one whose place it took.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Difference {
    /// What differs: `image`, `image digest`, `image id`, `config-hash`, `label …`, or what a swarm service
    /// says.
    pub what: String,
    /// What it was; `None` where it was not there.
    pub from: Option<String>,
    /// What it is.
    pub to: Option<String>,
}

/// A container that took another's place, or an update of a swarm service.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Change {
    pub(super) at: At,
    pub(super) before: Option<String>,
    pub(super) after: Option<String>,
    pub(super) differences: Vec<Difference>,
    /// Differences that are not named, being too many.
    pub(super) more: usize,
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Subject {
    /// The container that stands for it now.
    pub(super) current: Option<String>,
    /// What the one before was like.
    pub(super) last: Option<Look>,
    pub(super) changes: Vec<Change>,
    /// Its incident, while that can go on.
    pub(super) incident: Option<super::kinds::Key>,
    /// Whether a health check was ever seen.
    pub(super) checked: bool,
    pub(super) heard: i64,
}

/// What a container was like.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Look {
    pub(super) id: String,
    pub(super) attributes: Labels,
    pub(super) image_id: Option<String>,
    pub(super) ended: Option<At>,
}

impl Look {
    pub(super) fn of(container: &Container) -> Self {
        Self {
            id: container.id.clone(),
            attributes: container.attributes.clone(),
            image_id: container.image_id.clone(),
            ended: container.destroyed.or(container.died),
        }
    }
}

impl Subject {
    pub(super) fn changed(&mut self, change: Change) {
        if self.changes.len() >= MAX_CHANGES {
            self.changes.remove(0);
        }
        self.changes.push(change);
    }
}

/// The subject of a container: Compose's project and service, a swarm service, a pod's container, or its
/// name.
pub fn key<'a>(get: impl Fn(&str) -> Option<&'a str>, id: &str) -> String {
    let compose = |key: &str| get(key).filter(|value| !value.is_empty());
    if let (Some(project), Some(service)) = (compose("com.docker.compose.project"), compose("com.docker.compose.service")) {
        if get(ONE_OFF) == Some("True") {
            return cut(&format!("{project}/{service} (one-off)"), MAX_TEXT);
        }
        let number = compose("com.docker.compose.container-number").filter(|number| *number != "1");
        return cut(&number.map_or_else(|| format!("{project}/{service}"), |number| format!("{project}/{service}/{number}")), MAX_TEXT);
    }
    if let Some(service) = compose("com.docker.swarm.service.name") {
        return cut(service, MAX_TEXT);
    }
    if let (Some(pod), Some(container)) = (compose("io.kubernetes.pod.name"), compose("io.kubernetes.container.name")) {
        let namespace = compose("io.kubernetes.pod.namespace").unwrap_or("default");
        return cut(&format!("{namespace}/{pod}/{container}"), MAX_TEXT);
    }
    compose("name").map_or_else(|| short_id(id), |name| cut(name.trim_start_matches('/'), MAX_TEXT))
}

/// Whether the subject goes by labels, so that a rename does not move it.
pub(super) fn is_labelled(container: &Container) -> bool {
    ["com.docker.compose.service", "com.docker.swarm.service.name", "io.kubernetes.container.name"]
        .iter()
        .any(|key| container.attribute(key).is_some())
}

/// The project of a subject: what stands before the first `/`.
pub(super) fn project(subject: &str) -> Option<&str> {
    subject.split_once('/').map(|(project, _)| project)
}

/// The service that a subject is a replica of: without its number.
pub(super) fn service(subject: &str) -> &str {
    match subject.rsplit_once('/') {
        Some((service, number)) if service.contains('/') && number.bytes().all(|b| b.is_ascii_digit()) => service,
        _ => subject,
    }
}

/// What differs between two containers of one subject; what changes at every recreate does not count.
pub(super) fn differences(before: &Look, after: &Container) -> (Vec<Difference>, usize) {
    let keys: BTreeSet<&String> = before.attributes.keys().chain(after.attributes.keys()).collect();
    let mut found: Vec<(u8, Difference)> = Vec::new();
    for key in keys {
        let (from, to) = (before.attributes.get(key), after.attributes.get(key));
        let Some((rank, what)) = name_of(key).filter(|_| from != to) else { continue };
        found.push((rank, Difference { what, from: from.cloned(), to: to.cloned() }));
    }
    let by_image = found.iter().any(|(rank, _)| *rank <= 1);
    if let (Some(from), Some(to), false) = (&before.image_id, &after.image_id, by_image)
        && from != to
    {
        let shown = |id: &String| Some(cut(id, 24));
        found.push((2, Difference { what: "image id".into(), from: shown(from), to: shown(to) }));
    }
    found.sort_by_key(|(rank, _)| *rank);
    let more = found.len().saturating_sub(MAX_DIFFERENCES);
    (found.into_iter().take(MAX_DIFFERENCES).map(|(_, difference)| difference).collect(), more)
}

/// What a difference in this attribute is called, and how near the top it stands.
fn name_of(key: &str) -> Option<(u8, String)> {
    match key {
        "image" => Some((0, "image".into())),
        "com.docker.compose.image" => Some((1, "image digest".into())),
        "com.docker.compose.config-hash" => Some((3, "config-hash".into())),
        "name" => None,
        _ if ["com.docker.compose.", "com.docker.swarm.", "io.kubernetes.", "desktop.docker.io/"]
            .iter()
            .any(|own| key.starts_with(own)) =>
        {
            None
        }
        _ => Some((4, cut(&format!("label {key}"), MAX_TEXT))),
    }
}
