//! `/_ping` and `/version`: by which clients learn which version of the API to speak.

use serde_json::{Value, json};
use std::sync::LazyLock;
use warp::http::{HeaderValue, Method, header};
use warp::reply::{Reply, Response};

pub(super) const OS: &str = "linux";
const API_VERSION: &str = "1.51";
/// The oldest version in which all that is served is as it is here.
const MIN_API_VERSION: &str = "1.24";

/// Whether somebody is there.
pub(super) fn ping(method: &Method) -> Response {
    let mut response = if method == Method::HEAD { "" } else { "OK" }.into_response();
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-cache, no-store, must-revalidate"));
    headers.insert(header::PRAGMA, HeaderValue::from_static("no-cache"));
    response
}

/// Who is there.
pub(super) fn version() -> Response {
    static VERSION: LazyLock<String> = LazyLock::new(|| describe().to_string());
    let mut response = VERSION.as_str().into_response();
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}

/// Clients look at the fields of the component `Engine` or at those beside it, so both have them. What
/// belongs to Go is empty; the time of building is left out, since some clients take an empty one for an
/// error.
fn describe() -> Value {
    let version = env!("CARGO_PKG_VERSION");
    let kernel = std::fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    let details = json!({
        "ApiVersion": API_VERSION,
        "MinAPIVersion": MIN_API_VERSION,
        "Experimental": "false",
        "Os": OS,
        "Arch": architecture(),
        "KernelVersion": kernel.trim(),
        "GitCommit": "",
        "GoVersion": "",
    });
    let mut all = json!({
        "Platform": { "Name": format!("shipslog {version}") },
        "Components": [{ "Name": "Engine", "Version": version, "Details": details }],
        "Version": version,
    });
    if let (Value::Object(all), Value::Object(details)) = (&mut all, details) {
        all.extend(details);
        // Beside the component it would have to be a boolean.
        all.remove("Experimental");
    }
    all
}

/// As Go calls it.
fn architecture() -> &'static str {
    match std::env::consts::ARCH {
        "x86_64" => "amd64",
        "aarch64" => "arm64",
        "x86" => "386",
        other => other,
    }
}
