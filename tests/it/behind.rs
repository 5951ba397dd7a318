//! Behind somebody else's reverse proxy: names, prefixes, health checks, and who it is that asks.

use crate::support::{PATIENCE, Ship, Sse, wait_for, within};
use serde_json::Value;
use std::path::Path;
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

const NOWHERE: [&str; 2] = ["--docker-host", "unix:///nonexistent/docker.sock"];
const TOKEN: &str = "0123456789abcdef-a-token";

fn start(dir: &Path, extra: &[&str]) -> Ship {
    Ship::start_with(dir, &[&NOWHERE[..], extra].concat())
}

/// A client that takes a redirect for the answer.
fn client() -> reqwest::Client {
    reqwest::Client::builder().read_timeout(PATIENCE).redirect(reqwest::redirect::Policy::none()).build().unwrap()
}

/// Sends bytes as they are and reads what comes back.
async fn raw(ship: &Ship, request: &[u8]) -> String {
    let mut stream = TcpStream::connect(ship.url.trim_start_matches("http://")).await.unwrap();
    let _ = stream.write_all(request).await;
    let mut answer = Vec::new();
    let _ = within("an answer and its end", stream.read_to_end(&mut answer)).await;
    String::from_utf8_lossy(&answer).into_owned()
}

fn status(answer: &str) -> &str {
    answer.split(' ').nth(1).unwrap_or("none")
}

/// The address of a script of the page, as the page has it.
async fn script(ship: &Ship) -> String {
    let page = ship.get("/").await.text().await.unwrap();
    let parts = page.split('"').find(|text| text.starts_with("assets/") && text.ends_with("/live.js"));
    parts.unwrap().to_owned()
}

/// As nginx with `proxy_pass` and nothing else: the Host is that of the server, the Origin that of the proxy.
#[tokio::test(flavor = "multi_thread")]
async fn our_pages_load_behind_a_proxy_that_changes_the_host() {
    let dir = TempDir::new().unwrap();
    let ship = start(dir.path(), &[]);
    let origin = "http://10.0.0.5:8080";
    let part = format!("/{}", script(&ship).await);
    let ask = async |ship: &Ship, path: &str, site: Option<&str>| {
        let request = client().get(format!("{}{path}", ship.url)).header("Origin", origin);
        let request = site.into_iter().fold(request, |request, site| request.header("Sec-Fetch-Site", site));
        request.send().await.unwrap()
    };
    // Anybody may have the parts of a page.
    for site in [None, Some("same-origin"), Some("cross-site")] {
        assert_eq!(ask(&ship, &part, site).await.status(), 200, "{site:?}");
    }
    for path in ["/", "/api/v1/stream", "/api/v1/events", "/healthz"] {
        assert_eq!(ask(&ship, path, Some("same-origin")).await.status(), 200, "{path}");
        assert_eq!(ask(&ship, path, Some("same-site")).await.status(), 403, "{path}");
    }
    // Over plain HTTP browsers do not send it; the answer says what to set, and that helps.
    let refused = ask(&ship, "/api/v1/stream", None).await;
    assert_eq!(refused.status(), 403);
    let detail = refused.json::<Value>().await.unwrap()["detail"].as_str().unwrap().to_owned();
    let name = detail.split("--allow-host ").nth(1).unwrap().split([' ', ',']).next().unwrap();
    drop(ship);
    let ship = start(dir.path(), &["--allow-host", name]);
    assert_eq!(ask(&ship, "/api/v1/stream", None).await.status(), 200, "{detail}");
}

/// Whatever the prefix, a login leads back to where it began, and no answer holds an address of ours from the
/// root on.
#[tokio::test(flavor = "multi_thread")]
async fn a_login_works_below_a_prefix() {
    let dir = TempDir::new().unwrap();
    let tokens = dir.path().join("tokens");
    std::fs::write(&tokens, TOKEN).unwrap();
    let ship = start(&dir.path().join("data"), &["--token-file", tokens.to_str().unwrap()]);
    // What the browser sees, and what the proxy passes on.
    let seen = |path: &str| reqwest::Url::parse(&format!("https://any.example/some/ship{path}")).unwrap();
    let of = |url: &reqwest::Url| {
        let path = url.path().strip_prefix("/some/ship").expect("it stays below the prefix");
        url.query().map_or_else(|| path.to_owned(), |query| format!("{path}?{query}"))
    };
    for page in ["/demo/sse", "/compare?x=1", "/?q=type%3Dcontainer"] {
        let response = client().get(format!("{}{page}", ship.url)).header("Accept", "text/html").send().await.unwrap();
        let form = seen(page).join(response.headers()["location"].to_str().unwrap()).unwrap();
        assert!(of(&form).starts_with("/login?next="), "{form}");
        let next = form.query_pairs().find(|(key, _)| key == "next").unwrap().1.into_owned();
        assert_eq!(next, page);
        let post = async |token: &str| {
            let body = form_urlencoded::Serializer::new(String::new()).append_pair("token", token).append_pair("next", &next).finish();
            let request = client().post(format!("{}/login", ship.url)).header("Content-Type", "application/x-www-form-urlencoded");
            request.body(body).send().await.unwrap()
        };
        let wrong = post("wrong-wrong-wrong-wrong").await;
        let again = form.join(wrong.headers()["location"].to_str().unwrap()).unwrap();
        assert!(of(&again).starts_with("/login?wrong=1&next="), "{again}");
        let right = post(TOKEN).await;
        assert_eq!(of(&form.join(right.headers()["location"].to_str().unwrap()).unwrap()), page);
        // The browser then derives the cookie's path itself: the form's directory.
        assert!(!right.headers()["set-cookie"].to_str().unwrap().to_lowercase().contains("path"));
    }
    let out = client().post(format!("{}/logout", ship.url)).send().await.unwrap();
    assert_eq!(of(&seen("/logout").join(out.headers()["location"].to_str().unwrap()).unwrap()), "/login");
    assert!(!out.headers()["set-cookie"].to_str().unwrap().to_lowercase().contains("path="));
}

/// As HAProxy's `option httpchk` asks, and as RFC 9112 allows.
#[tokio::test(flavor = "multi_thread")]
async fn older_clients_need_not_name_the_host() {
    let dir = TempDir::new().unwrap();
    let ship = start(dir.path(), &[]);
    for (request, expected) in [
        ("GET /healthz HTTP/1.0\r\n\r\n", "200"),
        ("GET /metrics HTTP/1.0\r\n\r\n", "200"),
        // No Docker host is connected.
        ("GET /readyz HTTP/1.0\r\n\r\n", "503"),
        ("HEAD /healthz HTTP/1.0\r\n\r\n", "200"),
        ("GET /healthz HTTP/1.0\r\nHost:\r\n\r\n", "200"),
        ("GET /healthz HTTP/1.0\r\nHost: evil.example\r\n\r\n", "421"),
        ("GET /healthz HTTP/1.1\r\nConnection: close\r\n\r\n", "400"),
    ] {
        assert_eq!(status(&raw(&ship, request.as_bytes()).await), expected, "{request}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn refusals_say_what_would_be_taken() {
    let dir = TempDir::new().unwrap();
    let tokens = dir.path().join("tokens");
    std::fs::write(&tokens, TOKEN).unwrap();
    let ship = start(&dir.path().join("data"), &["--token-file", tokens.to_str().unwrap()]);
    for (method, path, allow) in [
        ("PUT", "/login", Some("GET, HEAD, POST")),
        ("GET", "/logout", Some("POST")),
        ("DELETE", "/logout", Some("POST")),
        ("POST", "/", Some("GET, HEAD")),
        ("POST", "/api/v1/events/x", Some("GET, HEAD")),
        ("POST", "/assets/0/live.js", Some("GET, HEAD")),
        ("BREW", "/api/v1/stream", Some("GET, HEAD")),
        ("POST", "/demo/sse", Some("GET, HEAD")),
        ("POST", "/events", Some("GET, HEAD")),
        ("POST", "/demo", None),
        ("POST", "/login/x", None),
    ] {
        let request = client().request(reqwest::Method::from_bytes(method.as_bytes()).unwrap(), format!("{}{path}", ship.url));
        let response = request.bearer_auth(TOKEN).send().await.unwrap();
        let got = response.headers().get("allow").map(|value| value.to_str().unwrap());
        assert_eq!((response.status().as_u16(), got), (if allow.is_some() { 405 } else { 404 }, allow), "{method} {path}");
    }
    let form = |length: &str, body: &str| format!("POST /login HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n{length}\r\n\r\n{body}");
    let token = format!("token={TOKEN}");
    let chunk = |body: &str| format!("{:x}\r\n{body}\r\n0\r\n\r\n", body.len());
    for (request, expected) in [
        (form("Transfer-Encoding: chunked", &chunk(&token)), "303"),
        (form("Transfer-Encoding: chunked", &chunk(&"a".repeat(5000))), "413"),
        (form("Content-Length: 5000", &"a".repeat(5000)), "413"),
        (form(&format!("Content-Length: {}", token.len()), &token), "303"),
    ] {
        let answer = raw(&ship, request.as_bytes()).await;
        assert_eq!(status(&answer), expected, "{answer}");
        assert!(expected != "303" || answer.contains("shipslog_session="), "{answer}");
    }
}

/// As a person writes it into a shell, and as Docker's daemon takes it.
#[tokio::test(flavor = "multi_thread")]
async fn quotes_in_a_target_need_not_be_encoded() {
    let dir = TempDir::new().unwrap();
    let ship = start(dir.path(), &[]);
    let ask = |target: &str, more: &str| format!("GET {target} HTTP/1.1\r\nHost: localhost\r\n{more}\r\n");
    let mut requests = ask(r#"/v1.47/events?since=0&until=1&filters={"type":["container"],"label":["a#<b>"]}"#, "").repeat(2);
    requests += &ask(r#"/events?since=0&until=1&filters={"type":[]"#, "");
    // Quotes of other kinds stay as they are.
    requests += &ask("/assets/0/base.js", "If-None-Match: W/\"x\"\r\nX: \"<\"\r\n");
    requests += &ask(r#"/api/v1/events?filters={"type":["recorder"]}"#, "Connection: close\r\n");
    let answer = raw(&ship, requests.as_bytes()).await;
    let statuses: Vec<_> = answer.split("HTTP/1.1 ").skip(1).map(|answer| &answer[..3]).collect();
    assert_eq!(statuses, ["200", "200", "400", "200", "200"], "{answer}");
    assert!(answer.contains(r#""Action":"start""#), "{answer}");
}

/// The client that a trusted proxy asks for is the one that counts: for wrong tokens, for permits, and in the
/// log.
#[tokio::test(flavor = "multi_thread")]
async fn a_trusted_proxy_says_who_asks_and_another_does_not() {
    let dir = TempDir::new().unwrap();
    let (tokens, log) = (dir.path().join("tokens"), dir.path().join("log"));
    std::fs::write(&tokens, TOKEN).unwrap();
    let args = ["--token-file", tokens.to_str().unwrap(), "--max-connections-per-address", "2", "--trusted-proxy", "127.0.0.0/8"];
    let ship = Ship::start_logging(&dir.path().join("data"), &[&NOWHERE[..], &args].concat(), &log);
    // Each on a connection of its own, as proxies do by default.
    let ask = |url: &str, path: &str, token: &str, header: &str, value: &str| {
        client().get(format!("{url}{path}")).bearer_auth(token).header(header, value).send()
    };
    for n in 0..21 {
        let expected = if n < 20 { 401 } else { 429 };
        let response = ask(&ship.url, "/readyz", "wrong-wrong-wrong-wrong", "X-Forwarded-For", "6.6.6.6, 192.0.2.1").await.unwrap();
        assert_eq!(response.status(), expected, "{n}");
    }
    let wrong =
        async |header: &str, value: &str| ask(&ship.url, "/readyz", "wrong-wrong-wrong-wrong", header, value).await.unwrap().status();
    assert_eq!(wrong("Forwarded", "for=\"192.0.2.1:80\";proto=https").await, 429, "the same client");
    assert_eq!(wrong("X-Forwarded-For", "192.0.2.1, 192.0.2.2").await, 401, "another");
    wait_for("the log to name the client", async || {
        std::fs::read_to_string(&log).unwrap().lines().any(|line| line.contains("192.0.2.1") && line.contains("wrong tokens")).then_some(())
    })
    .await;

    // Each client has two permits, however many the proxy takes.
    let stream = async |client: &str| ask(&ship.url, "/api/v1/stream?since=oldest", TOKEN, "X-Forwarded-For", client).await.unwrap();
    let mut open = Vec::new();
    for client in ["192.0.2.7", "192.0.2.8"] {
        for _ in 0..2 {
            let mut sse = Sse::of(stream(client).await);
            sse.read_until(|event| event.event == "caught-up").await;
            open.push(sse);
        }
    }
    let over = stream("192.0.2.7").await;
    assert_eq!((over.status().as_u16(), over.headers()["retry-after"].to_str().unwrap()), (503, "2"));
    assert!(over.text().await.unwrap().contains("--max-connections-per-address"));
    assert_eq!(stream("192.0.2.9").await.status(), 200);
    open.remove(0);
    wait_for("the place that was given back", async || (stream("192.0.2.7").await.status() == 200).then_some(())).await;
    drop(ship);

    // Without the flag no proxy is believed.
    let ship = start(&dir.path().join("data"), &["--token-file", tokens.to_str().unwrap()]);
    for n in 0..21 {
        let response = ask(&ship.url, "/readyz", "wrong-wrong-wrong-wrong", "X-Forwarded-For", &format!("192.0.2.{n}")).await.unwrap();
        assert_eq!(response.status(), if n < 20 { 401 } else { 429 }, "{n}");
    }
}

/// A page that was left open over an upgrade compares this with its own.
#[tokio::test(flavor = "multi_thread")]
async fn a_page_can_tell_that_it_is_an_old_one() {
    let dir = TempDir::new().unwrap();
    let ship = start(dir.path(), &[]);
    let part = script(&ship).await;
    assert_eq!(ship.json("/readyz").await["page"].as_str(), part.split('/').nth(1));
    // A script that runs outside the page is under no page's policy.
    let worker = ship.get(&format!("/{}", part.replace("live.js", "worker.js"))).await;
    let policy = worker.headers()["content-security-policy"].to_str().unwrap();
    assert!(policy.contains("script-src 'self'") && policy.contains("connect-src 'self'"), "{policy}");
}

#[tokio::test(flavor = "multi_thread")]
async fn only_a_later_start_tells_of_the_stop_before_it() {
    let dir = TempDir::new().unwrap();
    let mut ship = start(dir.path(), &[]);
    ship.kill();
    ship.restart();
    ship.stop();
    ship.restart();
    let log = ship.export("").await;
    let starts =
        log.values().map(|line| serde_json::from_str::<Value>(line).unwrap()).filter(|record| record["event"]["Action"] == "start");
    let stops: Vec<_> = starts.map(|start| start["event"]["Actor"]["Attributes"].get("last_stop").cloned()).collect();
    assert_eq!(stops, [None, Some("unclean".into()), Some("clean".into())]);
}
