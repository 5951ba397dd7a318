use super::*;

#[test]
fn lines_break_between_words_and_none_is_too_long() {
    assert_eq!(wrap("aa bb cc", 5), ["aa bb", "cc"]);
    assert_eq!(wrap("aaaaaaa b", 3), ["aaa", "aaa", "a b"]);
    assert_eq!(wrap("a\u{1b}[2Jb", 20), [r"a\u{1b}[2Jb"]);
    assert_eq!(wrap("", 5), [""]);
}

#[test]
fn an_incident_is_told_in_sentences() {
    let teller = Teller { zone: Tz::UTC, as_of: Timestamp::from_nanos(90_000_000_000_000) };
    let mut told = Told {
        id: "0000000a-1c".into(),
        kind: "crash-loop".into(),
        severity: "major".into(),
        state: "open".into(),
        title: "api crashed 3 times".into(),
        source: "host-1".into(),
        start: "1970-01-01T00:00:10.5Z".into(),
        cause: vec![
            Cause { kind: "exit-code".into(), time: Some("1970-01-01T00:00:10Z".into()), text: "exit 1".into(), ..Cause::default() },
            Cause {
                kind: "deploy".into(),
                time: Some("1970-01-01T00:00:09Z".into()),
                text: "deploy: image a:1 -> a:2".into(),
                ..Cause::default()
            },
        ],
        subject: "shop/api".into(),
        ..Told::default()
    };
    let plain = |told: &Told| anstream::adapter::strip_str(&teller.tell(told)).to_string();
    assert_eq!(
        plain(&told),
        "major     api crashed 3 times\n          It began at 1970-01-01 00:00:10+00:00 and goes on, for 1 d 0 h so far.\n          \
         What events say: at 00:00:09 deploy: image a:1 -> a:2; at 00:00:10 exit 1. Why it exited\n          \
         with 1, events do not say: look at its logs.\n          \
         No event is known to be missing. crash-loop on host-1, 0000000a-1c\n"
    );
    for (text, may) in [
        ("1c", true),
        ("1", true),
        ("0000000a-1", true),
        ("0000000b-1c", true),
        ("shop/api", true),
        ("api", true),
        ("2c", false),
        ("", false),
    ] {
        assert_eq!(told.may_be(text), may, "{text}");
    }
    assert_eq!(told.name(), "0000000a-1c (crash-loop of shop/api)");
    told.end = Some("1970-01-02T00:00:10.5Z".into());
    told.state = "closed".into();
    told.resolution = Some("redeployed".into());
    told.confidence = "qualified".into();
    told.qualified = vec!["events may be missing: ring-overflow".into()];
    let text = plain(&told);
    assert!(text.contains("; 1 d 0 h later, at 1970-01-02 00:00:10+00:00, it was\n          well since it was re-created."), "{text}");
    assert!(text.contains("may be incomplete: events may be missing: ring-overflow."), "{text}");
    assert!(text.lines().all(|line| line.chars().count() <= COLUMNS));
    let next = "One of them in full: shipslog report ID, with the same --file, --data-dir or --url.\n";
    let sum = teller.sum(&[told], 2);
    assert_eq!(
        sum,
        format!("1 incident, which is over; 2 notices (--severity notice shows them); as of 1970-01-02\n01:00:00+00:00.\n{next}")
    );
    let of = |resolution: &str, severity: &str| Told {
        state: "closed".into(),
        severity: severity.into(),
        resolution: Some(resolution.into()),
        ..Told::default()
    };
    let said = |all: &[Told]| teller.sum(all, 0).split(';').next().unwrap_or_default().to_owned();
    assert_eq!(
        said(&[of("removed", "major"), of("recovered", "minor"), of("removed", "minor"), of("removed", "notice")]),
        "3 incidents, all over (2 of them only because what failed was removed)"
    );
    assert_eq!(said(&[of("removed", "major")]), "1 incident, which is over only because what failed was removed");
    assert_eq!(said(&[of("removed", "major"), of("removed", "major")]), "2 incidents, all over (only because what failed was removed)");
    assert_eq!(teller.sum(&[], 0), "No incident; as of 1970-01-02 01:00:00+00:00.\n");
}

#[test]
fn one_trouble_on_many_hosts_is_told_once() {
    let teller = Teller { zone: Tz::UTC, as_of: Timestamp::from_nanos(90_000_000_000_000) };
    let lines: Vec<String> = (1..=12)
        .map(|n| {
            format!(
                r#"{{"id":"0000000a-{n}c","kind":"crash","severity":"minor","state":"open","title":"shop/api crashed","source":"web-{n}","subject":"shop/api","start":"1970-01-01T00:00:{n:02}.000000000Z","end":null}}"#
            )
        })
        .collect();
    let told = lines.iter().map(|line| serde_json::from_str(line).unwrap()).collect();
    let alike: Vec<_> = lines.iter().filter_map(|line| crate::projection::incidents::Told::of_json(line)).collect();
    let told = Told::across(told, &crate::projection::incidents::across(&alike));
    assert_eq!(told.len(), 1);
    let text = anstream::adapter::strip_str(&teller.tell(&told[0])).to_string();
    assert!(text.starts_with("minor     On 12 hosts: shop/api crashed\n"), "{text}");
    let joined = text.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(joined.ends_with("Also on web-2 (0000000a-2c), web-3 (0000000a-3c), web-4 (0000000a-4c), web-5 (0000000a-5c), web-6 (0000000a-6c), web-7 (0000000a-7c), web-8 (0000000a-8c), web-9 (0000000a-9c) and 3 more."), "{text}");
    assert!(text.lines().all(|line| line.chars().count() <= COLUMNS));
    assert!(teller.sum(&told, 0).starts_with("1 incident, which is open;"));
}
