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
mod tests {
    use super::*;

    fn event(kind: &str, action: &str, id: &str, attributes: &str, seconds: i64) -> Event {
        let line = format!(
            r#"{{"Type":"{kind}","Action":"{action}","Actor":{{"ID":"{id}","Attributes":{attributes}}},"timeNano":{}}}"#,
            seconds * 1_000_000_000
        );
        Event::from_line(line.as_bytes()).unwrap()
    }

    fn seen(state: &str, more: &[(&str, &str)]) -> Snapshot {
        let mut seen = Snapshot::labelled(Kind::Container, "c1", Timestamp::now(), []);
        for (key, value) in [("state", state)].iter().chain(more) {
            seen.set(key, Some((*value).to_owned()));
        }
        seen
    }

    fn lived(events: &[(&str, &str, i64)]) -> Model {
        let mut model = Model::default();
        for (action, attributes, at) in events {
            model.heard(&event("container", action, "c1", attributes, *at));
        }
        model
    }

    const NAMED: &str = r#"{"name":"web"}"#;
    const DIED: &str = r#"{"name":"web","exitCode":"3"}"#;

    #[test]
    fn what_events_told_is_no_news() {
        let model = lived(&[("create", NAMED, 1), ("start", NAMED, 2)]);
        let running = [("name", "web"), ("startedAt", "1970-01-01T00:00:02.1Z")];
        assert_eq!(model.differs(&seen("running", &running)), None);
        let model = lived(&[("create", NAMED, 1), ("start", NAMED, 2), ("die", DIED, 3)]);
        assert_eq!(model.differs(&seen("exited", &[("name", "web"), ("exitCode", "3")])), None);
        assert_eq!(model.differs(&seen("restarting", &[("name", "web")])), None, "its policy will start it, with an event");
        let model = lived(&[("start", NAMED, 2), ("pause", NAMED, 3), ("rename", r#"{"name":"other"}"#, 4)]);
        assert_eq!(model.differs(&seen("paused", &[("name", "other")])), None);
    }

    #[test]
    fn what_no_event_told_is_news() {
        let model = lived(&[("create", NAMED, 1), ("start", NAMED, 2)]);
        assert_eq!(model.differs(&seen("exited", &[("exitCode", "6")])).as_deref(), Some("running"));
        assert_eq!(model.differs(&seen("running", &[("name", "x")])).as_deref(), Some("named web"));
        let again = seen("running", &[("startedAt", "1970-01-01T00:01:00Z")]);
        assert_eq!(model.differs(&again).as_deref(), Some("running since 1970-01-01T00:00:02.000000000Z"));
        let model = lived(&[("start", NAMED, 2), ("die", DIED, 3)]);
        assert_eq!(model.differs(&seen("exited", &[("exitCode", "0")])).as_deref(), Some("exited with 3"));
        assert_eq!(Model::default().differs(&seen("created", &[])).as_deref(), Some("absent"));
        assert_eq!(model.missing(Kind::Container, &[]), [(Kind::Container, "c1".into())]);
        assert_eq!(model.missing(Kind::Container, &[seen("exited", &[])]), []);
    }

    /// Docker's events of pulls and pushes have an image's name where those of tags have its id, as lists do.
    #[test]
    fn a_pulled_image_is_not_missing_under_its_name() {
        let mut model = Model::default();
        for action in ["pull", "push", "save"] {
            model.heard(&event("image", action, "nginx:1", r#"{"name":"nginx"}"#, 1));
        }
        assert_eq!(model.missing(Kind::Image, &[Snapshot::labelled(Kind::Image, "sha256:f4", Timestamp::now(), [])]), []);
    }

    #[test]
    fn a_state_that_nobody_knows_is_no_news() {
        let model = lived(&[("start", NAMED, 2)]);
        assert_eq!(model.differs(&seen("teleported", &[("name", "web")])), None);
        assert_eq!(model.differs(&Snapshot::labelled(Kind::Container, "c1", Timestamp::now(), [])), None);
        let mut unknown = Model::default();
        unknown.saw(&seen("teleported", &[]));
        assert_eq!(unknown.differs(&seen("running", &[])).as_deref(), Some("unknown"));
    }

    #[test]
    fn memory_is_bounded_in_number_and_size() {
        let (mut model, long) = (Model::default(), "x".repeat(1 << 20));
        model.heard(&event("container", "start", &long, NAMED, 1));
        assert!(model.things.is_empty());
        model.heard(&event("container", "start", "c1", &format!(r#"{{"name":"{long}"}}"#), 1));
        model.heard(&event("container", "die", "c1", &format!(r#"{{"exitCode":"{long}"}}"#), 2));
        let implied = model.things.values().next().unwrap();
        assert!(implied.name.as_ref().unwrap().len() < 600 && implied.exit_code.is_none());
        assert!(size_of::<(Key, Implied)>() <= 64, "{}", size_of::<(Key, Implied)>());
        assert_eq!(model.differs(&seen("exited", &[("name", &long), ("exitCode", &long)])), None, "cut in the same way");
        for n in 0..MAX_THINGS + 5 {
            model.put((Kind::Volume, n.to_string().into()), Implied::default());
        }
        assert_eq!(model.things.len(), MAX_THINGS);
        let one_more = Snapshot::labelled(Kind::Volume, "v", Timestamp::now(), []);
        assert_eq!(model.differs(&one_more), None, "it would be told at each look");
    }

    #[test]
    fn things_without_a_state_come_and_go() {
        let mut model = Model::default();
        for (kind, action) in [("network", "create"), ("network", "connect"), ("volume", "create"), ("image", "tag"), ("volume", "prune")] {
            model.heard(&event(kind, action, if action == "prune" { "" } else { "sha256:x" }, "{}", 1));
        }
        for kind in [Kind::Network, Kind::Volume, Kind::Image] {
            assert_eq!(model.missing(kind, &[]).len(), 1, "{kind:?}");
            assert_eq!(model.differs(&Snapshot::labelled(kind, "sha256:x", Timestamp::now(), [])), None);
        }
        for (kind, action) in [("network", "destroy"), ("volume", "destroy"), ("image", "delete"), ("container", "destroy")] {
            model.heard(&event(kind, action, "sha256:x", "{}", 1));
        }
        assert!(model.things.is_empty());
    }
}
