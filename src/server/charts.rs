//! `GET /api/v1/histogram`, `/facets` and `/lifelines`: a range of time in figures and lines.

use super::asker::Asker;
use super::context::Context;
use super::export::as_of;
use super::incidents::{Polling, answered, etag_of, until_revoked};
use super::negotiate;
use super::params::Params;
use super::problem::ApiError;
use crate::log::EventLog;
use crate::projection::{Asked, CLASSES, KEYS, MAX_BINS, Span};
use crate::time::Timestamp;
use serde_json::{Value, json};
use std::ops::RangeInclusive;
use std::sync::Arc;
use warp::http::HeaderMap;
use warp::reply::Response;

const DEFAULT_BINS: usize = 200;
/// Values of one key that an answer names.
const DEFAULT_TOP: usize = 20;
const MAX_TOP: usize = 1000;
/// Points that lifelines are drawn wide.
const DEFAULT_WIDTH: usize = 1200;
const MAX_WIDTH: usize = 10_000;
/// Bytes of the reason of a gap that is shown.
const MAX_REASON_BYTES: usize = 64;

fn number(params: &Params, name: &str, default: usize, most: usize) -> Result<usize, ApiError> {
    params.get(name).map_or(Ok(default), |text| match text.parse() {
        Ok(number) if (1..=most).contains(&number) => Ok(number),
        _ => Err(ApiError::bad_request(format!("{name} must be a number from 1 to {most}"))),
    })
}

fn flag(params: &Params, name: &str) -> Result<bool, ApiError> {
    match params.get(name) {
        None | Some("0") => Ok(false),
        Some("1") => Ok(true),
        Some(_) => Err(ApiError::bad_request(format!("{name} must be 0 or 1"))),
    }
}

/// The range that is asked for: from the oldest record, where nothing else is said, to now.
async fn range(context: &Context, log: &Arc<dyn EventLog>, params: &Params) -> Result<RangeInclusive<Timestamp>, ApiError> {
    let asked = params.time_range()?;
    let now = as_of(context, &**log, log.bounds(), Timestamp::now()).await?;
    let since = match *asked.start() {
        Timestamp::MIN => context.known.begins().await?.unwrap_or(now),
        since => since,
    };
    let until = if *asked.end() == Timestamp::MAX { now } else { *asked.end() };
    Ok(since..=until.max(since))
}

/// Answers, and again whenever something is new to one that waits.
async fn answer<F: Future<Output = Result<(Value, Value), ApiError>>>(
    context: &Context,
    params: &Params,
    headers: &HeaderMap,
    asker: &Asker,
    find: impl Fn() -> F,
) -> Result<Response, ApiError> {
    let polling = Polling::of(headers, true);
    loop {
        let (tagged, rest) = until_revoked(asker, find()).await?;
        let etag = etag_of(&[&context.log.bounds().log.to_string(), &tagged.to_string()]);
        let unchanged = negotiate::has(headers, &etag);
        if unchanged && polling.again(context, asker).await? {
            continue;
        }
        let body = [tagged, rest].into_iter().filter_map(|part| if let Value::Object(part) = part { Some(part) } else { None });
        let body = Value::Object(body.flatten().collect());
        return Ok(answered(body.to_string(), &etag, unchanged, params, &polling));
    }
}

/// Counts by class and time.
pub(super) async fn histogram(context: Arc<Context>, query: String, headers: HeaderMap, asker: Asker) -> Result<Response, ApiError> {
    let params = Params::parse(&query, &["since", "until", "bins", "filters", "exclude", "exact"])?;
    let (bins, exact) = (number(&params, "bins", DEFAULT_BINS, MAX_BINS)?, flag(&params, "exact")?);
    let filter = Arc::new(params.filter()?);
    let log = context.log_for(&asker);
    let (context, params, log, filter) = (&*context, &params, &log, &filter);
    answer(context, params, &headers, &asker, || async move {
        let time = range(context, log, params).await?;
        let span = Span { time, filter: Arc::clone(filter) };
        let found = context.known.histogram(log, &span, bins, exact).await?;
        let gaps = gaps(context, log, &span).await?;
        let tagged = json!({
            "since": found.since, "bin_ms": found.bin_ms, "classes": CLASSES, "bins": found.bins,
            "edge_error": found.edge_error, "exact": found.edge_error == 0 && found.ended_after.is_none(), "gaps": gaps,
        });
        let begins = context.known.begins().await?;
        Ok((tagged, json!({ "until": found.until, "begins": begins, "ended_after": ended(log, found.ended_after) })))
    })
    .await
}

fn ended(log: &Arc<dyn EventLog>, after: Option<u64>) -> Option<String> {
    after.map(|seq| log.bounds().log.cursor(seq).to_string())
}

/// What the recorder may have missed in a range, with its reason.
async fn gaps(context: &Context, log: &Arc<dyn EventLog>, span: &Span) -> Result<Vec<Value>, ApiError> {
    let met = context.losses.meeting(log, &Asked::at(span.time.clone()), |loss| span.filter.wants_source(&loss.source)).await?;
    let mut gaps = Vec::new();
    for loss in met.losses {
        let line = loss.line(&**log).await?.unwrap_or_default();
        let reason = serde_json::from_slice::<Value>(&line).ok();
        let reason = reason.as_ref().and_then(|record| record.pointer("/event/Actor/Attributes/reason")).and_then(Value::as_str);
        let reason: String = reason.unwrap_or("unknown").chars().take(MAX_REASON_BYTES).collect();
        // What was before the recording was not lost.
        if reason != crate::projection::FIRST_CONTACT {
            let (from, until) = (loss.time.start().max(span.time.start()), loss.time.end().min(span.time.end()));
            gaps.push(json!([from, until, reason, &*loss.source, log.bounds().log.cursor(loss.seq).to_string()]));
        }
    }
    Ok(gaps)
}

/// Counts by value.
pub(super) async fn facets(context: Arc<Context>, query: String, headers: HeaderMap, asker: Asker) -> Result<Response, ApiError> {
    let params = Params::parse(&query, &["since", "until", "filters", "exclude", "keys", "top"])?;
    let top = number(&params, "top", DEFAULT_TOP, MAX_TOP)?;
    let keys: Vec<&str> = params.get("keys").map_or_else(|| KEYS.to_vec(), |keys| keys.split(',').map(str::trim).collect());
    if let Some(unknown) = keys.iter().find(|key| !KEYS.contains(key)) {
        let unknown: String = unknown.chars().take(64).collect();
        return Err(ApiError::bad_request(format!("keys: {unknown:?} is not one of {}", KEYS.join(", "))));
    }
    let filter = Arc::new(params.filter()?);
    let log = context.log_for(&asker);
    let (context, params, log, filter, keys) = (&*context, &params, &log, &filter, &keys);
    answer(context, params, &headers, &asker, || async move {
        let span = Span { time: range(context, log, params).await?, filter: Arc::clone(filter) };
        let found = context.known.facets(log, &span).await?;
        let tops = || keys.iter().map(|key| (key, found.top(key, top)));
        let facets: serde_json::Map<String, Value> = tops().map(|(key, (values, _))| ((*key).to_owned(), json!(values))).collect();
        let others: serde_json::Map<String, Value> = tops().map(|(key, (_, others))| ((*key).to_owned(), json!(others))).collect();
        let tagged = json!({ "facets": facets, "others": others, "exact": found.exact, "scanned": found.scanned });
        Ok((tagged, json!({ "since": span.time.start(), "until": span.time.end(), "ended_after": ended(log, found.ended_after) })))
    })
    .await
}

/// What each subject's containers were doing.
pub(super) async fn lifelines(context: Arc<Context>, query: String, headers: HeaderMap, asker: Asker) -> Result<Response, ApiError> {
    let params = Params::parse(&query, &["since", "until", "width"])?;
    let width = number(&params, "width", DEFAULT_WIDTH, MAX_WIDTH)?;
    let log = context.log_for(&asker);
    let (context, params, log) = (&*context, &params, &log);
    answer(context, params, &headers, &asker, || async move {
        let time = range(context, log, params).await?;
        let (since, until) = (*time.start(), *time.end());
        let found = context.known.lifelines(log, time, u32::try_from(width).unwrap_or(u32::MAX)).await?;
        let tagged = json!({ "since": since, "lanes": found.lanes, "more": found.more, "read_from": found.read_from });
        Ok((tagged, json!({ "until": until, "ended_after": ended(log, found.ended_after) })))
    })
    .await
}
