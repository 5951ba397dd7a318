//! Live streams: every start position and control frame of docs/api.md.

use crate::support::{PATIENCE, Sse, docker_line, is_record, sequence, ship_with, within};
use futures_util::{SinkExt, StreamExt};
use std::time::Duration;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;

#[tokio::test(flavor = "multi_thread")]
async fn every_start_position() {
    let (_dir, daemon, ship) = ship_with(10).await;
    let log = ship.log().await;
    let head = ship.wait_for_head(|_| true).await;

    let mut now = Sse::open(&ship.url, "/api/v1/stream", None).await.unwrap();
    let hello = now.next().await.unwrap();
    assert_eq!((hello.event.as_str(), hello.id.clone()), ("hello", format!("{log}-{head}")));
    let data: serde_json::Value = serde_json::from_str(&hello.data).unwrap();
    assert_eq!((data["after"].as_u64(), data["head"].as_u64(), data["oldest"].as_u64()), (Some(head), Some(head), Some(1)));
    assert_eq!(&data["log"].as_str().unwrap()[..8], log);
    assert_eq!(now.next().await.unwrap().event, "caught-up");
    daemon.emit(&docker_line("container", "start", 99));
    let record = now.next().await.unwrap();
    assert_eq!((record.id.clone(), sequence(&record.data)), (format!("{log}-{}", head + 1), head + 1));

    let all = head + 1;
    for (path, header, first) in [
        ("/api/v1/stream?since=oldest".to_owned(), None, 1),
        (format!("/api/v1/stream?last_event_id={log}-4"), None, 5),
        (format!("/api/v1/stream?since=oldest&last_event_id={log}-4"), None, 5),
        (format!("/api/v1/stream?last_event_id={log}-2"), Some(format!("{log}-6")), 7),
        ("/api/v1/stream?since=1h".to_owned(), None, 1),
        ("/api/v1/stream?since=oldest".to_owned(), Some(String::new()), 1),
        (format!("/api/v1/stream?lastEventId={log}-3&_=123"), None, 4),
    ] {
        let mut stream = Sse::open(&ship.url, &path, header.as_deref()).await.unwrap();
        let events = stream.read_until(|e| e.event == "caught-up").await;
        let seen: Vec<_> = events.iter().filter(|e| is_record(e)).map(|e| sequence(&e.data)).collect();
        assert_eq!(seen, (first..=all).collect::<Vec<_>>(), "{path} {header:?}");
        assert!(events.iter().filter(|e| is_record(e)).all(|e| e.id == format!("{log}-{}", sequence(&e.data))));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn unusable_cursors_are_told_and_start_at_the_oldest() {
    let (_dir, _daemon, ship) = ship_with(3).await;
    let log = ship.log().await;
    let foreign = format!("{:08x}-2", u32::from_str_radix(&log, 16).unwrap() ^ 1);
    for (cursor, reason) in [
        (foreign.as_str(), "foreign-log"),
        (&format!("{log}-999999"), "future"),
        ("garbage", "malformed"),
        (&"9".repeat(8000), "malformed"),
        ("1%00", "malformed"),
        ("%0aid:%205", "malformed"),
    ] {
        let mut stream = Sse::open(&ship.url, &format!("/api/v1/stream?last_event_id={cursor}"), None).await.unwrap();
        let events = stream.read_until(|e| e.event == "caught-up").await;
        assert_eq!(events[0].event, "hello");
        assert_eq!(events[1].event, "reset", "{cursor}");
        let data: serde_json::Value = serde_json::from_str(&events[1].data).unwrap();
        assert_eq!((data["reason"].as_str(), data["oldest"].as_u64()), (Some(reason), Some(1)));
        assert!(events[1].id.starts_with(&log) && events[1].id.ends_with("-0"));
        assert_eq!(sequence(&events[2].data), 1);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn filtered_streams_checkpoint_and_never_overshoot() {
    let (_dir, daemon, ship) = ship_with(10).await;
    let log = ship.log().await;
    let path = r#"/api/v1/stream?since=oldest&filters={"type":["network"]}&exclude={"container":["c3"]}"#;
    let mut stream = Sse::open(&ship.url, path, None).await.unwrap();
    let events = stream.read_until(|e| e.event == "caught-up").await;
    let names: Vec<_> = events.iter().filter(|e| is_record(e)).map(|e| e.data.split("job-").nth(1).unwrap()[..1].to_owned()).collect();
    assert_eq!(names, ["1", "5", "7", "9"]);
    // Nothing that matches comes for a while: a checkpoint says how far a resume need not look.
    daemon.emit(&docker_line("container", "start", 50));
    let head = ship.wait_for_head(|head| head >= 14).await;
    let checkpoint = stream.next().await.unwrap();
    assert_eq!((checkpoint.event.as_str(), checkpoint.id), ("checkpoint", format!("{log}-{head}")));
    daemon.emit(&docker_line("network", "connect", 51));
    let mut resumed = Sse::open(&ship.url, r#"/api/v1/stream?filters={"type":["network"]}"#, Some(&format!("{log}-{head}"))).await.unwrap();
    let events = resumed.read_until(is_record).await;
    assert!(events.last().unwrap().data.contains("job-51"));
}

#[tokio::test(flavor = "multi_thread")]
async fn websocket_gives_the_same_records() {
    let (_dir, daemon, ship) = ship_with(5).await;
    let log = ship.log().await;
    let url = format!("{}/api/v1/ws", ship.url.replace("http", "ws"));
    let head = ship.wait_for_head(|_| true).await;

    let (mut live, _) = tokio_tungstenite::connect_async(&url).await.unwrap();
    live.send(Message::text("start")).await.unwrap();
    let hello: serde_json::Value =
        serde_json::from_str(within("a message", live.next()).await.unwrap().unwrap().to_text().unwrap()).unwrap();
    assert_eq!((hello["control"].as_str(), hello["id"].as_str()), (Some("hello"), Some(format!("{log}-{head}").as_str())));
    assert!(within("a message", live.next()).await.unwrap().unwrap().to_text().unwrap().contains("caught-up"));
    daemon.emit(&docker_line("container", "die", 77));
    assert!(within("a message", live.next()).await.unwrap().unwrap().to_text().unwrap().contains("job-77"));

    let (mut replay, _) = tokio_tungstenite::connect_async(&url).await.unwrap();
    replay.send(Message::text(format!(r#"{{"subscribe":{{"after":"{log}-1","filters":{{"type":["network"]}}}}}}"#))).await.unwrap();
    let mut lines = Vec::new();
    loop {
        let text = within("a message", replay.next()).await.unwrap().unwrap().to_text().unwrap().to_owned();
        if text.contains(r#""control":"caught-up""#) {
            break;
        }
        if !text.contains(r#""control""#) {
            lines.push(text);
        }
    }
    let export = ship.selected(r#"&filters={"type":["network"]}"#).await;
    assert_eq!(lines, export.into_values().collect::<Vec<_>>());

    for (first, reason) in [
        ("stop", "first message must be"),
        (r#"{"subscribe":{"filters":{"typ":[]}}}"#, "unknown key"),
        (r#"{"subscribe":{"since":"never"}}"#, "not a time"),
    ] {
        let (mut bad, _) = tokio_tungstenite::connect_async(&url).await.unwrap();
        bad.send(Message::text(first)).await.unwrap();
        match tokio::time::timeout(PATIENCE, bad.next()).await.unwrap() {
            Some(Ok(Message::Close(Some(frame)))) => {
                assert_eq!(u16::from(frame.code), 1008);
                assert!(frame.reason.contains(reason), "{}", frame.reason);
            }
            other => panic!("{first}: {other:?}"),
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn websockets_of_other_sites_are_refused() {
    let (_dir, _daemon, ship) = ship_with(0).await;
    let url = format!("{}/api/v1/ws", ship.url.replace("http", "ws"));
    let mut request = url.into_client_request().unwrap();
    request.headers_mut().insert("origin", "http://evil.example".parse().unwrap());
    match tokio_tungstenite::connect_async(request).await {
        Err(tokio_tungstenite::tungstenite::Error::Http(response)) => assert_eq!(response.status(), 403),
        other => panic!("{other:?}"),
    }
    assert_eq!(ship.get("/api/v1/ws").await.status(), 426);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_quiet_stream_shows_life_and_a_stop_ends_it() {
    let (_dir, _daemon, mut ship) = ship_with(0).await;
    let mut response = ship.get("/api/v1/stream").await;
    let mut text = String::new();
    while !text.contains(": keep-alive\n\n") {
        let chunk =
            tokio::time::timeout(Duration::from_secs(20), response.chunk()).await.expect("a sign of life within 15 s").unwrap().unwrap();
        text.push_str(std::str::from_utf8(&chunk).unwrap());
    }
    assert!(text.starts_with("retry: 2000\nevent: hello\nid: "), "{text}");
    let (status, took) = ship.stop();
    assert!(status.success() && took < Duration::from_secs(10), "{status} after {took:?}");
    let mut end = String::new();
    while let Some(chunk) = within("the end of the stream", response.chunk()).await.unwrap() {
        end.push_str(std::str::from_utf8(&chunk).unwrap());
    }
    assert!(
        end.ends_with("\n\n") && end.contains("retry: ") && end.contains("event: closing\nid: "),
        "the body ends as HTTP ends it: {end:?}"
    );
}
