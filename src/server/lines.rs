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
mod tests;
