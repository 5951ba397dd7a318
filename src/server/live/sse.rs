//! What every answer over Server-Sent Events has in common.

use super::CACHING;
use bytes::Bytes;
use std::convert::Infallible;
use sync_wrapper::SyncStream;
use warp::http::{HeaderValue, header};
use warp::reply::{Reply, Response};

/// What a client that lags is sent at once, about.
pub(super) const CHUNK_BYTES: usize = 64 * 1024;
/// What is sent after [`KEEP_ALIVE`](super::feed::KEEP_ALIVE) of silence.
pub(super) const KEEP_ALIVE_FRAME: &[u8] = b": keep-alive\n\n";
/// SSE is UTF-8 by definition (WHATWG HTML, 9.2.5), but some clients decode what is not said so as Latin-1.
const CONTENT_TYPE: &str = "text/event-stream; charset=utf-8";
/// A browser's wait before it comes back.
pub(super) const RETRY_MS: u32 = 2000;
/// At shutdown the wait is spread, so that clients do not come back all at once.
pub(super) const SHUTDOWN_RETRY_MS: std::ops::Range<u32> = 1000..4000;

/// An answer that goes on.
pub(super) fn answer(frames: impl futures_util::Stream<Item = Result<Bytes, Infallible>> + Send + 'static) -> Response {
    let mut response = warp::reply::stream(SyncStream::new(Box::pin(frames))).into_response();
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(CONTENT_TYPE));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static(CACHING));
    headers.insert("x-accel-buffering", HeaderValue::from_static("no"));
    response
}

/// An answer that ends at once, for a reason, and has the client come back: of any other status than 200 an
/// `EventSource` would not.
pub(super) fn ended(why: &str) -> Response {
    let frame = Bytes::from(format!("retry: {RETRY_MS}\n: {why}\n\n"));
    answer(futures_util::stream::iter([Ok(frame)]))
}
