//! What cannot be had is a record in the log, with the reason.

use crate::fake_daemon::FakeDaemon;
use crate::support::{Ship, docker_line, wait_for};
use serde_json::Value;
use tempfile::TempDir;

/// `Action reason` of the recorder's records, and ids of the events, in order.
async fn story(ship: &Ship) -> Vec<String> {
    let lines = ship.export("").await;
    let tell = |line: &String| {
        let event = &serde_json::from_str::<Value>(line).unwrap()["event"];
        let detail = if event["Type"] == "recorder" { &event["Actor"]["Attributes"]["reason"] } else { &event["Actor"]["ID"] };
        format!("{} {}", event["Action"].as_str().unwrap(), detail.as_str().unwrap_or("-"))
    };
    lines.values().map(tell).collect()
}

async fn wait_for_story(ship: &Ship, end: &str) -> Vec<String> {
    wait_for(end, async || Some(story(ship).await).filter(|story| story.iter().any(|line| line == end))).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reconnect_is_judged_by_what_the_ring_still_holds() {
    let dir = TempDir::new().unwrap();
    let mut daemon = FakeDaemon::unix().await;
    let ship = Ship::start(dir.path(), &daemon.url());
    daemon.wait_for_subscribers(1).await;
    daemon.emit(&docker_line("container", "start", 1));
    wait_for_story(&ship, "gap first-contact").await;

    // Away for 10 events: the ring bridges it.
    daemon.refuse();
    (2..=11).for_each(|n| daemon.emit_to_ring(&docker_line("container", "start", n)));
    daemon.listen().await;
    let told = wait_for_story(&ship, "resumed -").await;
    assert!(!told.contains(&"gap ring-overflow".to_owned()));

    // Away for 300: more than the ring holds.
    daemon.refuse();
    (12..=311).for_each(|n| daemon.emit_to_ring(&docker_line("container", "start", n)));
    daemon.listen().await;
    wait_for_story(&ship, "gap ring-overflow").await;

    // A daemon that was restarted has an empty ring.
    daemon.restart();
    let told = wait_for_story(&ship, "gap daemon-restart").await;
    let events: Vec<_> = told.iter().filter_map(|line| line.strip_prefix("start c")).map(|n| n.parse::<u64>().unwrap()).collect();
    assert_eq!(events, (1..=11).chain(56..=311).collect::<Vec<_>>(), "what the ring held is there once; the 44 before it are the gap");
}

#[tokio::test(flavor = "multi_thread")]
async fn lines_that_are_no_events_are_told_and_the_next_one_is_recorded() {
    let dir = TempDir::new().unwrap();
    let daemon = FakeDaemon::tcp().await;
    let ship = Ship::start(dir.path(), &daemon.url());
    daemon.wait_for_subscribers(1).await;
    wait_for_story(&ship, "gap first-contact").await;
    for (n, garbage) in
        [(1, b"{\"Type\":\n".to_vec()), (2, b"\xff\xfe\n".to_vec()), (3, vec![b'x'; 3 * 1024 * 1024]), (4, b"[1,2]\n".to_vec())]
    {
        daemon.emit_raw(&garbage);
        daemon.emit_raw(b"\n");
        daemon.emit_in_chunks(&docker_line("pod", "start", n), 1);
        wait_for_story(&ship, &format!("start c{n}")).await;
    }
    let told = story(&ship).await;
    assert_eq!(told.iter().filter(|line| *line == "gap malformed").count(), 4, "{told:?}");
    let long = ship.json(r#"/api/v1/events?filters={"label":["bytes=3145728"]}"#).await;
    assert_eq!(long["records"].as_array().unwrap().len(), 1, "the length of the long line is told");
    assert!(daemon.requests().iter().all(|request| request.starts_with("GET ")), "{:?}", daemon.requests());
}
