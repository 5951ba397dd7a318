use super::*;
use crate::event::Event;
use crate::log::{EmbeddedLog, Limits, NewRecord};
use crate::reader::Want;
use crate::server::page::{At, Direction, Order, Page, PageRequest};
use crate::server::peer::Address;
use crate::testing::until;
use crate::time::Timestamp;
use http_body_util::BodyExt;
use tempfile::TempDir;

const ASKER: Asker = Asker { address: Address::Unknown, admitted: None };

fn record(n: u64) -> NewRecord {
    let pad = "x".repeat(if n.is_multiple_of(10) { 150_000 } else { 20_000 });
    let line = format!(r#"{{"Type":"container","Action":"a{n}","pad":"{pad}"}}"#);
    NewRecord { received: Timestamp::from_nanos(1), source: "local".into(), event: Event::from_line(line.as_bytes()).unwrap() }
}

/// Forty large records in segments, all but the newest.
async fn log() -> (TempDir, Arc<dyn EventLog>, Vec<String>) {
    let dir = TempDir::new().unwrap();
    let limits = Limits { tip_records: 4, ..Limits::default() };
    let log: Arc<dyn EventLog> = Arc::new(EmbeddedLog::open_with(dir.path(), limits).unwrap().0);
    for n in 1..=40 {
        log.append(vec![record(n)]).await.unwrap();
    }
    let mut lines = Vec::new();
    for seq in 0..40 {
        let chunk = log.read_after(seq, &Scan { max_bytes: 1, ..Scan::default() }).await.unwrap();
        let Some(Piece::Block(block)) = chunk.pieces.first() else { panic!("no record {}", seq + 1) };
        lines.push(String::from_utf8(block.line(seq + 1, false).to_vec()).unwrap());
    }
    (dir, log, lines)
}

async fn page(log: &Arc<dyn EventLog>, order: Order) -> Lines {
    let request = PageRequest {
        order,
        direction: Direction::Next,
        at: At::Edge { oldest: 1 },
        want: Want { until: 40, ..Want::default() },
        limit: 100,
        fold: false,
    };
    let page = Page::load(log, request).await.unwrap().page;
    assert!(page.lines.is_none(), "too large to be kept");
    Lines { before: Bytes::from_static(b"["), records: page.records, bytes: page.bytes, after: Bytes::from_static(b"]") }
}

/// The pieces of a body, and why it ended early.
async fn read(response: Response) -> (Vec<u8>, Option<String>) {
    let length: usize = response.headers()[header::CONTENT_LENGTH].to_str().unwrap().parse().unwrap();
    let (mut all, mut body) = (Vec::new(), response.into_body());
    while let Some(frame) = body.frame().await {
        match frame {
            Ok(frame) => {
                let piece = frame.into_data().unwrap();
                assert!((1..=CHUNK_BYTES + 1).contains(&piece.len()), "{}", piece.len());
                all.extend_from_slice(&piece);
            }
            Err(e) => return (all, Some(e.to_string())),
        }
    }
    assert_eq!(all.len(), length);
    (all, None)
}

async fn trim(log: &Arc<dyn EventLog>) {
    until("sealed tips to trim", async || log.trim(38).await.unwrap() >= 30).await;
}

#[tokio::test]
async fn large_pages_come_in_pieces_in_both_orders() {
    let (_dir, log, mut lines) = log().await;
    for order in [Order::Asc, Order::Desc] {
        let (body, early) = read(page(&log, order).await.into_response(&log, &ASKER)).await;
        assert_eq!(early, None);
        assert!(body == format!("[{}]", lines.join(",")).into_bytes(), "{order:?}");
        lines.reverse();
    }
}

/// Waits until no more than the tip in use and the next one are there: what is sealed later is not held.
async fn sealed(dir: &TempDir) {
    let is_tip = |entry: &std::io::Result<std::fs::DirEntry>| entry.as_ref().unwrap().file_name().to_string_lossy().starts_with("tip-");
    let tips = || std::fs::read_dir(dir.path().join("log")).unwrap().filter(|entry| is_tip(entry)).count();
    until("sealed tips", async || tips() <= 2).await;
}

#[tokio::test]
async fn what_retention_takes_meanwhile_is_sent_even_so() {
    let (dir, log, lines) = log().await;
    sealed(&dir).await;
    let response = page(&log, Order::Asc).await.into_response(&log, &ASKER);
    trim(&log).await;
    let (body, early) = read(response).await;
    assert_eq!(early, None);
    assert!(body == format!("[{}]", lines.join(",")).into_bytes());
}

#[tokio::test]
async fn what_cannot_be_read_breaks_the_answer_off() {
    let (_dir, log, lines) = log().await;
    let late = page(&log, Order::Asc).await;
    trim(&log).await;
    let (body, early) = read(late.into_response(&log, &ASKER)).await;
    assert!(early.is_some() && body.len() < lines.join(",").len(), "{early:?}");
}
