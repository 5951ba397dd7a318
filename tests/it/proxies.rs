//! Commands and what stands in their environment: a proxy, which is not for this machine, and certificates,
//! which plain HTTP does not need.

use crate::dockerd::Background;
use crate::support::{BIN, Ship, docker_line, wait_for};
use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::process::{Command, Output};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use tempfile::TempDir;

/// Every command that talks to a server. Each ends by itself.
const COMMANDS: [&str; 6] = ["healthcheck", "stats", "query -n 1", "tail -n 1", "export", "tail --since oldest --speed 1000 --until 0s"];
const VARIABLES: [&str; 6] = ["HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"];

/// A proxy that counts its clients and refuses them all.
fn proxy() -> (String, Arc<AtomicUsize>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let asked = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&asked);
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            count.fetch_add(1, Ordering::SeqCst);
            let _ = stream.read(&mut [0; 4096]);
            let _ = stream.write_all(b"HTTP/1.1 418 I'm a proxy\r\nContent-Length: 5\r\nConnection: close\r\n\r\nproxy");
        }
    });
    (url, asked)
}

/// Without anything that the tests' own environment says about proxies and certificates.
fn shipslog(line: &str, url: &str) -> Command {
    let mut command = Command::new(BIN);
    command.args(line.split(' ')).args(["--url", url]).env_remove("SHIPSLOG_URL");
    for name in VARIABLES.into_iter().chain(["NO_PROXY", "no_proxy", "SSL_CERT_FILE", "SSL_CERT_DIR", "REQUEST_METHOD"]) {
        command.env_remove(name);
    }
    command
}

fn run(command: &mut Command) -> Output {
    Background::start(command).wait()
}

async fn recorded(dir: &TempDir, name: &str, listen: &str) -> (crate::fake_daemon::FakeDaemon, Ship) {
    let daemon = crate::fake_daemon::FakeDaemon::unix().await;
    let ship = Ship::start_on(&dir.path().join(name), listen, &["--docker-host", &daemon.url(), "--allow-host", "ship.localhost"]);
    daemon.wait_for_subscribers(1).await;
    daemon.emit(&docker_line("container", "start", 1));
    (daemon, ship)
}

fn everything_works(ship_is_at: &[&str], environment: &[(&str, &str)]) {
    for url in ship_is_at {
        for line in COMMANDS {
            let answer = run(shipslog(line, url).envs(environment.iter().copied()));
            assert!(answer.status.success(), "{line} --url {url} with {environment:?}: {answer:?}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn this_machine_is_never_asked_for_through_a_proxy() {
    let dir = TempDir::new().unwrap();
    let (proxy, asked) = proxy();
    let (_a, ship) = recorded(&dir, "a", "127.0.0.1:0").await;
    let port = ship.url.rsplit(':').next().unwrap();
    let (_b, other) = recorded(&dir, "b", "127.9.8.7:0").await;
    let (_c, six) = recorded(&dir, "c", "[::1]:0").await;
    let socket = format!("unix:{}", dir.path().join("ship.sock").display());
    let (_d, _unix) = recorded(&dir, "d", &socket).await;
    ship.wait_for_head(|head| head >= 4).await;
    let names = ["localhost", "localhost.", "ship.localhost"].map(|name| format!("http://{name}:{port}"));
    let mut urls: Vec<&str> = vec![&ship.url, &other.url, &six.url, &socket];
    urls.extend(names.iter().map(String::as_str));
    let all: Vec<(&str, &str)> = VARIABLES.iter().map(|name| (*name, proxy.as_str())).collect();
    everything_works(&urls, &all);
    // Each by itself, where one alone could be overlooked.
    for variable in &all {
        everything_works(&urls[..1], &[*variable]);
        everything_works(&urls[..1], &[*variable, ("NO_PROXY", "example.org")]);
    }
    assert_eq!(asked.load(Ordering::SeqCst), 0, "the proxy was asked");
    // Another machine is: the proxy is there, and answers.
    let answer = run(shipslog("healthcheck", "http://ship.example").env("http_proxy", &proxy));
    assert!(String::from_utf8_lossy(&answer.stderr).contains("418"), "{answer:?}");
    assert_eq!(asked.load(Ordering::SeqCst), 1);
    // Not with a token, which it could read.
    let token = dir.path().join("token");
    std::fs::write(&token, "0123456789abcdef-a-token\n").unwrap();
    for name in ["http_proxy", "ALL_PROXY"] {
        let answer = run(shipslog("stats", "http://ship.example").env(name, &proxy).arg("--token-file").arg(&token));
        assert!(!answer.status.success() && String::from_utf8_lossy(&answer.stderr).contains("unencrypted"), "{answer:?}");
    }
    assert_eq!(asked.load(Ordering::SeqCst), 1, "the token went to the proxy");
}

#[tokio::test(flavor = "multi_thread")]
async fn plain_http_needs_no_certificates_and_https_says_that_it_does() {
    let dir = TempDir::new().unwrap();
    let nowhere = dir.path().join("none").display().to_string();
    let none = [("SSL_CERT_FILE", nowhere.as_str()), ("SSL_CERT_DIR", nowhere.as_str())];
    let (_daemon, ship) = recorded(&dir, "a", "127.0.0.1:0").await;
    wait_for("the first event", async || ship.export("").await.values().any(|line| line.contains("job-1")).then_some(())).await;
    everything_works(&[&ship.url], &none);
    // Any host, not this machine alone: what fails is the name.
    let plain = run(shipslog("healthcheck", "http://ship.invalid").envs(none));
    let said = String::from_utf8_lossy(&plain.stderr).into_owned();
    assert!(said.contains("cannot reach shipslog at http://ship.invalid"), "{said}");
    let secure = run(shipslog("healthcheck", "https://127.0.0.1:9").envs(none));
    let said = String::from_utf8_lossy(&secure.stderr).into_owned();
    assert!(!secure.status.success() && said.contains("--ca-cert") && said.contains("ca-certificates"), "{said}");
    // With the server's own, the system's are not missed: what fails is that nobody listens.
    let key = rcgen::generate_simple_self_signed(["127.0.0.1".to_owned()]).unwrap();
    let own = dir.path().join("own.pem");
    std::fs::write(&own, key.cert.pem()).unwrap();
    let secure = run(shipslog("healthcheck", "https://127.0.0.1:9").envs(none).arg("--ca-cert").arg(&own));
    let said = String::from_utf8_lossy(&secure.stderr).into_owned();
    assert!(said.contains("cannot reach shipslog at https://127.0.0.1:9"), "{said}");
}

/// A server sends a command elsewhere: never out of what is encrypted, and never without a word.
#[tokio::test(flavor = "multi_thread")]
async fn a_redirect_to_another_scheme_is_refused_and_told() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let _ = stream.read(&mut [0; 4096]);
            let to = "https://ship.example:7070/\u{202e}";
            let answer = format!("HTTP/1.1 301 Moved\r\nLocation: {to}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
            let _ = stream.write_all(answer.as_bytes());
        }
    });
    for line in ["healthcheck", "stats", "query -n 1", "export"] {
        let answer = run(&mut shipslog(line, &url));
        let said = String::from_utf8_lossy(&answer.stderr).into_owned();
        assert!(!answer.status.success() && said.contains("redirects to https://ship.example:7070/"), "{line}: {said}");
        assert!(!said.contains('\u{202e}'), "{said}");
    }
}
