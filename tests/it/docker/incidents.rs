//! What breaks on a real Engine, told while it happens and again from the export, the same.

use super::versions::compose;
use super::{ENGINE, wait_for_connection};
use crate::dockerd::{Engine, IMAGE};
use crate::skipped::say;
use crate::support::{Ship, wait_for};
use serde_json::Value;
use std::path::Path;
use tempfile::TempDir;

async fn listed(ship: &Ship, query: &str) -> Value {
    let answer = ship.get(&format!("/api/v1/incidents?limit=1000{query}")).await;
    assert_eq!(answer.status(), 200, "{query}");
    answer.json().await.unwrap()
}

fn of<'a>(list: &'a Value, subject: &str) -> Option<&'a Value> {
    list["incidents"].as_array().unwrap().iter().find(|one| one["subject"] == subject)
}

/// The incident of a subject, once `wanted` is true of it.
async fn told(ship: &Ship, subject: &str, about: &str, wanted: impl Fn(&Value) -> bool) -> Value {
    wait_for(&format!("{subject}: {about}"), async || of(&listed(ship, "").await, subject).filter(|one| wanted(one)).cloned()).await
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
    let Some(engine) = Engine::given("broke") else { return };
    let _alone = ENGINE.lock().await;
    let dir = TempDir::new().unwrap();
    let ship = Ship::start(&dir.path().join("data"), &engine.url);
    wait_for_connection(&ship, 1).await;
    let name = |name: &str| engine.name(name);
    let is = |kind: &'static str| move |one: &Value| one["kind"] == kind;

    // One after the other: many at once would be one incident, which is another story.
    // A deploy that breaks a service, and the one that mends it.
    let project = engine.name("shop").replace('-', "");
    let api = format!("{project}/api");
    deploy(&engine, dir.path(), &project, "sleep 1000");
    deploy(&engine, dir.path(), &project, "sh -c 'exit 5'");
    let deployed = told(&ship, &api, "a loop", is("crash-loop")).await;
    assert!(causes(&deployed).contains(&"deploy"), "{deployed}");
    deploy(&engine, dir.path(), &project, "sleep 2000");
    let mended = told(&ship, &api, "mended", |one| one["state"] != "open").await;
    assert!(mended["actions"].as_array().unwrap().iter().any(|action| action["what"] == "recreate"), "{mended}");

    engine.run(0, "loop", &["--detach", "--restart", "always"], "exit 1");
    let looping = told(&ship, &name("loop"), "a loop", is("crash-loop")).await;
    assert_eq!((&looping["severity"], &looping["state"]), (&"major".into(), &"open".into()), "{looping}");
    engine.run(0, "again", &["--detach", "--restart", "always"], "exit 2");
    told(&ship, &name("again"), "a loop", is("crash-loop")).await;
    engine.docker(&["rm", "--force", &name("again")]);
    let removed = told(&ship, &name("again"), "removed", |one| one["state"] == "closed").await;
    assert_eq!(removed["resolution"], "removed", "{removed}");

    engine.run(3, "once", &[], "sleep 1; exit 3");
    let once = told(&ship, &name("once"), "a crash", is("crash")).await;
    assert_eq!((&once["counts"]["exit"]["3"], &once["counts"]["deaths"]), (&1.into(), &1.into()), "{once}");
    engine.run(137, "hungry", &["--memory", "16m"], "tail /dev/zero");
    let hungry = told(&ship, &name("hungry"), "memory", is("oom")).await;
    assert!(causes(&hungry).contains(&"oom"), "{hungry}");
    engine.exits(127, &["run", "--name", &name("nope"), "--network", "none", IMAGE, "/usr/bin/nope"]);
    let of_engine = |one: &Value| one["kind"] == "start-failed" && one["cause"].to_string().contains("the Engine says");
    let refused = told(&ship, &name("nope"), "a refused start with the Engine's words", of_engine).await;
    assert!(refused["cause"].to_string().contains("nope"), "{refused}");

    let probe = ["--detach", "--health-cmd", "test ! -f /ill", "--health-interval", "1s", "--health-retries", "1"];
    engine.run(0, "ill", &probe, "sleep 1000");
    engine.docker(&["exec", &name("ill"), "touch", "/ill"]);
    told(&ship, &name("ill"), "ill health", is("unhealthy")).await;
    engine.docker(&["exec", &name("ill"), "rm", "/ill"]);
    told(&ship, &name("ill"), "health again", |one| one["state"] != "open").await;

    // None of these is a failure.
    engine.run(0, "deaf", &["--detach"], "trap '' TERM; while :; do sleep 1; done");
    engine.run(0, "meek", &["--detach"], "trap 'exit 0' TERM; while :; do sleep 0.1; done");
    engine.docker(&["stop", "--time", "2", &name("deaf")]);
    engine.docker(&["stop", &name("meek")]);
    for number in 0..3 {
        engine.run(0, &format!("job{number}"), &["--rm"], "true");
    }
    let is_told = async || listed(&ship, "&severity=notice").await.to_string().contains(&name("deaf")).then_some(());
    wait_for("a notice of a stop that was not obeyed", is_told).await;
    let all = listed(&ship, "").await;
    for quiet in ["deaf", "meek", "job0", "job1", "job2"] {
        assert_eq!(of(&all, &name(quiet)), None, "{quiet}");
    }

    // From the export, as of the same time.
    engine.docker(&["rm", "--force", &name("loop"), &name("ill")]);
    compose(&engine, dir.path(), &project, &["down"]);
    wait_for("the end", async || (of(&listed(&ship, "").await, &name("loop"))?["state"] == "closed").then_some(())).await;
    let file = dir.path().join("export.jsonl");
    std::fs::write(&file, ship.get("/api/v1/export?trailer=1").await.bytes().await.unwrap()).unwrap();
    let copy = Ship::start_with(&dir.path().join("none"), &["--read-only", file.to_str().unwrap()]);
    let now = listed(&ship, "").await["as_of"].as_str().unwrap().to_owned();
    let (live, again) = (listed(&ship, &format!("&at={now}")).await, listed(&copy, &format!("&at={now}")).await);
    assert_eq!(live["incidents"], again["incidents"]);
    say(&format!("{} incidents, live and from the export", live["incidents"].as_array().unwrap().len()));
}
