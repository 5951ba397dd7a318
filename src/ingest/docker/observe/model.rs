//! What the events recorded so far imply: which things there are, and what state containers are in.

use super::snapshot::{Kind, MAX_ID_BYTES, Snapshot, State};
use crate::event::{Event, shortened};
use crate::time::Timestamp;
use std::collections::HashMap;
use std::time::Duration;

/// Things kept in mind: some ten times what the largest hosts have, and as many as fit the table of 64 Ki
/// places that a map of them has; the next larger one takes 4 MiB more. Beyond it new ones are not kept, nor
/// told.
const MAX_THINGS: usize = 57_344;
/// How ids of images begin.
const IMAGE_ID: &str = "sha256:";
/// `startedAt` and the event `start` are apart by less; a container that was started again unseen is further
/// apart.
const SAME_START: Duration = Duration::from_secs(10);

/// A thing, as far as events and earlier looks tell.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Implied {
    /// Of a container: `created`, `running`, `paused`, `exited`.
    state: Option<State>,
    exit_code: Option<i32>,
    name: Option<Box<str>>,
    /// [`Timestamp::MIN`] where that is not known.
    started: Timestamp,
}

/// A thing by its id.
pub(super) type Key = (Kind, Box<str>);

#[derive(Debug, Default)]
pub(super) struct Model {
    things: HashMap<Key, Implied>,
}

impl Model {
    /// Takes an event into account.
    pub(super) fn heard(&mut self, event: &Event) {
        let fields = event.fields();
        let (Some(kind), id) = (Kind::of_events(&fields.kind), fields.actor_id.as_ref()) else { return };
        // A prune has no actor; what it removes has events of its own. Whatever has a longer id than Docker's
        // is in no list that is read.
        if id.is_empty() || id.len() > MAX_ID_BYTES {
            return;
        }
        // Where an image was pulled, pushed or saved by name, the name stands for the id; lists do not have
        // it.
        if kind == Kind::Image && !id.starts_with(IMAGE_ID) {
            return;
        }
        let key = (kind, Box::from(id));
        match (kind, fields.action.as_ref()) {
            // The second spelling is Podman's.
            (Kind::Container | Kind::Network | Kind::Volume, "destroy" | "remove") | (Kind::Image, "delete") => {
                self.things.remove(&key);
            }
            (Kind::Container, "create") => self.enter(key, State::Created, event),
            (Kind::Container, "start" | "restart" | "unpause") => {
                let begins = fields.action != "unpause";
                let time = fields.time;
                self.enter(key.clone(), State::Running, event);
                if let Some(implied) = self.things.get_mut(&key).filter(|_| begins) {
                    implied.started = time.unwrap_or(Timestamp::MIN);
                }
            }
            (Kind::Container, "pause") => self.enter(key, State::Paused, event),
            (Kind::Container, "die" | "died") => {
                let exit_code = event.view().attribute("exitCode").and_then(code);
                self.enter(key.clone(), State::Exited, event);
                if let Some(implied) = self.things.get_mut(&key) {
                    implied.exit_code = exit_code;
                }
            }
            (Kind::Container, "rename") => {
                if let (Some(implied), Some(name)) = (self.things.get_mut(&key), event.view().attribute("name")) {
                    implied.name = Some(plain_name(name));
                }
            }
            (Kind::Network | Kind::Volume, "create") | (Kind::Image, _) => self.put(key, Implied::default()),
            (Kind::Container | Kind::Network | Kind::Volume, _) => {}
        }
    }

    fn enter(&mut self, key: Key, state: State, event: &Event) {
        if let Some(implied) = self.things.get_mut(&key) {
            implied.state = Some(state);
            return;
        }
        let name = event.view().attribute("name").map(plain_name);
        self.put(key, Implied { state: Some(state), name, ..Implied::default() });
    }

    fn put(&mut self, key: Key, implied: Implied) {
        if self.things.len() < MAX_THINGS || self.things.contains_key(&key) {
            self.things.insert(key, implied);
        }
    }

    /// Takes what was seen, and told, into account.
    pub(super) fn saw(&mut self, seen: &Snapshot) {
        let implied = Implied {
            state: seen.state(),
            name: seen.attribute("name").map(brief),
            exit_code: seen.attribute("exitCode").and_then(code),
            started: seen.started().unwrap_or(Timestamp::MIN),
        };
        self.put((seen.kind, Box::from(seen.id.as_str())), implied);
    }

    /// Forgets a thing that is gone.
    pub(super) fn forget(&mut self, key: &Key) {
        self.things.remove(key);
    }

    /// What was believed of a thing, if what was seen differs from it: `absent`, or the state, name or start
    /// that is no longer so.
    pub(super) fn differs(&self, seen: &Snapshot) -> Option<String> {
        let Some(implied) = self.things.get(&(seen.kind, Box::from(seen.id.as_str()))) else {
            return (self.things.len() < MAX_THINGS).then(|| "absent".to_owned());
        };
        if seen.kind != Kind::Container {
            return None;
        }
        // A state that is not known proves nothing.
        if seen.state().is_some() && implied.state != seen.state() {
            return Some(implied.state.map_or("unknown", State::name).to_owned());
        }
        // A rename to and from: what a look at the list alone shows has no name in some daemons' eyes.
        if let (Some(was), Some(is)) = (implied.name.as_deref(), seen.attribute("name"))
            && *was != *brief(is)
        {
            return Some(format!("named {was}"));
        }
        match (seen.state(), implied.exit_code, seen.attribute("exitCode").and_then(code)) {
            (Some(State::Exited), Some(was), Some(is)) if was != is => return Some(format!("exited with {was}")),
            _ => {}
        }
        match (seen.state(), implied.started, seen.started()) {
            (_, Timestamp::MIN, _) => None,
            (Some(State::Running), was, Some(is)) if is.since(was) > SAME_START => Some(format!("running since {was}")),
            _ => None,
        }
    }

    /// Things of a kind that are believed to be there, and are not among `listed`.
    pub(super) fn missing(&self, kind: Kind, listed: &[Snapshot]) -> Vec<Key> {
        let listed: std::collections::HashSet<&str> = listed.iter().filter(|seen| seen.kind == kind).map(|seen| seen.id.as_str()).collect();
        let believed = self.things.keys().filter(|(of, id)| *of == kind && !listed.contains(&**id));
        believed.cloned().collect()
    }

    /// What is believed of a thing, for the record that says that it is gone.
    pub(super) fn believed(&self, key: &Key) -> Option<(Option<Box<str>>, &'static str)> {
        self.things.get(key).map(|implied| (implied.name.clone(), implied.state.map_or("present", State::name)))
    }
}

/// Docker's API puts a slash in front of containers' names, its events do not.
fn plain_name(name: &str) -> Box<str> {
    brief(name.trim_start_matches('/'))
}

/// As much of a text as is kept in mind.
fn brief(text: &str) -> Box<str> {
    shortened(text, MAX_ID_BYTES).into()
}

/// An exit code. A text that is none proves nothing.
fn code(text: &str) -> Option<i32> {
    text.parse().ok()
}

#[cfg(test)]
mod tests;
