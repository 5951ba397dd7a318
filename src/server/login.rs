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

/// The form's address.
const LOGIN: &str = "/login";
/// Bytes of the largest form that is read.
const MAX_FORM_BYTES: usize = 4096;
/// How long a form may take to arrive.
const FORM_TIMEOUT: Duration = Duration::from_secs(10);
/// Longest address that a login leads back to.
const MAX_NEXT_BYTES: usize = 1024;

/// What needs no token: the form and its parts, and whether the process answers.
pub(super) fn is_open(path: &str) -> bool {
    matches!(path, "/login" | "/logout" | "/healthz") || is_part(path)
}

/// The parts of the pages: scripts and styles that are the same for everybody.
pub(super) fn is_part(path: &str) -> bool {
    path.starts_with("/assets/")
}

/// The answer to a request without token: to a person the form, to a program what it lacks.
pub(super) fn refuse<B>(request: &Request<B>) -> Response {
    let accept = request.headers().get(header::ACCEPT).and_then(|value| value.to_str().ok()).unwrap_or("");
    let path = request.uri().path_and_query().map_or("/", |target| target.as_str());
    if request.method() == warp::http::Method::GET && accept.contains("text/html") && !path.starts_with("/api/") {
        return see_other(request.uri().path(), &login_with(&[("next", path)]));
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
    let body = match tokio::time::timeout(FORM_TIMEOUT, read(body)).await {
        Ok(Ok(body)) => body,
        Ok(Err(error)) => return error.into_response(),
        Err(_) => return ApiError::new(StatusCode::REQUEST_TIMEOUT, "the form did not come").into_response(),
    };
    let field = |name: &str| form_urlencoded::parse(&body).find(|(key, _)| key == name).map(|(_, value)| value.into_owned());
    let next = field("next").filter(|next| is_ours(next)).unwrap_or_else(|| "/".to_owned());
    let Some(access) = &context.admission.access else { return see_other(LOGIN, &next) };
    let Some(cookie) = access.log_in(&field("token").unwrap_or_default(), secure) else {
        if let Some(wait) = access.failures.failed(asker.address) {
            return too_many(wait);
        }
        slow_down(context.shutdown.clone()).await;
        return see_other(LOGIN, &login_with(&[("wrong", "1"), ("next", &next)]));
    };
    with_cookie(see_other(LOGIN, &next), &cookie)
}

/// A form, whether or not its length was told ahead.
async fn read<B: Buf>(body: impl Stream<Item = Result<B, warp::Error>>) -> Result<Vec<u8>, ApiError> {
    let mut body = std::pin::pin!(body);
    let mut form = Vec::new();
    while let Some(part) = body.next().await {
        let mut part = part.map_err(|_| ApiError::bad_request("the form broke off"))?;
        if form.len() + part.remaining() > MAX_FORM_BYTES {
            let detail = format!("the form is over {MAX_FORM_BYTES} bytes");
            return Err(ApiError::new(StatusCode::PAYLOAD_TOO_LARGE, detail).with_header(header::CONNECTION, "close"));
        }
        form.extend_from_slice(&part.copy_to_bytes(part.remaining()));
    }
    Ok(form)
}

/// Ends the session.
pub(super) fn end(secure: bool) -> Response {
    with_cookie(see_other("/logout", LOGIN), &Access::log_out(secure))
}

/// The form's address with parameters.
fn login_with(params: &[(&str, &str)]) -> String {
    format!("{LOGIN}?{}", form_urlencoded::Serializer::new(String::new()).extend_pairs(params).finish())
}

fn with_cookie(mut response: Response, cookie: &str) -> Response {
    if let Ok(value) = HeaderValue::from_str(cookie) {
        response.headers_mut().insert(header::SET_COOKIE, value);
    }
    response
}

/// Whether an address is a path of ours. Browsers read a backslash as a slash, and two slashes as the
/// beginning of another host.
fn is_ours(next: &str) -> bool {
    let mut chars = next.chars();
    chars.next() == Some('/')
        && !matches!(chars.next(), Some('/' | '\\'))
        && next.len() <= MAX_NEXT_BYTES
        && next.bytes().all(|byte| byte.is_ascii_graphic())
}

/// Leads from one of our paths to another. Both may have a proxy's prefix before them, of which nothing is
/// known here: so the way is told from one to the other.
fn see_other(from: &str, to: &str) -> Response {
    let mut response = StatusCode::SEE_OTHER.into_response();
    let location = HeaderValue::from_str(&relative(from, to)).unwrap_or(HeaderValue::from_static("./"));
    response.headers_mut().insert(header::LOCATION, location);
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

/// A reference to `to` that holds at `from` (RFC 3986, 5.2).
fn relative(from: &str, to: &str) -> String {
    let depth = from.bytes().skip(1).filter(|byte| *byte == b'/').count();
    let up = if depth == 0 { "./".to_owned() } else { "../".repeat(depth) };
    format!("{up}{}", to.strip_prefix('/').unwrap_or(to))
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

    #[test]
    fn the_way_is_the_same_below_any_prefix() {
        for (from, to, way) in [
            ("/", "/login?next=%2F", "./login?next=%2F"),
            ("/compare", "/login", "./login"),
            ("/demo/sse", "/login", "../login"),
            ("/demo/", "/login", "../login"),
            ("/a/b/c", "/login", "../../login"),
            ("/login", "/", "./"),
            ("/login", "/?q=type%3Da&since=1h", "./?q=type%3Da&since=1h"),
            ("/login", "/a:b", "./a:b"),
        ] {
            assert_eq!(relative(from, to), way, "{from} {to}");
        }
    }

    #[tokio::test]
    async fn a_form_is_bounded_while_it_is_read() {
        let parts = |sizes: &[usize]| {
            let parts: Vec<_> = sizes.iter().map(|size| Ok::<_, warp::Error>(bytes::Bytes::from(vec![b'a'; *size]))).collect();
            futures_util::stream::iter(parts)
        };
        assert_eq!(read(parts(&[4000, 96])).await.unwrap().len(), MAX_FORM_BYTES);
        assert_eq!(read(parts(&[4000, 97])).await.unwrap_err().status(), StatusCode::PAYLOAD_TOO_LARGE);
    }
}
