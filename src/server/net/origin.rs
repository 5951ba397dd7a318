//! Which pages may ask: our own, and those of listed origins (Fetch standard, 3.2).

use super::guard::{MAX_SHOWN_CHARS, host};
use crate::server::names::Authority;
use crate::server::problem::ApiError;
use warp::http::{HeaderMap, HeaderValue, Method, Request, StatusCode, header};
use warp::reply::{Reply, Response};

/// What a script of another origin may send besides what it always may.
const REQUEST_HEADERS: HeaderValue = HeaderValue::from_static("authorization, cache-control, if-none-match, last-event-id, prefer");
/// What it may read besides what it always may.
const RESPONSE_HEADERS: HeaderValue =
    HeaderValue::from_static("content-disposition, etag, link, preference-applied, retry-after, shipslog-remark");
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
    /// Refuses a page of another origin that is not listed. Browsers would keep the answer from it, but not
    /// the request from us, and for WebSockets not even the answer.
    pub(super) fn check<B>(&self, request: &Request<B>) -> Result<From, ApiError> {
        let headers = request.headers();
        let site = says(headers, "sec-fetch-site");
        // No script can set it, and the browser compares the addresses that it sees itself, ahead of any
        // proxy.
        if site == Some("same-origin") {
            return Ok(From::Here);
        }
        let Some(value) = headers.get(header::ORIGIN) else { return check_fetch(site, says(headers, "sec-fetch-mode")) };
        let origin = Origin::parse(value);
        let host = host(request).and_then(|host| Authority::parse(&host));
        if let Some(host) = &host
            && self.is_speakable(&origin)
            && origin.is_at(host)
        {
            return Ok(From::Here);
        }
        let listed = self.listed.iter().any(|listed| listed.eq_ignore_ascii_case(&origin.text));
        // They may read, no more.
        if listed && matches!(*request.method(), Method::GET | Method::HEAD | Method::OPTIONS) {
            return Ok(From::Listed(value.clone()));
        }
        // Behind a proxy that changes the Host, the origin still has the name that was given for it. A
        // browser that says where it fetches from would have called its own page one: this is a page of
        // something else on that machine.
        if site.is_none() && self.is_speakable(&origin) && origin.authority.as_ref().is_some_and(|name| name.is_among(self.hosts)) {
            return Ok(From::Here);
        }
        Err(self.refusal(&origin, listed))
    }

    /// A page that came unencrypted may be anybody's, and does not speak for one that did not.
    fn is_speakable(&self, origin: &Origin) -> bool {
        origin.scheme == "https" || (origin.scheme == "http" && !self.secure)
    }

    /// Says which flag would let the page in.
    fn refusal(&self, origin: &Origin, listed: bool) -> ApiError {
        let text: String = origin.text.chars().take(MAX_SHOWN_CHARS).collect();
        let own = origin.authority.as_ref().filter(|_| self.is_speakable(origin)).map(Authority::flag);
        let detail = match (own, &origin.authority) {
            (Some(name), _) if listed => {
                format!(
                    "pages of the origin {text:?} may only read; if it is shipslog's own page behind a proxy, start shipslog with --allow-host {name}"
                )
            }
            (Some(name), Some(_)) => format!(
                "pages of the origin {text:?} may not ask this server; if it is shipslog's own page behind a proxy, start shipslog with \
                 --allow-host {name}, and to let a page from elsewhere read, with --cors-origin {}",
                origin.text
            ),
            (None, Some(_)) if !listed && matches!(origin.scheme.as_str(), "http" | "https") => {
                format!(
                    "pages of the origin {text:?} may not ask this server; to let them read, start shipslog with --cors-origin {}",
                    origin.text
                )
            }
            _ => format!("pages of the origin {text:?} may not ask this server, and no flag lets them"),
        };
        ApiError::new(StatusCode::FORBIDDEN, detail)
    }
}

/// `SCHEME://HOST[:PORT]`, or what a browser sends for a page that has none, such as one in a sandbox.
struct Origin {
    text: String,
    scheme: String,
    authority: Option<Authority>,
}

impl Origin {
    fn parse(value: &HeaderValue) -> Self {
        let text = String::from_utf8_lossy(value.as_bytes()).into_owned();
        let (scheme, authority) = text.split_once("://").unwrap_or(("", ""));
        Self { scheme: scheme.to_ascii_lowercase(), authority: Authority::parse(authority), text: text.clone() }
    }

    /// Whether the page is from where the request goes. A port that is left out is the scheme's.
    fn is_at(&self, host: &Authority) -> bool {
        let usual = if self.scheme == "https" { 443 } else { 80 };
        self.authority.as_ref().is_some_and(|own| own.name == host.name && own.port.unwrap_or(usual) == host.port.unwrap_or(usual))
    }
}

fn says<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name).and_then(|value| value.to_str().ok())
}

/// Browsers send no `Origin` with images, scripts and links, but say what they fetch for (Fetch Metadata).
/// Nobody else's page gets anything here but by a link that is followed.
fn check_fetch(site: Option<&str>, mode: Option<&str>) -> Result<From, ApiError> {
    match (site, mode) {
        (Some("cross-site" | "same-site"), mode) if mode != Some("navigate") => {
            let detail = "pages of other sites may not fetch this; open it in a tab of its own, or list the site with --cors-origin and let its script fetch it";
            Err(ApiError::new(StatusCode::FORBIDDEN, detail))
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

/// Lets a listed page read the answer. Cookies do not travel there (`SameSite=Strict`), so no credentials are
/// allowed.
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
mod tests;
