//! What a token that reads of some Docker hosts only may ask. Every route is refused to it but those that are
//! listed here: they tell nothing of a Docker host, or answer by the log [as the asker may read
//! it](super::context::Context::log_for).

use super::docker::Target;
use super::problem::ApiError;
use crate::filter::Hosts;
use warp::http::StatusCode;

/// Routes whose answers are narrowed; `*` is any one segment of a path.
const NARROWED: [&str; 17] = [
    "/api/v1/events",
    "/api/v1/events/*",
    "/api/v1/export",
    "/api/v1/facets",
    "/api/v1/histogram",
    "/api/v1/hosts",
    "/api/v1/incidents",
    "/api/v1/incidents/*",
    "/api/v1/incidents/*/report",
    "/api/v1/lifelines",
    "/api/v1/report",
    "/api/v1/state",
    "/api/v1/stats",
    "/api/v1/stream",
    "/api/v1/ws",
    "/api/v1/openapi.json",
    "/readyz",
];
/// Pages, which are the same for everybody.
const PAGES: [&str; 5] = ["/", "/compare", "/demo/sse", "/demo/polling", "/demo/websocket"];

/// Why a path is refused to whoever may be told of these Docker hosts only.
pub(super) fn refuse(path: &str, hosts: &Hosts) -> Option<ApiError> {
    let is_docker_s = || Target::of(path).is_some_and(Target::is_narrowed);
    if PAGES.contains(&path) || NARROWED.iter().any(|route| fits(route, path)) || is_docker_s() {
        return None;
    }
    let detail = format!("this token reads of the Docker hosts {hosts} only, and what this route tells cannot be narrowed to them");
    Some(ApiError::new(StatusCode::FORBIDDEN, detail))
}

fn fits(route: &str, path: &str) -> bool {
    let mut given = path.split('/');
    route.split('/').all(|segment| given.next().is_some_and(|given| given == segment || (segment == "*" && !given.is_empty())))
        && given.next().is_none()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_listed_is_refused() {
        let hosts = Hosts::parse("web-*").unwrap();
        for path in
            ["/", "/api/v1/events/7f3c9a1e-1", "/api/v1/incidents/7f3c9a1e-1a/report", "/events", "/v1.51/events", "/_ping", "/readyz"]
        {
            assert!(refuse(path, &hosts).is_none(), "{path}");
        }
        for path in
            ["/metrics", "/metrics/", "//metrics", "/api/v1/segments", "/api/v1/events/", "/api/v1/events/1/chain", "/api/v2/events", ""]
        {
            let why = refuse(path, &hosts).map(|error| (error.status(), error.to_string().contains("web-*")));
            assert_eq!(why, Some((StatusCode::FORBIDDEN, true)), "{path}");
        }
    }
}
