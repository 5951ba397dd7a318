//! The whole life of containers, networks and volumes, with a recorder that is killed twice meanwhile.

use super::followers::{Follower, follow_polling, follow_sse, follow_websocket, follower, page};
use super::{
    ENGINE, HOSTILE, ask, assert_in_order, assert_same_events, between, life, log_up_to, messages, number, own, parsed, shipslog,
    wait_for_connection, wait_for_listeners,
};
use crate::dockerd::{Background, Engine};
use crate::skipped::say;
use crate::support::{Ship, assert_dense, sequence, wait_for};
use serde_json::Value;
use std::time::{Duration, Instant};
use tempfile::TempDir;

#[tokio::test(flavor = "multi_thread")]
async fn every_reader_gets_the_whole_life() {
    let _alone = ENGINE.lock().await;
    let Some(engine) = Engine::given("life") else { return };
    let dir = TempDir::new().unwrap();
    // The daemon's own lines are the measure, command lines and all.
    let mut ship = Ship::start_with(dir.path(), &["--docker-host", &engine.url, "--redact", "none"]);
    let url = ship.url.clone();
    let wire = engine.wire();
    let reference = Background::start(&mut engine.cli(&["events", "--since", "0", "--format", "{{json .}}"]));
    let tail = Background::start(&mut shipslog(&url, &["tail", "--follow", "--since", "oldest", "-o", "json"]));
    let followers = [
        follower("SSE", |lines| follow_sse(url.clone(), lines)),
        follower("WebSocket", |lines| follow_websocket(url.clone(), lines)),
        follower("polling", |lines| follow_polling(url.clone(), lines)),
    ];
    let (begin, end) = (engine.name("begin"), engine.name("end"));
    wait_for_listeners(&engine, &[&wire, &reference]).await;
    wait_for_connection(&ship, 1).await;
    engine.docker(&["volume", "create", &begin]);
    log_up_to(&ship, &begin).await;

    let oom = live_first_part(&engine, &wire).await;
    // In the middle of a container's life.
    let mut running =
        Background::start(&mut engine.cli(&["run", "--name", &engine.name("cut"), "--network", "none", "busybox:test", "true"]));
    ship.kill();
    live_without_recorder(&engine);
    wait_for("the container's end", async || running.code()).await;
    ship.restart();
    wait_for_connection(&ship, 2).await;
    live_second_part(&engine).await;
    ship.kill();
    engine.docker(&["rm", "--force", &engine.name("renamed"), &engine.name("health")]);
    ship.restart();
    wait_for_connection(&ship, 3).await;
    live_third_part(&engine);
    engine.docker(&["volume", "create", &end]);

    let log = log_up_to(&ship, &end).await;
    let goal = *log.keys().next_back().unwrap();
    assert_eq!(log.keys().next(), Some(&1));
    assert_dense(&log);
    let expected: Vec<String> = log.values().cloned().collect();
    let up_to_goal = |lines: Vec<String>| lines.into_iter().take_while(|line| sequence(line) <= goal).collect::<Vec<_>>();
    let reached = |lines: &[String]| lines.last().is_some_and(|line| sequence(line) >= goal);
    for Follower { name, lines, task } in &followers {
        wait_for(name, async || {
            assert!(!task.is_finished(), "{name} failed, see above");
            reached(&lines.lock()).then_some(())
        })
        .await;
        assert!(up_to_goal(lines.lock().clone()) == expected, "{name}: missing, repeated or changed records");
    }
    wait_for("tail", async || reached(&tail.lines()).then_some(())).await;
    assert!(up_to_goal(tail.lines()) == expected, "tail: missing, repeated or changed records; {}", tail.err());

    let mut paged = Vec::new();
    let mut path = "/api/v1/events?limit=11".to_owned();
    loop {
        let (records, next) = page(&ship.get(&path).await.text().await.unwrap());
        paged.extend(records);
        let Some(next) = next else { break };
        path = format!("/api/v1/events?limit=11&cursor={next}");
    }
    let file = dir.path().join("backup.jsonl.zst");
    ask(&url, &["export", "--no-trailer", "-O", file.to_str().unwrap()]);
    let exported = String::from_utf8(zstd::decode_all(std::fs::File::open(file).unwrap()).unwrap()).unwrap();
    let queried = ask(&url, &["query", "-o", "json"]);
    for (what, lines) in [
        ("pages", paged),
        ("export", exported.lines().map(str::to_owned).collect()),
        ("query", queried.lines().map(str::to_owned).collect()),
    ] {
        assert!(up_to_goal(lines) == expected, "{what}: other records than the export over HTTP");
    }

    let ours = messages(&log);
    let ours = between(&ours, &begin, &end);
    let theirs = wait_for("the wire", async || Some(wire.lines()).filter(|lines| lines.iter().any(|line| line.contains(&end)))).await;
    assert_same_events(ours, between(&theirs, &begin, &end), "the daemon's own lines");
    let cli =
        wait_for("docker events", async || Some(reference.lines()).filter(|lines| lines.iter().any(|line| line.contains(&end)))).await;
    let meaning = |lines: &[String]| lines.iter().map(|line| parsed(line).to_string()).collect::<Vec<_>>();
    assert_same_events(&meaning(ours), &meaning(between(&cli, &begin, &end)), "docker events");

    let gaps = own(&log, "gap");
    assert!(gaps.len() == 1 && gaps[0]["reason"] == "first-contact", "{gaps:?}");
    let resumed = own(&log, "resumed");
    assert!(resumed.len() == 2 && resumed.iter().all(|r| number(r, "overlap") > 0), "{resumed:?}");
    assert_eq!(
        own(&log, "start").iter().skip(1).map(|r| r["last_stop"].as_str().unwrap().to_owned()).collect::<Vec<_>>(),
        ["unclean", "unclean"]
    );
    assert_lives(ours, &engine, oom);
    let (status, took) = ship.stop();
    assert!(status.success() && took < Duration::from_secs(10), "{status} after {took:?}");
}

/// Ends of all kinds, and labels of all kinds. Gives the name of the container that ran out of memory, if
/// this machine can.
async fn live_first_part(engine: &Engine, wire: &Background) -> Option<&'static str> {
    engine.run(0, "well", &["--label", &format!("hostile={HOSTILE}")], "exit 0");
    engine.run(3, "three", &["--label", &format!("long={}", "0123456789".repeat(2048))], "exit 3");
    engine.run(0, "killed", &["--detach"], "sleep 1000");
    engine.docker(&["kill", &engine.name("killed")]);
    engine.docker(&["wait", &engine.name("killed")]);
    let limited = engine.docker(&["info", "--format", "{{.MemoryLimit}}"]) == "true";
    if !limited {
        say("NOT TESTED: running out of memory; the Engine says that this kernel's cgroups cannot limit memory");
        return None;
    }
    // The container outlives the process that is killed: of one that is gone at once, dockerd may not tell
    // the `oom` any more, and on a busy machine a second may be at once. That the log holds what the daemon's
    // own lines hold is asserted in any case; so where it was missing, it was the daemon that had not told.
    for name in ["oom", "oom-again", "oom-at-last"] {
        engine.run(137, name, &["--memory", "8m"], "tail /dev/zero; code=$?; sleep 2; exit $code");
        let (full, began) = (format!("\"name\":\"{}\"", engine.name(name)), Instant::now());
        while began.elapsed() < Duration::from_secs(5) {
            if wire.lines().iter().any(|line| line.contains(r#""Action":"oom""#) && line.contains(&full)) {
                return Some(name);
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        say("the Engine tells nothing of a container that ran out of memory; trying again");
    }
    panic!("the Engine tells of nothing that runs out of memory")
}

fn live_without_recorder(engine: &Engine) {
    engine.run(5, "unseen", &["--label", &format!("hostile={HOSTILE}")], "exit 5");
    engine.docker(&["network", "create", &engine.name("net")]);
    engine.docker(&["volume", "create", &engine.name("vol")]);
}

async fn live_second_part(engine: &Engine) {
    let mount = format!("{}:/vol", engine.name("vol"));
    engine.run(0, "before", &["--detach", "--volume", &mount], "sleep 1000");
    engine.docker(&["exec", &engine.name("before"), "sh", "-c", "echo 'a: b' \"$0\"\nexit 0"]);
    engine.exits(9, &["exec", &engine.name("before"), "sh", "-c", "exit 9"]);
    engine.docker(&["pause", &engine.name("before")]);
    engine.docker(&["unpause", &engine.name("before")]);
    engine.docker(&["rename", &engine.name("before"), &engine.name("renamed")]);
    let health = ["--detach", "--health-cmd", "cat /ok", "--health-interval", "500ms", "--health-retries", "1"];
    engine.run(0, "health", &health, "touch /ok; sleep 1000");
    let status = |expected: &'static str| {
        wait_for(expected, async move || {
            let now = engine.docker(&["inspect", "--format", "{{.State.Health.Status}}", &engine.name("health")]);
            (now == expected).then_some(())
        })
    };
    status("healthy").await;
    engine.docker(&["exec", &engine.name("health"), "rm", "/ok"]);
    status("unhealthy").await;
}

fn live_third_part(engine: &Engine) {
    engine.docker(&["create", "--name", &engine.name("netted"), "--network", &engine.name("net"), "busybox:test", "sleep", "1000"]);
    engine.docker(&["start", &engine.name("netted")]);
    engine.docker(&["network", "disconnect", &engine.name("net"), &engine.name("netted")]);
    engine.docker(&["network", "connect", &engine.name("net"), &engine.name("netted")]);
    engine.docker(&["rm", "--force", &engine.name("netted"), &engine.name("three"), &engine.name("cut")]);
    engine.docker(&["network", "rm", &engine.name("net")]);
    engine.docker(&["volume", "rm", &engine.name("vol")]);
}

fn assert_lives(messages: &[String], engine: &Engine, oom: Option<&str>) {
    let of = |name: &str| life(messages, &engine.name(name));
    assert_in_order(&of("well"), &["create", "start", "die 0"]);
    assert_in_order(&of("three"), &["create", "start", "die 3", "destroy"]);
    assert_in_order(&of("killed"), &["create", "start", "kill"]);
    assert_in_order(&of("killed"), &["create", "start", "die 137"]);
    assert_in_order(&of("cut"), &["create", "start", "die 0", "destroy"]);
    assert_in_order(&of("unseen"), &["create", "start", "die 5"]);
    if let Some(name) = oom {
        assert_in_order(&of(name), &["create", "start", "oom"]);
        assert_in_order(&of(name), &["create", "start", "die 137"]);
    }
    assert_in_order(
        &of("before"),
        &["create", "start", "exec_create: sh -c exit 9", "exec_start: sh -c exit 9", "exec_die", "pause", "unpause"],
    );
    assert_in_order(&of("renamed"), &["rename", "die 137", "destroy"]);
    assert_in_order(
        &of("health"),
        &["start", "health_status: healthy", "exec_create: rm /ok", "health_status: unhealthy", "die 137", "destroy"],
    );
    assert_in_order(&of("netted"), &["create", "start", "die 137", "destroy"]);
    let events: Vec<Value> = messages.iter().map(|line| parsed(line)).collect();
    let actions = |kind: &str, key: &str, value: &str| {
        let of_kind = events.iter().filter(|e| e["Type"] == kind && (e["Actor"][key] == value || e["Actor"]["Attributes"][key] == value));
        of_kind.map(|e| e["Action"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    assert_in_order(
        &actions("network", "name", &engine.name("net")),
        &["create", "connect", "disconnect", "connect", "disconnect", "destroy"],
    );
    assert_in_order(&actions("volume", "ID", &engine.name("vol")), &["create", "mount", "unmount", "destroy"]);
    for name in ["well", "unseen"] {
        let labels =
            events.iter().filter(|e| e["Actor"]["Attributes"]["name"] == engine.name(name)).map(|e| &e["Actor"]["Attributes"]["hostile"]);
        assert!(labels.clone().count() > 2 && labels.clone().all(|label| label == HOSTILE), "{:?}", labels.collect::<Vec<_>>());
    }
    assert!(events.iter().any(|e| e["Actor"]["Attributes"]["long"].as_str().is_some_and(|label| label.len() == 20_480)));
    assert!(events.iter().any(|e| e["Action"].as_str().unwrap().contains("echo 'a: b' \"$0\"\nexit 0")), "a command of two lines");
}
