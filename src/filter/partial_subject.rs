//! Filters against summaries: whether a record may pass of which only a part is known. The answer may be a
//! wrong yes, never a wrong no.

use super::health::HEALTH;
use super::{Dialect, Filter, PREFIX_EVENTS, friendly, stem};

/// A text of which perhaps only the beginning is known.
#[derive(Debug, Clone, Copy)]
pub struct Key<'a> {
    /// What is known of it.
    pub text: &'a str,
    /// Whether that is all of it.
    pub whole: bool,
}

/// What a summary knows of a record.
#[derive(Debug, Clone, Copy)]
pub struct PartialSubject<'a> {
    /// Name of the Docker host.
    pub source: Key<'a>,
    /// The event's `Type`.
    pub kind: Key<'a>,
    /// The event's `Action`.
    pub action: Key<'a>,
    /// `Actor.ID`.
    pub id: Key<'a>,
    /// The attribute `name`.
    pub name: Key<'a>,
}

impl Key<'_> {
    pub(super) fn may_equal(&self, value: &str) -> bool {
        if self.whole { self.text == value } else { value.starts_with(self.text) }
    }

    pub(super) fn may_start_with(&self, prefix: &str) -> bool {
        self.text.starts_with(prefix) || (!self.whole && prefix.starts_with(self.text))
    }

    fn surely_equals(&self, value: &str) -> bool {
        self.whole && self.text == value
    }
}

impl Filter {
    /// Whether a record that looks so may pass. `true` where that is not known.
    pub fn may_match(&self, partial: &PartialSubject<'_>) -> bool {
        let may_pass = self.include.iter().all(|(key, values)| values.is_empty() || may_include(key, values, partial, self.dialect))
            && !self.exclude.iter().any(|(key, values)| values.iter().any(|value| surely_excludes(key, value, partial)));
        self.may_read_partly(&partial.source) && (may_pass || self.may_tell(partial))
    }
}

fn may_include(key: &str, values: &[String], partial: &PartialSubject<'_>, dialect: Dialect) -> bool {
    let prefix = |known: &Key<'_>| values.iter().any(|v| known.may_start_with(stem(v, dialect)));
    let equal = |known: &Key<'_>| {
        let may_equal = |value: &String| match stem(value, dialect) {
            beginning if beginning.len() < value.len() => known.may_start_with(beginning),
            value => known.may_equal(value),
        };
        values.iter().any(may_equal)
    };
    match key {
        "type" => equal(&partial.kind),
        "source" => equal(&partial.source),
        "event" if values.iter().any(|v| PREFIX_EVENTS.contains(&v.as_str())) => prefix(&partial.action),
        "event" if equal(&partial.action) => true,
        // A summary does not know the status that Podman has elsewhere in the message.
        "event" => dialect == Dialect::Own && partial.action.may_equal(HEALTH) && values.iter().any(|value| value.starts_with(HEALTH)),
        "exit" => friendly::tells_exit_code(|end| partial.action.may_equal(end)),
        "scope" | "image" | "label" | "noise" | "project" | "text" => true,
        // By a label as well.
        "service" if dialect == Dialect::Own => true,
        _ => prefix(&partial.id) || prefix(&partial.name),
    }
}

fn surely_excludes(key: &str, value: &str, partial: &PartialSubject<'_>) -> bool {
    let (text, star) = value.strip_suffix('*').map_or((value, false), |prefix| (prefix, true));
    let surely = |known: &Key<'_>, prefix: bool| if prefix { known.text.starts_with(text) } else { known.surely_equals(text) };
    match key {
        "type" => surely(&partial.kind, star),
        "source" => surely(&partial.source, star),
        "event" => surely(&partial.action, star || PREFIX_EVENTS.contains(&value)),
        "scope" | "image" | "label" | "noise" | "exit" | "project" | "text" => false,
        _ => surely(&partial.id, true) || surely(&partial.name, true),
    }
}
