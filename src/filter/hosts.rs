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
mod tests {
    use super::super::{PartialSubject, Subject};
    use super::*;
    use crate::event::Event;
    use crate::time::Timestamp;

    #[test]
    fn names_end_with_a_star_or_are_whole() {
        let hosts = Hosts::parse("web-*,db-1").unwrap();
        for (source, had) in
            [("web-", true), ("web-17", true), ("web-17/a", true), ("web", false), ("db-1", true), ("db-12", false), ("", false)]
        {
            assert_eq!(hosts.have(source), had, "{source}");
        }
        assert_eq!((hosts.to_string(), Hosts::parse("db-1,web-*,db-1").unwrap()), ("db-1, web-*".to_owned(), hosts));
        for (list, why) in
            [("", HostsError::Missing), ("a,,b", HostsError::Missing), ("a,", HostsError::Missing), ("*-a", HostsError::Star)]
        {
            assert_eq!(Hosts::parse(list), Err(why), "{list}");
        }
        let many = (0..=MAX_FILTER_VALUES).map(|n| n.to_string()).collect::<Vec<_>>();
        assert_eq!(Hosts::parse(&many.join(",")), Err(HostsError::TooMany));
        assert!(Hosts::parse(&many[1..].join(",")).is_ok());
    }

    #[test]
    fn a_host_of_a_fleet_is_had_by_its_docker_hosts() {
        let hosts = Hosts::parse("web-1/a,db*").unwrap();
        assert!(hosts.have_part_of("web-1") && hosts.have_part_of("db-7"));
        assert!(!hosts.have_part_of("web") && !hosts.have_part_of("web-12") && !hosts.have("web-1"));
    }

    /// Whatever a filter asks for, nothing of another host passes: neither a record nor a loss, nor where
    /// only a part of a record is known.
    #[test]
    fn no_filter_reaches_another_host() {
        let hosts = Hosts::parse("a,b*").unwrap();
        let gap = Event::recorder("gap", "x", &[("reason", "daemon-restart")], Timestamp::from_nanos(5));
        let die = Event::from_line(br#"{"Type":"container","Action":"die","Actor":{"ID":"x"}}"#).unwrap();
        for (filters, exclude) in [
            ("", ""),
            (r#"{"source":["a","other","oth*"]}"#, ""),
            (r#"{"source":["*"]}"#, ""),
            (r#"{"event":["die"]}"#, ""),
            (r#"{"type":["recorder"]}"#, ""),
            ("", r#"{"source":["a"]}"#),
            (r#"{"source":[]}"#, ""),
        ] {
            let asked = Filter::from_params(Some(filters), Some(exclude)).unwrap();
            let ways = [
                asked.clone().within(&hosts),
                asked.clone().telling_losses().within(&hosts),
                asked.clone().within(&hosts).telling_losses(),
            ];
            let folded = asked.clone().within(&hosts).without("noise", "*");
            let forgetful = asked.clone().within(&hosts).not_asking_about("source");
            let docker = Filter::from_docker(filters).unwrap().within(&hosts);
            for filter in ways.into_iter().chain([folded, forgetful, docker]) {
                assert!(!filter.is_empty() && filter.is_within(&hosts));
                for source in ["other", "ab", ""] {
                    assert!(!filter.wants_source(source), "{filters} {exclude} {source}");
                    for event in [&gap, &die] {
                        let view = event.view();
                        let subject = Subject { source, noise: None, foreign: false, event: &view };
                        assert!(!filter.matches(&subject) && !filter.shows(&subject), "{filters} {exclude} {source}");
                        let whole = |text| Key { text, whole: true };
                        let kind = whole(view.kind.as_deref().unwrap());
                        let action = whole(view.action.as_deref().unwrap());
                        let partial = PartialSubject { source: whole(source), kind, action, id: whole("x"), name: whole("") };
                        assert!(!filter.may_match(&partial), "{filters} {exclude} {source}");
                    }
                }
            }
        }
        let both = Filter::default().within(&hosts).within(&Hosts::parse("b1").unwrap());
        assert!(both.wants_source("b1") && !both.wants_source("a") && !both.wants_source("b2"), "two conditions hold both");
        assert_ne!(Filter::default(), Filter::default().within(&hosts), "nothing that is kept by filter is shared");
    }

    /// Within its hosts a filter is what it was.
    #[test]
    fn within_its_hosts_nothing_is_hidden() {
        let hosts = Hosts::parse("a*").unwrap();
        let gap = Event::recorder("gap", "x", &[("reason", "daemon-restart")], Timestamp::from_nanos(5));
        for filters in ["", r#"{"event":["die"]}"#, r#"{"source":["a1"]}"#] {
            let plain = Filter::from_params(Some(filters), None).unwrap().telling_losses();
            let narrow = plain.clone().within(&hosts);
            for source in ["a1", "a2", "a"] {
                let subject = Subject { source, noise: None, foreign: false, event: &gap.view() };
                assert_eq!(narrow.matches(&subject), plain.matches(&subject), "{filters} {source}");
                let beginning = |text| Key { text, whole: false };
                let part = PartialSubject {
                    source: beginning(""),
                    kind: beginning("rec"),
                    action: beginning("g"),
                    id: beginning(""),
                    name: beginning(""),
                };
                assert_eq!(narrow.may_match(&part), plain.may_match(&part), "{filters}");
            }
        }
    }
}
