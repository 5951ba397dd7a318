//! An incident replayed at a multiple of its own pace, cut, resumed, and ended. How fast it goes is tested in
//! virtual time, beside the code.

use crate::support::{PATIENCE, Ship, Sse, docker_line, is_record, sequence, ship_with};
use futures_util::{SinkExt, StreamExt};
use shipslog::event::Event;
use shipslog::log::{EmbeddedLog, EventLog, Limits, NewRecord};
use shipslog::time::Timestamp;
use tempfile::TempDir;
use tokio_tungstenite::tungstenite::Message;

/// When the incident began, in Unix seconds.
const BEGAN: u64 = 1_700_000_000;
/// Seconds between its events, of which there are [`EVENTS`]: at 1,000 times that pace it takes a second.
const APART: u64 = 5;
const EVENTS: u64 = 200;

/// A program with an incident on record that lies in the past; containers and networks in turn.
pub(crate) async fn incident() -> (TempDir, Ship) {
    let dir = TempDir::new().unwrap();
    let (log, _) = EmbeddedLog::open_with(dir.path(), Limits::default()).unwrap();
    let record = |n: u64| {
        let nanos = i64::try_from((BEGAN + n * APART) * 1_000_000_000).unwrap();
        let kind = if n.is_multiple_of(2) { "container" } else { "network" };
        let line =
            format!(r#"{{"Type":"{kind}","Action":"die","Actor":{{"ID":"c{n}","Attributes":{{"name":"job-{n}"}}}},"timeNano":{nanos}}}"#);
        NewRecord { source: "local".into(), received: Timestamp::from_nanos(nanos), event: Event::from_line(line.as_bytes()).unwrap() }
    };
    for first in (0..EVENTS).step_by(20) {
        log.append((first..first + 20).map(record).collect()).await.unwrap();
    }
    log.close().await.unwrap();
    drop(log);
    let lock = std::fs::File::open(dir.path().join("log/lock")).unwrap();
    tokio::task::spawn_blocking(move || lock.lock().unwrap()).await.unwrap();
    let ship = Ship::start(dir.path(), "unix:///nonexistent/docker.sock");
    (dir, ship)
}

/// The middle of the incident, as query parameters: 101 events.
pub(crate) fn middle() -> String {
    format!("since={}&until={}", BEGAN + 50 * APART, BEGAN + 150 * APART)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_replay_that_is_cut_joins_to_the_incident_and_ends() {
    let (_dir, mut ship) = incident().await;
    let log = ship.log().await;
    let networks = r#"&filters={"type":["network"]}"#;
    for filter in ["", networks] {
        let path = format!("/api/v1/stream?{}{filter}&speed=1000", middle());
        let (mut seen, mut id) = (Vec::new(), None::<String>);
        // Cut by the client, then by a kill of the server.
        for cut in ["left", "killed"] {
            let mut stream = Sse::open(&ship.url, &path, id.as_deref()).await.unwrap();
            assert_eq!(stream.next().await.unwrap().event, "hello");
            for _ in 0..15 {
                let event = stream.next().await.unwrap();
                assert!(is_record(&event), "{event:?}");
                id = Some(event.id);
                seen.push(event.data);
            }
            drop(stream);
            if cut == "killed" {
                ship.kill();
                ship.restart();
            }
        }
        let mut stream = Sse::open(&ship.url, &path, id.as_deref()).await.unwrap();
        let rest = stream.read_until(|event| event.event == "end").await;
        assert!(stream.next().await.is_none(), "nothing follows the end");
        seen.extend(rest.iter().filter(|event| is_record(event)).map(|event| event.data.clone()));
        let stored: Vec<_> = ship.export(&format!("&{}{filter}", middle())).await.into_values().collect();
        assert_eq!(seen, stored);
        assert_eq!(seen.len(), if filter.is_empty() { 101 } else { 50 });

        // All of it was looked at, so that there is nothing left to come back for.
        let end = rest.last().unwrap();
        let at: u64 = end.id.strip_prefix(&format!("{log}-")).unwrap().parse().unwrap();
        assert_eq!(end.data, format!(r#"{{"seq":{at}}}"#));
        assert!(at >= EVENTS);
        for id in [end.id.clone(), format!("{log}-{}", sequence(seen.last().unwrap()))] {
            let request = crate::support::client().get(format!("{}{path}", ship.url)).header("Last-Event-ID", &id);
            let response = request.send().await.unwrap();
            assert_eq!((response.status().as_u16(), response.bytes().await.unwrap().len()), (204, 0), "{id}");
        }
        // One that lacks something is served.
        let last_but_one = format!("{log}-{}", sequence(&seen[seen.len() - 2]));
        let mut stream = Sse::open(&ship.url, &path, Some(&last_but_one)).await.unwrap();
        let events = stream.read_until(|event| event.event == "end").await;
        assert_eq!(events.iter().map(|event| event.event.as_str()).collect::<Vec<_>>(), ["hello", "message", "end"]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_end_needs_no_pace_and_a_pace_needs_no_end() {
    let (_dir, daemon, ship) = ship_with(5).await;
    let head = ship.wait_for_head(|_| true).await;
    let mut stream = Sse::open(&ship.url, "/api/v1/stream?since=oldest&until=1s", None).await.unwrap();
    let events = stream.read_until(|event| event.event == "end").await;
    assert!(!events.iter().any(|event| event.event == "caught-up"));
    assert!(stream.next().await.is_none());

    let mut stream = Sse::open(&ship.url, "/api/v1/stream?since=oldest&speed=999.5", None).await.unwrap();
    let events = stream.read_until(|event| event.event == "caught-up").await;
    let seen: Vec<_> = events.iter().filter(|event| is_record(event)).map(|event| sequence(&event.data)).collect();
    assert_eq!(seen, (1..=head).collect::<Vec<_>>());
    daemon.emit(&docker_line("container", "die", 99));
    assert_eq!(sequence(&stream.next().await.unwrap().data), head + 1);

    // A cursor of another log is told, and the replay begins again.
    let path = "/api/v1/stream?until=0s&speed=1000&last_event_id=garbage";
    let mut stream = Sse::open(&ship.url, path, None).await.unwrap();
    let events = stream.read_until(|event| event.event == "end").await;
    assert_eq!(events[1].event, "reset");
    // Nothing to replay yet, and nobody who comes back: that is an end all the same.
    let mut stream = Sse::open(&ship.url, "/api/v1/stream?until=1h", None).await.unwrap();
    let events = stream.read_until(|event| event.event == "end").await;
    assert_eq!(events.len(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_replayed_is_told() {
    let (_dir, ship) = incident().await;
    for (query, part) in [
        ("since=1h&speed=0.9", "speed must be a number from 1 to 1000, not \\\"0.9\\\""),
        ("since=1h&speed=1001", "from 1 to 1000"),
        ("since=1h&speed=nan", "from 1 to 1000"),
        ("since=1h&speed=10x", "from 1 to 1000"),
        ("speed=10", "needs a start: add since="),
        ("speed=10&until=1h", "needs a start: add since="),
        ("since=1h&until=2h", "lies after until"),
        ("since=1h&until=tomorrow", "until: "),
    ] {
        let response = ship.get(&format!("/api/v1/stream?{query}")).await;
        let (status, body) = (response.status().as_u16(), response.text().await.unwrap());
        assert!(status == 400 && body.contains(part), "{query}: {status} {body}");
    }
    let url = format!("{}/api/v1/ws", ship.url.replace("http", "ws"));
    let (mut socket, _) = tokio_tungstenite::connect_async(&url).await.unwrap();
    socket.send(Message::text(r#"{"subscribe":{"since":"1h","speed":10}}"#)).await.unwrap();
    match tokio::time::timeout(PATIENCE, socket.next()).await.unwrap() {
        Some(Ok(Message::Close(Some(frame)))) => assert_eq!(u16::from(frame.code), 1008),
        other => panic!("{other:?}"),
    }
}
