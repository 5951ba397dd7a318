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
