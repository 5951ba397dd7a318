//! The program itself, as a host or as a server of a fleet.

use crate::cluster::STREAM;
use crate::support::{PATIENCE, TENANT};
use serde_json::Value;
use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// A free port.
const ANYWHERE: &str = "127.0.0.1:0";
const PROGRAM: &str = env!("CARGO_BIN_EXE_shipslog");

pub(crate) fn program(arguments: &[&str]) -> Command {
    let mut command = Command::new(PROGRAM);
    command.args(arguments).env_clear();
    command
}

/// The same flag for each value.
fn each<'a>(flag: &'a str, values: &'a [String]) -> Vec<&'a str> {
    values.iter().flat_map(|value| [flag, value]).collect()
}

/// Makes the hub's stream; what is said of it.
pub(crate) fn init(servers: &[String]) -> String {
    let output = program(&[["fleet", "init", "--tenant", TENANT].as_slice(), &each("--nats", servers)].concat()).output().unwrap();
    let said = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success(), "{said}{}", String::from_utf8_lossy(&output.stderr));
    said
}

/// Never asks for TLS here, and wants to know how even so.
pub(crate) fn client() -> reqwest::Client {
    let _ = rustls::crypto::ring::default_provider().install_default();
    reqwest::Client::builder().read_timeout(PATIENCE).build().unwrap()
}

/// A program that serves, and its address.
pub(crate) struct Ship {
    child: Child,
    pub(crate) url: String,
}

impl Ship {
    /// A recorder of the demo that forwards under this name.
    pub(crate) fn host(name: &str, data: &Path, servers: &[String]) -> Self {
        let whose = ["--forward-name", name, "--forward-tenant", TENANT, "--forward-stream", STREAM];
        Self::start(&[["serve", "--demo"].as_slice(), &each("--forward", servers), &whose].concat(), data)
    }

    /// A recorder of the Docker context `name`, which lies in `config`, that forwards under another name.
    pub(crate) fn of_context(name: &str, config: &Path, forwards_as: &str, data: &Path, servers: &[String]) -> Self {
        let context = format!("context://{name}");
        let whose = ["--forward-name", forwards_as, "--forward-tenant", TENANT, "--forward-stream", STREAM];
        let arguments = [["serve", "--docker-host", &context].as_slice(), &each("--forward", servers), &whose].concat();
        Self::start_in(&arguments, data, ANYWHERE, &[("DOCKER_CONFIG", config.to_str().unwrap())])
    }

    /// A server of the fleet.
    pub(crate) fn server(data: &Path, servers: &[String]) -> Self {
        Self::server_at(data, servers, ANYWHERE)
    }

    /// A server of the fleet at an address of its own.
    pub(crate) fn server_at(data: &Path, servers: &[String], listen: &str) -> Self {
        let whose = ["--tenant", TENANT, "--stream", STREAM];
        Self::start_at(&[["fleet", "serve"].as_slice(), &each("--nats", servers), &whose].concat(), data, listen)
    }

    /// A server of the fleet of a hub of any kind, with more flags and an environment.
    pub(crate) fn server_with(data: &Path, servers: &[String], more: &[&str], environment: &[(&str, &str)]) -> Self {
        let whose = ["--tenant", TENANT, "--stream", STREAM, "--unsafe-engine"];
        Self::start_in(&[["fleet", "serve"].as_slice(), &each("--nats", servers), &whose, more].concat(), data, ANYWHERE, environment)
    }

    /// A reader of a log that nobody adds to.
    pub(crate) fn reader(data: &Path) -> Self {
        let scratch = tempfile::tempdir().unwrap();
        Self::start(&["serve", "--read-only", data.to_str().unwrap()], scratch.path())
    }

    fn start(arguments: &[&str], data: &Path) -> Self {
        Self::start_at(arguments, data, ANYWHERE)
    }

    fn start_at(arguments: &[&str], data: &Path, listen: &str) -> Self {
        Self::start_in(arguments, data, listen, &[])
    }

    fn start_in(arguments: &[&str], data: &Path, listen: &str, environment: &[(&str, &str)]) -> Self {
        let place = ["--data-dir", data.to_str().unwrap(), "--listen", listen];
        let mut child = program(&[arguments, &place].concat()).envs(environment.iter().copied()).stdout(Stdio::piped()).spawn().unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let url = line.trim().strip_prefix("listening on ").unwrap_or_else(|| panic!("{line}")).to_owned();
        Self { child, url }
    }

    /// Host and port.
    pub(crate) fn address(&self) -> &str {
        self.url.strip_prefix("http://").unwrap()
    }

    /// As a crash would.
    pub(crate) fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    pub(crate) async fn get(&self, path: &str) -> reqwest::Response {
        client().get(format!("{}{path}", self.url)).send().await.unwrap()
    }

    pub(crate) async fn json(&self, path: &str) -> Value {
        self.get(path).await.json().await.unwrap()
    }

    /// Asks until the answer is `wanted`.
    pub(crate) async fn until(&self, what: &str, path: &str, wanted: impl Fn(&Value) -> bool) -> Value {
        let began = Instant::now();
        loop {
            let answer = self.json(path).await;
            if wanted(&answer) {
                return answer;
            }
            assert!(began.elapsed() < PATIENCE, "waited {PATIENCE:?} in vain for {what}: {answer}");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    /// Waits until its log has so many records; how many it has then.
    pub(crate) async fn head(&self, wanted: u64) -> u64 {
        let stats = self.until("records", "/api/v1/stats", |stats| stats["log"]["head"].as_u64() >= Some(wanted)).await;
        stats["log"]["head"].as_u64().unwrap()
    }

    /// All lines of its log.
    pub(crate) async fn lines(&self) -> Vec<String> {
        let text = self.get("/api/v1/export").await.text().await.unwrap();
        text.lines().map(str::to_owned).collect()
    }
}

impl Drop for Ship {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
