//! What would have been told, by the same plan: incidents go in as they change, messages come out, and nobody
//! is told.

use super::message;
use super::plan::{Occasion, Seen};
use super::told::Memory;
use super::{Decision, Hook, Mute, PACE, decide};
use crate::projection::incidents::Shown;
use crate::time::Timestamp;
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

/// How long it takes until what is muted is looked at again.
const MUTED: Duration = Duration::from_secs(60);

/// A message that would have been sent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Unsent {
    /// When.
    pub time: Timestamp,
    /// To which hook.
    pub hook: String,
    /// Why then.
    pub occasion: String,
    /// The incident.
    pub incident: String,
    /// Its `webhook-id`.
    pub id: String,
    /// In one sentence.
    pub text: String,
    /// What would have been posted.
    pub body: String,
}

/// Hooks that are asked what they would tell.
pub struct Rehearsal {
    hooks: Vec<(Hook, Memory)>,
    mutes: Vec<Mute>,
    /// Incidents that something may still be told of.
    seen: BTreeMap<String, Seen>,
    /// When which hook looks at which incident.
    looks: BTreeSet<(Timestamp, usize, String)>,
}

impl Rehearsal {
    /// Of hooks that were there from a time on.
    pub fn new(hooks: Vec<Hook>, mutes: Vec<Mute>, since: Timestamp) -> Self {
        let with_memory = |hook| {
            let mut memory = Memory::default();
            memory.begin(since);
            (hook, memory)
        };
        Self { hooks: hooks.into_iter().map(with_memory).collect(), mutes, seen: BTreeMap::new(), looks: BTreeSet::new() }
    }

    /// Incidents have changed at a time. What would have been sent before it, and not been asked for yet,
    /// comes first.
    pub fn changed(&mut self, now: Timestamp, revisions: &[Shown], unsent: &mut impl FnMut(Unsent)) {
        self.until(now, unsent);
        for seen in revisions.iter().filter_map(|shown| Seen::of(&serde_json::to_string(shown).ok()?)) {
            // What comes within one look is one message.
            let at = now.checked_add(PACE).unwrap_or(now);
            for hook in 0..self.hooks.len() {
                self.looks.insert((at, hook, seen.id.clone()));
            }
            self.seen.insert(seen.id.clone(), seen);
        }
    }

    /// What would have been sent up to a time.
    pub fn until(&mut self, now: Timestamp, unsent: &mut impl FnMut(Unsent)) {
        while let Some((at, hook, id)) = self.looks.first().filter(|(at, ..)| *at <= now).cloned() {
            self.looks.remove(&(at, hook, id.clone()));
            self.look(at, hook, &id, unsent);
            if self.seen.get(&id).is_some_and(Seen::is_over) && !self.looks.iter().any(|(_, _, other)| *other == id) {
                self.seen.remove(&id);
            }
        }
    }

    fn look(&mut self, at: Timestamp, number: usize, id: &str, unsent: &mut impl FnMut(Unsent)) {
        let (Some((hook, memory)), Some(seen)) = (self.hooks.get_mut(number), self.seen.get(id)) else { return };
        match decide(hook, memory, &self.mutes, seen, at) {
            Decision::Tell(occasion) => {
                unsent(message_of(hook, memory, seen, occasion, at));
                memory.tell(seen, occasion);
                self.looks.insert((at.checked_add(PACE).unwrap_or(at), number, id.to_owned()));
            }
            Decision::Later(Some(next)) if next > at => {
                self.looks.insert((next, number, id.to_owned()));
            }
            Decision::Muted if !seen.is_over() => {
                self.looks.insert((at.checked_add(MUTED).unwrap_or(Timestamp::MAX), number, id.to_owned()));
            }
            Decision::Later(_) | Decision::Muted | Decision::Never => {}
        }
    }
}

fn message_of(hook: &Hook, memory: &Memory, seen: &Seen, occasion: Occasion, time: Timestamp) -> Unsent {
    let before = memory.of(&seen.id).map(|told| told.severity);
    let id = format!("{}.{}", seen.id, seen.revision);
    let body = message::of(hook, seen, occasion, (before, time), &id).body;
    let (hook, occasion) = (hook.name.clone(), (occasion.to_string(), message::text(seen, occasion)));
    Unsent { time, hook, occasion: occasion.0, incident: seen.id.clone(), id, text: occasion.1, body }
}

impl std::fmt::Debug for Rehearsal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Rehearsal").finish_non_exhaustive()
    }
}
