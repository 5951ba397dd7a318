//! What breaks on a real Engine, told while it happens and again from the export, the same.

use super::versions::compose;
use super::{ENGINE, own, parsed, wait_for_connection};
use crate::dockerd::{Engine, IMAGE};
use crate::skipped::say;
use crate::support::{Ship, wait_for};
use serde_json::Value;
use std::cell::RefCell;
use std::path::Path;
use tempfile::TempDir;

async fn listed(ship: &Ship, query: &str) -> Value {
    let answer = ship.get(&format!("/api/v1/incidents?limit=1000&severity=notice{query}")).await;
    assert_eq!(answer.status(), 200, "{query}");
    answer.json().await.unwrap()
}

/// The incident of a subject; notices are none.
fn of<'a>(list: &'a Value, subject: &str) -> Option<&'a Value> {
    list["incidents"].as_array().unwrap().iter().find(|one| one["subject"] == subject && one["severity"] != "notice")
}

/// Somebody who looks on, and keeps each answer that differs from the one before it.
struct Witness<'a> {
    ship: &'a Ship,
    answers: RefCell<Vec<Value>>,
}

impl<'a> Witness<'a> {
    fn of(ship: &'a Ship) -> Self {
        Self { ship, answers: RefCell::default() }
    }

    async fn look(&self) -> Value {
        let list = listed(self.ship, "").await;
        let mut answers = self.answers.borrow_mut();
        if answers.last().is_none_or(|last| last["incidents"] != list["incidents"]) {
            answers.push(list.clone());
        }
        list
    }

    /// The incident of a subject, once `wanted` is true of it.
    async fn told(&self, subject: &str, about: &str, wanted: impl Fn(&Value) -> bool) -> Value {
        wait_for(&format!("{subject}: {about}"), async || of(&self.look().await, subject).filter(|one| wanted(one)).cloned()).await
    }

    /// What the log tells now as of each of these answers, and what its export tells elsewhere, is what was
    /// told then.
    async fn agrees_with_the_export(self, dir: &Path) {
        let all = self.look().await["incidents"].as_array().unwrap().len();
        let file = dir.join("export.jsonl");
        std::fs::write(&file, self.ship.get("/api/v1/export?trailer=1").await.bytes().await.unwrap()).unwrap();
        let copy = Ship::start_with(&dir.join("none"), &["--read-only", file.to_str().unwrap()]);
        let answers = self.answers.into_inner();
        for live in &answers {
            let at = format!("&at={}", live["as_of"].as_str().unwrap());
            let (later, again) = (listed(self.ship, &at).await, listed(&copy, &at).await);
            assert_eq!(again["incidents"], later["incidents"], "the export and the log{at}");
            assert_eq!(live["incidents"], again["incidents"], "then and now{at}");
        }
        say(&format!("{all} incidents and notices in {} answers, live and from the export", answers.len()));
    }
}

fn causes(incident: &Value) -> Vec<&str> {
    incident["cause"].as_array().unwrap().iter().map(|cause| cause["kind"].as_str().unwrap()).collect()
}

fn deploy(engine: &Engine, dir: &Path, project: &str, command: &str) {
    let service =
        format!("image: {IMAGE}\n    command: {command}\n    network_mode: none\n    restart: always\n    stop_grace_period: 1s\n");
    std::fs::write(dir.join("docker-compose.yml"), format!("version: '3'\nservices:\n  api:\n    {service}")).unwrap();
    compose(engine, dir, project, &["up", "--detach"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_breaks_is_told_while_it_happens_and_again_from_the_export() {
    let _alone = ENGINE.lock().await;
    let Some(engine) = Engine::given("broke") else { return };
    let dir = TempDir::new().unwrap();
    let ship = Ship::start(&dir.path().join("data"), &engine.url);
    wait_for_connection(&ship, 1).await;
    let witness = Witness::of(&ship);
    let name = |name: &str| engine.name(name);
    let is = |kind: &'static str| move |one: &Value| one["kind"] == kind;

    // One after the other: many at once would be one incident, which is another story.
    // A deploy that breaks a service, and the one that mends it.
    let project = engine.name("shop").replace('-', "");
    let api = format!("{project}/api");
    deploy(&engine, dir.path(), &project, "sleep 1000");
    deploy(&engine, dir.path(), &project, "sh -c 'exit 5'");
    let deployed = witness.told(&api, "a loop", is("crash-loop")).await;
    assert!(causes(&deployed).contains(&"deploy"), "{deployed}");
    deploy(&engine, dir.path(), &project, "sleep 2000");
    let mended = witness.told(&api, "mended", |one| one["state"] != "open").await;
    assert!(mended["actions"].as_array().unwrap().iter().any(|action| action["what"] == "recreate"), "{mended}");

    engine.run(0, "loop", &["--detach", "--restart", "always"], "exit 1");
    let looping = witness.told(&name("loop"), "a loop", is("crash-loop")).await;
    assert_eq!((&looping["severity"], &looping["state"]), (&"major".into(), &"open".into()), "{looping}");
    engine.run(0, "again", &["--detach", "--restart", "always"], "exit 2");
    witness.told(&name("again"), "a loop", is("crash-loop")).await;
    engine.docker(&["rm", "--force", &name("again")]);
    let removed = witness.told(&name("again"), "removed", |one| one["state"] == "closed").await;
    assert_eq!(removed["resolution"], "removed", "{removed}");

    engine.run(3, "once", &[], "sleep 1; exit 3");
    let once = witness.told(&name("once"), "a crash", is("crash")).await;
    assert_eq!((&once["counts"]["exit"]["3"], &once["counts"]["deaths"]), (&1.into(), &1.into()), "{once}");
    engine.run(137, "hungry", &["--memory", "16m"], "tail /dev/zero");
    let hungry = witness.told(&name("hungry"), "memory", is("oom")).await;
    assert!(causes(&hungry).contains(&"oom"), "{hungry}");
    engine.exits(127, &["run", "--name", &name("nope"), "--network", "none", IMAGE, "/usr/bin/nope"]);
    let of_engine = |one: &Value| one["kind"] == "start-failed" && one["cause"].to_string().contains("the Engine says");
    let refused = witness.told(&name("nope"), "a refused start with the Engine's words", of_engine).await;
    assert!(refused["cause"].to_string().contains("nope"), "{refused}");

    let probe = ["--detach", "--health-cmd", "test ! -f /ill", "--health-interval", "1s", "--health-retries", "1"];
    engine.run(0, "ill", &probe, "sleep 1000");
    engine.docker(&["exec", &name("ill"), "touch", "/ill"]);
    witness.told(&name("ill"), "ill health", is("unhealthy")).await;
    engine.docker(&["exec", &name("ill"), "rm", "/ill"]);
    witness.told(&name("ill"), "health again", |one| one["state"] != "open").await;

    // None of these is a failure.
    engine.run(0, "deaf", &["--detach"], "trap '' TERM; while :; do sleep 1; done");
    engine.run(0, "meek", &["--detach"], "trap 'exit 0' TERM; while :; do sleep 0.1; done");
    engine.docker(&["stop", "--time", "2", &name("deaf")]);
    engine.docker(&["stop", &name("meek")]);
    for number in 0..3 {
        engine.run(0, &format!("job{number}"), &["--rm"], "true");
    }
    let is_told = async || witness.look().await.to_string().contains(&name("deaf")).then_some(());
    wait_for("a notice of a stop that was not obeyed", is_told).await;
    let all = witness.look().await;
    for quiet in ["deaf", "meek", "job0", "job1", "job2"] {
        assert_eq!(of(&all, &name(quiet)), None, "{quiet}");
    }

    engine.docker(&["rm", "--force", &name("loop"), &name("ill")]);
    compose(&engine, dir.path(), &project, &["down"]);
    witness.told(&name("loop"), "removed", |one| one["state"] == "closed").await;
    witness.agrees_with_the_export(dir.path()).await;
}

/// Milliseconds between two events, by the daemon's clock.
fn millis(from: &Value, to: &Value) -> i64 {
    let time = |event: &Value| event["timeNano"].as_i64().unwrap();
    (time(to) - time(from)) / 1_000_000
}

/// The daemon waits longer before each attempt, from 0.1 s on and twice as long each time.
#[tokio::test(flavor = "multi_thread")]
async fn a_loop_is_followed_up_the_daemons_ladder() {
    let _alone = ENGINE.lock().await;
    let Some(engine) = Engine::given("ladder") else { return };
    let dir = TempDir::new().unwrap();
    let ship = Ship::start(&dir.path().join("data"), &engine.url);
    wait_for_connection(&ship, 1).await;
    let (witness, name) = (Witness::of(&ship), engine.name("steps"));
    engine.run(0, "steps", &["--detach", "--restart", "always"], "exit 7");
    // A death is judged 2 s after it. By then the fifth attempt has come: what is due is known from then on.
    let far = |one: &Value| one["counts"]["deaths"].as_u64() >= Some(5) && one["next_start"].is_string();
    let due = witness.told(&name, "when it is tried again", far).await;
    assert_eq!((&due["kind"], &due["severity"], &due["state"]), (&"crash-loop".into(), &"major".into(), &"open".into()), "{due}");
    let deaths = due["counts"]["deaths"].as_u64().unwrap();
    assert!(due["counts"]["exit"]["7"] == deaths && due["down"] == false, "{due}");
    witness.told(&name, "one more attempt", |one| one["counts"]["deaths"].as_u64() > Some(deaths)).await;
    engine.docker(&["stop", &name]);
    let stopped = witness.told(&name, "stopped while it waits", |one| one["state"] == "closed").await;
    assert_eq!((&stopped["resolution"], &stopped["confidence"]), (&"stopped".into(), &"complete".into()), "{stopped}");

    let log = ship.export("").await;
    let events: Vec<Value> = log.values().map(|line| parsed(line)["event"].clone()).collect();
    let of_it = |action: &str| -> Vec<&Value> {
        events.iter().filter(|event| event["Action"] == action && event["Actor"]["Attributes"]["name"] == name.as_str()).collect()
    };
    let (died, started) = (of_it("die"), of_it("start"));
    let waits: Vec<i64> = died.iter().zip(&started[1..]).map(|(died, started)| millis(died, started)).collect();
    for (wait, least) in waits.iter().zip([100, 200, 400, 800]) {
        assert!(*wait >= least * 9 / 10, "{least} ms: {waits:?}");
    }
    let next = chrono::DateTime::parse_from_rfc3339(due["next_start"].as_str().unwrap()).unwrap().timestamp_nanos_opt().unwrap();
    let next = serde_json::json!({ "timeNano": next });
    let late = millis(&next, started[usize::try_from(deaths).unwrap()]);
    assert!((-500..10_000).contains(&late), "said when it would be tried again, and it was {late} ms later: {waits:?}");
    witness.agrees_with_the_export(dir.path()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_network_that_was_taken_from_a_neighbour_comes_before_the_crash() {
    let _alone = ENGINE.lock().await;
    let Some(engine) = Engine::given("net") else { return };
    let dir = TempDir::new().unwrap();
    let ship = Ship::start(&dir.path().join("data"), &engine.url);
    wait_for_connection(&ship, 1).await;
    let witness = Witness::of(&ship);
    let [net, pg, api] = ["net", "pg", "api"].map(|name| engine.name(name));
    engine.docker(&["network", "create", &net]);
    let on = |name: &str, line: &str| engine.docker(&["run", "--detach", "--name", name, "--network", &net, IMAGE, "sh", "-c", line]);
    on(&pg, "trap 'exit 0' TERM; while :; do sleep 0.1; done");
    let address = engine.docker(&["inspect", "--format", "{{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}", &pg]);
    on(&api, &format!("while busybox ping -c 1 -W 5 {address} >/ping; do echo >/answered; sleep 0.1; done; exit 7"));
    wait_for("an answer of the neighbour", async || {
        let asked = engine.cli(&["exec", &api, "sh", "-c", "test -e /answered"]).output().unwrap();
        asked.status.success().then_some(())
    })
    .await;
    engine.docker(&["network", "disconnect", &net, &pg]);
    let down = witness.told(&api, "it stays down", |one| one["down"] == true).await;
    let said = format!("network {net} disconnected from {pg}");
    assert!(down["title"].as_str().unwrap().contains(&said), "{down}");
    assert_eq!((causes(&down), &down["severity"]), (vec!["network", "exit-code"], &"major".into()), "{down}");
    assert_eq!(of(&witness.look().await, &pg), None, "it has no trouble");
    engine.docker(&["rm", "--force", &api]);
    let removed = witness.told(&api, "removed", |one| one["state"] == "closed").await;
    assert_eq!(removed["resolution"], "removed", "{removed}");
    witness.agrees_with_the_export(dir.path()).await;
}

/// The containers live on, and the next daemon stops them.
#[tokio::test(flavor = "multi_thread")]
async fn a_daemon_that_is_killed_is_an_incident_of_its_host() {
    let Some(mut engine) = Engine::own("fell") else { return };
    let dir = TempDir::new().unwrap();
    let ship = Ship::start(&dir.path().join("data"), &engine.url);
    wait_for_connection(&ship, 1).await;
    let witness = Witness::of(&ship);
    let [kept, manual, mine] = ["kept", "manual", "mine"].map(|name| engine.name(name));
    let obeys = "trap 'exit 0' TERM; while :; do sleep 0.1; done";
    engine.run(0, "kept", &["--detach", "--restart", "always"], obeys);
    engine.run(0, "manual", &["--detach"], obeys);
    engine.run(0, "mine", &["--detach"], obeys);
    engine.docker(&["stop", &mine]);
    wait_for("all of it on record", async || ship.export("").await.values().any(|line| line.contains("\"stop\"")).then_some(())).await;

    engine.kill();
    wait_for("the disconnect", async || (!own(&ship.export("").await, "disconnect").is_empty()).then_some(())).await;
    assert_eq!(witness.look().await["incidents"], serde_json::json!([]), "nobody knows yet");
    engine.start().unwrap();
    let is_host = |one: &&Value| one["kind"] == "host";
    let host = async |about: &str, wanted: &dyn Fn(&Value) -> bool| {
        wait_for(about, async || {
            let list = witness.look().await;
            list["incidents"].as_array().unwrap().iter().find(is_host).filter(|one| wanted(one)).cloned()
        })
        .await
    };
    let told = host("that one stays down", &|one| one["down"] == true).await;
    assert_eq!((&told["severity"], &told["state"]), (&"critical".into(), &"open".into()), "{told}");
    assert!(told["title"].as_str().unwrap().contains("without stopping"), "{told}");
    let mut hit: Vec<&str> = told["subjects"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|part| part["role"] == "affected")
        .map(|part| part["key"].as_str().unwrap())
        .collect();
    hit.sort_unstable();
    assert_eq!(hit, [kept.as_str(), &manual], "an earlier stop is none of it: {told}");
    engine.docker(&["start", &manual]);
    let over = host("its end", &|one| one["state"] == "closed").await;
    assert_eq!((&over["id"], &over["resolution"]), (&told["id"], &"recovered".into()), "{over}");
    let all = witness.look().await;
    assert!([&kept, &manual, &mine].iter().all(|name| of(&all, name).is_none()), "one incident is enough: {all}");
    witness.agrees_with_the_export(dir.path()).await;
}

/// All containers are told to stop before the stream ends.
#[tokio::test(flavor = "multi_thread")]
async fn a_daemon_that_is_restarted_in_order_is_a_minor_incident() {
    let Some(mut engine) = Engine::own("order") else { return };
    let dir = TempDir::new().unwrap();
    let ship = Ship::start(&dir.path().join("data"), &engine.url);
    wait_for_connection(&ship, 1).await;
    let witness = Witness::of(&ship);
    for name in ["one", "two"] {
        engine.run(0, name, &["--detach", "--restart", "always"], "trap 'exit 0' TERM; while :; do sleep 0.1; done");
    }
    let ready = engine.name("ready");
    engine.docker(&["volume", "create", &ready]);
    super::log_up_to(&ship, &ready).await;
    engine.stop();
    engine.start().unwrap();
    let told = wait_for("what is told of the host", async || {
        let list = witness.look().await;
        list["incidents"].as_array().unwrap().iter().find(|one| one["kind"] == "host" && one["state"] == "closed").cloned()
    })
    .await;
    assert_eq!((&told["severity"], &told["resolution"]), (&"minor".into(), &"recovered".into()), "{told}");
    assert!(told["title"].as_str().unwrap().contains("it stopped 2 containers in good order"), "{told}");
    let all = witness.look().await;
    assert!(["one", "two"].iter().all(|name| of(&all, &engine.name(name)).is_none()), "{all}");
    witness.agrees_with_the_export(dir.path()).await;
}
