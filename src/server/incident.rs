//! `GET /api/v1/incidents/{id}`: one incident, with what happened in it.

use super::asker::Asker;
use super::context::Context;
use super::incidents::{Polling, answered, etag_of, now, until_revoked};
use super::negotiate;
use super::params::Params;
use super::problem::ApiError;
use super::report;
use crate::projection::Told;
use std::sync::Arc;
use warp::http::{HeaderMap, StatusCode};
use warp::reply::Response;

/// Also one that became part of another.
pub(super) async fn one(context: Arc<Context>, id: String, headers: HeaderMap, asker: Asker) -> Result<Response, ApiError> {
    let log = context.log_for(&asker);
    let polling = Polling::of(&headers, true);
    let mut looked: Option<(String, u64)> = None;
    let (mut body, mut etag) = (String::new(), String::new());
    loop {
        let telling = async { Ok(context.known.one(&log, id.clone(), now(&context, &log).await?).await?) };
        let json = match until_revoked(&asker, telling).await? {
            Told::Incident(json) => json,
            Told::Gone => return Err(ApiError::new(StatusCode::GONE, "the records of this incident are gone (reason: retention)")),
            Told::Unknown => return Err(ApiError::new(StatusCode::NOT_FOUND, "there is no such incident in this log")),
        };
        // Read again only when it has changed, or something may have come that stands beside it.
        let now = Some((json, context.known.beside()));
        if looked != now {
            body = until_revoked(&asker, report::told(&context, &log, &id)).await?;
            etag = etag_of(&[&body]);
            looked = now;
        }
        let unchanged = negotiate::has(&headers, &etag);
        if unchanged && polling.again(&context, &asker).await? {
            continue;
        }
        return Ok(answered(body, &etag, unchanged, &Params::default(), &polling));
    }
}
