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
mod tests;
