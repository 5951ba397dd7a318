//! Attributes that are kept of a container.

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::sync::Arc;

/// Names and values, in the order of the names. Most containers have a few of them, for which a tree would
/// take ten times the room. Copies share them until one of them changes: a container is looked at as it was
/// with every death, and what took its place is compared with it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Labels(Arc<Vec<(String, String)>>);

impl Serialize for Labels {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.0.as_ref().serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Labels {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Vec::deserialize(deserializer).map(|all| Self(Arc::new(all)))
    }
}

impl Labels {
    fn place(&self, name: &str) -> Result<usize, usize> {
        self.0.binary_search_by(|(known, _)| known.as_str().cmp(name))
    }

    pub(super) fn get(&self, name: &str) -> Option<&String> {
        self.0.get(self.place(name).ok()?).map(|(_, value)| value)
    }

    /// The same for names that mostly come in order, as the daemon writes them: `next` is where the next one
    /// is looked for first.
    pub(super) fn get_from(&self, next: &mut usize, name: &str) -> Option<&String> {
        let place = if self.0.get(*next).is_some_and(|(known, _)| known == name) { Ok(*next) } else { self.place(name) };
        *next = place.map_or_else(|at| at, |at| at + 1);
        self.0.get(place.ok()?).map(|(_, value)| value)
    }

    pub(super) fn insert(&mut self, name: String, value: String) {
        let place = self.place(&name);
        let all = Arc::make_mut(&mut self.0);
        match place {
            Ok(at) => {
                if let Some(known) = all.get_mut(at) {
                    known.1 = value;
                }
            }
            Err(at) => {
                all.reserve_exact(1);
                all.insert(at, (name, value));
            }
        }
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (&String, &String)> {
        self.0.iter().map(|(name, value)| (name, value))
    }

    pub(super) fn keys(&self) -> impl Iterator<Item = &String> {
        self.0.iter().map(|(name, _)| name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_value_of_a_name_counts_and_names_are_in_order() {
        let mut labels = Labels::default();
        for (name, value) in [("b", "1"), ("a", "2"), ("c", "3"), ("b", "4")] {
            labels.insert(name.to_owned(), value.to_owned());
        }
        let all: Vec<(&str, &str)> = labels.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        assert_eq!(all, [("a", "2"), ("b", "4"), ("c", "3")]);
        assert_eq!((labels.get("b").map(String::as_str), labels.get("d")), (Some("4"), None));
        let mut next = 0;
        for (name, value) in [("a", Some("2")), ("b", Some("4")), ("bb", None), ("c", Some("3")), ("d", None), ("b", Some("4"))] {
            assert_eq!(labels.get_from(&mut next, name).map(String::as_str), value, "{name}");
        }
        let mut other = labels.clone();
        other.insert("a".to_owned(), "5".to_owned());
        assert_eq!((labels.get("a").map(String::as_str), other.get("a").map(String::as_str)), (Some("2"), Some("5")));
        assert!(labels.keys().map(String::as_str).eq(["a", "b", "c"]));
    }
}
