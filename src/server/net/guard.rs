//! What is checked before any route sees a request: sizes, and the names under which the server may be addressed.

use crate::server::problem::ApiError;
use warp::http::{HeaderMap, Method, Request, StatusCode, header};

/// Longest request target.
const MAX_URI_BYTES: usize = 8 * 1024;
/// Most bytes of header names and values.
const MAX_HEADER_BYTES: usize = 16 * 1024;

/// Refuses a request for something else than a path of ours: a tunnel to `HOST:PORT`, which is for proxies,
/// or the server as a whole (`*`).
pub(super) fn check_target<B>(request: &Request<B>) -> Result<(), ApiError> {
    let path = request.uri().path_and_query().is_some_and(|target| target.as_str().starts_with('/'));
    if request.method() == Method::CONNECT || !path {
        return Err(ApiError::bad_request("this server is no proxy: the request target must be a path"));
    }
    Ok(())
}

/// Refuses a request that is too large.
pub(super) fn check_sizes<B>(request: &Request<B>) -> Result<(), ApiError> {
    if request.uri().to_string().len() > MAX_URI_BYTES {
        return Err(ApiError::new(StatusCode::URI_TOO_LONG, format!("the request target is over {MAX_URI_BYTES} bytes")));
    }
    let bytes: usize = request.headers().iter().map(|(name, value)| name.as_str().len() + value.len() + 4).sum();
    if bytes > MAX_HEADER_BYTES {
        let detail = format!("the request's headers are over {MAX_HEADER_BYTES} bytes");
        return Err(ApiError::new(StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE, detail));
    }
    Ok(())
}

/// Refuses a request that was addressed to a name that is not ours.
pub(super) fn check_name<B>(request: &Request<B>, allowed: &[String]) -> Result<(), ApiError> {
    // HTTP/2 has the name in the target, HTTP/1.1 in the header.
    let host = request.uri().authority().map(ToString::to_string).or_else(|| text(request.headers(), &header::HOST));
    match host {
        Some(host) if is_ours(&host, allowed) => Ok(()),
        Some(host) => {
            let host: String = host.chars().take(64).collect();
            let detail = format!("this server does not answer to the name {host:?}; start it with --allow-host NAME to allow it");
            Err(ApiError::new(StatusCode::MISDIRECTED_REQUEST, detail))
        }
        None => Err(ApiError::bad_request("the request has no Host header")),
    }
}

pub(super) fn text(headers: &HeaderMap, name: &header::HeaderName) -> Option<String> {
    headers.get(name).map(|v| String::from_utf8_lossy(v.as_bytes()).into_owned())
}

/// Any IP address is ours: DNS rebinding, which this check is against, needs a name.
fn is_ours(host: &str, allowed: &[String]) -> bool {
    let name = host_name(host);
    let address = name.trim_start_matches('[').trim_end_matches(']');
    name.eq_ignore_ascii_case("localhost") || address.parse::<std::net::IpAddr>().is_ok() || is_allowed(name, allowed)
}

/// Whether the user has given this name to the server.
pub(super) fn is_allowed(name: &str, allowed: &[String]) -> bool {
    allowed.iter().any(|allowed| allowed.eq_ignore_ascii_case(name))
}

/// `host[:port]` without the port.
fn host_name(authority: &str) -> &str {
    match authority.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|b| b.is_ascii_digit()) && (!name.contains(':') || name.ends_with(']')) => name,
        _ => authority,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_paths_are_asked_for() {
        let request = |method: &str, target: &str| Request::builder().method(method).uri(target).body(()).unwrap();
        for (method, target, fine) in [
            ("GET", "/", true),
            ("GET", "/api/v1/events?limit=1", true),
            ("GET", "http://127.0.0.1", true),
            ("OPTIONS", "http://127.0.0.1/x", true),
            ("CONNECT", "127.0.0.1:80", false),
            ("CONNECT", "/", false),
            ("GET", "127.0.0.1:80", false),
            ("POST", "example", false),
            ("OPTIONS", "*", false),
        ] {
            assert_eq!(check_target(&request(method, target)).is_ok(), fine, "{method} {target}");
        }
    }

    #[test]
    fn knows_its_names() {
        let allowed = ["ship.example".to_owned()];
        for host in [
            "localhost",
            "localhost:7070",
            "LocalHost:1",
            "127.0.0.1:7070",
            "[::1]:7070",
            "[::1]",
            "10.1.2.3",
            "ship.example:80",
            "Ship.Example",
        ] {
            assert!(is_ours(host, &allowed), "{host}");
        }
        for host in ["", "evil.example", "localhost.evil.example", "127.0.0.1.evil.example:7070", "ship.example.evil", "[evil]"] {
            assert!(!is_ours(host, &allowed), "{host}");
        }
    }
}
