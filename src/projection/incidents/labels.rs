//! Attributes that are kept of a container.

use serde::{Deserialize, Serialize};

/// Names and values, in the order of the names. Most containers have a few of them, for which a tree would
/// take ten times the room.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Labels(Vec<(String, String)>);

impl Labels {
    fn place(&self, name: &str) -> Result<usize, usize> {
        self.0.binary_search_by(|(known, _)| known.as_str().cmp(name))
    }

    pub(super) fn get(&self, name: &str) -> Option<&String> {
        self.0.get(self.place(name).ok()?).map(|(_, value)| value)
    }

    pub(super) fn insert(&mut self, name: String, value: String) {
        match self.place(&name) {
            Ok(at) => {
                if let Some(known) = self.0.get_mut(at) {
                    known.1 = value;
                }
            }
            Err(at) => {
                self.0.reserve_exact(1);
                self.0.insert(at, (name, value));
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
        assert!(labels.keys().map(String::as_str).eq(["a", "b", "c"]));
    }
}
