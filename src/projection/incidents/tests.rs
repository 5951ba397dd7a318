//! Whatever a daemon sends, what is remembered of it stays within its bounds.

use super::state::Source;
use super::*;
use crate::event::Event;

const MILLI: i64 = 1_000_000;
const BEGIN: i64 = 1_795_000_000_000 * MILLI;

struct Flood {
    state: State,
    seq: u64,
    now: i64,
}

impl Flood {
    fn new() -> Self {
        let mut flood = Self { state: State::default(), seq: 0, now: BEGIN };
        flood.own("connect", &[("engine", "28.5.2")]);
        flood.own("gap", &[("reason", "first-contact")]);
        flood.own("baseline", &[]);
        flood
    }

    fn wait(&mut self, millis: i64) -> &mut Self {
        self.now += millis * MILLI;
        self
    }

    fn push(&mut self, source: &str, event: Event) -> &mut Self {
        self.seq += 1;
        let time = Timestamp::from_nanos(self.now);
        step(&mut self.state, &Record { seq: self.seq, time, received: time, source: source.into(), event });
        self
    }

    fn own(&mut self, action: &str, attributes: &[(&str, &str)]) -> &mut Self {
        let time = Timestamp::from_nanos(self.now);
        self.push("one", Event::recorder(action, "one", attributes, time))
    }

    fn event(&mut self, kind: &str, action: &str, id: &str, attributes: &[(&str, &str)]) -> &mut Self {
        let attributes: serde_json::Map<String, serde_json::Value> =
            attributes.iter().map(|(key, value)| ((*key).to_owned(), (*value).into())).collect();
        let json =
            serde_json::json!({ "Type": kind, "Action": action, "Actor": { "ID": id, "Attributes": attributes }, "timeNano": self.now });
        self.push("one", Event::from_line(json.to_string().as_bytes()).unwrap())
    }

    fn of(&mut self, id: &str, action: &str, attributes: &[(&str, &str)]) -> &mut Self {
        let attributes: Vec<(&str, &str)> = [("name", id), ("image", "app:1")].into_iter().chain(attributes.iter().copied()).collect();
        self.event("container", action, id, &attributes)
    }

    fn one(&self) -> &Source {
        &self.state.sources["one"]
    }

    fn incident(&self) -> &incident::Incident {
        self.one().incidents.values().next().unwrap()
    }
}

#[test]
fn hosts_are_bounded_and_their_names_too() {
    let mut flood = Flood::new();
    for n in 0..MAX_SOURCES + 10 {
        let event = Event::from_line(br#"{"Type":"container","Action":"start","Actor":{"ID":"a","Attributes":{}},"timeNano":1}"#).unwrap();
        flood.push(&format!("{n}{}", "x".repeat(2 * MAX_TEXT)), event);
    }
    assert_eq!(flood.state.sources.len(), MAX_SOURCES);
    assert!(flood.state.sources.keys().all(|name| name.len() <= MAX_TEXT));
}

#[test]
fn subjects_containers_and_images_are_bounded() {
    let mut flood = Flood::new();
    for n in 0..MAX_SUBJECTS + 100 {
        flood.of(&n.to_string(), "create", &[]);
        if n % 20 == 0 {
            flood.event("image", "tag", &format!("sha256:{n}"), &[("name", &format!("app:{n}"))]);
        }
    }
    let one = flood.one();
    assert!(one.subjects.len() <= MAX_SUBJECTS && one.containers.len() <= MAX_CONTAINERS && one.containers.len() > MAX_CONTAINERS / 2);
    for n in 0..MAX_TAGS {
        flood.event("image", "tag", &format!("sha256:{n}"), &[("name", &format!("other:{n}"))]);
    }
    assert_eq!(flood.one().tags.len(), MAX_TAGS);
}

#[test]
fn open_incidents_are_bounded_and_the_rest_is_counted() {
    let mut flood = Flood::new();
    for n in 0..MAX_OPEN + 50 {
        // Far enough apart not to be one trouble.
        flood.of(&n.to_string(), "start", &[]).wait(20_000).of(&n.to_string(), "die", &[("exitCode", "1")]).wait(2500);
    }
    flood.wait(10_000).of("last", "create", &[]);
    let shown = view(&flood.state, &Ids::default(), Timestamp::from_nanos(flood.now));
    assert_eq!((shown.incidents.len(), shown.left_out), (MAX_OPEN, 50));
}

#[test]
fn incidents_that_are_over_are_bounded_and_taken_out_by_portions() {
    let mut flood = Flood::new();
    for n in 0..MAX_INCIDENTS + 20 {
        flood.of(&n.to_string(), "start", &[]).wait(5000).of(&n.to_string(), "die", &[("exitCode", "1")]);
        flood.wait(3000).of(&n.to_string(), "destroy", &[]);
        assert!(flood.one().incidents.len() <= MAX_INCIDENTS);
    }
    flood.wait(3_600_000).of("last", "create", &[]);
    let mut taken = 0;
    loop {
        let portion = flood.state.take_settled(&Ids::default()).len();
        assert!(portion <= SETTLED_AT_ONCE + MAX_MEMBERS);
        taken += portion;
        if portion == 0 {
            break;
        }
    }
    assert!(taken > MAX_INCIDENTS / 2 && flood.one().incidents.len() < 10, "{taken}");
}

#[test]
fn one_incident_is_bounded_in_all_its_parts() {
    let mut flood = Flood::new();
    flood.of("web", "start", &[]);
    for n in 0..300 {
        flood.wait(100).of("web", "die", &[("exitCode", &(n % 100 + 1).to_string())]).wait(200);
        flood.of("web", "update", &[]).of("web", "start", &[]).of("web", "restart", &[]);
    }
    for _ in 0..100 {
        flood.wait(1000).of("web", "health_status: unhealthy", &[]).wait(1000).of("web", "health_status: healthy", &[]);
    }
    flood.wait(3000).of("other", "create", &[]);
    let web = flood.incident();
    assert_eq!((web.first_deaths.len(), web.last_deaths.len(), web.deaths), (FIRST_DEATHS, LAST_DEATHS, 300));
    assert_eq!((web.evidence.len(), web.actions.len()), (MAX_EVIDENCE, MAX_ACTIONS));
    assert!(web.exits.len() <= MAX_FEW && web.phases.len() <= MAX_FEW && web.flaps.len() <= MAX_FEW && web.qualified.len() <= MAX_FEW);
    assert!(web.phases.iter().all(|phase| phase.causes.len() <= MAX_FEW));
    assert_eq!(flood.one().containers["web"].restarts.len(), MAX_RESTARTS);
    // Many reasons, and many containers of one subject.
    for n in 0..2 * MAX_GAPS {
        let from = Timestamp::from_nanos(flood.now - i64::try_from(n).unwrap() * 1000 * MILLI).to_string();
        flood.own("gap", &[("reason", "ring-overflow"), ("from", &from), ("until", &Timestamp::from_nanos(flood.now).to_string())]);
    }
    assert_eq!((flood.one().gaps.len(), flood.incident().qualified.len()), (MAX_GAPS, MAX_FEW));
}

#[test]
fn what_a_subject_and_a_container_remember_is_bounded() {
    let mut flood = Flood::new();
    let long = "x".repeat(10 * MAX_TEXT);
    for n in 0..2 * MAX_CHANGES {
        let id = format!("c{n}");
        let keys: Vec<String> = (0..100).map(|key| format!("label{key}")).collect();
        let value = format!("{n}{long}");
        let mut attributes: Vec<(&str, &str)> = keys.iter().map(|key| (key.as_str(), value.as_str())).collect();
        attributes.extend([("com.docker.compose.project", "shop"), ("com.docker.compose.service", "api")]);
        flood.of(&id, "create", &attributes).of(&id, "start", &[]).wait(1000);
        for n in 0..2 * MAX_FEW {
            flood.event("network", "connect", &format!("net{n}"), &[("container", &id), ("name", &format!("net{n}"))]);
            flood.event("volume", "mount", &format!("vol{n}"), &[("container", &id)]);
            flood.of(&id, "kill", &[("signal", "1")]);
        }
        let container = &flood.one().containers[&id];
        let bytes: usize = container.attributes.iter().map(|(key, value)| key.len() + value.len()).sum();
        assert!(bytes <= MAX_LABELS && container.attributes.iter().all(|(_, value)| value.len() <= MAX_TEXT));
        assert_eq!((container.networks.len(), container.volumes.len(), container.plugged.len()), (MAX_FEW, MAX_FEW, MAX_FEW));
        assert_eq!(container.kills.len(), MAX_FEW);
    }
    let changes = &flood.one().subjects["shop/api"].changes;
    assert_eq!(changes.len(), MAX_CHANGES);
    assert!(changes.iter().all(|change| change.differences.len() <= MAX_DIFFERENCES));
}

#[test]
fn what_happens_around_containers_is_bounded() {
    let mut flood = Flood::new();
    for n in 0..2 * MAX_ASKED {
        let id = n.to_string();
        flood.event("network", "destroy", &id, &[("name", &id)]);
        flood.of(&id, "start", &[]).wait(100).of(&id, "kill", &[("signal", "15")]).of(&id, "die", &[("exitCode", "0")]);
    }
    flood.wait(3000).of("last", "create", &[]);
    assert_eq!((flood.one().surroundings.len(), flood.one().asked.len()), (MAX_SURROUNDINGS, MAX_ASKED));
}

#[test]
fn a_failure_of_many_names_a_bounded_number() {
    let mut flood = Flood::new();
    for n in 0..2 * MAX_MEMBERS {
        flood.of(&n.to_string(), "start", &[]);
    }
    flood.wait(60_000);
    for n in 0..2 * MAX_MEMBERS {
        flood.of(&n.to_string(), "die", &[("exitCode", "1")]);
    }
    flood.wait(3000).of("last", "create", &[]);
    let mass = flood.one().incidents.values().find(|incident| incident.kind == Kind::Mass).unwrap();
    assert_eq!((mass.members.len(), mass.affected.len() <= MAX_MEMBERS), (MAX_MEMBERS, true));
}
