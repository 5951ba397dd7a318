//! `GET /api/v1/report`: a report of a range, and `GET /api/v1/incidents/{id}/report`: of one incident.

use super::asker::Asker;
use super::context::Context;
use super::incidents::{etag_of, listed, named, now, until_revoked};
use super::negotiate;
use super::params::Params;
use super::problem::ApiError;
use crate::log::EventLog;
use crate::projection::incidents::{Severity, Shown};
use crate::projection::{AskedIncidents, Told};
use crate::report::{self, Format, Found, Of, Report, Selection};
use crate::time::Timestamp;
use std::sync::Arc;
use warp::http::header::HeaderName;
use warp::http::{HeaderMap, HeaderValue, StatusCode, header};
use warp::reply::{Reply, Response};

const OF_ONE: [&str; 2] = ["format", "at"];
const OF_MANY: [&str; 8] = ["format", "since", "until", "at", "state", "severity", "kind", "subject"];
/// Incidents that are looked through at once.
const PAGE: usize = 1000;
/// Nothing in a report may load or run anything where it is opened, whatever a container is called.
const POLICY: &str = "default-src 'none'; style-src 'unsafe-inline'; sandbox allow-popups; frame-ancestors 'none'; base-uri 'none'";

/// Of those that overlap a range.
pub(super) async fn range(context: Arc<Context>, query: String, headers: HeaderMap, asker: Asker) -> Result<Response, ApiError> {
    let params = Params::parse(&query, &OF_MANY)?;
    let of = Of::Many(Selection {
        range: params.time_range()?,
        severity: named(&params, "severity")?.unwrap_or(Severity::Minor),
        state: named(&params, "state")?,
        kind: named(&params, "kind")?,
        subject: params.get("subject").map(str::to_owned),
    });
    answer(&context, &params, &headers, &asker, &of).await
}

/// Of one incident, also of one that became part of another.
pub(super) async fn one(context: Arc<Context>, id: String, query: String, headers: HeaderMap, asker: Asker) -> Result<Response, ApiError> {
    let params = Params::parse(&query, &OF_ONE)?;
    answer(&context, &params, &headers, &asker, &Of::One(id)).await
}

async fn answer(context: &Context, params: &Params, headers: &HeaderMap, asker: &Asker, of: &Of) -> Result<Response, ApiError> {
    let format: Format = params.get("format").unwrap_or("markdown").parse().map_err(ApiError::bad_request)?;
    let at = params.time("at")?;
    let log = context.log_for(asker);
    let report = until_revoked(asker, make(context, &log, at, of)).await?;
    let etag = etag_of(&[format.name(), &report.fingerprint()]);
    if negotiate::has(headers, &etag) {
        let mut response = StatusCode::NOT_MODIFIED.into_response();
        set(&mut response, header::ETAG, &etag);
        return Ok(response);
    }
    let mut response = report.render(format).into_response();
    set(&mut response, header::CONTENT_TYPE, format.content_type());
    set(&mut response, header::CACHE_CONTROL, "no-cache");
    set(&mut response, header::ETAG, &etag);
    // A browser shows a page, and keeps the rest.
    let way = if format == Format::Html { "inline" } else { "attachment" };
    let name = name(&*log, of, &report);
    set(&mut response, header::CONTENT_DISPOSITION, &format!("{way}; filename=\"{name}.{}\"", format.suffix()));
    if format == Format::Html {
        set(&mut response, header::CONTENT_SECURITY_POLICY, POLICY);
    }
    if let Some(remark) = params.remark() {
        set(&mut response, HeaderName::from_static("shipslog-remark"), &remark);
    }
    Ok(response)
}

async fn make(context: &Context, log: &Arc<dyn EventLog>, at: Option<Timestamp>, of: &Of) -> Result<Report, ApiError> {
    let found = match of {
        Of::Many(selection) => many(context, log, at, selection).await?,
        Of::One(id) => only(context, log, at, id).await?,
    };
    Ok(report::gather(log, &context.losses, found, of).await?)
}

/// One incident as it is known now, with its timeline and what was at the same time, as JSON.
pub(super) async fn told(context: &Context, log: &Arc<dyn EventLog>, id: &str) -> Result<String, ApiError> {
    let report = make(context, log, None, &Of::One(id.to_owned())).await?;
    let told = report.incidents.first().ok_or_else(no_such)?;
    serde_json::to_string(told).map_err(|error| {
        tracing::error!(%error, "an incident cannot be written");
        ApiError::new(StatusCode::INTERNAL_SERVER_ERROR, "an incident cannot be written")
    })
}

fn asked(selection: &Selection) -> AskedIncidents {
    AskedIncidents {
        range: selection.range.clone(),
        state: selection.state,
        severity: selection.severity,
        kind: selection.kind,
        subject: selection.subject.clone(),
        newest_first: false,
        limit: PAGE,
        after: None,
    }
}

fn parse(json: &str) -> Result<Shown, ApiError> {
    serde_json::from_str(json).map_err(|error| {
        tracing::error!(%error, "an incident cannot be read back");
        ApiError::new(StatusCode::INTERNAL_SERVER_ERROR, "an incident cannot be read back")
    })
}

/// Those that are wanted, page by page.
async fn many(context: &Context, log: &Arc<dyn EventLog>, at: Option<Timestamp>, selection: &Selection) -> Result<Found, ApiError> {
    let mut asked = asked(selection);
    let mut found: Option<Found> = None;
    loop {
        let (page, as_of) = listed(context, log, &asked, at).await?;
        let found = found.get_or_insert_with(|| Found::new(as_of, page.folded_to));
        found.notices = if selection.severity == Severity::Notice { 0 } else { page.notices as u64 };
        for json in &page.incidents {
            found.add(parse(json)?);
        }
        if page.next.is_none() {
            return Ok(found.clone());
        }
        asked.after = page.next;
    }
}

/// One, and what was at the same time.
async fn only(context: &Context, log: &Arc<dyn EventLog>, at: Option<Timestamp>, id: &str) -> Result<Found, ApiError> {
    let incident = match at {
        None => match context.known.one(log, id.to_owned(), now(context, log).await?).await? {
            Told::Incident(json) => parse(&json)?,
            Told::Gone => return Err(ApiError::new(StatusCode::GONE, "the records of this incident are gone (reason: retention)")),
            Told::Unknown => return Err(no_such()),
        },
        Some(at) => known_at(context, log, at, id).await?.ok_or_else(no_such)?,
    };
    let range = incident.start..=incident.end.unwrap_or(Timestamp::MAX);
    let (page, as_of) = listed(context, log, &asked(&Selection { range, ..Selection::default() }), at).await?;
    let mut found = Found::new(as_of, page.folded_to);
    found.others = page.incidents.iter().map(|json| parse(json)).collect::<Result<_, _>>()?;
    found.add(incident);
    Ok(found)
}

/// One as it was known at a time.
async fn known_at(context: &Context, log: &Arc<dyn EventLog>, at: Timestamp, id: &str) -> Result<Option<Shown>, ApiError> {
    let mut asked = asked(&Selection { severity: Severity::Notice, ..Selection::default() });
    loop {
        let (page, _) = listed(context, log, &asked, Some(at)).await?;
        for json in &page.incidents {
            let shown = parse(json)?;
            if shown.id == id {
                return Ok(Some(shown));
            }
        }
        if page.next.is_none() {
            return Ok(None);
        }
        asked.after = page.next;
    }
}

fn no_such() -> ApiError {
    ApiError::new(StatusCode::NOT_FOUND, "there is no such incident in this log")
}

/// The name of a file: the incident, or the log and its head.
fn name(log: &dyn EventLog, of: &Of, report: &Report) -> String {
    let id = report.incidents.first().map(|told| told.incident.id.as_str()).filter(|_| matches!(of, Of::One(_)));
    let bounds = log.bounds();
    id.map_or_else(|| format!("shipslog-report-{:08x}-{}", bounds.log.prefix(), bounds.head), |id| format!("shipslog-incident-{id}"))
}

fn set(response: &mut Response, name: HeaderName, value: &str) {
    let value = HeaderValue::from_str(value).ok();
    if let Some(value) = value {
        response.headers_mut().insert(name, value);
    }
}
