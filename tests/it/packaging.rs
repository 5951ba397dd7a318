//! What is in packaging/: each file is taken by the tool that it is for, and names only what the program has.

use crate::fake_daemon::FakeDaemon;
use crate::least_rights::haproxy;
use crate::skipped::skipped;
use crate::support::{Ship, client};
use serde_json::Value;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;
use tempfile::TempDir;

const UNIT: &str = include_str!("../../packaging/shipslog.service");
const ALERTS: &str = include_str!("../../packaging/prometheus/alerts.yaml");
const DASHBOARD: &str = include_str!("../../packaging/grafana/dashboard.json");
const OPERATIONS: &str = include_str!("../../docs/operations.md");
/// What the unit runs, with the configuration of the package.
const STARTS: &str = "ExecStart=shipslog serve --config /etc/shipslog.toml\n";

fn packaging(file: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("packaging").join(file)
}

/// Runs a tool where it is installed; it must accept what it is given. What it says.
fn accepts(command: &mut Command) -> String {
    match command.output() {
        Ok(output) => {
            let said = String::from_utf8_lossy(&output.stderr).into_owned();
            assert!(output.status.success(), "{command:?}: {said}");
            said
        }
        Err(error) => {
            skipped(&format!("{command:?}: {error}"));
            String::new()
        }
    }
}

/// Names of metrics in a text.
fn metrics(text: &str) -> BTreeSet<&str> {
    let words = text.split(|c: char| !(c.is_ascii_alphanumeric() || c == '_'));
    words.filter(|word| word.starts_with("shipslog_") || word.starts_with("docker_events_")).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn alerts_dashboard_and_documents_name_the_metrics_that_there_are() {
    let dir = TempDir::new().unwrap();
    let (daemon, tokens) = (FakeDaemon::unix().await, dir.path().join("tokens"));
    std::fs::write(&tokens, "a-token-for-metrics\n").unwrap();
    assert!(UNIT.contains(STARTS), "{UNIT}");
    let configuration = packaging("shipslog.toml");
    let [configuration, tokens] = [&configuration, &tokens].map(|path| path.to_str().unwrap());
    // The hub need not be there.
    let docker = daemon.url();
    let hub = ["--forward", "nats://127.0.0.1:1", "--forward-name", "web-17"];
    let args = [["--config", configuration].as_slice(), &["--docker-host", &docker, "--token-file", tokens], &hub].concat();
    let ship = Ship::start_with(&dir.path().join("data"), &args);
    let answer = client().get(format!("{}/metrics", ship.url)).bearer_auth("a-token-for-metrics").send().await.unwrap();
    let text = answer.text().await.unwrap();
    let there: BTreeSet<&str> =
        text.lines().filter_map(|line| line.strip_prefix("# TYPE ")).filter_map(|line| line.split(' ').next()).collect();
    assert!(there.contains("shipslog_auth_slowed_total") && there.contains("shipslog_source_gaps_total"), "{text}");
    for (name, named) in [("alerts.yaml", metrics(ALERTS)), ("dashboard.json", metrics(DASHBOARD))] {
        assert!(named.len() > 5 && named.is_subset(&there), "{name}: {:?}", named.difference(&there));
    }
    // Those of a server of a fleet are asked for in tests/fleet.
    let of_a_fleet = |name: &str| name.starts_with("shipslog_fleet_") || name.starts_with("shipslog_archive_");
    let named: BTreeSet<&str> = metrics(OPERATIONS).into_iter().filter(|name| !of_a_fleet(name)).collect();
    assert_eq!(named, there, "docs/operations.md lists them");
}

#[test]
fn the_dashboard_is_json_with_a_query_in_each_panel() {
    let dashboard: Value = serde_json::from_str(DASHBOARD).unwrap();
    let panels = dashboard["panels"].as_array().unwrap();
    assert!(!panels.is_empty() && panels.iter().all(|panel| panel["targets"][0]["expr"].is_string()), "{dashboard:#}");
}

#[test]
fn systemd_takes_the_unit_and_the_user() {
    let dir = TempDir::new().unwrap();
    let unit = dir.path().join("shipslog.service");
    // The program need not be installed, but some program must be there.
    assert!(UNIT.contains(STARTS), "{UNIT}");
    std::fs::write(&unit, UNIT.replace("ExecStart=shipslog ", "ExecStart=/bin/true ")).unwrap();
    // It warns of a word that it does not know, and calls that a success.
    let said = accepts(Command::new("systemd-analyze").args(["verify", "--man=no"]).arg(&unit));
    assert!(!said.contains("shipslog.service"), "{said}");
    accepts(Command::new("systemd-sysusers").arg("--dry-run").arg(packaging("shipslog.sysusers")));
}

#[test]
fn haproxy_and_compose_take_their_files() {
    let Some(haproxy) = haproxy() else { return skipped("no HAProxy to read its configuration (Debian: haproxy)") };
    accepts(Command::new(haproxy).arg("-c").arg("-f").arg(packaging("haproxy.cfg")));
    accepts(Command::new("docker-compose").arg("-f").arg(packaging("compose.yaml")).args(["config", "-q"]));
}
