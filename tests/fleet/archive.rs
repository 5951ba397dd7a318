//! An archive in something that speaks S3: two servers put their segments there, one is killed, and a cold
//! one begins with them behind a stream that was trimmed.

use crate::cluster::{Cluster, STREAM, shape};
use crate::program::{Ship, client, program};
use crate::skipped::{say, skipped};
use crate::support::{PATIENCE, TENANT, patiently, within};
use async_nats::jetstream;
use serde_json::Value;
use shipslog::stream::{FleetStream, Subject};
use std::fmt::Write as _;
use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// Records of the host's past: a segment of the fleet's log, and some more.
const PAST: u64 = 66_500;
const SEGMENT: u64 = 65_536;
const BUCKET: &str = "shipslog";
/// Said by `./test` where moto cannot be had, which outside of CI is no failure.
const NOT_TO_BE_HAD: &str = "none";
/// Of nobody: moto takes any.
const KEYS: [(&str, &str); 3] = [("AWS_ACCESS_KEY_ID", "test"), ("AWS_SECRET_ACCESS_KEY", "test"), ("AWS_REGION", "us-east-1")];

/// moto on a port of its own. It keeps everything in memory, and ends when this is dropped.
struct Moto {
    child: Child,
    url: String,
}

impl Moto {
    /// `None` where there is none, for all to see.
    fn start() -> Option<Self> {
        let command = std::env::var("SHIPSLOG_TEST_MOTO").unwrap_or_default();
        if command == NOT_TO_BE_HAD {
            say(&format!("SKIPPED {}: no moto_server", std::thread::current().name().unwrap_or("main")));
            return None;
        }
        if command.is_empty() {
            skipped("no moto_server (set SHIPSLOG_TEST_MOTO to its path, or run ./test)");
            return None;
        }
        let mut child =
            Command::new(command).args(["-H", "127.0.0.1", "-p", "0"]).env_remove("AWS_PROFILE").stderr(Stdio::piped()).spawn().unwrap();
        let mut said = BufReader::new(child.stderr.take().unwrap()).lines();
        let url = said.by_ref().map(Result::unwrap).find_map(|line| line.split_once("Running on ").map(|(_, url)| url.trim().to_owned()));
        // It writes a line for each request, which nobody must keep it from.
        std::thread::spawn(move || said.for_each(drop));
        Some(Self { child, url: url.expect("it says where it is") })
    }

    async fn make_bucket(&self) {
        let made = client().put(format!("{}/{BUCKET}", self.url)).send().await.unwrap();
        assert!(made.status().is_success(), "{}", made.status());
    }

    /// What the bucket lists.
    async fn keys(&self) -> Vec<String> {
        let list = client().get(format!("{}/{BUCKET}?list-type=2", self.url)).send().await.unwrap();
        let text = list.text().await.unwrap();
        text.split("<Key>").skip(1).filter_map(|rest| rest.split_once("</Key>").map(|(key, _)| key.to_owned())).collect()
    }
}

impl Drop for Moto {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The log of a host that has been recording for long.
fn import_past(data: &Path) {
    let mut lines = String::new();
    for seq in 1..=PAST {
        let (second, nano) = (seq / 1000 % 60, seq % 1000);
        let at = format!("2026-11-22T10:49:{second:02}.{nano:03}000000Z");
        let event =
            format!(r#"{{"Type":"container","Action":"start","Actor":{{"ID":"c{}","Attributes":{{"name":"n{}"}}}}}}"#, seq % 97, seq % 97);
        writeln!(lines, r#"{{"id":"7f3c9a1e-{seq}","seq":{seq},"time":"{at}","received":"2026-11-22T10:50:00.000000000Z","source":"local","event":{event}}}"#)
            .unwrap();
    }
    let file = data.join("past.jsonl");
    std::fs::write(&file, lines).unwrap();
    let output = program(&["import", file.to_str().unwrap(), "--data-dir", data.join("host").to_str().unwrap()]).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

fn server(data: &Path, hub: &[String], moto: &Moto) -> Ship {
    let archive = ["--archive", &format!("s3://{BUCKET}/fleets"), "--archive-endpoint", &moto.url];
    Ship::server_with(data, hub, &archive, &KEYS)
}

/// Waits until a server says this of its archive.
async fn archived(server: &Ship, what: &str, wanted: impl Fn(&Value) -> bool) -> Value {
    server.until(what, "/readyz", |ready| ready["archive"].is_object() && wanted(&ready["archive"])).await["archive"].clone()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cold_server_begins_with_what_two_others_have_archived() {
    let Some(moto) = Moto::start() else { return };
    let Some(cluster) = Cluster::start(1, "").await else { return };
    moto.make_bucket().await;
    let settings = shipslog::stream::nats::NatsSettings { unsafe_engine: true, ..cluster.settings("server", None) };
    let hub = cluster.made(&settings, &shipslog::stream::nats::Shape { replicas: 1, ..shape() }).await;
    let dirs = [(); 3].map(|()| tempfile::tempdir().unwrap());
    let past = tempfile::tempdir().unwrap();
    import_past(past.path());
    let mut host = Ship::host("web-17", &past.path().join("host"), &settings.urls);
    let mut one = server(dirs[0].path(), &settings.urls, &moto);
    let other = server(dirs[1].path(), &settings.urls, &moto);
    for server in [&one, &other] {
        server.head(PAST).await;
        archived(server, "the archive", |archive| archive["stored"].as_u64().unwrap() + archive["found"].as_u64().unwrap() == 1).await;
    }
    let shown = [archived(&one, "one", |_| true).await, archived(&other, "the other", |_| true).await];
    assert_eq!(shown.iter().map(|it| it["stored"].as_u64().unwrap()).sum::<u64>(), 1, "{shown:?}");
    assert!(shown.iter().all(|it| it["warning"].is_null() && it["behind_records"] == 0), "{shown:?}");
    let fleet = one.json("/api/v1/stats").await["log"]["id"].as_str().unwrap().to_owned();
    assert_eq!(moto.keys().await, [format!("fleets/{fleet}/{:020}.jsonl.zst", 1)]);
    let metrics = one.get("/metrics").await.text().await.unwrap();
    assert!(metrics.lines().any(|line| line == "shipslog_archive_up 1"), "{metrics}");
    for name in ["up", "behind_records", "behind_seconds", "segments_total"] {
        assert!(metrics.contains(&format!("# TYPE shipslog_archive_{name} ")), "docs/operations.md lists it: {name}");
    }
    one.kill();
    host.kill();

    // The stream forgets its beginning, up to the first base.
    let base = patiently("a base", async || {
        let newest = hub.newest(&Subject::base(TENANT).unwrap()).await?;
        newest.ok_or_else(|| shipslog::stream::StreamError::Unavailable("none yet".to_owned()))
    });
    let at: u64 = base.await.head.split(' ').nth(1).unwrap().parse().unwrap();
    let context = jetstream::new(async_nats::connect(settings.urls.clone()).await.unwrap());
    trim(&context, at + 1).await;
    assert_eq!(hub.ends().await.unwrap().first, at + 1);
    let host = Ship::host("web-17", &past.path().join("host"), &settings.urls);

    let cold = server(dirs[2].path(), &settings.urls, &moto);
    let head = other.head(0).await;
    cold.head(head).await;
    let (mut lines, mut others) = (cold.lines().await, other.lines().await);
    let both = lines.len().min(others.len());
    lines.truncate(both);
    others.truncate(both);
    assert!(both as u64 >= PAST && lines == others, "{} and {} lines", lines.len(), others.len());
    assert!(lines[0].contains(r#""seq":1,"#) && lines[usize::try_from(SEGMENT).unwrap()].contains(&format!(r#""seq":{},"#, SEGMENT + 1)));
    let oldest = cold.json("/api/v1/stats").await["log"]["oldest"].as_u64();
    assert_eq!(oldest, Some(1));
    archived(&cold, "its own segment", |archive| archive["found"] == 1 && archive["warning"].is_null()).await;

    // Without the archive, history begins with the stream.
    let bare = tempfile::tempdir().unwrap();
    let bare_server = Ship::server_with(bare.path(), &settings.urls, &[], &[]);
    bare_server.head(head).await;
    assert!(bare_server.json("/api/v1/stats").await["log"]["oldest"].as_u64() > Some(1));

    // A dead archive is a warning; all goes on.
    drop(moto);
    let before = cold.head(0).await;
    cold.head(before + 1).await;
    assert_eq!(cold.get("/readyz").await.status(), 200);
    drop(host);
}

/// Has the stream forget what is before `first`, as age would; nothing comes meanwhile. Nobody may purge it,
/// so it is made small, and large again.
async fn trim(context: &jetstream::Context, first: u64) {
    let mut stream = context.get_stream(STREAM).await.unwrap();
    let info = stream.info().await.unwrap().clone();
    let kept = i64::try_from(info.state.last_sequence + 1 - first).unwrap();
    for max_messages in [kept, -1] {
        within("the change", context.update_stream(jetstream::stream::Config { max_messages, ..info.config.clone() })).await.unwrap();
        let began = Instant::now();
        while stream.info().await.unwrap().state.first_sequence < first {
            assert!(began.elapsed() < PATIENCE, "the stream is not trimmed");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }
}
