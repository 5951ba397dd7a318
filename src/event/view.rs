//! The fields of a message that shipslog looks at, read leniently.

use super::readable::Readable;
use super::{EventError, RECORDER_TYPE, readable};
use crate::time::Timestamp;
use serde::Deserialize;
use serde::de::{Deserializer, IgnoredAny, MapAccess, Visitor};
use serde_json::value::RawValue;
use std::borrow::Cow;
use std::fmt;
use std::marker::PhantomData;

/// Borrowed view of the fields that filters, pages and the recorder look at. A field that is absent, or of a
/// type that Docker does not document, is `None` (or empty).
#[derive(Debug, Default, PartialEq, Eq)]
pub struct EventView<'a> {
    /// `Type`: `container`, `network`, … or anything newer.
    pub kind: Option<Cow<'a, str>>,
    /// `Action`: `die`, `exec_create: /bin/sh -c …`, …
    pub action: Option<Cow<'a, str>>,
    /// `Actor.ID`; may be empty (prune).
    pub actor_id: Option<Cow<'a, str>>,
    /// `Actor.Attributes` whose values are strings, in wire order.
    pub attributes: Vec<(Cow<'a, str>, Cow<'a, str>)>,
    /// `scope`: `local` or `swarm`.
    pub scope: Option<Cow<'a, str>>,
    /// `timeNano`, or `time` where that is all there is.
    pub time: Option<Timestamp>,
    /// `HealthStatus`, which is Podman's.
    pub health: Option<Cow<'a, str>>,
}

impl<'a> EventView<'a> {
    /// Parses one JSON object; fails only on what is not a JSON object.
    ///
    /// # Errors
    /// The JSON error with its position.
    pub fn parse(json: &'a str) -> Result<Self, serde_json::Error> {
        // What Docker sends takes one pass. Only what differs from its documentation is taken apart value by
        // value.
        documented(json).map_or_else(|_| Self::parse_leniently(json), |(view, _)| Ok(view))
    }

    /// As [`parse`](Self::parse), for what every ordinary parser can read. Also whether any `Type` in it, of
    /// perhaps several, is the recorder's.
    pub(super) fn parse_readable(json: &'a str) -> Result<(Self, bool), EventError> {
        if let Ok(found) = documented(json) {
            return Ok(found);
        }
        let found = lenient(json).map_err(|e| EventError::NotAnObject(e.to_string()))?;
        readable::check(json)?;
        Ok(found)
    }

    pub(super) fn parse_leniently(json: &'a str) -> Result<Self, serde_json::Error> {
        lenient(json).map(|(view, _)| view)
    }

    /// The attribute `key`. Of repeated keys the last counts, as in Go.
    pub fn attribute(&self, key: &str) -> Option<&str> {
        self.attributes.iter().rev().find(|(k, _)| k == key).map(|(_, v)| v.as_ref())
    }
}

/// A message whose fields have the types that Docker documents, and whether it says that it is the
/// recorder's.
fn documented(json: &str) -> Result<(EventView<'_>, bool), serde_json::Error> {
    serde_json::from_str::<Documented<'_>>(json).map(|event| (event.0, event.1))
}

fn lenient(json: &str) -> Result<(EventView<'_>, bool), serde_json::Error> {
    let mut deserializer = serde_json::Deserializer::from_str(json);
    let found = deserializer.deserialize_map(ViewVisitor)?;
    deserializer.end()?;
    Ok(found)
}

/// The members of a message.
#[derive(Deserialize)]
#[serde(field_identifier)]
enum Member {
    #[serde(rename = "Type")]
    Kind,
    Action,
    Actor,
    #[serde(rename = "scope")]
    Scope,
    #[serde(rename = "time")]
    Time,
    #[serde(rename = "timeNano")]
    TimeNano,
    HealthStatus,
    #[serde(other)]
    Other,
}

struct Documented<'a>(EventView<'a>, bool);

impl<'de: 'a, 'a> Deserialize<'de> for Documented<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Message<'a>(PhantomData<&'a str>);
        impl<'de: 'a, 'a> Visitor<'de> for Message<'a> {
            type Value = Documented<'a>;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a JSON object")
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let (mut view, mut says_recorder) = (EventView::default(), false);
                let (mut seconds, mut nanos): (Option<i64>, Option<i64>) = (None, None);
                let text = |found: Option<Text<'a>>| found.map(|text| text.0);
                while let Some(member) = map.next_key::<Member>()? {
                    match member {
                        Member::Kind => {
                            view.kind = text(map.next_value()?);
                            says_recorder |= view.kind.as_deref() == Some(RECORDER_TYPE);
                        }
                        Member::Action => view.action = text(map.next_value()?),
                        Member::Actor => {
                            let actor: Option<DocumentedActor<'a>> = map.next_value()?;
                            let (id, attributes) = actor.map_or((None, None), |actor| (actor.id, actor.attributes));
                            view.actor_id = text(id);
                            view.attributes = attributes.map_or_else(Vec::new, |pairs| pairs.0);
                        }
                        Member::Scope => view.scope = text(map.next_value()?),
                        Member::Time => seconds = map.next_value()?,
                        Member::TimeNano => nanos = map.next_value()?,
                        Member::HealthStatus => view.health = text(map.next_value()?),
                        Member::Other => {
                            map.next_value::<Readable>()?;
                        }
                    }
                }
                view.time = own_time(nanos, seconds);
                Ok(Documented(view, says_recorder))
            }
        }
        deserializer.deserialize_map(Message(PhantomData))
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct DocumentedActor<'a> {
    #[serde(borrow, rename = "ID")]
    id: Option<Text<'a>>,
    #[serde(borrow, rename = "Attributes")]
    attributes: Option<Pairs<'a, Cow<'a, str>, Text<'a>>>,
}

/// `timeNano`, or `time` where that is all there is.
fn own_time(nanos: Option<i64>, seconds: Option<i64>) -> Option<Timestamp> {
    nanos.or_else(|| seconds?.checked_mul(1_000_000_000)).map(Timestamp::from_nanos)
}

/// Reads the wanted fields and skips the rest without building anything for it.
struct ViewVisitor;

impl<'de> Visitor<'de> for ViewVisitor {
    type Value = (EventView<'de>, bool);

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let (mut view, mut says_recorder) = (EventView::default(), false);
        let (mut seconds, mut nanos): (Option<i64>, Option<i64>) = (None, None);
        while let Some(key) = map.next_key::<&RawValue>()? {
            // A key may be written with escapes.
            match text(key).as_deref() {
                Some("Type") => {
                    view.kind = text(map.next_value()?);
                    says_recorder |= view.kind.as_deref() == Some(RECORDER_TYPE);
                }
                Some("Action") => view.action = text(map.next_value()?),
                Some("scope") => view.scope = text(map.next_value()?),
                Some("time") => seconds = number(map.next_value()?),
                Some("timeNano") => nanos = number(map.next_value()?),
                Some("HealthStatus") => view.health = text(map.next_value()?),
                Some("Actor") => (view.actor_id, view.attributes) = actor(map.next_value()?),
                _ => {
                    map.next_value::<IgnoredAny>()?;
                }
            }
        }
        view.time = own_time(nanos, seconds);
        Ok((view, says_recorder))
    }
}

/// `Cow` alone always owns when deserialized; the wrapper makes serde borrow where no escape is in the way.
#[derive(Deserialize)]
struct Text<'a>(#[serde(borrow)] Cow<'a, str>);

impl<'a> From<Text<'a>> for Cow<'a, str> {
    fn from(text: Text<'a>) -> Self {
        text.0
    }
}

fn text(raw: &RawValue) -> Option<Cow<'_, str>> {
    serde_json::from_str::<Text<'_>>(raw.get()).ok().map(|t| t.0)
}

fn number(raw: &RawValue) -> Option<i64> {
    raw.get().parse().ok()
}

/// An `Actor`'s `ID` and `Attributes`.
type ActorParts<'a> = (Option<Cow<'a, str>>, Vec<(Cow<'a, str>, Cow<'a, str>)>);

fn actor(raw: &RawValue) -> ActorParts<'_> {
    let mut parts = ActorParts::default();
    for (key, value) in pairs(raw) {
        match key.as_ref() {
            "ID" => parts.0 = text(value),
            "Attributes" => parts.1 = pairs(value).into_iter().filter_map(|(k, v)| Some((k, text(v)?))).collect(),
            _ => {}
        }
    }
    parts
}

/// Members for which room is made at once: most messages have as many attributes or fewer.
const ABOUT_MEMBERS: usize = 16;

/// The members of an object, in wire order; each value was read as a `T`.
struct Pairs<'a, V, T = V>(Vec<(Cow<'a, str>, V)>, PhantomData<T>);

impl<'de: 'a, 'a, V, T: Deserialize<'de> + Into<V>> Deserialize<'de> for Pairs<'a, V, T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Members<'a, V, T>(PhantomData<(&'a str, V, T)>);
        impl<'de: 'a, 'a, V, T: Deserialize<'de> + Into<V>> Visitor<'de> for Members<'a, V, T> {
            type Value = Pairs<'a, V, T>;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a JSON object")
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut out = Vec::with_capacity(ABOUT_MEMBERS);
                while let Some((key, value)) = map.next_entry::<Text<'a>, T>()? {
                    out.push((key.0, value.into()));
                }
                Ok(Pairs(out, PhantomData))
            }
        }
        deserializer.deserialize_map(Members(PhantomData))
    }
}

/// The members of an object; nothing for any other value.
fn pairs(raw: &RawValue) -> Vec<(Cow<'_, str>, &RawValue)> {
    serde_json::from_str::<Pairs<'_, &RawValue>>(raw.get()).map_or_else(|_| Vec::new(), |pairs| pairs.0)
}
