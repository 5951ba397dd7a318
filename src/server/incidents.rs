//! `GET /api/v1/incidents`: what broke, and `GET /api/v1/incidents/{id}`: one of it.

use super::asker::Asker;
use super::context::Context;
use super::export::as_of;
use super::negotiate;
use super::params::Params;
use super::problem::ApiError;
use crate::log::EventLog;
use crate::projection::incidents::{Kind, Severity, Shown, Standing, View};
use crate::projection::known_at;
use crate::time::Timestamp;
use serde::de::{DeserializeOwned, IntoDeserializer, value};
use serde_json::json;
use sha2::{Digest, Sha256};
use std::ops::RangeInclusive;
use std::sync::Arc;
use warp::http::header::HeaderName;
use warp::http::{HeaderMap, HeaderValue, StatusCode, header};
use warp::reply::{Reply, Response};

const PARAMS: [&str; 10] = ["since", "until", "at", "state", "severity", "kind", "subject", "order", "limit", "cursor"];
const DEFAULT_LIMIT: usize = 100;
const MAX_LIMIT: usize = 1000;

/// What is asked for.
struct Query {
    range: RangeInclusive<Timestamp>,
    state: Option<Standing>,
    severity: Severity,
    kind: Option<Kind>,
    subject: Option<String>,
    newest_first: bool,
    limit: usize,
    after: Option<String>,
}

impl Query {
    fn parse(params: &Params) -> Result<Self, ApiError> {
        let newest_first = match params.get("order") {
            None | Some("asc") => false,
            Some("desc") => true,
            Some(other) => return Err(ApiError::bad_request(format!("order must be asc or desc, not {:?}", shorten(other)))),
        };
        let limit = params.get("limit").map_or(Ok(DEFAULT_LIMIT), |text| match text.parse() {
            Ok(limit) if (1..=MAX_LIMIT).contains(&limit) => Ok(limit),
            _ => Err(ApiError::bad_request(format!("limit must be a number from 1 to {MAX_LIMIT}, not {:?}", shorten(text)))),
        })?;
        Ok(Self {
            range: params.time_range()?,
            state: named(params, "state")?,
            severity: named(params, "severity")?.unwrap_or(Severity::Minor),
            kind: named(params, "kind")?,
            subject: params.get("subject").map(str::to_owned),
            newest_first,
            limit,
            after: params.get("cursor").map(str::to_owned),
        })
    }

    fn wants(&self, incident: &Shown, as_of: Timestamp) -> bool {
        let is_of = |subject: &String| {
            incident.subject == *subject
                || incident.subjects.iter().any(|part| part.key == *subject)
                || incident.containers.contains(subject)
        };
        incident.start <= *self.range.end()
            && incident.end.unwrap_or(as_of.max(incident.start)) >= *self.range.start()
            && self.kind.is_none_or(|kind| kind == incident.kind)
            && self.subject.as_ref().is_none_or(is_of)
            && match self.state {
                None => true,
                // Whoever asks for what goes on wants what is not over.
                Some(Standing::Open) => incident.state != Standing::Closed,
                Some(state) => incident.state == state,
            }
    }
}

/// A value by the name that it has in answers.
fn named<T: DeserializeOwned>(params: &Params, name: &str) -> Result<Option<T>, ApiError> {
    let parse = |text: &str| T::deserialize(IntoDeserializer::<value::Error>::into_deserializer(text));
    let wrong = |error: value::Error| ApiError::bad_request(format!("{name}: {}", shorten(&error.to_string())));
    params.get(name).map(parse).transpose().map_err(wrong)
}

fn shorten(text: &str) -> String {
    text.chars().take(300).collect()
}

async fn known(context: &Context, log: &Arc<dyn EventLog>, at: Option<Timestamp>) -> Result<View, ApiError> {
    let now = Timestamp::now();
    Ok(match at {
        Some(at) => known_at(log, at).await?,
        None => context.incidents.view(log, as_of(context, &**log, log.bounds(), now).await?).await?,
    })
}

/// Those that overlap a range.
pub(super) async fn list(context: Arc<Context>, query: String, headers: HeaderMap, asker: Asker) -> Result<Response, ApiError> {
    let params = Params::parse(&query, &PARAMS)?;
    let wanted = Query::parse(&params)?;
    let log = context.log_for(&asker);
    let at = params.time("at")?;
    let View { incidents, notices, as_of, folded_to, .. } = tokio::select! {
        biased;
        () = asker.revoked() => return Err(ApiError::new(StatusCode::UNAUTHORIZED, "the token is no longer one of ours")),
        known = known(&context, &log, at) => known?,
    };
    let of_range = |incident: &&Shown| wanted.wants(incident, as_of);
    let notices: Vec<&Shown> = notices.iter().filter(of_range).collect();
    let notice_count = notices.len();
    let mut found: Vec<&Shown> = incidents.iter().filter(of_range).filter(|incident| incident.severity >= wanted.severity).collect();
    if wanted.severity == Severity::Notice {
        found.extend(notices);
        found.sort_by(|a, b| (a.start, &a.id).cmp(&(b.start, &b.id)));
    }
    if wanted.newest_first {
        found.reverse();
    }
    if let Some(after) = &wanted.after {
        let place = found.iter().position(|incident| incident.id == *after);
        let place = place.ok_or_else(|| ApiError::bad_request("cursor: no incident of this list has this id"))?;
        found.drain(..=place);
    }
    let next = (found.len() > wanted.limit).then(|| found.get(wanted.limit - 1).map(|last| last.id.clone())).flatten();
    found.truncate(wanted.limit);

    let bounds = log.bounds();
    let shown = serde_json::to_string(&found).map_err(|error| internal(&error))?;
    let tagged = Sha256::digest(format!("{} {notice_count} {shown}", bounds.log));
    let etag = format!("W/\"{}\"", hex::encode(tagged.get(..12).unwrap_or_default()));
    if negotiate::has(&headers, &etag) {
        let mut response = StatusCode::NOT_MODIFIED.into_response();
        set(&mut response, header::ETAG, &etag);
        return Ok(response);
    }
    let rest = json!({
        "notices": { "count": notice_count, "href": "api/v1/incidents?severity=notice" },
        "page": { "next": next },
        "log": { "id": bounds.log.to_string(), "oldest": bounds.oldest, "head": bounds.head },
        "as_of": as_of,
        "folded_to": folded_to,
    })
    .to_string();
    let body = format!(r#"{{"incidents":{shown},{}"#, rest.trim_start_matches('{'));
    let mut response = json_response(body);
    set(&mut response, header::ETAG, &etag);
    if let Some(next) = next {
        // Relative: a proxy may have put a prefix before our paths.
        set(&mut response, header::LINK, &format!("<incidents?{}>; rel=\"next\"", params.for_page(&next)));
    }
    if let Some(remark) = params.remark() {
        set(&mut response, header::HeaderName::from_static("shipslog-remark"), &remark);
    }
    Ok(response)
}

/// One incident, also one that another took in.
pub(super) async fn one(context: Arc<Context>, id: String, asker: Asker) -> Result<Response, ApiError> {
    let log = context.log_for(&asker);
    let view = known(&context, &log, None).await?;
    let all = [&view.incidents, &view.notices, &view.merged];
    if let Some(incident) = all.into_iter().flatten().find(|incident| incident.id == id) {
        return Ok(json_response(serde_json::to_string(incident).map_err(|error| internal(&error))?));
    }
    let first = id.trim_end_matches(|c: char| c.is_ascii_alphabetic()).parse::<crate::cursor::Cursor>();
    let bounds = log.bounds();
    Err(match first {
        Ok(first) if log.owns(first) && first.seq > 0 && first.seq < bounds.oldest => {
            ApiError::new(StatusCode::GONE, "the records of this incident are gone (reason: retention)")
        }
        _ => ApiError::new(StatusCode::NOT_FOUND, "there is no such incident in this log"),
    })
}

fn json_response(body: String) -> Response {
    let mut response = body.into_response();
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    response
}

fn set(response: &mut Response, name: HeaderName, value: &str) {
    response.headers_mut().extend(HeaderValue::from_str(value).ok().map(|value| (name, value)));
}

fn internal(error: &serde_json::Error) -> ApiError {
    tracing::error!(%error, "an incident cannot be written as JSON");
    ApiError::new(StatusCode::INTERNAL_SERVER_ERROR, "an incident cannot be written as JSON")
}
