//! The few fields of a message that the log stores beside it, found once.

use super::EventView;
use crate::time::Timestamp;
use std::borrow::Cow;

/// The fields of a message that are stored beside it.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Fields<'a> {
    /// `timeNano`, or `time` where that is all there is.
    pub time: Option<Timestamp>,
    /// `Type`.
    pub kind: Cow<'a, str>,
    /// `Action`.
    pub action: Cow<'a, str>,
    /// `Actor.ID`.
    pub actor_id: Cow<'a, str>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct PlainFields {
    time: Option<Timestamp>,
    kind: Span,
    action: Span,
    actor_id: Span,
}

/// A part of a message, from and to.
type Span = (u32, u32);

impl PlainFields {
    pub(super) fn of(view: &EventView<'_>, json: &str) -> Option<Self> {
        let span = |field: &Option<Cow<'_, str>>| match field {
            None => Some((0, 0)),
            Some(Cow::Owned(_)) => None,
            Some(Cow::Borrowed(text)) => {
                let from = (text.as_ptr() as usize).checked_sub(json.as_ptr() as usize)?;
                Some((u32::try_from(from).ok()?, u32::try_from(from + text.len()).ok()?))
            }
        };
        Some(Self { time: view.time, kind: span(&view.kind)?, action: span(&view.action)?, actor_id: span(&view.actor_id)? })
    }

    /// The fields in `json`, which is the text that they were found in.
    pub(super) fn fields(self, json: &str) -> Option<Fields<'_>> {
        let text = |(from, to): Span| json.get(from as usize..to as usize).map(Cow::Borrowed);
        Some(Fields { time: self.time, kind: text(self.kind)?, action: text(self.action)?, actor_id: text(self.actor_id)? })
    }
}

impl<'a> From<EventView<'a>> for Fields<'a> {
    fn from(EventView { time, kind, action, actor_id, .. }: EventView<'a>) -> Self {
        Self { time, kind: kind.unwrap_or_default(), action: action.unwrap_or_default(), actor_id: actor_id.unwrap_or_default() }
    }
}
