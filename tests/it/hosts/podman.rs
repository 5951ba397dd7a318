//! A real Podman, through its Docker-compatible socket.

use super::connected;
use crate::dockerd::{Background, Engine};
use crate::skipped::skipped;
use crate::support::{PATIENCE, Ship, wait_for};
use std::path::PathBuf;
use std::process::Command;
use std::time::Instant;
use tempfile::TempDir;

/// Podman with everything in a directory of its own.
struct Podman {
    dir: TempDir,
    service: Option<Background>,
}

impl Podman {
    /// `None` where there is none.
    fn start() -> Option<Self> {
        // Where there is an Engine, containers can be run at all.
        Engine::given("podman")?;
        if !Command::new("podman").arg("--version").output().is_ok_and(|output| output.status.success()) {
            skipped("podman is not installed (Debian: apt-get install podman)");
            return None;
        }
        // Not under TMPDIR: paths of sockets are short.
        let mut podman = Self { dir: TempDir::with_prefix_in("pm", "/tmp").unwrap(), service: None };
        // Its defaults are more than a container may set where the tests run in one.
        let limits = "[containers]\ndefault_ulimits = [\"nofile=1024:1024\", \"nproc=1024:1024\"]\n";
        std::fs::write(podman.path("containers.conf"), limits).unwrap();
        podman.make_image();
        podman.start_service();
        Some(podman)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    fn socket(&self) -> String {
        self.path("podman.sock").display().to_string()
    }

    fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new("podman");
        command.env("CONTAINERS_CONF", self.path("containers.conf"));
        for (option, name) in [("--root", "root"), ("--runroot", "run"), ("--tmpdir", "tmp"), ("--network-config-dir", "net")] {
            command.arg(option).arg(self.path(name));
        }
        command.args(["--storage-driver", "vfs", "--events-backend", "file", "--cgroup-manager", "cgroupfs"]).args(args);
        command
    }

    fn exits(&self, code: i32, args: &[&str]) -> String {
        let output = Background::start(&mut self.command(args)).wait();
        assert_eq!(output.status.code(), Some(code), "podman {args:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap().trim().to_owned()
    }

    fn run(&self, code: i32, name: &str, line: &str) {
        self.exits(code, &["run", "--name", name, "--network", "none", "busybox:test", "sh", "-c", line]);
    }

    fn make_image(&self) {
        let busybox = Command::new("sh").args(["-c", "command -v busybox"]).output().unwrap();
        let root = self.path("image");
        std::fs::create_dir_all(root.join("bin")).unwrap();
        std::fs::copy(String::from_utf8(busybox.stdout).unwrap().trim(), root.join("bin/busybox")).unwrap();
        for applet in ["sh", "sleep", "true"] {
            std::os::unix::fs::symlink("busybox", root.join("bin").join(applet)).unwrap();
        }
        let tar = self.path("image.tar");
        assert!(Command::new("tar").arg("-C").arg(&root).arg("-cf").arg(&tar).arg(".").status().unwrap().success());
        self.exits(0, &["import", &tar.display().to_string(), "busybox:test"]);
    }

    fn start_service(&mut self) {
        let url = format!("unix://{}", self.socket());
        let service = Background::start(&mut self.command(&["system", "service", "--time=0", &url]));
        let began = Instant::now();
        while std::os::unix::net::UnixStream::connect(self.socket()).is_err() {
            assert!(began.elapsed() < PATIENCE, "no service: {}", service.err());
            std::thread::sleep(std::time::Duration::from_millis(10));
        }
        self.service = Some(service);
    }

    fn stop_service(&mut self) {
        if let Some(service) = self.service.take() {
            service.signal("-TERM");
            service.wait();
        }
        let _ = std::fs::remove_file(self.socket());
    }

    /// As many events of an hour ago, one a millisecond, in front of those that there are. Podman cuts its
    /// file in half at 1 MB.
    fn lengthen_history(&self, count: usize) {
        let file = self.path("tmp/events/events.log");
        let history = std::fs::read_to_string(&file).unwrap();
        let pattern: serde_json::Value = serde_json::from_str(history.lines().last().unwrap()).unwrap();
        let first = chrono::Utc::now() - chrono::Duration::hours(1);
        let line = |n: usize| {
            let mut line = pattern.clone();
            line["ID"] = format!("{n:064x}").into();
            line["Time"] = (first + chrono::Duration::milliseconds(n.try_into().unwrap())).to_rfc3339().into();
            format!("{line}\n")
        };
        let lines: String = (0..count).map(line).collect();
        assert!(lines.len() < 960_000, "{} bytes", lines.len());
        std::fs::write(&file, lines + &history).unwrap();
    }

    /// Its own lines, from the first on, up to the one that has `last` in it.
    async fn lines(&self, last: &str) -> Vec<String> {
        let mut curl = Command::new("curl");
        curl.args(["--silent", "--show-error", "--no-buffer", "--unix-socket", &self.socket(), "http://d/events?since=0"]);
        let curl = Background::start(&mut curl);
        wait_for("Podman's own lines", async || Some(curl.lines()).filter(|lines| lines.iter().any(|line| line.contains(last)))).await
    }
}

impl Drop for Podman {
    fn drop(&mut self) {
        self.service = None;
        let _ = self.command(&["rm", "--all", "--force", "--time", "0"]).output();
        // Mounts that it leaves where it keeps its state.
        for name in ["root/vfs", "root/overlay"] {
            let _ = Command::new("umount").arg("--lazy").arg(self.path(name)).output();
        }
    }
}

/// The message inside a record line, byte for byte, where it is not the recorder's own.
fn message(line: &str) -> Option<String> {
    let message = line.split_once(r#""event":"#).unwrap().1.strip_suffix('}').unwrap();
    (!message.contains(r#""Type":"recorder""#)).then(|| message.to_owned())
}

#[tokio::test(flavor = "multi_thread")]
async fn podman_is_recorded_word_for_word_through_restarts_of_its_service() {
    let Some(mut podman) = Podman::start() else { return };
    let data = TempDir::new().unwrap();
    podman.run(5, "before", "exit 5");
    // More than the recorder remembers of a host, and far more than Docker's ring.
    podman.lengthen_history(4200);
    let ship = Ship::start(data.path(), &format!("pod=unix://{}", podman.socket()));
    connected(&ship, "pod").await;
    podman.run(3, "dies", "exit 3");
    podman.exits(0, &["pod", "create", "--infra=false", "--name", "peas"]);
    let healthy = ["--name", "healthy", "--health-cmd", "true", "--health-interval", "disable", "--network", "none"];
    podman.exits(0, &[&["run", "--detach"], healthy.as_slice(), &["busybox:test", "sleep", "1000"]].concat());
    podman.exits(0, &["healthcheck", "run", "healthy"]);

    podman.stop_service();
    podman.run(4, "meanwhile", "exit 4");
    podman.start_service();
    podman.run(0, "last", "true");
    let last = podman.exits(0, &["inspect", "--format", "{{.Id}}", "last"]);
    let died = format!(r#""Action":"die","Actor":{{"ID":"{last}""#);
    let lines = podman.lines(&died).await;
    let observed = [r#""Action":"observed""#, r#""name":"before""#, r#""exitCode":"5""#];
    let log = wait_for("the last death, and a look at the containers", async || {
        let log = ship.export("").await;
        let has = |parts: &[&str]| log.values().any(|line| parts.iter().all(|part| line.contains(part)));
        (has(&[&died]) && has(&observed)).then_some(log)
    })
    .await;
    let recorded: Vec<String> = log.values().filter_map(|line| message(line)).collect();
    let until_last = |lines: &[String]| lines[..=lines.iter().position(|line| line.contains(&died)).unwrap()].to_vec();
    assert_eq!(until_last(&recorded), until_last(&lines), "each once, byte for byte, in Podman's order");

    let has = |parts: &[&str]| log.values().any(|line| parts.iter().all(|part| line.contains(part)));
    assert!(has(&[r#""Type":"pod","Action":"create""#, "peas"]), "a type that Docker does not have");
    assert!(has(&[r#""Action":"health_status""#, r#""HealthStatus":"#]), "a field that Docker does not have");
    assert!(has(&[r#""Type":"recorder","Action":"resumed""#]) && !has(&[r#""Action":"gap""#, "ring-overflow"]));
    let source = ship.json("/api/v1/stats").await["sources"][0].clone();
    assert_eq!((source["state"].as_str(), source["connects"].as_u64()), (Some("connected"), Some(2)), "{source}");
}
