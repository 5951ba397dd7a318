use super::*;

fn container(config: &str) -> String {
    format!(r#"{{"Config":{config}}}"#)
}

fn learn(probes: &Probes, id: &str, container: &str) {
    probes.learn(id, &Fields::of(container).unwrap());
}

fn event(container: &str, action: &str, exec: &str, more: &str) -> Event {
    let action = serde_json::Value::from(action);
    let line =
        format!(r#"{{"Type":"container","Action":{action},"Actor":{{"ID":"{container}","Attributes":{{"execID":"{exec}"{more}}}}}}}"#);
    Event::from_line(line.as_bytes()).unwrap()
}

#[test]
fn command_lines_are_those_of_the_events() {
    for (config, expected) in [
        (r#"{"Healthcheck":{"Test":["CMD-SHELL","curl -f \"http://x\" || exit 1"]}}"#, Some(r#"/bin/sh -c curl -f "http://x" || exit 1"#)),
        (r#"{"Healthcheck":{"Test":["CMD-SHELL","x"]},"Shell":["/bin/bash","-eo","pipefail","-c"]}"#, Some("/bin/bash -eo pipefail -c x")),
        (r#"{"Healthcheck":{"Test":["CMD-SHELL","x"]},"Shell":[]}"#, Some("/bin/sh -c x")),
        (r#"{"Healthcheck":{"Test":["CMD","/check","--fast","a b"]}}"#, Some("/check --fast a b")),
        (r#"{"Healthcheck":{"Test":["CMD","/check"]}}"#, Some("/check ")),
        (r#"{"Healthcheck":{"Test":["CMD"]}}"#, None),
        (r#"{"Healthcheck":{"Test":["NONE"]}}"#, None),
        (r#"{"Healthcheck":{"Test":[]}}"#, None),
        (r#"{"Healthcheck":{}}"#, None),
        ("{}", None),
        // Of a kind that was not expected.
        ("null", None),
        (r#"{"Healthcheck":null}"#, None),
        (r#"{"Healthcheck":{"Test":"NONE"},"Shell":"x"}"#, None),
        (r#"{"Healthcheck":{"Test":["CMD","/check",null,5]},"Shell":{}}"#, Some("/check 5")),
    ] {
        assert_eq!(command(&Fields::of(&container(config)).unwrap()).as_deref(), expected, "{config}");
    }
}

#[test]
fn probes_are_marked_from_create_to_die_and_nothing_else_is() {
    let probes = Probes::default();
    learn(&probes, "c1", &container(r#"{"Healthcheck":{"Test":["CMD-SHELL","true"]}}"#));
    learn(&probes, "c2", &container("{}"));
    let marker = probes.marker(None);
    let marked = |event: Event| marker.mark(event).noise().is_some();
    for (action, exec, expected) in [
        ("exec_create: /bin/sh -c true", "e1", true),
        ("exec_create: /bin/sh -c ls", "e2", false),
        ("exec_start: /bin/sh -c true", "e1", true),
        ("exec_start: /bin/sh -c ls", "e2", false),
        ("exec_die", "e2", false),
        ("exec_die", "e1", true),
        ("exec_die", "e1", true),
        ("health_status: healthy", "e1", false),
        ("die", "e1", false),
    ] {
        assert_eq!(marked(event("c1", action, exec, "")), expected, "{action} {exec}");
    }
    assert!(!marked(event("c2", "exec_create: /bin/sh -c true", "e3", "")), "another container's command");
    // What a newer daemon says counts, whatever the command is.
    assert!(!marked(event("c1", "exec_create: /bin/sh -c true", "e4", r#","execType":"exec""#)));
    assert!(marked(event("c9", "exec_die", "e5", r#","execType":"healthcheck""#)));
    let plain = event("c1", "exec_create: /bin/sh -c ls", "e2", "");
    assert_eq!(marker.mark(plain.clone()), plain, "the message stays as it is");
}

#[test]
fn an_unknown_container_is_asked_for_once() {
    let (ask, mut asked) = mpsc::channel(1);
    let probes = Probes::default();
    let marker = Marker { probes: probes.clone(), ask, _asking: None };
    let probe = |id: &str| marker.mark(event(id, "exec_create: /bin/sh -c true", "e", "")).noise().is_some();
    assert!(!probe("c1") && !probe("c1"));
    assert!(!probe("c2"), "nobody waits for a place in the queue");
    assert_eq!((asked.try_recv(), asked.try_recv().is_err()), (Ok("c1".to_owned()), true));
    assert!(!probe("c2"));
    assert_eq!(asked.try_recv(), Ok("c2".to_owned()), "it was asked for the next time");
    learn(&probes, "c1", &container(r#"{"Healthcheck":{"Test":["CMD-SHELL","true"]}}"#));
    assert!(probe("c1"));
}

#[test]
fn long_texts_are_not_remembered() {
    let (probes, long) = (Probes::default(), "x".repeat(1 << 20));
    learn(&probes, "c1", &container(&format!(r#"{{"Healthcheck":{{"Test":["CMD","{long}"]}}}}"#)));
    assert_eq!(probes.containers.get("c1"), Some(Probe::None));
    let (ask, mut asked) = mpsc::channel(1);
    let marker = Marker { probes: probes.clone(), ask, _asking: None };
    marker.mark(event(&long, "exec_create: x", "e", ""));
    assert!(asked.try_recv().is_err() && probes.containers.len() == 1);
    learn(&probes, "c2", &container(r#"{"Healthcheck":{"Test":["CMD","x"]}}"#));
    marker.mark(event("c2", "exec_create: x ", &long, ""));
    assert_eq!(probes.execs.len(), 0);
}

#[test]
fn memory_is_bounded() {
    let probes = Probes::default();
    let known = container(r#"{"Healthcheck":{"Test":["CMD","x"]}}"#);
    let marker = probes.marker(None);
    for n in 0..2 * MAX_KNOWN {
        learn(&probes, &n.to_string(), &known);
        marker.mark(event(&n.to_string(), "exec_create: x ", &n.to_string(), ""));
    }
    assert!(probes.containers.len() <= MAX_KNOWN && probes.execs.len() <= MAX_PROBES);
}
