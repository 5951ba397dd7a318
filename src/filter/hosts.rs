//! The Docker hosts that a reader may read of. It is no part of what is asked for but a condition besides: a
//! filter that asks for other hosts finds nothing, and a loss of another host is not told.

use super::parse::MAX_FILTER_VALUES;
use super::partial_subject::Key;
use super::{Dialect, Filter, equals};
use std::fmt;
use std::sync::Arc;

/// Names of Docker hosts, as records have them in `source`. A `*` at the end of one stands for anything.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Hosts(Arc<[String]>);

/// Why a list of Docker hosts cannot be used. The list itself is not repeated.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum HostsError {
    /// There is an empty name, or none at all.
    #[error("a name of a Docker host is missing: write NAME,NAME without blanks")]
    Missing,
    /// More than [`MAX_FILTER_VALUES`].
    #[error("there are more than {MAX_FILTER_VALUES} names of Docker hosts")]
    TooMany,
    /// A `*` that would be a character like others.
    #[error("a * may only stand at the end of a name")]
    Star,
}

impl Hosts {
    /// Names with commas between them.
    ///
    /// # Errors
    /// [`HostsError`]
    pub fn parse(list: &str) -> Result<Self, HostsError> {
        let mut names: Vec<String> = list.split(',').map(|name| name.trim().to_owned()).collect();
        // So that the same hosts are the same, however they are written.
        names.sort_unstable();
        names.dedup();
        if names.iter().any(String::is_empty) {
            return Err(HostsError::Missing);
        }
        if names.len() > MAX_FILTER_VALUES {
            return Err(HostsError::TooMany);
        }
        if names.iter().any(|name| name.strip_suffix('*').unwrap_or(name).contains('*')) {
            return Err(HostsError::Star);
        }
        Ok(Self(names.into()))
    }

    /// Whether the records of this Docker host are among them.
    pub fn have(&self, source: &str) -> bool {
        self.0.iter().any(|name| equals(name, source, Dialect::Own))
    }

    /// Whether this host of a fleet is among them, or one of its Docker hosts (`HOST/NAME`).
    pub fn have_part_of(&self, host: &str) -> bool {
        let within = |name: &String| name.strip_prefix(host).is_some_and(|rest| rest.starts_with('/'));
        self.have(host) || self.0.iter().any(within)
    }

    /// The names, rising.
    pub fn names(&self) -> &[String] {
        &self.0
    }

    fn may_have(&self, source: &Key<'_>) -> bool {
        self.0.iter().any(|name| match name.strip_suffix('*') {
            Some(beginning) => source.may_start_with(beginning),
            None => source.may_equal(name),
        })
    }
}

impl fmt::Display for Hosts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.join(", "))
    }
}

impl Filter {
    /// The same filter, of these Docker hosts only, whatever else it asks for.
    #[must_use]
    pub fn within(mut self, hosts: &Hosts) -> Self {
        if !self.is_within(hosts) {
            self.hosts.push(hosts.clone());
        }
        self
    }

    /// The same, if there are any to keep to.
    #[must_use]
    pub fn within_any(self, hosts: Option<&Hosts>) -> Self {
        match hosts {
            Some(hosts) => self.within(hosts),
            None => self,
        }
    }

    /// Whether it is of these Docker hosts only already.
    pub fn is_within(&self, hosts: &Hosts) -> bool {
        self.hosts.contains(hosts)
    }

    pub(super) fn may_read(&self, source: &str) -> bool {
        self.hosts.iter().all(|hosts| hosts.have(source))
    }

    pub(super) fn may_read_partly(&self, source: &Key<'_>) -> bool {
        self.hosts.iter().all(|hosts| hosts.may_have(source))
    }
}

#[cfg(test)]
mod tests;
