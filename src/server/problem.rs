//! Errors as clients see them: `application/problem+json` (RFC 9457), one mapping for all routes.

use crate::log::LogError;
use std::time::Duration;
use warp::http::{HeaderValue, StatusCode, header};
use warp::reply::{Reply, Response};

const PROBLEM: HeaderValue = HeaderValue::from_static("application/problem+json");

/// Docker's clients look for the message of an error in plain JSON only.
pub(super) fn for_docker(response: &mut Response) {
    if response.headers().get(header::CONTENT_TYPE) == Some(&PROBLEM) {
        response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    }
}

/// An answer that says what was wrong and what to do.
#[derive(Debug)]
pub(super) struct ApiError {
    status: StatusCode,
    detail: String,
    headers: Vec<(header::HeaderName, HeaderValue)>,
}

impl ApiError {
    pub(super) fn new(status: StatusCode, detail: impl Into<String>) -> Self {
        Self { status, detail: detail.into(), headers: Vec::new() }
    }

    #[cfg(test)]
    pub(super) fn status(&self) -> StatusCode {
        self.status
    }

    pub(super) fn bad_request(why: impl std::fmt::Display) -> Self {
        Self::new(StatusCode::BAD_REQUEST, why.to_string())
    }

    pub(super) fn with_header(mut self, name: header::HeaderName, value: &'static str) -> Self {
        self.headers.push((name, HeaderValue::from_static(value)));
        self
    }

    /// Told to come back after this time.
    pub(super) fn wait(mut self, wait: Duration) -> Self {
        self.headers.push((header::RETRY_AFTER, HeaderValue::from(wait.as_secs() + 1)));
        self
    }
}

#[cfg(test)]
impl std::fmt::Display for ApiError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.detail)
    }
}

impl From<LogError> for ApiError {
    fn from(error: LogError) -> Self {
        tracing::error!(error = %error, "a request failed because the log cannot be read");
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, format!("the log cannot be read: {error}"))
    }
}

impl Reply for ApiError {
    fn into_response(self) -> Response {
        let body = serde_json::json!({
            "type": "about:blank",
            "title": self.status.canonical_reason().unwrap_or("Error"),
            "status": self.status.as_u16(),
            "detail": self.detail,
            // Where Docker's clients look for it.
            "message": self.detail,
        });
        let mut response = body.to_string().into_response();
        *response.status_mut() = self.status;
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, PROBLEM);
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
        for (name, value) in self.headers {
            headers.insert(name, value);
        }
        response
    }
}
