//! Every cursor that cannot be used, by every way in: each is answered as docs/api.md says, and clients that
//! follow meanwhile notice nothing.

use crate::serve;
use crate::support::{PATIENCE, docker_line, wait_for};
use crate::wire::{Frame, Wire, connect, own_address};
use serde_json::Value;
use shipslog::event::Event;
use shipslog::log::{EmbeddedLog, EventLog, Limits, NewRecord};
use shipslog::time::Timestamp;
use std::net::Ipv4Addr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::sync::watch;
use tokio::task::JoinSet;

const SUBSCRIBERS: usize = 20;
/// Records before the first trim.
const RECORDS: u64 = 2000;
const KEEP: u64 = 500;

/// What a stream says of a cursor.
#[derive(Clone, Copy, PartialEq, Debug)]
enum Told {
    Reset(&'static str),
    /// It names records that have been trimmed.
    Gap,
    /// It says nothing and starts at the head.
    Now,
}

async fn append(log: &dyn EventLog, from: u64, to: u64) {
    let record = |n| {
        let event = Event::from_line(docker_line("container", "start", n).as_bytes()).unwrap();
        NewRecord { source: "local".into(), received: Timestamp::now(), event }
    };
    log.append((from..=to).map(record).collect()).await.unwrap();
}

/// A log whose first records are gone.
async fn trimmed_log(dir: &TempDir) -> Arc<dyn EventLog> {
    let limits = Limits { tip_records: 128, merge_after: Duration::from_secs(3600), ..Limits::default() };
    let log: Arc<dyn EventLog> = Arc::new(EmbeddedLog::open_with(dir.path(), limits).unwrap().0);
    for from in (1..RECORDS).step_by(50) {
        append(&*log, from, from + 49).await;
    }
    wait_for("the oldest records to go", async || (log.trim(RECORDS - KEEP).await.unwrap() > 1000).then_some(())).await;
    log
}

/// Follows from the head at its arrival to an event that says `stop`, and must get every record in between.
/// Gives their number.
async fn follow(url: String, from: Ipv4Addr, ready: watch::Sender<usize>) -> u64 {
    let mut wire = Wire::open(&url, from, "/api/v1/stream", None, usize::MAX).await.unwrap();
    let (mut last, mut records, mut stopped) = (None, 0, false);
    while !stopped {
        let take = |frame: &Frame<'_>| match (frame.event, last) {
            (Some("hello"), None) => last = Some(frame.seq()),
            (Some("caught-up"), Some(_)) => ready.send_modify(|ready| *ready += 1),
            (None, Some(before)) if frame.data.is_some() => {
                assert_eq!(frame.seq(), before + 1, "dense, whatever others ask for");
                let data = frame.data.unwrap();
                stopped = data.contains(r#""Action":"stop""#);
                let event = docker_line("container", if stopped { "stop" } else { "start" }, frame.seq());
                assert!(data.ends_with(&format!(r#""event":{event}}}"#)), "{frame:?}");
                (last, records) = (Some(frame.seq()), records + 1);
            }
            (None, _) => {}
            other => panic!("{other:?}: {frame:?}"),
        };
        assert!(wire.read(take).await, "the stream ended");
    }
    records
}

/// A cursor, what a stream says of it, and the status of a poll from it.
fn faults(log: &str) -> Vec<(Vec<u8>, Told, u16)> {
    let foreign = format!("{:08x}", u32::from_str_radix(log, 16).unwrap() ^ 1);
    let malformed = |text: Vec<u8>| (text, Told::Reset("malformed"), 400);
    let mut faults = vec![
        (format!("{log}-0").into_bytes(), Told::Gap, 410),
        (format!("{log}-5").into_bytes(), Told::Gap, 410),
        (format!("{foreign}-5").into_bytes(), Told::Reset("foreign-log"), 409),
        (format!("{foreign}-999999999").into_bytes(), Told::Reset("foreign-log"), 409),
        (format!("{log}-999999999").into_bytes(), Told::Reset("future"), 409),
        (format!("{log}-{}", u64::MAX).into_bytes(), Told::Reset("future"), 409),
        (Vec::new(), Told::Now, 200),
        malformed(vec![b'9'; 10 * 1024]),
        malformed(b"\xff\xfe".to_vec()),
        malformed(format!("{log}-5\u{2028}").into_bytes()),
    ];
    let garbage = ["garbage", "-", "0", "null", "{}", "%", "</script>"].map(str::to_owned).into_iter();
    let nearly = ["-", "-05", "-+5", "-5.0", "-18446744073709551616", "-5,6", "-5\0", "-5\r\nid: 7", "-5\n\ndata: x"]
        .map(|end| format!("{log}{end}"));
    faults.extend(garbage.chain(nearly).chain([format!("{log}5")]).map(|text| malformed(text.into_bytes())));
    faults
}

/// What a stream says first: what it was told of the cursor, and the sequence of the record after that.
async fn first_words(url: &str, from: Ipv4Addr, path: &str, header: Option<&[u8]>) -> (Told, u64) {
    let mut wire = Wire::open(url, from, path, header, usize::MAX).await.unwrap();
    let (mut told, mut first, mut hello) = (Told::Now, None, false);
    while first.is_none() {
        let open = wire
            .read(|frame| {
                let data = || serde_json::from_str::<Value>(frame.data.unwrap()).unwrap();
                match frame.event {
                    Some("hello") => hello = true,
                    Some("reset") => {
                        let reason = ["malformed", "foreign-log", "future"].into_iter().find(|reason| data()["reason"] == *reason);
                        told = Told::Reset(reason.unwrap());
                        assert_eq!((data()["oldest"].as_u64().unwrap() - 1, hello), (frame.seq(), true));
                    }
                    Some("gap") => {
                        assert_eq!((data()["reason"].as_str(), data()["to"].as_u64()), (Some("retention"), Some(frame.seq())));
                        told = Told::Gap;
                    }
                    None if frame.data.is_some() => drop(first.get_or_insert(frame.seq())),
                    _ => {}
                }
            })
            .await;
        assert!(open, "the stream ended");
    }
    (told, first.unwrap())
}

fn encoded(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    bytes.iter().fold(String::new(), |mut text, byte| {
        let plain = byte.is_ascii_alphanumeric() || *byte == b'-';
        let _ = if plain { write!(text, "{}", char::from(*byte)) } else { write!(text, "%{byte:02X}") };
        text
    })
}

/// One cursor by header, by query and by polling.
async fn check(url: &str, from: Ipv4Addr, log: &dyn EventLog, fault: &(Vec<u8>, Told, u16)) {
    let (cursor, told, status) = fault;
    let shown = String::from_utf8_lossy(cursor).chars().take(40).collect::<String>();
    let right = |(said, first): (Told, u64), way: &str| {
        assert_eq!(said, *told, "{shown:?} by {way}");
        let oldest = log.bounds().oldest;
        assert!(if *told == Told::Now { first > RECORDS } else { first == oldest }, "{shown:?} by {way}: starts with {first} of {oldest}");
    };
    // Neither can stand in a header; what happens to them there is looked at below.
    if !cursor.iter().any(|byte| [b'\0', b'\r', b'\n'].contains(byte)) {
        // The header counts, not the parameter.
        right(first_words(url, from, "/api/v1/stream", Some(cursor)).await, "header");
        if *told != Told::Now {
            let path = format!("/api/v1/stream?since=now&last_event_id={log}-1990", log = &log.bounds().log.to_string()[..8]);
            right(first_words(url, from, &path, Some(cursor)).await, "header before parameters");
        }
    }
    let get = async |path: String| {
        let response = crate::support::client().get(format!("{url}{path}")).send().await.unwrap();
        let status = response.status().as_u16();
        let problem = response.headers()["content-type"] == "application/problem+json";
        assert_eq!(problem, status != 200, "{path:.100}");
        (status, response.json::<Value>().await.unwrap())
    };
    let text = encoded(cursor);
    // A request's target has 8 KiB at most.
    let too_long = text.len() > 8 * 1024;
    for parameter in ["last_event_id", "lastEventId"] {
        let path = format!("/api/v1/stream?{parameter}={text}");
        if too_long {
            assert_eq!(get(path).await.0, 414, "{shown:?}");
        } else {
            right(first_words(url, from, &path, None).await, parameter);
        }
    }
    let (answered, body) = get(format!("/api/v1/events?limit=1&after={text}")).await;
    assert_eq!(answered, if too_long { 414 } else { *status }, "{shown:?}: {body}");
    if [409, 410].contains(&answered) {
        let oldest = log.bounds().log.cursor(log.bounds().oldest).to_string();
        assert!(body["detail"].as_str().unwrap().contains(&oldest), "where to go on: {body}");
    }
    let one = match (answered, told) {
        (409, _) => 404,
        // The first record of all has the number 1.
        (410, _) if cursor.ends_with(b"-0") => 404,
        (200, _) => return,
        (other, _) => other,
    };
    assert_eq!(get(format!("/api/v1/events/{text}")).await.0, one, "{shown:?}");
}

/// What HTTP itself does not allow: refused as a request, and never as far as a stream.
async fn check_not_http(url: &str, from: Ipv4Addr) {
    for line in [&b"Last-Event-ID: 7f3c9a1e-1\0"[..], b"Last-Event-ID: \0", b"Last-Event-ID: 7f3c9a1e-1\rid: 5", b"Last-Event-ID: \x7f"] {
        let mut stream = connect(url, from).await.unwrap();
        let request = [&b"GET /api/v1/stream HTTP/1.1\r\nHost: localhost\r\n"[..], line, b"\r\n\r\n"].concat();
        stream.write_all(&request).await.unwrap();
        let mut answer = Vec::new();
        tokio::time::timeout(PATIENCE, stream.read_to_end(&mut answer)).await.unwrap().unwrap();
        assert!(answer.starts_with(b"HTTP/1.1 400 "), "{line:?}: {}", String::from_utf8_lossy(&answer));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn bad_cursors_are_told_and_disturb_nobody() {
    let dir = TempDir::new().unwrap();
    let log = trimmed_log(&dir).await;
    let (address, stop) = serve::start(Arc::clone(&log)).await;
    let url = format!("http://{address}");
    let (ready, mut are_ready) = watch::channel(0);
    let mut followers = JoinSet::new();
    for number in 0..SUBSCRIBERS {
        followers.spawn(follow(url.clone(), own_address(number), ready.clone()));
    }
    tokio::time::timeout(PATIENCE, are_ready.wait_for(|ready| *ready == SUBSCRIBERS)).await.unwrap().unwrap();
    let over = Arc::new(AtomicBool::new(false));
    let appending = tokio::spawn({
        let (log, over) = (Arc::clone(&log), Arc::clone(&over));
        async move {
            while !over.load(Ordering::Relaxed) {
                let next = log.bounds().head + 1;
                append(&*log, next, next + 4).await;
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        }
    });
    let id = log.bounds().log.to_string()[..8].to_owned();
    let mut asking = JoinSet::new();
    for (number, fault) in faults(&id).into_iter().enumerate() {
        let (url, log) = (url.clone(), Arc::clone(&log));
        asking.spawn(async move {
            for _ in 0..10 {
                check(&url, own_address(SUBSCRIBERS + number), &*log, &fault).await;
            }
        });
    }
    asking.join_all().await;
    check_not_http(&url, own_address(SUBSCRIBERS)).await;
    over.store(true, Ordering::Relaxed);
    appending.await.unwrap();

    let stop_line = docker_line("container", "stop", log.bounds().head + 1);
    let event = Event::from_line(stop_line.as_bytes()).unwrap();
    log.append(vec![NewRecord { source: "local".into(), received: Timestamp::now(), event }]).await.unwrap();
    let came = log.bounds().head - RECORDS;
    assert!(came > 5, "events came meanwhile");
    assert!(followers.join_all().await.into_iter().all(|records| records == came), "every record that came meanwhile");
    stop.stop();
    log.close().await.unwrap();
}
