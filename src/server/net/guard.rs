//! What is checked before any route sees a request: sizes, and the names under which the server may be
//! addressed.

use crate::server::names::Authority;
use crate::server::problem::ApiError;
use warp::http::{Method, Request, StatusCode, Version, header};

/// Longest request target.
const MAX_URI_BYTES: usize = 8 * 1024;
/// Most bytes of header names and values.
const MAX_HEADER_BYTES: usize = 16 * 1024;
/// Characters of a client's text that an error repeats.
pub(super) const MAX_SHOWN_CHARS: usize = 64;

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
    let Some(host) = host(request) else {
        // Older clients need not send one (RFC 9112, 3.2), and load balancers do not; every browser does.
        return if request.version() < Version::HTTP_11 { Ok(()) } else { Err(ApiError::bad_request("the request has no Host header")) };
    };
    let Some(authority) = Authority::parse(&host) else {
        let host: String = host.chars().take(MAX_SHOWN_CHARS).collect();
        return Err(ApiError::bad_request(format!("the request's Host {host:?} is no name of a machine")));
    };
    if is_ours(&authority, allowed) {
        return Ok(());
    }
    let name = authority.flag();
    let detail = format!("this server does not answer to the name {name:?}; start it with --allow-host {name} to allow it");
    Err(ApiError::new(StatusCode::MISDIRECTED_REQUEST, detail))
}

/// The name that a request is addressed to: HTTP/2 has it in the target, HTTP/1.1 in the header. `None` for
/// an older client's empty header.
pub(super) fn host<B>(request: &Request<B>) -> Option<String> {
    let header = || request.headers().get(header::HOST).map(|value| String::from_utf8_lossy(value.as_bytes()).into_owned());
    let host = request.uri().authority().map(ToString::to_string).or_else(header)?;
    (request.version() >= Version::HTTP_11 || !host.is_empty()).then_some(host)
}

/// Any IP address is ours, and so is what stands for this machine: DNS rebinding, which this check is
/// against, needs a name of the DNS.
fn is_ours(host: &Authority, allowed: &[String]) -> bool {
    host.is_local() || host.address().is_some() || host.is_among(allowed)
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

    fn asked(version: Version, host: Option<&str>) -> Request<()> {
        let request = Request::builder().version(version).uri("/healthz");
        host.into_iter().fold(request, |request, host| request.header(header::HOST, host)).body(()).unwrap()
    }

    #[test]
    fn knows_its_names() {
        let allowed = ["ship.example".to_owned()];
        let status = |version, host| check_name(&asked(version, host), &allowed).map_err(|e| e.status()).err();
        for host in [
            "localhost",
            "localhost:7070",
            "LocalHost:1",
            "localhost.",
            "localhost.:7070",
            "ship.localhost:7070",
            "127.0.0.1:7070",
            "[::1]:7070",
            "[::1]",
            "[fe80::1%25eth0]:7070",
            "10.1.2.3",
            "ship.example:80",
            "ship.example.:80",
            "Ship.Example",
        ] {
            assert_eq!(status(Version::HTTP_11, Some(host)), None, "{host}");
        }
        for host in [
            "evil.example",
            "localhost.evil.example",
            "evil.localhost.example",
            "127.0.0.1.evil.example:7070",
            "ship.example.evil",
            "evillocalhost",
        ] {
            assert_eq!(status(Version::HTTP_11, Some(host)), Some(StatusCode::MISDIRECTED_REQUEST), "{host}");
        }
        for host in ["", "[evil]", "a b", "ship.example/", "x@localhost"] {
            assert_eq!(status(Version::HTTP_11, Some(host)), Some(StatusCode::BAD_REQUEST), "{host}");
        }
    }

    #[test]
    fn only_older_clients_may_leave_the_name_out() {
        let status = |version, host| check_name(&asked(version, host), &[]).map_err(|e| e.status()).err();
        assert_eq!(status(Version::HTTP_11, None), Some(StatusCode::BAD_REQUEST));
        assert_eq!(status(Version::HTTP_10, None), None);
        assert_eq!(status(Version::HTTP_10, Some("")), None);
        assert_eq!(status(Version::HTTP_10, Some("evil.example")), Some(StatusCode::MISDIRECTED_REQUEST));
    }

    #[test]
    fn the_flag_that_is_told_is_the_one_that_helps() {
        for host in ["Ship.Example.:7070", "my_host", "bücher.example:1"] {
            let request = asked(Version::HTTP_11, None);
            let (mut parts, ()) = request.into_parts();
            parts.headers.insert(header::HOST, warp::http::HeaderValue::from_bytes(host.as_bytes()).unwrap());
            let request = Request::from_parts(parts, ());
            let error = check_name(&request, &[]).unwrap_err().to_string();
            let flag = error.split("--allow-host ").nth(1).unwrap().split(' ').next().unwrap();
            let allowed = crate::server::host_name(flag).unwrap();
            assert!(check_name(&request, &[allowed]).is_ok(), "{error}");
        }
    }
}
