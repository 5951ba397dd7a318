//! What may ever be asked of a Docker daemon: the list of docs/install.md. A proxy that allows nothing else
//! stops nothing.

/// Paths of that list, as regular expressions.
pub(crate) const PATHS: [&str; 9] = [
    "/_ping",
    "/version",
    "/events",
    "/containers/json",
    "/containers/[^/]+/json",
    "/containers/[^/]+/logs",
    "/networks",
    "/volumes",
    "/images/json",
];

fn is_documented(request: &str) -> bool {
    let Some(target) = request.strip_prefix("GET ").and_then(|rest| rest.strip_suffix(" HTTP/1.1")) else { return false };
    let path = target.split('?').next().unwrap_or_default();
    let of_one = |what| path.strip_prefix("/containers/").and_then(|rest| rest.strip_suffix(what));
    let container = of_one("/json").or_else(|| of_one("/logs"));
    PATHS.contains(&path) || container.is_some_and(|id| !id.is_empty() && !id.contains('/'))
}

/// Of every story that a fake daemon is part of, in whatever circumstances.
pub(crate) fn assert_all(requests: &[String]) {
    let other: Vec<_> = requests.iter().filter(|request| !is_documented(request)).collect();
    // A second panic would hide the first.
    assert!(other.is_empty() || std::thread::panicking(), "not among the documented requests: {other:?}");
}
