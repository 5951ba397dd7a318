//! What tests of filters share.

use super::{Filter, Subject};
use crate::event::Event;

/// A message of the Engine that tells of health.
pub(super) const HEALTH: &str =
    r#"{"Type":"container","Action":"health_status: unhealthy","Actor":{"ID":"f415","Attributes":{"name":"api-1"}},"scope":"local"}"#;

/// Whether a message passes: `filters` and `exclude` as a client sends them.
pub(super) fn passes(filters: &str, exclude: &str, json: &str) -> bool {
    let event = Event::from_line(json.as_bytes()).unwrap();
    Filter::from_params(Some(filters), Some(exclude)).unwrap().matches(&Subject {
        source: "local",
        noise: event.noise(),
        foreign: false,
        event: &event.view(),
    })
}
