//! Texts of bounded length.

use std::borrow::Cow;

/// `text`, or its beginning and an ellipsis where it has more than `max` bytes.
pub(super) fn cut(text: &str, max: usize) -> String {
    bounded(text, max).into_owned()
}

/// The same, copied only where it is too long.
pub(super) fn bounded(text: &str, max: usize) -> Cow<'_, str> {
    if text.len() <= max {
        return Cow::Borrowed(text);
    }
    let room = max.saturating_sub('…'.len_utf8());
    let mut end = room.min(text.len());
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    Cow::Owned(format!("{}…", text.get(..end).unwrap_or_default()))
}
