//! `GET /api/v1/hosts`: the hosts of a fleet.

use super::asker::Asker;
use super::context::Context;
use super::problem::ApiError;
use std::sync::Arc;
use warp::http::{HeaderValue, StatusCode, header};
use warp::reply::{Reply, Response};

/// Every log of every host of which the asker may be told, and how it comes along.
pub(super) fn hosts(context: &Arc<Context>, asker: &Asker) -> Result<Response, ApiError> {
    let Some(fleet) = &context.recording.fleet else {
        let why = "this is no server of a fleet (shipslog fleet serve): its Docker hosts are in /api/v1/stats";
        return Err(ApiError::new(StatusCode::NOT_FOUND, why));
    };
    let mut response = fleet.hosts(asker.hosts()).into_response();
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    Ok(response)
}
