//! Which clients get in, and what the others are told.

use super::{Lines, SECOND, event, kind, now, recorded, refusal};
use crate::dockerd::{Background, Engine};
use crate::fake_daemon::FakeDaemon;
use crate::support::{Ship, wait_for, within};
use std::process::{Command, Output};
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::UnixStream;

const TOKEN: &str = "0123456789abcdef-a-token";

/// Docker's clients make up a name for what they reach over a unix socket.
#[tokio::test(flavor = "multi_thread")]
async fn over_a_unix_socket_any_name_will_do() {
    let dir = TempDir::new().unwrap();
    let socket = dir.path().join("ship.sock");
    let docker = ["--docker-host", "unix:///nonexistent/docker.sock"];
    let _ship = Ship::start_on(&dir.path().join("data"), &format!("unix:{}", socket.display()), &docker);
    for host in ["Host: docker\r\n", "Host: api.moby.localhost\r\n", "Host: evil.example\r\n", "Host: \r\n", ""] {
        let mut stream = UnixStream::connect(&socket).await.unwrap();
        stream.write_all(format!("GET /v1.50/_ping HTTP/1.1\r\n{host}Connection: close\r\n\r\n").as_bytes()).await.unwrap();
        let mut answer = String::new();
        within("an answer and its end", stream.read_to_string(&mut answer)).await.unwrap();
        assert!(answer.starts_with("HTTP/1.1 200 ") && answer.ends_with("\r\n\r\nOK"), "{host}: {answer}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn over_tcp_only_our_names_will_do_and_that_is_told() {
    let (_dir, _daemon, ship) = recorded(&[]).await;
    let as_host = |path: &str| crate::support::client().get(format!("{}{path}", ship.url)).header("Host", "evil.example").send();
    let (status, message) = refusal(as_host("/v1.50/events").await.unwrap()).await;
    assert!(status == 421 && message.contains("--allow-host"), "{status} {message}");
    let own = as_host("/api/v1/events").await.unwrap();
    assert_eq!((own.status().as_u16(), kind(&own)), (421, "application/problem+json".to_owned()));
}

#[tokio::test(flavor = "multi_thread")]
async fn tokens_are_asked_for_and_end_streams() {
    let dir = TempDir::new().unwrap();
    let tokens = dir.path().join("tokens");
    std::fs::write(&tokens, TOKEN).unwrap();
    let daemon = FakeDaemon::unix().await;
    let ship = Ship::start_with(&dir.path().join("data"), &["--docker-host", &daemon.url(), "--token-file", tokens.to_str().unwrap()]);
    daemon.wait_for_subscribers(1).await;
    for path in ["/_ping", "/version", "/v1.51/events", "/v1.51/containers/json"] {
        let response = ship.get(path).await;
        assert!(response.headers().contains_key("www-authenticate"));
        let (status, message) = refusal(response).await;
        assert!(status == 401 && message.contains("Authorization: Bearer"), "{path}: {status} {message}");
    }
    let send = |path: &str| crate::support::client().get(format!("{}{path}", ship.url)).bearer_auth(TOKEN).send();
    let mut stream = Lines { response: send("/events").await.unwrap(), buffer: Vec::new() };
    let message = event(1, now() - 60 * SECOND);
    daemon.emit(&message);
    assert_eq!(stream.take(1).await, [message]);
    std::fs::write(&tokens, "another-token-than-before").unwrap();
    assert!(stream.rest().await.is_empty());
    wait_for("the door to close", async || (send("/events").await.unwrap().status() == 401).then_some(())).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn streams_over_the_cap_are_told_and_the_others_stay() {
    let dir = TempDir::new().unwrap();
    let daemon = FakeDaemon::unix().await;
    let ship = Ship::start_with(dir.path(), &["--docker-host", &daemon.url(), "--max-connections", "2"]);
    daemon.wait_for_subscribers(1).await;
    let mut streams = Vec::new();
    for _ in 0..2 {
        streams.push(Lines::open(&ship.url, "/events").await);
    }
    let (status, message) = refusal(ship.get("/v1.51/events").await).await;
    assert!(status == 503 && message.contains("--max-connections"), "{status} {message}");
    let problem = ship.get("/api/v1/events").await;
    assert_eq!((problem.status().as_u16(), kind(&problem)), (503, "application/problem+json".to_owned()));
    let message = event(1, now());
    daemon.emit(&message);
    for stream in &mut streams {
        assert_eq!(stream.take(1).await, std::slice::from_ref(&message));
    }
}

/// The `docker` command with a configuration of its own.
fn docker(config: &std::path::Path, args: &[&str]) -> Output {
    let mut command = Command::new("docker");
    for name in ["DOCKER_HOST", "DOCKER_CONTEXT", "DOCKER_API_VERSION", "DOCKER_TLS", "DOCKER_TLS_VERIFY"] {
        command.env_remove(name);
    }
    Background::start(command.env("DOCKER_CONFIG", config).env("DOCKER_CERT_PATH", config).args(args)).wait()
}

/// stdout, stderr and whether it went well.
fn said(output: Output) -> (String, String, bool) {
    (String::from_utf8(output.stdout).unwrap(), String::from_utf8(output.stderr).unwrap(), output.status.success())
}

#[tokio::test(flavor = "multi_thread")]
async fn the_docker_command_comes_in_by_every_door() {
    // There is a docker command where there is an Engine.
    if Engine::given("doors").is_none() {
        return;
    }
    let dir = TempDir::new().unwrap();
    let (config, tokens, socket) = (dir.path().join("config"), dir.path().join("tokens"), dir.path().join("ship.sock"));
    std::fs::create_dir(&config).unwrap();
    std::fs::write(&tokens, TOKEN).unwrap();
    let made = rcgen::generate_simple_self_signed(["127.0.0.1".to_owned()]).unwrap();
    let (cert, key) = (config.join("ca.pem"), dir.path().join("key.pem"));
    std::fs::write(&cert, made.cert.pem()).unwrap();
    std::fs::write(&key, made.signing_key.serialize_pem()).unwrap();
    let daemon = FakeDaemon::unix().await;
    let host = daemon.url();
    let text = |path: &std::path::Path| path.to_str().unwrap().to_owned();
    let (tokens, cert, key) = (text(&tokens), text(&cert), text(&key));
    let secured = ["--docker-host", &host, "--token-file", &tokens, "--tls-cert", &cert, "--tls-key", &key];
    let ships = [
        Ship::start_on(&dir.path().join("unix"), &format!("unix:{}", socket.display()), &["--docker-host", &host, "--token-file", &tokens]),
        Ship::start_with(&dir.path().join("tls"), &secured),
        Ship::start_with(&dir.path().join("plain"), &["--docker-host", &host]),
    ];
    daemon.wait_for_subscribers(ships.len()).await;
    let base = now() - 3600 * SECOND;
    daemon.emit(&event(1, base));
    let urls = [format!("unix://{}", socket.display()), ships[1].url.replacen("https", "tcp", 1), ships[2].url.replacen("http", "tcp", 1)];
    let asked = |door: usize, args: &[&str]| {
        let tls = if door == 1 { &["--tlsverify"][..] } else { &[] };
        said(docker(&config, &[&["-H", &urls[door]], tls, args].concat()))
    };
    for door in [0, 1] {
        let (out, err, well) = asked(door, &["events", "--since", "24h", "--until", "1s"]);
        assert!(out.is_empty() && !well && err.contains("this server wants a token"), "{err}");
        assert!(!err.contains('{'), "a message and no JSON: {err}");
    }
    std::fs::write(config.join("config.json"), format!(r#"{{"HttpHeaders":{{"Authorization":"Bearer {TOKEN}"}}}}"#)).unwrap();
    for door in 0..3 {
        wait_for("the event", async || {
            let (out, err, well) = asked(door, &["events", "--since", "24h", "--until", "1s", "--filter", "container=job-1"]);
            assert!(well, "{err}");
            let line = format!(" container start {:064x} (image=busybox, name=job-1)\n", 1);
            (!out.is_empty()).then(|| assert!(out.ends_with(&line) && out.lines().count() == 1, "{out}"))
        })
        .await;
        let (out, err, well) =
            asked(door, &["version", "--format", "{{.Server.Platform.Name}} {{.Server.APIVersion}} {{.Client.APIVersion}}"]);
        let [platform, _, server, client] = out.split_whitespace().collect::<Vec<_>>()[..] else { panic!("{out}{err}") };
        assert!(well && platform == "shipslog" && server == "1.51" && client >= "1.24", "{out}{err}");
        for command in [&["ps"][..], &["images"], &["run", "busybox"], &["exec", "x", "sh"], &["volume", "ls"], &["swarm", "init"]] {
            let (_, err, well) = asked(door, command);
            assert!(!well && err.contains("this is shipslog") && !err.contains('{'), "{command:?}: {err}");
        }
    }
}
