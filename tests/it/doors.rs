//! TLS, HTTP/2, unix sockets, tokens, origins and caps: who gets in, and how.

use crate::fake_daemon::FakeDaemon;
use crate::support::{BIN, PATIENCE, Ship, Sse, docker_line, is_record, sequence, wait_for, within};
use eventsource_stream::Eventsource;
use futures_util::StreamExt;
use std::path::Path;
use std::process::{Command, Output};
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

const TOKEN: &str = "0123456789abcdef-a-token";

/// Writes a new certificate for 127.0.0.1 and its key.
fn certify(dir: &Path) -> reqwest::Certificate {
    let made = rcgen::generate_simple_self_signed(["127.0.0.1".to_owned(), "localhost".to_owned()]).unwrap();
    std::fs::write(dir.join("cert.pem"), made.cert.pem()).unwrap();
    std::fs::write(dir.join("key.pem"), made.signing_key.serialize_pem()).unwrap();
    reqwest::Certificate::from_pem(made.cert.pem().as_bytes()).unwrap()
}

fn trusting(certificate: reqwest::Certificate) -> reqwest::ClientBuilder {
    let _ = rustls::crypto::ring::default_provider().install_default();
    reqwest::Client::builder().read_timeout(PATIENCE).tls_certs_only([certificate])
}

/// A program that records a fake daemon behind TLS, and the daemon.
async fn secured(dir: &TempDir, extra: &[&str]) -> (FakeDaemon, Ship, reqwest::Certificate) {
    let certificate = certify(dir.path());
    let daemon = FakeDaemon::unix().await;
    let (cert, key) = (dir.path().join("cert.pem"), dir.path().join("key.pem"));
    let url = daemon.url();
    let args = ["--docker-host", &url, "--tls-cert", cert.to_str().unwrap(), "--tls-key", key.to_str().unwrap()];
    let ship = Ship::start_logging(&dir.path().join("data"), &[&args[..], extra].concat(), &dir.path().join("said"));
    assert!(ship.url.starts_with("https://127.0.0.1:"), "{}", ship.url);
    daemon.wait_for_subscribers(1).await;
    (daemon, ship, certificate)
}

fn shipslog(args: &[&str]) -> Output {
    crate::dockerd::Background::start(Command::new(BIN).args(args).env_remove("SHIPSLOG_URL")).wait()
}

#[tokio::test(flavor = "multi_thread")]
async fn twenty_streams_share_one_http2_connection() {
    let dir = TempDir::new().unwrap();
    let (daemon, ship, certificate) = secured(&dir, &[]).await;
    let client = trusting(certificate.clone()).build().unwrap();
    let mut streams = Vec::new();
    for _ in 0..20 {
        let response = client.get(format!("{}/api/v1/stream?since=oldest", ship.url)).send().await.unwrap();
        assert_eq!((response.status().as_u16(), response.version()), (200, reqwest::Version::HTTP_2));
        streams.push(Box::pin(response.bytes_stream().eventsource()));
    }
    let stats: serde_json::Value = client.get(format!("{}/api/v1/stats", ship.url)).send().await.unwrap().json().await.unwrap();
    assert_eq!((&stats["server"]["connections"], &stats["server"]["streams"]), (&1.into(), &20.into()));
    for n in 0..100 {
        daemon.emit(&docker_line("container", "start", n));
    }
    for stream in &mut streams {
        let mut last = 0;
        while last < 103 {
            let event = within("an event", stream.next()).await.unwrap().unwrap();
            if event.event == "message" {
                assert_eq!(sequence(&event.data), last + 1);
                last += 1;
            }
        }
    }
    // HTTP/1.1 on the same port, and the CLI.
    let old = trusting(certificate).http1_only().build().unwrap();
    let response = old.get(format!("{}/healthz", ship.url)).send().await.unwrap();
    assert_eq!((response.status().as_u16(), response.version()), (200, reqwest::Version::HTTP_11));
    let cert = dir.path().join("cert.pem");
    let out = shipslog(&["query", "--url", &ship.url, "--ca-cert", cert.to_str().unwrap(), "-o", "json"]);
    assert_eq!(String::from_utf8_lossy(&out.stdout).lines().count(), 103, "{}", String::from_utf8_lossy(&out.stderr));
    let out = shipslog(&["query", "--url", &ship.url]);
    assert!(!out.status.success() && String::from_utf8_lossy(&out.stderr).contains("certificate"), "{out:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_renewed_certificate_is_taken_and_a_broken_one_is_not() {
    let dir = TempDir::new().unwrap();
    let (_daemon, ship, first) = secured(&dir, &[]).await;
    let answers = async |certificate: &reqwest::Certificate| {
        // A new client each time, since connections that are open keep what they have.
        let client = trusting(certificate.clone()).build().unwrap();
        client.get(format!("{}/healthz", ship.url)).send().await.is_ok()
    };
    assert!(answers(&first).await);
    let second = certify(dir.path());
    wait_for("the new certificate", async || answers(&second).await.then_some(())).await;
    assert!(!answers(&first).await);
    std::fs::write(dir.path().join("cert.pem"), "broken").unwrap();
    let said = || std::fs::read_to_string(dir.path().join("said")).unwrap();
    wait_for("a complaint", async || said().contains("the new certificate cannot be used").then_some(())).await;
    assert!(answers(&second).await, "the old one stays");
    let third = certify(dir.path());
    wait_for("the next certificate", async || answers(&third).await.then_some(())).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_unix_socket_serves_streams_and_the_cli() {
    let dir = TempDir::new().unwrap();
    let daemon = FakeDaemon::unix().await;
    let socket = dir.path().join("ship.sock");
    let address = format!("unix:{}", socket.display());
    let ship = Ship::start_on(&dir.path().join("data"), &address, &["--docker-host", &daemon.url()]);
    assert_eq!(ship.url, address);
    daemon.wait_for_subscribers(1).await;
    let mut stream = tokio::net::UnixStream::connect(&socket).await.unwrap();
    stream.write_all(b"GET /api/v1/stream?since=oldest HTTP/1.1\r\nHost: localhost\r\n\r\n").await.unwrap();
    let mut text = String::new();
    let mut read_until = async |end: &str| {
        let mut buffer = [0; 4096];
        while !text.contains(end) {
            let read = within("more of the stream", stream.read(&mut buffer)).await.unwrap();
            assert_ne!(read, 0, "the stream ended: {text}");
            text.push_str(&String::from_utf8_lossy(&buffer[..read]));
        }
    };
    read_until("event: caught-up").await;
    for n in 0..50 {
        daemon.emit(&docker_line("container", "start", n));
        read_until(&format!("\"job-{n}\"")).await;
    }
    let out = shipslog(&["query", "--url", &address, "-o", "json"]);
    assert_eq!(String::from_utf8_lossy(&out.stdout).lines().count(), 53, "{}", String::from_utf8_lossy(&out.stderr));
    drop(ship);
}

/// A client that follows no redirects, since the tests look at them.
fn plain() -> reqwest::Client {
    reqwest::Client::builder().read_timeout(PATIENCE).redirect(reqwest::redirect::Policy::none()).build().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn only_who_has_a_token_gets_in() {
    let dir = TempDir::new().unwrap();
    let file = dir.path().join("tokens");
    std::fs::write(&file, format!("# team\n{TOKEN}\n")).unwrap();
    let (daemon, log) = (FakeDaemon::unix().await, dir.path().join("log"));
    let args = ["--docker-host", &daemon.url(), "--token-file", file.to_str().unwrap()];
    let ship = Ship::start_logging(&dir.path().join("data"), &args, &log);
    daemon.wait_for_subscribers(1).await;
    let client = plain();
    let get = |path: &str| client.get(format!("{}{path}", ship.url));
    for path in
        ["/", "/api/v1/stream", "/api/v1/events", "/api/v1/export", "/api/v1/ws", "/api/v1/stats", "/metrics", "/readyz", "/no/such"]
    {
        for request in [get(path), get(path).bearer_auth("wrong-wrong-wrong"), get(path).header("Cookie", "shipslog_session=1.00")] {
            let response = request.send().await.unwrap();
            assert_eq!(response.status(), 401, "{path}");
            assert!(response.headers()["www-authenticate"].to_str().unwrap().starts_with("Bearer"));
            let problem: serde_json::Value = response.json().await.unwrap();
            assert!(problem["detail"].as_str().unwrap().contains("Authorization: Bearer"), "{problem}");
        }
    }
    assert_eq!(get("/healthz").send().await.unwrap().status(), 200);
    assert_eq!(get("/api/v1/events").bearer_auth(TOKEN).send().await.unwrap().status(), 200);

    // A browser is led to the form, and back.
    let response = get("/compare?x=1").header("Accept", "text/html,*/*").send().await.unwrap();
    assert_eq!((response.status().as_u16(), response.headers()["location"].to_str().unwrap()), (303, "./login?next=%2Fcompare%3Fx%3D1"));
    let form = get("/login?next=%2Fcompare").send().await.unwrap();
    let policy = form.headers()["content-security-policy"].to_str().unwrap().to_owned();
    assert!(policy.contains("form-action 'self'") && policy.contains("frame-ancestors 'none'"), "{policy}");
    assert!(form.text().await.unwrap().contains("type=\"password\""));
    let submit = |token: &str, next: &str| {
        let body = form_urlencoded::Serializer::new(String::new()).append_pair("token", token).append_pair("next", next).finish();
        client.post(format!("{}/login", ship.url)).header("Content-Type", "application/x-www-form-urlencoded").body(body).send()
    };
    let wrong = submit("not-the-right-token", "/compare").await.unwrap();
    assert_eq!(wrong.headers()["location"], "./login?wrong=1&next=%2Fcompare");
    assert!(!wrong.headers().contains_key("set-cookie"));
    let right = submit(TOKEN, "//evil.example").await.unwrap();
    assert_eq!((right.status().as_u16(), right.headers()["location"].to_str().unwrap()), (303, "./"));
    let cookie = right.headers()["set-cookie"].to_str().unwrap();
    assert!(
        cookie.contains("HttpOnly") && cookie.contains("SameSite=Strict") && !cookie.contains("Path") && !cookie.contains(TOKEN),
        "{cookie}"
    );
    let session = cookie.split(';').next().unwrap();
    let stream = get("/api/v1/stream?since=oldest").header("Cookie", session).send().await.unwrap();
    assert_eq!(stream.status(), 200);
    let mut events = Box::pin(stream.bytes_stream().eventsource());
    assert_eq!(within("an event", events.next()).await.unwrap().unwrap().event, "hello");

    // The CLI.
    let query = |token: &Path| shipslog(&["query", "--url", &ship.url, "--token-file", token.to_str().unwrap(), "-o", "json"]);
    assert!(query(&file).status.success());
    let out = shipslog(&["query", "--url", &ship.url]);
    assert!(!out.status.success() && String::from_utf8_lossy(&out.stderr).contains("401"), "{out:?}");

    // Another token from now on: the old one, its sessions and its streams end.
    std::fs::write(&file, "a-completely-different-token\n").unwrap();
    let gone = async || (get("/api/v1/events").bearer_auth(TOKEN).send().await.unwrap().status() == 401).then_some(());
    wait_for("the old token to end", gone).await;
    assert_eq!(get("/api/v1/events").header("Cookie", session).send().await.unwrap().status(), 401);
    assert!(query(&file).status.success());
    while within("the end of a stream whose token is gone", events.next()).await.is_some_and(|event| event.is_ok()) {}
    let mut again = Sse::of(get("/api/v1/stream").bearer_auth("a-completely-different-token").send().await.unwrap());
    daemon.emit(&docker_line("container", "start", 1));
    again.read_until(|event| event.data.contains("job-1")).await;

    // Without the file nobody is let in.
    std::fs::remove_file(&file).unwrap();
    while again.next().await.is_some() {}
    assert_eq!(get("/api/v1/events").bearer_auth("a-completely-different-token").send().await.unwrap().status(), 401);

    drop(ship);
    let said = std::fs::read_to_string(&log).unwrap();
    assert!(said.contains("tokens have been read again"), "{said}");
    assert!(!said.contains(TOKEN) && !said.contains("wrong-wrong-wrong") && !said.contains("completely"), "tokens are never logged");
}

#[tokio::test(flavor = "multi_thread")]
async fn pages_of_listed_origins_may_read_and_others_may_not() {
    let dir = TempDir::new().unwrap();
    let args = ["--docker-host", "unix:///nonexistent/docker.sock", "--cors-origin", "https://status.example"];
    let ship = Ship::start_with(dir.path(), &args);
    let client = plain();
    let get = |origin: &str| client.get(format!("{}/api/v1/stream", ship.url)).header("Origin", origin).send();
    for path in ["/api/v1/stream", "/api/v1/events", "/api/v1/events/x", "/healthz"] {
        let response = client.get(format!("{}{path}", ship.url)).header("Origin", "https://status.example").send().await.unwrap();
        assert_eq!(response.headers()["access-control-allow-origin"], "https://status.example", "{path}");
        assert!(response.headers().get_all("vary").iter().any(|v| v == "origin"));
        assert!(!response.headers().contains_key("access-control-allow-credentials"));
    }
    for foreign in ["https://evil.example", "null", "http://status.example"] {
        let response = get(foreign).await.unwrap();
        assert_eq!(response.status(), 403, "{foreign}");
        assert!(!response.headers().contains_key("access-control-allow-origin"));
    }
    let own = get(&ship.url).await.unwrap();
    assert!(own.status() == 200 && !own.headers().contains_key("access-control-allow-origin"));
    let preflight = |origin: &str| {
        let request = client.request(reqwest::Method::OPTIONS, format!("{}/api/v1/stream", ship.url)).header("Origin", origin);
        request.header("Access-Control-Request-Method", "GET").header("Access-Control-Request-Headers", "last-event-id").send()
    };
    let allowed = preflight("https://status.example").await.unwrap();
    assert_eq!(allowed.status(), 204);
    assert!(allowed.headers()["access-control-allow-headers"].to_str().unwrap().contains("last-event-id"));
    assert_eq!(preflight("https://evil.example").await.unwrap().status(), 403);
}

#[tokio::test(flavor = "multi_thread")]
async fn caps_for_each_address_and_for_streams_leave_the_others_alone() {
    let dir = TempDir::new().unwrap();
    let (daemon, ship, certificate) = secured(&dir, &["--max-connections", "6", "--max-connections-per-address", "2"]).await;
    let client = || trusting(certificate.clone()).build().unwrap();
    let (first, second, third) = (client(), client(), client());
    let stream = |client: &reqwest::Client| client.get(format!("{}/api/v1/stream?since=oldest", ship.url)).send();
    let mut streams = Vec::new();
    for client in [&first, &second] {
        for _ in 0..3 {
            let response = stream(client).await.unwrap();
            assert_eq!(response.status(), 200);
            streams.push(Sse::of(response));
        }
    }
    let over = stream(&first).await.unwrap();
    assert_eq!((over.status().as_u16(), over.headers()["retry-after"].to_str().unwrap()), (503, "2"));
    assert!(over.text().await.unwrap().contains("too many live streams"));
    let refused = stream(&third).await.unwrap();
    assert_eq!((refused.status().as_u16(), refused.headers()["retry-after"].to_str().unwrap()), (503, "2"));
    assert!(refused.text().await.unwrap().contains("--max-connections-per-address"));
    daemon.emit(&docker_line("container", "start", 7));
    for stream in &mut streams {
        stream.read_until(|e| is_record(e) && e.data.contains("job-7")).await;
    }
    drop(streams);
    drop((first, second));
    wait_for("a place", async || stream(&third).await.ok().filter(|r| r.status() == 200).map(|_| ())).await;
}

/// A client that connects and then says nothing is disconnected, whatever the protocol.
#[tokio::test(flavor = "multi_thread")]
async fn silence_ends_a_connection() {
    use tokio_rustls::TlsConnector;
    let dir = TempDir::new().unwrap();
    let (_daemon, ship, _) = secured(&dir, &[]).await;
    let address = ship.url.trim_start_matches("https://").to_owned();
    let mut roots = rustls::RootCertStore::empty();
    let pem = std::fs::read(dir.path().join("cert.pem")).unwrap();
    roots.add(rustls::pki_types::pem::PemObject::from_pem_slice(&pem).unwrap()).unwrap();
    let encrypted = async |alpn: &[u8]| {
        let mut config = rustls::ClientConfig::builder().with_root_certificates(roots.clone()).with_no_client_auth();
        config.alpn_protocols = vec![alpn.to_vec()];
        let stream = tokio::net::TcpStream::connect(&address).await.unwrap();
        TlsConnector::from(std::sync::Arc::new(config)).connect("127.0.0.1".try_into().unwrap(), stream).await.unwrap()
    };
    let silent = encrypted(b"h2").await;
    let mut form = encrypted(b"http/1.1").await;
    form.write_all(b"POST /login HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100\r\n\r\n").await.unwrap();
    let tcp = tokio::net::TcpStream::connect(&address).await.unwrap();
    // To the end of each; what is said before it does not matter.
    let end = async |mut stream: Box<dyn tokio::io::AsyncRead + Unpin + Send>| {
        let mut said = Vec::new();
        let _ = tokio::time::timeout(PATIENCE, stream.read_to_end(&mut said)).await.expect("an end");
        String::from_utf8_lossy(&said).into_owned()
    };
    let (_, answer, _) = tokio::join!(end(Box::new(silent)), end(Box::new(form)), end(Box::new(tcp)));
    assert!(answer.starts_with("HTTP/1.1 408 "), "{answer}");
}
