//! A busy host without an end: 40 containers, most of them with health checks, recreated now and then. Shaped
//! after events of a real engine; a record is about 920 B on the wire.

use rand::rngs::SmallRng;
use rand::seq::IndexedRandom;
use rand::{RngExt, SeedableRng};
use shipslog::event::Event;
use shipslog::log::NewRecord;
use shipslog::time::Timestamp;
use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, OnceLock};

/// When every fleet of this process begins: now, since a tip with records of last month would be taken for an
/// old one.
static START: OnceLock<i64> = OnceLock::new();

type Attributes = BTreeMap<&'static str, String>;

struct Container {
    id: String,
    name: String,
    attributes: Attributes,
}

/// Gives records for ever, always the same ones.
pub(crate) struct Fleet {
    random: SmallRng,
    containers: Vec<Container>,
    networks: Vec<String>,
    due: VecDeque<(&'static str, String, String, Attributes)>,
    /// Nanoseconds since the Unix epoch.
    pub(crate) now: i64,
    /// Most nanoseconds between two events.
    pub(crate) pace: i64,
    source: Arc<str>,
}

fn hex(random: &mut SmallRng) -> String {
    let bytes: [u8; 32] = random.random();
    hex::encode(bytes)
}

impl Fleet {
    pub(crate) fn new() -> Self {
        let mut random = SmallRng::seed_from_u64(7);
        let networks = (0..8).map(|_| hex(&mut random)).collect();
        let mut fleet = Self {
            random,
            containers: Vec::new(),
            networks,
            due: VecDeque::new(),
            now: *START.get_or_init(|| Timestamp::now().nanos()),
            pace: 2_000_000,
            source: "local".into(),
        };
        for index in 0..40 {
            let container = fleet.container(index);
            fleet.containers.push(container);
        }
        fleet
    }

    fn container(&mut self, index: usize) -> Container {
        let id = hex(&mut self.random);
        let image =
            ["busybox:test", "nginx:1.27.4-alpine", "postgres:16.3", "redis:7.2", "registry.example.com/team/app:2026.11.3"][index % 5];
        let mut attributes = Attributes::from([("image", image.to_owned())]);
        let name = if index.is_multiple_of(3) {
            format!("{}_{}", ["distracted", "happy", "vigilant", "serene"][index % 4], ["joliot", "hopper", "turing"][index / 3 % 3])
        } else {
            let (project, service) =
                (["shop", "billing", "metrics", "ci", "wiki"][index % 5], ["web", "db", "redis", "worker", "proxy", "cron"][index % 6]);
            attributes.extend([
                ("com.docker.compose.config-hash", hex(&mut self.random)),
                ("com.docker.compose.container-number", "1".to_owned()),
                ("com.docker.compose.depends_on", "db:service_started:false,redis:service_healthy:false".to_owned()),
                ("com.docker.compose.image", "sha256:d2d4ba37947d76ca49537fb242f81576af28b115adf5039ff360148708baf5e1".to_owned()),
                ("com.docker.compose.oneoff", "False".to_owned()),
                ("com.docker.compose.project", project.to_owned()),
                ("com.docker.compose.project.config_files", format!("/srv/{project}/docker-compose.yml")),
                ("com.docker.compose.project.working_dir", format!("/srv/{project}")),
                ("com.docker.compose.service", service.to_owned()),
                ("com.docker.compose.version", "2.36.0".to_owned()),
                ("org.opencontainers.image.version", "1.27.4".to_owned()),
            ]);
            format!("{project}-{service}-{index}")
        };
        attributes.insert("name", name.clone());
        Container { id, name, attributes }
    }

    fn plan(&mut self) {
        let index = self.random.random_range(0..self.containers.len());
        let chance: f64 = self.random.random();
        let with = |container: &Container, action: &str, extra: &[(&'static str, String)]| {
            let mut attributes = container.attributes.clone();
            attributes.extend(extra.iter().cloned());
            ("container", action.to_owned(), container.id.clone(), attributes)
        };
        if chance < 0.62 {
            let exec = hex(&mut self.random);
            let container = &self.containers[index];
            let command = "/bin/sh -c wget -q -O - http://127.0.0.1/health";
            self.due.extend([
                with(container, &format!("exec_create: {command}"), &[("execID", exec.clone())]),
                with(container, &format!("exec_start: {command}"), &[("execID", exec.clone())]),
                with(container, "exec_die", &[("execID", exec), ("exitCode", "0".to_owned())]),
            ]);
        } else if chance < 0.95 {
            let fresh = self.container(index);
            let old = std::mem::replace(&mut self.containers[index], fresh);
            let container = &self.containers[index];
            let network = self.networks.choose(&mut self.random).unwrap().clone();
            let joined = |id: &str, action: &str| {
                let attributes =
                    Attributes::from([("container", id.to_owned()), ("name", "shop_default".to_owned()), ("type", "bridge".to_owned())]);
                ("network", action.to_owned(), network.clone(), attributes)
            };
            let oom = index.is_multiple_of(10);
            let code = if oom { "137" } else { "143" };
            self.due.extend(oom.then(|| with(&old, "oom", &[])));
            self.due.extend([
                with(&old, "kill", &[("signal", "15".to_owned())]),
                joined(&old.id, "disconnect"),
                with(&old, "die", &[("execDuration", "317".to_owned()), ("exitCode", code.to_owned())]),
                with(&old, "stop", &[]),
                with(&old, "destroy", &[]),
                with(container, "create", &[]),
                with(container, "attach", &[]),
                joined(&container.id, "connect"),
                with(container, "start", &[]),
            ]);
        } else {
            let volume = hex(&mut self.random);
            let id = self.containers[index].id.clone();
            self.due.push_back((
                "volume",
                "mount".to_owned(),
                volume,
                Attributes::from([("container", id), ("driver", "local".to_owned())]),
            ));
        }
    }

    /// Names of the containers there are now.
    pub(crate) fn names(&self) -> Vec<String> {
        self.containers.iter().map(|c| c.name.clone()).collect()
    }

    /// The next records.
    pub(crate) fn batch(&mut self, count: usize) -> Vec<NewRecord> {
        (0..count).map(|_| self.record()).collect()
    }

    fn record(&mut self) -> NewRecord {
        while self.due.is_empty() {
            self.plan();
        }
        let (kind, action, id, attributes) = self.due.pop_front().unwrap();
        self.now += self.random.random_range(1_000..self.pace);
        let time = self.now - self.random.random_range(100_000..900_000);
        let legacy = match kind {
            "container" => format!(r#""status":{},"id":"{id}","from":"{}","#, shipslog::event::quote(&action), attributes["image"]),
            _ => String::new(),
        };
        let line = format!(
            r#"{{{legacy}"Type":"{kind}","Action":{},"Actor":{{"ID":"{id}","Attributes":{}}},"scope":"local","time":{},"timeNano":{time}}}"#,
            shipslog::event::quote(&action),
            serde_json::to_string(&attributes).unwrap(),
            time / 1_000_000_000,
        );
        let event = Event::from_line(line.as_bytes()).unwrap();
        NewRecord { source: Arc::clone(&self.source), received: Timestamp::from_nanos(self.now), event }
    }
}
