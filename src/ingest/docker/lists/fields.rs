//! The members of a JSON object, each read by itself, so that one of a kind that was not expected costs no
//! other.

use crate::event::shortened;
use serde::Deserializer as _;
use serde::de::{MapAccess, Visitor};
use serde_json::value::RawValue;
use std::borrow::Cow;
use std::fmt;

/// Bytes that are kept of a field, such as a name or the text of a state.
pub(in crate::ingest::docker) const MAX_FIELD_BYTES: usize = 4 << 10;

/// An object that a daemon gave.
#[derive(Debug, Default)]
pub(in crate::ingest::docker) struct Fields<'a>(Vec<(Cow<'a, str>, &'a RawValue)>);

struct Members;

impl<'de> Visitor<'de> for Members {
    type Value = Fields<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut members = Vec::new();
        while let Some((key, value)) = map.next_entry::<&RawValue, &RawValue>()? {
            members.push((decoded(key).unwrap_or_default(), value));
        }
        Ok(Fields(members))
    }
}

impl<'a> Fields<'a> {
    /// Those of `text`.
    ///
    /// # Errors
    /// What is wrong with it, when it is no JSON object.
    pub(in crate::ingest::docker) fn of(text: &'a str) -> Result<Self, serde_json::Error> {
        let mut deserializer = serde_json::Deserializer::from_str(text);
        let fields = deserializer.deserialize_map(Members)?;
        deserializer.end()?;
        Ok(fields)
    }

    /// The member `key`. Of repeated ones the last counts, and upper and lower case are the same where
    /// nothing is spelled just so, as in Go.
    pub(in crate::ingest::docker) fn get(&self, key: &str) -> Option<&'a RawValue> {
        let last = |same: &dyn Fn(&str) -> bool| self.0.iter().rev().find(|(name, _)| same(name)).map(|(_, value)| *value);
        last(&|name| name == key).or_else(|| last(&|name| name.eq_ignore_ascii_case(key)))
    }

    /// The object that is the member `key`; an empty one where there is none.
    pub(in crate::ingest::docker) fn object(&self, key: &str) -> Self {
        self.get(key).and_then(|value| Self::of(value.get()).ok()).unwrap_or_default()
    }

    /// The member `key` as a text that is not empty; cut to [`MAX_FIELD_BYTES`].
    pub(in crate::ingest::docker) fn text(&self, key: &str) -> Option<String> {
        let text = scalar(self.get(key)?)?;
        Some(shortened(&text, MAX_FIELD_BYTES).into_owned()).filter(|text| !text.is_empty())
    }

    /// Whether the member `key` is `true`.
    pub(in crate::ingest::docker) fn is(&self, key: &str) -> bool {
        self.get(key).is_some_and(|value| value.get() == "true")
    }

    /// The names of all members.
    pub(in crate::ingest::docker) fn keys(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(|(key, _)| &**key)
    }

    /// The objects in the list `key`; none where it is no list.
    pub(in crate::ingest::docker) fn objects(&self, key: &str) -> Vec<Self> {
        let values = self.get(key).and_then(|value| serde_json::from_str::<Vec<&RawValue>>(value.get()).ok()).unwrap_or_default();
        values.into_iter().filter_map(|value| Self::of(value.get()).ok()).collect()
    }

    /// The texts in the list `key`; a text alone counts as a list of one.
    pub(in crate::ingest::docker) fn texts(&self, key: &str) -> Vec<String> {
        let Some(value) = self.get(key) else { return Vec::new() };
        match serde_json::from_str::<Vec<&RawValue>>(value.get()) {
            Ok(values) => values.into_iter().filter_map(scalar).map(Cow::into_owned).collect(),
            Err(_) => scalar(value).into_iter().map(Cow::into_owned).collect(),
        }
    }

    /// The members of the object `key` as texts. `null` is an empty one, and what is neither text nor number
    /// stands as its JSON.
    pub(in crate::ingest::docker) fn pairs(&self, key: &str) -> Vec<(String, String)> {
        let as_text = |value: &RawValue| match value.get() {
            "null" => String::new(),
            json => scalar(value).map_or_else(|| json.to_owned(), Cow::into_owned),
        };
        self.object(key).0.into_iter().map(|(key, value)| (key.into_owned(), as_text(value))).collect()
    }
}

/// A text, or a number or truth value as it is written.
fn scalar(value: &RawValue) -> Option<Cow<'_, str>> {
    match value.get().as_bytes().first()? {
        b'"' => decoded(value),
        b'{' | b'[' | b'n' => None,
        _ => Some(value.get().into()),
    }
}

/// The text that a JSON string stands for; one that stands for none (half a surrogate) as it is written.
fn decoded(value: &RawValue) -> Option<Cow<'_, str>> {
    let plain = value.get().strip_prefix('"')?.strip_suffix('"')?;
    if memchr::memchr(b'\\', plain.as_bytes()).is_none() {
        return Some(plain.into());
    }
    Some(serde_json::from_str::<String>(value.get()).map_or_else(|_| plain.into(), Cow::Owned))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_member_is_read_by_itself() {
        let fields = Fields::of(
            r#"{"Name":"a","name":"b","N":null,"Number":-1e999,"Odd":"\ud800","List":["x",1,null,{"y":1}],"One":"z",
                "Labels":{"a":"b","null":null,"n":5,"list":[1, 2],"esc\u0061pe":"\u0041"},"O":{"Status":"up"},"Deep":[[[{}]]],"True":true}"#,
        )
        .unwrap();
        let text = |key| fields.text(key);
        assert_eq!((text("Name"), text("NAME"), text("n")), (Some("a".into()), Some("b".into()), None));
        assert_eq!((text("Number"), text("Odd"), text("List")), (Some("-1e999".into()), Some(r"\ud800".into()), None));
        assert_eq!(
            (fields.texts("List"), fields.texts("One"), fields.texts("gone")),
            (vec!["x".into(), "1".into()], vec!["z".into()], vec![])
        );
        let pairs = fields.pairs("Labels");
        let pairs: Vec<(&str, &str)> = pairs.iter().map(|(key, value)| (key.as_str(), value.as_str())).collect();
        assert_eq!(pairs, [("a", "b"), ("null", ""), ("n", "5"), ("list", "[1, 2]"), ("escape", "A")]);
        assert_eq!((fields.object("O").text("Status"), fields.object("One").text("Status")), (Some("up".into()), None));
        assert!(fields.is("True") && !fields.is("One"));
        assert!(fields.pairs("N").is_empty() && fields.pairs("List").is_empty());
    }

    #[test]
    fn depth_and_length_do_no_harm() {
        let deep = format!(r#"{{"Deep":{}1{},"Name":"a"}}"#, "[".repeat(200_000), "]".repeat(200_000));
        assert_eq!(Fields::of(&deep).unwrap().text("Name").as_deref(), Some("a"));
        let long = format!(r#"{{"Name":"{}"}}"#, "x".repeat(50_000));
        assert_eq!(Fields::of(&long).unwrap().text("Name").unwrap().len(), MAX_FIELD_BYTES + "…[cut, 50000 bytes]".len());
    }

    #[test]
    fn what_is_no_object_is_refused() {
        for text in ["", "[]", "null", "7", "{", r#"{"a":}"#, "{} {}", r#"{"a":1"#] {
            assert!(Fields::of(text).is_err(), "{text}");
        }
    }
}
