//! The same trouble on several hosts: which incidents of a list are told as one. It groups what is told
//! already and changes nothing of it: each incident keeps its id, its revisions and its own host's clock.

use super::bounds::ACROSS;
use super::kinds::{Kind, Severity, Standing};
use super::shown::Shown;
use crate::time::Timestamp;
use serde::{Deserialize, Serialize};
use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

/// An incident as it is told, as far as that is looked at.
#[derive(Debug, Clone, Deserialize)]
pub struct Told<'a> {
    #[serde(borrow)]
    id: Cow<'a, str>,
    kind: Kind,
    severity: Severity,
    state: Standing,
    #[serde(borrow)]
    title: Cow<'a, str>,
    #[serde(borrow)]
    source: Cow<'a, str>,
    #[serde(borrow)]
    subject: Cow<'a, str>,
    start: Timestamp,
    end: Option<Timestamp>,
    #[serde(borrow, default)]
    merged_into: Option<Cow<'a, str>>,
}

/// One subject that failed on several hosts at about the same time.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Across {
    /// One sentence.
    pub title: String,
    /// What it is about.
    pub subject: String,
    /// The worst symptom.
    pub kind: Kind,
    /// How bad the worst is.
    pub severity: Severity,
    /// Open while it goes on on one of them.
    pub state: Standing,
    /// When it began on the first host, by that host's clock.
    pub start: Timestamp,
    /// When it ended on the last one.
    pub end: Option<Timestamp>,
    /// Ids of the incidents, one a host, in order of their beginnings.
    pub incidents: Vec<String>,
    /// The Docker host of each.
    pub sources: Vec<String>,
}

impl Told<'_> {
    /// From an incident's JSON; `None` for one that another version of shipslog tells in other words.
    pub fn of_json(json: &str) -> Option<Told<'_>> {
        serde_json::from_str(json).ok()
    }

    /// What is about one subject, and not about a whole host.
    fn may_be_elsewhere(&self) -> bool {
        self.severity > Severity::Notice && self.merged_into.is_none() && is_of_subject(self.kind)
    }
}

/// Groups incidents of one subject that began on different Docker hosts within five minutes of the first of
/// them, by the clock of each. In order of their beginnings.
pub fn across(told: &[Told<'_>]) -> Vec<Across> {
    let mut of_subject: BTreeMap<&str, Vec<&Told<'_>>> = BTreeMap::new();
    for one in told.iter().filter(|one| one.may_be_elsewhere()) {
        of_subject.entry(&one.subject).or_default().push(one);
    }
    let mut groups = Vec::new();
    for mut all in of_subject.into_values() {
        all.sort_by(|a, b| (a.start, &a.source, &a.id).cmp(&(b.start, &b.source, &b.id)));
        while let Some(first) = all.first().copied() {
            let mut hosts = BTreeSet::new();
            let is_with = |one: &&Told<'_>| one.start.since(first.start) <= std::time::Duration::from_nanos(ACROSS.unsigned_abs());
            let (with, rest) = all.into_iter().partition::<Vec<_>, _>(|one| is_with(one) && hosts.insert(&*one.source));
            groups.extend(Across::of(&with));
            all = rest;
        }
    }
    groups.sort_by(|a, b| (a.start, &a.incidents).cmp(&(b.start, &b.incidents)));
    groups
}

/// Whether two incidents are of one subject on two Docker hosts and began at about the same time.
pub fn is_across(one: &Shown, other: &Shown) -> bool {
    let apart = one.start.nanos().saturating_sub(other.start.nanos()).saturating_abs();
    one.subject == other.subject && one.source != other.source && apart <= ACROSS && is_of_subject(one.kind) && is_of_subject(other.kind)
}

/// Whether a symptom is that of one subject, and not of a whole host.
fn is_of_subject(kind: Kind) -> bool {
    !matches!(kind, Kind::Mass | Kind::Host)
}

impl Across {
    /// `None` for fewer than two.
    fn of(with: &[&Told<'_>]) -> Option<Self> {
        let (first, hosts) = (with.first().filter(|_| with.len() > 1)?, with.len());
        let worst = with.iter().max_by_key(|one| (one.kind, std::cmp::Reverse(one.start))).unwrap_or(first);
        let title = if with.iter().all(|one| one.title == first.title) {
            format!("On {hosts} hosts: {}", first.title)
        } else {
            format!("On {hosts} hosts at about the same time: {}", worst.title)
        };
        let state = with.iter().map(|one| one.state).min().unwrap_or(Standing::Closed);
        Some(Self {
            title,
            subject: first.subject.to_string(),
            kind: worst.kind,
            severity: with.iter().map(|one| one.severity).max().unwrap_or(first.severity),
            state,
            start: first.start,
            end: if state == Standing::Closed { with.iter().filter_map(|one| one.end).max() } else { None },
            incidents: with.iter().map(|one| one.id.to_string()).collect(),
            sources: with.iter().map(|one| one.source.to_string()).collect(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(id: &str, source: &str, subject: &str, minute: i64) -> String {
        let start = Timestamp::from_nanos(minute * super::super::bounds::MINUTE);
        let (end, state) = if minute < 3 { (Some(Timestamp::from_nanos(start.nanos() + 1)), "closed") } else { (None, "open") };
        serde_json::json!({ "id": id, "kind": "crash", "severity": "minor", "state": state, "title": format!("{subject} crashed"),
            "source": source, "subject": subject, "start": start, "end": end, "more": [1] })
        .to_string()
    }

    fn groups(lines: &[String]) -> Vec<Across> {
        across(&lines.iter().filter_map(|line| Told::of_json(line)).collect::<Vec<_>>())
    }

    #[test]
    fn one_subject_on_several_hosts_at_once_is_one() {
        let lines = [
            told("a", "web-1", "shop/api", 0),
            told("b", "web-2", "shop/api", 5),
            told("c", "web-2", "shop/db", 1),
            told("d", "web-3", "shop/api", 6),
            told("e", "web-1", "shop/api", 1),
            told("f", "db-1", "shop/api", 2),
        ];
        let found = groups(&lines);
        let of: Vec<Vec<&str>> = found.iter().map(|group| group.incidents.iter().map(String::as_str).collect()).collect();
        // A second time on one host is another trouble, and what began too late for the first is of the next.
        assert_eq!(of, [vec!["a", "f", "b"], vec!["e", "d"]]);
        assert_eq!((&*found[0].title, found[0].state, found[0].end), ("On 3 hosts: shop/api crashed", Standing::Open, None));
        assert_eq!(found[0].sources, ["web-1", "db-1", "web-2"]);
        let mut turned = lines.to_vec();
        turned.reverse();
        assert_eq!(groups(&turned), found, "in whatever order they are listed");
    }

    #[test]
    fn what_differs_is_told_as_at_the_same_time_and_the_worst_is_said() {
        let other = told("b", "web-2", "shop/api", 1)
            .replace("shop/api crashed", "shop/api was killed for memory")
            .replace(r#""crash""#, r#""oom""#);
        let found = groups(&[told("a", "web-1", "shop/api", 0), other]);
        assert_eq!(found[0].title, "On 2 hosts at about the same time: shop/api was killed for memory");
        assert_eq!((found[0].kind, found[0].state, found[0].end.is_some()), (Kind::Oom, Standing::Closed, true));
    }

    #[test]
    fn one_host_notices_and_whole_hosts_are_no_groups() {
        let one = told("a", "web-1", "shop/api", 0);
        let elsewhere = told("b", "web-2", "shop/api", 0);
        for (of, with) in
            [("minor", "notice"), ("\"crash\"", "\"host\""), ("\"crash\"", "\"mass\""), ("web-2", "web-1"), ("\"crash\"", "\"new\"")]
        {
            assert_eq!(groups(&[one.clone(), elsewhere.replace(of, with)]), [], "{with}");
        }
        let merged = elsewhere.replace("\"more\"", "\"merged_into\":\"c\",\"more\"");
        assert_eq!(groups(&[one, merged]), []);
    }
}
