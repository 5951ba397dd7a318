//! Hosts of a fleet. Time passes for a host only as its own records tell by its own clock, among them the
//! `tick` that its recorder appends where time alone changes an incident. So it does not matter when they
//! came to the hub, nor that more of them may still come, and nobody has to know how far two clocks differ.

use super::bounds::MAX_SOURCES;
use super::container::At;
use super::state::{Lost, Source, State};
use crate::event::RecordView;
use std::ops::Bound;

/// The name under which a recorder tells of itself.
const SELF_SOURCE: &str = "shipslog";

/// The reason of a gap in the log of a host that was made of a part of another log.
const OF_AN_EXPORT: &str = "export";

/// The host that a record of a fleet comes from.
#[derive(Clone, Copy)]
pub(super) struct Host<'a> {
    /// Its name in the fleet.
    name: &'a str,
    /// The recorder says it of itself and not of a Docker host.
    pub(super) of_itself: bool,
    /// A server of the fleet says that records of the host will never come; the time is the hub's.
    pub(super) is_gap: bool,
}

impl<'a> Host<'a> {
    pub(super) fn of(record: &'a RecordView<'_>) -> Option<Self> {
        let at_host = record.at_host.as_ref()?;
        // A host's name holds no slash; after it stands the name of one of several Docker hosts.
        let name = record.source.split('/').next().unwrap_or_default();
        let of_itself = record.is_own() && at_host.source.as_ref().unwrap_or(&record.source) == SELF_SOURCE;
        // Only a server of a fleet tells the place in its stream.
        let is_gap = record.is_own() && record.event.action.as_deref() == Some("gap") && record.event.attribute("place").is_some();
        Some(Self { name, of_itself, is_gap })
    }
}

impl State {
    /// The Docker hosts of one host, or all that are in no fleet.
    pub(super) fn sources_of(&mut self, host: Option<Host<'_>>) -> impl Iterator<Item = &mut Source> {
        // '0' follows '/', so that what begins with the name and a slash lies before.
        let end = host.map(|host| format!("{}0", host.name));
        let bounds = match (&host, &end) {
            (Some(host), Some(end)) => (Bound::Included(host.name), Bound::Excluded(end.as_str())),
            _ => (Bound::Unbounded, Bound::Unbounded),
        };
        self.sources.range_mut::<str, _>(bounds).map(|(_, source)| source).filter(move |source| match host {
            Some(host) => source.is_of(host.name),
            None => !source.in_fleet,
        })
    }

    /// Records of a host are missing: what spans that place is not sure, once it is known where it ends.
    pub(super) fn never_came(&mut self, host: Host<'_>, record: &RecordView<'_>) {
        if record.event.attribute("reason") == Some(OF_AN_EXPORT) {
            self.sources_of(Some(host)).for_each(Source::is_partial);
            return;
        }
        let count = record.event.attribute("lost").and_then(|count| count.parse().ok()).unwrap_or(0);
        self.host_lost(host.name, count);
    }

    fn host_lost(&mut self, host: &str, count: u64) {
        if self.lost_of.len() >= MAX_SOURCES && !self.lost_of.contains_key(host) {
            return;
        }
        let of = Host { name: host, of_itself: false, is_gap: false };
        let from = self.sources_of(Some(of)).map(|source| source.clock).max().unwrap_or(i64::MIN);
        let lost = self.lost_of.entry(host.to_owned()).or_insert(Lost { count: 0, from });
        lost.count = lost.count.saturating_add(count);
    }

    /// Records of the fleet's log are missing, which may be of any host.
    pub(super) fn all_lost(&mut self, count: u64) {
        let in_fleet = self.sources.values().filter(|source| source.in_fleet);
        let hosts: std::collections::BTreeSet<String> = in_fleet.map(|source| host_of(&source.name).to_owned()).collect();
        for host in hosts {
            self.host_lost(&host, count);
        }
    }

    /// The next record of a host after some that are missing.
    pub(super) fn end_loss(&mut self, host: Option<Host<'_>>, at: At) {
        let Some(host) = host.filter(|host| !host.is_gap && !self.lost_of.is_empty()) else { return };
        if let Some(lost) = self.lost_of.remove(host.name) {
            self.sources_of(Some(host)).for_each(|source| source.lost(lost, at));
        }
    }
}

impl Source {
    fn is_of(&self, host: &str) -> bool {
        self.in_fleet && host_of(&self.name) == host
    }
}

fn host_of(source: &str) -> &str {
    source.split('/').next().unwrap_or_default()
}
