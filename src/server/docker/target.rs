//! Which requests are meant for a Docker Engine.

/// What is asked of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Route {
    Ping,
    Version,
    Events,
    /// Something that an Engine may have and shipslog has not.
    Unknown,
}

/// A path of Docker's API.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::server) struct Target {
    pub(super) route: Route,
    /// Whether the client speaks a version below 1.46, in which an Engine does not tell that an image was
    /// made (`image create`).
    pub(super) before_image_create: bool,
}

/// The first version of the API with the event `image create`.
const IMAGE_CREATE: (u32, u32) = (1, 46);

/// First segments of the paths of Docker's API (its reference, version 1.51), by which clients that send no
/// version are known.
const ROOTS: [&str; 23] = [
    "_ping",
    "auth",
    "build",
    "commit",
    "configs",
    "containers",
    "distribution",
    "events",
    "exec",
    "grpc",
    "images",
    "info",
    "networks",
    "nodes",
    "plugins",
    "secrets",
    "services",
    "session",
    "swarm",
    "system",
    "tasks",
    "version",
    "volumes",
];

impl Target {
    /// Whether the answer tells nothing of a Docker host of which the asker may not be told.
    pub(in crate::server) fn is_narrowed(self) -> bool {
        match self.route {
            // Events are told by the log as the asker may read it, the others tell of no Docker host.
            Route::Events | Route::Ping | Route::Version | Route::Unknown => true,
        }
    }

    /// `None` for a path that is shipslog's own, or nobody's.
    pub(in crate::server) fn of(path: &str) -> Option<Self> {
        let path = path.strip_prefix('/')?;
        let (first, rest) = path.split_once('/').map_or((path, None), |(first, rest)| (first, Some(rest)));
        let version = version(first);
        let versioned = version.is_some();
        if !versioned && !ROOTS.contains(&first) {
            return None;
        }
        let route = match if versioned { rest.unwrap_or("") } else { path } {
            "_ping" => Route::Ping,
            "version" => Route::Version,
            "events" => Route::Events,
            _ => Route::Unknown,
        };
        Some(Self { route, before_image_create: version.is_some_and(|version| version < IMAGE_CREATE) })
    }
}

/// `v1.51`: any version will do.
fn version(segment: &str) -> Option<(u32, u32)> {
    // One that is too large for a number is later than any that is known.
    let number = |text: &str| (!text.is_empty() && text.bytes().all(|b| b.is_ascii_digit())).then(|| text.parse().unwrap_or(u32::MAX));
    let (major, minor) = segment.strip_prefix('v')?.split_once('.')?;
    number(major).zip(number(minor))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn docker_paths_are_told_from_ours() {
        for (path, route) in [
            ("/_ping", Route::Ping),
            ("/v1.24/_ping", Route::Ping),
            ("/version", Route::Version),
            ("/v1.51/version", Route::Version),
            ("/events", Route::Events),
            ("/v10.1/events", Route::Events),
            ("/v1.46/events", Route::Events),
            ("/v1.99999999999/events", Route::Events),
            ("/v1.41/containers/json", Route::Unknown),
            ("/containers/json", Route::Unknown),
            ("/volumes", Route::Unknown),
            ("/info", Route::Unknown),
            ("/v1.41", Route::Unknown),
            ("/v1.41/", Route::Unknown),
            ("/events/", Route::Unknown),
            ("/v1.41/v1.41/events", Route::Unknown),
            ("/v1.41/api/v1/stats", Route::Unknown),
        ] {
            let old = ["/v1.24/", "/v1.41"].iter().any(|old| path.starts_with(old));
            assert_eq!(Target::of(path), Some(Target { route, before_image_create: old }), "{path}");
        }
        for path in ["", "/", "/api/v1/events", "/v1/events", "/v1./events", "/v.1/events", "/vx.1/events", "/healthz", "/login", "events"]
        {
            assert_eq!(Target::of(path), None, "{path}");
        }
    }
}
