//! `GET /api/v1/stream`: Server-Sent Events (WHATWG HTML, 9.2).

use super::CACHING;
use super::control::Control;
use super::feed::{Feed, Item, Ready};
use super::query::{StreamQuery, elsewhere};
use crate::cursor::LogId;
use crate::reader::{Part, Selection};
use crate::server::asker::Asker;
use crate::server::context::{Context, StreamGuard};
use crate::server::net::Link;
use crate::server::problem::ApiError;
use bytes::{Bytes, BytesMut};
use std::convert::Infallible;
use std::sync::Arc;
use sync_wrapper::SyncStream;
use warp::http::{HeaderMap, HeaderValue, StatusCode, header};
use warp::reply::{Reply, Response};

/// What a client that lags is sent at once, about.
const CHUNK_BYTES: usize = 64 * 1024;
/// What is sent after [`KEEP_ALIVE`](super::feed::KEEP_ALIVE) of silence.
pub(super) const KEEP_ALIVE_FRAME: &[u8] = b": keep-alive\n\n";
/// SSE is UTF-8 by definition (WHATWG HTML, 9.2.5), but some clients decode what is not said so as Latin-1.
const CONTENT_TYPE: &str = "text/event-stream; charset=utf-8";
/// A browser's wait before it comes back.
const RETRY_MS: u32 = 2000;
/// At shutdown the wait is spread, so that clients do not come back all at once.
const SHUTDOWN_RETRY_MS: std::ops::Range<u32> = 1000..4000;

/// Answers with a stream, also to cursors that cannot be used: any other status ends an `EventSource` for
/// good, which is what a client that has everything it asked for is given.
///
/// `link`: the connection, if it can be written to [directly](crate::server::net::Link).
pub(in crate::server) async fn stream(
    context: Arc<Context>,
    query: String,
    headers: HeaderMap,
    link: Option<Arc<Link>>,
    asker: Asker,
) -> Result<Response, ApiError> {
    let query = StreamQuery::parse(&query, &headers, &context.filters)?;
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
    let mut response = warp::reply::stream(SyncStream::new(Box::pin(frames))).into_response();
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(CONTENT_TYPE));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static(CACHING));
    headers.insert("x-accel-buffering", HeaderValue::from_static("no"));
    Ok(response)
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
