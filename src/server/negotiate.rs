//! What a client takes, and what it has: `Accept-Encoding` and `If-None-Match` (RFC 9110, 12.5.3 and 13.1.2),
//! for every route.

use super::problem::ApiError;
use typed_headers::{ETag, HeaderMapExt, IfNoneMatch};
use warp::http::{HeaderMap, StatusCode, header};

/// Whether what `etag` names is what the client has already.
pub(super) fn has(headers: &HeaderMap, etag: &str) -> bool {
    let Ok(etag) = etag.parse::<ETag>() else { return false };
    headers.typed_get::<IfNoneMatch>().is_some_and(|known| !known.precondition_passes(&etag))
}

/// The coding in which the client is sent something that is there as it is and in these codings, the best
/// first; none for as it is.
///
/// # Errors
/// 406 when it takes none of them and not what it is either.
pub(super) fn coding(headers: &HeaderMap, codings: &[&'static str]) -> Result<Option<&'static str>, ApiError> {
    let accepted = Accepted::of(headers);
    let (mut best, mut weight) = (None, accepted.identity());
    for coding in codings {
        // One that the client names is better than none, which it need not name; a coding that only `*` takes
        // is not.
        let (named, of_coding) = accepted.weight(coding);
        if of_coding > weight || (named && best.is_none() && of_coding > 0.0 && of_coding >= weight) {
            (best, weight) = (Some(*coding), of_coding);
        }
    }
    if weight > 0.0 {
        return Ok(best);
    }
    let known = codings.join(", ");
    Err(ApiError::new(
        StatusCode::NOT_ACCEPTABLE,
        format!("this is sent as it is, or in these codings: {known}; Accept-Encoding refuses them"),
    ))
}

/// The members of all `Accept-Encoding` fields with their weights, from 0 to 1.
struct Accepted(Vec<(String, f32)>);

impl Accepted {
    fn of(headers: &HeaderMap) -> Self {
        let fields = headers.get_all(header::ACCEPT_ENCODING).into_iter().filter_map(|value| value.to_str().ok());
        Self(fields.flat_map(|field| field.split(',')).filter_map(member).collect())
    }

    fn get(&self, coding: &str) -> Option<f32> {
        self.0.iter().find(|(name, _)| name == coding).map(|(_, weight)| *weight)
    }

    /// Whether a coding is named, and its weight.
    fn weight(&self, coding: &str) -> (bool, f32) {
        match self.get(coding) {
            Some(weight) => (true, weight),
            None => (false, self.get("*").unwrap_or(0.0)),
        }
    }

    /// The weight of what is sent as it is: a client that does not refuse it takes it, and one that does not
    /// name it takes it last.
    fn identity(&self) -> f32 {
        self.get("identity").or_else(|| self.get("*")).unwrap_or(f32::MIN_POSITIVE)
    }
}

/// `coding [;q=weight]`; none for what is not that.
fn member(text: &str) -> Option<(String, f32)> {
    let (name, parameter) = text.split_once(';').map_or((text, None), |(name, parameter)| (name, Some(parameter)));
    let weight = match parameter {
        None => 1.0,
        Some(parameter) => weight(parameter)?,
    };
    let name = name.trim().to_ascii_lowercase();
    let name = name.strip_prefix("x-").filter(|name| *name == "gzip").map_or_else(|| name.clone(), str::to_owned);
    (!name.is_empty()).then_some((name, weight))
}

fn weight(parameter: &str) -> Option<f32> {
    let (name, value) = parameter.split_once('=')?;
    let value = value.trim();
    let number = value.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.');
    let weight: f32 = value.parse().ok().filter(|_| number)?;
    (name.trim().eq_ignore_ascii_case("q") && (0.0..=1.0).contains(&weight)).then_some(weight)
}

#[cfg(test)]
mod tests {
    use super::*;
    use warp::http::HeaderValue;

    fn headers(name: &header::HeaderName, fields: &[&'static str]) -> HeaderMap {
        fields.iter().map(|field| (name.clone(), HeaderValue::from_static(field))).collect()
    }

    #[test]
    fn a_client_is_sent_what_it_takes() {
        for (fields, of_page, of_export) in [
            (&[][..], Ok(None), Ok(None)),
            (&[""], Ok(None), Ok(None)),
            (&["gzip, deflate, br, zstd"], Ok(Some("br")), Ok(Some("zstd"))),
            (&["gzip"], Ok(Some("gzip")), Ok(None)),
            (&["GZip"], Ok(Some("gzip")), Ok(None)),
            (&["x-gzip"], Ok(Some("gzip")), Ok(None)),
            (&["gzip", "ZSTD ; Q=0.5"], Ok(Some("gzip")), Ok(Some("zstd"))),
            (&["deflate", "", "br"], Ok(Some("br")), Ok(None)),
            (&["br;q=0.5, gzip;q=0.8"], Ok(Some("gzip")), Ok(None)),
            (&["br;q=0, gzip;q=0.001"], Ok(Some("gzip")), Ok(None)),
            (&["br;q=0.0, gzip;q=0"], Ok(None), Ok(None)),
            (&["zstd;q=0"], Ok(None), Ok(None)),
            (&["gzip;q=0.5, identity"], Ok(None), Ok(None)),
            (&["gzip, identity"], Ok(Some("gzip")), Ok(None)),
            (&["zstd;q=0.5, identity;q=0.4"], Ok(None), Ok(Some("zstd"))),
            (&["*"], Ok(None), Ok(None)),
            (&["*;q=0.5, gzip"], Ok(Some("gzip")), Ok(None)),
            (&["*, identity;q=0"], Ok(Some("br")), Ok(Some("zstd"))),
            (&["identity;q=0, *;q=0.1, br;q=0"], Ok(Some("gzip")), Ok(Some("zstd"))),
            (&["gzip, *;q=0"], Ok(Some("gzip")), Err(())),
            (&["*;q=0"], Err(()), Err(())),
            (&["identity;q=0, deflate"], Err(()), Err(())),
            (&["*;q=0, identity"], Ok(None), Ok(None)),
            (&["gzip;q=2, br;q=nan, zstd;q=-1"], Ok(None), Ok(None)),
            (&["gzip;q=0.5;q=1"], Ok(None), Ok(None)),
        ] {
            let headers = headers(&header::ACCEPT_ENCODING, fields);
            assert_eq!(coding(&headers, &["br", "gzip"]).map_err(|_| ()), of_page, "{fields:?}");
            assert_eq!(coding(&headers, &["zstd"]).map_err(|_| ()), of_export, "{fields:?}");
        }
    }

    #[test]
    fn what_a_client_has_is_not_sent_again() {
        for (fields, strong, weak) in [
            (&[][..], false, false),
            (&[r#""a""#], true, true),
            (&[r#"W/"a""#], true, true),
            (&[r#""b", W/"a" , "c""#], true, true),
            (&[r#""b""#, r#""a""#], true, true),
            (&["*"], true, true),
            (&[r#""x,"a",y""#], false, false),
            (&[r#""b,", "a""#], true, true),
            (&[r#""A""#], false, false),
            (&["a"], false, false),
            (&[r#"w/"a""#], false, false),
            (&[""], false, false),
        ] {
            let headers = headers(&header::IF_NONE_MATCH, fields);
            assert_eq!((has(&headers, r#""a""#), has(&headers, r#"W/"a""#)), (strong, weak), "{fields:?}");
        }
    }
}
