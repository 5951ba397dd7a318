//! Whatever an event holds, it is one frame of an event stream, and a reader that keeps to the letter of
//! WHATWG HTML 9.2.6 gets it back byte for byte.

use crate::fake_daemon::FakeDaemon;
use crate::support::{PATIENCE, Ship, docker_line, wait_for};
use proptest::prelude::*;
use serde_json::value::RawValue;
use shipslog::event::Event;
use shipslog::log::{Block, EmbeddedLog, EventLog, NewRecord, Piece, Scan};
use shipslog::time::Timestamp;
use std::collections::BTreeMap;
use std::sync::Arc;
use tempfile::TempDir;

/// What an `EventSource` dispatches.
#[derive(Debug, PartialEq, Eq)]
struct Message {
    event: String,
    id: String,
    data: String,
}

/// The standard's own steps. Unlike a browser it takes no field that it does not know, no byte that is not
/// UTF-8, no byte order mark, and no end in the middle of an event: each would be a leak of what an event
/// holds into the format around it.
fn parse(stream: &[u8]) -> Vec<Message> {
    let text = std::str::from_utf8(stream).expect("UTF-8");
    assert!(!text.starts_with('\u{feff}'), "a byte order mark");
    let (mut messages, mut event, mut id, mut data) = (Vec::new(), String::new(), String::new(), String::new());
    let mut rest = text;
    while !rest.is_empty() {
        let end = rest.find(['\r', '\n']).expect("a line without its end");
        let (line, after) = rest.split_at(end);
        rest = after.strip_prefix("\r\n").unwrap_or(&after[1..]);
        if line.is_empty() {
            let (event, mut data) = (std::mem::take(&mut event), std::mem::take(&mut data));
            if data.pop().is_some() {
                let event = if event.is_empty() { "message".to_owned() } else { event };
                messages.push(Message { event, id: id.clone(), data });
            }
            continue;
        }
        let (field, value) = line.split_once(':').unwrap_or((line, ""));
        let value = value.strip_prefix(' ').unwrap_or(value);
        match field {
            "" => {}
            "event" => value.clone_into(&mut event),
            "data" => {
                data.push_str(value);
                data.push('\n');
            }
            "id" => {
                assert!(!value.contains('\0'), "an id that browsers pass over");
                value.clone_into(&mut id);
            }
            "retry" => assert!(value.bytes().all(|byte| byte.is_ascii_digit()), "{line:?}"),
            _ => panic!("a stray line: {line:.200?}"),
        }
    }
    assert!(event.is_empty() && data.is_empty(), "an event without its end");
    messages
}

/// What stands between the quotes of a JSON string.
fn string() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        4 => prop::sample::select(vec![
            r"\r", r"\n", r"\r\n\r\n", r"\n\ndata: x\n\n", r"\u000d", r"\u000A", r"\u0000", r"\u2028", r"\ud800", r"\udfff\ud800", r"\ud83d\ude00",
            r#"\""#, r"\\", r"\/", r"\b\f\t", "\u{2028}", "\u{2029}", "\u{85}", "\u{feff}", "\u{7f}", "\u{fffe}", "\u{10ffff}", "</script>",
            "<!--", "]]>", "data: ", "id: 7", "event: reset", ": ", ":", "é", "\u{202e}", "\u{1f468}\u{200d}\u{1f469}",
        ]).prop_map(str::to_owned),
        2 => "[ -!#-\\[\\]-~]{0,12}",
        1 => "[^\\x00-\\x1f\"\\\\]{0,6}",
    ];
    prop::collection::vec(piece, 0..8).prop_map(|pieces| pieces.concat())
}

/// White space between tokens, as JSON allows it on one line of a daemon's.
fn space() -> impl Strategy<Value = &'static str> {
    prop_oneof![6 => Just(""), 1 => Just(" "), 1 => Just("\r"), 1 => Just("\t\r \r")]
}

fn value() -> impl Strategy<Value = String> {
    let leaf = prop_oneof![
        4 => string().prop_map(|text| format!("\"{text}\"")),
        1 => prop::sample::select(vec!["null", "true", "-0.0e+5", "1e-400", "123456789012345678901234567890", "{}", "[]"]).prop_map(str::to_owned),
        // A label of 100 KB.
        1 => (string(), 1usize..100_000).prop_map(|(text, bytes)| format!("\"{}\"", text.repeat(bytes / text.len().max(1)))),
    ];
    (leaf, 0usize..90, any::<bool>()).prop_map(|(leaf, depth, lists)| {
        let (open, close) = if lists { ("[", "]") } else { (r#"{"\n":"#, "}") };
        // Most of them are flat, as Docker's are.
        let depth = depth.saturating_sub(60);
        format!("{}{leaf}{}", open.repeat(depth), close.repeat(depth))
    })
}

/// A line of a daemon's.
fn line() -> impl Strategy<Value = String> {
    let key = prop_oneof![
        prop::sample::select(vec!["Type", "Action", "Actor", "scope", "time", "timeNano", "id", "data", ""]).prop_map(str::to_owned),
        string(),
    ];
    (prop::collection::vec((key, value(), space()), 0..6), space()).prop_map(|(members, space)| {
        let members: Vec<_> = members.into_iter().map(|(key, value, space)| format!("{space}\"{key}\"{space}:{space}{value}")).collect();
        format!("{{{}{space}}}", members.join(","))
    })
}

/// What is stored of a line: a raw line end between tokens is a space (there is none within a string).
fn stored(line: &str) -> String {
    line.replace('\r', " ")
}

/// One record's message holds what came, and nothing but that.
fn check(message: &Message, cursor: &str, source: &str, json: &str) {
    assert_eq!((message.event.as_str(), message.id.as_str()), ("message", cursor));
    let members: BTreeMap<&str, &RawValue> = serde_json::from_str(&message.data).expect("a line of JSON");
    assert_eq!(members["event"].get(), json);
    assert_eq!(serde_json::from_str::<String>(members["source"].get()).unwrap(), source);
    assert_eq!(members["id"].get(), format!("\"{cursor}\""));
    assert!(message.data.ends_with(&format!(r#""event":{json}}}"#)), "byte for byte, at the end of the line");
}

/// The records `first..` in as many blocks as they take.
async fn blocks(log: &dyn EventLog, first: u64) -> Vec<Arc<Block>> {
    let (mut after, mut blocks) = (first - 1, Vec::new());
    while after < log.bounds().head {
        for piece in log.read_after(after, &Scan::default()).await.unwrap().pieces {
            let Piece::Block(block) = piece else { panic!("a gap") };
            after = block.last();
            blocks.push(block);
        }
    }
    blocks
}

fn check_blocks(log: &dyn EventLog, blocks: &[Arc<Block>], first: u64, all: &[(String, String)]) {
    let mut seq = first;
    for block in blocks {
        let messages = parse(&block.sse_frames(first, u64::MAX));
        for message in &messages {
            let frame = block.sse_frames(seq, seq);
            assert_eq!(parse(&frame), std::slice::from_ref(message), "one frame, one message");
            assert!(!frame.contains(&b'\r') && frame.split(|byte| *byte == b'\n').count() == 4, "three line ends: {seq}");
            assert_eq!(block.line(seq, false), message.data);
            let (source, line) = &all[usize::try_from(seq - first).unwrap()];
            check(message, &log.bounds().log.cursor(seq).to_string(), source, &stored(line));
            seq += 1;
        }
    }
    assert_eq!(seq - first, all.len() as u64, "each is there");
}

#[test]
fn any_event_is_one_frame() {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    let dir = TempDir::new().unwrap();
    let log = runtime.block_on(async { EmbeddedLog::open(dir.path()).unwrap().0 });
    let all = std::cell::RefCell::new(Vec::new());
    let config = ProptestConfig { cases: 150, failure_persistence: None, max_shrink_iters: 2000, ..ProptestConfig::default() };
    let mut runner = proptest::test_runner::TestRunner::new(config);
    let cases =
        prop::collection::vec((prop_oneof![Just("local".to_owned()), Just("a\r\n\nb".to_owned()), ".{0,12}", string()], line()), 1..6);
    let result = runner.run(&cases, |events| {
        let records = events.iter().map(|(source, line)| NewRecord {
            source: source.as_str().into(),
            received: Timestamp::now(),
            event: Event::from_line(line.as_bytes()).unwrap_or_else(|e| panic!("{e}: {line:.500?}")),
        });
        runtime.block_on(async {
            let first = *log.append(records.collect()).await.unwrap().start();
            check_blocks(&log, &blocks(&log, first).await, first, &events);
        });
        all.borrow_mut().extend(events);
        Ok(())
    });
    result.unwrap();
    // The same from the disk, in whatever blocks they lie there.
    let all = all.into_inner();
    assert!(all.len() > 150);
    runtime.block_on(async {
        log.close().await.unwrap();
        drop(log);
        // Its threads let go of the directory in their own time.
        let (log, _) = wait_for("the log to be let go", async || EmbeddedLog::open(dir.path()).ok()).await;
        check_blocks(&log, &blocks(&log, 1).await, 1, &all);
        log.close().await.unwrap();
    });
}

/// A few of the worst messages, all the way from a daemon to a client.
#[tokio::test(flavor = "multi_thread")]
async fn nasty_events_pass_through_http() {
    let deep = format!("{{\"deep\":{}\"\u{2028}</script>\"{}}}", "[".repeat(100), "]".repeat(100));
    let label = |text: &str| docker_line("container", "start", 1).replacen("\"name\"", &format!("\"noise\":\"{text}\",\"name\""), 1);
    let lines = [
        label(r"\r\n\r\ndata: x\n\nid: 7\n\n"),
        label("\u{2028}\u{2029}\u{85}\u{feff}</script><!--"),
        label(r"\u0000\ud800\udfff"),
        label(&"x".repeat(100_000)),
        label(&r"\n".repeat(50_000)),
        label("data: ").replace(",\"", ",\r\r\""),
        deep,
        "{}".to_owned(),
        r#"{"Type":"recorder","Action":"gap","id":"1\n"}"#.to_owned(),
    ];
    let dir = TempDir::new().unwrap();
    let daemon = FakeDaemon::unix().await;
    let ship = Ship::start(dir.path(), &daemon.url());
    daemon.wait_for_subscribers(1).await;
    let before = ship.wait_for_head(|head| head >= 3).await;
    for line in &lines {
        daemon.emit(line);
    }
    let head = ship.wait_for_head(|head| head >= before + lines.len() as u64).await;

    let log = ship.log().await;
    let mut response =
        crate::support::client().get(format!("{}/api/v1/stream", ship.url)).header("Last-Event-ID", format!("{log}-{before}"));
    response = response.header("Accept", "text/event-stream");
    let mut response = response.send().await.unwrap();
    let mut stream = Vec::new();
    // The frame that says so is the last one until something else comes.
    while !(stream.ends_with(b"\n\n") && memchr::memmem::rfind(&stream, b"event: caught-up\n").is_some()) {
        let chunk = tokio::time::timeout(PATIENCE, response.chunk()).await.expect("the stream goes on").unwrap();
        stream.extend_from_slice(&chunk.expect("the stream is open"));
    }
    let messages = parse(&stream);
    assert_eq!((messages[0].event.as_str(), messages[messages.len() - 1].event.as_str()), ("hello", "caught-up"));
    let records = &messages[1..messages.len() - 1];
    assert_eq!((records.len(), head), (lines.len(), before + lines.len() as u64));
    for ((message, line), seq) in records.iter().zip(&lines).zip(before + 1..) {
        check(message, &format!("{log}-{seq}"), "local", &stored(line));
    }
}

/// The parser above must find what it is there to find.
#[test]
fn the_parser_sees_what_leaks() {
    let good = b"retry: 2000\n\n: hi\n\nevent: hello\r\nid: 1\rdata: a\ndata: b\n\nid: 2\ndata:{}\n\n";
    let message = |event: &str, id: &str, data: &str| Message { event: event.to_owned(), id: id.to_owned(), data: data.to_owned() };
    assert_eq!(parse(good), [message("hello", "1", "a\nb"), message("message", "2", "{}")]);
    for leak in ["data: a\rb\n\n", "data: a\nb: c\n\n", "\u{feff}data: a\n\n", "data: a\n", "data: a", "id: \0\n\n", "retry: x\n\n"] {
        assert!(std::panic::catch_unwind(|| parse(leak.as_bytes())).is_err(), "{leak:?}");
    }
    // Not a line end here, whatever it is elsewhere.
    assert_eq!(parse("data: a\u{2028}b\u{85}c\n\n".as_bytes()), [message("message", "", "a\u{2028}b\u{85}c")]);
}
