//! What belongs together: one project in a short time, or many subjects at once.

use super::bounds::{CASCADE, CASCADE_EARLY, MASS, MASS_WITHIN, MAX_MEMBERS};
use super::container::At;
use super::incident::{Incident, Key, Kind, Resolution, Severity, Standing};
use super::shown::Shown;
use super::state::Source;
use super::subject::project;
use std::collections::{BTreeMap, BTreeSet};

/// How an incident takes part in groups.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Part {
    /// Not at all: notices, hosts, clean loops, a process inside that was killed.
    None,
    /// As a member: ill health lags, and a broken check is nobody's root.
    Member,
    /// As a root, too.
    Root,
}

fn part(incident: &Incident) -> Part {
    match incident.kind {
        // It says itself what it waits for, or that nobody started it.
        Kind::StartFailed if incident.is_left_behind() => Part::None,
        Kind::Crash | Kind::CrashLoop | Kind::StartFailed | Kind::Cascade => Part::Root,
        Kind::Oom if incident.deaths > 0 => Part::Root,
        Kind::Unhealthy => Part::Member,
        _ => Part::None,
    }
}

impl Source {
    /// Ends the reading of one record or timer: groups what began, and counts revisions.
    pub(super) fn settle(&mut self) {
        if self.touched.is_empty() {
            return;
        }
        for key in self.touched.clone() {
            self.aside.work += 1;
            self.group(key);
        }
        self.count_replicas();
        let touched = std::mem::take(&mut self.touched);
        let (mut leads, mut risen) = (BTreeSet::new(), BTreeSet::new());
        for key in &touched {
            let Some(incident) = self.incidents.get_mut(key) else { continue };
            // What was taken in told so with its last revision.
            if incident.merged_into.is_none() || !incident.gone {
                incident.revision += 1;
                incident.gone = incident.merged_into.is_some();
                risen.insert(*key);
            }
            let mut up = incident.merged_into;
            while let Some(lead) = up.filter(|lead| leads.insert(*lead)) {
                up = self.incidents.get(&lead).and_then(|lead| lead.merged_into);
            }
        }
        for lead in leads {
            if self.lead_changed(lead, touched.contains(&lead)) {
                risen.insert(lead);
            }
        }
        self.tell(&risen);
    }

    fn tell(&mut self, risen: &BTreeSet<Key>) {
        self.aside.revisions += risen.len() as u64;
        let Some(ids) = &self.aside.telling else { return };
        let told: Vec<Shown> =
            risen.iter().filter_map(|key| self.incidents.get(key)).map(|incident| Shown::of(self, incident, ids)).collect();
        self.aside.told.extend(told);
    }

    /// How many of its replicas are up, for those that changed.
    fn count_replicas(&mut self) {
        let leads = self.touched.iter().filter_map(|key| self.incidents.get(key)?.merged_into);
        let keys: BTreeSet<Key> = self.touched.iter().copied().chain(leads).collect();
        for key in keys {
            let subject =
                self.incidents.get(&key).filter(|one| one.severity > Severity::Notice && one.is_open()).map(|one| one.subject.clone());
            let Some(replicas) = subject.map(|subject| self.replicas(&subject)) else { continue };
            if let Some(incident) = self.incidents.get_mut(&key) {
                incident.replicas = replicas;
            }
        }
    }

    /// A group changes with its members. Whether that is a revision of its own.
    fn lead_changed(&mut self, lead: Key, counted: bool) -> bool {
        let standing = self.standing_of_members(lead);
        let Some(incident) = self.incidents.get_mut(&lead) else { return false };
        if incident.kind == Kind::Mass {
            (incident.standing, incident.end, incident.resolution) = standing;
        }
        // One that another took in has told so with its last revision.
        let rises = !counted && !incident.gone;
        incident.revision += u64::from(rises);
        rises
    }

    /// The state of a group: open while one of them is.
    pub(super) fn standing_of_members(&self, lead: Key) -> (Standing, Option<i64>, Option<Resolution>) {
        let Some(incident) = self.incidents.get(&lead) else { return (Standing::Closed, None, None) };
        let own = (incident.kind != Kind::Mass).then_some(incident);
        let all = || own.into_iter().chain(incident.members.iter().filter_map(|key| self.incidents.get(key)));
        let standing = all().map(|incident| incident.standing).min().unwrap_or(Standing::Closed);
        if standing != Standing::Closed {
            return (standing, None, None);
        }
        let mut by: BTreeMap<Resolution, usize> = BTreeMap::new();
        all().filter_map(|incident| incident.resolution).for_each(|how| *by.entry(how).or_default() += 1);
        let most = by.iter().max_by_key(|(how, count)| (**count, std::cmp::Reverse(**how))).map(|(how, _)| *how);
        (standing, all().filter_map(|incident| incident.end).max(), own.and_then(|own| own.resolution).or(most))
    }

    fn group(&mut self, key: Key) {
        let Some(incident) = self.incidents.get(&key) else { return };
        let now = part(incident);
        if now as u8 <= incident.grouped || incident.merged_into.is_some() || incident.severity == Severity::Notice {
            return;
        }
        let near = self.near(key);
        if let Some(incident) = self.incidents.get_mut(&key) {
            incident.grouped = now as u8;
        }
        if now == Part::Root && self.mass(key, &near) {
            return;
        }
        self.cascade(key, now, &near);
    }

    /// Incidents that began at about the same time, the newest ones.
    fn near(&mut self, key: Key) -> Vec<Key> {
        let Some(start) = self.incidents.get(&key).map(|incident| incident.start) else { return Vec::new() };
        self.aside.work += MAX_MEMBERS.min(self.incidents.len()) as u64;
        let newest = self.incidents.values().rev().take(MAX_MEMBERS);
        let near = newest.filter(|other| other.key != key && part(other) > Part::None && other.severity > Severity::Notice);
        near.filter(|other| other.start.saturating_sub(start).abs() <= CASCADE).map(|other| other.key).collect()
    }

    fn cascade(&mut self, key: Key, now: Part, near: &[Key]) {
        let Some(incident) = self.incidents.get(&key) else { return };
        let Some(project) = project(&incident.subject) else { return };
        let (subject, start) = (incident.subject.as_str(), incident.start);
        let mine = |other: &&Incident| {
            other.merged_into.is_none() && other.subject != subject && super::subject::project(&other.subject) == Some(project)
        };
        let others: Vec<&Incident> = near.iter().filter_map(|key| self.incidents.get(key)).filter(mine).collect();
        let earliest = if now == Part::Root { 0 } else { -CASCADE_EARLY };
        let leads =
            others.iter().filter(|other| part(other) == Part::Root && (earliest..=CASCADE).contains(&start.saturating_sub(other.start)));
        let lead = leads.min_by_key(|other| (other.start, other.key)).map(|lead| lead.key);
        if let Some(lead) = lead {
            self.join(key, lead);
        } else if now == Part::Root {
            let follows = |other: &&&Incident| {
                let after = other.start.saturating_sub(start);
                let earliest = if part(other) == Part::Root { 0 } else { -CASCADE_EARLY };
                (earliest..=CASCADE).contains(&after) && other.members.is_empty()
            };
            let members: Vec<Key> = others.iter().filter(follows).map(|other| other.key).collect();
            for member in members {
                self.join(member, key);
            }
        }
    }

    /// Whether it belongs to a failure of many.
    fn mass(&mut self, key: Key, near: &[Key]) -> bool {
        let Some(start) = self.incidents.get(&key).map(|incident| incident.start) else { return false };
        let within = |other: &&Incident| other.start.saturating_sub(start).abs() <= MASS_WITHIN;
        let others = || near.iter().filter_map(|key| self.incidents.get(key)).filter(within);
        if let Some(mass) = self
            .incidents
            .values()
            .rev()
            .take(MAX_MEMBERS)
            .find(|other| other.kind == Kind::Mass && (0..=MASS_WITHIN).contains(&start.saturating_sub(other.start)))
        {
            let mass = mass.key;
            self.join(key, mass);
            return true;
        }
        let mut all: Vec<&Incident> = others().filter(|other| part(other) == Part::Root).chain(self.incidents.get(&key)).collect();
        all.sort_by_key(|incident| (incident.start, incident.key));
        let window = all.iter().map(|first| {
            all.iter().filter(|other| (0..=MASS_WITHIN).contains(&other.start.saturating_sub(first.start))).collect::<Vec<_>>()
        });
        let apart = |members: &Vec<&&Incident>| {
            members.iter().map(|member| project(&member.subject).unwrap_or(&member.subject)).collect::<BTreeSet<_>>().len()
        };
        let Some(members) = window.into_iter().find(|members| apart(members) >= MASS) else { return false };
        let Some(first) = members.first() else { return false };
        let (at, known) =
            (At { time: first.start, told: first.known, seq: first.key.seq }, all.iter().map(|one| one.known).max().unwrap_or(first.known));
        let members: Vec<Key> = members.iter().filter(|member| member.merged_into.is_none()).map(|member| member.key).collect();
        let Some(mass) = self.free_key(at.seq, b'm', Kind::Mass) else { return false };
        let mut incident = Incident::new(mass, &self.name, Kind::Mass, at, known);
        incident.severity = Severity::Critical;
        self.open(incident);
        for member in members {
            self.join(member, mass);
        }
        true
    }

    fn join(&mut self, member: Key, lead: Key) {
        let Some(incident) = self.incidents.get(&member) else { return };
        let (subject, inner) = (incident.subject.clone(), incident.members.clone());
        let is_mass = lead.letter == b'm' || self.incidents.get(&lead).is_some_and(|lead| lead.kind == Kind::Mass);
        let link = self.incidents.get(&lead).map(|lead| self.link(&subject, &lead.subject));
        self.change(member, |incident| (incident.merged_into, incident.link) = (Some(lead), link));
        self.change(lead, |lead| {
            for key in std::iter::once(member).chain(inner) {
                if lead.members.len() < MAX_MEMBERS && !lead.members.contains(&key) {
                    lead.members.push(key);
                }
            }
            if lead.affected.len() < MAX_MEMBERS {
                lead.affected.insert(subject);
            }
            lead.severity = Severity::Critical;
            lead.kind = if is_mass { Kind::Mass } else { lead.kind.max(Kind::Cascade) };
        });
    }
}
