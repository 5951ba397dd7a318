//! Filters: Docker's grammar and matching rules, plus `source` and `exclude`.
//!
//! Matching follows moby's `daemon/events/filter.go`: AND across keys, OR within one, but labels AND; `container`,
//! `network`, `volume`, … match by prefix on the actor's id or `name`, whatever the event's type; `event` is exact unless
//! the list holds a bare `health_status`, `exec_create` or `exec_start`, which turns all its values into prefixes.
//!
//! Podman tells `health_status` without Docker's `: unhealthy` behind it and has the status elsewhere in the message. At routes of our own, both
//! are the same to a filter; one from Docker's API sees only what Docker compares.

mod glimpse;
mod image;
mod needles;
mod parse;

pub use glimpse::{Glimpse, Key};
pub use parse::{FilterError, MAX_FILTER_VALUES};

use crate::event::{EventView, Noise};
use std::collections::BTreeMap;
use std::fmt;

/// What a filter can look at. Docker's keys, in Docker's spelling, and `noise` and `source`.
pub const KEYS: [&str; 16] = [
    "config",
    "container",
    "daemon",
    "event",
    "image",
    "label",
    "network",
    "node",
    "noise",
    "plugin",
    "scope",
    "secret",
    "service",
    "source",
    "type",
    "volume",
];

/// Values of `event` that match by prefix when written without the part behind the colon.
const PREFIX_EVENTS: [&str; 3] = ["exec_create", "exec_start", "health_status"];

/// What Podman calls all changes of health, and Docker writes in front of the status.
const HEALTH: &str = "health_status";

/// Values by key; a key without values matches everything, as in Docker.
type Terms = BTreeMap<&'static str, Vec<String>>;

/// What to keep and what to leave out. The default keeps everything.
#[derive(Debug, Clone, PartialEq, Eq, Default, Hash)]
pub struct Filter {
    include: Terms,
    exclude: Terms,
    needles: needles::Needles,
    /// Podman's way to tell health counts for Docker's as well.
    takes_podman: bool,
}

/// The parts of a record that a filter matches against.
#[derive(Debug, Clone, Copy)]
pub struct Subject<'a> {
    /// Name of the Docker host.
    pub source: &'a str,
    /// What kind of noise it is marked as.
    pub noise: Option<Noise>,
    /// The event's fields.
    pub event: &'a EventView<'a>,
}

impl Subject<'_> {
    fn kind(&self) -> &str {
        self.event.kind.as_deref().unwrap_or("")
    }
    fn action(&self) -> &str {
        self.event.action.as_deref().unwrap_or("")
    }
    fn actor_id(&self) -> &str {
        self.event.actor_id.as_deref().unwrap_or("")
    }
}

impl Filter {
    fn new(include: Terms, exclude: Terms, takes_podman: bool) -> Self {
        // Where nothing is asked of health, the two ways are one and the same filter.
        let asks = |terms: &Terms| terms.get("event").is_some_and(|values| values.iter().any(|value| value.starts_with(HEALTH)));
        let takes_podman = takes_podman && (asks(&include) || excludes_health(&exclude));
        let needles = needles::Needles::of(&include, takes_podman);
        Self { include, exclude, needles, takes_podman }
    }

    /// Whether this filter keeps everything.
    pub fn is_empty(&self) -> bool {
        self.include.values().all(Vec::is_empty) && self.exclude.values().all(Vec::is_empty)
    }

    /// Whether `key` is asked for with this value.
    pub fn asks_for(&self, key: &str, value: &str) -> bool {
        self.include.get(key).is_some_and(|values| values.iter().any(|v| v == value))
    }

    /// The same, less what has this value.
    #[must_use]
    pub fn without(mut self, key: &str, value: &str) -> Self {
        if let Some(key) = KEYS.into_iter().find(|k| *k == key) {
            parse::add(&mut self.exclude, key, value.to_owned());
        }
        self
    }

    /// Whether a record passes.
    pub fn matches(&self, subject: &Subject<'_>) -> bool {
        self.include.iter().all(|(key, values)| values.is_empty() || self.includes(key, values, subject))
            && !self.exclude.iter().any(|(key, values)| values.iter().any(|value| self.excludes(key, value, subject)))
    }

    fn includes(&self, key: &str, values: &[String], subject: &Subject<'_>) -> bool {
        includes(key, values, subject)
            || (key == "event" && self.podman_health(subject).is_some_and(|health| values.iter().any(|value| is_health(value, health))))
    }

    fn excludes(&self, key: &str, value: &str, subject: &Subject<'_>) -> bool {
        excludes(key, value, subject)
            || (key == "event"
                && self.podman_health(subject).is_some_and(|health| match value.strip_suffix('*') {
                    Some(prefix) => format!("{HEALTH}: {health}").starts_with(prefix),
                    None => is_health(value, health),
                }))
    }

    /// The status in an event that tells it in Podman's way.
    fn podman_health<'a>(&self, subject: &Subject<'a>) -> Option<&'a str> {
        let event = subject.event;
        let health = || event.health.as_deref().filter(|health| !health.is_empty()).or_else(|| event.attribute(HEALTH));
        (self.takes_podman && event.action.as_deref() == Some(HEALTH)).then(health)?
    }

    /// The `filters` and `exclude` parameters that say the same, in one fixed spelling.
    pub fn to_params(&self) -> (Option<String>, Option<String>) {
        let text = |terms: &Terms| (!terms.is_empty()).then(|| serde_json::json!(terms).to_string());
        (text(&self.include), text(&self.exclude))
    }
}

impl fmt::Display for Filter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (include, exclude) = self.to_params();
        write!(f, "{} not {}", include.as_deref().unwrap_or("{}"), exclude.as_deref().unwrap_or("{}"))
    }
}

/// Whether a value of `event` is Docker's way to say that health has become `health`.
fn is_health(value: &str, health: &str) -> bool {
    health_of(value) == Some(health)
}

/// Whether what is left out may be a change of health; a prefix may be as short as `h`.
fn excludes_health(exclude: &Terms) -> bool {
    exclude.get("event").is_some_and(|values| values.iter().any(|value| value.starts_with(HEALTH) || value.ends_with('*')))
}

/// The status that a value of `event` asks for.
fn health_of(value: &str) -> Option<&str> {
    value.strip_prefix(HEALTH)?.strip_prefix(": ")
}

fn includes(key: &str, values: &[String], subject: &Subject<'_>) -> bool {
    let exact = |text: &str| values.iter().any(|v| v == text);
    let prefix = |text: &str| values.iter().any(|v| text.starts_with(v.as_str()));
    match key {
        "type" => exact(subject.kind()),
        "scope" => exact(subject.event.scope.as_deref().unwrap_or("")),
        "source" => exact(subject.source),
        "noise" => subject.noise.is_some_and(|noise| exact(noise.name())),
        "event" if values.iter().any(|v| PREFIX_EVENTS.contains(&v.as_str())) => prefix(subject.action()),
        "event" => exact(subject.action()),
        "image" => image::names(subject).iter().any(|name| exact(name)),
        "label" => values.iter().all(|label| has_label(label, subject.event)),
        _ => prefix(subject.actor_id()) || prefix(subject.event.attribute("name").unwrap_or("")),
    }
}

/// One excluded value. Each stands alone (a record is left out when *any* matches), labels too. `*` at the end makes
/// a prefix of it.
fn excludes(key: &str, value: &str, subject: &Subject<'_>) -> bool {
    let Some(prefix) = value.strip_suffix('*') else {
        return includes(key, &[value.to_owned()], subject);
    };
    match key {
        "type" => subject.kind().starts_with(prefix),
        "scope" => subject.event.scope.as_deref().unwrap_or("").starts_with(prefix),
        "source" => subject.source.starts_with(prefix),
        "noise" => subject.noise.is_some_and(|noise| noise.name().starts_with(prefix)),
        "event" => subject.action().starts_with(prefix),
        "image" => image::names(subject).iter().any(|name| name.starts_with(prefix)),
        "label" => label_starts_with(prefix, subject.event),
        _ => subject.actor_id().starts_with(prefix) || subject.event.attribute("name").is_some_and(|n| n.starts_with(prefix)),
    }
}

/// Docker's label rule: `key` or `key=value`, against *all* attributes.
fn has_label(label: &str, event: &EventView<'_>) -> bool {
    match label.split_once('=') {
        Some((key, value)) => event.attribute(key) == Some(value),
        None => event.attribute(label).is_some(),
    }
}

fn label_starts_with(prefix: &str, event: &EventView<'_>) -> bool {
    match prefix.split_once('=') {
        Some((key, value)) => event.attribute(key).is_some_and(|v| v.starts_with(value)),
        None => event.attributes.iter().any(|(key, _)| key.starts_with(prefix)),
    }
}

#[cfg(test)]
mod tests;
