//! The lines that `docker events` prints by default (docker/cli, `command/system/events.go`).

use crate::event::EventView;
use chrono::{DateTime, SecondsFormat, TimeZone};
use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt::{Display, Write as _};

/// A text as Docker prints it.
pub fn verbatim(text: &str) -> Cow<'_, str> {
    text.into()
}

/// One line, without its end. `shown` is what becomes of each text; Docker prints it as it is, line ends and
/// all.
pub fn line<Z: TimeZone<Offset: Display>>(event: &EventView<'_>, time: &DateTime<Z>, shown: impl Fn(&str) -> Cow<'_, str>) -> String {
    let mut out = time.to_rfc3339_opts(SecondsFormat::Nanos, true);
    for part in [&event.kind, &event.action, &event.actor_id] {
        let _ = write!(out, " {}", shown(part.as_deref().unwrap_or("")));
    }
    // A map, as in Go: sorted, and of repeated keys the last counts.
    let attributes: BTreeMap<_, _> = event.attributes.iter().map(|(key, value)| (key.as_ref(), value.as_ref())).collect();
    for (i, (key, value)) in attributes.iter().enumerate() {
        let _ = write!(out, "{}{}={}", if i == 0 { " (" } else { ", " }, shown(key), shown(value));
    }
    if !attributes.is_empty() {
        out.push(')');
    }
    out
}
