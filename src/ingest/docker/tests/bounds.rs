//! What a daemon can make the source hold, ask and wait for has an end. Hours pass in virtual time.

use super::super::ask::{AskError, Limits, Question, ask_for_one};
use super::super::connection::Connection;
use super::super::probation::{MAX_HELD_BYTES, prove};
use super::super::transport::Transport;
use super::super::wire::{EVENTS, EventStream};
use super::fake_daemon::FakeDaemon;
use super::large::baseline;
use super::*;
use crate::ingest::endpoint::Endpoint;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio_util::task::AbortOnDropHandle;

fn endpoint(url: &str) -> Endpoint {
    DockerHost::parse(url).unwrap().endpoint
}

/// A container whose one label has so many bytes, as the list shows it.
fn labelled(bytes: usize) -> String {
    format!(r##"{{"Id":"#","Names":["/a"],"State":"running","Labels":{{"x":"{}"}}}},"##, "x".repeat(bytes))
}

#[tokio::test]
async fn a_list_is_read_no_further_than_its_bound() {
    let daemon = FakeDaemon::unix().await;
    daemon.set_large("/containers/json", "[", &labelled(1 << 20), 1000, "{}]");
    daemon.set_large("/containers/*", "no inspection", "", 0, "");
    let mut rig = Rig::start(&daemon.url(), quick());
    rig.expect_connected().await;
    let (told, things) = baseline(&mut rig).await;
    assert_eq!(told["containers_cut"], "true", "{told}");
    // 128 MiB of them, but for what stands around the label.
    assert_eq!((things.len(), &told["containers"]), (127, &"127".into()), "{told}");
    assert!(told.get("containers_left_out").is_none(), "how many there are beyond is not known: {told}");
}

#[tokio::test]
async fn what_is_kept_of_lists_has_a_bound_and_so_has_what_is_inspected() {
    let daemon = FakeDaemon::unix().await;
    daemon.set_large("/containers/json", "[", &labelled(60_000), 1300, "{}]");
    daemon.set_large("/containers/*", "no inspection", "", 0, "");
    let mut rig = Rig::start_with(&daemon.url(), quick(), 100_000);
    rig.expect_connected().await;
    let (told, things) = baseline(&mut rig).await;
    let count = |key: &str| told[key].as_str().map_or(0, |text| text.parse::<usize>().unwrap());
    assert!((1000..1150).contains(&things.len()) && count("containers") == things.len(), "{told}");
    assert_eq!(count("containers") + count("containers_left_out"), 1301, "{told}");
    assert_eq!(count("not_inspected"), things.len(), "{told}");
    let inspected = daemon.requests().iter().filter(|line| line.starts_with("GET /containers/0")).count();
    assert_eq!(inspected, MAX_CONTAINERS);
}

#[tokio::test]
async fn a_stream_with_much_to_say_is_not_on_probation() {
    let daemon = FakeDaemon::unix().await;
    let long = old(1).replace("old", &"x".repeat(200_000));
    (0..100).for_each(|_| daemon.emit_to_ring(&long));
    let timing = quick();
    let connection = Connection::open(&Dialer::new(&endpoint(&daemon.url()), &timing)).await.unwrap();
    let mut stream = EventStream::open(connection, EVENTS, &timing).await.unwrap();
    // Nothing of it is news.
    let proved = tokio::time::timeout(DEADLINE, prove(&mut stream, NEVER, Some(Timestamp::MAX))).await.unwrap().unwrap();
    let held: usize = proved.iter().map(bytes::Bytes::len).sum();
    assert!((MAX_HELD_BYTES..MAX_HELD_BYTES + (1 << 20)).contains(&held), "{held}");
}

/// Each piece of it comes in time.
#[tokio::test(start_paused = true)]
async fn an_answer_that_never_ends_is_given_up() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("docker.sock");
    let listener = tokio::net::UnixListener::bind(&path).unwrap();
    let _dripping = AbortOnDropHandle::new(tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        let _ = stream.read(&mut [0; 4096]).await;
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n").await;
        let mut drip = tokio::time::interval(Duration::from_secs(1));
        while stream.write_all(b"1\r\n \r\n").await.is_ok() {
            drip.tick().await;
        }
    }));
    let transport = Transport::new(&endpoint(&format!("unix://{}", path.display())), &quick());
    let began = Instant::now();
    let limits = Limits { bytes: 1 << 20, entry_bytes: 1 << 20 };
    let answer = ask_for_one(&transport, Question::plain("/version"), limits).await;
    assert!(matches!(answer, Err(AskError::Failed { source: IngestError::Timeout { .. }, .. })), "{answer:?}");
    assert!((20..25).contains(&began.elapsed().as_secs()), "{:?}", began.elapsed());
}

#[tokio::test(start_paused = true)]
async fn a_history_that_never_ends_is_given_up() {
    let daemon = FakeDaemon::unix().await;
    daemon.set_libpod(vec![old(1)]);
    daemon.set_dripping_history(true);
    let mut rig = Rig::start(&daemon.url(), quick());
    rig.expect_connected().await;
    let began = Instant::now();
    rig.expect_event(&old(1)).await;
    for _ in 0..59 {
        rig.expect_event(r#"{"Type":"drip"}"#).await;
    }
    rig.expect_replay_lost("no answer within").await;
    assert!((59..62).contains(&began.elapsed().as_secs()), "{:?}", began.elapsed());
    let live = live("live");
    daemon.emit(&live);
    rig.expect_event(&live).await;
}

#[tokio::test(start_paused = true)]
async fn a_daemon_that_answers_500_for_ever_is_asked_less_and_less_often() {
    let (said, _listening) = warnings();
    let daemon = FakeDaemon::unix().await;
    daemon.set_events_failure(Some((500, &format!("no events: {}", "x".repeat(1 << 20)))));
    let mut rig = Rig::start(&daemon.url(), Timing::default());
    tokio::time::sleep(Duration::from_secs(1)).await;
    let at_first = daemon.count("/events");
    assert!((3..12).contains(&at_first), "{at_first}");
    tokio::time::sleep(Duration::from_secs(3600)).await;
    // Each half a minute, or sooner by half of it.
    let attempts = daemon.count("/events") - at_first;
    assert!((120..260).contains(&attempts), "{attempts}");
    let told: Vec<String> = said.try_iter().collect();
    assert!(told.len() == 1 && told[0].len() < 4096, "{} warnings", told.len());
    let error = rig.status.get().error.unwrap();
    assert!(error.contains("HTTP 500") && error.chars().count() <= 1000, "{error}");
    assert_eq!(rig.queue().offered, 0, "nothing to record");
    daemon.set_events_failure(None);
    tokio::time::sleep(Duration::from_secs(30)).await;
    assert_eq!(rig.expect_connected().await, "start");
}

#[tokio::test]
async fn a_reset_in_the_middle_of_a_line_is_an_end_like_any_other() {
    let daemon = FakeDaemon::tcp().await;
    daemon.set_reset(true);
    let mut rig = Rig::start(&daemon.url(), quick());
    rig.expect_connected().await;
    rig.expect_replay_end(0).await;
    daemon.emit(&old(1));
    rig.expect_event(&old(1)).await;
    daemon.emit_to_ring(&old(2));
    // Part of a line, which comes again, whole; and one that shows that it was read.
    daemon.emit_raw(format!("{}\n{}", old(3), &old(2)[..40]).as_bytes());
    rig.expect_event(&old(3)).await;
    daemon.drop_connections();
    let reason = rig.expect_disconnected().await;
    assert!(reason.contains("reset") || reason.contains("closed"), "{reason}");
    rig.expect_connected().await;
    rig.expect_event(&old(1)).await;
    rig.expect_event(&old(2)).await;
    rig.expect_replay_end(2).await;
}
