//! Contexts that the docker CLI has made.

use super::{connected, recorded};
use crate::certificates::{Authority, For};
use crate::dockerd::Background;
use crate::fake_daemon::FakeDaemon;
use crate::skipped::skipped;
use crate::support::{BIN, Ship, docker_line, wait_for};
use std::path::Path;
use std::process::Command;
use tempfile::TempDir;

/// The CLI with a configuration of the story's own; false where there is no CLI.
fn docker(config: &Path, args: &[&str]) -> bool {
    let mut command = Command::new("docker");
    command.env("DOCKER_CONFIG", config).env_remove("DOCKER_HOST").env_remove("DOCKER_CONTEXT").args(args);
    match command.output() {
        Ok(output) => {
            assert!(output.status.success(), "docker {args:?}: {}", String::from_utf8_lossy(&output.stderr));
            true
        }
        Err(error) => {
            skipped(&format!("no docker CLI: {error}"));
            false
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn contexts_of_the_stock_cli_are_followed() {
    let dir = TempDir::new().unwrap();
    let (config, certificates) = (dir.path().join("config"), dir.path().join("certificates"));
    let ours = Authority::new();
    ours.write_client(&certificates);
    let (prod, sock) = (FakeDaemon::tls(ours.server(For::Server, "127.0.0.1")).await, FakeDaemon::unix().await);
    let file = |name: &str| certificates.join(name).display().to_string();
    let url = prod.url().replace("https", "tcp");
    let endpoint = format!("host={url},ca={},cert={},key={}", file("ca.pem"), file("cert.pem"), file("key.pem"));
    if !docker(&config, &["context", "create", "prod", "--docker", &endpoint]) {
        return;
    }
    docker(&config, &["context", "create", "sock", "--docker", &format!("host={}", sock.url())]);
    docker(&config, &["context", "use", "prod"]);
    // The store has copies.
    std::fs::remove_dir_all(&certificates).unwrap();

    let configured = format!("DOCKER_CONFIG={}", config.display());
    let follows = async |variables: &[&str], args: &[&str], name: &str, daemon: &FakeDaemon| {
        let data = TempDir::new().unwrap();
        let ship = Ship::start_under(&[&["env", &configured], variables].concat(), data.path(), args);
        assert_eq!(connected(&ship, name).await["endpoint"], daemon.url());
        daemon.emit(&docker_line("container", "start", 1));
        wait_for("the event", async || recorded(&ship, name).await.contains(&"start c1".to_owned()).then_some(())).await;
    };
    follows(&[], &[], "prod", &prod).await;
    follows(&["DOCKER_CONTEXT=sock"], &[], "sock", &sock).await;
    follows(&[&format!("DOCKER_HOST={}", sock.url()), "DOCKER_CONTEXT=prod"], &[], "local", &sock).await;
    follows(&["DOCKER_CONTEXT=sock"], &["--docker-host", "p=context://prod"], "p", &prod).await;
    follows(&[], &["--docker-host", "context://sock"], "sock", &sock).await;

    let mut unknown = Command::new(BIN);
    unknown.args(["serve", "--listen", "127.0.0.1:0", "--docker-host", "context://stage", "--data-dir"]).arg(dir.path().join("data"));
    let output = Background::start(unknown.env("DOCKER_CONFIG", &config)).wait();
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(!output.status.success() && said.contains("\"stage\"") && said.contains("default, prod, sock"), "{said}");

    let shown =
        Background::start(Command::new(BIN).args(["config", "show"]).env("DOCKER_CONFIG", &config).env_remove("DOCKER_HOST")).wait();
    let shown = String::from_utf8(shown.stdout).unwrap();
    assert!(shown.lines().any(|line| line.contains("context://prod") && line.contains("config.json")), "{shown}");
}
