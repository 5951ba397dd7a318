//! With a real Docker Engine: what its containers live through is what every reader gets.

mod failures;
mod followers;
mod hard_times;
mod incidents;
mod life;
mod noise;
mod versions;

use crate::dockerd::{Background, Engine};
use crate::support::{BIN, Ship, assert_dense, by_sequence, wait_for};
use serde_json::Value;
use serde_json::value::RawValue;
use std::collections::BTreeMap;
use std::process::Command;
use tempfile::TempDir;

/// The stories share one Engine, whose ring holds 256 events: one at a time.
pub(crate) static ENGINE: tokio::sync::Mutex<()> = tokio::sync::Mutex::const_new(());
/// moby hands concurrent events to its subscribers, and to its ring, each in an order of its own.
const CONCURRENT_NANOS: i64 = 10_000_000;

/// The message inside a record line, byte for byte.
fn message(line: &str) -> String {
    let members: BTreeMap<String, Box<RawValue>> = serde_json::from_str(line).unwrap_or_else(|e| panic!("{e}: {line}"));
    members["event"].get().to_owned()
}

fn parsed(line: &str) -> Value {
    serde_json::from_str(line).unwrap_or_else(|e| panic!("{e}: {line}"))
}

fn is_own(record: &Value) -> bool {
    record["event"]["Type"] == "recorder"
}

/// Attributes of the recorder's own records with this action.
fn own(log: &BTreeMap<u64, String>, action: &str) -> Vec<Value> {
    let records = log.values().map(|line| parsed(line));
    records.filter(|r| is_own(r) && r["event"]["Action"] == action).map(|r| r["event"]["Actor"]["Attributes"].clone()).collect()
}

fn number(attributes: &Value, key: &str) -> u64 {
    attributes[key].as_str().unwrap().parse().unwrap()
}

/// Docker's messages in a log.
fn messages(log: &BTreeMap<u64, String>) -> Vec<String> {
    log.values().filter(|line| !is_own(&parsed(line))).map(|line| message(line)).collect()
}

/// Waits until the daemon's own lines come to all of them. From then on they get each event once: moby may
/// repeat an event that falls into the moment of subscribing.
async fn wait_for_listeners(engine: &Engine, listeners: &[&Background]) {
    let ready = engine.name("ready");
    engine.docker(&["volume", "create", &ready]);
    for listener in listeners {
        wait_for("the daemon's lines", async || listener.lines().iter().any(|line| line.contains(&ready)).then_some(())).await;
    }
}

/// The part that a story is about: from the marker `begin` to the marker `end`. A marker is a volume's
/// creation.
fn between<'a>(lines: &'a [String], begin: &str, end: &str) -> &'a [String] {
    let the_only = |name: &str| {
        let sign = format!("\"ID\":\"{name}\"");
        let mut found = lines.iter().enumerate().filter(|(_, line)| line.contains("\"create\"") && line.contains(&sign)).map(|(i, _)| i);
        let at = found.next().unwrap_or_else(|| panic!("no marker {name}"));
        assert_eq!(found.count(), 0, "the marker {name} is there more than once");
        at
    };
    &lines[the_only(begin)..=the_only(end)]
}

/// Every message is there once, in the same order but for what moby itself reorders.
fn assert_same_events(ours: &[String], theirs: &[String], who: &str) {
    let sorted = |lines: &[String]| {
        let mut lines = lines.to_vec();
        lines.sort();
        lines
    };
    let (a, b) = (sorted(ours), sorted(theirs));
    let missing: Vec<_> = b.iter().filter(|line| a.binary_search(line).is_err()).collect();
    let added: Vec<_> = a.iter().filter(|line| b.binary_search(line).is_err()).collect();
    assert!(a == b, "{who}: {} events instead of {}; missing {missing:?}, too many {added:?}", a.len(), b.len());
    let time = |line: &String| parsed(line)["timeNano"].as_i64().unwrap();
    for (i, (ours, theirs)) in ours.iter().zip(theirs).enumerate() {
        let apart = (time(ours) - time(theirs)).abs();
        assert!(ours == theirs || apart < CONCURRENT_NANOS, "{who}: another order at {i}:\n{ours}\n{theirs}");
    }
}

fn shipslog(url: &str, args: &[&str]) -> Command {
    let mut command = Command::new(BIN);
    command.args(args).args(["--url", url]);
    command
}

/// stdout of a run that must succeed.
fn ask(url: &str, args: &[&str]) -> String {
    let output = Background::start(&mut shipslog(url, args)).wait();
    assert!(output.status.success(), "{args:?}: {output:?}");
    String::from_utf8(output.stdout).unwrap()
}

/// The log, once the marker is in it, up to there.
async fn log_up_to(ship: &Ship, marker: &str) -> BTreeMap<u64, String> {
    let sign = format!("\"ID\":\"{marker}\"");
    wait_for("the marker in the log", async || {
        let mut log = ship.export("").await;
        let (&end, _) = log.iter().find(|(_, line)| line.contains(&sign))?;
        log.split_off(&(end + 1));
        Some(log)
    })
    .await
}

async fn wait_for_connection(ship: &Ship, verdicts: usize) {
    wait_for("the verdict on a connection", async || {
        let log = ship.export(r#"&filters={"type":["recorder"]}"#).await;
        (own(&log, "resumed").len() + own(&log, "gap").len() >= verdicts).then_some(())
    })
    .await;
}

const HOSTILE: &str = "two\nlines, \"quotes\", '</script><script>alert(1)</script>', \\u0000 \\ \u{202e}grün ☂ 日本 \u{1f980}\t\u{1b}[31m";

/// What a container went through, by the log: actions, with the exit code of `die`.
fn life(messages: &[String], name: &str) -> Vec<String> {
    let events = messages.iter().map(|line| parsed(line));
    let of_it = events.filter(|e| e["Type"] == "container" && e["Actor"]["Attributes"]["name"] == name);
    of_it
        .map(|e| match e["Actor"]["Attributes"]["exitCode"].as_str().filter(|_| e["Action"] == "die") {
            Some(code) => format!("die {code}"),
            None => e["Action"].as_str().unwrap().to_owned(),
        })
        .collect()
}

fn assert_in_order(life: &[String], expected: &[&str]) {
    let mut rest = life.iter();
    assert!(expected.iter().all(|action| rest.any(|seen| seen == action)), "{expected:?} in {life:?}");
}

/// The ring dies with the daemon: events of its last moments may be missing, and a record says so.
#[tokio::test(flavor = "multi_thread")]
async fn a_daemon_that_is_killed_leaves_a_gap() {
    let Some(mut engine) = Engine::own("restart") else { return };
    let dir = TempDir::new().unwrap();
    let ship = Ship::start(dir.path(), &engine.url);
    wait_for_connection(&ship, 1).await;
    engine.run(0, "survivor", &["--detach", "--stop-signal", "KILL"], "sleep 1000");
    engine.docker(&["volume", "create", &engine.name("before")]);
    log_up_to(&ship, &engine.name("before")).await;
    assert_eq!(ship.get("/readyz").await.status(), 200);

    engine.kill();
    let (state, hint) = wait_for("/readyz to tell", async || {
        let response = ship.get("/readyz").await;
        let status = response.status();
        let source = parsed(&response.text().await.unwrap())["sources"][0].clone();
        (status == 503 && source["hint"].is_string()).then(|| (source["state"].clone(), source["hint"].as_str().unwrap().to_owned()))
    })
    .await;
    assert_eq!(state, "error");
    assert!(hint.contains("start the Docker Engine"), "{hint}");
    assert_eq!(Background::start(&mut shipslog(&ship.url, &["healthcheck"])).wait().status.code(), Some(1));
    engine.start().unwrap();
    engine.docker(&["volume", "create", &engine.name("after")]);
    let log = log_up_to(&ship, &engine.name("after")).await;
    drop(log);
    // The event may have been replayed; the verdict comes after the whole replay.
    let log = wait_for("the verdict", async || Some(ship.export("").await).filter(|log| own(log, "gap").len() > 1)).await;
    assert_eq!(ship.get("/readyz").await.status(), 200);

    assert_dense(&log);
    let verdicts: Vec<_> = own(&log, "gap").iter().map(|gap| gap["reason"].as_str().unwrap().to_owned()).collect();
    assert_eq!(verdicts, ["first-contact", "daemon-restart"]);
    assert!(own(&log, "resumed").is_empty(), "nothing was proven");
    let gap = &own(&log, "gap")[1];
    assert_eq!(number(gap, "overlap"), 0);
    let last_known = messages(&log).iter().map(|line| parsed(line)).find(|e| e["Actor"]["ID"] == engine.name("before")).unwrap();
    let nanos = last_known["timeNano"].as_i64().unwrap().to_string();
    assert!(gap["from"].as_str().unwrap().ends_with(&format!(".{}Z", &nanos[10..])), "from the last event known, {nanos}: {gap}");
    assert!(gap["from"].as_str() < gap["until"].as_str(), "{gap}");
    // What the new daemon did to the container before it listened is in its ring.
    let lived = life(&messages(&log), &engine.name("survivor"));
    assert_in_order(&lived, &["create", "start", "die 137"]);
    let actions: Vec<_> = log.values().map(|line| parsed(line)["event"]["Action"].as_str().unwrap().to_owned()).collect();
    assert_in_order(&actions, &["disconnect", "connect", "gap"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_recorder_that_was_away_resumes_from_the_ring() {
    let _alone = ENGINE.lock().await;
    let Some(engine) = Engine::given("ring") else { return };
    let dir = TempDir::new().unwrap();
    let wire = engine.wire();
    let mut ship = Ship::start(dir.path(), &engine.url);
    wait_for_listeners(&engine, &[&wire]).await;
    wait_for_connection(&ship, 1).await;
    let volume = |name: &str| engine.docker(&["volume", "create", &engine.name(name)]);
    volume("begin");
    for round in 0..3 {
        volume(&format!("recorded-{round}"));
        log_up_to(&ship, &engine.name(&format!("recorded-{round}"))).await;
        if round == 1 {
            ship.kill();
        } else {
            assert!(ship.stop().0.success());
        }
        for n in 0..5 {
            volume(&format!("away-{round}-{n}"));
        }
        ship.restart();
        wait_for_connection(&ship, round + 2).await;
        volume(&format!("back-{round}"));
    }
    volume("end");
    let log = log_up_to(&ship, &engine.name("end")).await;
    assert_dense(&log);
    let (begin, end) = (engine.name("begin"), engine.name("end"));
    let theirs = wait_for("the wire", async || Some(wire.lines()).filter(|lines| lines.iter().any(|line| line.contains(&end)))).await;
    assert_same_events(between(&messages(&log), &begin, &end), between(&theirs, &begin, &end), "the daemon's own lines");

    let gaps = own(&log, "gap");
    assert!(gaps.len() == 1 && gaps[0]["reason"] == "first-contact", "{gaps:?}");
    let resumed = own(&log, "resumed");
    assert_eq!(resumed.len(), 3);
    for proof in &resumed {
        let (overlap, replayed) = (number(proof, "overlap"), number(proof, "replayed"));
        assert!(overlap > 0 && (replayed == 256 || replayed == overlap + 5), "the ring held what was known and five more: {proof}");
    }
    let stops: Vec<_> = own(&log, "start").iter().skip(1).map(|start| start["last_stop"].as_str().unwrap().to_owned()).collect();
    assert_eq!(stops, ["clean", "unclean", "clean"]);
    assert_eq!(own(&log, "stop").len(), 2);
    let again = by_sequence(ask(&ship.url, &["query", "-o", "json"]).lines());
    assert!(log.iter().all(|(seq, line)| again.get(seq) == Some(line)));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_first_contact_is_on_record_with_what_was_there() {
    let _alone = ENGINE.lock().await;
    let Some(engine) = Engine::given("first") else { return };
    engine.run(0, "running", &["--detach", "--label", &format!("hostile={HOSTILE}")], "sleep 1000");
    engine.run(4, "exited", &[], "exit 4");
    engine.docker(&["create", "--name", &engine.name("created"), "--network", "none", "busybox:test", "true"]);
    let dir = TempDir::new().unwrap();
    let ship = Ship::start(dir.path(), &engine.url);
    let names = ["running", "exited", "created"].map(|name| engine.name(name));
    let log = wait_for("what is observed", async || {
        let log = ship.export("").await;
        let observed = own(&log, "observed");
        let all = names.iter().all(|name| observed.iter().any(|o| o["name"] == name.as_str()));
        (all && !own(&log, "baseline").is_empty()).then_some(log)
    })
    .await;
    let own_actions = log.values().map(|line| parsed(line)).filter(is_own).map(|r| r["event"]["Action"].as_str().unwrap().to_owned());
    // What the Engine still has of deaths is judged meanwhile.
    let actions: Vec<_> = own_actions.filter(|action| action != "tick").collect();
    assert_eq!(actions[..3], ["start", "connect", "gap"]);
    let (last, observed) = actions[3..].split_last().unwrap();
    assert!(observed.iter().all(|action| action == "observed") && last == "baseline", "{actions:?}");
    let baseline = &own(&log, "baseline")[0];
    let count = |list: &[&str]| engine.docker(list).lines().count() as u64;
    assert_eq!(number(baseline, "containers"), count(&["ps", "--all", "--quiet"]));
    assert_eq!(number(baseline, "networks"), count(&["network", "ls", "--quiet"]));
    assert_eq!(number(baseline, "images"), count(&["image", "ls", "--quiet"]));
    assert_eq!(number(baseline, "volumes"), count(&["volume", "ls", "--quiet"]));
    let kinds: Vec<_> = own(&log, "observed").iter().map(|o| o["kind"].as_str().unwrap().to_owned()).collect();
    assert!(["container", "network", "image"].iter().all(|kind| kinds.iter().any(|k| k == kind)), "{kinds:?}");
    let connect = &own(&log, "connect")[0];
    assert_eq!(connect["engine"], engine.docker(&["version", "--format", "{{.Server.Version}}"]).as_str());
    let gap = &own(&log, "gap")[0];
    assert_eq!((gap["reason"].as_str(), number(gap, "overlap")), (Some("first-contact"), 0));
    assert!(gap["from"].is_null(), "nobody knows since when: {gap}");
    for (name, state, code) in [("running", "running", "0"), ("exited", "exited", "4"), ("created", "created", "0")] {
        let records: Vec<_> = log
            .values()
            .map(|line| parsed(line))
            .filter(|r| r["event"]["Actor"]["Attributes"]["name"] == engine.name(name))
            .filter(is_own)
            .collect();
        assert_eq!(records.len(), 1, "{name}: once");
        let (id, observed) = (&records[0]["event"]["Actor"]["ID"], &records[0]["event"]["Actor"]["Attributes"]);
        assert_eq!(id.as_str().unwrap(), engine.docker(&["inspect", "--format", "{{.Id}}", &engine.name(name)]));
        let told = (observed["state"].as_str(), observed["exitCode"].as_str(), observed["image"].as_str());
        assert_eq!(told, (Some(state), Some(code), Some("busybox:test")), "{name}");
        assert_eq!(observed["startedAt"].is_string(), name != "created", "{observed}");
        assert_eq!(observed["finishedAt"].is_string(), name == "exited", "{observed}");
        assert_eq!(observed["hostile"].as_str(), (name == "running").then_some(HOSTILE));
    }
}
