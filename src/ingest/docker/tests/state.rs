//! Overflow, shutdown, failures, pings and observations.

use super::fake_daemon::FakeDaemon;
use super::*;
use crate::testing::within;
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
    rig.stop.stop();
    tokio::time::timeout(Duration::from_secs(3), &mut rig.task).await.expect("it waits for nobody").unwrap();
    let mut inputs = Vec::new();
    while within("the end", rig.receiver.recv_many(&mut inputs, 100)).await > 0 {}
    let last = inputs.pop().unwrap().input;
    assert_eq!(last, Input::Disconnected { reason: "shutdown".to_owned(), doubt: None });
    assert!(matches!(inputs.pop().unwrap().input, Input::Overflow { .. }));
}

#[tokio::test]
async fn shutdown_while_the_daemon_hangs_is_prompt_too() {
    let daemon = FakeDaemon::unix().await;
    daemon.set_hang(true);
    let mut rig = Rig::start(&daemon.url(), quick());
    rig.wait_for("a question", |_| daemon.count("/version") > 0).await;
    rig.stop.stop();
    tokio::time::timeout(Duration::from_secs(3), &mut rig.task).await.expect("it waits for nobody").unwrap();
    let mut inputs = Vec::new();
    assert_eq!(within("the end", rig.receiver.recv_many(&mut inputs, 9)).await, 0, "never connected, so nothing to tell: {inputs:?}");
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
async fn a_daemon_that_hangs_is_told_of_and_its_stream_read_until_there_is_another() {
    let daemon = FakeDaemon::unix().await;
    daemon.set_containers(&[]);
    let timing = Timing { ping_every: Duration::from_millis(30), ping_timeout: Duration::from_millis(100), ..quick() };
    let mut rig = Rig::start(&daemon.url(), timing);
    rig.expect_connected().await;
    rig.expect_replay_end(0).await;
    assert_eq!(rig.expect_observed().await, "baseline");
    rig.wait_for("pings", |_| daemon.count("/_ping") > 3).await;
    assert_eq!(rig.status.get().state, SourceState::Connected);
    daemon.set_hang(true);
    let reason = rig.expect_disconnected().await;
    assert!(reason.contains("no pings"), "{reason}");
    assert_eq!(rig.status.get().state, SourceState::Error);
    daemon.emit(&old(1));
    rig.expect_event(&old(1)).await;
    daemon.set_hang(false);
    assert!(rig.expect_connected().await.contains("no pings"));
    rig.expect_event(&old(1)).await;
    rig.expect_replay_end(1).await;
    daemon.emit(&old(2));
    rig.expect_event(&old(2)).await;
    assert_eq!((rig.status.get().connects, rig.status.get().error), (2, None));
}

/// It ends at last, and another is connected to.
#[tokio::test]
async fn a_daemon_that_hangs_and_ends_is_found_again() {
    let mut daemon = FakeDaemon::unix().await;
    let timing = Timing { ping_every: Duration::from_millis(30), ping_timeout: Duration::from_millis(100), ..quick() };
    let mut rig = Rig::start(&daemon.url(), timing);
    rig.expect_connected().await;
    rig.expect_replay_end(0).await;
    daemon.set_hang(true);
    rig.expect_disconnected().await;
    daemon.emit(&old(1));
    rig.expect_event(&old(1)).await;
    daemon.refuse();
    daemon.set_hang(false);
    daemon.restart();
    daemon.listen().await;
    rig.expect_connected().await;
    rig.expect_replay_end(0).await;
    daemon.emit(&old(2));
    rig.expect_event(&old(2)).await;
}

/// What moby does to a reader that stood still: the oldest of what waits is read, the rest is dropped, and
/// newer ones come again.
#[tokio::test]
async fn a_stream_from_which_events_may_be_missing_is_not_trusted() {
    let daemon = FakeDaemon::unix().await;
    daemon.set_containers(&[]);
    let mut rig = Rig::start(&daemon.url(), quick());
    rig.expect_connected().await;
    rig.expect_replay_end(0).await;
    rig.expect_observed().await;
    let first = live("in time");
    daemon.emit(&first);
    rig.expect_event(&first).await;
    let began = Timestamp::now().nanos() - 5_000_000_000;
    (0..1100).for_each(|n| daemon.emit(&die("late", began + n)));
    for n in 0..1100 {
        rig.expect_event(&die("late", began + n)).await;
    }
    let Input::Disconnected { reason, doubt } = rig.next().await else { panic!("trusted") };
    assert!(reason.contains("may have dropped"), "{reason}");
    assert_eq!(doubt.unwrap().lines, 1100);
    rig.expect_connected().await;
}

/// The end of a connection that nobody reads from, which a proxy may close, says nothing about what the
/// daemon had dropped before.
#[tokio::test]
async fn a_stream_that_ends_right_behind_late_lines_is_not_trusted_either() {
    let daemon = FakeDaemon::unix().await;
    let mut rig = Rig::start(&daemon.url(), quick());
    rig.expect_connected().await;
    rig.expect_replay_end(0).await;
    let first = live("in time");
    daemon.emit(&first);
    rig.expect_event(&first).await;
    let began = Timestamp::now().nanos() - 5_000_000_000;
    (0..1100).for_each(|n| daemon.emit(&die("late", began + n)));
    rig.wait_for("all were read", |rig| rig.queue().offered == 1101).await;
    daemon.drop_connections();
    for n in 0..1100 {
        rig.expect_event(&die("late", began + n)).await;
    }
    let Input::Disconnected { doubt, .. } = rig.next().await else { panic!("not ended") };
    assert_eq!(doubt.unwrap().lines, 1100);
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

pub(super) fn container(name: &str, status: &str, exit_code: i32) -> serde_json::Value {
    json!({"Id": name, "Name": format!("/{name}"), "Config": {"Image": "nginx:1", "Labels": {"tier": "web"}},
           "State": {"Status": status, "ExitCode": exit_code}})
}

/// `id state observation was` of what is observed, sorted, up to the end of the look.
pub(super) async fn observations(rig: &mut Rig, count: usize) -> Vec<String> {
    let mut seen = Vec::new();
    for _ in 0..count {
        let Input::Observed { event, .. } = rig.next_of_all().await else { panic!("no observation") };
        let view = event.view();
        assert_eq!((view.kind.as_deref(), view.action.as_deref()), (Some("recorder"), Some("observed")));
        let attributes = ["state", "exitCode", "observation", "was", "tier"].map(|key| view.attribute(key).unwrap_or("-").to_owned());
        seen.push(format!("{} {}", view.actor_id.unwrap(), attributes.join(" ")));
    }
    seen.sort();
    seen
}

pub(super) async fn expect_baseline(rig: &mut Rig, containers: &str) {
    let Input::Observed { event, .. } = rig.next_of_all().await else { panic!("no baseline") };
    let view = event.view();
    assert_eq!((view.action.as_deref(), view.attribute("containers")), (Some("baseline"), Some(containers)));
    assert_eq!(view.attribute("volumes"), None, "they could not be listed");
}

#[tokio::test]
async fn observes_everything_at_first_and_then_what_no_event_told() {
    let daemon = FakeDaemon::unix().await;
    let both = |second| [("c1", container("one", "running", 0)), ("c2", second)];
    daemon.set_containers(&both(container("two", "running", 0)));
    let mut rig = Rig::start(&daemon.url(), quick());
    rig.expect_connected().await;
    rig.expect_replay_end(0).await;
    assert_eq!(observations(&mut rig, 2).await, ["c1 running 0 baseline - web", "c2 running 0 baseline - web"]);
    expect_baseline(&mut rig, "2").await;
    // One exit with its event, one without, as with live-restore.
    let die = live("one").replace("f4", "c1").replace(r#""name""#, r#""exitCode":"6","name""#);
    daemon.emit(&die);
    rig.expect_event(&die).await;
    daemon.set_containers(&[("c1", container("one", "exited", 6)), ("c2", container("two", "exited", 7))]);
    daemon.restart();
    rig.expect_disconnected().await;
    rig.expect_connected().await;
    rig.expect_replay_end(0).await;
    assert_eq!(observations(&mut rig, 1).await, ["c2 exited 7 difference running web"]);
    daemon.set_containers(&[("c1", container("one", "exited", 6)), ("c3", container("three", "created", 0))]);
    daemon.restart();
    rig.expect_disconnected().await;
    rig.expect_connected().await;
    rig.expect_replay_end(0).await;
    assert_eq!(observations(&mut rig, 2).await, ["c2 removed - gone exited -", "c3 created 0 difference absent web"]);
    daemon.emit(&old(1));
    rig.expect_event(&old(1)).await;
}

#[tokio::test]
async fn looks_again_from_time_to_time() {
    let daemon = FakeDaemon::unix().await;
    daemon.set_containers(&[("c1", container("one", "running", 0))]);
    let timing = Timing { glance_every: Duration::from_millis(50), baseline_every: NEVER, ..quick() };
    let mut rig = Rig::start(&daemon.url(), timing);
    rig.expect_connected().await;
    rig.expect_replay_end(0).await;
    observations(&mut rig, 1).await;
    expect_baseline(&mut rig, "1").await;
    rig.wait_for("more looks", |_| daemon.count("/containers/json") > 3).await;
    assert_eq!(daemon.count("/containers/c1/json"), 1, "the list is enough while nothing differs");
    let start = live("one").replace("f4", "c1").replace("die", "start");
    daemon.emit(&start);
    rig.expect_event(&start).await;
    daemon.set_containers(&[("c1", container("one", "exited", 9))]);
    assert_eq!(observations(&mut rig, 1).await, ["c1 exited 9 difference running web"]);
    // The stream should have told, so it is not trusted any more. What the ring tells of earlier times is no
    // news.
    let reason = rig.expect_disconnected().await;
    assert!(reason.contains("did not tell"), "{reason}");
    rig.expect_connected().await;
    rig.expect_event(&start).await;
    rig.expect_replay_end(1).await;
    let looks = daemon.count("/containers/json");
    rig.wait_for("more looks", |_| daemon.count("/containers/json") > looks + 2).await;
    daemon.emit(&live("c9"));
    while let input = rig.next_of_all().await
        && !matches!(&input, Input::Event { .. })
    {
        assert!(!matches!(&input, Input::Observed { event, .. } if event.fields().actor_id == "c1"), "told again: {input:?}");
    }
}

/// A proxy that forbids looking forbids it each time.
#[tokio::test]
async fn what_cannot_be_seen_is_warned_of_once_a_connection() {
    let (said, _listening) = warnings();
    let daemon = FakeDaemon::unix().await;
    let timing = Timing { glance_every: Duration::from_millis(10), ..quick() };
    let mut rig = Rig::start(&daemon.url(), timing);
    let mut warnings = 0;
    for connection in 1..=2 {
        rig.expect_connected().await;
        let before = daemon.count("/containers/json");
        rig.wait_for("looks", |_| daemon.count("/containers/json") > before + 3).await;
        warnings += said.try_iter().filter(|line| line.contains("only events are recorded")).count();
        assert_eq!(warnings, connection);
        daemon.restart();
        rig.expect_replay_end(0).await;
        rig.expect_disconnected().await;
    }
}

/// What was lost is in no record, so only a baseline makes up for it; one that came to no end does not.
#[tokio::test]
async fn a_baseline_that_a_loss_asked_for_is_told_to_its_end() {
    let daemon = FakeDaemon::unix().await;
    daemon.set_containers(&[("c1", container("one", "running", 0)), ("f4", container("old", "exited", 0))]);
    let timing = Timing { glance_every: Duration::from_millis(50), baseline_every: NEVER, ..quick() };
    let mut rig = Rig::start_with(&daemon.url(), timing, 40);
    rig.expect_connected().await;
    rig.expect_replay_end(0).await;
    observations(&mut rig, 2).await;
    expect_baseline(&mut rig, "2").await;
    let inspected = daemon.count("/containers/c1/json");
    (0..500).for_each(|n| daemon.emit(&old(n)));
    rig.wait_for("the look that the loss asks for", |_| daemon.count("/containers/c1/json") > inspected).await;
    rig.wait_for("its last question", |_| daemon.count("/images/json") > 1).await;
    daemon.drop_connections();
    rig.wait_for("the end", |rig| rig.status.get().state == SourceState::Error).await;
    while !matches!(rig.next().await, Input::Disconnected { .. }) {}
    rig.expect_connected().await;
    let told = |input: &Input| matches!(input, Input::Observed { event, .. } if event.fields().action == "baseline");
    while !told(&rig.next_of_all().await) {}
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
    let Rig { receiver, task, .. } = rig;
    drop(receiver);
    tokio::time::timeout(DEADLINE, task).await.unwrap().unwrap();
}
