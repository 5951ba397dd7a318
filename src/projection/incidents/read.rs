//! Records in: what each of them says.

use super::bounds::{GRACE, MAX_FEW, MAX_SOURCES, MAX_SURROUNDINGS, MAX_TAGS, MAX_TEXT};
use super::container::{At, Container, Run, add_few};
use super::state::{Around, Beginning, Source, State, Surrounding};
use super::subject::{Change, Difference};
use super::text::cut;
use crate::event::{EventView, Record};

/// When a record was told: what timers count from.
fn told(record: &Record) -> i64 {
    record.received.nanos()
}

impl State {
    /// Reads one record. Records come in order of sequence; one that was read already is passed over.
    pub(super) fn read(&mut self, record: &Record) {
        if record.seq <= self.folded_to {
            return;
        }
        self.folded_to = record.seq;
        let told = told(record);
        self.clock = self.clock.max(told);
        if let Some(lost) = self.lost.take() {
            let at = At { time: record.time.nanos(), told, seq: record.seq };
            self.sources.values_mut().for_each(|source| source.lost(lost, at));
        }
        if record.event.noise().is_some() {
            return;
        }
        let fields = record.event.fields();
        let own = record.event.is_own();
        if !own && is_dull(&fields.kind, &fields.action) {
            return;
        }
        let at = At { time: record.time.nanos(), told, seq: record.seq };
        if own && fields.action == "start" {
            self.sources.values_mut().for_each(|source| source.blind = true);
            return;
        }
        if own && fields.action == "stop" {
            return;
        }
        let name = &*cut(&record.source, MAX_TEXT);
        if !self.sources.contains_key(name) {
            if self.sources.len() >= MAX_SOURCES {
                return;
            }
            let beginning = if self.cut { Beginning::Cut } else { Beginning::Unknown };
            self.sources.insert(name.to_owned(), Source { beginning, partial: self.partial, ..Source::new(name) });
        }
        let Some(source) = self.sources.get_mut(name) else { return };
        if own {
            source.run_to(told);
            source.recorder(at, &record.event.view());
        } else {
            source.run_to(told);
            match &*fields.kind {
                "container" => source.container(at, &record.event.view()),
                "network" => source.network(at, &record.event.view()),
                "volume" => source.volume(at, &record.event.view()),
                "image" if fields.action == "tag" => source.tag(&record.event.view()),
                "service" if fields.action == "update" => source.service(at, &record.event.view()),
                _ => {}
            }
        }
        source.settle();
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
    /// The container of an event, with what the event says of it.
    pub(super) fn know(&mut self, id: &str, view: &EventView<'_>) -> &mut Container {
        let clock = self.clock;
        if !self.containers.contains_key(id) {
            self.make_room();
            let subject = super::subject::key(|key| view.attribute(key), id);
            self.containers.insert(cut(id, MAX_TEXT), Box::new(Container::new(id, subject)));
        }
        let container = self.containers.entry(cut(id, MAX_TEXT)).or_insert_with(|| Box::new(Container::new(id, id.to_owned())));
        container.heard = clock;
        container.describe(view.attributes.iter().map(|(key, value)| (key.as_ref(), value.as_ref())));
        container
    }

    fn container(&mut self, at: At, view: &EventView<'_>) {
        let (Some(id), Some(action)) =
            (view.actor_id.as_deref().filter(|id| !id.is_empty() && id.len() <= MAX_TEXT), view.action.as_deref())
        else {
            return;
        };
        let (action, detail) = action.split_once(": ").map_or((action, None), |(action, detail)| (action, Some(detail)));
        let tells = matches!(action, "create" | "start" | "die" | "pause" | "unpause");
        let container = self.know(id, view);
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
