//! Records in: what each of them says.

use super::aside::Aside;
use super::bounds::{GRACE, MAX_FEW, MAX_SOURCES, MAX_SURROUNDINGS, MAX_TAGS, MAX_TEXT};
use super::container::{At, Container, Run, add_few};
use super::fleet::Host;
use super::state::{Around, Beginning, Source, State, Surrounding};
use super::subject::{Change, Difference};
use super::text::{bounded, cut};
use crate::event::{EventView, RECORDER_TYPE, Record, RecordView, TICK};

/// What is known of a record before its message is taken apart.
struct Head<'a> {
    at: At,
    /// When it came to this log.
    received: i64,
    source: &'a str,
    /// Of a record of a fleet.
    host: Option<Host<'a>>,
    /// The recorder's own.
    own: bool,
    noise: bool,
    kind: &'a str,
    action: &'a str,
}

impl State {
    /// Reads one record. Records come in order of sequence; one that was read already is passed over.
    pub(super) fn read(&mut self, record: &Record) {
        let event = &record.event;
        let Some(fields) = event.plain_fields() else { return self.read_view(&record.view()) };
        let at = At { time: record.time.nanos(), told: record.received.nanos(), seq: record.seq };
        let marks = event.marks();
        let (own, noise) = (!marks.foreign && fields.kind == RECORDER_TYPE, marks.noise.is_some());
        let head =
            Head { at, received: at.told, source: &record.source, host: None, own, noise, kind: &fields.kind, action: &fields.action };
        if let Some(source) = self.begin(&head) {
            source.read(&head, &event.view());
        }
    }

    /// The same for one whose message is taken apart already.
    pub(super) fn read_view(&mut self, record: &RecordView<'_>) {
        let view = &record.event;
        let (received, host) = (record.received.nanos(), Host::of(record));
        // A host's own clock, however late its records came here.
        let told = record.at_host.as_ref().map_or(received, |at_host| at_host.received.nanos());
        let at = At { time: record.time.nanos(), told, seq: record.seq };
        let (kind, action) = (view.kind.as_deref().unwrap_or_default(), view.action.as_deref().unwrap_or_default());
        let (own, noise) = (record.is_own(), record.marks.noise.is_some());
        let head = Head { at, received, source: &record.source, host, own, noise, kind, action };
        if let Some(host) = host.filter(|host| host.is_gap) {
            if self.begin(&head).is_some() {
                self.never_came(host, record);
            }
        } else if let Some(source) = self.begin(&head) {
            source.read(&head, view);
        }
    }

    /// Reads what can be told without the message: the Docker host where that is not all.
    fn begin(&mut self, head: &Head<'_>) -> Option<&mut Source> {
        let At { seq, told, .. } = head.at;
        if seq <= self.folded_to {
            return None;
        }
        self.folded_to = seq;
        self.clock = self.clock.max(head.received);
        self.end_loss(head.host, head.at);
        if let Some(lost) = self.lost.take() {
            self.sources_of(None).for_each(|source| source.lost(lost, head.at));
        }
        if head.noise || (!head.own && is_dull(head.kind, head.action)) {
            return None;
        }
        match head.action {
            "start" if head.own => {
                self.sources_of(head.host).for_each(|source| source.blind = true);
                return None;
            }
            "stop" if head.own => return None,
            TICK if head.own => {
                self.sources_of(head.host).for_each(|source| source.run_to(told));
                return None;
            }
            // What else it says of itself is about no Docker host.
            _ if head.host.is_some_and(|host| host.of_itself) => return None,
            _ => {}
        }
        let name = &*bounded(head.source, MAX_TEXT);
        if !self.sources.contains_key(name) {
            if self.sources.len() >= MAX_SOURCES {
                return None;
            }
            let beginning = if self.cut { Beginning::Cut } else { Beginning::Unknown };
            let aside = Aside { telling: self.telling.telling.clone(), ..Aside::default() };
            let partial = self.partial || (head.host.is_some() && self.sources_of(head.host).any(|source| source.partial));
            self.sources.insert(name.to_owned(), Source { beginning, partial, aside, ..Source::new(name) });
        }
        let source = self.sources.get_mut(name)?;
        source.in_fleet = head.host.is_some();
        Some(source)
    }
}

/// What no incident rests on: most of what a busy host says.
fn is_dull(kind: &str, action: &str) -> bool {
    match kind {
        "container" => {
            ["exec_create", "exec_start", "exec_die", "exec_detach"].iter().any(|dull| action.starts_with(dull))
                || matches!(
                    action,
                    "top"
                        | "attach"
                        | "detach"
                        | "resize"
                        | "archive-path"
                        | "extract-to-dir"
                        | "export"
                        | "copy"
                        | "commit"
                        | "checkpoint"
                )
        }
        "network" => false,
        "image" => action != "tag",
        "service" => action != "update",
        "volume" => matches!(action, "unmount"),
        _ => true,
    }
}

impl Source {
    fn read(&mut self, head: &Head<'_>, view: &EventView<'_>) {
        let at = head.at;
        self.run_to(at.told);
        match head.kind {
            _ if head.own => self.recorder(at, view),
            "container" => self.container(at, view),
            "network" => self.network(at, view),
            "volume" => self.volume(at, view),
            "image" if head.action == "tag" => self.tag(view),
            "service" if head.action == "update" => self.service(at, view),
            _ => {}
        }
        self.settle();
    }

    /// The container of an event, with what the event says of it.
    pub(super) fn know(&mut self, id: &str, view: &EventView<'_>) -> Option<&mut Container> {
        let clock = self.clock;
        if !self.containers.contains_key(id) {
            self.make_room();
            let subject = super::subject::key(|key| view.attribute(key), id);
            self.containers.insert(id.to_owned(), Box::new(Container::new(id, subject)));
        }
        let container = self.containers.get_mut(id)?;
        container.heard = clock;
        container.describe(view.attributes.iter().map(|(key, value)| (key.as_ref(), value.as_ref())));
        Some(container)
    }

    fn container(&mut self, at: At, view: &EventView<'_>) {
        let (Some(id), Some(action)) =
            (view.actor_id.as_deref().filter(|id| !id.is_empty() && id.len() <= MAX_TEXT), view.action.as_deref())
        else {
            return;
        };
        let (action, detail) = action.split_once(": ").map_or((action, None), |(action, detail)| (action, Some(detail)));
        let tells = matches!(action, "create" | "start" | "die" | "pause" | "unpause");
        let Some(container) = self.know(id, view) else { return };
        container.told = if tells { Some(at.seq) } else { container.told };
        match action {
            "create" => self.created(id, at),
            "start" => self.started(id, at),
            "kill" => self.killed(id, at, view),
            "stop" => self.stopped(id, at),
            "restart" => self.restarted(id, at),
            "oom" => self.oom(id, at),
            "die" => self.died(id, at, view),
            "destroy" => self.destroyed(id, at),
            "rename" => self.renamed(id, at, view),
            "pause" => self.paused(id, at),
            "unpause" => self.unpaused(id),
            "update" => self.updated(id, at),
            "health_status" => self.health(id, at, detail.or(view.health.as_deref()).unwrap_or_default()),
            _ => {}
        }
    }

    fn network(&mut self, at: At, view: &EventView<'_>) {
        let network = view.actor_id.as_deref().unwrap_or_default();
        let name = view.attribute("name").unwrap_or_default();
        let id = view.attribute("container").unwrap_or_default();
        match view.action.as_deref() {
            Some("connect") => {
                self.undone(at, Around::Network, name, Some(id));
                self.connected(id, network, name);
            }
            Some("create") => self.undone(at, Around::NetworkGone, name, None),
            Some("disconnect") => self.disconnected(id, at, network, name),
            Some("destroy" | "remove") => self.around(at, Around::NetworkGone, name, &format!("network {name} removed"), None),
            _ => {}
        }
    }

    fn volume(&mut self, at: At, view: &EventView<'_>) {
        let name = view.actor_id.as_deref().unwrap_or_default();
        match view.action.as_deref() {
            Some("mount") => {
                let id = view.attribute("container").unwrap_or_default();
                if let Some(container) = self.containers.get_mut(id) {
                    add_few(&mut container.volumes, name);
                }
            }
            Some("destroy" | "remove") => self.around(at, Around::VolumeGone, name, &format!("volume {name} removed"), None),
            Some("prune") => self.volumes_pruned(at, view.attribute("reclaimed") != Some("0")),
            // Until Engine 23 it is sent at every use.
            Some("create") if self.engine >= 23 => {
                self.around(at, Around::VolumeMade, name, &format!("volume {name} made anew, so it was empty"), None);
            }
            _ => {}
        }
    }

    /// What happened to a network is no more: it was made, or connected, again.
    fn undone(&mut self, at: At, what: Around, name: &str, container: Option<&str>) {
        for around in self.surroundings.iter_mut().filter(|around| around.what == what && around.until.is_none()) {
            if around.name == name && around.container.as_deref() == container {
                around.until = Some(at.time);
            }
        }
    }

    /// It names none, but newer Engines tell of each just before. One that frees nothing may still have taken
    /// empty ones.
    fn volumes_pruned(&mut self, at: At, freed: bool) {
        let mut told = false;
        for gone in self.surroundings.iter_mut().filter(|around| around.what == Around::VolumeGone) {
            if (0..GRACE).contains(&at.time.saturating_sub(gone.at.time)) && gone.container.is_none() {
                gone.text = cut(&format!("volumes pruned: {}", gone.text), MAX_TEXT);
                told = true;
            }
        }
        if freed && !told {
            self.around(at, Around::VolumesPruned, "", "volumes pruned", None);
        }
    }

    pub(super) fn around(&mut self, at: At, what: Around, name: &str, text: &str, container: Option<&str>) {
        if self.surroundings.len() >= MAX_SURROUNDINGS {
            self.surroundings.pop_front();
        }
        let container = container.map(str::to_owned);
        self.surroundings.push_back(Surrounding { at, until: None, what, name: cut(name, MAX_TEXT), text: cut(text, MAX_TEXT), container });
    }

    fn tag(&mut self, view: &EventView<'_>) {
        if let (Some(name), Some(id)) = (view.attribute("name"), view.actor_id.as_deref())
            && (self.tags.len() < MAX_TAGS || self.tags.contains_key(name))
        {
            self.tags.insert(cut(name, MAX_TEXT), cut(id, MAX_TEXT));
        }
    }

    /// A swarm service was updated: what differs stands in pairs of `.old` and `.new`.
    fn service(&mut self, at: At, view: &EventView<'_>) {
        let Some(name) = view.attribute("name").map(|name| cut(name, MAX_TEXT)) else { return };
        let state = view.attribute("updatestate.new");
        let mut differences = Vec::new();
        for (key, to) in &view.attributes {
            let Some(what) = key.strip_suffix(".new").filter(|what| *what != "updatestate") else { continue };
            if differences.len() < MAX_FEW {
                let from = view.attribute(&format!("{what}.old")).map(|from| cut(from, MAX_TEXT));
                differences.push(Difference { what: cut(what, MAX_TEXT), from, to: Some(cut(to, MAX_TEXT)) });
            }
        }
        let key = self.open_key(&name);
        if !differences.is_empty() {
            if let Some(key) = key {
                self.change(key, |incident| incident.act(at, "service updated", differences.clone()));
            }
            self.subject(&name).changed(Change { at, before: None, after: None, differences, more: 0 });
        }
        if let (Some(key), Some(state)) = (key, state.filter(|state| *state != "updating")) {
            self.change(key, |incident| incident.act(at, &format!("swarm: update {state}"), Vec::new()));
        }
    }

    fn connected(&mut self, id: &str, network: &str, name: &str) {
        let Some(container) = self.containers.get_mut(id) else { return };
        container.refused = None;
        container.connected = true;
        add_few(&mut container.plugged, network);
        add_few(&mut container.networks, name);
        self.timers.disarm(&super::timers::Timer::Refused(id.to_owned()));
    }

    fn disconnected(&mut self, id: &str, at: At, network: &str, name: &str) {
        let Some(container) = self.containers.get_mut(id) else { return };
        let unused = container.connected || !container.plugged.contains(network);
        let (run, subject) = (container.run, container.subject.clone());
        let refused = matches!(run, Run::Created | Run::Dead) && unused && !container.unsure;
        let unasked = run == Run::Running && container.kills.is_empty() && !matches!(name, "none" | "host" | "bridge");
        container.plugged.remove(network);
        container.connected = false;
        if refused {
            container.refused = Some(at);
            self.timers.arm(super::timers::Timer::Refused(id.to_owned()), at.told.saturating_add(GRACE));
        } else if unasked {
            self.around(at, Around::Network, name, &format!("network {name} disconnected from {subject}"), Some(id));
        }
    }
}
