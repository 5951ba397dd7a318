//! What clients with the same filter lack from the same position on, gathered once and shared.

use super::control::Control;
use super::feed::{CHECKPOINT_EVERY, KEEP_ALIVE};
use super::stream::KEEP_ALIVE_FRAME;
use crate::cursor::{LogId, Sequence};
use crate::filter::Filter;
use crate::log::{EventLog, Piece, Scan};
use crate::reader::{Part, Selection, Want};
use crate::server::net::{Delivery, Link, Standing};
use bytes::{Bytes, BytesMut};
use std::collections::HashMap;
use std::fmt::Write as _;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use tokio::time::Instant;

/// What a client is sent at once, about.
const BATCH_BYTES: usize = 64 * 1024;
/// Batches that are kept for the next client who stands there; with very many filters they are gathered anew
/// rather than piled up.
const KNOWN_BYTES: usize = 8 * 1024 * 1024;

/// What clients that stand at one position with one filter are sent next.
#[derive(Debug)]
struct Batch {
    /// An HTTP/1.1 chunk; empty when nothing passes the filter.
    bytes: Bytes,
    /// Sequence of the last record in it.
    told: Sequence,
    /// Everything up to here is in it or was not wanted.
    upto: Sequence,
}

/// What is gathered for one head.
pub(super) struct Batches {
    log: Arc<dyn EventLog>,
    id: LogId,
    /// By filter and position. `None`: only the client's own task can go on from there. A filter is told by
    /// its address, since all clients with an equal one share it; the entry holds it, so that the address is
    /// not given to another.
    known: HashMap<(usize, Sequence), (Arc<Filter>, Option<Batch>)>,
    /// Bytes of all of them.
    bytes: usize,
}

/// What all links of a slice are served with.
pub(super) struct Pass {
    pub(super) head: Sequence,
    pub(super) now: Instant,
    /// Also look for clients that have heard nothing for long.
    pub(super) tick: bool,
}

impl Batches {
    /// Of what `log` has.
    pub(super) fn new(log: Arc<dyn EventLog>) -> Self {
        Self { id: log.bounds().log, log, known: HashMap::new(), bytes: 0 }
    }

    /// To be called whenever the head has moved.
    pub(super) fn forget(&mut self) {
        self.known.clear();
        self.bytes = 0;
    }

    /// As [`Batches::serve`]. A panic costs the connection that it was for, and no other: nobody knows what
    /// its client was sent, but the client does.
    pub(super) fn serve_or_cut(&mut self, link: &Link, pass: &Pass) -> (Delivery, bool) {
        catch_unwind(AssertUnwindSafe(|| self.serve(link, pass))).unwrap_or_else(|_| {
            tracing::error!("a direct write panicked; the connection that it was for is closed");
            link.cut();
            self.forget();
            (Delivery::HandedBack, true)
        })
    }

    /// Sends a client what it lacks; what became of it, and whether it is up to date.
    fn serve(&mut self, link: &Link, pass: &Pass) -> (Delivery, bool) {
        let (id, mut current, mut sign) = (self.id, true, Bytes::new());
        let delivery = link.deliver(|standing| {
            if standing.position >= pass.head {
                if pass.tick {
                    sign = sign_of_life(standing, pass.now, id);
                }
                return Some(&sign);
            }
            let batch = self.next(standing)?;
            standing.position = batch.upto;
            current = standing.position >= pass.head;
            if !batch.bytes.is_empty() {
                (standing.told, standing.spoke) = (batch.told, pass.now);
                return Some(&batch.bytes);
            }
            // Also who is never up to date under load, since nothing passes its filter, has to hear
            // something.
            if pass.tick {
                sign = sign_of_life(standing, pass.now, id);
            }
            Some(&sign)
        });
        (delivery, current)
    }
}

impl Batches {
    /// What comes next for all who stand there; `None`: only their own tasks can go on.
    fn next(&mut self, standing: &Standing) -> Option<&Batch> {
        let key = (Arc::as_ptr(&standing.filter) as usize, standing.position);
        if self.bytes > KNOWN_BYTES {
            self.forget();
        }
        let gathered = || {
            let batch = gather(&*self.log, self.id, standing);
            self.bytes += batch.as_ref().map_or(0, |batch| batch.bytes.len());
            (Arc::clone(&standing.filter), batch)
        };
        self.known.entry(key).or_insert_with(gathered).1.as_ref()
    }
}

/// What a client that has everything is told now and then.
fn sign_of_life(standing: &mut Standing, now: Instant, log: LogId) -> Bytes {
    let silent = now.saturating_duration_since(standing.spoke);
    if standing.position > standing.told && silent >= CHECKPOINT_EVERY {
        (standing.told, standing.spoke) = (standing.position, now);
        return chunked(&[Bytes::from(Control::Checkpoint { seq: standing.position }.to_sse(log))]);
    }
    if silent < KEEP_ALIVE {
        return Bytes::new();
    }
    standing.spoke = now;
    chunked(&[Bytes::from_static(KEEP_ALIVE_FRAME)])
}

/// What comes after a position, from memory; `None` when it is not all there.
fn gather(log: &dyn EventLog, id: LogId, standing: &Standing) -> Option<Batch> {
    let scan = Scan { filter: Arc::clone(&standing.filter), max_bytes: BATCH_BYTES, ..Scan::default() };
    let want = Want { filter: Arc::clone(&standing.filter), ..Want::default() };
    let chunk = log.recent_after(standing.position, &scan)?;
    let (mut pieces, mut bytes, mut upto, mut told) = (Vec::new(), 0, standing.position, standing.told);
    for piece in chunk.pieces {
        let Piece::Block(block) = piece else { return None };
        let last = block.last();
        let Some(selection) = Selection::select(block, upto + 1..=last, &want) else {
            upto = last;
            continue;
        };
        for part in selection.parts() {
            let run = match part {
                Part::Records(run) => run,
                Part::Loss(seq) => {
                    let frame = Bytes::from(Control::loss(&selection.block, seq).to_sse(id));
                    bytes += frame.len();
                    if bytes > BATCH_BYTES && !pieces.is_empty() {
                        return Some(Batch { bytes: chunked(&pieces), told, upto });
                    }
                    pieces.push(frame);
                    (told, upto) = (seq, seq);
                    continue;
                }
            };
            // A block may be far larger than a batch: what a client that stalls leaves behind stays in memory
            // until it is cut.
            let fits = |seq: &Sequence| {
                bytes += selection.block.frame_bytes(*seq);
                bytes <= BATCH_BYTES
            };
            let end = run.clone().take_while(fits).last().or(pieces.is_empty().then_some(*run.start()));
            if let Some(end) = end {
                pieces.push(selection.block.frames(*run.start(), end));
                (told, upto) = (end, end);
            }
            if end != Some(*run.end()) {
                return Some(Batch { bytes: chunked(&pieces), told, upto });
            }
        }
        upto = last;
    }
    Some(Batch { bytes: if pieces.is_empty() { Bytes::new() } else { chunked(&pieces) }, told, upto: upto.max(chunk.through) })
}

/// As one chunk of a chunked body (RFC 9112, 7.1).
fn chunked(pieces: &[Bytes]) -> Bytes {
    let bytes: usize = pieces.iter().map(Bytes::len).sum();
    let mut chunk = BytesMut::with_capacity(bytes + 12);
    let _ = write!(chunk, "{bytes:X}\r\n");
    for piece in pieces {
        chunk.extend_from_slice(piece);
    }
    chunk.extend_from_slice(b"\r\n");
    chunk.freeze()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::Event;
    use crate::log::{EmbeddedLog, NewRecord};
    use crate::server::net::{Shard, Socket};
    use crate::time::Timestamp;
    use tokio::io::AsyncReadExt;

    #[tokio::test]
    async fn batches_are_small_whole_and_leave_nothing_out() {
        let dir = tempfile::TempDir::new().unwrap();
        let log = EmbeddedLog::open(dir.path()).unwrap().0;
        let record = |n: u64| {
            let action = if n.is_multiple_of(4) { "die" } else { "start" };
            let line =
                format!(r#"{{"Type":"container","Action":"{action}","pad":"{}"}}"#, "x".repeat(if n == 9 { 100_000 } else { 25_000 }));
            NewRecord { received: Timestamp::now(), source: "local".into(), event: Event::from_line(line.as_bytes()).unwrap() }
        };
        // One block of twenty.
        log.append((1..=20).map(record).collect()).await.unwrap();
        for (filter, expected) in [(None, (1..=20).collect::<Vec<u64>>()), (Some(r#"{"event":["die"]}"#), vec![4, 8, 12, 16, 20])] {
            let filter = Arc::new(Filter::from_params(filter, None).unwrap());
            let mut standing = Standing { position: 0, told: 0, spoke: Instant::now(), filter };
            let mut seen = Vec::new();
            while standing.position < 20 {
                let batch = gather(&log, log.bounds().log, &standing).unwrap();
                assert!(batch.upto > standing.position);
                let text = String::from_utf8(batch.bytes.to_vec()).unwrap();
                let ids: Vec<u64> = text.lines().filter_map(|line| line.strip_prefix("id: ")?.split_once('-')?.1.parse().ok()).collect();
                assert!(ids.len() == 1 || batch.bytes.len() < BATCH_BYTES + 16, "{} bytes", batch.bytes.len());
                seen.extend(ids);
                (standing.position, standing.told) = (batch.upto, batch.told);
            }
            assert_eq!(seen, expected);
        }
    }

    /// Clients with more filters than fit are served all the same, and what was gathered for them goes again.
    #[tokio::test]
    async fn what_is_kept_has_a_bound() {
        let dir = tempfile::TempDir::new().unwrap();
        let log: Arc<dyn EventLog> = Arc::new(EmbeddedLog::open(dir.path()).unwrap().0);
        let line = format!(r#"{{"Type":"container","Action":"die","pad":"{}"}}"#, "x".repeat(60_000));
        let event = Event::from_line(line.as_bytes()).unwrap();
        log.append(vec![NewRecord { received: Timestamp::now(), source: "local".into(), event }]).await.unwrap();
        let mut batches = Batches::new(log);
        let mut most = 0;
        for _ in 0..2 * KNOWN_BYTES / 60_000 {
            let filter = Arc::new(Filter::default());
            let standing = Standing { position: 0, told: 0, spoke: Instant::now(), filter };
            assert_eq!(batches.next(&standing).map(|batch| batch.upto), Some(1));
            let held: usize = batches.known.values().filter_map(|(_, batch)| Some(batch.as_ref()?.bytes.len())).sum();
            most = most.max(held);
        }
        assert!((KNOWN_BYTES..=KNOWN_BYTES + BATCH_BYTES).contains(&most), "{most} bytes");
    }

    /// What a filter hides of losses is told in its place, and the place is one to resume by.
    #[tokio::test]
    async fn losses_are_told_in_their_places() {
        let dir = tempfile::TempDir::new().unwrap();
        let log = EmbeddedLog::open(dir.path()).unwrap().0;
        let now = Timestamp::now();
        let event = |action: &str| Event::from_line(format!(r#"{{"Type":"container","Action":"{action}"}}"#).as_bytes()).unwrap();
        let gap = || Event::recorder("gap", "local", &[("reason", "damage")], now);
        let record = |event| NewRecord { received: now, source: "local".into(), event };
        let events = [event("die"), gap(), event("start"), event("die"), event("die"), gap()];
        log.append(events.map(record).to_vec()).await.unwrap();
        let told = |filters: &str, exclude: &str| {
            let filter = Filter::from_params(Some(filters), Some(exclude)).unwrap().telling_losses();
            let standing = Standing { position: 0, told: 0, spoke: Instant::now(), filter: Arc::new(filter) };
            let batch = gather(&log, log.bounds().log, &standing).unwrap();
            assert_eq!(batch.upto, 6);
            let text = String::from_utf8(batch.bytes.to_vec()).unwrap();
            let frame = |frame: &str| {
                let id = frame.split_once("id: ")?.1.split_once('\n')?.0.split_once('-')?.1.to_owned();
                Some((id, frame.contains("event: incomplete\n")))
            };
            (text.split("\n\n").filter_map(frame).collect::<Vec<_>>(), batch.told)
        };
        let frames = |all: &[(u32, bool)]| all.iter().map(|(id, lost)| (id.to_string(), *lost)).collect::<Vec<_>>();
        assert_eq!(told(r#"{"event":["die"]}"#, ""), (frames(&[(1, false), (2, true), (4, false), (5, false), (6, true)]), 6));
        assert_eq!(told(r#"{"event":["die","gap"]}"#, ""), (frames(&[(1, false), (2, false), (4, false), (5, false), (6, false)]), 6));
        assert_eq!(told(r#"{"event":["oom"]}"#, ""), (frames(&[(2, true), (6, true)]), 6));
        assert_eq!(told(r#"{"event":["die"]}"#, r#"{"source":["local"]}"#), (frames(&[]), 0));
    }

    /// Under load the head is always ahead of a client whose filter nothing passes.
    #[tokio::test]
    async fn who_wants_nothing_of_what_comes_hears_something_even_so() {
        let dir = tempfile::TempDir::new().unwrap();
        let log: Arc<dyn EventLog> = Arc::new(EmbeddedLog::open(dir.path()).unwrap().0);
        let event = Event::from_line(br#"{"Type":"container","Action":"start"}"#).unwrap();
        let record = NewRecord { received: Timestamp::now(), source: "local".into(), event };
        let head = *log.append(vec![record]).await.unwrap().end();
        let (ours, mut theirs) = tokio::net::UnixStream::pair().unwrap();
        let shard = Arc::new(Shard::new(log.watch_head()));
        let link = Arc::new(Link::new(Arc::new(Socket::Unix(ours)), Arc::clone(&shard)));
        let filter = Arc::new(Filter::from_params(Some(r#"{"event":["oom"]}"#), None).unwrap());
        let now = Instant::now();
        let standing = Standing { position: 0, told: 0, spoke: now, filter };
        let lent = tokio::spawn({
            let link = Arc::clone(&link);
            async move { link.lend(standing, std::future::pending()).await }
        });
        tokio::task::yield_now().await;
        link.flushed();
        let mut batches = Batches::new(log);
        let later = now + CHECKPOINT_EVERY;
        assert_eq!(batches.serve(&link, &Pass { head, now: later, tick: true }), (Delivery::Done, true));
        let mut told = [0; 256];
        let read = theirs.read(&mut told).await.unwrap();
        assert!(String::from_utf8_lossy(&told[..read]).contains("event: checkpoint\nid: "));
        // And is handed back with its place when only its own task can go on.
        assert_eq!(link.deliver(|_| None), Delivery::HandedBack);
        assert_eq!(lent.await.unwrap().map(|standing| (standing.position, standing.told)), Some((head, head)));
    }

    #[test]
    fn chunks_are_as_hyper_would_write_them() {
        let pieces = ["id: 1\n", "data: {}\n\n"].map(|text| bytes::Bytes::from_static(text.as_bytes()));
        assert_eq!(super::chunked(&pieces), "10\r\nid: 1\ndata: {}\n\n\r\n");
    }
}
