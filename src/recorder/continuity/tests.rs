use super::*;

fn event(n: i64) -> Event {
    Event::from_line(
        format!(r#"{{"Type":"container","Action":"start","Actor":{{"ID":"c","Attributes":{{"a":"1","b":"2"}}}},"timeNano":{n}}}"#)
            .as_bytes(),
    )
    .unwrap()
}

/// As after storing these.
fn remembering<'a>(stored: impl Iterator<Item = &'a Event>, all: bool) -> Continuity {
    let hasher = RandomState::new();
    let remembered = |event| Remembered::event(&hasher, event);
    Continuity::remembering(hasher.clone(), stored.map(remembered), all)
}

fn verdict(stored: std::ops::Range<i64>, replay: std::ops::Range<i64>) -> (&'static str, Option<&'static str>) {
    let mut continuity = remembering(stored.map(event).collect::<Vec<_>>().iter(), true);
    continuity.connected();
    let replayed = u64::try_from(replay.end - replay.start).unwrap();
    replay.map(event).for_each(|e| {
        continuity.is_new(&e);
    });
    let verdict = continuity.judge(replayed, None, Timestamp::now());
    (verdict.action, verdict.reason)
}

#[test]
fn judges_by_the_overlap() {
    assert_eq!(verdict(0..0, 0..10), ("gap", Some("first-contact")));
    assert_eq!(verdict(0..10, 5..20), ("resumed", None));
    assert_eq!(verdict(0..300, 299..555), ("resumed", None));
    assert_eq!(verdict(0..300, 300..556), ("gap", Some("ring-overflow")));
    assert_eq!(verdict(0..300, 300..310), ("gap", Some("daemon-restart")));
    assert_eq!(verdict(0..300, 0..0), ("gap", Some("daemon-restart")));
}

#[test]
fn an_event_that_comes_twice_in_a_replay_is_no_overlap() {
    let mut continuity = remembering([event(1)].iter(), true);
    continuity.connected();
    assert!(continuity.is_new(&event(9)));
    assert!(!continuity.is_new(&event(9)));
    assert_eq!(continuity.judge(2, None, Timestamp::now()).action, "gap");
}

#[test]
fn lines_in_doubt_prove_nothing() {
    let overlapping = |doubt: u64, ring: std::ops::Range<i64>| {
        let mut continuity = remembering((0..2000).map(event).collect::<Vec<_>>().iter(), true);
        continuity.doubt(Doubt { lines: doubt, since: Timestamp::from_nanos(7) });
        continuity.connected();
        let count = u64::try_from(ring.end - ring.start).unwrap();
        for e in ring.map(event) {
            continuity.is_new(&e);
        }
        continuity.judge(count, None, Timestamp::now())
    };
    let gap = overlapping(1200, 1760..2016);
    assert_eq!((gap.reason, gap.from), (Some("ring-overflow"), Some(Timestamp::from_nanos(7).to_string())));
    assert_eq!(gap.last_stored, Some(Timestamp::from_nanos(1999).to_string()));
    assert_eq!(overlapping(1200, 799..1055).action, "resumed", "the ring reaches back to what is beyond doubt");
    assert_eq!(overlapping(10_000, 0..256).action, "gap");
}

#[test]
fn a_replay_that_was_cut_short_leaves_the_rest_of_the_ring_to_be_looked_up() {
    let mut continuity = remembering([event(9)].iter(), false);
    continuity.connected();
    assert_eq!(continuity.judge(0, None, Timestamp::now()).reason, Some("daemon-restart"));
    assert!(continuity.is_doubtful(&event(1)), "it may be in the log");
    continuity.connected();
    continuity.saw_ring();
    assert!(!continuity.is_doubtful(&event(1)));
}

/// The old stream is read on until there is another, and continues after the hole.
#[test]
fn what_comes_behind_lines_in_doubt_proves_nothing_either() {
    let mut continuity = remembering((0..2000).map(event).collect::<Vec<_>>().iter(), true);
    continuity.doubt(Doubt { lines: 1200, since: Timestamp::from_nanos(7) });
    (3000..3020).for_each(|n| assert!(continuity.is_new(&event(n))));
    continuity.connected();
    for e in (2774..3030).map(event) {
        continuity.is_new(&e);
    }
    assert_eq!(continuity.judge(256, None, Timestamp::now()).reason, Some("ring-overflow"));
    // Once that is told, they are as good as any.
    continuity.connected();
    assert!(!continuity.is_new(&event(3029)));
    assert_eq!(continuity.judge(1, None, Timestamp::now()).action, "resumed");
}

#[test]
fn what_was_redacted_is_known_still() {
    let line = |action: &str, token: &str| {
        Event::from_line(
            format!(r#"{{"Type":"container","Action":"{action}","Actor":{{"ID":"c","Attributes":{{"execID":"e1","token":"{token}"}}}},"timeNano":5}}"#)
                .as_bytes(),
        )
        .unwrap()
    };
    let stored = line("exec_start: [redacted]", "[redacted]");
    let mut continuity = remembering([&stored].into_iter(), true);
    assert!(!continuity.is_new(&line("exec_start: psql secret", "t0p")));
    assert!(is_same(&stored, &line("exec_start: x", "y")));
    assert!(continuity.is_new(&line("exec_create: psql secret", "t0p")));
}

#[test]
fn evidence_names_the_range() {
    let mut continuity = remembering([event(5)].iter(), true);
    continuity.connected();
    continuity.is_new(&event(9));
    let verdict = continuity.judge(1, Some(Timestamp::from_nanos(9)), Timestamp::from_nanos(10));
    let attributes = verdict.attributes();
    assert!(attributes.contains(&("from", "1970-01-01T00:00:00.000000005Z")), "{attributes:?}");
    assert!(attributes.contains(&("until", "1970-01-01T00:00:00.000000009Z")), "{attributes:?}");
}

#[test]
fn a_gap_never_ends_before_it_begins() {
    let hour = 3_600_000_000_000;
    let mut continuity = remembering([event(2 * hour)].iter(), true);
    continuity.connected();
    continuity.is_new(&event(9));
    let verdict = continuity.judge(1, Some(Timestamp::from_nanos(9)), Timestamp::from_nanos(10));
    assert_eq!(verdict.reason, Some("daemon-restart"));
    assert_eq!((verdict.from.as_deref(), &*verdict.until), (Some("1970-01-01T00:00:00.000000009Z"), "1970-01-01T02:00:00.000000000Z"));
}

#[test]
fn same_event_in_another_spelling_is_known() {
    let mut continuity = remembering([event(5)].iter(), true);
    let other = r#"{"status":"start","id":"c","Type":"container","Action":"start","Actor":{"ID":"c","Attributes":{"b":"2","a":"1"}},"scope":"local","time":0,"timeNano":5}"#;
    assert!(!continuity.is_new(&Event::from_line(other.as_bytes()).unwrap()));
    assert!(continuity.is_new(&event(6)));
}

#[test]
fn memory_is_bounded() {
    let mut continuity = remembering([].iter(), true);
    (0..10_000).for_each(|n| assert!(continuity.is_new(&event(n))));
    assert_eq!((continuity.known.len(), continuity.order.len()), (MEMORY, MEMORY));
}

#[test]
fn a_history_that_was_broken_off_is_a_gap_whatever_was_known_in_it() {
    let mut continuity = remembering((0..10).map(event).collect::<Vec<_>>().iter(), true);
    continuity.connected();
    for n in 5..12 {
        let _ = continuity.is_new(&event(n));
    }
    let verdict = continuity.judge_without_proof(Timestamp::from_nanos(99));
    assert_eq!((verdict.action, verdict.reason), ("gap", Some(NO_HISTORY)));
    assert_eq!(verdict.from, Some(Timestamp::from_nanos(9).to_string()));
}
