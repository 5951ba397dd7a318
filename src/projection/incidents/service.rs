//! Services of Compose: their replicas, and what they say that they depend on.

use super::bounds::MAX_FEW;
use super::container::Container;
use super::incident::{Link, Replicas};
use super::state::Source;
use super::subject::{project, service};

/// Compose's label: `db:service_healthy:true,cache:…`.
const DEPENDS_ON: &str = "com.docker.compose.depends_on";

/// The subjects that a container says it depends on.
pub(super) fn dependencies(container: &Container) -> Vec<String> {
    let label = container.attribute(DEPENDS_ON).unwrap_or_default();
    let names = label.split(',').filter_map(|entry| entry.split(':').next()).filter(|name| !name.is_empty());
    project(&container.subject).map_or_else(Vec::new, |project| names.take(MAX_FEW).map(|name| format!("{project}/{name}")).collect())
}

impl Source {
    /// Replicas of a service, where there are several.
    pub(super) fn replicas(&self, subject: &str) -> Option<Replicas> {
        let name = service(subject);
        project(name)?;
        let numbered = format!("{name}/");
        let own = self.subjects.get_key_value(name).into_iter();
        let others = self.subjects.range(numbered.clone()..).take_while(|(name, _)| name.starts_with(&numbered));
        let replicas = own.chain(others).filter_map(|(_, subject)| subject.current.as_ref()).filter_map(|id| self.containers.get(id));
        let up: Vec<bool> = replicas.map(|container| container.is_up()).collect();
        (up.len() > 1).then(|| Replicas { down: up.iter().filter(|up| !**up).count(), of: up.len() })
    }

    /// What ties a subject to another one.
    pub(super) fn link(&self, subject: &str, to: &str) -> Link {
        let networks = |name: &str| {
            let subject = self.subjects.get(name);
            let current = subject.and_then(|subject| subject.current.as_ref()).and_then(|id| self.containers.get(id));
            current.map(|container| &container.networks)
        };
        let shared = |name: &String| !matches!(name.as_str(), "none" | "host" | "bridge" | "podman" | "ingress");
        if self.depends(subject, to) {
            Link::Depends
        } else if networks(subject).zip(networks(to)).is_some_and(|(one, other)| one.intersection(other).any(shared)) {
            Link::Network
        } else {
            Link::Project
        }
    }

    /// Whether nothing of a project is up, and at least two of its services failed and stay down.
    pub(super) fn is_all_down(&self, project: &str) -> bool {
        let prefix = format!("{project}/");
        let mut services = std::collections::BTreeSet::new();
        for (name, subject) in self.subjects.range(prefix.clone()..).take_while(|(name, _)| name.starts_with(&prefix)) {
            let current = subject.current.as_ref().and_then(|id| self.containers.get(id));
            if current.is_some_and(|container| container.is_up()) {
                return false;
            }
            if self.current(name).is_some_and(|incident| incident.is_open() && incident.down) {
                services.insert(service(name));
            }
        }
        services.len() > 1
    }

    /// Whether one subject says that it depends on another, itself or by a third.
    pub(super) fn depends(&self, subject: &str, on: &str) -> bool {
        let (mut open, mut seen) = (vec![service(subject).to_owned()], Vec::new());
        let on = service(on);
        while let Some(name) = open.pop() {
            if seen.contains(&name) || seen.len() > MAX_FEW {
                continue;
            }
            let current = self.subjects.get(&name).and_then(|subject| subject.current.as_ref()).and_then(|id| self.containers.get(id));
            for dependency in current.map(|container| dependencies(container)).unwrap_or_default() {
                if dependency == on {
                    return true;
                }
                open.push(dependency);
            }
            seen.push(name);
        }
        false
    }

    /// The first among what a container depends on that failed lately.
    pub(super) fn failed_dependency(&self, container: &Container) -> Option<String> {
        dependencies(container).into_iter().find(|name| {
            let lately = |start: i64| self.clock.saturating_sub(start) <= super::bounds::WELL_MAX;
            let newest = self.incidents.values().rev().take(super::bounds::MAX_ACTIONS);
            self.open_key(name).is_some() || newest.into_iter().any(|incident| incident.subject == *name && lately(incident.start))
        })
    }
}
