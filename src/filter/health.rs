//! Health in Docker's words and in Podman's.
//!
//! Docker tells `health_status: unhealthy`. Podman tells `health_status` and has the status elsewhere in the
//! message: version 4 beside the actor, version 5 among its attributes. At our own routes both are the same
//! to a filter.

use super::Subject;

/// What Podman calls all changes of health, and Docker writes in front of the status.
pub(super) const HEALTH: &str = "health_status";

/// The action as Docker would write it, of an event that tells health as Podman does.
pub(super) fn podman_action(subject: &Subject<'_>) -> Option<String> {
    let event = subject.event;
    if subject.action() != HEALTH {
        return None;
    }
    let status = event.health.as_deref().filter(|status| !status.is_empty()).or_else(|| event.attribute(HEALTH))?;
    Some(format!("{HEALTH}: {status}"))
}

/// What stands in every message that a value of `event` finds, in Docker's words or in Podman's.
pub(super) fn literal(value: &str) -> &str {
    if value.starts_with(HEALTH) { HEALTH } else { value }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{HEALTH as DOCKER, passes};
    use crate::event::Event;
    use crate::filter::{Filter, Subject};

    /// Podman 4 beside the actor, Podman 5 as an attribute.
    #[test]
    fn health_is_found_in_docker_s_way_and_in_podman_s() {
        let podman = |beside: &str, attributes: &str| {
            format!(r#"{{"Type":"container","Action":"health_status","Actor":{{"ID":"f415","Attributes":{{{attributes}}}}}{beside}}}"#)
        };
        let ways = [
            podman(r#","HealthStatus":"unhealthy""#, ""),
            podman("", r#""health_status":"unhealthy""#),
            podman(r#","HealthStatus":"""#, r#""health_status":"unhealthy""#),
            DOCKER.to_owned(),
        ];
        let unhealthy = r#"{"event":["health_status: unhealthy","die"]}"#;
        for way in &ways {
            for (filter, expected) in
                [(unhealthy, true), (r#"{"event":["health_status"]}"#, true), (r#"{"event":["health_status: healthy"]}"#, false)]
            {
                assert_eq!(passes(filter, "", way), expected, "{filter} on {way}");
                assert_eq!(passes("", filter, way), !expected, "not {filter} on {way}");
                let filter = Filter::from_params(Some(filter), None).unwrap();
                assert!(!expected || filter.may_match_text(way.as_bytes()), "{filter} on {way}");
            }
            assert!(!passes("", r#"{"event":["health_status: un*"]}"#, way) && passes("", r#"{"event":["health_status: h*"]}"#, way));
            // What is Docker's API compares what Docker compares.
            let event = Event::from_line(way.as_bytes()).unwrap();
            let exact = Filter::from_docker(unhealthy).unwrap();
            assert_eq!(exact.matches(&Subject { source: "local", noise: None, foreign: false, event: &event.view() }), way == DOCKER);
        }
        assert!(!passes(unhealthy, "", &podman("", "")));
        assert!(!passes(r#"{"event":["start: unhealthy"]}"#, "", &ways[0]));
    }
}
