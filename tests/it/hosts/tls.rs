//! TLS with client certificates.

use super::{connected, recorded, source};
use crate::certificates::{Authority, For};
use crate::dockerd::Engine;
use crate::fake_daemon::FakeDaemon;
use crate::support::{Ship, docker_line, wait_for};
use std::path::Path;
use tempfile::TempDir;

async fn records(ship: &Ship, daemon: &FakeDaemon, name: &str) {
    daemon.emit(&docker_line("container", "start", 7));
    wait_for("the event", async || recorded(ship, name).await.contains(&"start c7".to_owned()).then_some(())).await;
}

/// `NAME=URL?cert-path=DIR`.
fn host(name: &str, url: &str, dir: &Path) -> String {
    format!("{name}={url}?cert-path={}", dir.display())
}

#[tokio::test(flavor = "multi_thread")]
async fn who_is_not_trusted_is_told_what_to_do_and_harms_no_other_host() {
    let dir = TempDir::new().unwrap();
    let path = |name: &str| dir.path().join(name);
    let (ours, other) = (Authority::new(), Authority::new());
    let daemon = FakeDaemon::tls(ours.server(For::Server, "127.0.0.1")).await;
    let expired = FakeDaemon::tls(ours.server(For::ServerLongAgo, "127.0.0.1")).await;
    let elsewhere = FakeDaemon::tls(ours.server(For::Server, "docker.example")).await;
    let plain = FakeDaemon::tcp().await;
    ours.write_client(&path("right"));
    other.write_client(&path("other"));
    ours.write_ca(&path("nobody"));
    ours.write_ca(&path("foreign"));
    other.write_signed(&path("foreign"), For::Client, "shipslog");
    ours.write_client(&path("half"));
    std::fs::remove_file(path("half/key.pem")).unwrap();

    ours.write_signed(&path("no-ca"), For::Client, "shipslog");

    let right = path("right");
    let cases = [
        (host("wrong-ca", &daemon.url(), &path("other")), "is the CA of another host"),
        (host("no-ca", &daemon.url(), &path("no-ca")), "put its CA's certificate into"),
        (host("no-certificate", &daemon.url(), &path("nobody")), "asks for a client certificate"),
        (host("foreign", &daemon.url(), &path("foreign")), "does not take the client certificate"),
        (host("half", &daemon.url(), &path("half")), "cert.pem and key.pem are looked for"),
        (host("nothing", &daemon.url(), dir.path()), "cert.pem and key.pem are looked for"),
        (host("expired", &expired.url(), &right), "has expired: renew it over there"),
        (host("elsewhere", &elsewhere.url(), &right), "is not for 127.0.0.1"),
        (host("plain", &plain.url(), &right), "does not speak TLS"),
        (format!("unencrypted={}", daemon.url().replace("https", "http")), "is it a Docker Engine without TLS"),
    ];
    let right = host("right", &daemon.url().replace("https", "tcp"), &right);
    let hosts = cases.iter().map(|(host, _)| host.as_str()).chain([right.as_str()]);
    let args: Vec<&str> = hosts.flat_map(|host| ["--docker-host", host]).collect();
    // The authorities that the system trusts.
    let system = format!("SSL_CERT_FILE={}", path("other/ca.pem").display());
    let ship = Ship::start_under(&["env", &system], dir.path(), &args);
    connected(&ship, "right").await;
    records(&ship, &daemon, "right").await;
    for (host, part) in &cases {
        let name = host.split('=').next().unwrap();
        // Where the other side breaks off while we still write, its reason may be lost now and then.
        source(&ship, name, |source| source["hint"].as_str().is_some_and(|hint| hint.contains(part))).await;
    }
    let nothing = source(&ship, "nothing", |source| source["state"] == "error").await;
    assert!(nothing["error"].as_str().unwrap().contains("none of ca.pem, cert.pem and key.pem"), "{nothing}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_environment_means_what_it_means_to_docker_and_renewed_files_are_taken() {
    let dir = TempDir::new().unwrap();
    let certificates = dir.path().join("certificates");
    let (ours, other) = (Authority::new(), Authority::new());
    let daemon = FakeDaemon::tls(ours.server(For::Server, "127.0.0.1")).await;
    other.write_client(&certificates);
    let launcher = [
        "env",
        "DOCKER_TLS_VERIFY=1",
        &format!("DOCKER_CERT_PATH={}", certificates.display()),
        &format!("DOCKER_HOST={}", daemon.url().replace("https", "tcp")),
    ];
    let ship = Ship::start_under(&launcher, dir.path(), &[]);
    source(&ship, "local", |source| source["state"] == "error").await;
    ours.write_client(&certificates);
    let found = connected(&ship, "local").await;
    assert_eq!(found["endpoint"], daemon.url());
    records(&ship, &daemon, "local").await;
    daemon.drop_connections();
    let reconnect = "connect the daemon closed the event stream".to_owned();
    wait_for("another connection", async || recorded(&ship, "local").await.contains(&reconnect).then_some(())).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_ca_of_its_own_a_host_is_judged_by_the_systems() {
    let dir = TempDir::new().unwrap();
    let (system, client) = (dir.path().join("system"), dir.path().join("client"));
    let ours = Authority::new();
    let daemon = FakeDaemon::tls(ours.server(For::Server, "localhost")).await;
    ours.write_ca(&system);
    ours.write_signed(&client, For::Client, "shipslog");
    let variable = format!("SSL_CERT_FILE={}", system.join("ca.pem").display());
    let url = daemon.url().replace("127.0.0.1", "localhost");
    let ship = Ship::start_under(&["env", &variable], dir.path(), &["--docker-host", &host("web", &url, &client)]);
    connected(&ship, "web").await;
    records(&ship, &daemon, "web").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_real_engine_with_tlsverify() {
    let dir = TempDir::new().unwrap();
    let (client, server) = (dir.path().join("client"), dir.path().join("server"));
    let ours = Authority::new();
    ours.write_client(&client);
    ours.write_ca(&server);
    ours.write_signed(&server, For::Server, "127.0.0.1");
    let file = |name: &str| server.join(name).display().to_string();
    // Free a moment ago.
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let options = [
        "--tlsverify".to_owned(),
        format!("--tlscacert={}", file("ca.pem")),
        format!("--tlscert={}", file("cert.pem")),
        format!("--tlskey={}", file("key.pem")),
        format!("--host=tcp://127.0.0.1:{port}"),
    ];
    let Some(engine) = Engine::own_with("tls", &options.join(" ")) else { return };
    let url = format!("https://127.0.0.1:{port}");
    ours.write_ca(&dir.path().join("nobody"));
    let hosts = [host("prod", &url, &client), host("nobody", &url, &dir.path().join("nobody")), format!("plain=tcp://127.0.0.1:{port}")];
    let ship = Ship::start_with(dir.path(), &hosts.iter().flat_map(|host| ["--docker-host", host]).collect::<Vec<_>>());
    connected(&ship, "prod").await;
    let id = engine.run(3, "dies", &[], "exit 3");
    assert!(id.is_empty());
    let id = engine.docker(&["inspect", "--format", "{{.Id}}", &engine.name("dies")]);
    wait_for("its death", async || recorded(&ship, "prod").await.contains(&format!("die {id}")).then_some(())).await;
    let nobody = source(&ship, "nobody", |source| source["state"] == "error").await;
    assert!(nobody["hint"].as_str().unwrap().contains("client certificate"), "{nobody}");
    let plain = source(&ship, "plain", |source| source["state"] == "error").await;
    assert!(plain["hint"].as_str().unwrap().contains(&format!("use https://127.0.0.1:{port}")), "{plain}");
}
