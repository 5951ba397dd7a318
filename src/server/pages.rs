//! The pages and their parts, and the description of the routes, embedded by build.rs: compressed once,
//! cached by content.

use super::negotiate;
use super::problem::ApiError;
use bytes::Bytes;
use warp::http::{HeaderMap, HeaderValue, StatusCode, header};
use warp::reply::{Reply, Response};

/// One embedded file.
#[derive(Debug)]
struct Asset {
    path: &'static str,
    content_type: &'static str,
    etag: &'static str,
    /// `Content-Security-Policy` of a page, or of a script that runs outside one; empty for all other parts.
    policy: &'static str,
    plain: &'static [u8],
    gzip: &'static [u8],
    brotli: &'static [u8],
}

include!(concat!(env!("OUT_DIR"), "/assets.rs"));

/// Tells the pages of this version from those of any other.
pub(super) const HASH: &str = ASSETS_HASH;

/// A page, by its route. It may change with each version, so a browser asks whether its copy still holds.
pub(super) fn page(path: &'static str, headers: &HeaderMap) -> Result<Response, ApiError> {
    send(find(path)?, headers, "no-cache")
}

/// The description of all routes, `docs/openapi.yaml` as JSON.
pub(super) fn description(headers: &HeaderMap) -> Result<Response, ApiError> {
    send(find("/api/v1/openapi.json")?, headers, "no-cache")
}

/// A part of a page, under the hash of all of them: it never changes.
pub(super) fn part(hash: &str, path: &str, headers: &HeaderMap) -> Result<Response, ApiError> {
    let asset = find(path)?;
    let caching = if hash == ASSETS_HASH { "public, max-age=31536000, immutable" } else { "no-store" };
    send(asset, headers, caching)
}

fn find(path: &str) -> Result<&'static Asset, ApiError> {
    ASSETS.iter().find(|asset| asset.path == path).ok_or_else(|| ApiError::new(StatusCode::NOT_FOUND, "there is no such page"))
}

fn send(asset: &'static Asset, headers: &HeaderMap, caching: &'static str) -> Result<Response, ApiError> {
    let unchanged = negotiate::has(headers, asset.etag);
    let coding = if unchanged { None } else { negotiate::coding(headers, &["br", "gzip"])? };
    let body = match coding {
        _ if unchanged => &[][..],
        Some("br") => asset.brotli,
        Some(_) => asset.gzip,
        None => asset.plain,
    };
    let mut response = warp::reply::Response::new(Bytes::from_static(body).into()).into_response();
    if unchanged {
        *response.status_mut() = StatusCode::NOT_MODIFIED;
    }
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(asset.content_type));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static(caching));
    headers.insert(header::ETAG, HeaderValue::from_static(asset.etag));
    headers.insert(header::VARY, HeaderValue::from_static("accept-encoding"));
    if !asset.policy.is_empty() {
        headers.insert(header::CONTENT_SECURITY_POLICY, HeaderValue::from_static(asset.policy));
    }
    if let Some(coding) = coding {
        headers.insert(header::CONTENT_ENCODING, HeaderValue::from_static(coding));
    }
    Ok(response)
}
