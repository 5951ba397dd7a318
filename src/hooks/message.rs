//! What is sent, in the form that each receiver reads.

use super::Hook;
use super::plan::{Occasion, Seen, name};
use crate::projection::incidents::Severity;
use crate::text::printable;
use crate::time::Timestamp;
use serde_json::{Value, json};
use std::time::Duration;

/// Characters of a text for people; Discord takes 2,000.
const MAX_TEXT_CHARS: usize = 1500;
/// An alert of Alertmanager ends by itself if nothing more is said of it; it is said again once a day.
const ALERT_LASTS: Duration = Duration::from_secs(25 * 3600);

/// The form that a receiver reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Form {
    /// The incident as JSON, with why it is told.
    Json,
    /// Slack's incoming webhooks, and what imitates them.
    Slack,
    /// Discord's webhooks.
    Discord,
    /// A topic of ntfy.
    Ntfy,
    /// Alertmanager's `/api/v2/alerts`.
    Alertmanager,
}

/// One POST.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Message {
    /// The incident and its revision: the same for each attempt.
    pub(super) id: String,
    pub(super) content_type: &'static str,
    pub(super) headers: Vec<(&'static str, String)>,
    pub(super) body: String,
}

/// `before`: how bad it was when it was told last, and `now`.
pub(super) fn of(hook: &Hook, seen: &Seen, occasion: Occasion, (before, now): (Option<Severity>, Timestamp), id: &str) -> Message {
    let text = text(seen, occasion);
    let json = |body: Value| Message { id: id.to_owned(), content_type: "application/json", headers: Vec::new(), body: body.to_string() };
    match hook.form {
        Form::Json => json(json!({
            "id": id, "hook": hook.name, "occasion": occasion.to_string(), "text": text, "incident": seen.json,
        })),
        // <, > and & are its own (docs.slack.dev, "Formatting message text").
        Form::Slack => json(json!({ "text": text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;") })),
        // A container may be called @everyone.
        Form::Discord => json(json!({ "content": text, "allowed_mentions": { "parse": [] } })),
        Form::Ntfy => Message {
            id: id.to_owned(),
            content_type: "text/plain; charset=utf-8",
            headers: vec![("priority", priority(seen, occasion).to_owned()), ("tags", tags(seen, occasion).to_owned())],
            body: text,
        },
        Form::Alertmanager => json(alerts(seen, before, now)),
    }
}

/// One sentence.
pub(super) fn text(seen: &Seen, occasion: Occasion) -> String {
    let lasted = |until: Timestamp| words(until.since(seen.start));
    let (severity, source) = (name(seen.severity), &seen.source);
    let said = match occasion {
        Occasion::Opened => format!("{severity} on {source}: {}", seen.title),
        Occasion::Rose => format!("now {severity} on {source}: {}", seen.title),
        Occasion::Still(_) => format!("still failing on {source}, since {}: {}", seen.start, seen.title),
        Occasion::Closed if seen.merged_into.is_some() => {
            format!("part of a larger incident on {source}: {}", seen.title)
        }
        Occasion::Closed => {
            let how = seen.resolution.as_deref().unwrap_or("over");
            format!("{how} on {source} after {}: {}", lasted(seen.end.unwrap_or(seen.start)), seen.title)
        }
    };
    printable(&said, MAX_TEXT_CHARS)
}

/// Of ntfy: 3 is the usual one.
fn priority(seen: &Seen, occasion: Occasion) -> &'static str {
    match (occasion, seen.severity) {
        (Occasion::Closed, _) => "2",
        (_, Severity::Critical) => "5",
        (_, Severity::Major) => "4",
        _ => "3",
    }
}

fn tags(seen: &Seen, occasion: Occasion) -> &'static str {
    match (occasion, seen.severity) {
        (Occasion::Closed, _) => "white_check_mark",
        (_, Severity::Critical | Severity::Major) => "rotating_light",
        _ => "warning",
    }
}

/// An alert is known by its labels, the severity among them, since routes go by it: one that became worse is
/// another, and the earlier one ends.
fn alerts(seen: &Seen, before: Option<Severity>, now: Timestamp) -> Value {
    let over = seen.is_over();
    let end = seen.end.unwrap_or(now);
    let alert = |severity: Severity, ends: Timestamp| {
        json!({
            "labels": {
                "alertname": "ShipslogIncident", "incident": seen.id, "severity": name(severity), "subject": seen.subject, "source": seen.source,
            },
            "annotations": { "summary": printable(&seen.title, MAX_TEXT_CHARS) },
            "startsAt": seen.start.to_string(),
            "endsAt": ends.to_string(),
        })
    };
    let lasts = now.checked_add(ALERT_LASTS).unwrap_or(Timestamp::MAX);
    let mut alerts = vec![alert(seen.severity, if over { end } else { lasts })];
    if let Some(before) = before.filter(|before| *before != seen.severity) {
        alerts.push(alert(before, now));
    }
    Value::from(alerts)
}

/// `3 h 20 min`.
fn words(lasted: Duration) -> String {
    let seconds = lasted.as_secs();
    match (seconds / 86_400, seconds / 3600 % 24, seconds / 60 % 60, seconds % 60) {
        (0, 0, 0, s) => format!("{s} s"),
        (0, 0, m, s) => format!("{m} min {s} s"),
        (0, h, m, _) => format!("{h} h {m} min"),
        (d, h, ..) => format!("{d} d {h} h"),
    }
}

#[cfg(test)]
mod tests;
