//! Reading filters: Docker's JSON in both its forms, and `KEY=VALUE` from a command line.

use super::{Dialect, Filter, KEYS, PREFIX_EVENTS, Terms, friendly};
use serde_json::{Map, Value};

/// Most values a filter may hold in all, so that one request cannot make matching slow for everyone.
pub const MAX_FILTER_VALUES: usize = 100;

/// Keys that Docker's routes pass over, as the Engine passes over what it does not know.
const OWN_KEYS: [&str; 4] = ["exit", "noise", "project", "text"];
/// How `exit!=0` reads where a key ends at the first `=`.
const EXIT_NOT: &str = "exit!";

/// Why a filter was refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FilterError {
    /// Not JSON, or not an object.
    #[error("{param} is not a JSON object such as {{\"type\":[\"container\"],\"event\":[\"die\"]}}: {why}")]
    NotAnObject {
        /// The parameter's name.
        param: &'static str,
        /// What the JSON parser says.
        why: String,
    },
    /// A key that Docker does not have (and would silently ignore).
    #[error("{param} has the unknown key {key:?}; {hint}the keys are {}", KEYS.join(", "))]
    UnknownKey {
        /// The parameter's name.
        param: &'static str,
        /// The unknown key.
        key: String,
        /// What may have been meant, with what stands in front of the list of keys.
        hint: String,
    },
    /// A value of `exit` that is no exit code.
    #[error("{param}.exit takes an exit code as in exit=137, exit!=0 for every other one, or exit=* for any, not {value:?}")]
    BadExitCode {
        /// The parameter's name.
        param: &'static str,
        /// The value.
        value: String,
    },
    /// A key's values are in neither of the two forms.
    #[error("{param}.{key} must be a list of strings ([\"a\"]) or an object with true for each value ({{\"a\":true}})")]
    BadValues {
        /// The parameter's name.
        param: &'static str,
        /// The key.
        key: String,
    },
    /// More than [`MAX_FILTER_VALUES`].
    #[error("{param} has more than {MAX_FILTER_VALUES} values")]
    TooMany {
        /// The parameter's name.
        param: &'static str,
    },
    /// A command-line term without `=`.
    #[error("{0:?} is not KEY=VALUE, as in type=container or event=die")]
    NotATerm(String),
}

impl Filter {
    /// From the `filters` and `exclude` parameters, either of which may be absent or empty.
    ///
    /// # Errors
    /// [`FilterError`] says which parameter and key were wrong, and why.
    pub fn from_params(filters: Option<&str>, exclude: Option<&str>) -> Result<Self, FilterError> {
        Ok(Self::new(terms("filters", filters)?, terms("exclude", exclude)?, Dialect::Own))
    }

    /// From the `filters` parameter of Docker's API, which is taken as the Engine takes it: keys that it does
    /// not know are passed over, and a value that is switched off (`{"container":{"api":false}}`) still
    /// counts where prefixes are compared.
    ///
    /// # Errors
    /// [`FilterError`] for what the Engine refuses as well, and for too many values.
    pub fn from_docker(filters: &str) -> Result<Self, FilterError> {
        let param = "filters";
        let mut include = Terms::new();
        let mut nothing = false;
        for (key, values) in object(param, filters)?.unwrap_or_default() {
            let values = switches(&values).ok_or_else(|| FilterError::BadValues { param, key: shorten(&key) })?;
            let Some(key) = KEYS.into_iter().find(|k| *k == key && !OWN_KEYS.contains(k)) else { continue };
            let prefixes = match key {
                "type" | "scope" | "image" | "source" => false,
                "event" => values.iter().any(|(value, _)| PREFIX_EVENTS.contains(&value.as_str())),
                _ => true,
            };
            let (any, mut wanted) = (!values.is_empty(), values.into_iter().filter(|(_, on)| *on || prefixes).peekable());
            nothing |= any && wanted.peek().is_none();
            wanted.for_each(|(value, _)| add(&mut include, key, value));
        }
        let filter = Self::new(limit(param, include)?, Terms::new(), Dialect::Docker);
        Ok(if nothing { filter.without("event", "*") } else { filter })
    }

    /// From `KEY=VALUE` terms, as `-f` and `-x` take them.
    ///
    /// # Errors
    /// [`FilterError`] for a term without `=` or with an unknown key.
    pub fn from_terms(filters: &[String], exclude: &[String]) -> Result<Self, FilterError> {
        let collect = |param, list: &[String]| {
            let mut out = Terms::new();
            for term in list {
                let (key, value) = term.split_once('=').ok_or_else(|| FilterError::NotATerm(term.clone()))?;
                let (key, value) = meant(param, key, value.to_owned())?;
                add(&mut out, key, value);
            }
            limit(param, out)
        };
        Ok(Self::new(collect("filter", filters)?, collect("exclude", exclude)?, Dialect::Own))
    }
}

fn terms(param: &'static str, json: Option<&str>) -> Result<Terms, FilterError> {
    let not_object = || FilterError::NotAnObject { param, why: "it is JSON, but not an object".to_owned() };
    let mut out = Terms::new();
    for (key, values) in object(param, json.unwrap_or(""))?.ok_or_else(not_object)? {
        let name = key;
        let key = known(param, &name)?;
        out.entry(key).or_default();
        let mut put = |value| meant(param, &name, value).map(|(key, value)| add(&mut out, key, value));
        let bad = || FilterError::BadValues { param, key: key.to_owned() };
        match values {
            Value::Array(list) => {
                for value in list {
                    let Value::String(value) = value else { return Err(bad()) };
                    put(value)?;
                }
            }
            Value::Object(map) => {
                for (value, on) in map {
                    if on != Value::Bool(true) {
                        return Err(bad());
                    }
                    put(value)?;
                }
            }
            _ => return Err(bad()),
        }
    }
    limit(param, out)
}

/// The members of a JSON object, none for an empty text; `None` for `null`.
fn object(param: &'static str, json: &str) -> Result<Option<Map<String, Value>>, FilterError> {
    let json = json.trim();
    if json.is_empty() {
        return Ok(Some(Map::new()));
    }
    let not_object = |why: String| FilterError::NotAnObject { param, why };
    match serde_json::from_str(json) {
        Ok(Value::Object(object)) => Ok(Some(object)),
        Ok(Value::Null) => Ok(None),
        Ok(_) => Err(not_object("it is JSON, but not an object".to_owned())),
        Err(e) => Err(not_object(e.to_string())),
    }
}

/// The values of a key in either form, and whether each is switched on. As in Go, `null` stands for what is
/// empty or off.
fn switches(values: &Value) -> Option<Vec<(String, bool)>> {
    match values {
        Value::Null => Some(Vec::new()),
        Value::Array(list) => list.iter().map(|value| Some((value.as_str()?.to_owned(), true))).collect(),
        Value::Object(map) => {
            let switch = |on: &Value| if on.is_null() { Some(false) } else { on.as_bool() };
            map.iter().map(|(value, on)| Some((value.clone(), switch(on)?))).collect()
        }
        _ => None,
    }
}

fn shorten(key: &str) -> String {
    key.chars().take(64).collect()
}

/// What people write for a key, and the key; `src/ui/filter.js` has the same.
const MEANT: [(&str, &str); 6] =
    [("action", "event"), ("exitcode", "exit"), ("host", "source"), ("id", "container"), ("name", "container"), ("status", "event")];

fn known(param: &'static str, key: &str) -> Result<&'static str, FilterError> {
    let name = if key == EXIT_NOT { "exit" } else { key };
    KEYS.into_iter().find(|k| *k == name).ok_or_else(|| {
        let usual = MEANT.into_iter().find(|(word, _)| key.eq_ignore_ascii_case(word)).map(|(_, key)| key);
        let hint = match (key.strip_suffix('!'), usual.or_else(|| super::closest(key, KEYS))) {
            (Some(key), _) if KEYS.contains(&key) => format!("{key}=… among what is left out says the same; "),
            (_, Some(close)) => format!("did you mean {close}? "),
            _ => String::new(),
        };
        FilterError::UnknownKey { param, key: shorten(key), hint }
    })
}

/// A key and a value in the one spelling that they have inside.
fn meant(param: &'static str, key: &str, value: String) -> Result<(&'static str, String), FilterError> {
    let name = known(param, key)?;
    if name != "exit" {
        return Ok((name, value));
    }
    let text = if key == EXIT_NOT { format!("{}{value}", friendly::OTHER_THAN) } else { value };
    match friendly::exit_value(&text) {
        Some(value) => Ok((name, value)),
        None => Err(FilterError::BadExitCode { param, value: shorten(&text) }),
    }
}

/// Adds a value in its sorted place, once, so that a filter has one spelling.
pub(super) fn add(terms: &mut Terms, key: &'static str, value: String) {
    let values = terms.entry(key).or_default();
    if let Err(at) = values.binary_search(&value) {
        values.insert(at, value);
    }
}

fn limit(param: &'static str, terms: Terms) -> Result<Terms, FilterError> {
    if terms.values().map(Vec::len).sum::<usize>() > MAX_FILTER_VALUES { Err(FilterError::TooMany { param }) } else { Ok(terms) }
}
