//! What runs on the demo host.

use super::message::Message;
use rand::RngExt as _;
use rand::rngs::SmallRng;
use std::collections::BTreeMap;

/// What a compose file says about a service.
#[derive(Debug)]
pub(super) struct Service {
    pub(super) project: &'static str,
    pub(super) name: &'static str,
    pub(super) image: &'static str,
    /// Major and minor version; deploys count the patch version up from 0.
    pub(super) version: &'static str,
    /// Command of its health check.
    pub(super) health: Option<&'static str>,
    /// A named volume and where it is mounted.
    pub(super) volume: Option<(&'static str, &'static str)>,
    /// Built by the team itself, and so deployed often.
    pub(super) own: bool,
}

const fn service(project: &'static str, name: &'static str, image: &'static str, version: &'static str) -> Service {
    Service { project, name, image, version, health: None, volume: None, own: false }
}

/// Three compose projects.
pub(super) const SERVICES: [Service; 10] = [
    Service { health: Some("curl -fsS http://localhost/ >/dev/null || exit 1"), ..service("shop", "web", "nginx", "1.29") },
    Service {
        health: Some("wget -qO- http://localhost:8080/healthz"),
        own: true,
        ..service("shop", "api", "registry.example.com/shop/api", "2.14")
    },
    Service { own: true, ..service("shop", "worker", "registry.example.com/shop/worker", "2.14") },
    Service {
        health: Some("pg_isready -U shop"),
        volume: Some(("shop_pgdata", "/var/lib/postgresql/data")),
        ..service("shop", "db", "postgres", "17.2")
    },
    Service { health: Some("redis-cli ping"), ..service("shop", "cache", "redis", "7.4") },
    Service {
        health: Some("node healthcheck.js"),
        volume: Some(("blog_content", "/var/lib/ghost/content")),
        ..service("blog", "ghost", "ghost", "5.105")
    },
    Service {
        health: Some("mysqladmin ping -h localhost"),
        volume: Some(("blog_mysql", "/var/lib/mysql")),
        ..service("blog", "mysql", "mysql", "8.4")
    },
    Service { volume: Some(("monitoring_prometheus", "/prometheus")), ..service("monitoring", "prometheus", "prom/prometheus", "v3.1") },
    Service {
        health: Some("wget -qO- http://localhost:3000/api/health"),
        volume: Some(("monitoring_grafana", "/var/lib/grafana")),
        ..service("monitoring", "grafana", "grafana/grafana", "11.4")
    },
    service("monitoring", "node-exporter", "prom/node-exporter", "v1.8"),
];

/// `digits` random hexadecimal digits.
pub(super) fn hex(rng: &mut SmallRng, digits: usize) -> String {
    (0..digits).filter_map(|_| char::from_digit(rng.random_range(0..16), 16)).collect()
}

/// One container of a service.
#[derive(Debug, Clone)]
pub(super) struct Container {
    pub(super) service: &'static Service,
    pub(super) id: String,
    pub(super) network_id: String,
    pub(super) patch: u32,
    config_hash: String,
    image_digest: String,
    /// The container that it took the place of.
    replaces: Option<String>,
    /// Nanoseconds of the demo's clock; before that, a story is still about it.
    pub(super) busy_until: u64,
    /// Until then its health check fails.
    pub(super) sick_until: u64,
    pub(super) started: u64,
}

impl Container {
    pub(super) fn new(service: &'static Service, network_id: &str, rng: &mut SmallRng) -> Self {
        Self {
            service,
            id: hex(rng, 64),
            network_id: network_id.to_owned(),
            patch: 0,
            config_hash: hex(rng, 64),
            image_digest: hex(rng, 64),
            replaces: None,
            busy_until: 0,
            sick_until: 0,
            started: 0,
        }
    }

    /// The container that a deploy puts in its place.
    pub(super) fn successor(&self, rng: &mut SmallRng) -> Self {
        let replaces = Some(self.id.clone());
        Self { id: hex(rng, 64), patch: self.patch + 1, image_digest: hex(rng, 64), replaces, sick_until: 0, ..self.clone() }
    }

    pub(super) fn name(&self) -> String {
        format!("{}-{}-1", self.service.project, self.service.name)
    }

    pub(super) fn image(&self) -> String {
        format!("{}:{}.{}", self.service.image, self.service.version, self.patch)
    }

    /// A container event, with all labels, as Docker adds them to each.
    pub(super) fn event(&self, action: impl Into<String>, extra: &[(&str, &str)]) -> Message {
        let mut message = Message::new("container", action, &self.id, extra);
        message.attributes.entry("name".to_owned()).or_insert_with(|| self.name());
        message.attributes.insert("image".to_owned(), self.image());
        message.attributes.append(&mut self.labels());
        message
    }

    pub(super) fn labels(&self) -> BTreeMap<String, String> {
        let directory = format!("/srv/{}", self.service.project);
        let file = format!("{directory}/compose.yaml");
        let digest = format!("sha256:{}", self.image_digest);
        let labels = [
            ("config-hash", self.config_hash.as_str()),
            ("container-number", "1"),
            ("depends_on", ""),
            ("image", &digest),
            ("oneoff", "False"),
            ("project", self.service.project),
            ("project.config_files", &file),
            ("project.working_dir", &directory),
            ("service", self.service.name),
            ("version", "2.32.1"),
        ];
        let replaces = self.replaces.as_deref().map(|id| ("replace", id));
        labels.into_iter().chain(replaces).map(|(key, value)| (format!("com.docker.compose.{key}"), value.to_owned())).collect()
    }

    pub(super) fn network_name(&self) -> String {
        format!("{}_default", self.service.project)
    }

    pub(super) fn network(&self, action: &str) -> Message {
        let name = self.network_name();
        Message::new("network", action, &self.network_id, &[("container", &self.id), ("name", &name), ("type", "bridge")])
    }

    pub(super) fn volume(&self, action: &str) -> Option<Message> {
        let (volume, destination) = self.service.volume?;
        let mut attributes = vec![("container", self.id.as_str()), ("driver", "local")];
        if action == "mount" {
            attributes.extend([("destination", destination), ("propagation", ""), ("read/write", "true")]);
        }
        Some(Message::new("volume", action, volume, &attributes))
    }

    pub(super) fn image_event(&self, action: &str) -> Message {
        if action == "pull" {
            return Message::new("image", action, &self.image(), &[("name", self.service.image)]);
        }
        let id = format!("sha256:{}", self.image_digest);
        Message::new("image", action, &id, &[("name", &id)])
    }
}
