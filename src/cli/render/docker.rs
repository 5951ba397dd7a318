//! The lines that `docker events` prints by default (docker/cli, `command/system/events.go`).

use super::super::escape::escape;
use super::{RecordLine, Zone};
use crate::event::{EventView, RECORDER_TYPE};
use chrono::SecondsFormat;
use std::collections::BTreeMap;
use std::fmt::Write as _;

/// `None` for the recorder's own records, which Docker does not know. Unlike Docker's, the line is safe to show.
pub(super) fn render(zone: Zone, record: &RecordLine<'_>, event: &EventView<'_>) -> Option<String> {
    let kind = event.kind.as_deref().unwrap_or("");
    if kind == RECORDER_TYPE {
        return None;
    }
    let mut out = zone.at(event.time.unwrap_or_else(|| record.time())).to_rfc3339_opts(SecondsFormat::Nanos, true);
    for part in [kind, event.action.as_deref().unwrap_or(""), event.actor_id.as_deref().unwrap_or("")] {
        let _ = write!(out, " {}", escape(part));
    }
    // A map, as in Go: sorted, and of repeated keys the last counts.
    let attributes: BTreeMap<_, _> = event.attributes.iter().map(|(key, value)| (key.as_ref(), value.as_ref())).collect();
    for (i, (key, value)) in attributes.iter().enumerate() {
        let _ = write!(out, "{}{}={}", if i == 0 { " (" } else { ", " }, escape(key), escape(value));
    }
    if !attributes.is_empty() {
        out.push(')');
    }
    Some(out)
}
