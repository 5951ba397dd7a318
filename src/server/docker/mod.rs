//! Docker's own API, as far as it is about events: what the `docker` CLI, docker-py and bollard need to read
//! history and live from here. Nothing can be written, and no question is passed on to a Docker Engine.

mod events;
mod legacy;
mod query;
mod target;
mod version;

pub(super) use target::Target;

use super::asker::Asker;
use super::context::Context;
use super::problem::ApiError;
use bytes::Buf;
use futures_util::{Stream, StreamExt as _};
use std::sync::Arc;
use std::time::Duration;
use target::Route;
use tokio::time::timeout;
use warp::http::{HeaderValue, Method, StatusCode, header};
use warp::reply::{Reply, Response};

/// The version that is spoken. From 1.52 on messages lack the fields without which CLIs before 25 end in a
/// panic.
const API_VERSION: HeaderValue = HeaderValue::from_static("1.51");
/// What is said about all the rest of Docker's API.
const UNKNOWN: &str = "this is shipslog, which keeps a Docker host's events: it has only /_ping, /version and /events (docker events, docker \
    version) and no containers of its own; for anything else point the client (docker -H, DOCKER_HOST, docker context) at the Docker Engine";

/// What a refused request may come with, and how long that may take; more ends the connection.
const MAX_BODY_BYTES: usize = 64 * 1024;
const BODY_TIMEOUT: Duration = Duration::from_secs(1);

/// Reads to the end. False for a body that is too long, or broken off.
async fn pass_over<B: Buf>(body: impl Stream<Item = Result<B, warp::Error>>) -> bool {
    let mut body = std::pin::pin!(body);
    let mut bytes: usize = 0;
    while let Some(part) = body.next().await {
        bytes = bytes.saturating_add(part.map_or(usize::MAX, |part| part.remaining()));
        if bytes > MAX_BODY_BYTES {
            return false;
        }
    }
    true
}

/// Answers on behalf of a Docker Engine.
pub(super) async fn answer<B: Buf>(
    target: Target,
    method: Method,
    context: Arc<Context>,
    query: String,
    asker: Asker,
    body: impl Stream<Item = Result<B, warp::Error>> + Send,
) -> Response {
    let reads = method == Method::GET || method == Method::HEAD;
    // The docker command writes all of what it sends before it reads what it is told, and then continues with
    // the same connection.
    let whole = reads || timeout(BODY_TIMEOUT, pass_over(body)).await.unwrap_or(false);
    let answer = match target.route {
        Route::Unknown => Err(ApiError::new(StatusCode::NOT_FOUND, UNKNOWN)),
        _ if !reads => {
            let error = ApiError::new(StatusCode::METHOD_NOT_ALLOWED, "shipslog can only be read here: use GET or HEAD");
            Err(error.with_header(header::ALLOW, "GET, HEAD"))
        }
        Route::Ping => Ok(version::ping(&method)),
        Route::Version => Ok(version::version()),
        Route::Events => events::events(context, &query, &method, asker, target.before_image_create).await,
    };
    let mut response = answer.unwrap_or_else(Reply::into_response);
    let headers = response.headers_mut();
    headers.insert("api-version", API_VERSION);
    headers.insert("docker-experimental", HeaderValue::from_static("false"));
    headers.insert("ostype", HeaderValue::from_static(version::OS));
    if !whole {
        headers.insert(header::CONNECTION, HeaderValue::from_static("close"));
    }
    response
}
