//! What is read, and where the replay ends.

use super::fake_daemon::FakeDaemon;
use super::*;
use crate::ingest::Malformed;

#[tokio::test]
async fn garbage_between_events_is_told_and_passed_over() {
    let daemon = FakeDaemon::unix().await;
    let mut rig = Rig::start(&daemon.url(), quick());
    assert_eq!(rig.expect_connected().await, "start");
    rig.expect_replay_end(0).await;
    let (first, pod, last) = (live("a"), r#"{"Type":"pod","Action":"new","x":[1]}"#, live("b"));
    daemon.emit(&first);
    daemon.emit_raw(b"\n\r\n   \n");
    daemon.emit_raw(b"{\"Type\":\"cont\x1b\n");
    daemon.emit_raw(b"\xff\xfe\n[1,2]\n");
    daemon.emit(pod);
    let long = vec![b'z'; 3 << 20];
    for piece in long.chunks(64 << 10) {
        daemon.emit_raw(piece);
    }
    daemon.emit_raw(b"\n");
    daemon.emit(&last);
    rig.expect_event(&first).await;
    for (length, part) in [(14, "JSON object"), (2, "UTF-8"), (5, "JSON object")] {
        match rig.next().await {
            Input::Malformed(Malformed { bytes, why, sample, .. }) => {
                assert_eq!(bytes, length);
                assert!(why.contains(part), "{why}");
                assert!(!sample.contains('\x1b'), "{sample:?}");
            }
            other => panic!("{other:?} instead of Malformed"),
        }
    }
    rig.expect_event(pod).await;
    match rig.next().await {
        Input::Malformed(Malformed { bytes, why, sample, .. }) => {
            assert_eq!((bytes, sample.len()), (3 << 20, 200));
            assert!(why.contains("longer than"), "{why}");
        }
        other => panic!("{other:?} instead of Malformed"),
    }
    rig.expect_event(&last).await;
    assert_eq!(rig.status.get().events, 3);
}

#[tokio::test]
async fn chunks_of_one_byte_over_tcp() {
    let daemon = FakeDaemon::tcp().await;
    let mut rig = Rig::start(&daemon.url(), quick());
    rig.expect_connected().await;
    rig.expect_replay_end(0).await;
    let (a, b) = (live("käse"), live("b"));
    daemon.emit_in_chunks(&a, 1);
    daemon.emit_raw(b"\x1e");
    daemon.emit_in_chunks(&b, 1);
    rig.expect_event(&a).await;
    rig.expect_event(&b).await;
}

#[tokio::test]
async fn reconnects_and_reads_everything_again() {
    let daemon = FakeDaemon::unix().await;
    daemon.emit(&old(1));
    let mut rig = Rig::start(&daemon.url(), quick());
    rig.expect_connected().await;
    rig.expect_event(&old(1)).await;
    rig.expect_replay_end(1).await;
    daemon.emit(&old(2));
    rig.expect_event(&old(2)).await;
    daemon.end_streams();
    let reason = rig.expect_disconnected().await;
    assert!(reason.contains("closed the event stream"), "{reason}");
    assert_eq!(rig.expect_connected().await, reason);
    rig.expect_event(&old(1)).await;
    rig.expect_event(&old(2)).await;
    rig.expect_replay_end(2).await;
    daemon.drop_connections();
    let reason = rig.expect_disconnected().await;
    assert!(reason.contains("closed the event stream"), "{reason}");
    rig.expect_connected().await;
    assert_eq!(rig.status.get().connects, 3);
    let events: Vec<String> = daemon.requests().into_iter().filter(|line| line.contains("/events")).collect();
    assert_eq!(events, ["GET /events?since=0 HTTP/1.1"; 3]);
}

#[tokio::test]
async fn a_last_line_without_its_end_is_not_dropped() {
    let daemon = FakeDaemon::unix().await;
    let mut rig = Rig::start(&daemon.url(), quick());
    rig.expect_connected().await;
    rig.expect_replay_end(0).await;
    daemon.emit_raw(old(1).as_bytes());
    daemon.end_streams();
    rig.expect_event(&old(1)).await;
    rig.expect_disconnected().await;
    rig.expect_connected().await;
    rig.expect_replay_end(0).await;
    daemon.emit_raw(br#"{"Type":"conta"#);
    daemon.end_streams();
    assert!(matches!(rig.next().await, Input::Malformed(Malformed { bytes: 14, .. })));
    rig.expect_disconnected().await;
}

#[tokio::test]
async fn the_replay_ends_with_silence() {
    let daemon = FakeDaemon::unix().await;
    daemon.emit(&old(5));
    daemon.emit(&old(3));
    let mut rig = Rig::start(&daemon.url(), quick());
    rig.expect_connected().await;
    rig.expect_event(&old(5)).await;
    rig.expect_event(&old(3)).await;
    assert_eq!(rig.expect_replay_end(2).await, Some(Timestamp::from_nanos(1_600_000_000_000_000_003)));
}

#[tokio::test]
async fn the_replay_ends_before_the_first_live_event() {
    let daemon = FakeDaemon::unix().await;
    daemon.emit(&old(1));
    let mut rig = Rig::start(&daemon.url(), Timing { replay_quiet: NEVER, ..quick() });
    rig.expect_connected().await;
    rig.expect_event(&old(1)).await;
    let (late, live, later) = (old(2), live("live"), old(3));
    daemon.emit(&late);
    daemon.emit(&live);
    daemon.emit(&later);
    rig.expect_event(&late).await;
    rig.expect_replay_end(2).await;
    rig.expect_event(&live).await;
    rig.expect_event(&later).await;
}

#[tokio::test]
async fn the_replay_ends_after_a_full_ring() {
    let daemon = FakeDaemon::unix().await;
    for n in 0..300 {
        daemon.emit(&old(n));
    }
    let mut rig = Rig::start(&daemon.url(), Timing { replay_quiet: NEVER, ..quick() });
    rig.expect_connected().await;
    for n in 44..300 {
        rig.expect_event(&old(n)).await;
    }
    daemon.emit(&old(300));
    rig.expect_replay_end(RING_LINES.into()).await;
    rig.expect_event(&old(300)).await;
}

#[tokio::test]
async fn podmans_history_comes_whole_before_its_stream() {
    let daemon = FakeDaemon::unix().await;
    daemon.set_libpod((0..1000).map(old).collect());
    let mut rig = Rig::start(&daemon.url(), Timing { replay_quiet: NEVER, ..quick() });
    rig.expect_connected().await;
    for n in 0..1000 {
        rig.expect_event(&old(n)).await;
    }
    rig.expect_replay_end(1000).await;
    let live = live("live");
    daemon.emit(&live);
    rig.expect_event(&live).await;
    daemon.drop_connections();
    rig.expect_disconnected().await;
    rig.expect_connected().await;
    rig.expect_event(&live).await;
    rig.expect_replay_end(1).await;
    let asked: Vec<String> = daemon.requests().into_iter().filter(|line| line.contains("/events")).collect();
    let again = asked.last().unwrap();
    assert!(
        asked[..3] == ["GET /events?since=0 HTTP/1.1", "GET /events HTTP/1.1", "GET /events?since=0&stream=false HTTP/1.1"],
        "{asked:?}"
    );
    assert!(again.contains("stream=false") && !again.contains("since=0&"), "not all of it again: {again}");
}

/// Its stream is read all the same.
#[tokio::test]
async fn a_history_that_breaks_off_proves_nothing() {
    let daemon = FakeDaemon::unix().await;
    daemon.set_libpod((0..100).map(old).collect());
    daemon.set_cut_history(Some(50));
    let mut rig = Rig::start(&daemon.url(), quick());
    rig.expect_connected().await;
    for n in 0..50 {
        rig.expect_event(&old(n)).await;
    }
    rig.expect_replay_lost("closed the event stream").await;
    let live = live("live");
    daemon.emit(&live);
    rig.expect_event(&live).await;
    assert_eq!((rig.status.get().state, rig.status.get().connects), (SourceState::Connected, 1));
}

#[tokio::test]
async fn a_history_that_is_refused_or_hangs_does_not_stop_the_stream() {
    let daemon = FakeDaemon::unix().await;
    daemon.set_libpod(vec![old(1)]);
    daemon.set_failing_history(true);
    let mut rig = Rig::start(&daemon.url(), quick());
    rig.expect_connected().await;
    rig.expect_replay_lost("HTTP 500: no journal").await;
    let (first, second) = (live("one"), live("two"));
    daemon.emit(&first);
    rig.expect_event(&first).await;
    daemon.set_failing_history(false);
    daemon.set_hanging_history(true);
    daemon.end_streams();
    rig.expect_disconnected().await;
    rig.expect_connected().await;
    daemon.wait_for_subscribers(1).await;
    daemon.emit(&second);
    rig.expect_replay_lost("no answer within").await;
    rig.expect_event(&second).await;
    assert_eq!((rig.status.get().state, rig.status.get().connects), (SourceState::Connected, 2));
}

/// Podman without an events logger, and some proxies.
#[tokio::test]
async fn a_stream_that_ends_at_once_each_time_is_no_connection() {
    let daemon = FakeDaemon::unix().await;
    daemon.set_containers(&[]);
    // The first one has to be alive when it is looked at, all others to end within the waits of `timing`.
    daemon.set_stream_life(Some(Duration::from_millis(30)));
    let timing = Timing {
        retry_first: Duration::from_millis(300),
        retry_max: Duration::from_millis(400),
        retry_restless: Duration::from_millis(400),
        look_again: NEVER,
        ..quick()
    };
    let mut rig = Rig::start(&daemon.url(), timing);
    assert_eq!(rig.expect_connected().await, "start");
    let reason = rig.expect_disconnected().await;
    rig.wait_for("more attempts", |_| daemon.count("/events") > 4).await;
    assert_eq!((rig.status.get().state, rig.status.get().connects), (SourceState::Error, 1));
    assert!(rig.status.get().hint.unwrap().contains("events_logger"), "{:?}", rig.status.get());
    // What it brings at last is told, under a connection.
    daemon.emit(&old(7));
    assert_eq!(rig.next().await, Input::Connected { engine: "28.0.0-fake".to_owned(), reason, attempts: attempts(&daemon) });
    rig.expect_event(&old(7)).await;
    rig.expect_disconnected().await;
    let asked = daemon.count("/events");
    daemon.set_stream_life(None);
    let Input::Connected { attempts, .. } = rig.next().await else { panic!("not connected") };
    assert!(attempts >= 1, "{asked}");
    rig.expect_event(&old(7)).await;
    rig.expect_replay_end(1).await;
    assert!(daemon.count("/containers/json") <= 1, "looked at again and again");
}

/// All but those of the first connection.
fn attempts(daemon: &FakeDaemon) -> u64 {
    daemon.count("/events") as u64 - 1
}
