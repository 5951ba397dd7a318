//! Secrets in events go before anything keeps or shows them, and it can be seen that they went.

use crate::fake_daemon::FakeDaemon;
use crate::support::{PATIENCE, Ship, Sse, assert_dense, wait_for};
use rand::RngExt as _;
use serde_json::{Value, json};
use std::io::Read as _;
use std::path::Path;
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// In every secret of these stories.
const SECRET: &str = "hunter2";
/// In what must not go.
const HARMLESS: &str = "harmless-marker";
/// What zstd frames begin with.
const ZSTD_MAGIC: [u8; 4] = [0x28, 0xb5, 0x2f, 0xfd];
/// A tip of 16 MiB, packed, is sealed: as many events of this size, and some more.
const FAT_EVENTS: u64 = 200;
const FAT_BYTES: usize = 180_000;

fn line(action: &str, attributes: &Value, n: u64) -> String {
    let (action, time) = (Value::from(action), 1_795_344_577_000_000_000 + n * 1_000_000);
    format!(
        r#"{{"status":{action},"id":"c{n}","from":"busybox","Type":"container","Action":{action},"Actor":{{"ID":"c{n}","Attributes":{attributes}}},"scope":"local","time":1795344577,"timeNano":{time}}}"#
    )
}

/// Everything that may hold a secret, one of a kind.
fn secrets() -> Vec<String> {
    let pem = format!("-----BEGIN EC PRIVATE KEY-----\n{SECRET}-pem\n");
    vec![
        line(&format!("exec_create: sh -c \"echo '{SECRET}-exec': x\"\n{HARMLESS}\u{e9}"), &json!({"execID": "e1", "image": "busybox"}), 1),
        line(&format!("exec_start: sh -c \"echo '{SECRET}-exec': x\""), &json!({"execID": "e1", "image": "busybox"}), 2),
        line("exec_die", &json!({"execID": "e1", "exitCode": "0"}), 3),
        line("start", &json!({"com.acme.DB_PASSWORD": format!("{SECRET}-label"), "name": HARMLESS}), 4),
        line("start", &json!({"dsn": format!("postgres://app:{SECRET}-url@db/{HARMLESS}")}), 5),
        line("start", &json!({"tls": pem}), 6),
    ]
}

/// Every file below `dir`, as it is and with every zstd frame in it unpacked.
fn contents(dir: &Path) -> Vec<(String, Vec<u8>)> {
    let mut all = Vec::new();
    for entry in std::fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            all.extend(contents(&path));
            continue;
        }
        let mut bytes = std::fs::read(&path).unwrap();
        let frames: Vec<usize> = memchr::memmem::find_iter(&bytes, &ZSTD_MAGIC).collect();
        let mut unpacked = Vec::new();
        for at in frames {
            // What is cut off, or looks like a frame and is none, gives what it can.
            let _ = zstd::stream::read::Decoder::new(&bytes[at..]).unwrap().single_frame().read_to_end(&mut unpacked);
        }
        bytes.extend(unpacked);
        all.push((path.display().to_string(), bytes));
    }
    all
}

/// The files that hold `text`.
fn holding(files: &[(String, Vec<u8>)], text: &str) -> Vec<String> {
    let holds = |bytes: &[u8]| memchr::memmem::find(bytes, text.as_bytes()).is_some();
    files.iter().filter(|(_, bytes)| holds(bytes)).map(|(path, _)| path.clone()).collect()
}

/// Everything that the program shows of its log, one text after the other.
async fn shown(ship: &Ship) -> Vec<String> {
    let mut stream = Sse::open(&ship.url, "/api/v1/stream?since=oldest", None).await.unwrap();
    let events = stream.read_until(|event| event.event == "caught-up").await;
    let mut all: Vec<String> = events.into_iter().map(|event| event.data).collect();
    all.push(ship.get("/api/v1/export?format=jsonl").await.text().await.unwrap());
    for path in ["/api/v1/events?limit=10000", "/metrics", "/api/v1/stats", "/readyz"] {
        all.push(ship.get(path).await.text().await.unwrap());
    }
    all
}

/// What the log holds of `secrets`, and of a container and of lines that are not events, which hold more
/// secrets.
async fn tell_everything(daemon: &FakeDaemon, ship: &Ship) {
    daemon.wait_for_subscribers(1).await;
    for line in secrets() {
        daemon.emit(&line);
    }
    daemon.emit_raw(format!("{{\"password\":\"{SECRET}-malformed\",\n\"{SECRET}-cited, key\"\n").as_bytes());
    for n in 100..100 + FAT_EVENTS {
        let mut pad = vec![0u8; FAT_BYTES / 2];
        rand::rng().fill(pad.as_mut_slice());
        let pad = hex::encode(pad);
        daemon.emit(&line("start", &json!({"token": format!("{SECRET}-fat-{n}"), "pad": pad}), n));
    }
    // The fat ones, what stands above, two gaps, what is observed, and start, connect and verdict.
    let all = FAT_EVENTS + secrets().len() as u64 + 2 + 1 + 3;
    ship.wait_for_head(|head| head >= all).await;
}

fn container() -> Value {
    json!({"Id": "o1", "Name": "/web", "Config": {"Image": HARMLESS, "Labels": {"apiToken": format!("{SECRET}-observed")}}, "State": {"Status": "running"}})
}

/// Waits for longer than for anything else: to pack 36 MB well takes a debug build ten seconds of a
/// processor, and on a machine that is busy it was seen to take over thirty.
async fn wait_for_segment(data: &Path) {
    let began = Instant::now();
    loop {
        let mut files = std::fs::read_dir(data.join("log")).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
        if files.any(|name| name.ends_with(".jsonl.zst")) {
            return;
        }
        assert!(began.elapsed() < 6 * PATIENCE, "nothing is sealed");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn secrets_are_nowhere_and_it_shows_that_they_were_there() {
    let (dir, logs) = (TempDir::new().unwrap(), TempDir::new().unwrap());
    let daemon = FakeDaemon::unix().await;
    daemon.set_containers(&[("o1", container())]);
    let said = logs.path().join("stderr");
    let mut ship = Ship::start_logging(dir.path(), &["--docker-host", &daemon.url()], &said);
    tell_everything(&daemon, &ship).await;
    wait_for_segment(dir.path()).await;
    let texts = shown(&ship).await;
    assert!(ship.stop().0.success());
    let said_first = std::fs::read_to_string(&said).unwrap();

    // The ring is the daemon's own and knows nothing of rules: what is stored must be recognised even so.
    ship.restart();
    wait_for("the second verdict", async || {
        let found = ship.json(r#"/api/v1/events?filters={"event":["resumed"]}"#).await;
        found["records"].as_array().is_some_and(|records| !records.is_empty()).then_some(())
    })
    .await;
    let log = ship.export("").await;
    assert_dense(&log);
    let id = |line: &String| line.split(r#""Actor":{"ID":"c"#).nth(1)?.split('"').next()?.parse::<u64>().ok();
    let events = log.values().filter(|line| !line.contains(r#""Type":"recorder""#));
    let recorded: Vec<u64> = events.filter_map(id).collect();
    let emitted: Vec<u64> = (1..=secrets().len() as u64).chain(100..100 + FAT_EVENTS).collect();
    assert_eq!(recorded, emitted, "each once");
    let texts = [texts, shown(&ship).await, vec![said_first, std::fs::read_to_string(&said).unwrap()]].concat();
    // In the ring were both names of two actions, three attributes and the fat ones' tokens; the container is
    // looked at again a little later.
    wait_for("all to be redacted again", async || {
        let stats = ship.json("/api/v1/stats").await;
        (stats["ingest"]["redacted"] == 4 + 3 + FAT_EVENTS + 1).then_some(())
    })
    .await;
    ship.kill();

    for text in &texts {
        let at = text.find(SECRET).map(|at| &text[at.saturating_sub(200)..(at + 200).min(text.len())]);
        assert_eq!(at, None);
    }
    let files = contents(dir.path());
    assert_eq!(holding(&files, SECRET), Vec::<String>::new());
    for name in ["journal", ".jsonl.zst"] {
        assert!(holding(&files, HARMLESS).iter().any(|path| path.ends_with(name)), "the search would have found it in {name}");
    }
    let all: String = log.into_values().collect();
    for expected in [
        r#""status":"exec_create: [redacted] (exec-command)","id":"c1""#,
        r#""Action":"exec_create: [redacted] (exec-command)""#,
        r#""Action":"exec_start: [redacted] (exec-command)""#,
        r#""com.acme.DB_PASSWORD":"[redacted] (secret-name)","name":"harmless-marker""#,
        r#""dsn":"postgres://app:[redacted] (url-password)@db/harmless-marker""#,
        r#""tls":"[redacted] (private-key)""#,
        r#""apiToken":"[redacted] (secret-name)""#,
        r#""sample":"[redacted] (malformed-sample)""#,
        r#""why":"[redacted] (malformed-sample)""#,
    ] {
        assert!(all.contains(expected), "{expected}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_redacted_when_that_is_wanted() {
    let dir = TempDir::new().unwrap();
    let daemon = FakeDaemon::unix().await;
    daemon.set_containers(&[("o1", container())]);
    let mut ship = Ship::start_with(dir.path(), &["--docker-host", &daemon.url(), "--redact", "none"]);
    tell_everything(&daemon, &ship).await;
    wait_for_segment(dir.path()).await;
    let log = ship.export("").await;
    assert_eq!(ship.json("/api/v1/stats").await["ingest"]["redacted"], 0);
    ship.kill();
    for line in secrets() {
        assert!(log.values().any(|stored| stored.contains(&format!(r#""event":{line}}}"#))), "verbatim: {line}");
    }
    let (all, files): (String, _) = (log.into_values().collect(), contents(dir.path()));
    for kind in ["exec", "label", "url", "pem", "observed", "malformed", "cited", "fat-100"] {
        let secret = format!("{SECRET}-{kind}");
        assert!(all.contains(&secret), "{secret}");
        assert!(!holding(&files, &secret).is_empty(), "the search finds {secret} where it is");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn rules_can_be_chosen() {
    let dir = TempDir::new().unwrap();
    let daemon = FakeDaemon::unix().await;
    let args = ["--redact", "secret-name", "--redact-attribute", "d*n", "--redact-except", "*.db_password"];
    let ship = Ship::start_with(dir.path(), &[&["--docker-host", &daemon.url()], &args[..]].concat());
    daemon.wait_for_subscribers(1).await;
    for line in secrets() {
        daemon.emit(&line);
    }
    ship.wait_for_head(|head| head >= 3 + secrets().len() as u64).await;
    let all: String = ship.export("").await.into_values().collect();
    for kept in ["exec", "label", "pem"] {
        assert!(all.contains(&format!("{SECRET}-{kept}")), "{kept}");
    }
    assert!(all.contains(r#""dsn":"[redacted] (attribute:d*n)""#) && !all.contains("hunter2-url"), "{all}");
}
