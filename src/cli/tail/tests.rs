use super::*;
use crate::cli::render::{OutputForm, Renderer};
use crate::cli::testing::Sink;
use crate::client::testing::{LOG, Reply, Server, answer, chunked, line, stream_body};
use crate::time::Tz;

/// Runs `tail --follow -o json` until stdout holds what it should, or far too long; gives stdout and the
/// remarks.
async fn tail(server: &Server, count: Option<usize>, until: &str) -> (String, String) {
    let (out, notes) = (Sink::default(), Sink::default());
    let mut printer = Printer::to(Box::new(out.clone()), Box::new(notes.clone()), Renderer::new(OutputForm::Json, Tz::UTC, false), Tz::UTC);
    let client = Client::new(&server.url()).unwrap();
    let selection = Selection::default();
    let wait = crate::testing::until("what stdout should hold", async || out.text().contains(until));
    tokio::select! {
        result = follow(&client, &selection, count, None, &mut printer) => result.unwrap(),
        () = wait => {}
    }
    (out.text(), notes.text())
}

fn joined(from: u64, to: u64) -> String {
    (from..=to).map(|seq| line(seq) + "\n").collect()
}

/// A log of 20 records when first asked, which grows by three with every request; streams break, and the
/// server is away at times.
async fn restless_server() -> Server {
    Server::start(|number, request| {
        let head = 20 + 3 * number as u64;
        if number % 4 == 1 {
            return Reply::Bytes(answer("503 Service Unavailable", "application/json", r#"{"detail":"starting"}"#));
        }
        if request.target.starts_with("/api/v1/stream") {
            let mut bytes = chunked("text/event-stream", &[stream_body(request, head).as_bytes()]);
            bytes.truncate(bytes.len() - 300);
            return Reply::Bytes(bytes);
        }
        let count = if request.target.contains("limit=1&") || request.target.ends_with("limit=1") { 1 } else { 5 };
        let lines: Vec<_> = (head - count + 1..=head).rev().map(line).collect();
        let body = format!(r#"{{"records":[{}],"page":{{"next":"x"}},"log":{{"id":"{LOG}","oldest":1,"head":{head}}}}}"#, lines.join(","));
        Reply::Bytes(answer("200 OK", "application/json", &body))
    })
    .await
}

#[tokio::test]
async fn history_and_stream_join_without_a_seam() {
    let (out, notes) = tail(&restless_server().await, Some(5), &line(50)).await;
    let first: u64 = serde_json::from_str::<serde_json::Value>(out.lines().next().unwrap()).unwrap()["seq"].as_u64().unwrap();
    assert!(out.starts_with(&joined(first, 50)), "{out}");
    assert!(
        notes.contains("-- the server is not available: starting (HTTP 503); trying again\n-- ") && notes.contains("-- connected again\n"),
        "{notes}"
    );
    assert!(!notes.contains("lost"), "{notes}");
}

#[tokio::test]
async fn what_is_missing_is_told_in_words() {
    let server = Server::start(|_, request| {
        assert!(request.target.contains("since=oldest"));
        let mut body = stream_body(request, 4);
        body.push_str("event: gap\nid: 0000000a-9\ndata: {\"from\":5,\"to\":9,\"reason\":\"retention\\u001b[2J\"}\n\n");
        for seq in [10, 12] {
            body.push_str(&["id: 0000000a-", &seq.to_string(), "\ndata: ", &line(seq), "\n\n"].concat());
        }
        body.push_str("event: reset\nid: 0000000a-0\ndata: {\"reason\":\"future\",\"oldest\":1,\"head\":1}\n\n");
        body.push_str(&["id: 0000000a-1\ndata: ", &line(1), "x\n\n"].concat());
        Reply::Hold(chunked("text/event-stream", &[body.as_bytes()]))
    })
    .await;
    let (out, notes) = tail(&server, None, &(line(1) + "x")).await;
    assert_eq!(out, joined(1, 4) + &joined(10, 10) + &joined(12, 12) + &line(1) + "x\n");
    assert_eq!(
        notes,
        "-- gap: sequences 5 to 9 are gone (retention\\u{1b}[2J)\n\
         -- lost: sequence 11 is missing from the stream, and the server did not say why\n\
         -- reset: this is not the log followed so far (future); going on with its oldest record, 1\n"
    );
}

#[test]
fn goes_on_behind_the_later_cursor() {
    let at = |log, seq| Some(Cursor { log, seq });
    assert_eq!(later(at(1, 5), at(1, 3)), at(1, 5));
    assert_eq!(later(at(1, 5), at(1, 8)), at(1, 8));
    assert_eq!(later(at(1, 5), at(2, 1)), at(2, 1));
    assert_eq!(later(at(1, 0), None), at(1, 0));
    assert_eq!(later(None, None), None);
    assert_eq!(sequences(5, 9), "sequences 5 to 9 are");
    assert_eq!(sequences(5, 5), "sequence 5 is");
}
