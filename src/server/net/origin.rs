//! Which pages may ask: our own, and those of listed origins (Fetch standard, 3.2).

use super::guard::{is_allowed, text};
use crate::server::problem::ApiError;
use warp::http::{HeaderMap, HeaderValue, Method, Request, StatusCode, header};
use warp::reply::{Reply, Response};

/// What a script of another origin may send besides what it always may.
const REQUEST_HEADERS: HeaderValue = HeaderValue::from_static("authorization, cache-control, if-none-match, last-event-id, prefer");
/// What it may read besides what it always may.
const RESPONSE_HEADERS: HeaderValue = HeaderValue::from_static("etag, link, preference-applied, retry-after");
const METHODS: HeaderValue = HeaderValue::from_static("GET, HEAD");
/// Seconds that a browser may go without asking again.
const PREFLIGHT_AGE: HeaderValue = HeaderValue::from_static("600");

/// The rules of a server.
#[derive(Debug, Clone, Copy)]
pub(super) struct Origins<'a> {
    /// Names that are ours.
    pub(super) hosts: &'a [String],
    /// Origins that may read, as browsers send them.
    pub(super) listed: &'a [String],
    /// Whether this connection is encrypted.
    pub(super) secure: bool,
}

/// Where a request comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum From {
    /// No script of another origin.
    Here,
    /// A page that may read.
    Listed(HeaderValue),
}

impl Origins<'_> {
    /// Refuses a page of another origin that is not listed. Browsers would keep the answer from it, but not the request from us, and for
    /// WebSockets not even the answer.
    pub(super) fn check<B>(&self, request: &Request<B>) -> Result<From, ApiError> {
        let headers = request.headers();
        let Some(value) = headers.get(header::ORIGIN) else { return check_fetch(headers) };
        let origin = String::from_utf8_lossy(value.as_bytes());
        if self.listed.iter().any(|listed| listed.eq_ignore_ascii_case(&origin)) {
            // They may read, no more.
            let reads = matches!(*request.method(), Method::GET | Method::HEAD | Method::OPTIONS);
            return if reads { Ok(From::Listed(value.clone())) } else { Err(refusal(&origin)) };
        }
        let host = request.uri().authority().map(ToString::to_string).or_else(|| text(headers, &header::HOST));
        // A page that came unencrypted may be anybody's, and does not speak for one that did not.
        let scheme = |scheme: &str| scheme == "https" || (scheme == "http" && !self.secure);
        let authority = origin.split_once("://").filter(|(name, _)| scheme(name)).map(|(_, authority)| authority);
        // Behind a proxy that changes the Host, the origin still has the name that was given for it; without a port, since what else runs on
        // that host is not ours (and its pages would bring our cookie along).
        if authority.is_some_and(|authority| Some(authority) == host.as_deref() || is_allowed(authority, self.hosts)) {
            return Ok(From::Here);
        }
        Err(refusal(&origin))
    }
}

fn refusal(origin: &str) -> ApiError {
    let origin: String = origin.chars().take(64).collect();
    let detail = format!("pages of the origin {origin:?} may not read this; start the server with --cors-origin to let them");
    ApiError::new(StatusCode::FORBIDDEN, detail)
}

/// Browsers send no `Origin` with images, scripts and links, but say what they fetch for (Fetch Metadata). Nobody else's page gets anything
/// here but by a link that is followed.
fn check_fetch(headers: &HeaderMap) -> Result<From, ApiError> {
    let says = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    match (says("sec-fetch-site"), says("sec-fetch-mode")) {
        (Some("cross-site" | "same-site"), mode) if mode != Some("navigate") => {
            Err(ApiError::new(StatusCode::FORBIDDEN, "pages of other sites may not fetch this; open it in a tab of its own"))
        }
        _ => Ok(From::Here),
    }
}

/// The answer to a browser that asks whether a script may ask.
pub(super) fn preflight<B>(request: &Request<B>) -> Option<Response> {
    let asks = request.method() == Method::OPTIONS && request.headers().contains_key(header::ACCESS_CONTROL_REQUEST_METHOD);
    asks.then(|| {
        let mut response = StatusCode::NO_CONTENT.into_response();
        let headers = response.headers_mut();
        headers.insert(header::ACCESS_CONTROL_ALLOW_METHODS, METHODS);
        headers.insert(header::ACCESS_CONTROL_ALLOW_HEADERS, REQUEST_HEADERS);
        headers.insert(header::ACCESS_CONTROL_MAX_AGE, PREFLIGHT_AGE);
        response
    })
}

/// Lets a listed page read the answer. Cookies do not travel there (`SameSite=Strict`), so no credentials are allowed.
pub(super) fn allow(headers: &mut HeaderMap, from: &From) {
    let From::Listed(origin) = from else {
        headers.insert("cross-origin-resource-policy", HeaderValue::from_static("same-origin"));
        return;
    };
    {
        headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, origin.clone());
        headers.insert(header::ACCESS_CONTROL_EXPOSE_HEADERS, RESPONSE_HEADERS);
        headers.append(header::VARY, HeaderValue::from_static("origin"));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(origin: Option<&str>) -> Request<()> {
        let mut request = Request::builder().uri("/api/v1/stream").header(header::HOST, "127.0.0.1:7070");
        if let Some(origin) = origin {
            request = request.header(header::ORIGIN, origin);
        }
        request.body(()).unwrap()
    }

    #[test]
    fn only_our_pages_and_listed_ones() {
        let (hosts, listed) = (["ship.example".to_owned()], ["https://status.example".to_owned()]);
        let origins = Origins { hosts: &hosts, listed: &listed, secure: false };
        for ours in [None, Some("http://127.0.0.1:7070"), Some("https://ship.example"), Some("https://Ship.example")] {
            assert_eq!(origins.check(&request(ours)).unwrap(), From::Here, "{ours:?}");
        }
        assert!(matches!(origins.check(&request(Some("https://status.example"))).unwrap(), From::Listed(_)));
        for foreign in [
            "http://evil.example",
            "null",
            "http://127.0.0.1:7071",
            "https://ship.example:8443",
            "http://status.example",
            "https://status.example.evil",
            "",
        ] {
            assert!(origins.check(&request(Some(foreign))).is_err(), "{foreign}");
        }
        let encrypted = Origins { secure: true, ..origins };
        assert!(encrypted.check(&request(Some("http://127.0.0.1:7070"))).is_err());
        assert!(encrypted.check(&request(Some("https://127.0.0.1:7070"))).is_ok());
        assert!(origins.check(&request(Some("chrome-extension://ship.example"))).is_err());
    }

    #[test]
    fn images_of_other_sites_get_nothing_and_links_lead_here() {
        let origins = Origins { hosts: &[], listed: &[], secure: false };
        for (site, mode, allowed) in [
            ("cross-site", "no-cors", false),
            ("same-site", "no-cors", false),
            ("cross-site", "navigate", true),
            ("same-origin", "cors", true),
            ("none", "navigate", true),
        ] {
            let mut request = request(None);
            request.headers_mut().insert("sec-fetch-site", site.parse().unwrap());
            request.headers_mut().insert("sec-fetch-mode", mode.parse().unwrap());
            assert_eq!(origins.check(&request).is_ok(), allowed, "{site} {mode}");
        }
    }
}
