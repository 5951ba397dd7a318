use super::request::MAX_STATUS_BYTES;
use super::testing::{LAST_CHUNK, LOG, Reply, Request, Server, answer, chunked, line, stream_body};
use super::*;
use crate::testing::within;
use std::time::Duration;

const SSE: &str = "text/event-stream";
const FAST: Pace = Pace { first: Duration::from_millis(2), most: Duration::from_millis(10), idle: Duration::from_millis(300) };

fn follow(server: &Server, start: Start) -> Follow {
    Client::new(&server.url()).unwrap().follow(start, &Filter::default()).with_pace(FAST)
}

/// Everything up to the first `caught-up`, with a time limit, since a bug here would wait for ever.
async fn until_caught_up(follow: &mut Follow) -> (Vec<String>, Vec<StreamItem>) {
    let (mut lines, mut others) = (Vec::new(), Vec::new());
    let all = async {
        loop {
            match follow.next().await.unwrap() {
                StreamItem::Record { line, .. } => lines.push(line),
                StreamItem::CaughtUp { .. } => break,
                item => others.push(item),
            }
        }
    };
    within("caught-up", all).await;
    (lines, others)
}

fn whole_log(head: u64) -> Vec<String> {
    (1..=head).map(line).collect()
}

fn losses(items: &[StreamItem]) -> usize {
    items.iter().filter(|i| matches!(i, StreamItem::Lost { .. } | StreamItem::Gap { .. } | StreamItem::Reset { .. })).count()
}

#[tokio::test]
async fn a_stream_cut_anywhere_joins_to_the_whole_log() {
    for seed in 0..8 {
        let mut random = 0x9e37_79b9_u64 + seed;
        let mut below = move |limit: usize| {
            random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            usize::try_from(random >> 33).unwrap() % limit
        };
        let server = Server::start(move |number, request| {
            let body = stream_body(request, 200);
            // Chunks of odd sizes, so that frames and characters are cut within a connection too.
            let chunks: Vec<&[u8]> = body.as_bytes().chunks(1 + below(700)).collect();
            let mut bytes = chunked(SSE, &chunks);
            match below(6) {
                _ if number > 60 => Reply::Hold(bytes),
                0 => Reply::Bytes(answer("503 Service Unavailable", "text/plain", "full")),
                1 => Reply::Bytes(Vec::new()),
                2 => {
                    let mut ended = chunked(SSE, chunks.get(..below(chunks.len())).unwrap());
                    ended.extend_from_slice(LAST_CHUNK);
                    Reply::Bytes(ended)
                }
                _ => {
                    bytes.truncate(below(bytes.len().min(6000)));
                    Reply::Bytes(bytes)
                }
            }
        })
        .await;
        let (lines, others) = until_caught_up(&mut follow(&server, Start::Oldest)).await;
        assert_eq!(lines, whole_log(200), "seed {seed}");
        assert_eq!(losses(&others), 0, "{others:?}");
        assert!(others.iter().any(|i| matches!(i, StreamItem::Reconnecting { .. })), "nothing was cut");
    }
}

#[tokio::test]
async fn a_stream_cut_at_every_byte_joins_to_the_whole_log() {
    let whole = chunked(SSE, &[stream_body(&request_from(0), 3).as_bytes()]).len();
    for cut in 0..whole {
        let server = Server::start(move |number, request| {
            let mut bytes = chunked(SSE, &[stream_body(request, 3).as_bytes()]);
            if number > 0 {
                return Reply::Hold(bytes);
            }
            bytes.truncate(cut);
            Reply::Bytes(bytes)
        })
        .await;
        let (lines, _) = until_caught_up(&mut follow(&server, Start::Oldest)).await;
        assert_eq!(lines, whole_log(3), "cut at {cut}");
    }
}

fn request_from(after: u64) -> Request {
    Request { target: String::new(), headers: [("last-event-id".to_owned(), format!("0000000a-{after}"))].into() }
}

#[tokio::test]
async fn goes_on_when_the_server_comes_back() {
    // A port that refuses: bound once, and given back.
    let port = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let mut stream = Client::new(&format!("{port}")).unwrap().follow(Start::Oldest, &Filter::default()).with_pace(FAST);
    for _ in 0..3 {
        let item = within("an item", stream.next()).await.unwrap();
        assert!(
            matches!(&item, StreamItem::Reconnecting { error, .. } if error.contains("refused") && error.contains("shipslog serve")),
            "{item:?}"
        );
    }
    let _server = Server::start_at(port, |_, request| Reply::Hold(chunked(SSE, &[stream_body(request, 5).as_bytes()]))).await;
    assert_eq!(until_caught_up(&mut stream).await.0, whole_log(5));
}

#[tokio::test]
async fn resumes_by_the_id_of_a_control_frame() {
    let server = Server::start(|number, request| match number {
        0 => Reply::Bytes(chunked(SSE, &[b"event: hello\nid: 0000000a-41\ndata: {\"after\":41}\n\n"])),
        _ => Reply::Hold(chunked(SSE, &[stream_body(request, 42).as_bytes()])),
    })
    .await;
    let (lines, others) = until_caught_up(&mut follow(&server, Start::Now)).await;
    assert_eq!((lines, losses(&others)), (vec![line(42)], 0));
    let requests = server.requests.lock().unwrap();
    assert!(requests[0].target.ends_with("/api/v1/stream?since=now"), "{}", requests[0].target);
    assert_eq!((requests[1].target.as_str(), requests[1].headers["last-event-id"].as_str()), ("/api/v1/stream", "0000000a-41"));
}

#[tokio::test]
async fn a_silent_connection_counts_as_dead() {
    let server = Server::start(|number, request| match number {
        0 => Reply::Hold(chunked(SSE, &[b"event: hello\nid: 0000000a-0\ndata: {}\n\nid: 0000000a-1\ndata: "])),
        _ => Reply::Hold(chunked(SSE, &[stream_body(request, 2).as_bytes()])),
    })
    .await;
    let (lines, others) = until_caught_up(&mut follow(&server, Start::Oldest)).await;
    assert_eq!(lines, whole_log(2));
    assert!(others.iter().any(|i| matches!(i, StreamItem::Reconnecting { error, .. } if error.contains("keep-alive"))), "{others:?}");
}

#[tokio::test]
async fn a_dropped_next_loses_nothing() {
    let server = Server::start(|number, request| {
        let body = stream_body(request, 50);
        let mut bytes = chunked(SSE, &body.as_bytes().chunks(97).collect::<Vec<_>>());
        if number < 5 {
            bytes.truncate(2500);
        }
        Reply::Hold(bytes)
    })
    .await;
    let mut stream = follow(&server, Start::Oldest);
    let mut lines = Vec::new();
    while lines.len() < 50 {
        let step = tokio::time::timeout(Duration::from_micros(300), stream.next());
        if let StreamItem::Record { line, .. } = step.await.unwrap_or(Ok(StreamItem::Checkpoint { seq: 0 })).unwrap() {
            lines.push(line);
        }
    }
    assert_eq!(lines, whole_log(50));
}

#[tokio::test]
async fn a_replay_ends_where_the_server_says_so() {
    let server = Server::start(|number, request| match number {
        0 => Reply::Bytes(chunked(SSE, &[stream_body(request, 3).as_bytes()])),
        _ => {
            let body = format!("id: 0000000a-7\ndata: {}\n\nevent: end\nid: 0000000a-9\ndata: {{\"seq\":9}}\n\n", line(7));
            Reply::Bytes([chunked(SSE, &[body.as_bytes()]), LAST_CHUNK.to_vec()].concat())
        }
    })
    .await;
    let end = Timestamp::from_nanos(1_000_000_000);
    let mut stream = follow(&server, Start::Since(Timestamp::from_nanos(0))).until(end).at_speed(2.5);
    let (mut lines, mut others) = (Vec::new(), Vec::new());
    while others.last() != Some(&StreamItem::End { seq: 9 }) {
        match tokio::time::timeout(Duration::from_secs(30), stream.next()).await.unwrap().unwrap() {
            StreamItem::Record { line, .. } => lines.push(line),
            item => others.push(item),
        }
    }
    assert_eq!(lines, [line(1), line(2), line(3), line(7)]);
    assert_eq!(losses(&others), 0, "what an end leaves out is not lost: {others:?}");
    assert_eq!(within("the end", stream.next()).await.unwrap(), StreamItem::End { seq: 9 }, "it stays over");
    let requests = server.requests.lock().unwrap();
    let asked = "/api/v1/stream?until=1970-01-01T00%3A00%3A01.000000000Z&speed=2.5";
    assert_eq!(requests[0].target, format!("{asked}&since=1970-01-01T00%3A00%3A00.000000000Z"));
    assert_eq!((requests[1].target.as_str(), requests[1].headers["last-event-id"].as_str()), (asked, "0000000a-3"));
    assert_eq!(requests.len(), 2, "it asks no more");
}

#[tokio::test]
async fn a_replay_that_breaks_before_its_end_is_told_that_nothing_is_left() {
    let server = Server::start(|number, request| match number {
        0 => Reply::Bytes(chunked(SSE, &[stream_body(request, 3).as_bytes()])),
        _ => Reply::Bytes(b"HTTP/1.1 204 No Content\r\nconnection: close\r\n\r\n".to_vec()),
    })
    .await;
    let mut stream = follow(&server, Start::Oldest).until(Timestamp::now());
    let end = loop {
        match tokio::time::timeout(Duration::from_secs(30), stream.next()).await.unwrap().unwrap() {
            StreamItem::End { seq } => break seq,
            item => assert_eq!(losses(&[item]), 0),
        }
    };
    assert_eq!(end, 3);
}

#[tokio::test]
async fn a_refusal_is_final_and_says_why() {
    let problem = r#"{"type":"about:blank","title":"Bad Request","status":400,"detail":"filters has the unknown key \"typ\""}"#;
    let server = Server::start(move |_, _| Reply::Bytes(answer("400 Bad Request", "application/problem+json", problem))).await;
    let error = within("an error", follow(&server, Start::Now).next()).await.unwrap_err();
    assert_eq!(error.to_string(), "the server refused: filters has the unknown key \"typ\" (HTTP 400)");
    let client = Client::new(&server.url()).unwrap();
    assert_eq!(client.history(&HistoryQuery::default()).await.unwrap_err(), error);
    assert_eq!(client.readiness().await.unwrap_err(), error);
}

#[tokio::test]
async fn something_else_that_listens_there_is_not_taken_for_shipslog() {
    let server = Server::start(|_, _| Reply::Bytes(answer("200 OK", "text/html", "<html>"))).await;
    let answer = within("an error", follow(&server, Start::Now).next()).await;
    assert!(matches!(answer, Err(ClientError::NotShipslog { .. })));
    let client = Client::new(&server.url()).unwrap();
    assert!(matches!(client.stats().await, Err(ClientError::NotShipslog { .. })));
}

#[tokio::test]
async fn gaps_and_resets_are_told() {
    let server = Server::start(|_, _| {
        let body = "event: hello\nid: 0000000b-0\ndata: {\"log\":\"x\",\"oldest\":8,\"head\":9,\"after\":0}\n\n\
            event: reset\nid: 0000000b-0\ndata: {\"reason\":\"foreign-log\",\"requested\":\"0000000a-3\",\"oldest\":1,\"head\":9}\n\n\
            event: gap\nid: 0000000b-7\ndata: {\"from\":1,\"to\":7,\"reason\":\"retention\"}\n\n\
            id: 0000000b-8\ndata: {}\n\nevent: caught-up\nid: 0000000b-9\ndata: {\"head\":9}\n\n";
        Reply::Hold(chunked(SSE, &[body.as_bytes()]))
    })
    .await;
    let (lines, others) = until_caught_up(&mut follow(&server, Start::After("0000000a-3".parse().unwrap()))).await;
    assert_eq!(lines, ["{}"]);
    let expected = [
        StreamItem::Reset { reason: "foreign-log".into(), oldest: 1 },
        StreamItem::Gap { from: 1, to: 7, reason: "retention".into() },
        StreamItem::Lost { from: 9, to: 9 },
    ];
    assert_eq!(others.get(1..).unwrap(), expected);
}

#[tokio::test]
async fn history_passes_everything_on_and_keeps_lines_verbatim() {
    let body = format!(
        r#"{{"records":[{}, {{"odd" : 1}}],"folded":7,"page":{{"next":"t/2","prev":null}},"log":{{"id":"{LOG}","oldest":1,"head":2}}}}"#,
        line(1)
    );
    let server = Server::start(move |_, _| Reply::Bytes(answer("200 OK", "application/json", &body))).await;
    let client = Client::new(&format!("{}/base/", server.url())).unwrap();
    let filter = Filter::from_terms(&["type=container".into()], &["event=exec_*".into()]).unwrap();
    let selection = Selection { since: Some(Timestamp::from_nanos(1)), until: None, filter };
    let query = HistoryQuery { selection, order: Order::Desc, limit: 5, page: Some("t&1".into()), fold: true };
    let page = client.history(&query).await.unwrap();
    assert_eq!(page.records.iter().map(|r| r.get()).collect::<Vec<_>>(), [line(1).as_str(), r#"{"odd" : 1}"#]);
    assert_eq!(page.folded, 7);
    assert_eq!((page.next(), page.log.cursor(2).unwrap().to_string().as_str()), (Some("t/2"), "0000000a-2"));
    assert_eq!(
        server.requests.lock().unwrap()[0].target,
        "/base/api/v1/events?filters=%7B%22type%22%3A%5B%22container%22%5D%7D&exclude=%7B%22event%22%3A%5B%22exec_*%22%5D%7D&since=1970-01-01T00%3A00%3A00.000000001Z&order=desc&limit=5&cursor=t%261&fold=noise"
    );
}

#[tokio::test]
async fn an_export_that_is_cut_or_cannot_show_its_end_is_an_error() {
    let server = Server::start(|number, _| match number {
        0 => Reply::Bytes([chunked("application/jsonl", &[b"{}\n"]), LAST_CHUNK.to_vec()].concat()),
        1 => Reply::Bytes(chunked("application/jsonl", &[b"{}\n"])),
        _ => Reply::Bytes(b"HTTP/1.1 200 OK\r\n\r\n{}\n".to_vec()),
    })
    .await;
    let client = Client::new(&server.url()).unwrap();
    let mut whole = client.export(&Selection::default(), "jsonl", Compression::Zstd, false).await.unwrap();
    assert_eq!(whole.chunk().await.unwrap().unwrap().as_ref(), b"{}\n");
    assert_eq!(whole.chunk().await, Ok(None));
    let mut cut = client.export(&Selection::default(), "jsonl", Compression::None, false).await.unwrap();
    assert!(cut.chunk().await.is_ok());
    assert!(matches!(cut.chunk().await, Err(ClientError::Cut { .. })));
    assert!(matches!(client.export(&Selection::default(), "jsonl", Compression::None, false).await, Err(ClientError::NotShipslog { .. })));
    assert_eq!(server.requests.lock().unwrap()[0].target, "/api/v1/export?format=jsonl&compression=zstd");
}

#[test]
fn urls_are_checked_and_shown_without_secrets() {
    for (url, part) in [("ftp://a", "scheme"), ("unix:", "the path of the socket"), ("http://", "host"), ("", "host")] {
        let error = Client::new(url).unwrap_err().to_string();
        assert!(error.contains(part) && error.contains("http://127.0.0.1:7070"), "{error}");
    }
    let with_token = |url: &str| Client::to(&Target { url: url.to_owned(), token: Some("t".repeat(20)), ca_cert: None });
    for url in ["ship.example:7070", "http://10.0.0.7", "http://localhost.evil.example"] {
        assert!(with_token(url).unwrap_err().to_string().contains("write https://"), "{url}");
    }
    for url in ["https://ship.example", "127.0.0.1:7070", "http://[::1]:7070", "localhost:7070", "unix:/run/s"] {
        assert!(with_token(url).is_ok(), "{url}");
    }
    assert_eq!(Client::new("http://me:secret@host:1/x/?y#z").unwrap().shown(), "http://host:1/x");
    assert_eq!(Client::new("localhost:7070").unwrap().url("/readyz", &[]).as_str(), "http://localhost:7070/readyz");
}

/// Whatever listens there, its answers have a bound, and no more requests are made than it may ask for.
#[tokio::test]
async fn answers_and_redirects_of_something_else_have_bounds() {
    let long = "x".repeat(MAX_STATUS_BYTES + 1);
    let server = Server::start(move |number, request| {
        Reply::Bytes(match request.target.as_str() {
            "/api/v1/stats" => answer("200 OK", "application/json", &long),
            "/readyz" => answer("400 Bad Request", "text/plain", &long[..MAX_PROBLEM_BYTES + usize::from(number > 1)]),
            _ => b"HTTP/1.1 302 Found\r\nlocation: /again\r\ncontent-length: 0\r\nconnection: close\r\n\r\n".to_vec(),
        })
    })
    .await;
    let client = Client::new(&server.url()).unwrap();
    assert_eq!(client.stats().await.unwrap_err(), ClientError::TooLarge { limit: MAX_STATUS_BYTES });
    // Cut where it is long, and not read to its end where it is longer than any answer of ours.
    for said in ["x".repeat(MAX_DETAIL_CHARS), "Bad Request".to_owned()] {
        assert_eq!(client.readiness().await.unwrap_err(), ClientError::Refused { status: 400, detail: said });
    }
    let before = server.requests.lock().unwrap().len();
    assert!(matches!(client.history(&HistoryQuery::default()).await, Err(ClientError::Unreachable { .. })));
    assert_eq!(server.requests.lock().unwrap().len() - before, target::MAX_REDIRECTS + 1);
}
