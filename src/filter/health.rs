//! Health in Docker's words and in Podman's.
//!
//! Docker tells `health_status: unhealthy`. Podman tells `health_status` and has the status elsewhere in the message: version 4 beside the
//! actor, version 5 among its attributes. At our own routes both are the same to a filter.

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
pub(super) fn needle(value: &str) -> &str {
    if value.starts_with(HEALTH) { HEALTH } else { value }
}
