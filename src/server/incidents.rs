//! `GET /api/v1/incidents`: what broke in a range of time.

use super::asker::Asker;
use super::context::Context;
use super::events::prefer_wait;
use super::export::as_of;
use super::negotiate;
use super::params::Params;
use super::problem::ApiError;
use crate::log::{Bounds, EventLog};
use crate::projection::incidents::{MAX_OPEN, Severity, Told, across};
use crate::projection::{AskedIncidents as Asked, Listed};
use crate::time::Timestamp;
use serde::de::{DeserializeOwned, IntoDeserializer, value};
use serde_json::json;
use sha2::{Digest, Sha256};
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;
use warp::http::header::HeaderName;
use warp::http::{HeaderMap, HeaderValue, StatusCode, header};
use warp::reply::{Reply, Response};

const PARAMS: [&str; 10] = ["since", "until", "at", "state", "severity", "kind", "subject", "order", "limit", "cursor"];
const DEFAULT_LIMIT: usize = 100;
const MAX_LIMIT: usize = 1000;

/// How often a poll that waits looks again: time that passes changes incidents as well.
const LOOK: Duration = Duration::from_secs(1);

fn asked(params: &Params) -> Result<Asked, ApiError> {
    let newest_first = match params.get("order") {
        None | Some("asc") => false,
        Some("desc") => true,
        Some(other) => return Err(ApiError::bad_request(format!("order must be asc or desc, not {:?}", shorten(other)))),
    };
    let limit = params.get("limit").map_or(Ok(DEFAULT_LIMIT), |text| match text.parse() {
        Ok(limit) if (1..=MAX_LIMIT).contains(&limit) => Ok(limit),
        _ => Err(ApiError::bad_request(format!("limit must be a number from 1 to {MAX_LIMIT}, not {:?}", shorten(text)))),
    })?;
    Ok(Asked {
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

/// A value by the name that it has in answers.
pub(super) fn named<T: DeserializeOwned>(params: &Params, name: &str) -> Result<Option<T>, ApiError> {
    let parse = |text: &str| T::deserialize(IntoDeserializer::<value::Error>::into_deserializer(text));
    let wrong = |error: value::Error| ApiError::bad_request(format!("{name}: {}", shorten(&error.to_string())));
    params.get(name).map(parse).transpose().map_err(wrong)
}

fn shorten(text: &str) -> String {
    text.chars().take(300).collect()
}

/// The time up to which everything received is in the log.
pub(super) async fn now(context: &Context, log: &Arc<dyn EventLog>) -> Result<Timestamp, ApiError> {
    let now = Timestamp::now();
    Ok(as_of(context, &**log, log.bounds(), now).await?)
}

/// A list, and as of when it was judged.
pub(super) async fn listed(
    context: &Context,
    log: &Arc<dyn EventLog>,
    asked: &Asked,
    at: Option<Timestamp>,
) -> Result<(Listed, Timestamp), ApiError> {
    let now = now(context, log).await?;
    // What is to come is not known, and after the end of a recording nobody listened.
    let listed = match at.filter(|at| *at < now) {
        Some(at) => context.known.list_at(log, asked.clone(), at).await?,
        None => context.known.list(log, asked.clone(), now).await?,
    };
    if listed.unknown_cursor {
        return Err(ApiError::bad_request("cursor: no incident of this list has this id"));
    }
    let as_of = listed.as_of;
    Ok((listed, as_of))
}

/// Those that overlap a range.
pub(super) async fn list(context: Arc<Context>, query: String, headers: HeaderMap, asker: Asker) -> Result<Response, ApiError> {
    let params = Params::parse(&query, &PARAMS)?;
    let (asked, at) = (asked(&params)?, params.time("at")?);
    let log = context.log_for(&asker);
    let polling = Polling::of(&headers, at.is_none());
    loop {
        let (listed, as_of) = until_revoked(&asker, listed(&context, &log, &asked, at)).await?;
        let answer = Answer::of(listed, as_of, log.bounds());
        if negotiate::has(&headers, &answer.etag) && polling.again(&context, &asker).await? {
            continue;
        }
        return Ok(answer.into_response(&headers, &params, &polling));
    }
}

struct Answer {
    etag: String,
    body: String,
    next: Option<String>,
}

impl Answer {
    /// The tag leaves out the time and the head: nothing new of this list is nothing new.
    fn of(listed: Listed, as_of: Timestamp, bounds: Bounds) -> Self {
        let shown = listed.incidents.join(",");
        let mut notices = json!({ "count": listed.notices, "href": "api/v1/incidents?severity=notice", "left_out": listed.left_out });
        if let (Some(notices), 1..) = (notices.as_object_mut(), listed.left_out) {
            let text = format!(
                "{} more troubles found no room among the {MAX_OPEN} open ones of a Docker host, and are not told",
                listed.left_out
            );
            notices.insert("text".to_owned(), text.into());
        }
        // A page of a list is looked at by itself.
        let rest = json!({
            "across": across(&listed.incidents.iter().filter_map(|json| Told::of_json(json)).collect::<Vec<_>>()),
            "notices": notices,
            "page": { "next": listed.next },
            "log": { "id": bounds.log.to_string(), "oldest": bounds.oldest, "head": bounds.head },
            "as_of": as_of,
            "folded_to": listed.folded_to,
        })
        .to_string();
        let etag = etag_of(&[&bounds.log.to_string(), &notices_tag(&listed), &shown]);
        let body = format!(r#"{{"incidents":[{shown}],{}"#, rest.trim_start_matches('{'));
        Self { etag, body, next: listed.next }
    }

    fn into_response(self, headers: &HeaderMap, params: &Params, polling: &Polling) -> Response {
        let unchanged = negotiate::has(headers, &self.etag);
        let mut response = answered(self.body, &self.etag, unchanged, params, polling);
        if let (Some(next), false) = (self.next, unchanged) {
            // Relative: a proxy may have put a prefix before our paths.
            set(&mut response, header::LINK, &format!("<incidents?{}>; rel=\"next\"", params.for_page(&next)));
        }
        response
    }
}

fn notices_tag(listed: &Listed) -> String {
    format!("{} {}", listed.notices, listed.left_out)
}

/// What is found out, unless whoever asks may not know it any more.
pub(super) async fn until_revoked<T>(asker: &Asker, finding: impl Future<Output = Result<T, ApiError>>) -> Result<T, ApiError> {
    tokio::select! {
        biased;
        () = asker.revoked() => Err(revoked()),
        found = finding => found,
    }
}

fn revoked() -> ApiError {
    ApiError::new(StatusCode::UNAUTHORIZED, "the token is no longer one of ours")
}

/// A poll: how long it waits for something new.
pub(super) struct Polling {
    wait: Option<u64>,
    deadline: Instant,
}

impl Polling {
    /// What a request asks for; only what has a tag can be told from what is new.
    pub(super) fn of(headers: &HeaderMap, may_change: bool) -> Self {
        let wait = prefer_wait(headers).filter(|_| may_change && headers.contains_key(header::IF_NONE_MATCH));
        Self { wait, deadline: Instant::now() + Duration::from_secs(wait.unwrap_or(0)) }
    }

    /// Waits a little; whether to look again.
    pub(super) async fn again(&self, context: &Context, asker: &Asker) -> Result<bool, ApiError> {
        if Instant::now() >= self.deadline || context.shutdown.is_stopping() {
            return Ok(false);
        }
        tokio::select! {
            biased;
            () = asker.revoked() => Err(revoked()),
            () = context.shutdown.stopping() => Ok(false),
            () = tokio::time::sleep_until(self.deadline.min(Instant::now() + LOOK)) => Ok(true),
        }
    }
}

/// A weak tag of what an answer tells.
pub(super) fn etag_of(parts: &[&str]) -> String {
    let mut digest = Sha256::new();
    for part in parts {
        digest.update(part.len().to_be_bytes());
        digest.update(part);
    }
    format!("W/\"{}\"", hex::encode(digest.finalize().get(..12).unwrap_or_default()))
}

/// An answer, or that it is unchanged.
pub(super) fn answered(body: String, etag: &str, unchanged: bool, params: &Params, polling: &Polling) -> Response {
    let mut response = json_response(if unchanged { String::new() } else { body });
    if unchanged {
        *response.status_mut() = StatusCode::NOT_MODIFIED;
    }
    set(&mut response, header::ETAG, etag);
    if let Some(remark) = params.remark() {
        set(&mut response, HeaderName::from_static("shipslog-remark"), &remark);
    }
    if let Some(seconds) = polling.wait {
        set(&mut response, HeaderName::from_static("preference-applied"), &format!("wait={seconds}"));
    }
    response
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
