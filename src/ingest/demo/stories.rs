//! What happens on the demo host: deploys, crash loops, containers out of memory, failing health checks, and
//! the noise of health checks that do not fail.

use super::fleet::{Container, hex};
use super::host::DemoHost;
use super::message::Message;
use super::story::Story;
use rand::RngExt as _;
use std::time::Duration;

/// The steps of a story, one after the other.
struct Script<'a> {
    host: &'a mut DemoHost,
    at: Duration,
}

impl Script<'_> {
    /// Lets between `from` and `to` milliseconds pass.
    fn wait(&mut self, from: u64, to: u64) -> &mut Self {
        self.at += Duration::from_micros(self.host.rng.random_range(from * 1000..to * 1000));
        self
    }

    fn then(&mut self, message: impl Into<Option<Message>>) -> &mut Self {
        if let Some(message) = message.into() {
            self.host.emit(self.at, message);
        }
        self.wait(2, 45)
    }

    /// When, on the host's clock, it is over.
    fn end(&self) -> u64 {
        self.host.later(self.at)
    }

    fn start(&mut self, container: &mut Container) {
        self.then(container.network("connect")).then(container.volume("mount"));
        container.started = self.end();
        self.then(container.event("start", &[]));
    }

    fn die(&mut self, container: &Container, exit_code: &str) {
        let lived = Duration::from_nanos(self.end().saturating_sub(container.started)).as_secs().to_string();
        self.then(container.event("die", &[("execDuration", &lived), ("exitCode", exit_code)]));
        self.then(container.network("disconnect")).then(container.volume("unmount"));
    }

    fn stop(&mut self, container: &Container) {
        self.then(container.event("kill", &[("signal", "15")])).wait(80, 900);
        // Some do not listen to SIGTERM.
        if container.service.name == "ghost" {
            self.wait(9000, 9500).then(container.event("kill", &[("signal", "9")]));
            self.die(container, "137");
        } else {
            self.die(container, "0");
        }
        self.then(container.event("stop", &[]));
    }

    fn healthy(&mut self, container: &Container) {
        if container.service.health.is_some() {
            self.wait(2500, 6000).then(container.event("health_status: healthy", &[]));
        }
    }
}

impl DemoHost {
    /// Has the steps of a story happen from now on.
    pub(super) fn tell(&mut self, story: Story) {
        match story {
            Story::Probe(index) => self.probe(index),
            Story::Deploy => self.deploy(),
            Story::CrashLoop => self.with_one_of(|c| c.service.own, crash_loop),
            Story::OutOfMemory => self.with_one_of(|c| matches!(c.service.name, "ghost" | "prometheus" | "worker"), out_of_memory),
            Story::HealthFlap => self.with_one_of(|c| c.service.health.is_some(), health_flap),
            Story::Restart => self.with_one_of(|_| true, restart),
            Story::Shell => self.with_one_of(|c| c.service.volume.is_some(), shell),
            Story::Housekeeping => self.housekeeping(),
        }
    }

    fn script(&mut self) -> Script<'_> {
        Script { host: self, at: Duration::ZERO }
    }

    /// Tells a story of one container that no other story is about at the moment, if there is one.
    fn with_one_of(&mut self, suits: impl Fn(&Container) -> bool, tell: impl FnOnce(&mut Script<'_>, &mut Container)) {
        let free: Vec<usize> =
            self.fleet.iter().enumerate().filter(|(_, c)| c.busy_until <= self.now && suits(c)).map(|(index, _)| index).collect();
        if free.is_empty() {
            return;
        }
        let pick = self.rng.random_range(0..free.len());
        if let Some(index) = free.get(pick) {
            self.with(*index, tell);
        }
    }

    fn with(&mut self, index: usize, tell: impl FnOnce(&mut Script<'_>, &mut Container)) {
        let Some(mut container) = self.fleet.get(index).cloned() else { return };
        let mut script = self.script();
        tell(&mut script, &mut container);
        container.busy_until = script.end();
        if let Some(place) = self.fleet.get_mut(index) {
            *place = container;
        }
    }

    fn probe(&mut self, index: usize) {
        let Some((container, command)) = self.fleet.get(index).and_then(|c| Some((c.clone(), c.service.health?))) else { return };
        if container.busy_until <= self.now || container.sick_until > self.now {
            let exit_code = if container.sick_until > self.now { "1" } else { "0" };
            exec(&mut self.script(), &container, "healthcheck", &format!("/bin/sh -c {command}"), exit_code);
        }
    }

    /// One to three services of a project get new images, one after the other.
    fn deploy(&mut self) {
        let project = match self.rng.random_range(0..10) {
            0 => "monitoring",
            1 | 2 => "blog",
            _ => "shop",
        };
        let often = self.rng.random_bool(0.7);
        let mut indices: Vec<usize> = self.fleet.iter().enumerate().filter(|(_, c)| c.service.project == project).map(|(i, _)| i).collect();
        indices.retain(|i| self.fleet.get(*i).is_some_and(|c| c.busy_until <= self.now && (c.service.own || !often)));
        indices.truncate(self.rng.random_range(1..4));
        for index in indices {
            self.with(index, recreate);
        }
    }

    fn housekeeping(&mut self) {
        let reclaimed = self.rng.random_range(10_000_000_u64..900_000_000).to_string();
        self.with_one_of(
            |_| true,
            |script, container| {
                let old = container.successor(&mut script.host.rng);
                script.then(old.image_event("untag")).then(old.image_event("delete"));
                script.then(Message::new("image", "prune", "", &[("reclaimed", &reclaimed)]));
            },
        );
    }
}

/// As `docker compose up` does it with a changed image.
fn recreate(script: &mut Script<'_>, container: &mut Container) {
    let mut new = container.successor(&mut script.host.rng);
    script.wait(100, 1500).then(new.image_event("pull")).wait(300, 900);
    let (name, temporary) = (new.name(), format!("{}_{}", container.id.get(..12).unwrap_or_default(), new.name()));
    script.then(new.event("create", &[("name", &temporary)])).wait(50, 200);
    script.stop(container);
    script.then(container.event("destroy", &[]));
    script.then(new.event("rename", &[("name", &name), ("oldName", &format!("/{temporary}"))]));
    if new.service.own {
        script.then(new.event("attach", &[]));
    }
    script.start(&mut new);
    script.healthy(&new);
    *container = new;
}

/// Dies at once after each start, until somebody mends what it needs.
fn crash_loop(script: &mut Script<'_>, container: &mut Container) {
    let times = script.host.rng.random_range(3..8);
    let mut pause = 100;
    for _ in 0..times {
        script.die(container, "1");
        script.wait(pause, pause + 50);
        script.start(container);
        script.wait(400, 2500);
        pause = (pause * 2).min(6000);
    }
    script.healthy(container);
}

fn out_of_memory(script: &mut Script<'_>, container: &mut Container) {
    script.then(container.event("oom", &[])).wait(1, 30);
    script.die(container, "137");
    script.wait(100, 200);
    script.start(container);
    script.healthy(container);
}

fn health_flap(script: &mut Script<'_>, container: &mut Container) {
    script.then(container.event("health_status: unhealthy", &[])).wait(8000, 20_000);
    container.sick_until = script.end();
    script.then(container.event("health_status: healthy", &[]));
}

/// `docker restart`: no incident, though it looks like one.
fn restart(script: &mut Script<'_>, container: &mut Container) {
    script.stop(container);
    script.start(container);
    script.then(container.event("restart", &[]));
    script.healthy(container);
}

/// Somebody looks into a container.
fn shell(script: &mut Script<'_>, container: &mut Container) {
    exec(script, container, "exec", "sh -c df -h && ls -la /var/lib", "0");
    script.wait(2000, 9000);
}

/// With the `execType` that newer daemons tell.
fn exec(script: &mut Script<'_>, container: &Container, kind: &str, command: &str, exit_code: &str) {
    let id = hex(&mut script.host.rng, 64);
    let exec = [("execID", id.as_str()), ("execType", kind)];
    script.then(container.event(format!("exec_create: {command}"), &exec));
    script.then(container.event(format!("exec_start: {command}"), &exec)).wait(20, 90);
    script.then(container.event("exec_die", &[("execID", id.as_str()), ("execType", kind), ("exitCode", exit_code)]));
}
