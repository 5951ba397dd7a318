//! `/login`: a form that turns a token into a session cookie, since an `EventSource` can send no header.

use super::access::{Access, slow_down};
use super::asker::Asker;
use super::context::Context;
use super::pages;
use super::problem::ApiError;
use bytes::Buf;
use futures_util::{Stream, StreamExt};
use std::sync::Arc;
use std::time::Duration;
use warp::http::{HeaderMap, HeaderValue, Request, StatusCode, header};
use warp::reply::{Reply, Response};

/// Largest form that is read.
pub(super) const MAX_FORM_BYTES: u64 = 4096;
/// It has to be there by then.
const FORM_TIMEOUT: Duration = Duration::from_secs(10);
/// Longest address that a login leads back to.
const MAX_NEXT_BYTES: usize = 1024;

/// What needs no token: the form and its parts, and whether the process answers.
pub(super) fn is_open(path: &str) -> bool {
    matches!(path, "/login" | "/logout" | "/healthz") || path.starts_with("/assets/")
}

/// The answer to a request without token: to a person the form, to a program what it lacks.
pub(super) fn refuse<B>(request: &Request<B>) -> Response {
    let accept = request.headers().get(header::ACCEPT).and_then(|value| value.to_str().ok()).unwrap_or("");
    let path = request.uri().path_and_query().map_or("/", |target| target.as_str());
    if request.method() == warp::http::Method::GET && accept.contains("text/html") && !path.starts_with("/api/") {
        let target = login_with(&[("next", path)]);
        return see_other(&target);
    }
    let detail = "this server wants a token: send it as Authorization: Bearer TOKEN, or log in at /login";
    ApiError::new(StatusCode::UNAUTHORIZED, detail).with_header(header::WWW_AUTHENTICATE, "Bearer realm=\"shipslog\"").into_response()
}

/// The answer to an address that has sent too many wrong tokens.
pub(super) fn too_many(wait: Duration) -> Response {
    ApiError::new(StatusCode::TOO_MANY_REQUESTS, "too many wrong tokens came from this address; a right one is let in")
        .wait(wait)
        .into_response()
}

/// The form.
pub(super) fn form(headers: &HeaderMap) -> Result<Response, ApiError> {
    pages::page("/login", headers)
}

/// Takes the form. A body that does not come ends the request: hyper bounds only the wait for the header.
pub(super) async fn submit<B: Buf>(
    context: Arc<Context>,
    secure: bool,
    asker: Asker,
    body: impl Stream<Item = Result<B, warp::Error>> + Send,
) -> Response {
    let Ok(body) = tokio::time::timeout(FORM_TIMEOUT, read(body)).await else {
        return ApiError::new(StatusCode::REQUEST_TIMEOUT, "the form did not come").into_response();
    };
    let field = |name: &str| form_urlencoded::parse(&body).find(|(key, _)| key == name).map(|(_, value)| value.into_owned());
    let next = field("next").filter(|next| is_ours(next)).unwrap_or_else(|| "/".to_owned());
    let Some(access) = &context.access else { return see_other(&next) };
    let Some(cookie) = access.log_in(&field("token").unwrap_or_default(), secure) else {
        if let Some(wait) = access.failures.failed(asker.address) {
            return too_many(wait);
        }
        slow_down(context.shutdown.clone()).await;
        let target = login_with(&[("wrong", "1"), ("next", &next)]);
        return see_other(&target);
    };
    with_cookie(see_other(&next), &cookie)
}

/// A form; what is over its size has been refused by its Content-Length.
async fn read<B: Buf>(body: impl Stream<Item = Result<B, warp::Error>>) -> Vec<u8> {
    let mut body = std::pin::pin!(body);
    let mut form = Vec::new();
    while let Some(Ok(mut part)) = body.next().await {
        form.extend_from_slice(&part.copy_to_bytes(part.remaining()));
    }
    form
}

/// Ends the session.
pub(super) fn end(secure: bool) -> Response {
    with_cookie(see_other("/login"), &Access::log_out(secure))
}

/// The form's address with parameters.
fn login_with(params: &[(&str, &str)]) -> String {
    format!("/login?{}", form_urlencoded::Serializer::new(String::new()).extend_pairs(params).finish())
}

fn with_cookie(mut response: Response, cookie: &str) -> Response {
    if let Ok(value) = HeaderValue::from_str(cookie) {
        response.headers_mut().insert(header::SET_COOKIE, value);
    }
    response
}

/// Whether an address lies on this server. Browsers read a backslash as a slash, and two slashes as the beginning of another host.
fn is_ours(next: &str) -> bool {
    let mut chars = next.chars();
    chars.next() == Some('/')
        && !matches!(chars.next(), Some('/' | '\\'))
        && next.len() <= MAX_NEXT_BYTES
        && next.bytes().all(|byte| byte.is_ascii_graphic())
}

fn see_other(target: &str) -> Response {
    let mut response = StatusCode::SEE_OTHER.into_response();
    let location = HeaderValue::from_str(target).unwrap_or(HeaderValue::from_static("/login"));
    response.headers_mut().insert(header::LOCATION, location);
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn leads_back_to_this_server_only() {
        for ours in ["/", "/compare", "/?filters=%7B%7D"] {
            assert!(is_ours(ours), "{ours}");
        }
        for other in ["", "//evil.example", "/\\evil.example", "https://evil.example", "evil", "/a b", "/\r\nSet-Cookie: x"] {
            assert!(!is_ours(other), "{other}");
        }
    }
}
