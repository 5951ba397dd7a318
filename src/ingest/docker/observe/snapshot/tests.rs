use super::*;

#[test]
fn fields_win_over_labels_and_never_is_left_out() {
    let container = Fields::of(
        r#"{"Id":"c1","Name":"/web","Config":{"Image":"nginx:1","Labels":{"name":"x","b":"2","startedAt":"y","was":"z"}},
                "State":{"Status":"exited","ExitCode":137,"StartedAt":"0001-01-01T00:00:00Z","FinishedAt":"2026-11-22T10:49:37.1Z"}}"#,
    )
    .unwrap();
    let expected = [
        ("b", "2"),
        ("exitCode", "137"),
        ("finishedAt", "2026-11-22T10:49:37.1Z"),
        ("image", "nginx:1"),
        ("kind", "container"),
        ("name", "web"),
        ("state", "exited"),
    ];
    let seen = Snapshot::container("c1", Timestamp::now(), &container);
    assert_eq!(seen.attributes(), expected);
    assert_eq!((seen.state(), seen.started()), (Some(State::Exited), None));
}

#[test]
fn lists_tell_names_and_states() {
    let listed = |json| Snapshot::listed(Kind::Container, Timestamp::now(), &Fields::of(json).unwrap());
    let seen = listed(r#"{"Id":"c1","Names":["/other/link","/web"],"State":"running","Image":"nginx:1","Labels":{"a":"b"}}"#).unwrap();
    assert_eq!(seen.attributes(), [("a", "b"), ("image", "nginx:1"), ("kind", "container"), ("name", "web"), ("state", "running")]);
    assert!(listed("{}").is_err() && listed(&format!(r#"{{"Id":"{}"}}"#, "c".repeat(513))).is_err());
}

/// As Podman, older and newer Engines, and things that only pass for one have them.
#[test]
fn whatever_a_field_is_the_others_are_read() {
    let listed = |kind, json: &str| {
        let seen = Snapshot::listed(kind, Timestamp::now(), &Fields::of(json).unwrap()).unwrap();
        let attributes: Vec<String> = seen.attributes().iter().map(|(key, value)| format!("{key}={value}")).collect();
        (attributes.join(" "), seen.state().map(State::name))
    };
    for (json, expected, state) in [
        (r#"{"Id":"c","Names":["/a"],"State":"stopped","Ports":[{"Type":"quic"}]}"#, "kind=container name=a state=stopped", Some("exited")),
        (r#"{"Id":"c","Names":null,"State":"Running","Labels":{"a":null,"b":7}}"#, "a= b=7 kind=container state=Running", Some("running")),
        (r#"{"Id":"c","Names":"a","State":"teleported","Labels":[]}"#, "kind=container name=a state=teleported", None),
        (r#"{"Id":"c","Name":"/a","State":null,"Status":"Up 3 minutes (Paused)"}"#, "kind=container name=a state=paused", Some("paused")),
        (r#"{"Id":"c","State":{"Status":"exited"},"Labels":"x"}"#, "kind=container state=exited", Some("exited")),
        (r#"{"Id":"c","State":7,"Image":{},"Health":{"Status":"odd"}}"#, "kind=container state=7", None),
        (r#"{"Id":"c","Status":"Exited (3) 4 minutes ago"}"#, "kind=container state=exited", Some("exited")),
        (r#"{"Id":"c"}"#, "kind=container", None),
    ] {
        assert_eq!(listed(Kind::Container, json), (expected.to_owned(), state), "{json}");
    }
    let text = |kind, json| listed(kind, json).0;
    assert_eq!(text(Kind::Network, r#"{"Id":"n","Name":"a","Labels":null,"Peers":7,"Scope":[]}"#), "kind=network name=a");
    assert_eq!(text(Kind::Volume, r#"{"Name":"v","Driver":null,"Scope":"odd","Labels":null}"#), "kind=volume name=v");
    assert_eq!(text(Kind::Image, r#"{"Id":"i","RepoTags":null,"Labels":null,"Created":"then"}"#), "kind=image");
    assert_eq!(text(Kind::Image, r#"{"Id":"i","RepoTags":["<none>:<none>","a:1","b:2"]}"#), "kind=image name=a:1 tags=a:1,b:2");
}

#[test]
fn an_inspection_of_any_kind_is_read() {
    for (json, expected) in [
        (r#"{"State":{"Status":"running","ExitCode":null,"Healthcheck":{"Status":""}},"Config":null}"#, "kind=container state=running"),
        (r#"{"Name":7,"State":"exited","Config":{"Labels":{"a":[1]}}}"#, "a=[1] kind=container name=7 state=exited"),
        (
            r#"{"State":{"Running":true,"Health":"odd","StartedAt":7,"ExitCode":"3"}}"#,
            "exitCode=3 kind=container startedAt=7 state=running",
        ),
        ("{}", "kind=container"),
    ] {
        let seen = Snapshot::container("c", Timestamp::now(), &Fields::of(json).unwrap());
        let attributes: Vec<String> = seen.attributes().iter().map(|(key, value)| format!("{key}={value}")).collect();
        assert_eq!(attributes.join(" "), expected, "{json}");
    }
}
