//! Overflow, shutdown, failures, pings and observations.

use super::fake_daemon::FakeDaemon;
use super::*;
use serde_json::json;

#[tokio::test]
async fn what_the_queue_cannot_hold_is_counted_exactly() {
    let daemon = FakeDaemon::unix().await;
    let mut rig = Rig::start_with(&daemon.url(), quick(), 40);
    rig.expect_connected().await;
    rig.expect_replay_end(0).await;
    for n in 0..500 {
        daemon.emit(&old(n));
    }
    rig.wait_for("all were offered", |rig| rig.queue().offered == 500).await;
    let lost_so_far = rig.queue().lost;
    assert!(lost_so_far > 400, "{lost_so_far}");
    let (mut delivered, mut lost, mut overflows) = (0, 0, 0);
    while delivered + lost < 500 {
        match rig.next().await {
            Input::Event { .. } => delivered += 1,
            Input::Overflow { lost: more, from, until } => {
                assert!(from <= until);
                overflows += 1;
                lost += more;
            }
            other => panic!("{other:?}"),
        }
    }
    assert_eq!((delivered + lost, lost, overflows), (500, lost_so_far, 1));
    daemon.emit(&old(500));
    rig.expect_event(&old(500)).await;
}

#[tokio::test]
async fn shutdown_is_prompt_even_with_a_full_queue() {
    let daemon = FakeDaemon::unix().await;
    let mut rig = Rig::start_with(&daemon.url(), quick(), 20);
    rig.expect_connected().await;
    rig.expect_replay_end(0).await;
    for n in 0..50 {
        daemon.emit(&old(n));
    }
    rig.wait_for("all were offered", |rig| rig.queue().offered == 50).await;
    let asked = Instant::now();
    rig.stop.send(true).unwrap();
    (&mut rig.task).await.unwrap();
    assert!(asked.elapsed() < Duration::from_millis(200), "{:?}", asked.elapsed());
    let mut inputs = Vec::new();
    while rig.inbox.recv_many(&mut inputs, 100).await > 0 {}
    let last = inputs.pop().unwrap().input;
    assert_eq!(last, Input::Disconnected { reason: "shutdown".to_owned() });
    assert!(matches!(inputs.pop().unwrap().input, Input::Overflow { .. }));
}

#[tokio::test]
async fn shutdown_while_the_daemon_hangs_is_prompt_too() {
    let daemon = FakeDaemon::unix().await;
    daemon.set_hang(true);
    let mut rig = Rig::start(&daemon.url(), quick());
    rig.wait_for("a question", |_| daemon.count("/version") > 0).await;
    rig.stop.send(true).unwrap();
    tokio::time::timeout(Duration::from_millis(200), &mut rig.task).await.unwrap().unwrap();
    let mut inputs = Vec::new();
    assert_eq!(rig.inbox.recv_many(&mut inputs, 9).await, 0, "never connected, so nothing to tell: {inputs:?}");
}

#[tokio::test]
async fn says_what_is_wrong_and_connects_as_soon_as_it_is_mended() {
    let mut daemon = FakeDaemon::unix().await;
    daemon.remove_socket();
    let mut rig = Rig::start(&daemon.url(), quick());
    let hinted = |part: &'static str| move |rig: &Rig| rig.status.get().hint.is_some_and(|hint| hint.contains(part));
    rig.wait_for("missing", hinted("no Docker socket at")).await;
    daemon.listen().await;
    rig.expect_connected().await;
    assert_eq!(rig.status.get().state, SourceState::Connected);
    assert_eq!(rig.status.get().hint, None);
    daemon.refuse();
    rig.wait_for("refused", hinted("nothing listens on")).await;
    assert_eq!(rig.status.get().state, SourceState::Error);
    daemon.set_events_failure(Some((403, "forbidden by policy")));
    daemon.listen().await;
    rig.wait_for("forbidden", hinted("EVENTS=1")).await;
    assert!(rig.status.get().error.unwrap().contains("HTTP 403: forbidden by policy"));
    daemon.set_events_failure(None);
    rig.wait_for("connected again", |rig| rig.status.get().state == SourceState::Connected).await;
}

/// A daemon that is being stopped answers nothing either, and still sends how its containers end.
#[tokio::test]
async fn a_daemon_that_hangs_is_told_of_and_its_stream_kept() {
    let daemon = FakeDaemon::unix().await;
    let timing = Timing { ping_every: Duration::from_millis(30), ping_timeout: Duration::from_millis(100), ..quick() };
    let mut rig = Rig::start(&daemon.url(), timing);
    rig.expect_connected().await;
    rig.expect_replay_end(0).await;
    rig.wait_for("pings", |_| daemon.count("/_ping") > 3).await;
    assert_eq!(rig.status.get().state, SourceState::Connected);
    daemon.set_hang(true);
    rig.wait_for("an error", |rig| rig.status.get().error.is_some_and(|error| error.contains("no pings"))).await;
    daemon.emit(&old(1));
    rig.expect_event(&old(1)).await;
    daemon.set_hang(false);
    rig.wait_for("an answer", |rig| rig.status.get().state == SourceState::Connected).await;
    daemon.emit(&old(2));
    rig.expect_event(&old(2)).await;
    assert_eq!((rig.status.get().connects, rig.status.get().error), (1, None));
}

/// With ssh, each connection is a login.
#[tokio::test]
async fn questions_share_a_connection_until_it_is_gone() {
    let daemon = FakeDaemon::unix().await;
    let endpoint = DockerHost::parse(&daemon.url()).unwrap().endpoint;
    let engine = Engine::new(&endpoint, &quick()).unwrap();
    for _ in 0..3 {
        assert_eq!(engine.version().await, "28.0.0-fake");
    }
    assert_eq!((daemon.count("/version"), daemon.connected()), (3, 1));
    daemon.drop_connections();
    assert_eq!(engine.version().await, "28.0.0-fake");
    assert_eq!((daemon.count("/version"), daemon.connected()), (4, 2));
    // One whose answer was not waited for is not used again.
    daemon.set_hang(true);
    assert!(tokio::time::timeout(Duration::from_millis(20), engine.docker.ping()).await.is_err());
    daemon.set_hang(false);
    assert_eq!(engine.version().await, "28.0.0-fake");
    assert_eq!(daemon.connected(), 3);
}

#[tokio::test]
async fn nothing_but_gets_gets_through() {
    let daemon = FakeDaemon::unix().await;
    let endpoint = DockerHost::parse(&daemon.url()).unwrap().endpoint;
    let engine = Engine::new(&endpoint, &quick()).unwrap();
    let refused = engine.docker.stop_container("c1", None).await.unwrap_err().to_string();
    assert!(refused.contains("only GET"), "{refused}");
    assert_eq!(daemon.connected(), 0);
}

fn container(name: &str, status: &str, exit_code: i32) -> serde_json::Value {
    json!({"Id": name, "Name": format!("/{name}"), "Config": {"Image": "nginx:1", "Labels": {"tier": "web"}},
           "State": {"Status": status, "ExitCode": exit_code}})
}

#[tokio::test]
async fn observes_what_changed_since_it_looked_last() {
    let daemon = FakeDaemon::unix().await;
    daemon.set_containers(&[("c1", container("one", "running", 0)), ("c2", container("two", "running", 0))]);
    let mut rig = Rig::start(&daemon.url(), quick());
    rig.expect_connected().await;
    rig.expect_replay_end(0).await;
    let mut seen = Vec::new();
    for _ in 0..2 {
        let Input::Observed { event, .. } = rig.next().await else { panic!("no observation") };
        let view = event.view();
        assert_eq!((view.kind.as_deref(), view.action.as_deref()), (Some("recorder"), Some("observed")));
        assert_eq!((view.attribute("state"), view.attribute("tier")), (Some("running"), Some("web")));
        seen.push(view.actor_id.unwrap().into_owned());
    }
    seen.sort();
    assert_eq!(seen, ["c1", "c2"]);
    // An exit without an event, as with live-restore.
    daemon.set_containers(&[("c1", container("one", "running", 0)), ("c2", container("two", "exited", 6))]);
    daemon.restart();
    rig.expect_disconnected().await;
    rig.expect_connected().await;
    rig.expect_replay_end(0).await;
    let Input::Observed { event, .. } = rig.next().await else { panic!("no observation") };
    assert_eq!(event.view().attribute("exitCode"), Some("6"));
    daemon.emit(&old(1));
    rig.expect_event(&old(1)).await;
}

#[tokio::test]
async fn only_gets_are_sent() {
    let daemon = FakeDaemon::tcp().await;
    daemon.set_containers(&[("c1", container("one", "running", 0))]);
    let timing = Timing { ping_every: Duration::from_millis(20), ..quick() };
    let mut rig = Rig::start(&daemon.url(), timing);
    rig.expect_connected().await;
    rig.wait_for("every kind of request", |_| daemon.count("/containers/c1/json") > 0 && daemon.count("/_ping") > 0).await;
    daemon.drop_connections();
    rig.wait_for("a reconnect", |rig| rig.status.get().connects == 2).await;
    for request in daemon.requests() {
        assert!(request.starts_with("GET "), "{request}");
    }
    for path in ["/version", "/events", "/containers/json", "/containers/c1/json", "/_ping"] {
        assert!(daemon.count(path) > 0, "{path}: {:?}", daemon.requests());
    }
}

#[tokio::test]
async fn ends_when_the_recorder_is_gone() {
    let daemon = FakeDaemon::unix().await;
    let mut rig = Rig::start(&daemon.url(), quick());
    rig.expect_connected().await;
    let Rig { inbox, task, .. } = rig;
    drop(inbox);
    tokio::time::timeout(DEADLINE, task).await.unwrap().unwrap();
}
