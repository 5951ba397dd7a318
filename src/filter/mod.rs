//! Filters: which records a reader gets. They have Docker's grammar and rules, and in our own API also a few
//! more keys, `exclude`, and a `*` at the end of a value. A filter looks at one record and nothing else: no
//! clock, no log, and no record before it. Where something was lost is not its to hide (`losses.rs`).
//!
//! Matching follows moby's `daemon/events/filter.go`: AND across keys, OR within one, but labels AND;
//! `container`, `network`, `volume`, … match by prefix on the actor's id or `name`, whatever the event's
//! type; `event` is exact unless the list holds a bare `health_status`, `exec_create` or `exec_start`, which
//! turns all its values into prefixes.
//!
//! A `*` at the end of a value stands for anything, in what is kept as well as in what is left out. Docker
//! knows no such sign, so that in the filters of its own routes it is a character like others.

mod friendly;
mod health;
mod hosts;
mod image;
mod literals;
mod losses;
mod parse;
mod partial_subject;

pub use friendly::contains_caseless;
pub use hosts::{Hosts, HostsError};
pub use literals::Literal;
pub use losses::is_gap;
pub use parse::{FilterError, MAX_FILTER_VALUES};
pub use partial_subject::{Key, PartialSubject};

use crate::event::{EventView, Noise};
use std::collections::BTreeMap;
use std::fmt;

/// What a filter can look at. Docker's keys, in Docker's spelling, and `exit`, `noise`, `project`, `source`
/// and `text`.
pub const KEYS: [&str; 19] = [
    "config",
    "container",
    "daemon",
    "event",
    "exit",
    "image",
    "label",
    "network",
    "node",
    "noise",
    "plugin",
    "project",
    "scope",
    "secret",
    "service",
    "source",
    "text",
    "type",
    "volume",
];

/// Values of `event` that match by prefix when written without the part after the colon.
const PREFIX_EVENTS: [&str; 3] = ["exec_create", "exec_start", "health_status"];

/// Values by key; a key without values matches everything, as in Docker.
type Terms = BTreeMap<&'static str, Vec<String>>;

/// Whose rules hold for what is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Hash)]
enum Dialect {
    /// Ours: Docker's rules, `*` at the end of a value, and `service` also by the label of Compose.
    #[default]
    Own,
    /// Docker's, to the letter.
    Docker,
}

/// What to keep and what to leave out. The default keeps everything.
#[derive(Debug, Clone, PartialEq, Eq, Default, Hash)]
pub struct Filter {
    include: Terms,
    exclude: Terms,
    dialect: Dialect,
    /// Whether the recorder's `gap` records pass, whatever else is asked for.
    losses: bool,
    /// Whose records pass at all: of all of these.
    hosts: Vec<Hosts>,
    literals: literals::Literals,
}

/// The parts of a record that a filter matches against.
#[derive(Debug, Clone, Copy)]
pub struct Subject<'a> {
    /// Name of the Docker host.
    pub source: &'a str,
    /// What kind of noise it is marked as.
    pub noise: Option<Noise>,
    /// A daemon's own message of the recorder's type.
    pub foreign: bool,
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
    fn new(include: Terms, exclude: Terms, dialect: Dialect) -> Self {
        Self { include, exclude, dialect, losses: false, hosts: Vec::new(), literals: literals::Literals::default() }.found_anew()
    }

    /// The same, whose messages are found by what it asks for now.
    fn found_anew(self) -> Self {
        let literals = literals::Literals::of(&self.include, self.dialect, self.losses);
        Self { literals, ..self }
    }

    /// Whether this filter keeps everything.
    pub fn is_empty(&self) -> bool {
        self.hosts.is_empty() && self.include.values().all(Vec::is_empty) && self.exclude.values().all(Vec::is_empty)
    }

    /// Whether `key` is asked for with this value.
    pub fn asks_for(&self, key: &str, value: &str) -> bool {
        self.include.get(key).is_some_and(|values| values.iter().any(|v| v == value))
    }

    /// Whether `key` is asked for at all.
    pub fn asks_about(&self, key: &str) -> bool {
        self.include.get(key).is_some_and(|values| !values.is_empty())
    }

    /// What is asked for: each key with a value.
    pub fn terms(&self) -> impl Iterator<Item = (&'static str, &str)> {
        self.include.iter().flat_map(|(key, values)| values.iter().map(|value| (*key, value.as_str())))
    }

    /// The same filter that does not ask about `key`.
    #[must_use]
    pub fn not_asking_about(&self, key: &str) -> Self {
        let mut filter = self.clone();
        filter.include.remove(key);
        filter.found_anew()
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
        self.shows(subject) || self.tells(subject)
    }

    /// Whether a record passes by what is asked for, and not only since it tells of a loss.
    pub fn shows(&self, subject: &Subject<'_>) -> bool {
        self.may_read(subject.source)
            && self.include.iter().all(|(key, values)| values.is_empty() || includes(key, values, subject, self.dialect))
            && !self.exclude.iter().any(|(key, values)| values.iter().any(|value| excludes(key, value, subject)))
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
        write!(f, "{} not {}", include.as_deref().unwrap_or("{}"), exclude.as_deref().unwrap_or("{}"))?;
        self.hosts.iter().try_for_each(|hosts| write!(f, " of {hosts}"))
    }
}

fn includes(key: &str, values: &[String], subject: &Subject<'_>, dialect: Dialect) -> bool {
    let exact = |text: &str| values.iter().any(|value| equals(value, text, dialect));
    let prefix = |text: &str| values.iter().any(|value| text.starts_with(stem(value, dialect)));
    let attribute = |name: &str| subject.event.attribute(name).is_some_and(exact);
    match key {
        "type" => exact(subject.kind()),
        "scope" => exact(subject.event.scope.as_deref().unwrap_or("")),
        "source" => exact(subject.source),
        "noise" => subject.noise.is_some_and(|noise| exact(noise.name())),
        "event" if values.iter().any(|v| PREFIX_EVENTS.contains(&v.as_str())) => prefix(subject.action()),
        "event" if exact(subject.action()) => true,
        "event" => dialect == Dialect::Own && health::podman_action(subject).is_some_and(|action| exact(&action)),
        "image" => image::names(subject).iter().any(|name| exact(name)),
        "label" => values.iter().all(|label| has_label(label, subject.event, dialect)),
        "exit" => friendly::exit_code(subject).is_some_and(|code| values.iter().any(|value| friendly::is_exit_code(value, code))),
        "project" => attribute(friendly::COMPOSE_PROJECT),
        "text" => values.iter().any(|text| friendly::shows(stem(text, dialect), subject)),
        "service" if dialect == Dialect::Own && attribute(friendly::COMPOSE_SERVICE) => true,
        _ => prefix(subject.actor_id()) || prefix(subject.event.attribute("name").unwrap_or("")),
    }
}

/// One excluded value. Each stands alone (a record is left out when *any* matches), labels too.
fn excludes(key: &str, value: &str, subject: &Subject<'_>) -> bool {
    includes(key, &[value.to_owned()], subject, Dialect::Own)
}

/// The value without the `*` at its end.
fn stem(value: &str, dialect: Dialect) -> &str {
    match dialect {
        Dialect::Own => value.strip_suffix('*').unwrap_or(value),
        Dialect::Docker => value,
    }
}

fn equals(value: &str, text: &str, dialect: Dialect) -> bool {
    match value.strip_suffix('*') {
        Some(beginning) if dialect == Dialect::Own => text.starts_with(beginning),
        _ => value == text,
    }
}

/// Of these words the one that was most likely meant by `text`; `None` if none is close to it.
pub fn closest<'a>(text: &str, words: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let text = text.to_lowercase();
    let distance = |word: &'a str| (strsim::osa_distance(&text, &word.to_lowercase()), word);
    // A third of the letters may differ.
    let (distance, word) = words.into_iter().map(distance).min_by_key(|(distance, _)| *distance)?;
    (distance * 3 <= text.chars().count().max(word.chars().count())).then_some(word)
}

/// Docker's label rule: `key` or `key=value`, against *all* attributes.
fn has_label(label: &str, event: &EventView<'_>, dialect: Dialect) -> bool {
    match label.split_once('=') {
        Some((key, value)) => event.attribute(key).is_some_and(|text| equals(value, text, dialect)),
        None if dialect == Dialect::Own && label.ends_with('*') => event.attributes.iter().any(|(key, _)| equals(label, key, dialect)),
        None => event.attribute(label).is_some(),
    }
}

#[cfg(test)]
mod testing;
#[cfg(test)]
mod tests;
