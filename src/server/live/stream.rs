//! `GET /api/v1/stream`: Server-Sent Events (WHATWG HTML, 9.2).

use super::CACHING;
use super::control::Control;
use super::feed::{Feed, Item, Ready};
use super::query::{StreamQuery, elsewhere, wants_incidents};
use super::revisions;
use super::sse::{CHUNK_BYTES, KEEP_ALIVE_FRAME, RETRY_MS, SHUTDOWN_RETRY_MS, answer, ended};
use crate::cursor::LogId;
use crate::reader::{Part, Selection};
use crate::server::asker::Asker;
use crate::server::coming::LAGGING;
use crate::server::context::{Context, StreamGuard};
use crate::server::net::Link;
use crate::server::problem::ApiError;
use bytes::{Bytes, BytesMut};
use std::convert::Infallible;
use std::sync::Arc;
use warp::http::{HeaderMap, HeaderValue, StatusCode, header};
use warp::reply::{Reply, Response};

/// Answers with a stream, also to cursors that cannot be used, since any other status ends an `EventSource`
/// for good. Only a client that has everything it asked for gets another status.
///
/// `link`: the connection, if it can be written to [directly](crate::server::net::Link).
pub(in crate::server) async fn stream(
    context: Arc<Context>,
    query: String,
    headers: HeaderMap,
    link: Option<Arc<Link>>,
    asker: Asker,
) -> Result<Response, ApiError> {
    if wants_incidents(&query)? {
        return revisions::stream(context, &query, &headers, asker).await;
    }
    let query = StreamQuery::parse(&query, &headers, &context.filters, asker.hosts())?;
    if context.come_to_start(&query.start).await.is_err() {
        return Ok(ended(LAGGING));
    }
    let log = context.log_for(&asker);
    if query.is_done(&log).await? {
        return Ok(done());
    }
    // The fan-out knows neither a pace nor an end.
    let link = link.filter(|_| query.is_live());
    let StreamQuery { start, since, want, until, speed } = query;
    let counted = context.enter_stream()?;
    let feed = Feed::open(Arc::clone(&log), start.clone(), want.clone(), context.shutdown.clone()).await?;
    let missed = elsewhere(&context, &log, &start, since, &want, feed.position()).await?;
    let feed = feed.telling(missed).paced(speed).until(until);
    let state = Stream { feed, link, asker, started: false, ended: false, _counted: counted };
    let frames = futures_util::stream::unfold(state, |mut state| async move {
        let chunk = state.next().await?;
        Some((Ok::<_, Infallible>(chunk), state))
    });
    Ok(answer(frames))
}

fn done() -> Response {
    let mut response = StatusCode::NO_CONTENT.into_response();
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static(CACHING));
    response
}

struct Stream {
    feed: Feed,
    link: Option<Arc<Link>>,
    asker: Asker,
    started: bool,
    ended: bool,
    _counted: StreamGuard,
}

impl Stream {
    /// The next item. While there is none, the fan-out may have the socket.
    async fn item(&mut self) -> Option<Item> {
        let Some(link) = self.link.clone() else { return self.feed.next().await };
        loop {
            match self.feed.ready().await {
                Ready::Item(item) => return Some(item),
                Ready::End => return None,
                Ready::Nothing => {}
                Ready::Later(_) => return self.feed.next().await,
                Ready::AtHead => {
                    let standing = self.feed.standing();
                    if let Some(standing) = link.lend(standing, self.feed.stopping()).await {
                        self.feed.resume(&standing);
                    }
                }
            }
        }
    }

    /// The next bytes: everything that the client lacks, up to about [`CHUNK_BYTES`]. A single run of records
    /// is passed on as it lies in the log's memory.
    async fn next(&mut self) -> Option<Bytes> {
        if self.ended {
            return None;
        }
        let mut chunk = Chunk::default();
        if !self.started {
            self.started = true;
            // In the block of `hello`: a block of its own gives no event, and some clients take nothing from
            // it, not even the wait.
            chunk.push(Bytes::from(format!("retry: {RETRY_MS}\n")));
        }
        let log = self.feed.log;
        let asker = self.asker.clone();
        let mut item = tokio::select! {
            biased;
            // A client that may no longer ask is told nothing more; its next request is refused.
            () = asker.revoked() => {
                self.ended = true;
                return None;
            }
            item = self.item() => item,
        };
        loop {
            match item {
                Some(item) => chunk.push_item(item, log),
                None if self.feed.is_over() => {
                    self.ended = true;
                    break;
                }
                None => {
                    self.ended = true;
                    let retry_ms = rand::random_range(SHUTDOWN_RETRY_MS);
                    chunk.push(Bytes::from(format!("retry: {retry_ms}\n")));
                    chunk.push_item(Item::Control(self.feed.farewell(retry_ms)), log);
                    break;
                }
            }
            if chunk.bytes >= CHUNK_BYTES {
                break;
            }
            // What there is goes out before a long look for more: a rare filter may have millions of records
            // to pass over.
            item = match self.feed.ready().await {
                Ready::Item(next) => Some(next),
                Ready::End => None,
                Ready::Nothing | Ready::AtHead | Ready::Later(_) => break,
            };
        }
        self.feed.let_go();
        (!chunk.pieces.is_empty()).then(|| chunk.finish())
    }
}

/// The frames of a selection: of records as they lie in the log's memory, of losses made here.
pub(super) fn pieces(selection: &Selection, log: LogId) -> impl Iterator<Item = Bytes> + '_ {
    selection.parts().into_iter().map(move |part| match part {
        Part::Records(run) => selection.block.sse_frames(*run.start(), *run.end()),
        Part::Loss(seq) => Control::loss(&selection.block, seq).to_sse(log).into(),
    })
}

/// Pieces of a chunk; copied only when there is more than one.
#[derive(Default)]
struct Chunk {
    pieces: Vec<Bytes>,
    bytes: usize,
}

impl Chunk {
    fn push(&mut self, piece: Bytes) {
        self.bytes += piece.len();
        self.pieces.push(piece);
    }

    fn push_item(&mut self, item: Item, log: LogId) {
        match item {
            Item::Control(control) => self.push(Bytes::from(control.to_sse(log))),
            Item::Records(selection) => pieces(&selection, log).for_each(|piece| self.push(piece)),
            Item::Quiet => self.push(Bytes::from_static(KEEP_ALIVE_FRAME)),
        }
    }

    fn finish(mut self) -> Bytes {
        if self.pieces.len() == 1 {
            return self.pieces.pop().unwrap_or_default();
        }
        let mut all = BytesMut::with_capacity(self.bytes);
        self.pieces.iter().for_each(|piece| all.extend_from_slice(piece));
        all.freeze()
    }
}
