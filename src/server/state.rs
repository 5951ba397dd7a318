//! `GET /api/v1/state`: which containers there were at a time, and how they were.

use super::asker::Asker;
use super::context::Context;
use super::export::as_of;
use super::incidents::{Polling, answered, etag_of, until_revoked};
use super::negotiate;
use super::params::Params;
use super::problem::ApiError;
use crate::projection::incidents::Inventory;
use crate::time::Timestamp;
use std::sync::Arc;
use warp::http::{HeaderMap, StatusCode};
use warp::reply::Response;

const PARAMS: [&str; 1] = ["at"];

/// The state at a time; now without one.
pub(super) async fn state(context: Arc<Context>, query: String, headers: HeaderMap, asker: Asker) -> Result<Response, ApiError> {
    let params = Params::parse(&query, &PARAMS)?;
    let at = params.time("at")?;
    let log = context.log_for(&asker);
    let polling = Polling::of(&headers, at.is_none());
    loop {
        let finding = async {
            let now = as_of(&context, &*log, log.bounds(), Timestamp::now()).await?;
            // What is to come is not known.
            let at = at.map_or(now, |at| at.min(now));
            Ok(context.known.state_at(&log, at).await?)
        };
        let inventory = until_revoked(&asker, finding).await?;
        let body = json(&inventory)?;
        // Not the time: that passes though nothing changes.
        let etag = etag_of(&[&log.bounds().log.to_string(), &tagged(&inventory)?]);
        let unchanged = negotiate::has(&headers, &etag);
        if unchanged && polling.again(&context, &asker).await? {
            continue;
        }
        return Ok(answered(body, &etag, unchanged, &params, &polling));
    }
}

fn json<T: serde::Serialize>(what: &T) -> Result<String, ApiError> {
    serde_json::to_string(what).map_err(|error| {
        tracing::error!(%error, "a state cannot be written as JSON");
        ApiError::new(StatusCode::INTERNAL_SERVER_ERROR, "the state cannot be written as JSON")
    })
}

/// What of it is news.
fn tagged(inventory: &Inventory) -> Result<String, ApiError> {
    let record = inventory.baseline.as_ref().map(|baseline| &baseline.record);
    json(&(record, &inventory.qualified, &inventory.containers, &inventory.networks, &inventory.volumes))
}
