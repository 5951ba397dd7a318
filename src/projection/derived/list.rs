//! Lists of incidents: those that are over from the stretches, the others from the fold.

use super::folded::Stretch;
use super::known::{Known, Lost};
use super::sidecar::{Closed, Row};
use crate::cursor::Sequence;
use crate::filter::Hosts;
use crate::log::{EventLog, LogError};
use crate::projection::incidents::{Kind, Severity, Shown, Standing, View};
use crate::time::Timestamp;
use std::collections::BTreeMap;
use std::ops::RangeInclusive;
use std::sync::Arc;

/// Which incidents are asked for.
#[derive(Debug, Clone)]
pub struct Asked {
    /// Those that overlap this time.
    pub range: RangeInclusive<Timestamp>,
    /// In this state; `Open` has those that recover as well.
    pub state: Option<Standing>,
    /// At least so bad.
    pub severity: Severity,
    /// Of one kind.
    pub kind: Option<Kind>,
    /// About this subject or container.
    pub subject: Option<String>,
    /// The last that began first.
    pub newest_first: bool,
    /// At most so many.
    pub limit: usize,
    /// After the one with this id.
    pub after: Option<String>,
}

/// A part of a list.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Listed {
    /// Incidents, each as JSON.
    pub incidents: Vec<String>,
    /// How many notices there are.
    pub notices: usize,
    /// The id after which the list goes on.
    pub next: Option<String>,
    /// The id after which it was to go on is not in it.
    pub unknown_cursor: bool,
    /// The time that they are judged at.
    pub as_of: Timestamp,
    /// The newest record that was read.
    pub folded_to: Sequence,
    /// Troubles that found no room.
    pub left_out: u64,
}

/// One incident, if it is known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Told {
    /// As JSON.
    Incident(String),
    /// Its records are gone.
    Gone,
    /// There is none.
    Unknown,
}

/// Where an incident is told.
#[derive(Debug, Clone, Copy)]
enum Place {
    Stored(usize, usize),
    Live(usize),
}

impl Asked {
    fn wants(&self, row: &Row, state: Standing, as_of: Timestamp) -> bool {
        !row.merged && row.facts(state).fit(&self.range, self.state, self.kind, as_of)
    }

    fn may_be_in(&self, stretch: &Stretch) -> bool {
        stretch.rows.iter().any(|row| self.wants(row, Standing::Closed, Timestamp::MAX))
    }
}

fn is_about(about: &[String], subject: Option<&String>) -> bool {
    subject.is_none_or(|subject| about.contains(subject))
}

impl Known {
    /// Incidents as of now: of everything that the log holds by now. What was received after `as_of` and has
    /// been read already is told as well, so that the time of the answer may be a later one. `log`: this log
    /// as whoever asks may read it.
    ///
    /// # Errors
    /// When the log cannot be read.
    pub async fn list(self: &Arc<Self>, log: &Arc<dyn EventLog>, asked: Asked, as_of: Timestamp) -> Result<Listed, LogError> {
        let (head, hosts) = (self.log.bounds().head, log.hosts().cloned());
        self.answer(head, move |known| {
            let (view, stretches) = {
                let folded = known.folded.read();
                let folded = folded.as_ref().ok_or(Lost)?;
                (known.view(folded, as_of.max(folded.state.clock())), folded.stretches.clone())
            };
            known.listed(&asked, view, &stretches, hosts.as_ref())
        })
        .await
    }

    /// Whether the record in an incident's id is of this log.
    fn owns(&self, id: &str) -> bool {
        let first = id.len().checked_sub(1).and_then(|end| id.get(..end)).and_then(|first| first.parse().ok());
        first.is_some_and(|first| self.log.owns(first))
    }

    /// What is over by the end of these stretches, and what goes on or was over later; of these Docker hosts.
    pub(super) fn listed(&self, asked: &Asked, view: View, stretches: &[Arc<Stretch>], hosts: Option<&Hosts>) -> Result<Listed, Lost> {
        let oldest = self.log.bounds().oldest;
        let view = view.within(hosts);
        // A row tells neither.
        let in_text = asked.subject.is_some() || hosts.is_some();
        let live: Vec<&Shown> = view.incidents.iter().chain(&view.notices).collect();
        let mut loaded: BTreeMap<usize, Vec<Closed>> = BTreeMap::new();
        let mut found: Vec<(Row, Place)> = Vec::new();
        for (at, stretch) in stretches.iter().enumerate() {
            if in_text && asked.may_be_in(stretch) {
                loaded.insert(at, self.stored(stretch)?.closed().ok_or(Lost)?);
            }
            for (place, row) in stretch.rows.iter().enumerate() {
                let told = || loaded.get(&at).and_then(|closed| closed.get(place));
                let is_wanted = |told: &Closed| is_about(&told.about, asked.subject.as_ref()) && is_of(&told.json, hosts);
                if row.seq >= oldest && asked.wants(row, Standing::Closed, view.as_of) && (!in_text || told().is_some_and(is_wanted)) {
                    found.push((*row, Place::Stored(at, place)));
                }
            }
        }
        for (at, shown) in live.iter().enumerate() {
            let row = Row::of(shown);
            let about = || Closed::of(shown).map(|closed| closed.about).unwrap_or_default();
            if asked.wants(&row, shown.state, view.as_of) && (asked.subject.is_none() || is_about(&about(), asked.subject.as_ref())) {
                found.push((row, Place::Live(at)));
            }
        }
        let notices = found.iter().filter(|(row, _)| row.severity == Severity::Notice).count();
        found.retain(|(row, _)| row.severity >= asked.severity);
        found.sort_by_key(|(row, _)| row.order());
        if asked.newest_first {
            found.reverse();
        }
        let (as_of, folded_to, left_out) = (view.as_of, view.folded_to, view.left_out);
        let mut listed = Listed { notices, as_of, folded_to, left_out, ..Listed::default() };
        if let Some(after) = &asked.after {
            let key = key_of(after).filter(|_| self.owns(after));
            match found.iter().position(|(row, _)| Some((row.seq, row.letter)) == key) {
                Some(place) => drop(found.drain(..=place)),
                None => listed.unknown_cursor = true,
            }
        }
        let more = found.len() > asked.limit;
        found.truncate(asked.limit);
        for (_, place) in found {
            listed.incidents.push(match place {
                Place::Live(at) => live.get(at).and_then(|shown| serde_json::to_string(shown).ok()).ok_or(Lost)?,
                Place::Stored(at, place) => {
                    if let (false, Some(stretch)) = (loaded.contains_key(&at), stretches.get(at)) {
                        loaded.insert(at, self.stored(stretch)?.closed().ok_or(Lost)?);
                    }
                    loaded.get(&at).and_then(|closed| closed.get(place)).map(|closed| closed.json.clone()).ok_or(Lost)?
                }
            });
        }
        if more {
            listed.next = listed.incidents.last().and_then(|json| id_of(json));
        }
        Ok(listed)
    }

    /// One incident, also one that another took in. `log`: as in [`Known::list`].
    ///
    /// # Errors
    /// When the log cannot be read.
    pub async fn one(self: &Arc<Self>, log: &Arc<dyn EventLog>, id: String, as_of: Timestamp) -> Result<Told, LogError> {
        let (bounds, hosts) = (self.log.bounds(), log.hosts().cloned());
        let Some((seq, letter)) = key_of(&id).filter(|(seq, _)| *seq > 0 && self.owns(&id)) else { return Ok(Told::Unknown) };
        if seq < bounds.oldest {
            return Ok(Told::Gone);
        }
        self.answer(bounds.head, move |known| {
            let (view, stretches) = {
                let folded = known.folded.read();
                let folded = folded.as_ref().ok_or(Lost)?;
                (known.view(folded, as_of).within(hosts.as_ref()), folded.stretches.clone())
            };
            let live = view.incidents.iter().chain(&view.notices).chain(&view.merged).find(|shown| shown.id == id);
            if let Some(json) = live.and_then(|shown| serde_json::to_string(shown).ok()) {
                return Ok(Told::Incident(json));
            }
            for stretch in stretches {
                if let Some(place) = stretch.rows.iter().position(|row| (row.seq, row.letter) == (seq, letter)) {
                    let closed = known.stored(&stretch)?.closed().ok_or(Lost)?;
                    let json = closed.into_iter().nth(place).map(|closed| closed.json).ok_or(Lost)?;
                    let is_it = id_of(&json).as_ref() == Some(&id) && is_of(&json, hosts.as_ref());
                    return Ok(if is_it { Told::Incident(json) } else { Told::Unknown });
                }
            }
            Ok(Told::Unknown)
        })
        .await
    }
}

/// Record and letter of an incident's id.
fn key_of(id: &str) -> Option<(Sequence, u8)> {
    let (digits, letter) = id.rsplit_once('-')?.1.split_at_checked(id.rsplit_once('-')?.1.len().checked_sub(1)?)?;
    let letter = letter.bytes().next().filter(u8::is_ascii_lowercase)?;
    Some((digits.parse().ok()?, letter))
}

/// Whether an incident is one of these Docker hosts.
pub(super) fn is_of(json: &str, hosts: Option<&Hosts>) -> bool {
    #[derive(serde::Deserialize)]
    struct WithSource {
        source: String,
    }
    hosts.is_none_or(|hosts| serde_json::from_str::<WithSource>(json).is_ok_and(|one| hosts.have(&one.source)))
}

fn id_of(json: &str) -> Option<String> {
    #[derive(serde::Deserialize)]
    struct WithId {
        id: String,
    }
    serde_json::from_str::<WithId>(json).ok().map(|one| one.id)
}
