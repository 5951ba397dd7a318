//! Each revision of each incident is told once, in order, whatever happens to its reader and its recorder.

use crate::fake_daemon::FakeDaemon;
use crate::support::{Ship, Sse, is_record, wait_for, within};
use eventsource_stream::Event;
use parking_lot::Mutex;
use serde_json::Value;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;
use tempfile::TempDir;

const STREAM: &str = "/api/v1/stream?view=incidents&since=oldest";

fn event(action: &str, id: u64, attributes: &str) -> String {
    let nanos = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_nanos();
    format!(
        r#"{{"Type":"container","Action":"{action}","Actor":{{"ID":"{id:064x}","Attributes":{{"name":"web{id}","image":"i"{attributes}}}}},"time":{},"timeNano":{nanos}}}"#,
        nanos / 1_000_000_000
    )
}

/// What a reader got that comes back after each end, with what it got last.
#[derive(Default)]
struct Got {
    revisions: Mutex<Vec<(String, Value)>>,
    connections: Mutex<u64>,
}

impl Got {
    fn has(&self, wanted: impl Fn(&Value) -> bool) -> bool {
        self.revisions.lock().iter().any(|(_, data)| wanted(data))
    }
}

fn revision(event: &Event) -> (String, Value) {
    (event.id.clone(), serde_json::from_str(&event.data).unwrap())
}

/// Reads for ever, from wherever it got to; any frame's id will do to resume.
async fn follow(url: String, got: Arc<Got>) {
    let mut last: Option<String> = None;
    loop {
        if let Some(mut stream) = Sse::open(&url, STREAM, last.as_deref()).await {
            *got.connections.lock() += 1;
            while let Some(event) = stream.next().await {
                assert!(event.event != "reset" && event.event != "gap", "{event:?}");
                last = Some(event.id.clone());
                if is_record(&event) {
                    got.revisions.lock().push(revision(&event));
                }
            }
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// From the beginning to the present, without a cut.
async fn whole(ship: &Ship, from: Option<&str>) -> Vec<(String, Value)> {
    let mut stream = Sse::open(&ship.url, STREAM, from).await.unwrap();
    let events = within("the present", stream.read_until(|event| event.event == "caught-up")).await;
    events.iter().filter(|event| is_record(event)).map(revision).collect()
}

fn assert_in_order(revisions: &[(String, Value)]) {
    let mut last: BTreeMap<&str, u64> = BTreeMap::new();
    for (_, data) in revisions {
        let (id, revision) = (data["id"].as_str().unwrap(), data["revision"].as_u64().unwrap());
        assert_eq!(last.insert(id, revision).unwrap_or(0) + 1, revision, "{id}");
    }
}

/// Killed before a death is judged, after it was judged by time alone, after a start, while it recovers, and
/// after it was found well by time alone.
#[tokio::test(flavor = "multi_thread")]
async fn a_reader_that_resumes_is_told_each_revision_once_whenever_the_recorder_is_killed() {
    let (dir, daemon) = (TempDir::new().unwrap(), FakeDaemon::unix().await);
    let mut ship = Ship::start(dir.path(), &daemon.url());
    let got = Arc::new(Got::default());
    let reader = tokio::spawn(follow(ship.url.clone(), Arc::clone(&got)));
    let until = async |what: &str, wanted: &(dyn Fn(&Value) -> bool + Sync)| wait_for(what, async || got.has(wanted).then_some(())).await;
    let again = async |ship: &mut Ship| {
        let before = *got.connections.lock();
        ship.kill();
        ship.restart();
        wait_for("its host", async || ship.json("/readyz").await["ready"].as_bool().filter(|ready| *ready)).await;
        wait_for("the reader is back", async || (*got.connections.lock() > before).then_some(())).await;
    };
    daemon.wait_for_subscribers(1).await;
    for id in [1, 2] {
        daemon.emit(&event("start", id, ""));
        daemon.emit(&event("die", id, r#","exitCode":"3""#));
    }
    let head = ship.wait_for_head(|head| head >= 4).await;
    again(&mut ship).await;
    assert!(head >= 4 && ship.wait_for_head(|now| now > head).await > head);
    until("both deaths", &|data| data["subject"] == "web2").await;
    again(&mut ship).await;
    daemon.emit(&event("start", 1, ""));
    until("it is up", &|data| data["subject"] == "web1" && data["revision"].as_u64() > Some(1)).await;
    again(&mut ship).await;
    // Another one fails, and only time tells.
    daemon.emit(&event("start", 3, ""));
    daemon.emit(&event("die", 3, r#","exitCode":"4""#));
    until("the third", &|data| data["subject"] == "web3").await;
    again(&mut ship).await;
    until("the first is well", &|data| data["subject"] == "web1" && data["state"] == "closed").await;
    again(&mut ship).await;
    daemon.emit(&event("destroy", 2, ""));
    until("the second is removed", &|data| data["subject"] == "web2" && data["state"] == "closed").await;

    let uncut = whole(&ship, None).await;
    wait_for("the rest", async || (got.revisions.lock().len() >= uncut.len()).then_some(())).await;
    reader.abort();
    let joined = got.revisions.lock().clone();
    assert_eq!(joined[..uncut.len()], uncut, "what was told while it happened is what is told now");
    assert_in_order(&joined);
    // From any place, the rest.
    for (nth, (id, _)) in uncut.iter().enumerate() {
        let rest = whole(&ship, Some(id)).await;
        assert_eq!(rest[..uncut.len() - nth - 1], uncut[nth + 1..], "after {id}");
    }
    // What a list says last is what was told last.
    wait_for("the list to say what was told last", async || {
        let list = ship.json("/api/v1/incidents").await;
        let told = whole(&ship, None).await;
        let last = |id: &Value| told.iter().rfind(|(_, data)| data["id"] == *id).map(|(_, data)| data["revision"].clone());
        list["incidents"].as_array().unwrap().iter().all(|one| last(&one["id"]) == Some(one["revision"].clone())).then_some(())
    })
    .await;
}

/// Records of a busy host are no clock for a quiet one: its death is judged by a record of the recorder's
/// own.
#[tokio::test(flavor = "multi_thread")]
async fn a_death_on_a_quiet_host_is_told_in_time_beside_a_busy_one() {
    let (dir, quiet, busy) = (TempDir::new().unwrap(), FakeDaemon::unix().await, FakeDaemon::unix().await);
    let hosts = [format!("quiet={}", quiet.url()), format!("busy={}", busy.url())];
    let ship = Ship::start_with(dir.path(), &["--docker-host", &hosts[0], "--docker-host", &hosts[1]]);
    let got = Arc::new(Got::default());
    let reader = tokio::spawn(follow(ship.url.clone(), Arc::clone(&got)));
    quiet.wait_for_subscribers(1).await;
    busy.wait_for_subscribers(1).await;
    quiet.emit(&event("start", 1, ""));
    quiet.emit(&event("die", 1, r#","exitCode":"3""#));
    let mut sent = 0;
    wait_for("the death", async || {
        // Each look is five records of the other host, many in the time in which the death is judged.
        (0..5).for_each(|_| busy.emit(&event("exec_start: x", 2, "")));
        sent += 5;
        got.has(|data| data["subject"] == "web1").then_some(())
    })
    .await;
    reader.abort();
    let log = ship.export("").await;
    let place = |what: &str| log.iter().find(|(_, line)| line.contains(what)).map(|(seq, _)| *seq);
    let (died, ticked) = (place(r#""Action":"die""#).unwrap(), place(r#""Action":"tick""#).unwrap());
    let told = got.revisions.lock().iter().find(|(_, data)| data["subject"] == "web1").map(|(id, _)| id.clone()).unwrap();
    assert!(told.contains(&format!("-{ticked}.")), "{told} comes with {ticked}");
    let between = log.range(died..ticked).filter(|(_, line)| line.contains(r#""source":"busy""#)).count();
    assert!(sent > 10 && between > 10, "{sent} sent, {between} between");
    let ticks = log.values().filter(|line| line.contains(r#""Action":"tick""#)).count();
    assert!(ticks <= 2, "a busy host makes no more of them: {ticks}");
    assert_in_order(&whole(&ship, None).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn revisions_of_a_recording_are_told_as_its_list_has_them() {
    let dir = TempDir::new().unwrap();
    let file = format!("{}/tests/fixtures/incidents/crashloop-exit-a.jsonl.zst", env!("CARGO_MANIFEST_DIR"));
    let ship = Ship::start_with(dir.path(), &["--read-only", &file]);
    let all = whole(&ship, None).await;
    assert_in_order(&all);
    assert!(all.len() > 3, "{}", all.len());
    let major = {
        let mut stream = Sse::open(&ship.url, &format!("{STREAM}&severity=major"), None).await.unwrap();
        let hello = stream.next().await.unwrap();
        let data: Value = serde_json::from_str(&hello.data).unwrap();
        assert!(hello.event == "hello" && data["after"] == 0 && data["fold"].is_u64(), "{hello:?}");
        within("the present", stream.read_until(|event| event.event == "caught-up")).await
    };
    let major: Vec<_> = major.iter().filter(|event| is_record(event)).map(revision).collect();
    let expected: Vec<_> = all.iter().filter(|(_, data)| data["severity"] == "major" || data["severity"] == "critical").cloned().collect();
    assert!(!expected.is_empty() && expected.len() < all.len());
    assert_eq!(major, expected);

    // A cursor that cannot be used is told, and everything follows; what is wrong is said.
    for (cursor, reason) in [("1-2.3.4", "malformed"), ("00000000-1.1", "foreign-log"), (&format!("{}-99999.1", &all[0].0[..8]), "future")]
    {
        let mut stream = Sse::open(&ship.url, "/api/v1/stream?view=incidents", Some(cursor)).await.unwrap();
        let events = within("the present", stream.read_until(|event| event.event == "caught-up")).await;
        let reset: Value = serde_json::from_str(&events[1].data).unwrap();
        assert_eq!((&*events[1].event, reset["reason"].as_str()), ("reset", Some(reason)), "{cursor}");
        assert_eq!(events.iter().filter(|event| is_record(event)).count(), all.len(), "{cursor}");
    }
    for (query, words) in [
        ("view=x", "records or incidents"),
        ("view=incidents&filters={}", "does not go with"),
        ("view=incidents&severity=x", "minor"),
        ("severity=minor", "view=incidents"),
    ] {
        let answer = ship.get(&format!("/api/v1/stream?{query}")).await;
        assert_eq!(answer.status(), 400, "{query}");
        let text = answer.text().await.unwrap();
        assert!(text.contains(words), "{query}: {text}");
    }
}
