//! Texts that a message must hold to pass a filter: looked for in its bytes before it is parsed, since most messages hold none of them.

use super::{Filter, HEALTH, Terms, health_of};
use memchr::memmem::Finder;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

/// For each key that is asked for, the texts of which one must be there. They follow from the filter, so they take no part in
/// comparing filters.
#[derive(Debug, Clone, Default)]
pub(super) struct Needles(Arc<[Vec<Finder<'static>>]>);

impl PartialEq for Needles {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

impl Eq for Needles {}

impl Hash for Needles {
    fn hash<H: Hasher>(&self, _: &mut H) {}
}

impl Needles {
    /// `takes_podman`: a status of health need not stand behind its action.
    pub(super) fn of(include: &Terms, takes_podman: bool) -> Self {
        let needles = include.iter().filter(|(_, values)| !values.is_empty()).filter_map(|(key, values)| match *key {
            // Not in the message, or compared in another form than it stands there.
            "source" | "image" | "noise" => None,
            // All labels must be there; the key of the first is enough to look for.
            "label" => values.first().map(|label| vec![label.split('=').next().unwrap_or(label)]),
            "event" if takes_podman => {
                Some(values.iter().map(|value| if health_of(value).is_some() { HEALTH } else { value.as_str() }).collect())
            }
            _ => Some(values.iter().map(String::as_str).collect()),
        });
        // A text that JSON would have to escape stands in the message in another form.
        let plain = |text: &&str| text.chars().all(|c| !c.is_control() && c != '"' && c != '\\');
        let needles = needles.filter(|texts| texts.iter().all(plain) && !texts.iter().any(|text| text.is_empty()));
        Self(needles.map(|texts| texts.into_iter().map(|text| Finder::new(text).into_owned()).collect()).collect())
    }
}

impl Filter {
    /// Texts of which every message that passes holds at least one, unless it holds a backslash: the longest such texts, which are
    /// the rarest by a guess. `None` where only parsing can tell.
    pub fn rarest_texts(&self) -> Option<&[Finder<'static>]> {
        let shortest = |texts: &Vec<Finder<'_>>| texts.iter().map(|text| text.needle().len()).min();
        self.needles.0.iter().max_by_key(|texts| shortest(texts)).map(Vec::as_slice)
    }

    /// Whether a message may pass, judged by its bytes. `true` where only parsing can tell.
    pub fn may_match_text(&self, json: &[u8]) -> bool {
        // JSON may write any character as an escape.
        self.needles.0.iter().all(|texts| texts.iter().any(|text| text.find(json).is_some())) || memchr::memchr(b'\\', json).is_some()
    }
}
