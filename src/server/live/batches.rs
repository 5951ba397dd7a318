//! What clients with the same filter lack from the same position on, gathered once and shared.

use super::control::Control;
use super::feed::{CHECKPOINT_EVERY, KEEP_ALIVE};
use super::sse::KEEP_ALIVE_FRAME;
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
/// Batches that are kept for the next client who stands there; with very many filters they are gathered again
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
    /// By filter and position. `None`: only the client's own task can continue from there. A filter is told
    /// by its address, since all clients with an equal one share it; the entry holds it, so that the address
    /// is not given to another.
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
    pub(super) fn serve_or_disconnect(&mut self, link: &Link, pass: &Pass) -> (Delivery, bool) {
        catch_unwind(AssertUnwindSafe(|| self.serve(link, pass))).unwrap_or_else(|_| {
            tracing::error!("a direct write panicked; the connection that it was for is closed");
            link.disconnect();
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
            // A client that is never up to date under load, since nothing passes its filter, has to hear
            // something too.
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
                bytes += selection.block.sse_frame_bytes(*seq);
                bytes <= BATCH_BYTES
            };
            let end = run.clone().take_while(fits).last().or(pieces.is_empty().then_some(*run.start()));
            if let Some(end) = end {
                pieces.push(selection.block.sse_frames(*run.start(), end));
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
mod tests;
