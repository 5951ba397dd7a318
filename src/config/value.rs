//! How a value is read from the environment and from the file, and shown.

use super::ConfigError;
use crate::ingest::endpoint::Env;
use serde::de::{DeserializeOwned, Deserializer, SeqAccess, Visitor};
use std::fmt;
use std::path::PathBuf;

/// What a setting can be.
pub(super) trait Value: Clone + DeserializeOwned {
    /// From a variable. An empty one counts as absent, since compose files and units cannot unset.
    fn from_variable(env: Env<'_>, name: &str) -> Result<Option<Self>, ConfigError>;

    /// From the file.
    fn from_file<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::deserialize(deserializer)
    }

    /// As a configuration file has it.
    fn toml(&self) -> toml::Value;
}

/// For `#[serde(deserialize_with)]`.
pub(super) fn from_file<'de, T: Value, D: Deserializer<'de>>(deserializer: D) -> Result<Option<T>, D::Error> {
    T::from_file(deserializer).map(Some)
}

impl Value for PathBuf {
    fn from_variable(env: Env<'_>, name: &str) -> Result<Option<Self>, ConfigError> {
        Ok(env(name).filter(|value| !value.is_empty()).map(Self::from))
    }

    fn toml(&self) -> toml::Value {
        self.to_string_lossy().into_owned().into()
    }
}

impl Value for String {
    fn from_variable(env: Env<'_>, name: &str) -> Result<Option<Self>, ConfigError> {
        text(env, name)
    }

    fn toml(&self) -> toml::Value {
        self.clone().into()
    }
}

impl Value for u32 {
    fn from_variable(env: Env<'_>, name: &str) -> Result<Option<Self>, ConfigError> {
        let number = |value: String| value.parse().map_err(|_| refuse(name, value, "a number from 1 up"));
        text(env, name)?.map(number).transpose()
    }

    fn toml(&self) -> toml::Value {
        (*self).into()
    }
}

impl Value for bool {
    fn from_variable(env: Env<'_>, name: &str) -> Result<Option<Self>, ConfigError> {
        let Some(value) = text(env, name)? else { return Ok(None) };
        match value.to_ascii_lowercase().as_str() {
            "true" | "1" | "yes" | "on" => Ok(Some(true)),
            "false" | "0" | "no" | "off" => Ok(Some(false)),
            _ => Err(refuse(name, value, "true or false")),
        }
    }

    fn toml(&self) -> toml::Value {
        (*self).into()
    }
}

impl Value for Vec<String> {
    /// Separated by commas.
    fn from_variable(env: Env<'_>, name: &str) -> Result<Option<Self>, ConfigError> {
        let parts = |value: String| value.split(',').map(|part| part.trim().to_owned()).filter(|part| !part.is_empty()).collect();
        Ok(text(env, name)?.map(parts))
    }

    /// `key = "a"` means the same as `key = ["a"]`.
    fn from_file<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        one_or_many(deserializer)
    }

    fn toml(&self) -> toml::Value {
        self.clone().into()
    }
}

fn refuse(place: &str, value: String, accepted: &'static str) -> ConfigError {
    ConfigError::BadValue { place: place.to_owned(), value, accepted }
}

/// A variable's text, unless it is empty.
pub(super) fn text(env: Env<'_>, name: &str) -> Result<Option<String>, ConfigError> {
    let Some(value) = env(name) else { return Ok(None) };
    let value = value.into_string().map_err(|odd| refuse(name, odd.to_string_lossy().into_owned(), "text in UTF-8"))?;
    Ok(Some(value.trim().to_owned()).filter(|v| !v.is_empty()))
}

fn one_or_many<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<String>, D::Error> {
    struct OneOrMany;
    impl<'de> Visitor<'de> for OneOrMany {
        type Value = Vec<String>;
        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("a string or a list of strings")
        }
        fn visit_str<E>(self, text: &str) -> Result<Self::Value, E> {
            Ok(vec![text.to_owned()])
        }
        fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Self::Value, A::Error> {
            let mut out = Vec::new();
            while let Some(text) = list.next_element()? {
                out.push(text);
            }
            Ok(out)
        }
    }
    deserializer.deserialize_any(OneOrMany)
}
