//! Where in a message the secrets lie. Values are slices of the message, so that their places are known.

use super::names::Says;
use super::rules::Rule;
use super::{KEPT_ATTRIBUTES, REDACTED, Redactor, assigned, known, names, replacement, url};
use crate::event::quote;
use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;
use std::borrow::Cow;
use std::fmt;
use std::ops::Range;

/// Actions whose second part is a command line.
const EXEC: [&str; 4] = ["exec_create", "exec_start", "exec_detach", "exec_die"];
/// Docker's attributes are strings. Values within values are looked at this deep; deeper ones go as a whole
/// if anything in them is suspect.
const MAX_DEPTH: usize = 8;
/// Stands for the name of a rule where a value was too deep to be looked at.
const TOO_DEEP: &str = "too-deep";
/// Fewer characters than this are no secret address, nor a secret without structure.
const OPAQUE_CHARS: usize = 12;

/// A value's place in the message, and the JSON to put there.
pub(super) type Edit = (Range<usize>, String);

/// How often a text is looked at again after something in it was replaced, before all of it goes.
const MAX_PASSES: usize = 4;

/// What is to be replaced in the message `json`, in order; what ends before `suspect` has no secret.
/// `is_output`: texts in it are lines of a program's output, each of which stands for itself.
pub(super) fn edits(redactor: &Redactor, json: &str, suspect: usize, is_output: bool) -> Vec<Edit> {
    let mut walk = Walk { redactor, json, suspect, is_output, edits: Vec::new() };
    for (key, value) in Members::of(json) {
        match &*text(key) {
            "Action" | "status" => walk.action(value),
            "Actor" => {
                let attributes = Members::of(value.get()).into_iter().filter(|(key, _)| text(key) == "Attributes");
                attributes.for_each(|(_, value)| walk.value(value, false, 0));
            }
            _ => {}
        }
    }
    walk.edits
}

struct Walk<'a> {
    redactor: &'a Redactor,
    json: &'a str,
    suspect: usize,
    is_output: bool,
    edits: Vec<Edit>,
}

impl<'a> Walk<'a> {
    /// Where in the message it begins.
    fn place(&self, value: &RawValue) -> Option<usize> {
        (value.get().as_ptr() as usize).checked_sub(self.json.as_ptr() as usize)
    }

    fn is_before_any_suspect(&self, value: &RawValue) -> bool {
        self.place(value).is_some_and(|from| from + value.get().len() < self.suspect)
    }

    fn replace(&mut self, value: &RawValue, by: &str) {
        let by = quote(by);
        let from = self.place(value);
        // What was redacted before stays as it is.
        if let Some(from) = from.filter(|_| value.get() != by) {
            self.edits.push((from..from + value.get().len(), by));
        }
    }

    fn action(&mut self, value: &RawValue) {
        if !self.redactor.rules.has(Rule::ExecCommand) || !value.get().starts_with('"') {
            return;
        }
        let action = text(value);
        if let Some((verb, command)) = action.split_once(": ")
            && EXEC.iter().any(|exec| verb.starts_with(exec))
            && !command.is_empty()
        {
            self.replace(value, &format!("{verb}: {}", replacement(Rule::ExecCommand.name())));
        }
    }

    fn attribute(&mut self, key: &'a RawValue, value: &'a RawValue, excepted: bool, depth: usize) {
        if self.is_before_any_suspect(value) {
            return;
        }
        let name = text(key);
        let kept = depth == 1 && KEPT_ATTRIBUTES.contains(&&*name);
        if kept || matches!(value.get(), r#""""# | "null" | "[]" | "{}") {
            return;
        }
        let redactor = self.redactor;
        // Only for globs, of which there are none by default.
        let lower = if redactor.has_globs() { name.to_ascii_lowercase() } else { String::new() };
        if let Some((_, rule)) = redactor.attributes.iter().find(|(glob, _)| glob.matches(&lower)) {
            return self.replace(value, &replacement(rule));
        }
        let excepted = excepted || redactor.except.iter().any(|glob| glob.matches(&lower));
        if !excepted
            && redactor.rules.has(Rule::SecretName)
            && let Some(says) = names::says(&name)
            && self.named(&name, says, value)
        {
            return;
        }
        self.value(value, excepted, depth);
    }

    /// Replaces what a name says is a secret; `false`: only parts of it may be one.
    fn named(&mut self, name: &str, says: Says, value: &'a RawValue) -> bool {
        let shown = text(value);
        // Counts of tokens are numbers; a secret of digits alone is longer.
        let is_count = says == Says::Secret && shown.len() <= 7 && shown.bytes().all(|b| b.is_ascii_digit()) && name.ends_with("okens");
        if matches!(value.get(), "true" | "false") || is_count || assigned::is_plain(says, &shown) {
            return true;
        }
        if says == Says::Leads {
            return value.get().starts_with('"') && self.leads(value, &shown);
        }
        self.replace(value, &replacement(Rule::SecretName.name()));
        true
    }

    /// Of an address that leads to something the host stays.
    fn leads(&mut self, value: &RawValue, shown: &str) -> bool {
        // What was redacted before has lost its secret.
        if shown.contains(REDACTED) || !found(self.redactor, shown, true).is_empty() {
            return false;
        }
        let Some((scheme, rest)) = shown.split_once("://") else {
            // `host=db user=x` has its own names.
            let is_opaque = !shown.contains(['=', '@', ' ', '/']) && shown.len() >= OPAQUE_CHARS;
            if is_opaque {
                self.replace(value, &replacement(Rule::SecretName.name()));
            }
            return is_opaque;
        };
        let host = rest.find(['/', '?']).unwrap_or(rest.len());
        let (host, path) = rest.split_at_checked(host).unwrap_or((rest, ""));
        let is_secret = path.len() >= OPAQUE_CHARS && path.bytes().any(|b| b.is_ascii_digit()) && !scheme.contains("sql");
        if is_secret {
            let left = format!("{scheme}://{host}/{}", replacement(Rule::SecretName.name()));
            self.replace(value, &without_secrets(self.redactor, &left, true).unwrap_or(left));
        }
        is_secret
    }

    fn value(&mut self, value: &'a RawValue, excepted: bool, depth: usize) {
        match value.get().as_bytes().first() {
            Some(b'"') => self.string(value, excepted),
            Some(b'{' | b'[') if depth > MAX_DEPTH && !self.redactor.may_hold_a_secret(value.get()) => {}
            Some(b'{' | b'[') if depth > MAX_DEPTH => self.replace(value, &replacement(TOO_DEEP)),
            Some(b'{') => {
                for (key, value) in Members::of(value.get()) {
                    self.attribute(key, value, excepted, depth + 1);
                }
            }
            Some(b'[') => {
                let elements: Vec<&RawValue> = serde_json::from_str(value.get()).unwrap_or_default();
                for element in elements {
                    self.value(element, excepted, depth + 1);
                }
            }
            _ => {}
        }
    }

    fn string(&mut self, value: &RawValue, excepted: bool) {
        let shown = text(value);
        let look = if self.is_output { lines_without_secrets } else { without_secrets };
        if let Some(redacted) = look(self.redactor, &shown, !excepted) {
            self.replace(value, &redacted);
        }
    }
}

/// The text without its secrets; `None`: it has none.
///
/// What one secret was replaced by can make another appear, since its beginning is now near enough, or is
/// no longer part of something longer. A text in which that does not end goes as a whole.
fn without_secrets(redactor: &Redactor, text: &str, all: bool) -> Option<String> {
    let mut redacted: Option<String> = None;
    for _ in 0..MAX_PASSES {
        let shown = redacted.as_deref().unwrap_or(text);
        let secrets = found(redactor, shown, all);
        if secrets.is_empty() {
            return redacted;
        }
        redacted = Some(replaced(shown, &secrets));
    }
    let last = found(redactor, redacted.as_deref()?, all);
    last.first().map(|(_, rule)| replacement(rule.name())).or(redacted)
}

/// The same of output, line by line: a quote or a colon at the end of one says nothing of the next. Private
/// keys have several, and of one that has lost its beginning the rest goes as well.
fn lines_without_secrets(redactor: &Redactor, text: &str, all: bool) -> Option<String> {
    let mut keys = found(redactor, text, false);
    if redactor.rules.has(Rule::PrivateKey)
        && let Some(end) = known::end_of_private_key(text)
        && keys.first().is_none_or(|(first, _)| first.start >= end)
    {
        keys.insert(0, (0..end, Rule::PrivateKey));
    }
    let without_keys = (!keys.is_empty()).then(|| replaced(text, &keys));
    let lines: Vec<Cow<'_, str>> = without_keys
        .as_deref()
        .unwrap_or(text)
        .split('\n')
        .map(|line| without_secrets(redactor, line, all).map_or(Cow::Borrowed(line), Cow::Owned))
        .collect();
    let redacted = lines.join("\n");
    (redacted != text).then_some(redacted)
}

fn replaced(text: &str, secrets: &[(Range<usize>, Rule)]) -> String {
    let mut redacted = String::with_capacity(text.len());
    let mut from = 0;
    for (secret, rule) in secrets {
        redacted.push_str(text.get(from..secret.start).unwrap_or_default());
        redacted.push_str(&replacement(rule.name()));
        from = secret.end;
    }
    redacted.push_str(text.get(from..).unwrap_or_default());
    redacted
}

/// Where in a text the secrets lie, in order and apart, and by which rule; `all`: not only private keys.
fn found(redactor: &Redactor, text: &str, all: bool) -> Vec<(Range<usize>, Rule)> {
    let has = |rule| redactor.rules.has(rule) && (all || rule == Rule::PrivateKey);
    let mut found: Vec<(Range<usize>, Rule)> = Vec::new();
    // One look instead of five: most texts of a suspect message are not suspect.
    if !redactor.may_hold_a_secret(text) {
        return found;
    }
    if has(Rule::PrivateKey) {
        found.extend(known::private_keys(text).map(|range| (range, Rule::PrivateKey)));
        found.extend(known::private_keys_in_base64(text).into_iter().map(|range| (range, Rule::PrivateKey)));
    }
    if has(Rule::UrlPassword) {
        found.extend(url::passwords(text).into_iter().map(|range| (range, Rule::UrlPassword)));
    }
    if has(Rule::SecretValue) {
        found.extend(assigned::values(text).into_iter().chain(known::secrets(text)).map(|range| (range, Rule::SecretValue)));
    }
    // Of those that overlap the first one counts, and takes what the others reach beyond it.
    found.sort_by_key(|(range, _)| range.start);
    let mut apart: Vec<(Range<usize>, Rule)> = Vec::with_capacity(found.len());
    for (range, rule) in found {
        match apart.last_mut() {
            Some((last, _)) if range.start < last.end => last.end = last.end.max(range.end),
            _ => apart.push((range, rule)),
        }
    }
    apart
}

/// The text of a JSON string. Halves of surrogate pairs, which serde takes for an error and Docker never
/// sends, become replacement characters; what is no string stays JSON.
fn text(raw: &RawValue) -> Cow<'_, str> {
    struct Bytes;
    impl<'de> Visitor<'de> for Bytes {
        type Value = Cow<'de, str>;
        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("a JSON string")
        }
        fn visit_borrowed_bytes<E>(self, bytes: &'de [u8]) -> Result<Self::Value, E> {
            Ok(String::from_utf8_lossy(bytes))
        }
        fn visit_bytes<E>(self, bytes: &[u8]) -> Result<Self::Value, E> {
            Ok(String::from_utf8_lossy(bytes).into_owned().into())
        }
    }
    if let Some(plain) = raw.get().strip_prefix('"').and_then(|text| text.strip_suffix('"')).filter(|text| !text.contains('\\')) {
        return Cow::Borrowed(plain);
    }
    serde_json::Deserializer::from_str(raw.get()).deserialize_bytes(Bytes).unwrap_or(Cow::Borrowed(raw.get()))
}

/// The members of an object, each as it is written, in that order; none of any other value.
struct Members<'a>(Vec<(&'a RawValue, &'a RawValue)>);

impl<'a> Members<'a> {
    fn of(json: &'a str) -> Vec<(&'a RawValue, &'a RawValue)> {
        serde_json::from_str::<Self>(json).map_or_else(|_| Vec::new(), |members| members.0)
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Members<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Collect;
        impl<'de> Visitor<'de> for Collect {
            type Value = Vec<(&'de RawValue, &'de RawValue)>;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a JSON object")
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut members = Vec::new();
                while let Some(member) = map.next_entry()? {
                    members.push(member);
                }
                Ok(members)
            }
        }
        deserializer.deserialize_map(Collect).map(Members)
    }
}
