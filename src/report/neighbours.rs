//! Deploys of others near an incident: no cause, and worth knowing. `src/ui/neighbours.js` finds the same.

use super::model::{Deploy, MAX_DEPLOYS};
use super::people;
use super::safe::plain;
use crate::event::Record;
use crate::projection::incidents::{Shown, subject_of};
use crate::time::Timestamp;
use std::collections::VecDeque;
use std::ops::RangeInclusive;
use std::sync::Arc;
use std::time::Duration;

/// What a filter has for these records.
pub(super) const READ: &str = r#"{"type":["container"],"event":["create","destroy"]}"#;
/// So long before an incident a deploy is told.
const LOOKS_BACK: Duration = Duration::from_secs(600);
/// A container is removed so long before or after the one that takes its place is made.
const APART: Duration = Duration::from_secs(60);
/// Containers that wait for their other half, and deploys that a report chooses from.
const MAX_WAITING: usize = 500;
const MAX_FOUND: usize = 2000;

/// One container, made or removed.
struct Half {
    is_made: bool,
    time: Timestamp,
    id: String,
    source: Arc<str>,
    subject: String,
    container: String,
    image: String,
    is_service: bool,
}

/// Deploys of a range, in order of time.
#[derive(Default)]
pub(super) struct Neighbours {
    waiting: VecDeque<Half>,
    found: Vec<(Arc<str>, Deploy)>,
}

/// The time in which deploys may be near one of these.
pub(super) fn time<'a>(incidents: impl Iterator<Item = &'a Shown>, as_of: Timestamp) -> RangeInclusive<Timestamp> {
    let (mut from, mut to) = (Timestamp::MAX, Timestamp::MIN);
    for incident in incidents {
        from = from.min(begin(incident));
        to = to.max(incident.end.unwrap_or(as_of));
    }
    from..=to.checked_add(APART).unwrap_or(Timestamp::MAX)
}

/// A deploy in words.
pub(super) fn deployed(deploy: &Deploy) -> String {
    match (deploy.before == deploy.after, deploy.after.as_str()) {
        (_, "") => format!("{} re-created", deploy.subject),
        (true, image) => format!("{} re-created from {image}", deploy.subject),
        (false, image) => format!("{} deployed: {} → {image}", deploy.subject, deploy.before),
    }
}

/// How far a time is from the beginning of an incident.
pub(super) fn beside(time: Timestamp, start: Timestamp) -> String {
    if time < start {
        return format!("{} before it began", people::length(start.since(time)));
    }
    format!("{} after it began", people::length(time.since(start)))
}

fn begin(incident: &Shown) -> Timestamp {
    Timestamp::from_nanos(incident.start.nanos().saturating_sub(i64::try_from(LOOKS_BACK.as_nanos()).unwrap_or(0)))
}

fn apart(a: Timestamp, b: Timestamp) -> Duration {
    if a > b { a.since(b) } else { b.since(a) }
}

impl Neighbours {
    /// Takes the next record.
    pub(super) fn read(&mut self, id: &str, record: &Record) {
        if record.event.is_own() {
            return;
        }
        let view = record.event.view();
        let is_made = view.action.as_deref() == Some("create");
        let container = view.actor_id.as_deref().unwrap_or_default().to_owned();
        let half = Half {
            is_made,
            time: record.time,
            id: id.to_owned(),
            source: Arc::clone(&record.source),
            subject: plain(&subject_of(|key| view.attribute(key), &container)),
            container,
            image: view.attribute("image").map(plain).unwrap_or_default(),
            is_service: view.attribute("com.docker.compose.service").is_some()
                && view.attribute("com.docker.compose.oneoff") != Some("True"),
        };
        self.waiting.retain(|other| apart(other.time, half.time) <= APART);
        let is_other_half = |other: &Half| {
            other.is_made != is_made
                && other.source == half.source
                && other.subject == half.subject
                && other.container != half.container
                // A job that is run again under its name is made again, too.
                && (other.image != half.image || half.is_service)
        };
        let Some(other) = self.waiting.iter().position(is_other_half).and_then(|place| self.waiting.remove(place)) else {
            if self.waiting.len() >= MAX_WAITING {
                self.waiting.pop_front();
            }
            self.waiting.push_back(half);
            return;
        };
        let (made, gone) = if is_made { (half, other) } else { (other, half) };
        if self.found.len() < MAX_FOUND {
            let deploy = Deploy { record: made.id, time: made.time, subject: made.subject, before: gone.image, after: made.image };
            self.found.push((made.source, deploy));
        }
    }

    /// Those nearest to the beginning of an incident, in order of time.
    pub(super) fn of(&self, incident: &Shown, as_of: Timestamp) -> Vec<Deploy> {
        let within = begin(incident)..=incident.end.unwrap_or(as_of);
        let is_own = |subject: &str| incident.subject == subject || incident.subjects.iter().any(|part| part.key == subject);
        let mut near: Vec<Deploy> = self
            .found
            .iter()
            .filter(|(source, deploy)| **source == *incident.source && within.contains(&deploy.time) && !is_own(&deploy.subject))
            .map(|(_, deploy)| deploy.clone())
            .collect();
        near.sort_by_key(|deploy| apart(deploy.time, incident.start));
        near.truncate(MAX_DEPLOYS);
        near.sort_by_key(|deploy| deploy.time);
        near
    }
}
