//! Records as the body of an answer, read while they are sent: a client holds [`CHUNK_BYTES`] of them,
//! however slowly it takes them.

use super::asker::Asker;
use super::positions::{Positions, Walk};
use crate::cursor::Sequence;
use crate::export::ExportError;
use crate::log::{Block, EventLog, Held, LogError, Piece, Scan};
use bytes::Bytes;
use futures_util::{Stream, StreamExt};
use std::sync::Arc;
use sync_wrapper::SyncStream;
use warp::http::{HeaderValue, header};
use warp::reply::{Reply, Response};

/// Bytes that are sent at once, at most. A longer record goes in several pieces.
pub(super) const CHUNK_BYTES: usize = 64 * 1024;

/// Why an answer was broken off.
#[derive(Debug, thiserror::Error)]
pub(super) enum Broken {
    #[error("the log cannot be read: {0}")]
    Log(#[from] LogError),
    #[error(transparent)]
    Export(#[from] ExportError),
    #[error("the record {0} is gone")]
    Gone(Sequence),
    #[error("the token is no longer one of ours")]
    Revoked,
}

/// A body made piece by piece, for as long as `asker` may ask. A piece that cannot be had breaks the transfer
/// off, so that nobody takes what came before it for everything.
pub(super) fn guarded(asker: &Asker, pieces: impl Stream<Item = Result<Bytes, Broken>> + Send + 'static) -> Response {
    let state = Some((Box::pin(pieces), asker.clone()));
    let body = futures_util::stream::unfold(state, |state| async move {
        let (mut pieces, asker) = state?;
        let piece = tokio::select! {
            biased;
            () = asker.revoked() => Err(Broken::Revoked),
            piece = pieces.next() => piece?,
        };
        match piece {
            Ok(piece) => Some((Ok(piece), Some((pieces, asker)))),
            Err(why) => {
                tracing::warn!(error = %why, "an answer is broken off");
                Some((Err(why), None))
            }
        }
    });
    warp::reply::stream(SyncStream::new(Box::pin(body))).into_response()
}

/// What is sent: something before the records, the records with commas between them, something after them.
#[derive(Debug)]
pub(super) struct Lines {
    pub(super) before: Bytes,
    pub(super) records: Positions,
    /// Bytes of all lines.
    pub(super) bytes: usize,
    pub(super) after: Bytes,
}

impl Lines {
    /// As a body whose length is told: a part of it never passes for the whole, over HTTP/1.0 neither.
    pub(super) fn into_response(self, log: &Arc<dyn EventLog>, asker: &Asker) -> Response {
        let Self { before, records, bytes, after } = self;
        let length = before.len() + bytes + records.len().saturating_sub(1) + after.len();
        let held = match (records.first(), records.last()) {
            (Some(a), Some(b)) => log.hold(&(a.min(b)..=a.max(b))),
            _ => Held::default(),
        };
        let sending = Sending { log: Arc::clone(log), held, before, records: records.walk(), begun: 0, comma: false, after };
        let pieces = futures_util::stream::try_unfold(sending, |mut sending| async move {
            let piece = sending.next().await?;
            Ok((!piece.is_empty()).then_some((piece, sending)))
        });
        let mut response = guarded(asker, pieces);
        response.headers_mut().insert(header::CONTENT_LENGTH, HeaderValue::from(length));
        response
    }
}

/// A body on its way.
struct Sending {
    log: Arc<dyn EventLog>,
    held: Held,
    before: Bytes,
    records: Walk,
    /// Bytes of the next record that have been sent.
    begun: usize,
    /// Whether a comma comes before the next record.
    comma: bool,
    after: Bytes,
}

impl Sending {
    /// The next piece; an empty one at the end. No block of the log is held while a client takes its time
    /// over it.
    async fn next(&mut self) -> Result<Bytes, Broken> {
        let mut out = Vec::from(std::mem::take(&mut self.before));
        let mut block: Option<Arc<Block>> = None;
        while let Some(seq) = self.records.peek() {
            if out.len() >= CHUNK_BYTES {
                return Ok(out.into());
            }
            let here = match block.take().filter(|block| block.sequences().contains(&seq)) {
                Some(block) => block,
                None => self.block(seq).await?,
            };
            if std::mem::take(&mut self.comma) {
                out.push(b',');
            }
            let line = here.line(seq, false);
            let left = line.get(self.begun..).unwrap_or_default();
            let fits = left.len().min(CHUNK_BYTES.saturating_sub(out.len()));
            out.extend_from_slice(left.get(..fits).unwrap_or_default());
            if fits < left.len() {
                self.begun += fits;
                return Ok(out.into());
            }
            (self.begun, self.comma) = (0, true);
            self.records.next();
            block = Some(here);
        }
        out.extend_from_slice(&std::mem::take(&mut self.after));
        Ok(out.into())
    }

    /// The block in which a record lies.
    async fn block(&self, seq: Sequence) -> Result<Arc<Block>, Broken> {
        let chunk = self.log.read_held(&self.held, seq - 1, &Scan { max_bytes: 1, ..Scan::default() }).await?;
        match chunk.pieces.into_iter().next() {
            Some(Piece::Block(block)) if block.sequences().contains(&seq) => Ok(block),
            _ => Err(Broken::Gone(seq)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::Event;
    use crate::log::{EmbeddedLog, Limits, NewRecord};
    use crate::reader::Want;
    use crate::server::page::{At, Direction, Order, Page, PageRequest};
    use crate::server::peer::Address;
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
        while log.trim(38).await.unwrap() < 30 {
            tokio::time::sleep(std::time::Duration::from_millis(5)).await;
        }
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
        while std::fs::read_dir(dir.path().join("log")).unwrap().filter(|entry| is_tip(entry)).count() > 2 {
            tokio::time::sleep(std::time::Duration::from_millis(5)).await;
        }
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
}
