//! A full look at the demo host, as one at a real host is told: everything that it has, and a `baseline`.

use super::fleet::Container;
use super::host::DemoHost;
use crate::event::Event;
use crate::time::Timestamp;
use std::collections::BTreeMap;

/// Where an image's volume lies on the host does not matter; what it is called does.
fn of_container(container: &Container) -> BTreeMap<String, String> {
    let mut told = container.labels();
    let network = container.network_name();
    let mut set = |key: &str, value: &str| told.insert(key.to_owned(), value.to_owned());
    set("name", &container.name());
    set("image", &container.image());
    set("state", "running");
    set("restartPolicy", "unless-stopped");
    set("networks", &network);
    if container.service.health.is_some() {
        set("health", "healthy");
    }
    if let Some((volume, destination)) = container.service.volume {
        set("mounts", &format!("{volume}:{destination}"));
    }
    told
}

impl DemoHost {
    /// Whether no story goes on: everything runs and is healthy.
    pub(super) fn is_quiet(&self) -> bool {
        self.fleet.iter().all(|container| container.busy_until <= self.now && container.sick_until <= self.now)
    }

    /// Everything that it has while it is quiet, and the end of the look.
    pub(super) fn look(&self, source: &str, now: Timestamp) -> Vec<Event> {
        let mut things = Vec::new();
        let mut networks = BTreeMap::new();
        let mut volumes = Vec::new();
        for container in &self.fleet {
            things.push(("container", container.id.clone(), of_container(container)));
            networks.insert(container.network_name(), container.network_id.clone());
            volumes.extend(container.service.volume.map(|(volume, _)| volume));
        }
        let plain =
            |name: &str, driver: &str| BTreeMap::from([("name".to_owned(), name.to_owned()), ("driver".to_owned(), driver.to_owned())]);
        let counts = [("containers", self.fleet.len()), ("networks", networks.len()), ("volumes", volumes.len())];
        things.extend(networks.into_iter().map(|(name, id)| ("network", id, plain(&name, "bridge"))));
        things.extend(volumes.into_iter().map(|volume| ("volume", volume.to_owned(), plain(volume, "local"))));
        let observed = things.into_iter().map(|(kind, id, told)| {
            let told = told.iter().map(|(key, value)| (key.as_str(), value.as_str()));
            let attributes: Vec<_> = [("kind", kind), ("observation", "baseline")].into_iter().chain(told).collect();
            Event::recorder("observed", &id, &attributes, now)
        });
        let mut all: Vec<Event> = observed.collect();
        let mut counts: Vec<(&str, String)> = counts.map(|(kind, count)| (kind, count.to_string())).into();
        counts.push(("from", now.to_string()));
        let counts: Vec<_> = counts.iter().map(|(key, value)| (*key, value.as_str())).collect();
        all.push(Event::recorder("baseline", source, &counts, now));
        all
    }
}
