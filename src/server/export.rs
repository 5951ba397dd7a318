//! `GET /api/v1/export`: a range of the log as a file.

use super::asker::Asker;
use super::context::Context;
use super::lines::guarded;
use super::params::Params;
use super::problem::ApiError;
use crate::export::{Compression, Export, Format};
use crate::reader::{Reader, Want};
use std::sync::Arc;
use warp::http::{HeaderMap, HeaderValue, header};
use warp::reply::Response;

const PARAMS: [&str; 6] = ["format", "compression", "since", "until", "filters", "exclude"];

/// Streams everything up to the head as it is now. A read that fails ends the body without its end mark, so that no client
/// takes a part for the whole.
pub(super) async fn export(context: Arc<Context>, query: String, request: HeaderMap, asker: Asker) -> Result<Response, ApiError> {
    let params = Params::parse(&query, &PARAMS)?;
    let format: Format = params.get("format").unwrap_or("jsonl").parse().map_err(ApiError::bad_request)?;
    let compression: Compression = params.get("compression").unwrap_or("none").parse().map_err(ApiError::bad_request)?;
    let bounds = context.log.bounds();
    let want = Want { time: params.time_range()?, until: bounds.head, ..Want::filtered(params.filter()?) };
    let reader = Reader::new(context.log_for(&asker), bounds.oldest - 1, want);
    // Who takes zstd on the way is sent the log's own frames.
    let on_the_way = compression == Compression::None && format == Format::Jsonl && accepts_zstd(&request);
    let sent = if on_the_way { Compression::Zstd } else { compression };
    let export = Export::new(reader, format, sent);
    let chunks = futures_util::stream::try_unfold(export, |mut export| async move { Ok(export.next().await?.map(|c| (c, export))) });
    let mut response = guarded(&asker, chunks);
    let name = format!("shipslog-{:08x}-{}.{}{}", bounds.log.prefix(), bounds.head, format.suffix(), compression.suffix());
    let content_type = match compression {
        Compression::None => format.content_type(),
        Compression::Gzip => "application/gzip",
        Compression::Zstd => "application/zstd",
    };
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(content_type));
    headers.insert(header::VARY, HeaderValue::from_static("accept-encoding"));
    if on_the_way {
        headers.insert(header::CONTENT_ENCODING, HeaderValue::from_static("zstd"));
    }
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    if let Ok(value) = HeaderValue::from_str(&format!("attachment; filename=\"{name}\"")) {
        headers.insert(header::CONTENT_DISPOSITION, value);
    }
    Ok(response)
}

/// Whether `Accept-Encoding` names zstd without refusing it (RFC 9110, 12.5.3).
fn accepts_zstd(headers: &HeaderMap) -> bool {
    let codings =
        headers.get_all(header::ACCEPT_ENCODING).into_iter().filter_map(|value| value.to_str().ok()).flat_map(|value| value.split(','));
    codings.map(str::trim).any(|coding| {
        let (name, weight) = coding.split_once(';').unwrap_or((coding, "q=1"));
        let refused = weight.trim().strip_prefix("q=").and_then(|q| q.parse::<f32>().ok()) == Some(0.0);
        name.trim().eq_ignore_ascii_case("zstd") && !refused
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn knows_who_takes_zstd() {
        for (value, takes) in [
            ("gzip, deflate, br, zstd", true),
            ("ZSTD;q=0.5", true),
            ("zstd;q=0", false),
            ("zstd;q=0.0, gzip", false),
            ("gzip", false),
            ("*", false),
            ("", false),
        ] {
            let headers = HeaderMap::from_iter([(header::ACCEPT_ENCODING, HeaderValue::from_static(value))]);
            assert_eq!(accepts_zstd(&headers), takes, "{value}");
        }
    }
}
