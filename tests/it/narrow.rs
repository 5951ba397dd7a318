//! Tokens that read of some Docker hosts only: whatever is asked with one, no answer tells of another host.
//! The routes are those of the description, so that a new one is asked as well.

use crate::fake_daemon::FakeDaemon;
use crate::support::{PATIENCE, Ship, Sse, client, docker_line, is_record, sequence, wait_for, within};
use futures_util::{SinkExt, StreamExt};
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};
use tempfile::TempDir;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;

const WIDE: &str = "0123456789abcdef-all-hosts";
const NARROW: &str = "0123456789abcdef-of-the-shop";
/// Stands in the name of the other host, and in every name of what runs there.
const MARK: &str = "zebra";
/// Routes that are refused to such a token.
const REFUSED: [&str; 1] = ["/metrics"];

fn tokens(dir: &Path, hosts: &str) -> PathBuf {
    let file = dir.join("tokens");
    std::fs::write(&file, format!("{WIDE}\n# the shop\n{NARROW} hosts={hosts}\n")).unwrap();
    file
}

async fn ask(ship: &Ship, token: &str, path: &str) -> reqwest::Response {
    client().get(format!("{}{path}", ship.url)).bearer_auth(token).send().await.unwrap_or_else(|e| panic!("{path}: {e:?}"))
}

async fn answer(ship: &Ship, token: &str, path: &str) -> Value {
    let response = ask(ship, token, path).await;
    assert_eq!(response.status(), 200, "{path}");
    response.json().await.unwrap()
}

/// What an answer says: all of it, or up to where a stream has come to the head.
async fn said(response: reqwest::Response) -> String {
    let (mut body, mut said) = (response.bytes_stream(), Vec::new());
    let reading = async {
        while let Some(part) = body.next().await {
            said.extend_from_slice(&part.unwrap());
            if said.windows(17).any(|window| window == b"event: caught-up\n") {
                break;
            }
        }
    };
    within("the end of an answer", reading).await;
    String::from_utf8_lossy(&said).into_owned()
}

/// A line of a record as if it were of a host where everything has other names.
fn renamed(record: &mut Value) {
    record["source"] = format!("{MARK}-2").into();
    let event = &mut record["event"];
    let is_own = event["Type"] == "recorder";
    let id = event["Actor"]["ID"].as_str().unwrap().to_owned();
    let id = if is_own { format!("{MARK}-2") } else { format!("{MARK}{}", id.get(5..).unwrap_or("")) };
    event["Actor"]["ID"] = id.clone().into();
    if event.get("id").is_some() {
        (event["id"], event["from"]) = (id.into(), MARK.into());
    }
    for (key, value) in event["Actor"]["Attributes"].as_object_mut().into_iter().flatten() {
        if !is_own && matches!(key.as_str(), "name" | "image" | "container") || key == "image_id" {
            *value = format!("{MARK}-{}", value.as_str().unwrap()).into();
        }
    }
}

/// A recording as if two Docker hosts had lived the same, and of each a loss.
fn of_two_hosts() -> String {
    let file = format!("{}/tests/fixtures/incidents/crashloop-exit-a.jsonl.zst", env!("CARGO_MANIFEST_DIR"));
    let text = String::from_utf8(zstd::decode_all(std::fs::File::open(file).unwrap()).unwrap()).unwrap();
    let mut lines: Vec<String> = Vec::new();
    let mut add = |mut record: Value, is_other: bool| {
        let seq = lines.len() + 1;
        (record["seq"], record["id"]) = (seq.into(), format!("7f3c9a1e-{seq}").into());
        if record["source"] != "shipslog" {
            record["source"] = "web-1".into();
            if is_other {
                renamed(&mut record);
            }
        }
        lines.push(record.to_string());
    };
    let (mut loss, mut received): (Option<Value>, Value) = (None, Value::Null);
    for line in text.lines().filter(|line| line.starts_with(r#"{"id""#)) {
        let record: Value = serde_json::from_str(line).unwrap();
        if record["event"]["Action"] == "gap" {
            let mut told = record.clone();
            told["event"]["Actor"]["Attributes"] = json!({ "reason": "daemon-restart", "until": record["time"] });
            loss = Some(told);
        }
        received = record["received"].clone();
        add(record.clone(), false);
        add(record, true);
    }
    let mut loss = loss.unwrap();
    loss["received"] = received;
    add(loss.clone(), false);
    add(loss, true);
    lines.join("\n") + "\n"
}

/// What a route is asked for: nothing, and what makes it tell most.
fn queries(path: &str) -> Vec<String> {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
    let other = format!("filters={{\"source\":[\"{MARK}-2\",\"web-1\"]}}");
    let more: Vec<String> = match path {
        "/api/v1/stream" => {
            [format!("since=oldest&{other}"), "since=oldest&view=incidents".into(), format!("since=oldest&until={now}")].into()
        }
        "/api/v1/events" => {
            ["order=desc&limit=7", "fold=noise", &other, "filters={\"type\":[\"image\"]}", "after=7f3c9a1e-1"].map(Into::into).into()
        }
        "/api/v1/export" => {
            ["format=csv", "format=docker", "trailer=1", "since=2026-11-29&until=2099-01-01", &other].map(Into::into).into()
        }
        "/api/v1/incidents" => {
            ["severity=notice&limit=1000", "at=2026-11-29T01:35:00Z", "subject=busybox", "order=desc&limit=1"].map(Into::into).into()
        }
        "/api/v1/report" => ["html", "json", "csv", "markdown"].map(|format| format!("format={format}&severity=notice")).into(),
        "/api/v1/incidents/{id}/report" => ["html", "json"].map(|format| format!("format={format}")).into(),
        "/api/v1/state" => ["at=2026-11-29T01:33:57Z".into(), "at=2026-11-29T01:35:00Z".into()].into(),
        "/api/v1/histogram" => ["exact=1&bins=3".into(), other].into(),
        "/api/v1/facets" => ["top=1000".into(), other].into(),
        // One that is not told when to end does not.
        "/events" | "/v{version}/events" => {
            return [format!("?since=0&until={now}"), format!("?since=0&until={now}&filters={{\"type\":{{\"recorder\":true}}}}")].into();
        }
        _ => Vec::new(),
    };
    std::iter::once(String::new()).chain(more.into_iter().map(|query| format!("?{query}"))).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn no_route_tells_a_narrow_token_of_another_host() {
    let dir = TempDir::new().unwrap();
    let file = dir.path().join("two.jsonl");
    std::fs::write(&file, of_two_hosts()).unwrap();
    let tokens = tokens(dir.path(), "web-*");
    let ship = Ship::start_with(dir.path(), &["--read-only", file.to_str().unwrap(), "--token-file", tokens.to_str().unwrap()]);
    let records = answer(&ship, WIDE, "/api/v1/events?limit=10000").await;
    let ids = |list: &Value| list.as_array().unwrap().iter().map(|one| one["id"].as_str().unwrap().to_owned()).collect::<Vec<_>>();
    let records = ids(&records["records"]);
    let incidents = ids(&answer(&ship, WIDE, "/api/v1/incidents?severity=notice&limit=1000").await["incidents"]);
    assert!(incidents.len() > 1, "{incidents:?}");

    let description = answer(&ship, WIDE, "/api/v1/openapi.json").await;
    let (mut of_both, mut of_one) = (BTreeSet::new(), BTreeSet::new());
    for (path, item) in description["paths"].as_object().unwrap() {
        if item.get("get").is_none() {
            continue;
        }
        let known = match path {
            _ if path.starts_with("/api/v1/events/") => records.clone(),
            _ if path.starts_with("/api/v1/incidents/") => incidents.clone(),
            _ => vec!["7f3c9a1e-1".to_owned()],
        };
        for (id, query) in known.iter().flat_map(|id| queries(path).into_iter().map(move |query| (id, query))) {
            let target = path.replace("{version}", "1.51").replace("{id}", id).replace("{hash}", "0").replace("{name}", "x") + &query;
            let all = said(ask(&ship, WIDE, &target).await).await;
            let response = ask(&ship, NARROW, &target).await;
            let status = response.status().as_u16();
            let narrow = said(response).await;
            assert!(!narrow.contains(MARK), "{target} tells of the other host: {narrow}");
            assert_eq!(status == 403, REFUSED.contains(&path.as_str()), "{target}: {narrow}");
            assert!(status != 403 || narrow.contains("web-*"), "it says of whom the token reads: {narrow}");
            if all.contains(MARK) {
                of_both.insert(path.as_str());
                assert!(status < 400 || status == 404 || status == 403, "{target}: {status}");
            }
            if narrow.contains("web-1") {
                of_one.insert(path.as_str());
            }
        }
    }
    // Those that tell of hosts at all tell both of them, or the one.
    let telling = [
        "/api/v1/events",
        "/api/v1/events/{id}",
        "/api/v1/export",
        "/api/v1/incidents",
        "/api/v1/incidents/{id}",
        "/api/v1/incidents/{id}/report",
        "/api/v1/lifelines",
        "/api/v1/report",
        "/api/v1/state",
        "/api/v1/stream",
    ];
    for path in telling {
        assert!(of_both.contains(path) && of_one.contains(path), "{path} of both: {of_both:?}, of one: {of_one:?}");
    }
    assert!(["/api/v1/facets", "/events", "/v{version}/events", "/metrics"].iter().all(|path| of_both.contains(path)), "{of_both:?}");

    // Figures are of one host, losses and groups too, and another host is no answer.
    let sum = |histogram: &Value| {
        histogram["bins"].as_array().unwrap().iter().flat_map(|bin| bin.as_array().unwrap()).map(|n| n.as_u64().unwrap()).sum::<u64>()
    };
    let both = answer(&ship, WIDE, "/api/v1/histogram").await;
    let one = answer(&ship, NARROW, "/api/v1/histogram").await;
    assert!(sum(&one) > 0 && sum(&one) < sum(&both), "{one} {both}");
    let gaps = |histogram: &Value| histogram["gaps"].as_array().unwrap().len();
    assert_eq!((gaps(&one), gaps(&both)), (1, 2), "{both}");
    let none = answer(&ship, NARROW, &format!("/api/v1/events?filters={{\"source\":[\"{MARK}-2\"]}}")).await;
    assert_eq!((&none["records"], &none["incomplete"]), (&json!([]), &json!([])));
    for incident in &incidents {
        let of = answer(&ship, WIDE, &format!("/api/v1/incidents/{incident}")).await["source"].clone();
        let status = ask(&ship, NARROW, &format!("/api/v1/incidents/{incident}")).await.status().as_u16();
        assert_eq!(status, if of == "web-1" { 200 } else { 404 }, "{incident} of {of}");
    }
    let stats = answer(&ship, NARROW, "/api/v1/stats").await;
    assert_eq!((&stats["hosts"], &stats["ingest"]), (&json!(["web-*"]), &Value::Null));
    assert_eq!(answer(&ship, WIDE, "/api/v1/stats").await["hosts"], Value::Null);
}

/// Two hosts that are recorded, with a token for all and one for the first.
async fn recorded(dir: &TempDir) -> (FakeDaemon, FakeDaemon, Ship) {
    let (web, other) = (FakeDaemon::unix().await, FakeDaemon::unix().await);
    let hosts = [format!("web-1={}", web.url()), format!("{MARK}-2={}", other.url())];
    let tokens = tokens(dir.path(), "web-*");
    let args = ["--docker-host", &hosts[0], "--docker-host", &hosts[1], "--token-file", tokens.to_str().unwrap()];
    let ship = Ship::start_with(&dir.path().join("data"), &args);
    web.wait_for_subscribers(1).await;
    other.wait_for_subscribers(1).await;
    (web, other, ship)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_narrow_stream_goes_on_past_what_it_hides() {
    let dir = TempDir::new().unwrap();
    let (web, other, ship) = recorded(&dir).await;
    let open = async |token: &str, query: &str| Sse::of(ask(&ship, token, &format!("/api/v1/stream{query}")).await);
    // Both with the same filter, so that they would share what is sent, were that all that counts.
    let (mut all, mut narrow) = (open(WIDE, "?since=oldest").await, open(NARROW, "?since=oldest").await);
    let hello: Value = serde_json::from_str(&narrow.next().await.unwrap().data).unwrap();
    assert_eq!(hello["hosts"], json!(["web-*"]));
    narrow.read_until(|event| event.event == "caught-up").await;
    all.read_until(|event| event.event == "caught-up").await;
    let url = format!("{}/api/v1/ws", ship.url.replace("http", "ws"));
    let mut request = url.into_client_request().unwrap();
    request.headers_mut().insert("authorization", format!("Bearer {NARROW}").parse().unwrap());
    let (mut socket, _) = within("a socket", tokio_tungstenite::connect_async(request)).await.unwrap();
    let subscribe = json!({ "subscribe": { "since": "oldest", "filters": { "source": [format!("{MARK}-2"), "web-1"] } } });
    socket.send(Message::text(subscribe.to_string())).await.unwrap();
    for n in 0..60 {
        other.emit(&docker_line("container", "start", n));
        if n % 20 == 19 {
            web.emit(&docker_line("container", "die", 1000 + n));
        }
        if n % 7 == 0 {
            tokio::task::yield_now().await;
        }
    }
    let is_last = |text: &str| text.contains("\"job-1059\"");
    let told = narrow.read_until(|event| is_last(&event.data)).await;
    assert!(told.iter().all(|event| !event.data.contains(MARK)), "{told:?}");
    let mut seen: Vec<u64> = told.iter().filter(|event| is_record(event)).map(|event| sequence(&event.data)).collect();
    assert!(seen.len() >= 3 && seen.is_sorted(), "{seen:?}");
    // They all come to whoever may read of them.
    all.read_until(|event| event.data.contains("\"job-59\"")).await;
    loop {
        let message = within("a message", socket.next()).await.unwrap().unwrap();
        let text = message.to_text().unwrap_or("");
        assert!(!text.contains(MARK), "{text}");
        if is_last(text) {
            break;
        }
    }
    // What follows is told of up to where it was looked at, and a client goes on from any id that it has.
    let last = told.last().unwrap().id.clone();
    wait_for("the others", async || {
        let bins = answer(&ship, WIDE, &format!("/api/v1/events?filters={{\"source\":[\"{MARK}-2\"],\"type\":[\"container\"]}}")).await;
        (bins["records"].as_array().unwrap().len() == 60).then_some(())
    })
    .await;
    let response =
        client().get(format!("{}/api/v1/stream", ship.url)).bearer_auth(NARROW).header("last-event-id", &last).send().await.unwrap();
    let mut again = Sse::of(response);
    let rest = again.read_until(|event| event.event == "caught-up").await;
    assert!(rest.iter().all(|event| !event.data.contains(MARK) && !is_record(event) && event.event != "gap"), "{rest:?}");
    let head = answer(&ship, WIDE, "/api/v1/stats").await["log"]["head"].as_u64().unwrap();
    assert!(rest.last().unwrap().id.ends_with(&format!("-{head}")), "its place is that of the head: {rest:?}");
    web.emit(&docker_line("container", "die", 2000));
    let next = again.read_until(is_record).await;
    seen.push(sequence(&next.last().unwrap().data));
    assert!(seen.is_sorted() && next.last().unwrap().data.contains("job-2000"));
    let readiness = said(ask(&ship, NARROW, "/readyz").await).await;
    assert!(readiness.contains("web-1") && !readiness.contains(MARK), "{readiness}");
    // A login has the rights of its token.
    let no_redirects = reqwest::Client::builder().read_timeout(PATIENCE).redirect(reqwest::redirect::Policy::none()).build().unwrap();
    let login = no_redirects.post(format!("{}/login", ship.url)).body(format!("token={NARROW}"));
    let login = login.header("content-type", "application/x-www-form-urlencoded").send().await.unwrap();
    let cookie = login.headers()["set-cookie"].to_str().unwrap().split(';').next().unwrap().to_owned();
    let page = client().get(format!("{}/api/v1/export", ship.url)).header("cookie", &cookie).send().await.unwrap();
    let page = said(page).await;
    assert!(page.contains("web-1") && !page.contains(MARK), "{page}");
    // With other hosts it is another token: what it had opened ends.
    tokens(dir.path(), &format!("{MARK}-2"));
    let ended = async { while again.next().await.is_some() {} };
    within("the end of a stream whose token reads of others now", ended).await;
    let now = said(ask(&ship, NARROW, "/api/v1/export").await).await;
    assert!(now.contains(MARK) && !now.contains("web-1"), "{now}");
}
