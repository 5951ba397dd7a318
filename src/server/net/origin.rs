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
mod tests {
    use super::*;

    fn request(origin: Option<&str>) -> Request<()> {
        let mut request = Request::builder().uri("/api/v1/stream").header(header::HOST, "127.0.0.1:7070");
        if let Some(origin) = origin {
            request = request.header(header::ORIGIN, origin);
        }
        request.body(()).unwrap()
    }

    fn with(mut request: Request<()>, name: &'static str, value: &str) -> Request<()> {
        request.headers_mut().insert(name, value.parse().unwrap());
        request
    }

    #[test]
    fn only_our_pages_and_listed_ones() {
        let (hosts, listed) = (["ship.example".to_owned()], ["https://status.example".to_owned()]);
        let origins = Origins { hosts: &hosts, listed: &listed, secure: false };
        for ours in [
            None,
            Some("http://127.0.0.1:7070"),
            Some("https://ship.example"),
            Some("https://Ship.example"),
            Some("http://ship.example:8443"),
            Some("https://ship.example.:8443"),
        ] {
            assert_eq!(origins.check(&request(ours)).unwrap(), From::Here, "{ours:?}");
        }
        assert!(matches!(origins.check(&request(Some("https://status.example"))).unwrap(), From::Listed(_)));
        for foreign in [
            "http://evil.example",
            "null",
            "http://127.0.0.1:7071",
            "http://ship.example.evil",
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
    fn a_port_that_is_left_out_is_the_scheme_s() {
        let origins = Origins { hosts: &[], listed: &[], secure: false };
        for (host, origin, ours) in [
            ("10.0.0.5:443", "https://10.0.0.5", true),
            ("10.0.0.5", "https://10.0.0.5", true),
            ("10.0.0.5:80", "http://10.0.0.5", true),
            ("10.0.0.5:80", "https://10.0.0.5", false),
            ("10.0.0.5", "http://10.0.0.5:8080", false),
            ("localhost.:7070", "http://localhost:7070", true),
        ] {
            let request = with(request(Some(origin)), "host", host);
            assert_eq!(origins.check(&request).is_ok(), ours, "{host} {origin}");
        }
    }

    #[test]
    fn what_a_browser_says_of_its_own_page_counts_behind_any_proxy() {
        let (hosts, listed) = (["ship.example".to_owned()], ["http://10.0.0.5:8080".to_owned()]);
        let origins = Origins { hosts: &hosts, listed: &listed, secure: true };
        for origin in ["http://127.0.0.1:24901", "null", "http://10.0.0.5:8080"] {
            for method in [Method::GET, Method::POST] {
                let mut request = with(request(Some(origin)), "sec-fetch-site", "same-origin");
                *request.method_mut() = method;
                assert_eq!(origins.check(&request).unwrap(), From::Here, "{origin}");
            }
        }
        // Something else on the machine with our name, whose browser says so.
        let request = with(request(Some("https://ship.example:9999")), "sec-fetch-site", "same-site");
        assert!(origins.check(&request).is_err());
    }

    #[test]
    fn the_flag_that_is_told_is_the_one_that_helps() {
        let flags = |error: &ApiError, flag: &str| {
            let text = error.to_string();
            text.split(&format!("--{flag} ")).nth(1).map(|rest| rest.split([' ', ',']).next().unwrap_or("").to_owned())
        };
        let asked = |origins: &Origins<'_>, method: Method, origin: &str| {
            let mut request = request(Some(origin));
            *request.method_mut() = method;
            origins.check(&request)
        };
        for (origin, secure, own) in
            [("http://10.0.0.5:8080", false, true), ("https://[fd00::1]:8080", true, true), ("http://ship.example", true, false)]
        {
            let error = asked(&Origins { hosts: &[], listed: &[], secure }, Method::GET, origin).unwrap_err();
            let (host, listed) = (flags(&error, "allow-host"), [flags(&error, "cors-origin").unwrap()]);
            assert_eq!(host.is_some(), own, "{error}");
            assert!(asked(&Origins { hosts: &[], listed: &listed, secure }, Method::GET, origin).is_ok(), "{error}");
            // A login: the page has to be ours, and what is listed may only read.
            let error = asked(&Origins { hosts: &[], listed: &listed, secure }, Method::POST, origin).unwrap_err();
            assert_eq!((flags(&error, "allow-host").is_some(), flags(&error, "cors-origin")), (own, None), "{error}");
            if let Some(host) = host {
                let hosts = [crate::server::host_name(&host).unwrap()];
                assert_eq!(asked(&Origins { hosts: &hosts, listed: &listed, secure }, Method::POST, origin).unwrap(), From::Here);
            }
        }
        let error = asked(&Origins { hosts: &[], listed: &[], secure: false }, Method::GET, "null").unwrap_err();
        assert!(!error.to_string().contains("--"), "{error}");
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
