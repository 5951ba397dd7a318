//! A value with its key, and where it came from.

use super::ConfigError;
use std::fmt;
use std::path::PathBuf;

/// Where a value came from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Origin {
    /// The command line.
    Flag,
    /// This environment variable.
    Env(String),
    /// This configuration file.
    File(PathBuf),
    /// Nowhere: the built-in value.
    Default,
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Flag => f.write_str("flag"),
            Self::Env(name) => write!(f, "env {name}"),
            Self::File(path) => write!(f, "file {}", path.display()),
            Self::Default => f.write_str("default"),
        }
    }
}

/// A value with its key and origin.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Setting<T> {
    /// The key in the file, and the flag without its dashes.
    pub key: &'static str,
    /// The value.
    pub value: T,
    /// Where it came from.
    pub origin: Origin,
}

impl<T> Setting<T> {
    /// The place a user has to look at to change the value.
    pub(super) fn place(&self) -> String {
        match &self.origin {
            Origin::Env(name) => name.clone(),
            Origin::File(path) => format!("{}: {}", path.display(), self.key),
            Origin::Flag | Origin::Default => format!("--{}", self.key),
        }
    }

    pub(super) fn refuse(&self, value: impl Into<String>, accepted: &'static str) -> ConfigError {
        ConfigError::BadValue { place: self.place(), value: value.into(), accepted }
    }
}

/// A path that was given.
pub(super) fn given(path: &Setting<PathBuf>) -> Option<PathBuf> {
    Some(path.value.clone()).filter(|path| !path.as_os_str().is_empty())
}

/// The environment variable of a key.
pub(super) fn variable(key: &str) -> String {
    format!("SHIPSLOG_{}", key.replace('-', "_").to_uppercase())
}
