//! Who gets in, and what those are told who do not.

use super::{Lines, SECOND, event, kind, now, recorded, refusal};
use crate::fake_daemon::FakeDaemon;
use crate::support::{Ship, wait_for};
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
        stream.read_to_string(&mut answer).await.unwrap();
        assert!(answer.starts_with("HTTP/1.1 200 ") && answer.ends_with("\r\n\r\nOK"), "{host}: {answer}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn over_tcp_only_our_names_will_do_and_that_is_told() {
    let (_dir, _daemon, ship) = recorded(&[]).await;
    let as_host = |path: &str| reqwest::Client::new().get(format!("{}{path}", ship.url)).header("Host", "evil.example").send();
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
    let send = |path: &str| reqwest::Client::new().get(format!("{}{path}", ship.url)).bearer_auth(TOKEN).send();
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
